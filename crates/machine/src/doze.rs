//! Stops the processors of a machine that nobody uses, and lets them go on before the next byte that is for it counts.
//!
//! Linux, containerd and dockerd have something to do some fifty times a second when nobody wants anything of them. A
//! machine whose processors stand still costs none of that, its memory stays where it is, and it goes on within a
//! millisecond. Containers keep it running, and so does a client of the engine that is connected: what the engine does
//! for it (a pull) may be waiting for somebody out there.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use wherry_link::{HostRequest, Report, Session};

use crate::activity::Activity;
use crate::clock;
use crate::qmp::{self, Qmp};
use crate::suspend::causes;

/// How long nobody uses a machine before it stands still. dockerd pauses up to a minute before it starts a container
/// that keeps failing again, and nothing of that container runs meanwhile.
const AFTER: Duration = Duration::from_secs(90);
/// How long nothing was said to it: what was asked is answered by then.
const SILENCE: Duration = Duration::from_secs(5);
/// How long it may take to set its clock once it goes on.
const CLOCK: Duration = Duration::from_secs(10);

/// Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Doze(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Held for a few assignments at a time.
    now: Mutex<Now>,
    stands: watch::Sender<bool>,
    wanted: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Now {
    stands: bool,
    /// Nobody has used it for long enough; it stands still once nothing is being said to it.
    drowsy: bool,
    /// Who keeps it running.
    held: usize,
    /// When a byte went to it last.
    told: Instant,
}

impl Doze {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            now: Mutex::new(Now {
                stands: false,
                drowsy: false,
                held: 0,
                told: Instant::now(),
            }),
            stands: watch::Sender::new(false),
            wanted: Notify::new(),
        }))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Now) -> T) -> T {
        let mut now = self.0.now.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut now)
    }

    /// Whether its processors stand still, now and from now on.
    pub(crate) fn stands(&self) -> watch::Receiver<bool> {
        self.0.stands.subscribe()
    }

    /// Whether it is not to be asked anything that can wait: it stands still or is about to.
    pub(crate) fn wants_peace(&self) -> bool {
        self.change(|now| now.stands || now.drowsy)
    }

    /// Returns once it runs, with the right time; it does until the value is dropped.
    pub(crate) async fn hold(&self) -> Held {
        self.change(|now| now.held += 1);
        let held = Held(self.clone());
        self.wake();
        let mut stands = self.stands();
        // The sender lives as long as we do.
        let _ = stands.wait_for(|stands| !stands).await;
        held
    }

    fn wake(&self) {
        if self.change(|now| now.stands) {
            self.0.wanted.notify_one();
        }
    }

    /// Something is being said to it.
    fn told(&self) {
        self.change(|now| now.told = Instant::now());
        self.wake();
    }

    /// From the moment this says yes, whatever is said to the machine makes it go on.
    fn lies_down(&self) -> bool {
        // It may have been woken more than once the last time.
        pin!(self.0.wanted.notified()).enable();
        let lies = self.change(|now| {
            now.stands = now.held == 0 && now.told.elapsed() >= SILENCE;
            now.drowsy = false;
            now.stands
        });
        if lies {
            self.0.stands.send_replace(true);
        }
        lies
    }

    fn is_up(&self) {
        self.change(|now| now.stands = false);
        self.0.stands.send_replace(false);
    }

    /// Looks after one machine until its link ends.
    pub(crate) async fn keep(
        self,
        monitor: PathBuf,
        activity: Activity,
        session: Session,
        reports: watch::Receiver<Option<Report>>,
        is_idle: fn(&Report) -> bool,
    ) {
        tokio::select! {
            Err(error) = self.rest_when_idle(&monitor, &activity, &session, reports, is_idle) => {
                tracing::warn!(error, "the machine is not put to rest any more");
            }
            () = session.closed() => {}
        }
        session.hush(false);
        // Whoever takes the machine up next makes it go on: see `suspend::settle`.
        self.is_up();
    }

    async fn rest_when_idle(
        &self,
        monitor: &Path,
        activity: &Activity,
        session: &Session,
        mut reports: watch::Receiver<Option<Report>>,
        is_idle: fn(&Report) -> bool,
    ) -> Result<Infallible, String> {
        loop {
            self.is_due(activity, session, &mut reports, is_idle).await?;
            if !self.lies_down() {
                continue;
            }
            command(monitor, "stop").await?;
            tracing::info!("nobody uses the machine: it stands still");
            self.0.wanted.notified().await;
            command(monitor, "cont").await?;
            session.hush(false);
            // Setting the clock is no reason to be woken.
            self.change(|now| now.stands = false);
            let set = HostRequest::SetClock {
                unix_millis: clock::unix_millis(),
            };
            if !matches!(timeout(CLOCK, session.ask::<_, ()>(&set)).await, Ok(Ok(_))) {
                tracing::warn!("the machine goes on with a wrong clock for up to a minute");
            }
            tracing::info!("the machine goes on");
            self.is_up();
        }
    }

    /// Returns when nothing has run and nobody has asked anything for long enough.
    async fn is_due(
        &self,
        activity: &Activity,
        session: &Session,
        reports: &mut watch::Receiver<Option<Report>>,
        is_idle: fn(&Report) -> bool,
    ) -> Result<(), String> {
        loop {
            let idle = reports.borrow_and_update().as_ref().is_some_and(is_idle);
            let unused = activity.last() + AFTER;
            let now = self.change(|now| {
                now.drowsy = idle && now.held == 0 && unused <= Instant::now();
                *now
            });
            // What the link says by itself is said before the machine stands, or not at all.
            session.hush(now.drowsy);
            let due = unused.max(now.told + SILENCE);
            if now.drowsy && due <= Instant::now() {
                return Ok(());
            }
            // Who holds it lets go without a word, and that counts as use until then.
            let look = if now.held == 0 { due } else { Instant::now() + AFTER };
            tokio::select! {
                () = tokio::time::sleep_until(look), if idle => {}
                changed = reports.changed() => {
                    changed.map_err(|_| "it reports nothing any more".to_owned())?;
                    activity.touch();
                }
            }
        }
    }
}

