//! The commands against a real dockerd, as a window would call them.

use std::net::TcpListener;

use futures::StreamExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use wherry_app::{Action, App, Code, Event, Inputs, Items, Outcome, Problem, Task, TaskId};
use wherry_machine::Home;
use wherry_tests::engine::Engine as Dockerd;
use wherry_tests::images::busybox_tar;
use wherry_tests::process::{installed, is_root, run};
use wherry_tests::registry::Registry;
use wherry_tests::skip_unless;

const BUSYBOX: &str = "busybox:1";

struct Window {
    dockerd: Dockerd,
    app: App,
    events: Items,
    home: TempDir,
}

impl Window {
    async fn open() -> Window {
        let dockerd = Dockerd::start(None);
        let home = tempfile::tempdir().expect("a temporary folder");
        let tar = busybox_tar(home.path());
        run(dockerd.docker().arg("import").arg(&tar).arg(BUSYBOX));
        let settings = json!({ "engine": { "type": "address", "address": dockerd.address() } });
        fs_err::write(home.path().join("settings.json"), settings.to_string()).expect("settings");
        let app = App::new(Home::at(home.path()), home.path().join("no-program")).expect("an app");
        let events = app
            .open("app.events", Value::Null, Inputs::none())
            .await
            .expect("events");
        Window {
            dockerd,
            app,
            events,
            home,
        }
    }

    async fn call(&self, name: &str, params: Value) -> Result<Value, Problem> {
        let json = self.app.call(name, params).await?;
        Ok(serde_json::from_str(&json).expect("JSON"))
    }

    async fn event(&mut self) -> Event {
        serde_json::from_str(&self.events.next().await.expect("an event").expect("no problem")).expect("an event")
    }

    /// Runs a spec and returns how the task ended.
    async fn task(&mut self, name: &str, params: Value) -> Task {
        let id: TaskId = serde_json::from_value(self.call(name, params).await.expect("a task")).expect("an id");
        loop {
            if let Event::Task { task } = self.event().await
                && task.id == id
                && task.outcome != Outcome::Working
            {
                return task;
            }
        }
    }

    async fn names(&self) -> Vec<String> {
        let list = self
            .call("container.list", json!({ "all": true }))
            .await
            .expect("a list");
        list.as_array()
            .expect("a list")
            .iter()
            .map(|container| container["name"].as_str().expect("a name").to_owned())
            .collect()
    }
}

fn spec(image: &str, name: &str, host_port: Option<u16>) -> Value {
    let ports = match host_port {
        Some(port) => {
            json!([{ "hostAddress": "127.0.0.1", "hostPort": port, "containerPort": 80, "protocol": "tcp" }])
        }
        None => json!([]),
    };
    json!({ "spec": {
        "image": image, "name": name, "ports": ports, "environment": [],
        "command": ["httpd", "-f", "-p", "80", "-h", "/www"], "removeWhenStopped": false,
    } })
}

fn failed(task: Task) -> Problem {
    match task.outcome {
        Outcome::Failed { problem } => problem,
        other => panic!("{other:?}"),
    }
}

/// An image that only a registry has.
struct Site {
    image: String,
    registry: Registry,
    _storage: TempDir,
}

fn site(window: &Window) -> Site {
    let storage = tempfile::tempdir().expect("a temporary folder");
    let registry = Registry::serve(storage.path());
    let image = format!("{}/site", registry.address());
    run(window.dockerd.docker().args(["tag", BUSYBOX, &image]));
    run(window.dockerd.docker().args(["push", &image]));
    run(window.dockerd.docker().args(["rmi", &image, BUSYBOX]));
    Site {
        image,
        registry,
        _storage: storage,
    }
}

