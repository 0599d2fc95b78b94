//! Through the front door: a real app in a home of its own, asked over HTTP and WebSocket.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::{Client, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;
use wherry_app::App;
use wherry_app::Home;
use wherry_serve::Server;

const SOON: Duration = Duration::from_secs(10);

struct Served {
    /// `127.0.0.1:port`
    address: String,
    token: String,
    end: CancellationToken,
    running: JoinHandle<std::io::Result<()>>,
    _folder: TempDir,
}

impl Served {
    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn served() -> Served {
    let folder = tempfile::tempdir().expect("a folder");
    let ui = folder.path().join("ui");
    fs_err::create_dir_all(ui.join("assets")).expect("a folder");
    fs_err::write(ui.join("index.html"), "<!doctype html><title>Wherry</title>").expect("a file");
    fs_err::write(ui.join("assets/main.js"), "export {};").expect("a file");
    let home = Home::at(folder.path().join("home"));
    fs_err::create_dir_all(home.root()).expect("a folder");
    let app = App::new(home, folder.path().join("wherry")).expect("an app");
    let server = Server::bind(app, 0, ui).await.expect("an address");
    let url = server.url();
    let (address, token) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once("/?token="))
        .expect("an address with a token");
    let end = CancellationToken::new();
    Served {
        address: address.to_owned(),
        token: token.to_owned(),
        end: end.clone(),
        running: tokio::spawn(server.run(end)),
        _folder: folder,
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn open(served: &Served, token: &str) -> Result<Socket, Error> {
    let mut request = format!("ws://{}/api/open", served.address).into_client_request()?;
    let protocols = format!("wherry, {token}").parse().expect("a header");
    request.headers_mut().insert("sec-websocket-protocol", protocols);
    tokio_tungstenite::connect_async(request)
        .await
        .map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Option<Message> {
    tokio::time::timeout(SOON, socket.next())
        .await
        .expect("an answer in time")
        .and_then(Result::ok)
}

#[tokio::test]
async fn without_the_token_nothing_is_done() {
    let served = served().await;
    let client = Client::new();
    let call = served.at("/api/call/app.about");
    let none = client.post(&call).body("null").send().await.expect("an answer");
    assert_eq!(none.status(), StatusCode::UNAUTHORIZED);
    let wrong = client
        .post(&call)
        .bearer_auth("0".repeat(64))
        .body("null")
        .send()
        .await
        .expect("an answer");
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let half = client
        .post(&call)
        .bearer_auth(&served.token[..32])
        .body("null")
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        half.status(),
        StatusCode::UNAUTHORIZED,
        "a beginning of the token is not the token"
    );
    let Err(Error::Http(refused)) = open(&served, "wrong").await else {
        panic!("a stream without the token was opened");
    };
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn another_name_or_another_sites_page_is_refused() {
    let served = served().await;
    let client = Client::new();
    let ask = |name: header::HeaderName, value: &str| {
        client
            .post(served.at("/api/call/app.about"))
            .bearer_auth(&served.token)
            .header(name, value)
            .body("null")
            .send()
    };
    let rebound = ask(header::HOST, "evil.example").await.expect("an answer");
    assert_eq!(
        rebound.status(),
        StatusCode::FORBIDDEN,
        "a name made to point here must not reach us"
    );
    let foreign = ask(header::ORIGIN, "http://evil.example").await.expect("an answer");
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    let sandboxed = ask(header::ORIGIN, "null").await.expect("an answer");
    assert_eq!(sandboxed.status(), StatusCode::FORBIDDEN);
    let own = ask(header::ORIGIN, &served.at("")).await.expect("an answer");
    assert_eq!(own.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_command_answers_with_its_result_or_its_problem() {
    let served = served().await;
    let client = Client::new();
    let call = async |name: &str, body: &'static str| {
        let path = served.at(&format!("/api/call/{name}"));
        let response = client
            .post(path)
            .bearer_auth(&served.token)
            .body(body)
            .send()
            .await
            .expect("an answer");
        let status = response.status();
        (status, response.json::<Value>().await.expect("JSON"))
    };
    let (status, about) = call("app.about", "null").await;
    assert_eq!(status, StatusCode::OK);
    assert!(about["version"].is_string());
    let (status, problem) = call("app.nonsense", "null").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "invalid");
    let (status, problem) = call("app.about", "{").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "invalid");
}

#[tokio::test]
async fn the_page_has_its_types_and_its_policy() {
    let served = served().await;
    let get = async |path: &str| reqwest::get(served.at(path)).await.expect("an answer");

    let page = get("/").await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(
        policy.contains("script-src 'self'"),
        "the window's policy holds here too: {policy}"
    );
    let script = get("/assets/main.js").await;
    assert_eq!(script.headers()[header::CONTENT_TYPE], "text/javascript");
    let deep = get("/containers/web").await;
    assert!(deep.text().await.expect("text").contains("<title>Wherry</title>"));
    let missing = get("/assets/old.js").await;
    assert_eq!(
        missing.status(),
        StatusCode::NOT_FOUND,
        "a missing script must not be answered with the page"
    );
    let outside = get("/..%2f..%2fetc/passwd").await;
    assert!(!outside.text().await.expect("text").contains("root:"));
}

/// A stream that was asked for by a name that there is not.
async fn nonsense(served: &Served) -> Socket {
    let mut socket = open(served, &served.token).await.expect("a stream");
    let request = json!({ "name": "app.nonsense", "params": null });
    socket.send(Message::text(request.to_string())).await.expect("sent");
    socket
}

#[tokio::test]
async fn a_stream_that_does_not_exist_ends_with_its_problem() {
    let served = served().await;
    let mut socket = nonsense(&served).await;
    let Some(Message::Text(last)) = next(&mut socket).await else {
        panic!("no message")
    };
    let last: Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!(last["problem"]["code"], "invalid");
    assert!(matches!(next(&mut socket).await, Some(Message::Close(_))));
}

#[tokio::test]
async fn who_still_talks_when_a_stream_ends_hears_its_end() {
    let served = served().await;
    let mut socket = nonsense(&served).await;
    assert!(matches!(next(&mut socket).await, Some(Message::Text(_))));
    for _ in 0..1000 {
        socket.send(Message::text("more")).await.expect("somebody listens");
    }
    assert!(matches!(next(&mut socket).await, Some(Message::Close(_))));
    assert!(next(&mut socket).await.is_none());
}

#[tokio::test]
async fn a_stream_ends_when_either_side_lets_go() {
    let served = served().await;
    let mut ours = open(&served, &served.token).await.expect("a stream");
    let mut theirs = open(&served, &served.token).await.expect("a stream");
    let request = json!({ "name": "app.events", "params": null });
    for socket in [&mut ours, &mut theirs] {
        socket.send(Message::text(request.to_string())).await.expect("sent");
    }

    ours.close(None).await.expect("closed");
    while next(&mut ours).await.is_some() {}

    served.end.cancel();
    while next(&mut theirs).await.is_some() {}
    tokio::time::timeout(SOON, served.running)
        .await
        .expect("an end in time")
        .expect("no panic")
        .expect("no error");
}