async fn command(monitor: &Path, command: &'static str) -> Result<(), String> {
    let told = async { Qmp::connect(monitor).await?.execute::<Value>(command, json!({})).await };
    told.await.map(drop).map_err(|error: qmp::Error| causes(&error))
}

/// Keeps the machine running.
pub(crate) struct Held(Doze);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.change(|now| now.held -= 1);
    }
}

/// The stream to the machine. Whatever is said on it makes the machine go on.
pub(crate) struct Stirring<S> {
    stream: S,
    doze: Doze,
}

impl<S> Stirring<S> {
    pub(crate) fn new(stream: S, doze: Doze) -> Self {
        Self { stream, doze }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stirring<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stirring<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.doze.told();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.doze.told();
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_while_passes(doze: &Doze) {
        doze.change(|now| now.told -= SILENCE);
    }

    #[tokio::test]
    async fn it_stands_only_while_nobody_holds_it_and_nothing_is_said() {
        let doze = Doze::new();
        a_while_passes(&doze);
        let held = doze.hold().await;
        assert!(!doze.lies_down(), "somebody holds it");
        drop(held);
        doze.told();
        assert!(!doze.lies_down(), "something was just said");
        a_while_passes(&doze);
        assert!(doze.lies_down());
        assert!(*doze.stands().borrow());

        let (holder, waker) = (doze.clone(), doze.clone());
        let held = tokio::spawn(async move { holder.hold().await });
        waker.0.wanted.notified().await;
        assert!(!held.is_finished(), "it waits until it runs");
        waker.is_up();
        let held = held.await.expect("held");
        assert!(!*doze.stands().borrow());
        a_while_passes(&doze);
        assert!(!doze.lies_down());
        drop(held);
    }

    #[tokio::test]
    async fn a_byte_makes_it_go_on() {
        use tokio::io::AsyncWriteExt;
        let doze = Doze::new();
        a_while_passes(&doze);
        assert!(doze.lies_down());
        let (here, _there) = tokio::io::duplex(64);
        let mut stream = Stirring::new(here, doze.clone());
        stream.write_all(b"now").await.expect("written");
        doze.0.wanted.notified().await;
    }
}
