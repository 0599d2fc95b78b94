//! A Wherry that is killed while it makes a container anew, at each step of it: the next one leaves nothing half done.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use wherry_app::App;
use wherry_machine::Home;
use wherry_tests::engine::Engine as Dockerd;
use wherry_tests::images::busybox_tar;
use wherry_tests::process::{Running, installed, is_root, run, signal, until};
use wherry_tests::skip_unless;

const INSIDE: &str = "WHERRY_TEST_KILLED";
const BUSYBOX: &str = "busybox:1";

/// Ends at once when it is asked to.
const SERVES: &str = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// The engine never hears of it.
    Before,
    /// The engine is at it.
    During,
    /// It is done, and Wherry was not told.
    After,
}

/// Between Wherry and the engine: kills Wherry at one of its requests.
#[derive(Default)]
struct Gate {
    point: Mutex<Option<(&'static str, When)>>,
    pid: AtomicU32,
}

impl Gate {
    fn open(socket: &Path, engine: PathBuf) -> Arc<Gate> {
        let gate = Arc::<Gate>::default();
        let listener = UnixListener::bind(socket).expect("a socket");
        let at_it = Arc::clone(&gate);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (gate, engine) = (Arc::clone(&at_it), engine.clone());
                // Whoever is killed breaks its connections off: that is what this is for.
                std::thread::spawn(move || gate.pass(client, &engine));
            }
        });
        gate
    }

    fn kill(&self) {
        signal(self.pid.load(Ordering::Acquire), "KILL");
    }

    /// Once.
    fn reached(&self, sent: &[u8]) -> Option<When> {
        let sent = String::from_utf8_lossy(sent);
        let mut point = self.point.lock().unwrap_or_else(PoisonError::into_inner);
        let (request, when) = (*point)?;
        sent.contains(request).then(|| {
            *point = None;
            when
        })
    }

    fn pass(self: Arc<Self>, mut client: UnixStream, engine: &Path) -> std::io::Result<()> {
        let mut engine = UnixStream::connect(engine)?;
        let held = Arc::new(AtomicBool::new(false));
        let (gate, keeps) = (Arc::clone(&self), Arc::clone(&held));
        let (mut from, mut to) = (engine.try_clone()?, client.try_clone()?);
        std::thread::spawn(move || -> std::io::Result<()> {
            let mut bytes = vec![0; 64 << 10];
            loop {
                let read = from.read(&mut bytes)?;
                if keeps.load(Ordering::Acquire) {
                    gate.kill();
                    return Ok(());
                }
                if read == 0 {
                    return to.shutdown(Shutdown::Write);
                }
                to.write_all(&bytes[..read])?;
            }
        });
        let mut bytes = vec![0; 64 << 10];
        loop {
            let read = client.read(&mut bytes)?;
            if read == 0 {
                return engine.shutdown(Shutdown::Write);
            }
            match self.reached(&bytes[..read]) {
                None => engine.write_all(&bytes[..read])?,
                Some(When::Before) => {
                    self.kill();
                    return Ok(());
                }
                Some(When::During) => {
                    engine.write_all(&bytes[..read])?;
                    self.kill();
                }
                Some(When::After) => {
                    held.store(true, Ordering::Release);
                    engine.write_all(&bytes[..read])?;
                }
            }
        }
    }
}

fn app(home: &Path) -> App {
    App::new(Home::at(home), home.join("no-program")).expect("an app")
}

