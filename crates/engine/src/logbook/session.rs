//! One log that is looked at: takes in lines, answers wishes, tells what has changed. It has a thread of its own: it
//! reads and writes files and searches through gigabytes.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::plain::plain;
use super::store::{Store, Stored};
use super::view::View;
use super::{LogNews, LogOpen, LogState, LogWish};
use crate::logs::LogSpan;
use crate::{Engine, Error, LogChunk, LogLine};

/// How long changes are collected before the page is told.
const TELL: Duration = Duration::from_millis(50);

/// One that has been silent for this long has told all that it had: the others need not wait for it.
const SILENT: Duration = Duration::from_millis(150);

/// How many lines of one container wait for those of others, at most.
const WAITING: usize = 20_000;

/// How much is given out as text.
const TEXT: usize = 1 << 20;

/// What may be on its way to a slow page.
const BACKLOG: usize = 8;

/// No page draws more lines at once.
const WINDOW: u32 = 500;

impl Engine {
    /// Opens a log to be looked at. Dropping the stream closes it and forgets its lines.
    pub async fn log(
        &self,
        open: LogOpen,
        wishes: BoxStream<'static, LogWish>,
    ) -> Result<impl Stream<Item = Result<LogNews, Error>> + Send + use<>, Error> {
        let lines = self.merged(&open, open.until.is_none()).await?;
        let (news, receiver) = mpsc::channel(BACKLOG);
        let runtime = Handle::current();
        let session = Session {
            store: Store::new(),
            view: View::default(),
            window: None,
            told: None,
            ended: false,
            read: false,
            changed: true,
            news,
        };
        tokio::task::spawn_blocking(move || runtime.block_on(session.run(lines, wishes)));
        Ok(futures::stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        }))
    }

    /// Every line as text with its time, for a file.
    pub async fn log_text(
        &self,
        open: &LogOpen,
        names: Vec<String>,
    ) -> Result<impl Stream<Item = Result<String, Error>> + Send + use<>, Error> {
        let lines = self.merged(open, false).await?;
        Ok(lines.map(move |lines| lines.map(|lines| as_text(&lines, &names))))
    }

    /// The lines of all of them in the order of their times.
    async fn merged(
        &self,
        open: &LogOpen,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<Vec<Stored>, Error>>, Error> {
        let span = LogSpan {
            tail: open.tail,
            since: open.since,
            until: open.until,
            follow,
        };
        let mut streams = SelectAll::new();
        for (of, id) in (0_u16..).zip(&open.ids) {
            let chunks = self.logs_of(id, &span).await?;
            let ended = futures::stream::once(std::future::ready((of, None)));
            streams.push(chunks.map(move |chunk| (of, Some(chunk))).chain(ended).boxed());
        }
        let merge = Merge {
            streams,
            queues: open.ids.iter().map(|_| Queue::default()).collect(),
            broken: None,
        };
        Ok(futures::stream::unfold(merge, |mut merge| async move { Some((merge.next().await?, merge)) }).boxed())
    }
}

fn as_text(lines: &[Stored], names: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        if let Some(at) = line.millis.and_then(|at| jiff::Timestamp::from_millisecond(at).ok()) {
            let _ = write!(text, "{at:.3} ");
        }
        if let Some(name) = names.get(usize::from(line.of)).filter(|_| names.len() > 1) {
            let _ = write!(text, "{name} | ");
        }
        text.push_str(&plain(&line.text));
        text.push('\n');
    }
    text
}

type Tagged = (u16, Option<Result<LogChunk, Error>>);

struct Merge {
    streams: SelectAll<BoxStream<'static, Tagged>>,
    queues: Vec<Queue>,
    /// Told after everything that came before it.
    broken: Option<Error>,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<LogLine>,
    ended: bool,
}

impl Merge {
    async fn next(&mut self) -> Option<Result<Vec<Stored>, Error>> {
        loop {
            let waits = self.queues.iter().any(|queue| !queue.lines.is_empty());
            let came = if waits {
                tokio::time::timeout(SILENT, self.streams.next()).await
            } else {
                Ok(self.streams.next().await)
            };
            let silent = match came {
                Ok(Some((of, Some(Ok(chunk))))) => {
                    self.queues[usize::from(of)].lines.extend(chunk.lines);
                    false
                }
                Ok(Some((of, Some(Err(error))))) => {
                    self.queues[usize::from(of)].ended = true;
                    self.broken = Some(error);
                    false
                }
                Ok(Some((of, None))) => {
                    self.queues[usize::from(of)].ended = true;
                    false
                }
                Ok(None) | Err(_) => true,
            };
            let lines = self.ready(silent);
            if !lines.is_empty() {
                return Some(Ok(lines));
            }
            if self.queues.iter().all(|queue| queue.ended && queue.lines.is_empty()) {
                return self.broken.take().map(Err);
            }
        }
    }

    /// What no earlier line can come before: of a queue that is empty nobody knows what comes next, unless it is silent.
    fn ready(&mut self, silent: bool) -> Vec<Stored> {
        let mut ready = Vec::new();
        loop {
            let full = self.queues.iter().any(|queue| queue.lines.len() > WAITING);
            let unknown = self.queues.iter().any(|queue| queue.lines.is_empty() && !queue.ended);
            if unknown && !silent && !full {
                return ready;
            }
            let first = (0_u16..)
                .zip(&self.queues)
                .filter_map(|(of, queue)| Some((queue.lines.front()?.millis, of)))
                .min();
            let Some((_, of)) = first else { return ready };
            if let Some(line) = self.queues[usize::from(of)].lines.pop_front() {
                ready.push(Stored {
                    of,
                    source: line.source,
                    millis: line.millis,
                    text: line.text,
                });
            }
        }
    }
}

