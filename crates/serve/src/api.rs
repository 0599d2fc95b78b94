//! A command is a request, a stream is a `WebSocket`.

use std::time::Duration;

use axum::Json;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use wherry_app::{Code, Inputs, Items, Problem, Say};

use crate::Serving;
use crate::guard::PROTOCOL;

/// How many items may travel in one message; producers already join small things into chunks.
const BATCH: usize = 64;

/// How many batches may be on their way before the page has read one: a slow page slows the container's log, not us.
const WINDOW: usize = 8;

/// How long an accepted WebSocket may take to say what it wants.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// How long a page may take to read that its stream has ended.
const LAST_WORD: Duration = Duration::from_secs(10);

/// 200 with the result, or 422 with the problem.
pub(crate) async fn call(State(serving): State<Serving>, Path(name): Path<String>, body: String) -> Response {
    let Ok(params) = serde_json::from_str::<Value>(&body) else {
        return refuse(&invalid(format!("The parameters of {name} are not JSON")));
    };
    // Its own task: a page that goes away does not cut a command in the middle, just as in the window.
    let answer = tokio::spawn(async move { serving.app.call(&name, params).await });
    match answer.await.unwrap_or_else(|_| Err(broken())) {
        Ok(result) => ([(header::CONTENT_TYPE, "application/json")], result).into_response(),
        Err(problem) => refuse(&problem),
    }
}

fn refuse(problem: &Problem) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(problem)).into_response()
}

/// The first message of a WebSocket.
#[derive(Deserialize)]
struct Request {
    name: String,
    #[serde(default)]
    params: Value,
}

pub(crate) async fn open(State(serving): State<Serving>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols([PROTOCOL]).on_upgrade(move |socket| {
        let streams = serving.streams.clone();
        streams.track_future(async move {
            let end = serving.end.clone();
            // Dropping the conversation drops the stream and the connection.
            end.run_until_cancelled(converse(serving, socket)).await;
        })
    })
}

async fn converse(serving: Serving, mut socket: WebSocket) {
    let Ok(Some(Ok(Message::Text(first)))) = tokio::time::timeout(FIRST_WORD, socket.recv()).await else {
        return;
    };
    let (say, inputs) = Inputs::new();
    let opened = match serde_json::from_str::<Request>(&first) {
        Ok(request) => serving.app.open(&request.name, request.params, inputs).await,
        Err(error) => Err(invalid(format!("The first message names no stream: {error}"))),
    };
    let last = match opened {
        Ok(items) => match forward(items, &say, &mut socket).await {
            Some(last) => last,
            None => return,
        },
        Err(problem) => ending(&problem),
    };
    // A page that is gone by now misses nothing.
    let _ = socket.send(Message::Text(last)).await;
    let _ = socket.send(Message::Close(None)).await;
    // What the page says until it has read that must be taken: a connection that is closed with something unread is
    // reset, and a browser whose next word fails throws away what it has not looked at. One that never closes is left.
    let rest = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _ = tokio::time::timeout(LAST_WORD, rest).await;
}

/// Messages of the page are a list of what it says into the stream, or a word: it has read a batch to its end.
///
/// Sends items as they come, and returns the last message when they end by themselves.
async fn forward(items: Items, say: &Say, socket: &mut WebSocket) -> Option<Utf8Bytes> {
    let mut batches = items.ready_chunks(BATCH);
    let mut window = WINDOW;
    loop {
        tokio::select! {
            batch = batches.next(), if window > 0 => {
                let Some(batch) = batch else { return Some(Utf8Bytes::from_static("null")) };
                let mut problem = None;
                let mut text = String::from("[");
                for item in batch {
                    match item {
                        Ok(item) => {
                            if text.len() > 1 {
                                text.push(',');
                            }
                            text.push_str(&item);
                        }
                        Err(last) => problem = Some(last),
                    }
                }
                if text.len() > 1 {
                    text.push(']');
                    socket.send(Message::Text(text.into())).await.ok()?;
                    window -= 1;
                }
                if let Some(problem) = problem {
                    return Some(ending(&problem));
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => match serde_json::from_str::<Vec<Value>>(&text) {
                    Ok(said) => said.into_iter().for_each(|input| say.say(input)),
                    Err(_) => window += 1,
                },
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            },
        }
    }
}

fn ending(problem: &Problem) -> Utf8Bytes {
    json!({ "problem": problem }).to_string().into()
}

fn invalid(message: String) -> Problem {
    Problem {
        code: Code::Invalid,
        message,
        hint: None,
        why: None,
        causes: Vec::new(),
        action: None,
    }
}

/// What the page is told of a command that panicked; the panic itself was reported where it happened.
fn broken() -> Problem {
    Problem {
        code: Code::Panic,
        message: "Wherry made a mistake".to_owned(),
        hint: None,
        why: None,
        causes: Vec::new(),
        action: None,
    }
}
