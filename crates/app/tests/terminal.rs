//! Terminals against a real dockerd, as a page has them.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use wherry_app::{App, Code, Inputs, Items, Problem, Say};
use wherry_machine::Home;
use wherry_tests::engine::Engine as Dockerd;
use wherry_tests::images::busybox_tar;
use wherry_tests::process::{installed, is_root, run, until};
use wherry_tests::skip_unless;

const BUSYBOX: &str = "busybox:1";

/// How long a terminal may be silent before it is taken for stuck.
const SOON: Duration = Duration::from_mins(1);

async fn call(app: &App, name: &str, params: Value) -> Result<Value, Problem> {
    let json = app.call(name, params).await?;
    Ok(serde_json::from_str(&json).expect("JSON"))
}

/// A page that looks at a terminal and says at once what it has shown.
struct Page {
    items: Items,
    say: Say,
    text: String,
    /// What had been shown before it came.
    again: String,
    longest: usize,
    total: usize,
    ended: Option<Value>,
}

impl Page {
    async fn at(app: &App, id: &Value) -> Page {
        let (say, inputs) = Inputs::new();
        let items = app
            .open("terminal.session", json!({ "id": id }), inputs)
            .await
            .expect("a session");
        Page {
            items,
            say,
            text: String::new(),
            again: String::new(),
            longest: 0,
            total: 0,
            ended: None,
        }
    }

    fn types(&self, text: &str) {
        self.say.say(json!({ "type": "text", "text": text }));
    }

    async fn step(&mut self) {
        let next = tokio::time::timeout(SOON, self.items.next());
        let Ok(item) = next.await else {
            panic!("nothing more than {:?}", self.text)
        };
        let item = item.expect("an item").expect("no problem");
        let item: Value = serde_json::from_str(&item).expect("JSON");
        if item["type"] == "ended" {
            self.ended = Some(item["code"].clone());
            return;
        }
        let text = item["text"].as_str().expect("text");
        self.longest = self.longest.max(text.len());
        self.total += text.len();
        if item["again"] == true {
            self.again.push_str(text);
        }
        self.text.push_str(text);
        self.say.say(json!({ "type": "shown", "until": item["until"] }));
    }

    async fn sees(&mut self, words: &str) {
        loop {
            if let Some(at) = self.text.find(words) {
                self.text.drain(..at + words.len());
                return;
            }
            assert!(self.ended.is_none(), "it ended before {words:?}: {:?}", self.text);
            // A flood is looked at, not kept.
            if self.text.len() > 1 << 20 {
                let from = self.text.ceil_char_boundary(self.text.len() - words.len());
                self.text.drain(..from);
            }
            self.step().await;
        }
    }
}

fn opening(container: &str, kind: &Value) -> Value {
    json!({ "container": container, "kind": kind, "columns": 91, "rows": 27 })
}

/// One engine for all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_in_a_container() {
    skip_unless!(is_root(), "dockerd needs root");
    skip_unless!(
        installed("dockerd") && installed("docker"),
        "dockerd or docker is not installed"
    );
    let dockerd = Dockerd::start(None);
    let home = tempfile::tempdir().expect("a temporary folder");
    let tar = busybox_tar(home.path());
    run(dockerd.docker().arg("import").arg(&tar).arg(BUSYBOX));
    let settings = json!({ "engine": { "type": "address", "address": dockerd.address() } });
    fs_err::write(home.path().join("settings.json"), settings.to_string()).expect("settings");
    let app = App::new(Home::at(home.path()), home.path().join("no-program")).expect("an app");
    run(dockerd
        .docker()
        .args(["run", "-d", "--name", "api", BUSYBOX, "sleep", "1000"]));
    a_shell_outlives_its_page_and_ends_when_closed(&app, &dockerd).await;
    an_image_without_a_shell_gets_another_one_s(&app, &dockerd, home.path(), &tar).await;
    the_container_s_own_terminal_goes_on(&app, &dockerd).await;
    what_is_run_with_a_terminal_is_heard_from_its_first_word(&app).await;
    what_does_not_run_has_none(&app, &dockerd).await;
}

