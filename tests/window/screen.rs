//! A virtual screen, and a window on it that can be clicked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, json};
use tokio::runtime::Runtime;
use wherry_tests::PATIENCE;
use wherry_tests::fetch::{free_port, get};
use wherry_tests::process::{Running, output, program, run, signal, until};

pub(crate) struct Screen {
    display: String,
    folder: PathBuf,
    _server: Running,
}

impl Screen {
    pub(crate) fn start(folder: &Path) -> Screen {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "1400x900x24", "-nolisten", "tcp"]);
        let mut server = Running::start(&mut command, &folder.join("xvfb.log"));
        let display = format!(":{}", server.line());
        Screen {
            display,
            folder: folder.to_owned(),
            _server: server,
        }
    }

    /// Opens Wherry's window under automation.
    pub(crate) fn open(&self, environment: &[(&str, String)]) -> Window {
        let port = free_port();
        // A session of its own, so that ending the driver ends what it started, even when the window has crashed.
        let log = self.folder.join("driver.log");
        let mut command = Command::new("setsid");
        command.args(["WebKitWebDriver", &format!("--port={port}")]);
        command
            .env("DISPLAY", &self.display)
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env("GDK_BACKEND", "x11");
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let driver = Running::start(&mut command, &log);
        until("the driver", || get(&format!("127.0.0.1:{port}")));
        let runtime = Runtime::new().expect("a runtime");
        let mut capabilities = Map::new();
        capabilities.insert(
            "webkitgtk:browserOptions".to_owned(),
            json!({ "binary": program("wherry-desktop"), "args": [] }),
        );
        let client = runtime
            .block_on(
                ClientBuilder::new(HttpConnector::new())
                    .capabilities(capabilities)
                    .connect(&format!("http://127.0.0.1:{port}")),
            )
            .expect("a session with the window");
        Window {
            client,
            runtime,
            driver,
            log,
        }
    }

    /// Types a path into the system's dialog of this title, as a person who knows it does, and accepts it.
    pub(crate) fn choose(&self, title: &str, path: &Path, picture: Option<&str>) {
        self.take_up(title);
        // The first stroke opens the line for it, and what comes before it is open is lost.
        let before = self.rest(None);
        self.hand(&["key", "slash"]);
        self.rest(Some(&before));
        let text = path.display().to_string();
        self.hand(&["type", text.trim_start_matches('/')]);
        if let Some(picture) = picture {
            self.picture(picture);
        }
        self.hand(&["key", "Return"]);
        self.gone(title);
    }

    /// A key in the system's dialog of this title, which ends it.
    pub(crate) fn press(&self, title: &str, key: &str) {
        self.take_up(title);
        self.hand(&["key", key]);
        self.gone(title);
    }

    /// Waits until the window with this title is there, and gives it the keyboard: no window manager does.
    fn take_up(&self, title: &str) {
        let found = self.hand(&["search", "--sync", "--onlyvisible", "--name", &format!("^{title}$")]);
        let dialog = found.lines().next().expect("a window");
        self.hand(&["windowfocus", "--sync", dialog]);
    }

    fn gone(&self, title: &str) {
        until("the dialog to close", || {
            let mut look = self.xdotool(&["search", "--onlyvisible", "--name", &format!("^{title}$")]);
            (!output(&mut look).status.success()).then_some(())
        });
    }

    /// Waits until what is on the screen is another picture than this one and stays so for two looks.
    fn rest(&self, before: Option<&Vec<u8>>) -> Vec<u8> {
        let look = || {
            let mut import = Command::new("import");
            import.args(["-window", "root", "rgb:-"]).env("DISPLAY", &self.display);
            output(&mut import).stdout
        };
        until("the screen to rest", || {
            let now = look();
            (before != Some(&now) && now == look()).then_some(now)
        })
    }

    fn hand(&self, arguments: &[&str]) -> String {
        run(&mut self.xdotool(arguments))
    }

    fn xdotool(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command
            .arg(PATIENCE.as_secs().to_string())
            .arg("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.display);
        command
    }

    /// Keeps a picture of the whole screen in `target/window/`. Not the driver's own: WebKit's answer to that never
    /// came once.
    pub(crate) fn picture(&self, name: &str) {
        let folder = program("wherry-desktop").with_file_name("../window");
        fs_err::create_dir_all(&folder).expect("a folder for pictures");
        let mut import = Command::new("import");
        import
            .args(["-window", "root"])
            .arg(folder.join(format!("{name}.png")))
            .env("DISPLAY", &self.display);
        run(&mut import);
    }
}

