//! What an engine must never say, said by a server made for it.
#![cfg(unix)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use wherry_engine::{Address, Engine, Error, Link, RunSpec};

const VERSION: &str = r#"{"ApiVersion":"1.41","MinAPIVersion":"1.12","Version":"20.10.24"}"#;

/// What to answer to a path (without version and query). A path that is not there gets 404.
type Answers = HashMap<&'static str, Vec<u8>>;

/// A server on a unix socket that answers each connection's one request from a list.
struct Server {
    socket: PathBuf,
    asked: watch::Sender<Vec<String>>,
    /// Paths of endless answers that the other side has let go of.
    let_go: mpsc::UnboundedReceiver<String>,
    _end: DropGuard,
}

impl Server {
    fn start(folder: &Path, answers: Answers) -> Server {
        let socket = folder.join("s.sock");
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).expect("a socket");
        let answers = Arc::new(answers);
        let asked = watch::Sender::new(Vec::new());
        let (let_go_sender, let_go) = mpsc::unbounded_channel();
        let end = CancellationToken::new();
        let serve = {
            let (asked, end) = (asked.clone(), end.clone());
            async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let (answers, asked, let_go) = (answers.clone(), asked.clone(), let_go_sender.clone());
                    let one = async move {
                        let mut request = Vec::new();
                        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                            if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                                return;
                            }
                        }
                        let text = String::from_utf8_lossy(&request).into_owned();
                        let target = text.split(' ').nth(1).unwrap_or_default().to_owned();
                        asked.send_modify(|asked| asked.push(target.clone()));
                        let path = target.split('?').next().unwrap_or_default();
                        let path = match path.strip_prefix("/v1.") {
                            Some(rest) => &rest[rest.find('/').unwrap_or(0)..],
                            None => path,
                        };
                        let none = json(404, r#"{"message":"page not found"}"#);
                        let _ = stream.write_all(answers.get(path).unwrap_or(&none)).await;
                        let _ = stream.flush().await;
                        if path == "/images/create" {
                            while stream.read_buf(&mut request).await.unwrap_or(0) > 0 {}
                            let _ = let_go.send(path.to_owned());
                        }
                        if path == "/events" {
                            // Goes on until the server goes.
                            std::future::pending::<()>().await;
                        }
                    };
                    tokio::spawn(end.clone().run_until_cancelled_owned(one));
                }
            }
        };
        tokio::spawn(end.clone().run_until_cancelled_owned(serve));
        Server {
            socket,
            asked,
            let_go,
            _end: end.drop_guard(),
        }
    }

    fn engine(&self) -> Engine {
        Engine::connect(Address::Local(self.socket.clone()))
    }
}

