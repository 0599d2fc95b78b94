//! Says no to a container that asks for a folder that the machine does not have, with the sentence that helps.
//!
//! The engine by itself would make an empty folder in the machine, and the person would look for their files in vain.
//! It asks here before each request, as its authorization plugin (docs.docker.com, "Access authorization plugin"); all
//! but the making of a container is let through unread.

use std::{
    convert::Infallible,
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use base64::Engine as _;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use wherry_link::Folder;

use super::{Guest, log::say, share::Shares};

/// By this name dockerd's settings call it, and where it looks for one of that name.
pub(super) const NAME: &str = "wherry";
const SOCKET: &str = "/run/docker/plugins/wherry.sock";

#[derive(Debug, thiserror::Error)]
#[error("Could not listen at {SOCKET}")]
pub(super) struct Error(#[from] io::Error);

/// What the engine says of a request. Its body is left out when it is not JSON or longer than a megabyte.
#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(rename = "RequestMethod")]
    method: String,
    #[serde(rename = "RequestUri", alias = "RequestURI")]
    uri: String,
    #[serde(rename = "RequestBody")]
    body: Option<String>,
}

pub(super) fn listen(guest: &Arc<Guest>) -> Result<(), Error> {
    if let Some(folder) = Path::new(SOCKET).parent() {
        fs_err::create_dir_all(folder)?;
    }
    let listener = UnixListener::bind(SOCKET)?;
    let guest = Arc::clone(guest);
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((engine, _)) => {
                    let guest = Arc::clone(&guest);
                    tokio::spawn(async move { serve(engine, |path| guest.shares.has(path), Shares::can_be()).await });
                }
                Err(error) => {
                    say!("{SOCKET}: {error}");
                    // No descriptors left: that does not change at once.
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(())
}

async fn serve(engine: UnixStream, shared: impl Fn(&Path) -> bool, can_share: bool) {
    let answer = service_fn(|request| answer(&shared, can_share, request));
    // An engine that leaves in the middle of a request wants no answer.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(engine), answer)
        .await;
}

async fn answer(
    shared: impl Fn(&Path) -> bool,
    can_share: bool,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (asked, body) = request.into_parts();
    // Read in any case: a connection whose request was answered before its end is closed, and the engine, which says
    // here all that it answers, tries again only after a second.
    let body = body.collect().await;
    let answer = match asked.uri.path() {
        "/Plugin.Activate" => json!({ "Implements": ["authz"] }),
        "/AuthZPlugin.AuthZReq" => match body {
            Ok(body) => match refusal(&body.to_bytes(), shared, can_share) {
                Some(message) => json!({ "Allow": false, "Msg": message }),
                None => json!({ "Allow": true }),
            },
            Err(_) => json!({ "Allow": true }),
        },
        _ => json!({ "Allow": true }),
    };
    Ok(Response::new(Full::new(Bytes::from(answer.to_string()))))
}

/// Why the container cannot be made. What is not understood is the engine's to judge.
fn refusal(asked: &[u8], shared: impl Fn(&Path) -> bool, can_share: bool) -> Option<String> {
    let asked: Asked = serde_json::from_slice(asked).ok()?;
    let path = asked.uri.split('?').next().unwrap_or_default();
    if asked.method != "POST" || !path.ends_with("/containers/create") {
        return None;
    }
    let body = base64::engine::general_purpose::STANDARD.decode(asked.body?).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    let missing = sources(&body["HostConfig"]).find(|source| !shared(source) && !is_machines(source))?;
    let has_place = Folder::has_place_at(&missing);
    let missing = missing.display();
    Some(if has_place && can_share {
        format!(
            "{missing} is not shared with the machine. Share it in Settings > File sharing, or with: wherry share add \
             {missing}"
        )
    } else if has_place {
        format!(
            "{missing} is not in the machine, which was started without any folder of this computer's. \
             Why, says: wherry status"
        )
    } else {
        format!(
            "{missing} is not in the machine, which has its own system there and can be given nothing of this computer's. \
             Copy what the container needs to a folder of your own, and give it that one."
        )
    })
}

/// The folders and files that a container is to have of the host.
fn sources(host: &Value) -> impl Iterator<Item = PathBuf> {
    let list = |name: &str| host[name].as_array().cloned().unwrap_or_default().into_iter();
    let binds = list("Binds").filter_map(|bind| Some(bind.as_str()?.split(':').next()?.to_owned()));
    let mounts = list("Mounts")
        .filter(|mount| mount["Type"] == "bind")
        .filter_map(|mount| Some(mount["Source"].as_str()?.to_owned()));
    // A name without a slash is a volume's.
    binds
        .chain(mounts)
        .filter(|source| source.starts_with('/'))
        .map(|source| plain(Path::new(&source)))
}

/// The path without dots, as the engine will understand it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                plain.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

/// Something of the machine's own system, which containers are given to look after it: the engine's socket, `/proc`.
fn is_machines(path: &Path) -> bool {
    !Folder::has_place_at(path) && path.exists()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

    use super::*;

    fn asked(uri: &str, host: &Value) -> Vec<u8> {
        let body = json!({ "Image": "busybox", "HostConfig": host }).to_string();
        json!({
            "User": "",
            "RequestMethod": "POST",
            "RequestUri": uri,
            "RequestBody": base64::engine::general_purpose::STANDARD.encode(body),
            "RequestHeaders": { "Content-Type": "application/json" },
        })
        .to_string()
        .into_bytes()
    }

    fn made_with(host: &Value) -> Option<String> {
        let shared = |path: &Path| path.starts_with("/home/ada");
        refusal(&asked("/v1.45/containers/create?name=web", host), shared, true)
    }

    #[test]
    fn where_nothing_can_be_shared_nobody_is_told_to() {
        let asked = asked("/v1.45/containers/create", &json!({ "Binds": ["/srv/www:/www"] }));
        let why = refusal(&asked, |_| false, false).expect("refused");
        assert!(why.starts_with("/srv/www is not in the machine"), "{why}");
        assert!(!why.contains("wherry share"), "{why}");
    }

    #[test]
    fn a_folder_that_is_not_shared_is_named_with_the_way_to_share_it() {
        let elsewhere = made_with(&json!({ "Binds": ["/home/ada/app:/app", "/srv/www:/www:ro"] }));
        assert_eq!(
            elsewhere.as_deref(),
            Some(
                "/srv/www is not shared with the machine. Share it in Settings > File sharing, or with: wherry share add \
                 /srv/www"
            )
        );
        let mounts = json!([
            { "Type": "volume", "Source": "data" },
            { "Type": "bind", "Source": "/home/ada/../bob", "Target": "/b" },
        ]);
        assert!(made_with(&json!({ "Mounts": mounts })).is_some_and(|why| why.starts_with("/home/bob is not")));
    }

    #[test]
    fn what_cannot_be_shared_is_not_told_to_be() {
        let why = made_with(&json!({ "Binds": ["/etc/no-such-file:/x"] })).expect("refused");
        assert!(why.starts_with("/etc/no-such-file is not in the machine"), "{why}");
        assert!(!why.contains("wherry share"), "{why}");
    }

    #[test]
    fn what_is_shared_or_the_machines_own_or_a_volume_is_let_through() {
        for binds in [
            json!(["/home/ada:/app", "/home/ada/not/there/yet:/new"]),
            json!(["data:/data", "/proc:/host/proc:ro", "/:/host", "/etc:/etc/host"]),
            json!([]),
            Value::Null,
        ] {
            assert_eq!(made_with(&json!({ "Binds": binds })), None, "{binds}");
        }
    }

    #[tokio::test]
    async fn a_long_answer_of_the_engine_is_heard_to_its_end_and_the_next_goes_the_same_way() -> io::Result<()> {
        let (engine, plugin) = UnixStream::pair()?;
        let serving = tokio::spawn(serve(plugin, |_| true, true));
        let mut engine = BufReader::new(engine);
        for request in 1..=2 {
            let long = "x".repeat(4 << 20);
            let head = format!(
                "POST /AuthZPlugin.AuthZRes HTTP/1.1\r\nhost: plugin\r\ncontent-length: {}\r\n\r\n",
                long.len()
            );
            engine.write_all(head.as_bytes()).await?;
            engine.write_all(long.as_bytes()).await?;
            let mut line = String::new();
            engine.read_line(&mut line).await?;
            assert_eq!(line.trim(), "HTTP/1.1 200 OK", "request {request}");
            let mut length = 0;
            loop {
                line.clear();
                engine.read_line(&mut line).await?;
                match line.trim().split_once(": ") {
                    Some(("content-length", value)) => length = value.parse().expect("a number"),
                    Some(_) => {}
                    None => break,
                }
            }
            let mut body = vec![0; length];
            engine.read_exact(&mut body).await?;
            assert_eq!(String::from_utf8_lossy(&body), r#"{"Allow":true}"#);
        }
        drop(engine);
        serving.await?;
        Ok(())
    }

    #[test]
    fn other_requests_and_what_is_not_understood_are_the_engines_to_judge() {
        let host = json!({ "Binds": ["/srv/www:/www"] });
        assert_eq!(
            refusal(&asked("/v1.45/containers/abc/start", &host), |_| false, true),
            None
        );
        assert_eq!(refusal(b"{}", |_| false, true), None);
        assert_eq!(refusal(b"nonsense", |_| false, true), None);
        let without_body = br#"{"RequestMethod":"POST","RequestUri":"/containers/create"}"#;
        assert_eq!(refusal(without_body, |_| false, true), None);
    }
}