/// The one that is killed, in a process of its own; does nothing in an ordinary run.
#[tokio::test(flavor = "multi_thread")]
async fn inside() {
    let Some(home) = std::env::var_os(INSIDE) else { return };
    let app = app(Path::new(&home));
    let call = async |name: &str, params: Value| -> Value {
        serde_json::from_str(&app.call(name, params).await.expect("done")).expect("JSON")
    };
    let made = call("container.made_of", json!({ "id": "api", "copy": false })).await;
    let mut spec = made["spec"].clone();
    spec["memory"] = json!(64 << 20);
    call("container.recreate", json!({ "id": made["id"], "spec": spec })).await;
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wherry_that_is_killed_leaves_one_container() {
    skip_unless!(is_root(), "dockerd needs root");
    skip_unless!(
        installed("dockerd") && installed("docker"),
        "dockerd or docker is not installed"
    );
    let dockerd = Dockerd::start(None);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tar = busybox_tar(folder.path());
    run(dockerd.docker().arg("import").arg(&tar).arg(BUSYBOX));
    let socket = folder.path().join("gate.sock");
    let engine = dockerd.address();
    let gate = Gate::open(&socket, engine.strip_prefix("unix://").expect("a socket").into());
    let docker = |words: &[&str]| run(dockerd.docker().args(words)).trim().to_owned();

    let all = [
        // Nothing had happened to the old one.
        (false, "create?name=api.next-", When::Before, "old"),
        (false, "create?name=api.next-", When::After, "old"),
        // It is back as it was, whatever the new one was at.
        (false, "/stop", When::Before, "old"),
        (false, "/stop", When::During, "old"),
        (false, "rename?name=api.before-", When::After, "old"),
        (false, "rename?name=api ", When::After, "old"),
        (false, "/start", When::After, "old"),
        // The new one was good.
        (false, "rename?name=wherry-trash", When::Before, "new"),
        (false, "rename?name=wherry-trash", When::After, "new"),
        // With --rm, one like it is made.
        (true, "create?name=api.next-", When::After, "old"),
        (true, "/stop", When::After, "like the old"),
        (true, "rename?name=api ", When::After, "like the old"),
        (true, "/start", When::After, "like the old"),
    ];
    for (removed, request, when, expected) in all {
        let case = format!(
            "killed {when:?} {request}, {}",
            if removed { "with --rm" } else { "kept" }
        );
        let home = tempfile::tempdir_in(folder.path()).expect("a folder");
        let settings = json!({ "engine": { "type": "address", "address": format!("unix://{}", socket.display()) } });
        fs_err::write(home.path().join("settings.json"), settings.to_string()).expect("settings");
        let mut words = vec![
            "run",
            "--detach",
            "--name",
            "api",
            "--memory",
            "32m",
            "--stop-timeout",
            "1",
        ];
        words.extend(removed.then_some("--rm"));
        words.extend([BUSYBOX, "sh", "-c", SERVES]);
        let old = docker(&words);

        let mut killed = Running::start(
            Command::new(std::env::current_exe().expect("this test"))
                .args(["--exact", "inside", "--nocapture"])
                .env(INSIDE, home.path()),
            &folder.path().join("killed.log"),
        );
        gate.pid.store(killed.pid(), Ordering::Release);
        *gate.point.lock().unwrap_or_else(PoisonError::into_inner) = Some((request, when));
        killed.wait();
        let notes = home.path().join("set-aside");
        let left = |notes: &Path| fs_err::read_dir(notes).expect("the notes").count();
        assert_eq!(left(&notes), 1, "{case}: it is written down");

        let next = app(home.path());
        until("the next one to have read the note", || {
            (left(&notes) == 0).then_some(())
        });
        drop(next);
        let format = ["ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}} {{.State}}"];
        let listed = docker(&format);
        let (trash, rest): (Vec<&str>, Vec<&str>) = listed.lines().partition(|line| line.starts_with("wherry-trash"));
        let [api] = rest.as_slice() else {
            panic!("{case}: {listed}");
        };
        assert!(api.starts_with("api ") && api.ends_with(" running"), "{case}: {listed}");
        let limit = docker(&[
            "inspect",
            "--format",
            "{{.HostConfig.Memory}} {{.HostConfig.AutoRemove}}",
            "api",
        ]);
        let wanted = if expected == "new" { 64 << 20 } else { 32 << 20 };
        assert_eq!(limit, format!("{wanted} {removed}"), "{case}");
        assert_eq!(api.contains(&old), expected == "old", "{case}: {listed}");
        assert_eq!(trash.len(), usize::from(expected == "new"), "{case}: {listed}");
        for line in listed.lines() {
            let id = line.split(' ').nth(1).expect("an id");
            docker(&["rm", "--force", id]);
        }
    }
}
