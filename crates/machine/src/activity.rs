//! When the machine was last of use to anybody, and who wants it while it sleeps.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock;

/// Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Activity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// Milliseconds after `began`.
    last: AtomicU64,
    knocks: Notify,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            began: Instant::now(),
            last: AtomicU64::new(0),
            knocks: Notify::new(),
        }))
    }

    /// Something was asked or answered just now.
    pub(crate) fn touch(&self) {
        let now = clock::millis(self.0.began.elapsed());
        self.0.last.fetch_max(now, Ordering::Relaxed);
    }

    pub(crate) fn last(&self) -> Instant {
        self.0.began + std::time::Duration::from_millis(self.0.last.load(Ordering::Relaxed))
    }

    /// Somebody waits for a machine that sleeps.
    pub(crate) fn knock(&self) {
        self.0.knocks.notify_one();
    }

    /// Returns when somebody has knocked since this last returned.
    pub(crate) async fn knocked(&self) {
        self.0.knocks.notified().await;
    }
}

/// A client's stream. What goes over it is activity; that it is open is none: a client that only listens (`docker
/// events`, a window) must not keep a machine awake in which nothing happens.
pub(crate) struct Watched<S> {
    stream: S,
    activity: Activity,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, activity: Activity) -> Self {
        Self { stream, activity }
    }

    fn seen<T>(&self, moved: Poll<T>) -> Poll<T> {
        if moved.is_ready() {
            self.activity.touch();
        }
        moved
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.seen(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.seen(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
