//! One session over one byte stream: opening streams, accepting them, and noticing that the other side is gone.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
    sync::{Mutex, Semaphore, mpsc},
    time::{Interval, MissedTickBehavior, timeout},
};
use tokio_util::sync::{CancellationToken, PollSender};
use yamux::{Config, Connection, Mode};

use crate::{
    Error, Stream,
    message::Reply,
    preamble::{self, Nonce},
    wire::{FRAME, Signals, Wire},
};

/// How often each side shows that it is there. Each beat wakes both sides, and a quiet machine is to sleep.
const BEAT: Duration = Duration::from_secs(15);

/// After how many beats without a byte the other side counts as gone. Beats are counted instead of time passing:
/// a laptop that slept finds a late clock when it wakes, not a dead guest.
const SILENT_BEATS: u32 = 1;

/// How many streams one side may have open; further ones wait.
const OPEN: usize = 2048;

/// What yamux may see at once: both sides' streams, and those one side has dropped and the other not yet. Beyond
/// this it ends the session, so it is generous.
const STREAMS: usize = 4 * OPEN;

/// yamux gives each stream 256 KiB before its reader must have read, and more to the ones whose reader keeps up
/// with a full window; this is how much more for all of them together. It bounds what stalled readers may hold.
const EXTRA_WINDOW: usize = 64 * 1024 * 1024;

/// How many accepted streams may wait to be looked at before further ones are refused.
const ACCEPTED: usize = 1024;

/// How many streams lie ready to be used. The other side hears of a stream with its first bytes, so these cost
/// nothing, and whoever wants one need not wait for the task that drives the session.
const PREPARED: usize = 8;

/// A handle to the session; a task of its own drives it. The session ends when the last handle is dropped.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    prepared: Mutex<mpsc::Receiver<Stream>>,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    over: CancellationToken,
    signals: Arc<Signals>,
    runtime: Handle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The streams that the other side opens. Dropping it refuses them.
pub struct Incoming {
    accepted: mpsc::Receiver<Stream>,
}

impl Incoming {
    /// None once the session is over.
    pub async fn next(&mut self) -> Option<Stream> {
        self.accepted.recv().await
    }
}

impl Session {
    /// The host's side: agrees with the guest where the session begins, for at most `within`.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] when no guest answered in time, [`Error::Closed`] when the stream ended.
    pub async fn host<S>(mut stream: S, within: Duration) -> Result<(Self, Incoming), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (key, rest) = timeout(within, preamble::host(&mut stream))
            .await
            .map_err(|_| Error::NoAnswer { after: within })??;
        Ok(Self::start(stream, key, rest, Mode::Client))
    }

    /// The guest's side: waits for a host for as long as it takes. When the session is over this may be called
    /// again on the same stream.
    ///
    /// # Errors
    /// [`Error::Closed`] when the stream ended: on a serial port the host is gone.
    pub async fn guest<S>(mut stream: S) -> Result<(Self, Incoming), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (key, rest) = preamble::guest(&mut stream).await?;
        Ok(Self::start(stream, key, rest, Mode::Server))
    }

    fn start<S>(stream: S, key: Nonce, rest: BytesMut, mode: Mode) -> (Self, Incoming)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut config = Config::default();
        config.set_max_connection_receive_window(None);
        config.set_max_num_streams(STREAMS);
        config.set_max_connection_receive_window(Some(STREAMS * yamux::DEFAULT_CREDIT as usize + EXTRA_WINDOW));
        config.set_split_send_size(FRAME);

        let signals = Arc::new(Signals::default());
        let connection = Connection::new(Wire::new(stream, key, rest, Arc::clone(&signals)), config, mode);
        let (prepare, prepared) = mpsc::channel(PREPARED);
        let (accept, accepted) = mpsc::channel(ACCEPTED);
        let inner = Inner {
            prepared: Mutex::new(prepared),
            permits: Arc::new(Semaphore::new(OPEN)),
            stop: CancellationToken::new(),
            over: CancellationToken::new(),
            signals: Arc::clone(&signals),
            runtime: Handle::current(),
        };
        let driver = Driver {
            connection,
            signals,
            prepare: PollSender::new(prepare),
            accept,
            silent_beats: 0,
        };
        tokio::spawn(drive(driver, inner.stop.clone(), inner.over.clone()));
        (Self { inner: Arc::new(inner) }, Incoming { accepted })
    }

    /// Opens a stream. Waits while too many are open.
    pub async fn open(&self) -> Result<Stream, Error> {
        let permit = Arc::clone(&self.inner.permits)
            .acquire_owned()
            .await
            .map_err(|_| Error::Closed)?;
        let mut stream = self.inner.prepared.lock().await.recv().await.ok_or(Error::Closed)?;
        // What was prepared before the end is of no use after it.
        if self.inner.over.is_cancelled() {
            return Err(Error::Closed);
        }
        stream.hold(permit);
        Ok(stream)
    }

    /// Opens a stream and sends the request, whose reply carries nothing. What is written goes out without waiting
    /// for the reply; reading gives what follows the reply, or an error of the kind `ConnectionRefused` with the
    /// other side's sentence.
    pub async fn begin<Q: Serialize>(&self, request: &Q) -> Result<Stream, Error> {
        let mut stream = self.open().await?;
        stream.write_message(request).await?;
        stream.expect_reply();
        Ok(stream)
    }

    /// Opens a stream, sends the request and reads the reply. What follows the reply comes from the stream.
    ///
    /// # Errors
    /// [`Error::Refused`] with the other side's sentence when it says no.
    pub async fn ask<Q: Serialize, R: DeserializeOwned>(&self, request: &Q) -> Result<(R, Stream), Error> {
        self.ask_with(request, &[] as &[()]).await
    }

    /// [`Session::ask`] with a request that more messages belong to.
    pub async fn ask_with<Q: Serialize, M: Serialize, R: DeserializeOwned>(
        &self,
        request: &Q,
        more: &[M],
    ) -> Result<(R, Stream), Error> {
        let mut stream = self.open().await?;
        stream.write_message(request).await?;
        for message in more {
            stream.write_message(message).await?;
        }
        match stream.read_message().await? {
            Some(Reply::Ok { value }) => Ok((value, stream)),
            Some(Reply::Refused { message }) => Err(Error::Refused { message }),
            None => Err(Error::Closed),
        }
    }

    /// Whether both are handles to one session.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Where the session is driven. What reads and writes its streams does so with the least effort there.
    pub fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    /// Ends the session; its streams break.
    pub fn close(&self) {
        self.inner.stop.cancel();
    }

    /// While the other side is known to stand still, nothing is sent to it that nobody asked for, and it is not given
    /// up for its silence.
    pub fn hush(&self, hushed: bool) {
        self.inner.signals.hushed.store(hushed, Ordering::Release);
        self.inner.signals.driver.wake();
    }

    /// Resolves once the session is over, whoever ended it.
    pub async fn closed(&self) {
        self.inner.over.cancelled().await;
    }
}

