//! What yamux writes, cut into chunks that carry the session's key.
//!
//! A chunk is its kind (one byte), its length (four bytes, big-endian), that many bytes, and the session's key
//! (eight bytes). The key at the end is what makes a chunk whole: one that an earlier host left unfinished and
//! that bytes of a later one completed is never delivered, so no container ever reads them. yamux alone has
//! nothing that would tell.
//!
//! Besides data there are two chunks of our own, for what yamux lacks: a heartbeat, and the word that one side
//! reads no more of a stream (yamux resets a stream that is dropped open, but says nothing when it is dropped
//! after it was half-closed, and the other side would wait for credit for ever).

use std::{
    collections::{HashMap, VecDeque},
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, BytesMut};
use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::preamble::Nonce;

const DATA: u8 = 0xD1;
const BEAT: u8 = 0xD2;
const STOP: u8 = 0xD3;

const HEADER: usize = 5;
const KEY: usize = 8;

/// How much one chunk carries. 64 KiB is 0.3 ms of a virtio-serial port: what others wait for at most.
const PAYLOAD: usize = 64 * 1024;

/// A chunk that was left unfinished lacks at most this much.
pub(crate) const LONGEST_CHUNK: usize = HEADER + PAYLOAD + KEY;

/// How much yamux may put into one frame so that frame and header fill one chunk.
pub(crate) const FRAME: usize = PAYLOAD - 12;

/// How much may wait to be written before yamux is told to wait.
const BACKLOG: usize = 2 * LONGEST_CHUNK;

/// How much is read at once.
const READ: usize = 2 * LONGEST_CHUNK;

/// How much is read while writing is blocked and yamux does not read. Two sides that both wait to write an
/// answer to a ping before they read on would wait for ever; reading ahead of more than what fits between them
/// (socket buffers and the port's ring towards the guest, under 1 MiB) lets one of the answers through.
const READ_AHEAD: usize = 2 * 1024 * 1024;

/// How many stops for streams we have not seen yet are remembered: a stop may overtake the stream's first frame.
const EARLY_STOPS: usize = 256;

/// What the wire, the task that drives it and the streams tell each other.
#[derive(Default)]
pub(crate) struct Signals {
    /// Something arrived since this was last cleared.
    pub(crate) heard: AtomicBool,
    /// The session is over, so an end of stream may be a cut.
    pub(crate) lost: AtomicBool,
    beat: AtomicBool,
    /// The other side stands still: it is sent no beats, and its silence means nothing.
    pub(crate) hushed: AtomicBool,
    /// yamux flushes after each of its frames. What it has written waits here until the task that drives it finds
    /// that there is nothing more to say: many small frames are one call of the system then.
    pub(crate) unflushed: AtomicBool,
    /// The time has come.
    pub(crate) flush: AtomicBool,
    /// Wakes the task that drives the session.
    pub(crate) driver: AtomicWaker,
    /// Locked for single insertions and removals only.
    streams: Mutex<Streams>,
}

#[derive(Default)]
struct Streams {
    brakes: HashMap<u32, Arc<Brake>>,
    early: VecDeque<u32>,
    /// Streams whose other side has to be told that we read no more.
    stops: Vec<u32>,
}

/// Tells the writing half of a stream that the other side reads no more.
#[derive(Default)]
pub(crate) struct Brake {
    pub(crate) pulled: AtomicBool,
    pub(crate) writer: AtomicWaker,
}

impl Brake {
    fn pull(&self) {
        self.pulled.store(true, Ordering::Release);
        self.writer.wake();
    }
}

impl Signals {
    pub(crate) fn register(&self, stream: u32) -> Arc<Brake> {
        let brake = Arc::new(Brake::default());
        let mut streams = self.streams();
        if let Some(early) = streams.early.iter().position(|early| *early == stream) {
            streams.early.remove(early);
            brake.pull();
        }
        streams.brakes.insert(stream, Arc::clone(&brake));
        brake
    }

    pub(crate) fn forget(&self, stream: u32, stop: bool) {
        let mut streams = self.streams();
        streams.brakes.remove(&stream);
        if stop && !self.lost.load(Ordering::Acquire) {
            streams.stops.push(stream);
            drop(streams);
            self.unflushed.store(true, Ordering::Release);
            self.driver.wake();
        }
    }

    pub(crate) fn beat(&self) {
        self.beat.store(true, Ordering::Release);
        self.unflushed.store(true, Ordering::Release);
    }