fn shell() -> Value {
    json!({ "type": "shell", "program": "/bin/sh", "user": null })
}

async fn a_shell_outlives_its_page_and_ends_when_closed(app: &App, dockerd: &Dockerd) {
    let choices = call(app, "terminal.choices", json!({ "id": "api" }))
        .await
        .expect("choices");
    let shells: Vec<&str> = choices["shells"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(shells.contains(&"/bin/sh"), "{choices}");
    assert_eq!(choices["terminal"], false);

    // It has its size, and what is typed is done.
    let terminal = call(app, "terminal.open", opening("api", &shell()))
        .await
        .expect("opened");
    let mut page = Page::at(app, &terminal["id"]).await;
    page.types("stty size; printf 'a%s \\303\\244\\n' b\r");
    page.sees("27 91").await;
    page.sees("ab ä\r\n").await;
    page.say.say(json!({ "type": "size", "columns": 50, "rows": 10 }));
    page.types("stty size; echo d''one\r");
    page.sees("done").await;

    // The page goes away and comes back; what runs goes on.
    page.types("X=kept\r");
    drop(page);
    let mut page = Page::at(app, &terminal["id"]).await;
    // What the page that has left said is heard to its end.
    page.sees("X=kept\r\n").await;
    page.types("echo still-$X\r");
    page.sees("still-kept").await;
    assert!(page.again.contains("27 91"), "{:?}", page.again);
    let listed = call(app, "terminal.list", json!({ "id": "api" }))
        .await
        .expect("a list");
    assert_eq!(listed[0]["id"], terminal["id"]);

    a_flood_arrives_whole_and_ends_with_ctrl_c(&mut page).await;

    // Closing it hangs up what runs in it.
    page.types("sleep 12345\r");
    page.sees("sleep 12345").await;
    let running = || run(dockerd.docker().args(["top", "api", "-eo", "pid,args"])).contains("sleep 12345");
    wherry_tests::process::until("the program to run", || running().then_some(()));
    call(app, "terminal.close", json!({ "id": terminal["id"] }))
        .await
        .expect("closed");
    wherry_tests::process::until("the program to end", || (!running()).then_some(()));

    // A program's end is told with its code.
    let terminal = call(app, "terminal.open", opening("api", &shell()))
        .await
        .expect("opened");
    let mut page = Page::at(app, &terminal["id"]).await;
    page.types("exit 7\r");
    while page.ended.is_none() {
        page.step().await;
    }
    assert_eq!(page.ended, Some(json!(7)));
}

async fn a_flood_arrives_whole_and_ends_with_ctrl_c(page: &mut Page) {
    let before = page.total;
    page.types("head -c 100000000 /dev/zero | tr '\\0' x; echo; echo flood-''over\r");
    page.sees("flood-over").await;
    assert!(page.total - before >= 100_000_000);
    assert!(page.longest < 40 << 10, "{}", page.longest);
    page.types("yes; echo aft''er\r");
    page.sees("y\r\ny\r\ny").await;
    let pressed = Instant::now();
    let before = page.total;
    page.types("\u{3}");
    page.types("echo aft''er\r");
    page.sees("after").await;
    eprintln!(
        "Ctrl C in a flood: {:?}, {} bytes after it",
        pressed.elapsed(),
        page.total - before
    );
    assert!(page.total - before < 4 << 20, "what is on its way is bounded");
}

async fn an_image_without_a_shell_gets_another_one_s(app: &App, dockerd: &Dockerd, home: &Path, tar: &Path) {
    let bare = home.join("bare");
    fs_err::create_dir_all(bare.join("app")).expect("a folder");
    run(std::process::Command::new("tar")
        .args(["xf"])
        .arg(tar)
        .arg("-C")
        .arg(&bare));
    let program = ["bin/busybox", "busybox"]
        .into_iter()
        .map(|path| bare.join(path))
        .find(|path| path.is_file())
        .expect("busybox");
    fs_err::copy(program, bare.join("app/busybox")).expect("copied");
    let bare_tar = home.join("bare.tar");
    run(std::process::Command::new("tar")
        .arg("cf")
        .arg(&bare_tar)
        .arg("-C")
        .arg(&bare)
        .arg("app"));
    run(dockerd.docker().arg("import").arg(&bare_tar).arg("bare:1"));
    run(dockerd.docker().args([
        "run",
        "-d",
        "--name",
        "bare",
        "bare:1",
        "/app/busybox",
        "sleep",
        "54321",
    ]));
    let choices = call(app, "terminal.choices", json!({ "id": "bare" }))
        .await
        .expect("choices");
    assert_eq!(choices["shells"], json!([]));
    let debug = json!({ "type": "debug", "image": BUSYBOX });
    let terminal = call(app, "terminal.open", opening("bare", &debug))
        .await
        .expect("opened");
    let mut page = Page::at(app, &terminal["id"]).await;
    page.types("ls /proc/1/root/app; ps | grep 5432''1\r");
    page.sees("busybox").await;
    page.sees("sleep 54321").await;
    call(app, "terminal.close", json!({ "id": terminal["id"] }))
        .await
        .expect("closed");
    let helpers = run(dockerd
        .docker()
        .args(["ps", "-aq", "--filter", "label=app.wherry.debug"]));
    assert_eq!(helpers.trim(), "");
    let missing = json!({ "type": "debug", "image": "127.0.0.1:1/no/image" });
    let problem = call(app, "terminal.open", opening("bare", &missing))
        .await
        .expect_err("no image");
    assert_eq!(problem.code, Code::ImageNotFound, "{problem:?}");
}

async fn the_container_s_own_terminal_goes_on(app: &App, dockerd: &Dockerd) {
    run(dockerd.docker().args(["run", "-dit", "--name", "own", BUSYBOX, "sh"]));
    let terminal = call(app, "terminal.open", opening("own", &json!({ "type": "attach" })))
        .await
        .expect("opened");
    let mut page = Page::at(app, &terminal["id"]).await;
    page.types("echo o''wn\r");
    page.sees("own").await;
    call(app, "terminal.close", json!({ "id": terminal["id"] }))
        .await
        .expect("closed");
    let state = run(dockerd.docker().args(["inspect", "-f", "{{.State.Running}}", "own"]));
    assert_eq!(state.trim(), "true");
}

async fn what_is_run_with_a_terminal_is_heard_from_its_first_word(app: &App) {
    let spec = json!({
        "image": BUSYBOX,
        "name": "talks",
        "interactive": true,
        "terminal": true,
        "command": ["sh", "-c", "echo fi''rst; read answer; echo \"heard $answer\""],
    });
    call(app, "container.run", json!({ "spec": spec }))
        .await
        .expect("begun");
    let listed = || Handle::current().block_on(call(app, "terminal.list", json!({ "id": "talks" })));
    let is_open = |terminals: &Value| terminals.as_array().is_some_and(|all| !all.is_empty());
    let terminals = tokio::task::block_in_place(|| until("its terminal", || listed().ok().filter(is_open)));
    let mut page = Page::at(app, &terminals[0]["id"]).await;
    page.sees("first").await;
    page.types("you\r");
    page.sees("heard you").await;
}

async fn what_does_not_run_has_none(app: &App, dockerd: &Dockerd) {
    run(dockerd.docker().args(["kill", "api"]));
    let problem = call(app, "terminal.open", opening("api", &shell()))
        .await
        .expect_err("it does not run");
    assert_eq!(problem.message, "api does not run");
    let line = call(
        app,
        "terminal.command",
        opening(
            "api",
            &json!({ "type": "shell", "program": "/bin/bash", "user": "app" }),
        ),
    )
    .await
    .expect("a line");
    assert_eq!(line["text"], "docker exec -it -u app api bash");
}