struct Driver<S> {
    connection: Connection<Wire<S>>,
    signals: Arc<Signals>,
    prepare: PollSender<Stream>,
    accept: mpsc::Sender<Stream>,
    silent_beats: u32,
}

fn beating() -> Interval {
    let mut beats = tokio::time::interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats
}

async fn drive<S>(driver: Driver<S>, stop: CancellationToken, over: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Dropped last, so that whoever waits for the end finds the byte stream released.
    let _over = over.drop_guard();
    let mut driver = driver;
    let mut beats = None;
    let why = tokio::select! {
        () = stop.cancelled() => "closed here",
        why = poll_fn(|context| driver.poll(context, &mut beats)) => why,
    };
    tracing::debug!(why, "the link's session is over");
    driver.signals.lost.store(true, Ordering::Release);
    // Not `Connection::poll_close`: it never wakes the streams that are waiting for something to read.
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    fn poll(&mut self, context: &mut Context<'_>, beats: &mut Option<Interval>) -> Poll<&'static str> {
        self.signals.driver.register(context.waker());
        if self.signals.hushed.load(Ordering::Acquire) {
            // Being woken by the time would be reason enough for yamux to send a ping of its own.
            *beats = None;
        } else {
            beats.get_or_insert_with(beating);
        }
        while beats.as_mut().is_some_and(|beats| beats.poll_tick(context).is_ready()) {
            self.signals.beat();
            self.silent_beats = if self.signals.heard.swap(false, Ordering::AcqRel) {
                0
            } else {
                self.silent_beats + 1
            };
            if self.silent_beats > SILENT_BEATS {
                return Poll::Ready("the other side is silent");
            }
        }
        while let Poll::Ready(Ok(())) = self.prepare.poll_reserve(context) {
            match self.connection.poll_new_outbound(context) {
                Poll::Ready(Ok(stream)) => {
                    // The session's end is noticed elsewhere.
                    let _ = self.prepare.send_item(Stream::new(stream, Arc::clone(&self.signals)));
                }
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "could not open a stream");
                    return Poll::Ready("the connection failed");
                }
                Poll::Pending => break,
            }
        }
        self.signals.flush.store(false, Ordering::Release);
        loop {
            match self.connection.poll_next_inbound(context) {
                Poll::Ready(Some(Ok(mut stream))) => {
                    // yamux lets 256 streams wait for a first sign of life; a slow answer on some (a container's
                    // port that nobody answers) must not keep others from being opened. Writing nothing is one.
                    let _ = futures::AsyncWrite::poll_write(Pin::new(&mut stream), context, &[]);
                    let stream = Stream::new(stream, Arc::clone(&self.signals));
                    if self.accept.try_send(stream).is_err() {
                        tracing::debug!("refused a stream: nobody accepts, or too many wait");
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(%error, "the link broke");
                    return Poll::Ready("the connection failed");
                }
                Poll::Ready(None) => return Poll::Ready("the other side left"),
                Poll::Pending => {
                    let unflushed = self.signals.unflushed.load(Ordering::Acquire);
                    if !unflushed || self.signals.flush.swap(true, Ordering::AcqRel) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}