macro_rules! need_dockerd_and_registry {
    () => {
        skip_unless!(is_root(), "dockerd needs root");
        skip_unless!(
            installed("dockerd") && installed("docker"),
            "dockerd or docker is not installed"
        );
        skip_unless!(installed("docker-registry"), "docker-registry is not installed");
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_s_whole_life() {
    need_dockerd_and_registry!();
    let mut window = Window::open().await;
    let site = site(&window);
    let port = wherry_tests::fetch::free_port();
    let task = window.task("container.run", spec(&site.image, "web", Some(port))).await;
    let Outcome::Done { container: Some(id) } = &task.outcome else {
        panic!("{task:?}")
    };
    assert!(
        task.progress.is_some_and(|progress| !progress.layers.is_empty()),
        "the pull was told"
    );
    wherry_tests::fetch::page_with(&format!("127.0.0.1:{port}"), "served by wherry's test");
    let web = window
        .call("container.get", json!({ "id": id }))
        .await
        .expect("it is there");
    assert_eq!((&web["name"], &web["state"]), (&json!("web"), &json!("running")));
    let status = window.call("engine.status", Value::Null).await.expect("a status");
    assert_eq!(
        (&status["connection"]["type"], &status["origin"]["type"]),
        (&json!("connected"), &json!("chosen"))
    );
    assert_eq!(status["connection"]["info"]["product"], "Docker");
    let cost = window.call("engine.cost", Value::Null).await.expect("a cost");
    assert!(
        cost["memory"].as_u64() > Some(0) && cost["disk"].as_u64() > Some(0),
        "{cost}"
    );

    let log = json!({ "ids": ["web"], "tail": 10, "since": null, "until": null });
    let (say, inputs) = Inputs::new();
    let mut logs = window.app.open("container.log", log, inputs).await.expect("a log");
    run(window
        .dockerd
        .docker()
        .args(["exec", "web", "sh", "-c", "echo hello >/proc/1/fd/1"]));
    say.say(json!({ "type": "window", "from": null, "count": 10 }));
    let mut news = async |wanted: fn(&Value) -> bool| loop {
        let said = logs.next().await.expect("it goes on").expect("no problem");
        let said: Value = serde_json::from_str(&said).expect("JSON");
        if wanted(&said) {
            return said;
        }
    };
    let lines = news(|said| said["lines"][0].is_object()).await;
    assert_eq!(lines["lines"][0]["text"], "hello");
    run(window.dockerd.docker().args(["kill", "web"]));
    news(|said| said["state"]["ended"] == true).await;

    let question = json!({ "address": null, "port": port, "protocol": "tcp" });
    let answer = window.call("port.check", question).await.expect("an answer");
    assert_eq!(
        (&answer["free"], &answer["sentence"]),
        (&json!(true), &json!(format!("{port} is free")))
    );
    window
        .call("container.remove", json!({ "id": "web", "force": false }))
        .await
        .expect("removed");
    let problem = window
        .call("container.start", json!({ "id": "web" }))
        .await
        .expect_err("it is gone");
    assert_eq!(problem.code, Code::NotFound, "{problem:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_has_a_name_and_a_remedy() {
    need_dockerd_and_registry!();
    let mut window = Window::open().await;
    let port = wherry_tests::fetch::free_port();
    window.task("container.run", spec(BUSYBOX, "web", Some(port))).await;
    let question = json!({ "address": null, "port": port, "protocol": "tcp" });
    let answer = window.call("port.check", question).await.expect("an answer");
    assert_eq!(answer["sentence"], format!("{port} is used by the container web"));
    let problem = failed(window.task("container.run", spec(BUSYBOX, "second", Some(port))).await);
    assert_eq!(
        (problem.code, problem.message.as_str()),
        (Code::PortTaken, "Could not run second")
    );
    assert_eq!(problem.why, Some(format!("{port} is used by the container web")));
    let Some(Action::UsePort { taken, instead }) = problem.action else {
        panic!("{problem:?}")
    };
    assert_eq!((taken, Some(format!("Use {instead}."))), (port, problem.hint));
    assert_eq!(window.names().await, ["web"], "nothing half made is left");

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let held = listener.local_addr().expect("an address").port();
    let problem = failed(window.task("container.run", spec(BUSYBOX, "second", Some(held))).await);
    let me = format!("(pid {})", std::process::id());
    assert!(
        problem.why.as_ref().is_some_and(|why| why.ends_with(&me)),
        "{problem:?}"
    );
    let Some(Action::UsePort { instead, .. }) = problem.action else {
        panic!("{problem:?}")
    };
    window
        .task("container.run", spec(BUSYBOX, "second", Some(instead)))
        .await;
    wherry_tests::fetch::page_with(&format!("127.0.0.1:{instead}"), "served by wherry's test");
    assert_eq!(window.names().await, ["second", "web"], "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_told_by_its_code() {
    need_dockerd_and_registry!();
    let mut window = Window::open().await;
    let site = site(&window);
    let task = window.task("image.pull", json!({ "reference": site.image })).await;
    assert_eq!(task.outcome, Outcome::Done { container: None });
    window.task("container.run", spec(&site.image, "web", None)).await;
    let problem = failed(window.task("container.run", spec(&site.image, "web", None)).await);
    assert_eq!(problem.code, Code::NameTaken, "{problem:?}");
    let absent = format!("{}/absent", site.registry.address());
    let problem = failed(window.task("container.run", spec(&absent, "absent", None)).await);
    assert_eq!(problem.code, Code::ImageNotFound, "{problem:?}");
    let mut typo = spec(&site.image, "typo", None);
    typo["spec"]["command"] = json!(["pythn"]);
    let problem = failed(window.task("container.run", typo).await);
    assert_eq!(
        problem.why.as_deref(),
        Some("The image has no program named pythn"),
        "{problem:?}"
    );
    let problem = window
        .call("container.run", spec("", "absent", None))
        .await
        .expect_err("no image");
    assert_eq!(
        (problem.code, problem.message.as_str()),
        (Code::Invalid, "An image is missing")
    );
    let removal = json!({ "id": "web", "force": false });
    let problem = window.call("container.remove", removal).await.expect_err("it runs");
    assert_eq!(
        (problem.code, problem.message.as_str()),
        (Code::InUse, "Could not remove web")
    );
    let removal = json!({ "reference": site.image, "force": false });
    let problem = window.call("image.remove", removal).await.expect_err("it is used");
    assert_eq!(problem.code, Code::InUse, "{problem:?}");
    assert_eq!(window.names().await, ["web"], "nothing half made is left");
}

/// The docker command against the window's engine: what it prints.
fn docker(window: &Window, arguments: &[&str]) -> String {
    run(window.dockerd.docker().args(arguments)).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_wherry_has_set_aside_is_as_it_was() {
    need_dockerd_and_registry!();
    let window = Window::open().await;
    let old = docker(&window, &["run", "-d", "--name", "api", BUSYBOX, "sleep", "1000"]);
    docker(&window, &["kill", "api"]);
    let aside = format!("api.before-{}", &old[..12]);
    docker(&window, &["rename", "api", &aside]);
    let new = docker(&window, &["run", "-d", "--name", "api", BUSYBOX, "sleep", "2000"]);
    let home = window.home.path();
    fs_err::create_dir(home.join("set-aside")).expect("a folder");
    let entry = json!({
        "engine": window.dockerd.address(), "id": old, "name": "api", "running": true,
        "temporary": "api.next-0", "new": new, "stage": "replacing",
    });
    let file = home.join("set-aside").join(format!("{old}.json"));
    fs_err::write(&file, entry.to_string()).expect("written");
    let next = App::new(Home::at(home), home.join("no-program")).expect("an app");
    let mut events = next
        .open("app.events", Value::Null, Inputs::none())
        .await
        .expect("events");
    let told = loop {
        let event = events.next().await.expect("an event").expect("no problem");
        if let Event::Notice { problem } = serde_json::from_str(&event).expect("an event") {
            break problem.message;
        }
    };
    assert_eq!(told, "api is as it was before: Wherry ended while it made it anew");
    let left = docker(
        &window,
        &["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.State}}"],
    );
    assert_eq!(left, format!("{old} api running"));
    assert!(!file.exists(), "it is done");
}
