//! The app's table over Tauri's IPC: one command for answers, four for streams.
#![expect(clippy::needless_pass_by_value, reason = "Tauri hands over values, not references")]

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};
use tauri::ipc::{Channel, InvokeResponseBody, Response};
use tauri::{State, Webview};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wherry_app::{App, Code, Inputs, Problem, Say};

/// How many items may travel in one message; producers already join small things into chunks.
const BATCH: usize = 64;

/// How many batches may be on their way before the page has read one: a slow page slows the container's log, not us.
const WINDOW: usize = 8;

#[tauri::command]
pub(crate) async fn call(app: State<'_, App>, name: String, params: Value) -> Result<Response, Problem> {
    // A command that panics would leave the page waiting for ever.
    let answer = AssertUnwindSafe(app.call(&name, params)).catch_unwind().await;
    answer.unwrap_or_else(|panic| Err(broken(&*panic))).map(Response::new)
}

/// Messages of a stream are: an array of items, `{"problem": …}` as the last one, or `null` as the last one.
#[tauri::command]
pub(crate) fn open(
    webview: Webview,
    app: State<'_, App>,
    streams: State<'_, Streams>,
    name: String,
    params: Value,
    channel: Channel,
) {
    let app = App::clone(&app);
    let (say, inputs) = Inputs::new();
    let stream = streams.begin(webview.label(), channel.id(), say);
    tauri::async_runtime::spawn(async move {
        let forward = AssertUnwindSafe(forward(&app, &name, params, inputs, &channel, &stream.credit)).catch_unwind();
        let Some(ended) = stream.end.run_until_cancelled(forward).await else {
            return;
        };
        let last = match ended.unwrap_or_else(|panic| Err(broken(&*panic))) {
            Ok(()) => Value::Null,
            Err(problem) => json!({ "problem": problem }),
        };
        send(&channel, last.to_string());
    });
}

/// The page has read a batch of the stream to its end.
#[tauri::command]
pub(crate) fn more(webview: Webview, streams: State<'_, Streams>, stream: u32) {
    streams.more(webview.label(), stream);
}

/// The page says something into the stream.
#[tauri::command]
pub(crate) fn say(webview: Webview, streams: State<'_, Streams>, stream: u32, inputs: Vec<Value>) {
    streams.say(webview.label(), stream, inputs);
}

#[tauri::command]
pub(crate) fn close(webview: Webview, streams: State<'_, Streams>, stream: u32) {
    streams.close(webview.label(), stream);
}

async fn forward(
    app: &App,
    name: &str,
    params: Value,
    inputs: Inputs,
    channel: &Channel,
    credit: &Semaphore,
) -> Result<(), Problem> {
    let mut batches = app.open(name, params, inputs).await?.ready_chunks(BATCH);
    loop {
        if let Ok(permit) = credit.acquire().await {
            permit.forget();
        }
        let Some(batch) = batches.next().await else {
            return Ok(());
        };
        let mut items = Vec::with_capacity(batch.len());
        let mut problem = None;
        for item in batch {
            match item {
                Ok(item) => items.push(item),
                Err(last) => problem = Some(last),
            }
        }
        if !items.is_empty() {
            send(channel, format!("[{}]", items.join(",")));
        }
        if let Some(problem) = problem {
            return Err(problem);
        }
    }
}

fn send(channel: &Channel, message: String) {
    if let Err(error) = channel.send(InvokeResponseBody::Json(message)) {
        // The page is gone, and with it the stream in a moment.
        tracing::debug!(%error, "nobody takes the stream's message");
    }
}

/// Streams that pages have open. They end with their page: a reload or a closed window does not say `close`.
#[derive(Clone, Default)]
pub(crate) struct Streams {
    /// Held for single look-ups only.
    open: Arc<Mutex<HashMap<(String, u32), Open>>>,
}

struct Open {
    end: CancellationToken,
    credit: Arc<Semaphore>,
    say: Say,
}

/// One open stream; dropping it takes it out of the list.
struct Stream {
    streams: Streams,
    key: (String, u32),
    end: CancellationToken,
    credit: Arc<Semaphore>,
}

impl Streams {
    fn begin(&self, page: &str, channel: u32, say: Say) -> Stream {
        let key = (page.to_owned(), channel);
        let end = CancellationToken::new();
        let credit = Arc::new(Semaphore::new(WINDOW));
        self.with(|open| {
            open.insert(
                key.clone(),
                Open {
                    end: end.clone(),
                    credit: credit.clone(),
                    say,
                },
            )
        });
        Stream {
            streams: self.clone(),
            key,
            end,
            credit,
        }
    }

    fn more(&self, page: &str, channel: u32) {
        self.with(|open| {
            if let Some(stream) = open.get(&(page.to_owned(), channel)) {
                stream.credit.add_permits(1);
            }
        });
    }

    fn say(&self, page: &str, channel: u32, inputs: Vec<Value>) {
        self.with(|open| {
            if let Some(stream) = open.get(&(page.to_owned(), channel)) {
                for input in inputs {
                    stream.say.say(input);
                }
            }
        });
    }

    fn close(&self, page: &str, channel: u32) {
        if let Some(stream) = self.with(|open| open.remove(&(page.to_owned(), channel))) {
            stream.end.cancel();
        }
    }

    /// Ends every stream of a page that goes away.
    pub(crate) fn close_all(&self, page: &str) {
        self.with(|open| {
            open.retain(|(of, _), stream| {
                let stays = of != page;
                if !stays {
                    stream.end.cancel();
                }
                stays
            });
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<(String, u32), Open>) -> T) -> T {
        change(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.with(|open| {
            // Unless a new page has a stream of the same number by now.
            if open
                .get(&self.key)
                .is_some_and(|stream| Arc::ptr_eq(&stream.credit, &self.credit))
            {
                open.remove(&self.key);
            }
        });
    }
}

/// The panic itself was reported where it happened.
fn broken(panic: &(dyn Any + Send)) -> Problem {
    let words = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref().cloned());
    Problem {
        code: Code::Panic,
        message: "Wherry made a mistake".to_owned(),
        hint: None,
        why: None,
        causes: words.into_iter().collect(),
        action: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(streams: &Streams, page: &str, channel: u32) -> Stream {
        streams.begin(page, channel, Inputs::new().0)
    }

    #[test]
    fn a_page_that_goes_away_takes_its_streams_and_no_others() {
        let streams = Streams::default();
        let first = begin(&streams, "main", 1);
        let second = begin(&streams, "main", 2);
        let other = begin(&streams, "other", 1);
        streams.close_all("main");
        assert!(first.end.is_cancelled() && second.end.is_cancelled());
        assert!(!other.end.is_cancelled());
    }

    #[test]
    fn a_stream_that_ended_is_forgotten() {
        let streams = Streams::default();
        drop(begin(&streams, "main", 1));
        assert!(streams.with(|open| open.is_empty()));
    }

    #[test]
    fn the_end_of_an_old_stream_leaves_a_new_one_of_the_same_number() {
        let streams = Streams::default();
        let old = begin(&streams, "main", 1);
        streams.close_all("main");
        let new = begin(&streams, "main", 1);
        drop(old);
        streams.more("main", 1);
        assert_eq!(
            new.credit.available_permits(),
            WINDOW + 1,
            "the new stream is still in the list"
        );
    }
}
