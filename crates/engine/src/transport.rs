//! How a request reaches the engine: one connection per request, as the docker command does it.
//!
//! bollard's own client is not used. In 0.21 it drops the negotiated version from every path, encodes the registry
//! credentials in the wrong alphabet, fails a whole list for one word it does not know, reads disk usage in the form
//! of API 1.52 only, and collects a log line of any length in memory. Its types for requests are used.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, UPGRADE, USER_AGENT};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{Reply, Subject};
use crate::{Address, Error};

mod straight;
#[cfg(unix)]
#[path = "transport/unix.rs"]
pub(crate) mod system;
#[cfg(windows)]
#[path = "transport/windows.rs"]
pub(crate) mod system;

pub(crate) use straight::Straight;

/// A local engine takes a connection at once or not at all; one over TCP may be far away.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a call may take whose work is only to look something up. A busy engine with a slow disk needs seconds.
pub(crate) const LOOK_UP: Duration = Duration::from_secs(30);

/// How long a call may take that changes something: a stop waits for the container's program first.
pub(crate) const CHANGE: Duration = Duration::from_mins(3);

/// More than this of one answer is not an inventory: 10 000 containers are 20 MB.
const LARGEST_ANSWER: usize = 256 << 20;

/// More than this of an error is not for people.
const LONGEST_MESSAGE: usize = 4 << 10;

/// Speaks HTTP with one engine, in one version of its API.
#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
    /// `None` before it is negotiated: then the engine takes its own newest.
    version: Option<ApiVersion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiVersion {
    pub(crate) major: u16,
    pub(crate) minor: u16,
}