pub(crate) struct Window {
    client: Client,
    runtime: Runtime,
    driver: Running,
    /// What the driver says, and the window's own program.
    log: PathBuf,
}

impl Window {
    /// Waits until it is there and shown.
    pub(crate) fn find(&self, path: &str) -> Element {
        self.runtime.block_on(async {
            let wait = self.client.wait().at_most(PATIENCE).every(Duration::from_millis(100));
            match wait.for_element(Locator::XPath(path)).await {
                Ok(element) => element,
                Err(error) => {
                    let at = self.client.current_url().await.map(|url| url.to_string());
                    let page = self.client.source().await;
                    let log = fs_err::read_to_string(&self.log);
                    panic!("{path}: {error}\nThe address: {at:?}\nThe page: {page:?}\nThe log: {log:?}");
                }
            }
        })
    }

    pub(crate) fn click(&self, path: &str) {
        until(&format!("a click on {path}"), || {
            let element = self.find(path);
            self.runtime.block_on(async {
                element.is_enabled().await.ok().filter(|enabled| *enabled)?;
                self.rests(&element).await?;
                element.click().await.ok()
            })
        });
    }

    /// Whether it stays where it is for two frames. A click goes to where the element was when it was looked up, so one
    /// that moves is missed, and nobody is told.
    async fn rests(&self, element: &Element) -> Option<()> {
        const TWO_FRAMES: &str = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))";
        let before = element.rectangle().await.ok()?;
        self.client.execute_async(TWO_FRAMES, Vec::new()).await.ok()?;
        (element.rectangle().await.ok()? == before).then_some(())
    }

    /// Replaces what the field holds.
    pub(crate) fn type_into(&self, path: &str, text: &str) {
        until(&format!("{path} to take text"), || {
            let element = self.find(path);
            self.runtime.block_on(async {
                element.clear().await.ok()?;
                element.send_keys(text).await.ok()
            })
        });
    }

    /// Keys of the keyboard, to whatever has the focus: an editor's text is no field of the page.
    pub(crate) fn type_keys(&self, text: &str) {
        let keys = text.chars().fold(KeyActions::new("keyboard".to_owned()), |keys, key| {
            keys.then(KeyAction::Down { value: key })
                .then(KeyAction::Up { value: key })
        });
        self.runtime
            .block_on(self.client.perform_actions(keys))
            .expect("the keys are typed");
    }

    /// A click after which nobody may be left to say that it was one.
    pub(crate) fn click_at_last(&self, path: &str) {
        let element = self.find(path);
        let _ = self.runtime.block_on(element.click());
    }

    /// The process of the window.
    pub(crate) fn pid(&self) -> u32 {
        let binary = program("wherry-desktop");
        let processes = fs_err::read_dir("/proc").expect("/proc").flatten();
        let mut found = processes
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| fs_err::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == binary))
            .filter(|pid| in_session_of(*pid, self.driver.pid()));
        found.next().expect("the window's process")
    }
}

/// Whether a process belongs to the session that the driver leads.
fn in_session_of(pid: u32, leader: u32) -> bool {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default().trim();
    after_name.split(' ').nth(3) == Some(&leader.to_string())
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.client.clone().close());
        let group = self.driver.pid();
        let _ = output(Command::new("kill").args(["-TERM", "--", &format!("-{group}")]));
        signal(group, "KILL");
        self.driver.wait();
    }
}
