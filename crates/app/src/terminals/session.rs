//! One terminal: a task that reads what it shows, a task that says into it, and those who look.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wherry_engine::{Attached, Engine, ExecEnd, TerminalSize};

use super::model::{Terminal, TerminalInput, TerminalOutput};
use super::scrollback::{PIECE, Scrollback};
use crate::Problem;

/// What comes in a stream of small pieces is collected for one frame of a screen.
const BATCH_AGE: Duration = Duration::from_millis(16);

/// How many pieces go at once before the rest of that time's are collected. A shell answers a key in several, and
/// whoever types would see the last of them a frame late.
const AT_ONCE: u32 = 4;

/// How long a shell's first line may be, in which it says its number.
const LONGEST_NUMBER: usize = 16;

/// What a kill prints is not wanted.
const KILL_OUTPUT: usize = 4 << 10;

/// What has to be ended when the terminal is closed.
pub(super) enum Inside {
    Exec {
        id: String,
        program: String,
        user: Option<String>,
    },
    /// The container's own program goes on.
    Container,
    Helper {
        id: String,
    },
}

/// The engine cannot end a program that it was asked to run, nor does letting go of its terminal end it. So the shell
/// first says its number, which its own kill can use.
pub(super) fn announcing(program: &str) -> Vec<String> {
    [program, "-c", "echo \"$$\"; exec \"$0\"", program]
        .map(str::to_owned)
        .to_vec()
}

pub(crate) struct Session {
    terminal: Terminal,
    engine: Engine,
    inside: Inside,
    /// Locked for a copy only.
    scrollback: Mutex<Scrollback>,
    /// Its end, or how it ended. Changes with every byte.
    progress: watch::Sender<Progress>,
    /// Somebody has read on, or looks no more.
    room: Notify,
    say: mpsc::UnboundedSender<Said>,
    /// Of the shell, as its own kernel counts; 0 while it has not said it.
    number: AtomicU32,
    closed: CancellationToken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    end: u64,
    run: ExecEnd,
}

enum Said {
    Text(String),
    Size(TerminalSize),
}

impl Session {
    pub(super) fn begin(
        terminal: Terminal,
        engine: Engine,
        inside: Inside,
        attached: Attached,
        end: &CancellationToken,
    ) -> Arc<Session> {
        let (say, said) = mpsc::unbounded_channel();
        let session = Arc::new(Session {
            terminal,
            engine,
            inside,
            scrollback: Mutex::default(),
            progress: watch::Sender::new(Progress {
                end: 0,
                run: ExecEnd::Running,
            }),
            room: Notify::new(),
            say,
            number: AtomicU32::new(0),
            closed: end.child_token(),
        });
        let (reading, writing) = tokio::io::split(attached.stream);
        tokio::spawn(session.clone().read(reading));
        tokio::spawn(session.closed.clone().run_until_cancelled_owned(write(
            session.engine.clone(),
            attached.id,
            matches!(session.inside, Inside::Exec { .. }),
            writing,
            said,
        )));
        session
    }

    pub(crate) fn describe(&self) -> Terminal {
        Terminal {
            ended: self.has_ended(),
            ..self.terminal.clone()
        }
    }

    fn has_ended(&self) -> bool {
        self.progress.borrow().run != ExecEnd::Running
    }

