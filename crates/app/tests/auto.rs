//! Without a choice, the first engine that answers is used, and another one when it goes.
//!
//! Where engines are looked for is said by the environment, so this runs in a process of its own.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use wherry_app::{App, Inputs};
use wherry_machine::Home;

const INSIDE: &str = "WHERRY_TEST_AUTO";

#[test]
fn the_first_engine_that_answers_is_used() {
    wherry_tests::skip_unless!(
        !["/var/run/docker.sock", "/run/podman/podman.sock"]
            .iter()
            .any(|socket| Path::new(socket).exists()),
        "this computer has an engine of its own"
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs_err::create_dir(folder.path().join("podman")).expect("a folder");
    let output = wherry_tests::process::output(
        Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "inside"])
            .env(INSIDE, folder.path())
            .env("XDG_RUNTIME_DIR", folder.path())
            .env("DOCKER_CONFIG", folder.path())
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT"),
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The inside of the test above; does nothing in an ordinary run.
#[tokio::test]
async fn inside() {
    let Some(folder) = std::env::var_os(INSIDE) else { return };
    let folder = Path::new(&folder);
    let (docker, podman) = (folder.join("docker.sock"), folder.join("podman/podman.sock"));
    let rootless = engine(&docker);
    let app = App::new(Home::at(folder.join("home")), folder.join("no-program")).expect("an app");
    assert_eq!(until_used(&app, &["rootless"]).await, "rootless");

    let second = engine(&podman);
    drop(rootless);
    let _ = fs_err::remove_file(&docker);
    assert_eq!(
        until_used(&app, &["podman"]).await,
        "podman",
        "the other one takes over"
    );

    let rootless = engine(&docker);
    assert_eq!(
        until_used(&app, &["podman", "rootless"]).await,
        "podman",
        "one that works is not left"
    );
    drop(second);
    let _ = fs_err::remove_file(&podman);
    assert_eq!(until_used(&app, &["rootless"]).await, "rootless");
    drop(rootless);
}

/// Looks again with every event until an engine of these is connected.
async fn until_used(app: &App, wanted: &[&str]) -> String {
    let mut events = app
        .open("app.events", Value::Null, Inputs::none())
        .await
        .expect("events");
    loop {
        let status = app.call("engine.status", Value::Null).await.expect("a status");
        let status: Value = serde_json::from_str(&status).expect("JSON");
        let origin = status["origin"]["type"].as_str().unwrap_or_default().to_owned();
        if status["connection"]["type"] == "connected" && wanted.contains(&origin.as_str()) {
            return origin;
        }
        events.next().await.expect("an event").expect("no problem");
    }
}

/// Something that says what an engine says when it is asked who it is.
fn engine(socket: &Path) -> DropGuard {
    let listener = UnixListener::bind(socket).expect("a socket");
    let end = CancellationToken::new();
    let inner = end.clone();
    tokio::spawn(end.clone().run_until_cancelled_owned(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(inner.clone().run_until_cancelled_owned(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let path = String::from_utf8_lossy(&request)
                    .split(' ')
                    .nth(1)
                    .unwrap_or_default()
                    .to_owned();
                if path.contains("/events") {
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                        .await;
                    std::future::pending::<()>().await;
                }
                let body = if path == "/version" {
                    r#"{"ApiVersion":"1.41"}"#
                } else {
                    r#"{"NCPU":1}"#
                };
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }));
        }
    }));
    end.drop_guard()
}