fn answer(status: u16, kind: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn json(status: u16, body: &str) -> Vec<u8> {
    answer(status, "application/json", body)
}

/// An engine that is well, but for these answers.
fn well_but(odd: &[(&'static str, Vec<u8>)]) -> Answers {
    let mut answers: Answers = [
        ("/version", json(200, VERSION)),
        ("/info", json(200, r#"{"NCPU":4,"MemTotal":1024}"#)),
        (
            "/events",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
        ),
    ]
    .into();
    answers.extend(odd.iter().cloned());
    answers
}

async fn list_error(odd: Vec<u8>) -> Error {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(folder.path(), well_but(&[("/containers/json", odd)]));
    server.engine().containers(true).await.expect_err("an odd answer")
}

#[tokio::test]
async fn odd_answers_are_errors_that_can_be_read() {
    let broken_off = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{\"Id\":".to_vec();
    assert!(matches!(list_error(broken_off).await, Error::BrokenOff { .. }));
    assert!(matches!(
        list_error(b"\x00\x01SSH-2.0-OpenSSH\r\n".to_vec()).await,
        Error::Garbled { .. }
    ));
    assert!(matches!(list_error(Vec::new()).await, Error::BrokenOff { .. }));
    assert!(matches!(list_error(json(200, "<html>")).await, Error::Garbled { .. }));
    assert!(matches!(list_error(json(200, "{}")).await, Error::Garbled { .. }));
    assert!(matches!(list_error(json(200, "")).await, Error::Garbled { .. }));
    let page = answer(500, "text/html", "<html><body>Internal Server Error</body></html>");
    let error = list_error(page).await;
    assert_eq!(
        error.reply().map(|reply| (reply.status, reply.message.as_str())),
        Some((500, "<html><body>Internal Server Error</body></html>"))
    );
    let error = list_error(json(500, "")).await;
    assert!(
        error.reply().is_some_and(|reply| reply.message.starts_with("500")),
        "{error:?}"
    );
}

#[tokio::test]
async fn every_request_is_in_the_negotiated_version() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(folder.path(), well_but(&[("/containers/json", json(200, "[]"))]));
    server.engine().containers(true).await.expect("an empty list");
    let asked = server.asked.borrow().clone();
    assert_eq!(
        asked.first().map(String::as_str),
        Some("/version"),
        "before that no version is known"
    );
    assert!(
        asked[1..].iter().all(|target| target.starts_with("/v1.41/")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn an_engine_that_is_too_old_or_none_at_all_is_told() {
    for (version, words) in [
        (json(200, r#"{"ApiVersion":"1.24"}"#), "1.24"),
        (
            json(200, r#"{"name":"something else"}"#),
            "not one of a Docker-compatible engine",
        ),
        (json(404, "nothing here"), "nothing here"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = Server::start(folder.path(), well_but(&[("/version", version)]));
        let error = server.engine().containers(true).await.expect_err("no engine");
        let said = format!(
            "{error} {:?}",
            std::error::Error::source(&error).map(ToString::to_string)
        );
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn an_odd_pull_ends_in_an_error() {
    for (body, is_known) in [
        (
            "{\"status\":\"Pulling\"}\n{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}\n",
            true,
        ),
        ("{\"status\":\"Pulling\"}\nnot json\n", false),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = Server::start(folder.path(), well_but(&[("/images/create", json(200, body))]));
        let engine = server.engine();
        let mut pull = pin!(engine.pull("python", None).await.expect("it begins"));
        pull.next().await.expect("a first line").expect("progress");
        match pull.next().await {
            Some(Err(Error::ImageNotFound { .. })) => assert!(is_known),
            Some(Err(Error::Garbled { .. })) => assert!(!is_known),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_log_that_is_cut_gives_what_came_and_then_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let frame = b"\x01\0\0\0\0\0\0\x03one\n\n\n"[..11].to_vec();
    cut.extend(format!("{:x}\r\n", frame.len()).into_bytes());
    cut.extend(frame);
    cut.extend(b"\r\nff\r\n\x01\0\0");
    let inspect = json(200, r#"{"Id":"web","Config":{"Tty":false}}"#);
    let server = Server::start(
        folder.path(),
        well_but(&[("/containers/web/json", inspect), ("/containers/web/logs", cut)]),
    );
    let engine = server.engine();
    let mut logs = Box::pin(engine.logs("web", 10, true).await.expect("it begins"));
    let chunk = logs.next().await.expect("what came").expect("lines");
    assert_eq!(
        chunk.lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(),
        ["one"]
    );
    assert!(matches!(logs.next().await, Some(Err(Error::BrokenOff { .. }))));
    assert!(logs.next().await.is_none());
}

#[tokio::test]
async fn an_engine_that_goes_and_comes_is_found_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::connect(Address::Local(folder.path().join("s.sock")));
    let mut link = engine.link();
    for _ in 0..3 {
        let reason = match &*link
            .wait_for(|link| matches!(link, Link::Away { .. }))
            .await
            .expect("a link")
        {
            Link::Away { reason } => reason.to_string(),
            Link::Connecting | Link::Connected { .. } => String::new(),
        };
        assert!(reason.contains("s.sock"), "{reason}");
        let error = engine.containers(true).await.expect_err("nobody is there");
        let Error::Away(reason) = &error else {
            panic!("{error:?}")
        };
        assert!(matches!(**reason, Error::Unreachable { .. }), "{error:?}");

        let mut changes = engine.changes();
        let server = Server::start(folder.path(), well_but(&[("/containers/json", json(200, "[]"))]));
        engine
            .containers(true)
            .await
            .expect("a call finds it without waiting for the pause");
        changes.recv().await.expect("everything is told to be old");
        drop(server);
        let _ = std::fs::remove_file(folder.path().join("s.sock"));
    }
}

#[tokio::test]
async fn an_engine_at_rest_is_left_alone_until_it_is_used_or_rests_no_more() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(
        folder.path(),
        well_but(&[("/containers/json", json(200, "[]")), ("/events", json(200, ""))]),
    );
    let engine = Engine::at_rest(Address::Local(server.socket.clone()));
    let mut link = engine.link();
    let at_rest = |link: &Link| matches!(link, Link::Away { reason } if matches!(**reason, Error::AtRest));
    assert!(at_rest(&link.borrow()));
    engine.containers(true).await.expect("a call makes the connection");
    let asked = server.asked.borrow().len();
    // Its events have ended, as they do when what is behind it falls asleep.
    link.wait_for(at_rest).await.expect("a link");
    assert_eq!(
        server.asked.borrow().len(),
        asked,
        "nothing but the call has asked for anything"
    );
    engine.rest(false);
    let connected = link.wait_for(|link| matches!(link, Link::Connected { .. })).await;
    connected.expect("a link");
}

#[tokio::test]
async fn names_that_would_leave_their_place_are_not_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(folder.path(), well_but(&[]));
    let engine = server.engine();
    assert!(matches!(
        engine.start("../images/json").await,
        Err(Error::BadName { .. })
    ));
    assert!(matches!(engine.image("a?b").await, Err(Error::BadName { .. })));
    let spec = RunSpec {
        image: "a b".into(),
        ..RunSpec::default()
    };
    assert!(matches!(engine.create(&spec).await, Err(Error::Invalid(_))));
    assert!(server.asked.borrow().iter().all(|target| !target.contains("images")));
}

#[tokio::test]
async fn a_pull_that_is_dropped_lets_the_engine_know() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let line = "{\"status\":\"Pulling\"}\n";
    let begun = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{line}\r\n",
        line.len()
    );
    let mut server = Server::start(folder.path(), well_but(&[("/images/create", begun.into_bytes())]));
    let engine = server.engine();
    let mut pull = Box::pin(engine.pull("python", None).await.expect("it begins"));
    pull.next().await.expect("a first line").expect("progress");
    drop(pull);
    assert_eq!(server.let_go.recv().await.as_deref(), Some("/images/create"));
}

/// Before an engine knows what the registry has, it says nothing at all.
#[tokio::test]
async fn a_pull_that_is_dropped_before_its_first_word_lets_the_engine_know() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = Server::start(folder.path(), well_but(&[("/images/create", Vec::new())]));
    let engine = server.engine();
    let mut asked = server.asked.subscribe();
    let asked = asked.wait_for(|asked| asked.iter().any(|target| target.contains("/images/create")));
    tokio::select! {
        pull = engine.pull("python", None) => panic!("it ended by itself: {:?}", pull.err()),
        asked = asked => drop(asked.expect("the server goes on")),
    }
    assert_eq!(server.let_go.recv().await.as_deref(), Some("/images/create"));
}