    fn with<T>(&self, change: impl FnOnce(&mut Scrollback) -> T) -> T {
        change(&mut self.scrollback.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn read(self: Arc<Self>, mut reading: impl tokio::io::AsyncRead + Unpin) {
        let mut number = matches!(self.inside, Inside::Exec { .. }).then(Vec::new);
        let mut buffer = vec![0; PIECE];
        let reads = async {
            loop {
                self.wait_for_room().await;
                // A connection that breaks and one that ends are the same to whoever looks.
                let Ok(read @ 1..) = reading.read(&mut buffer).await else {
                    break;
                };
                let mut bytes = &buffer[..read];
                let held;
                if let Some(line) = &mut number {
                    line.extend_from_slice(bytes);
                    let Some(rest) = first_line(line, |found| self.number.store(found, Ordering::Relaxed)) else {
                        continue;
                    };
                    held = rest;
                    bytes = &held;
                    number = None;
                }
                let end = self.with(|scrollback| {
                    scrollback.push(bytes);
                    scrollback.end()
                });
                self.progress.send_modify(|progress| progress.end = end);
            }
        };
        self.closed.run_until_cancelled(reads).await;
        if let Some(line) = number {
            // It ended before its first line did: those are words, and no number.
            self.with(|scrollback| scrollback.push(&line));
        }
        let code = match &self.inside {
            Inside::Exec { id, .. } => match self.engine.exec_end(id).await {
                Ok(ExecEnd::Ended { code }) => code,
                Ok(ExecEnd::Running) | Err(_) => None,
            },
            Inside::Container | Inside::Helper { .. } => None,
        };
        let end = self.with(|scrollback| scrollback.end());
        self.progress.send_replace(Progress {
            end,
            run: ExecEnd::Ended { code },
        });
    }

    async fn wait_for_room(&self) {
        loop {
            let changed = self.room.notified();
            if self.with(|scrollback| scrollback.has_room()) {
                return;
            }
            changed.await;
        }
    }

    /// Lets go of it and ends what runs in it.
    pub(super) async fn close(&self) {
        let ended = self.has_ended();
        self.closed.cancel();
        let result = match &self.inside {
            Inside::Exec { program, user, .. } if !ended => {
                let number = self.number.load(Ordering::Relaxed).to_string();
                if number == "0" {
                    return;
                }
                // A hang-up, as when a terminal's window is closed; what ignores it meant to.
                let kill = [program.as_str(), "-c", "kill -HUP \"$0\"", &number];
                self.engine
                    .output(&self.terminal.container, &kill, user.as_deref(), KILL_OUTPUT)
                    .await
                    .map(drop)
            }
            Inside::Helper { id } if !ended => self.engine.remove(id, wherry_engine::Removal::FORCED).await,
            Inside::Exec { .. } | Inside::Helper { .. } | Inside::Container => Ok(()),
        };
        if let Err(error) = result {
            tracing::info!(%error, "what ran in a terminal that was closed may go on");
        }
    }

    /// What it shows, for one who looks, and who says something into it.
    pub(crate) fn look(
        self: Arc<Self>,
        inputs: BoxStream<'static, TerminalInput>,
    ) -> BoxStream<'static, Result<TerminalOutput, Problem>> {
        let (id, at, again) = self.with(|scrollback| {
            let (id, at) = scrollback.join();
            (id, at, scrollback.end())
        });
        let viewer = Viewer {
            id,
            again,
            at,
            frame: None,
            done: false,
            progress: self.progress.subscribe(),
            session: self,
        };
        let listener = (viewer.session.clone(), viewer.id);
        let listens = inputs.for_each(move |input| {
            listener.0.hear(listener.1, input);
            std::future::ready(())
        });
        // On its own: what was said is heard to its end, though the page that said it has left.
        tokio::spawn(listens);
        stream::unfold(viewer, |mut viewer| async move {
            let output = viewer.next().await?;
            Some((Ok(output), viewer))
        })
        .boxed()
    }

    fn hear(&self, viewer: u64, input: TerminalInput) {
        let said = match input {
            TerminalInput::Text { text } => Said::Text(text),
            TerminalInput::Size { columns, rows } => Said::Size(TerminalSize {
                columns: columns.max(2),
                rows: rows.max(1),
            }),
            TerminalInput::Shown { until } => {
                self.with(|scrollback| scrollback.shown(viewer, until));
                self.room.notify_one();
                return;
            }
        };
        // What runs in it has ended, and says so itself.
        let _ = self.say.send(said);
    }
}

async fn write(
    engine: Engine,
    id: String,
    exec: bool,
    mut writing: impl tokio::io::AsyncWrite + Unpin,
    mut said: mpsc::UnboundedReceiver<Said>,
) {
    while let Some(said) = said.recv().await {
        match said {
            Said::Text(text) => {
                if writing.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
            Said::Size(size) => {
                let resized = if exec {
                    engine.resize_exec(&id, size).await
                } else {
                    engine.resize_container(&id, size).await
                };
                if let Err(error) = resized {
                    tracing::debug!(%error, "a terminal has not got its size");
                }
            }
        }
    }
}

/// The number in the first line, and what follows it. `None` while the line has not ended. What is no number is text:
/// the engine's sentence about a program that it could not run.
fn first_line(line: &mut Vec<u8>, found: impl FnOnce(u32)) -> Option<Vec<u8>> {
    let end = line.iter().position(|byte| *byte == b'\n');
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.trim().parse().ok();
    match end {
        Some(end) => match number(&line[..end]) {
            Some(number) => {
                found(number);
                Some(line.split_off(end + 1))
            }
            None => Some(std::mem::take(line)),
        },
        None if line.len() > LONGEST_NUMBER => Some(std::mem::take(line)),
        None => None,
    }
}

/// One page that looks. Dropping it lets the program go on without it.
struct Viewer {
    session: Arc<Session>,
    id: u64,
    at: u64,
    /// What ends before here had been shown when it came.
    again: u64,
    /// When a frame's time began, and how many pieces have gone in it.
    frame: Option<(Instant, u32)>,
    done: bool,
    progress: watch::Receiver<Progress>,
}

impl Viewer {
    async fn next(&mut self) -> Option<TerminalOutput> {
        if self.done {
            return None;
        }
        loop {
            let Progress { end, run } = *self.progress.borrow_and_update();
            if self.at < end {
                break;
            }
            if let ExecEnd::Ended { code } = run {
                self.done = true;
                return Some(TerminalOutput::Ended { code });
            }
            if self.progress.changed().await.is_err() {
                return None;
            }
        }
        let enough = self.at + PIECE as u64;
        if let Some((begun, AT_ONCE..)) = self.frame
            && self.progress.borrow().end < enough
        {
            let full = self
                .progress
                .wait_for(|progress| progress.end >= enough || progress.run != ExecEnd::Running);
            let _ = tokio::time::timeout_at(begun + BATCH_AGE, full).await;
        }
        // What was shown before and what comes now are not in one piece.
        let most = if self.at < self.again { self.again } else { u64::MAX };
        let (text, until) = self.session.with(|scrollback| scrollback.piece(self.at, most))?;
        self.at = until;
        self.frame = match self.frame {
            Some((begun, pieces)) if begun.elapsed() < BATCH_AGE => Some((begun, pieces + 1)),
            Some(_) | None => Some((Instant::now(), 1)),
        };
        Some(TerminalOutput::Text {
            text,
            until,
            again: until <= self.again,
        })
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.session.with(|scrollback| scrollback.leave(self.id));
        self.session.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(bytes: &[u8]) -> (Option<u32>, Option<String>) {
        let mut number = None;
        let rest = first_line(&mut bytes.to_vec(), |found| number = Some(found));
        (number, rest.map(|rest| String::from_utf8_lossy(&rest).into_owned()))
    }

    #[test]
    fn the_shell_s_number_is_taken_and_words_are_left() {
        assert_eq!(split(b"4"), (None, None));
        assert_eq!(split(b"42\r\n/ # "), (Some(42), Some("/ # ".into())));
        assert_eq!(
            split(b"OCI runtime exec failed"),
            (None, Some("OCI runtime exec failed".into()))
        );
        assert_eq!(split(b"oh no\r\n"), (None, Some("oh no\r\n".into())));
    }
}