impl ApiVersion {
    pub(crate) fn parse(text: &str) -> Option<ApiVersion> {
        let (major, minor) = text.split_once('.')?;
        Some(ApiVersion {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What a call brings along.
enum Content {
    Nothing,
    Json(Result<Bytes, serde_json::Error>),
    /// A tar of any length. The engine may take as long as it likes, while it takes something.
    Tar {
        body: Body,
        taken: watch::Receiver<Instant>,
    },
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A call that has not been made yet.
pub(crate) struct Call<'a> {
    method: Method,
    path: String,
    query: String,
    content: Content,
    registry_auth: Option<String>,
    /// The connection is to carry bytes both ways after the answer.
    upgrade: bool,
    subject: Subject<'a>,
    /// "list the containers", for the sentence when it takes too long.
    doing: &'static str,
    within: Duration,
}

impl<'a> Call<'a> {
    fn new(
        method: Method,
        path: impl Into<String>,
        subject: Subject<'a>,
        doing: &'static str,
        within: Duration,
    ) -> Self {
        Call {
            method,
            path: path.into(),
            query: String::new(),
            content: Content::Nothing,
            registry_auth: None,
            upgrade: false,
            subject,
            doing,
            within,
        }
    }

    pub(crate) fn get(path: impl Into<String>, subject: Subject<'a>, doing: &'static str) -> Self {
        Call::new(Method::GET, path, subject, doing, LOOK_UP)
    }

    pub(crate) fn head(path: impl Into<String>, subject: Subject<'a>, doing: &'static str) -> Self {
        Call::new(Method::HEAD, path, subject, doing, LOOK_UP)
    }

    pub(crate) fn post(path: impl Into<String>, subject: Subject<'a>, doing: &'static str) -> Self {
        Call::new(Method::POST, path, subject, doing, CHANGE)
    }

    pub(crate) fn put(path: impl Into<String>, subject: Subject<'a>, doing: &'static str) -> Self {
        Call::new(Method::PUT, path, subject, doing, CHANGE)
    }

    pub(crate) fn delete(path: impl Into<String>, subject: Subject<'a>, doing: &'static str) -> Self {
        Call::new(Method::DELETE, path, subject, doing, CHANGE)
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        let mut query = form_urlencoded::Serializer::new(self.query);
        self.query = query.append_pair(name, value).finish();
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        self.content = Content::Json(serde_json::to_vec(body).map(Bytes::from));
        self
    }

    /// The bound of the call then counts from the last piece that the engine took.
    pub(crate) fn tar(mut self, pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        let (told, taken) = watch::channel(Instant::now());
        let frames = pieces.map(move |piece| {
            told.send_replace(Instant::now());
            piece.map(Frame::data)
        });
        self.content = Content::Tar {
            body: UnsyncBoxBody::new(StreamBody::new(frames)),
            taken,
        };
        self
    }

    pub(crate) fn registry_auth(mut self, value: Option<String>) -> Self {
        self.registry_auth = value;
        self
    }

    pub(crate) fn within(mut self, bound: Duration) -> Self {
        self.within = bound;
        self
    }
}

impl Client {
    pub(crate) fn new(address: Address) -> Client {
        Client { address, version: None }
    }

    pub(crate) fn with_version(mut self, version: ApiVersion) -> Client {
        self.version = Some(version);
        self
    }

    /// The answer, once its head is here and says success. Dropping the body closes the connection, which is how
    /// the engine learns that a log or a pull is not wanted any more.
    pub(crate) async fn open(&self, call: Call<'_>) -> Result<Response<Incoming>, Error> {
        let (subject, doing, within) = (call.subject, call.doing, call.within);
        let taken = match &call.content {
            Content::Tar { taken, .. } => Some(taken.clone()),
            Content::Nothing | Content::Json(_) => None,
        };
        let response = tokio::select! {
            response = self.send(call) => response?,
            () = silent(taken, within) => return Err(Error::Silent { doing, after: within }),
        };
        let status = response.status();
        // 304: started or stopped already, which is what was wanted. 101 comes only to those who asked for it.
        if status.is_success()
            || [hyper::StatusCode::NOT_MODIFIED, hyper::StatusCode::SWITCHING_PROTOCOLS].contains(&status)
        {
            return Ok(response);
        }
        let body = tokio::time::timeout(within, collect(response.into_body()))
            .await
            .map_err(|_| Error::Silent { doing, after: within })??;
        Err(Error::from_reply(
            subject,
            Reply {
                status: status.as_u16(),
                message: words(&body, status),
            },
        ))
    }

    pub(crate) async fn value<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Error> {
        let (doing, within) = (call.doing, call.within);
        let body = self.bytes(call, doing, within).await?;
        serde_json::from_slice(&body).map_err(|source| Error::Garbled { source: source.into() })
    }

    /// For calls whose answer says nothing. It is read to its end, for some engines work until then.
    pub(crate) async fn done(&self, call: Call<'_>) -> Result<(), Error> {
        let (doing, within) = (call.doing, call.within);
        self.bytes(call, doing, within).await.map(drop)
    }

    /// The connection itself, once the engine has agreed to carry bytes both ways.
    pub(crate) async fn upgrade(&self, mut call: Call<'_>) -> Result<TokioIo<Upgraded>, Error> {
        call.upgrade = true;
        let response = self.open(call).await?;
        let upgraded = hyper::upgrade::on(response).await;
        Ok(TokioIo::new(
            upgraded.map_err(|source| Error::BrokenOff { source: source.into() })?,
        ))
    }

    async fn bytes(&self, call: Call<'_>, doing: &'static str, within: Duration) -> Result<Bytes, Error> {
        // What is sent at length is bounded by how it goes on; the answer's own text is short.
        let answer = self.open(call).await?;
        tokio::time::timeout(within, collect(answer.into_body()))
            .await
            .map_err(|_| Error::Silent { doing, after: within })?
    }

    async fn send(&self, call: Call<'_>) -> Result<Response<Incoming>, Error> {
        let request = self.request(call)?;
        let wire = self.wire().await?;
        let (mut sender, connection) = http1::handshake::<_, Body>(TokioIo::new(wire))
            .await
            .map_err(|source| Error::BrokenOff { source: source.into() })?;
        tokio::spawn(async move {
            // Whoever reads the answer is told of its errors there.
            if let Err(error) = connection.with_upgrades().await {
                tracing::trace!(%error, "a connection to the engine ended");
            }
        });
        sender.send_request(request).await.map_err(|source| {
            if source.is_parse() {
                Error::Garbled { source: source.into() }
            } else {
                Error::BrokenOff { source: source.into() }
            }
        })
    }

    fn request(&self, call: Call<'_>) -> Result<Request<Body>, Error> {
        let garbled = |source: Box<dyn std::error::Error + Send + Sync>| Error::Garbled { source };
        let mut path = match self.version {
            Some(version) => format!("/v{version}{}", call.path),
            None => call.path,
        };
        if !call.query.is_empty() {
            path.push('?');
            path.push_str(&call.query);
        }
        let host = match &self.address {
            Address::Local(_) => "localhost",
            Address::Tcp(host) => host,
        };
        let mut request = Request::builder()
            .method(call.method)
            .uri(path)
            .header(HOST, host)
            .header(USER_AGENT, concat!("Wherry/", env!("CARGO_PKG_VERSION")));
        let whole = |bytes: Bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
        let body = match call.content {
            Content::Nothing => whole(Bytes::new()),
            Content::Json(text) => {
                request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                whole(text.map_err(|error| garbled(error.into()))?)
            }
            Content::Tar { body, .. } => {
                request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
                body
            }
        };
        if call.upgrade {
            request = request
                .header(CONNECTION, HeaderValue::from_static("Upgrade"))
                .header(UPGRADE, HeaderValue::from_static("tcp"));
        }
        if let Some(auth) = call.registry_auth {
            request = request.header("X-Registry-Auth", auth);
        }
        request.body(body).map_err(|error| garbled(error.into()))
    }

    async fn wire(&self) -> Result<Box<dyn Wire>, Error> {
        tokio::time::timeout(CONNECT, self.connect())
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|source| Error::Unreachable {
                address: self.address.to_string(),
                source,
            })
    }

    async fn connect(&self) -> io::Result<Box<dyn Wire>> {
        match &self.address {
            Address::Local(path) => Ok(Box::new(system::connect(path).await?)),
            Address::Tcp(host) => Ok(Box::new(tokio::net::TcpStream::connect(host.as_str()).await?)),
        }
    }
}

/// Returns when nothing has happened for that long: since now, or since the last piece was taken.
async fn silent(taken: Option<watch::Receiver<Instant>>, within: Duration) {
    let Some(taken) = taken else {
        return tokio::time::sleep(within).await;
    };
    loop {
        let until = *taken.borrow() + within;
        tokio::time::sleep_until(until).await;
        if *taken.borrow() + within <= until {
            return;
        }
    }
}

async fn collect(body: Incoming) -> Result<Bytes, Error> {
    match Limited::new(body, LARGEST_ANSWER).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(source) => Error::BrokenOff { source },
            Err(source) => Error::Garbled { source },
        }),
    }
}

/// What an error's body says: `{"message": "…"}`, Podman's `{"cause": …, "message": …}`, or whatever a proxy wrote.
fn words(body: &[u8], status: hyper::StatusCode) -> String {
    #[derive(serde::Deserialize)]
    struct Message {
        message: String,
    }
    let text = match serde_json::from_slice::<Message>(body) {
        Ok(Message { message }) => message,
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    if text.is_empty() {
        return status.to_string();
    }
    text.chars().take(LONGEST_MESSAGE).collect()
}
