//! Requests to the engine.

use http_body_util::Empty;
use hyper::{Method, Request, Response, body::Bytes, body::Incoming, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;

use super::engine;

/// The containers that run, the newest first.
pub(super) const RUNNING: &str = "/containers/json";

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the engine did not answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("the engine's answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("the engine could not be asked: {0}")]
    Request(#[from] hyper::http::Error),
}

/// Waits until the engine listens.
pub(super) async fn ask(method: Method, path: &str) -> Result<Response<Incoming>, Error> {
    let engine = engine::answering(engine::SOCKET).await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(engine)).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "engine")
        .body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?)
}
