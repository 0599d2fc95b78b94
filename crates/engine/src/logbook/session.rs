//! One log that is looked at: takes in lines, answers wishes, tells what has changed. It has a thread of its own: it
//! reads and writes files and searches through gigabytes.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::plain::plain;
use super::store::Store;
use super::view::{Done, View, Work};
use super::{LogNews, LogOpen, LogState, LogWish};
use crate::logs::Lines;
use crate::{Engine, Error};

/// How long changes are collected before the page is told.
const TELL: Duration = Duration::from_millis(50);

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
            view: View::all(),
            searching: None,
            step: None,
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
}

fn as_text(lines: &Lines, names: &[String]) -> String {
    let mut text = String::new();
    for (at, line) in lines.lines.iter().enumerate() {
        if let Some(at) = line.millis.and_then(|at| jiff::Timestamp::from_millisecond(at).ok()) {
            let _ = write!(text, "{at:.3} ");
        }
        if let Some(name) = names.get(usize::from(line.of)).filter(|_| names.len() > 1) {
            let _ = write!(text, "{name} | ");
        }
        text.push_str(&plain(lines.text(at)));
        text.push('\n');
    }
    text
}

struct Session {
    store: Store,
    view: View,
    /// Goes on beside all else: a pattern can be slow on a long line.
    searching: Option<Searching>,
    /// What the page draws: from where (`None`: the end) and how many.
    window: Option<(Option<u64>, u32)>,
    /// A match that is asked for, and may be in what was not looked at yet: from which line on, and whether forward.
    step: Option<(Option<u64>, bool)>,
    told: Option<LogState>,
    ended: bool,
    read: bool,
    /// Since the page was told last.
    changed: bool,
    news: mpsc::Sender<Result<LogNews, Error>>,
}

/// The page has gone.
struct Gone;

/// Work on a thread of its own, which is given up when nobody waits for it any more.
struct Searching {
    done: JoinHandle<Done>,
    unwanted: Arc<AtomicBool>,
}

impl Searching {
    fn begin(work: Work) -> Searching {
        let unwanted = Arc::new(AtomicBool::new(false));
        let its = Arc::clone(&unwanted);
        Searching {
            done: tokio::task::spawn_blocking(move || work.run(&its)),
            unwanted,
        }
    }

    /// Never, while there is none.
    async fn end(of: &mut Option<Searching>) -> Result<Done, JoinError> {
        match of {
            Some(searching) => (&mut searching.done).await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Searching {
    fn drop(&mut self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}

impl Session {
    async fn run(
        mut self,
        mut lines: BoxStream<'static, Result<Lines, Error>>,
        mut wishes: BoxStream<'static, LogWish>,
    ) {
        let mut due = Instant::now();
        loop {
            let behind = self.searching.is_none() && self.view.is_behind(&self.store);
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
                done = Searching::end(&mut self.searching) => {
                    self.searching = None;
                    let done = match done.map_err(JoinError::try_into_panic) {
                        Ok(done) => done,
                        Err(Ok(panic)) => std::panic::resume_unwind(panic),
                        // Everything ends.
                        Err(Err(_)) => return,
                    };
                    if let Err(source) = self.view.take(&mut self.store, done) {
                        return self.fail(source).await;
                    }
                    if self.looked().await.is_err() {
                        return;
                    }
                }
                () = std::future::ready(()), if behind => {
                    match self.view.look(&mut self.store) {
                        Ok(Some(work)) => self.searching = Some(Searching::begin(work)),
                        Ok(None) => if self.looked().await.is_err() {
                            return;
                        },
                        Err(source) => return self.fail(source).await,
                    }
                }
                came = lines.next(), if !self.ended => {
                    self.read = true;
                    self.changed = true;
                    match came {
                        Some(Ok(came)) => {
                            if let Err(source) = self.store.add(&came) {
                                return self.fail(source).await;
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

    /// More is known of what is shown.
    async fn looked(&mut self) -> Result<(), Gone> {
        self.changed = true;
        self.step_now().await
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
                    self.searching = None;
                    self.step = None;
                    // Said even when nothing is found, which is no change.
                    self.told = None;
                    self.changed = true;
                    Ok(())
                }
                Err(why) => self.say(LogNews::BadPattern { why }).await,
            },
            LogWish::Step { from, forward } => {
                self.step = Some((from, forward));
                self.step_now().await
            }
            LogWish::Text => {
                let text = self.text();
                self.say(LogNews::Text { text }).await
            }
            LogWish::Whole { number } => match self.store.whole(number) {
                Ok(text) => {
                    let text = text.map(|text| plain(&text).into_owned());
                    self.say(LogNews::Whole { text }).await
                }
                Err(source) => {
                    self.fail(source).await;
                    Err(Gone)
                }
            },
            LogWish::Clear => {
                self.store.clear();
                self.searching = None;
                self.view.clear(&self.store);
                self.changed = true;
                Ok(())
            }
        }
    }

    /// Answers who asked for a match, once everything has been looked at.
    async fn step_now(&mut self) -> Result<(), Gone> {
        if self.view.is_behind(&self.store) {
            return Ok(());
        }
        let Some((from, forward)) = self.step.take() else {
            return Ok(());
        };
        match self.view.step(from, forward) {
            Some((number, nth)) => {
                let position = self.view.position(&self.store, number);
                self.say(LogNews::Found { number, position, nth }).await
            }
            None => Ok(()),
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