    fn stopped(&self, stream: u32) {
        let mut streams = self.streams();
        if let Some(brake) = streams.brakes.get(&stream) {
            brake.pull();
        } else {
            if streams.early.len() == EARLY_STOPS {
                streams.early.pop_front();
            }
            streams.early.push_back(stream);
        }
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, Streams> {
        // Every change is one insertion or removal, so a panic elsewhere leaves nothing half done.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has arrived. Made once and never cleared: a reader that has to be given zeroes first would cost as much as
/// the copying.
struct Incoming {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Incoming {
    fn new(arrived: BytesMut) -> Self {
        let buffer = Vec::from(arrived);
        Self {
            start: 0,
            end: buffer.len(),
            buffer,
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Where the next bytes are read to.
    fn room(&mut self) -> &mut [u8] {
        if self.buffer.len() - self.end < READ {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            self.buffer.resize(self.buffer.len().max(self.end + READ), 0);
        } else if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        &mut self.buffer[self.end..]
    }
}

/// The byte stream as yamux sees it.
pub(crate) struct Wire<S> {
    io: S,
    key: Nonce,
    signals: Arc<Signals>,
    incoming: Incoming,
    /// How much of what begins `incoming` is the rest of the chunk being delivered. Its key follows.
    payload: usize,
    ended: bool,
    outgoing: BytesMut,
    /// Where in `outgoing` the chunk begins that is still being filled.
    filling: Option<usize>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(io: S, key: Nonce, incoming: BytesMut, signals: Arc<Signals>) -> Self {
        Self {
            io,
            key,
            signals,
            incoming: Incoming::new(incoming),
            payload: 0,
            ended: false,
            outgoing: BytesMut::new(),
            filling: None,
        }
    }

    fn seal(&mut self) {
        let Some(start) = self.filling.take() else { return };
        let length = u32::try_from(self.outgoing.len() - start - HEADER).unwrap_or(u32::MAX);
        self.outgoing[start + 1..start + HEADER].copy_from_slice(&length.to_be_bytes());
        self.outgoing.put_u64(self.key.0);
    }

    fn put(&mut self, kind: u8, payload: &[u8]) {
        self.outgoing.put_u8(kind);
        self.outgoing.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        self.outgoing.put_slice(payload);
        self.outgoing.put_u64(self.key.0);
    }

    /// Writes all that waits. Only between chunks: `seal` comes first.
    fn drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.outgoing.has_remaining() {
            match Pin::new(&mut self.io).poll_write(context, &self.outgoing)? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(written) => self.outgoing.advance(written),
                Poll::Pending => {
                    self.read_ahead(context)?;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn read_ahead(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while !self.ended && self.incoming.bytes().len() < READ_AHEAD {
            match self.fill(context) {
                Poll::Ready(filled) => filled?,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffer = ReadBuf::new(self.incoming.room());
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
        let length = buffer.filled().len();
        self.incoming.end += length;
        match length {
            0 => self.ended = true,
            _ => self.signals.heard.store(true, Ordering::Release),
        }
        Poll::Ready(Ok(()))
    }

    /// Looks at the next whole chunk of what has arrived; false when there is none.
    fn take_chunk(&mut self) -> io::Result<bool> {
        let invalid = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        let incoming = self.incoming.bytes();
        let Some(&kind) = incoming.first() else {
            return Ok(false);
        };
        if !matches!(kind, DATA | BEAT | STOP) {
            return invalid("not a chunk of this link");
        }
        if incoming.len() < HEADER {
            return Ok(false);
        }
        let length = (&incoming[1..HEADER]).get_u32() as usize;
        if length > PAYLOAD {
            return invalid("a chunk is too long");
        }
        if incoming.len() < HEADER + length + KEY {
            return Ok(false);
        }
        if (&incoming[HEADER + length..]).get_u64() != self.key.0 {
            return invalid("a chunk of another session");
        }
        if kind == DATA && length > 0 {
            self.payload = length;
            self.incoming.start += HEADER;
            return Ok(true);
        }
        if kind == STOP {
            let Ok(stream) = incoming[HEADER..HEADER + length].try_into() else {
                return invalid("a stop that names no stream");
            };
            self.signals.stopped(u32::from_be_bytes(stream));
        }
        self.incoming.start += HEADER + length + KEY;
        Ok(true)
    }

    fn read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        while self.payload == 0 {
            if self.take_chunk()? {
                continue;
            }
            if self.ended {
                return Poll::Ready(if self.incoming.bytes().is_empty() {
                    Ok(0)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                });
            }
            ready!(self.fill(context))?;
        }
        let length = buffer.len().min(self.payload);
        buffer[..length].copy_from_slice(&self.incoming.bytes()[..length]);
        self.incoming.start += length;
        self.payload -= length;
        if self.payload == 0 {
            self.incoming.start += KEY;
        }
        Poll::Ready(Ok(length))
    }

    fn write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.outgoing.len() >= BACKLOG {
            self.seal();
            ready!(self.drain(context))?;
        }
        let mut start = *self.filling.get_or_insert(self.outgoing.len());
        if self.outgoing.len() == start + HEADER + PAYLOAD {
            self.seal();
            start = self.outgoing.len();
            self.filling = Some(start);
        }
        if self.outgoing.len() == start {
            self.outgoing.put_slice(&[DATA, 0, 0, 0, 0]);
        }
        let length = bytes.len().min(start + HEADER + PAYLOAD - self.outgoing.len());
        self.outgoing.put_slice(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    fn flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.signals.flush.load(Ordering::Acquire) && self.outgoing.len() < PAYLOAD {
            if !self.outgoing.is_empty() {
                self.signals.unflushed.store(true, Ordering::Release);
            }
            return Poll::Ready(Ok(()));
        }
        // Before what it covers is collected: whoever adds to that meanwhile sets it again.
        self.signals.unflushed.store(false, Ordering::Release);
        self.seal();
        if self.signals.beat.swap(false, Ordering::AcqRel) {
            self.put(BEAT, &[]);
        }
        let stops = std::mem::take(&mut self.signals.streams().stops);
        for stream in stops {
            self.put(STOP, &stream.to_be_bytes());
        }
        if self.drain(context)?.is_pending() || Pin::new(&mut self.io).poll_flush(context)?.is_pending() {
            self.signals.unflushed.store(true, Ordering::Release);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// yamux closes its streams as soon as it sees the wire fail, so the streams must know before yamux does.
    fn noticed<T>(&self, result: Poll<io::Result<T>>, over: impl Fn(&T) -> bool) -> Poll<io::Result<T>> {
        if let Poll::Ready(ready) = &result
            && ready.as_ref().map_or(true, over)
        {
            self.signals.lost.store(true, Ordering::Release);
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> futures::AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let result = self.read(context, buffer);
        self.noticed(result, |length| *length == 0)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> futures::AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = self.write(context, bytes);
        self.noticed(result, |_| false)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.flush(context);
        self.noticed(result, |()| false)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.signals.flush.store(true, Ordering::Release);
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