struct Session {
    store: Store,
    view: View,
    /// What the page draws: from where (`None`: the end) and how many.
    window: Option<(Option<u64>, u32)>,
    told: Option<LogState>,
    ended: bool,
    read: bool,
    /// Since the page was told last.
    changed: bool,
    news: mpsc::Sender<Result<LogNews, Error>>,
}

/// The page has gone.
struct Gone;

impl Session {
    async fn run(
        mut self,
        mut lines: BoxStream<'static, Result<Vec<Stored>, Error>>,
        mut wishes: BoxStream<'static, LogWish>,
    ) {
        let mut due = Instant::now();
        loop {
            let behind = self.view.is_behind(&self.store);
            tokio::select! {
                biased;
                () = self.news.closed() => return,
                wish = wishes.next() => {
                    let Some(wish) = wish else { return };
                    if self.grant(wish).await.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep_until(due), if self.changed => {
                    if self.tell().await.is_err() {
                        return;
                    }
                    due = Instant::now() + TELL;
                }
                () = std::future::ready(()), if behind => {
                    if let Err(source) = self.view.look(&mut self.store) {
                        return self.fail(source).await;
                    }
                    self.changed = true;
                }
                came = lines.next(), if !self.ended => {
                    self.read = true;
                    self.changed = true;
                    match came {
                        Some(Ok(came)) => {
                            for line in &came {
                                if let Err(source) = self.store.add(line) {
                                    return self.fail(source).await;
                                }
                            }
                        }
                        Some(Err(error)) => {
                            let _ = self.tell().await;
                            let _ = self.news.send(Err(error)).await;
                            return;
                        }
                        None => self.ended = true,
                    }
                }
            }
        }
    }

    async fn fail(&self, source: std::io::Error) {
        let _ = self.news.send(Err(Error::LogFile { source })).await;
    }

    async fn say(&self, news: LogNews) -> Result<(), Gone> {
        self.news.send(Ok(news)).await.map_err(|_| Gone)
    }

    async fn grant(&mut self, wish: LogWish) -> Result<(), Gone> {
        match wish {
            LogWish::Window { from, count } => {
                self.window = Some((from, count.min(WINDOW)));
                self.draw().await
            }
            LogWish::Look {
                search,
                regex,
                matching_only,
                levels,
            } => match View::new(&search, regex, matching_only, levels) {
                Ok(view) => {
                    self.view = view;
                    self.changed = true;
                    Ok(())
                }
                Err(error) => {
                    // The last line of it is the reason; those before show the place.
                    let words = error.to_string();
                    let why = words
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .trim_start_matches("error: ")
                        .to_owned();
                    self.say(LogNews::BadPattern { why }).await
                }
            },
            LogWish::Step { from, forward } => {
                // What is asked for may be in what was not looked at yet.
                while self.view.is_behind(&self.store) {
                    if let Err(source) = self.view.look(&mut self.store) {
                        self.fail(source).await;
                        return Err(Gone);
                    }
                    self.changed = true;
                }
                match self.view.step(from, forward) {
                    Some((number, nth)) => {
                        let position = self.view.position(&self.store, number);
                        self.say(LogNews::Found { number, position, nth }).await
                    }
                    None => Ok(()),
                }
            }
            LogWish::Text => {
                let text = self.text();
                self.say(LogNews::Text { text }).await
            }
            LogWish::Clear => {
                self.store.clear();
                self.view.clear(&self.store);
                self.changed = true;
                Ok(())
            }
        }
    }

    fn text(&mut self) -> String {
        let shown = self.view.shown(&self.store);
        let mut parts: Vec<String> = Vec::new();
        let (mut to, mut size) = (shown, 0);
        while to > 0 && size < TEXT {
            let from = to.saturating_sub(500);
            let Ok(lines) = self.view.lines(&mut self.store, from, to - from) else {
                break;
            };
            for line in lines.iter().rev() {
                let text = plain(&line.text).into_owned();
                size += text.len() + 1;
                if size > TEXT {
                    break;
                }
                parts.push(text);
            }
            to = from;
        }
        parts.reverse();
        parts.join("\n")
    }

    async fn tell(&mut self) -> Result<(), Gone> {
        self.changed = false;
        let kept = self.store.end() - self.store.first();
        let state = LogState {
            shown: self.view.shown(&self.store),
            kept,
            dropped: self.store.dropped(),
            matches: self.view.matches(),
            searching: self.view.is_behind(&self.store),
            ended: self.ended,
            read: self.read,
        };
        if self.told.as_ref() != Some(&state) {
            self.told = Some(state.clone());
            self.say(LogNews::State { state }).await?;
        }
        self.draw().await
    }

    async fn draw(&mut self) -> Result<(), Gone> {
        let Some((from, count)) = self.window else {
            return Ok(());
        };
        let shown = self.view.shown(&self.store);
        let from = from.unwrap_or_else(|| shown.saturating_sub(count.into()));
        match self.view.lines(&mut self.store, from, count.into()) {
            Ok(lines) => self.say(LogNews::Lines { from, lines }).await,
            Err(source) => {
                self.fail(source).await;
                Err(Gone)
            }
        }
    }
}
