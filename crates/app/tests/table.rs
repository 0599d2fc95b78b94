//! Every command and stream by name: whatever is sent, a problem comes back and never a panic.

use futures::StreamExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use wherry_app::{App, COMMANDS, Code, Inputs, Problem, STREAMS, Topic};
use wherry_machine::Home;

/// An app in a home of its own, with an engine that is not there.
fn app() -> (TempDir, App) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let nowhere = folder.path().join("no.sock");
    let settings = json!({ "engine": { "type": "address", "address": format!("unix://{}", nowhere.display()) } });
    fs_err::write(folder.path().join("settings.json"), settings.to_string()).expect("settings");
    let app = App::new(Home::at(folder.path()), folder.path().join("no-program")).expect("an app");
    (folder, app)
}

fn odd_params() -> Vec<Value> {
    vec![
        Value::Null,
        json!(1),
        json!("text"),
        json!([]),
        json!({}),
        json!({ "id": 1 }),
        json!({ "id": null, "reference": null, "port": "x" }),
        json!({ "port": 70000, "protocol": "tcp" }),
        json!({ "id": "../../version", "all": true, "tail": 1, "follow": false, "force": false, "reference": "../x" }),
        json!({ "spec": { "image": "", "ports": [], "environment": [], "command": [], "removeWhenStopped": false } }),
        json!({ "type": "address", "address": "not an address" }),
    ]
}

#[tokio::test]
async fn every_command_answers_whatever_is_sent() {
    let (_folder, app) = app();
    // What is left out starts or stops a machine, changes the docker command of whoever runs the tests, or writes into
    // their folders.
    let harmless = COMMANDS.iter().filter(|name| {
        !matches!(
            **name,
            "machine.start" | "machine.restart" | "docker.select" | "docker.mend" | "docker.link" | "app.diagnose"
        )
    });
    for name in harmless {
        for params in odd_params() {
            match app.call(name, params.clone()).await {
                Ok(json) => drop(serde_json::from_str::<Value>(&json).expect("JSON")),
                Err(problem) => assert!(!problem.message.is_empty(), "{name}({params})"),
            }
        }
    }
}

#[tokio::test]
async fn every_stream_answers_whatever_is_sent() {
    let (_folder, app) = app();
    for name in STREAMS {
        for params in odd_params() {
            match app.open(name, params, Inputs::none()).await {
                Ok(mut items) => {
                    items.next().await.expect("a first item").expect("no problem");
                }
                Err(problem) => assert!(!problem.message.is_empty(), "{name}"),
            }
        }
    }
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_told_by_the_command_s_name() {
    let (_folder, app) = app();
    for name in [
        "container.start",
        "image.get",
        "port.check",
        "task.cancel",
        "settings.set",
        "machine.start",
    ] {
        let problem = app.call(name, json!("odd")).await.expect_err("a problem");
        assert_eq!(
            (problem.code, problem.message.contains(name)),
            (Code::Invalid, true),
            "{}",
            problem.message
        );
    }
    let unknown = app
        .call("container.levitate", Value::Null)
        .await
        .expect_err("a problem");
    assert_eq!(unknown.code, Code::Invalid);
    assert!(app.open("app.nothing", Value::Null, Inputs::none()).await.is_err());
}

#[tokio::test]
async fn without_an_engine_everything_says_so() {
    let (_folder, app) = app();
    let id = json!({ "id": "web", "force": false });
    for (name, params) in [
        ("container.list", json!({ "all": true })),
        ("container.get", id.clone()),
        ("container.start", id.clone()),
        ("container.remove", id),
        ("image.list", Value::Null),
        ("engine.cost", Value::Null),
    ] {
        let problem: Problem = app.call(name, params).await.expect_err("no engine");
        assert_eq!(problem.code, Code::EngineUnreachable, "{name}: {problem:?}");
        assert!(
            problem.hint.is_some() && problem.action.is_some(),
            "{name}: {problem:?}"
        );
    }
    let status: Value =
        serde_json::from_str(&app.call("engine.status", Value::Null).await.expect("a status")).expect("JSON");
    assert_eq!(status["connection"]["type"], "away");
    assert_eq!(status["origin"]["type"], "chosen");
}

#[tokio::test]
async fn a_window_that_comes_late_is_told_everything() {
    let (folder, app) = app();
    drop(app);
    fs_err::write(folder.path().join("settings.json"), "{broken").expect("written");
    let app = App::new(Home::at(folder.path()), folder.path().join("no-program")).expect("an app");
    let mut events = app
        .open("app.events", Value::Null, Inputs::none())
        .await
        .expect("a stream");
    let mut kinds = Vec::new();
    while !kinds.contains(&"notice".to_owned()) {
        let event: Value =
            serde_json::from_str(&events.next().await.expect("an event").expect("no problem")).expect("JSON");
        kinds.push(event["type"].as_str().expect("a type").to_owned());
    }
    assert_eq!(kinds[0], "machine");
    assert_eq!(
        kinds.iter().filter(|kind| *kind == "changed").count(),
        Topic::ALL.len(),
        "every topic: {kinds:?}"
    );
}

#[tokio::test]
async fn what_is_chosen_stays_chosen() {
    let (folder, app) = app();
    let chosen = app
        .call("engine.choose", json!({ "type": "machine" }))
        .await
        .expect("chosen");
    let status: Value = serde_json::from_str(&chosen).expect("JSON");
    assert_eq!(status["choice"]["type"], "machine");
    let refused = app
        .call("engine.choose", json!({ "type": "address", "address": "ssh://box" }))
        .await;
    assert_eq!(refused.expect_err("not supported").code, Code::Invalid);
    drop(app);
    let app = App::new(Home::at(folder.path()), folder.path().join("no-program")).expect("an app");
    let settings: Value =
        serde_json::from_str(&app.call("settings.get", Value::Null).await.expect("settings")).expect("JSON");
    assert_eq!(settings["engine"]["type"], "machine", "the refused one was not kept");
}
