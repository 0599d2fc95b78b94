//! Datagrams of many clients on one stream.
//!
//! Each is the flow it belongs to (four bytes, big-endian), its length (two bytes) and that many bytes. A flow is
//! one client of a published port; the host numbers them, and the guest has a socket for each.
//!
//! With the highest bit of the flow set, what follows is not a datagram but the client's address, four or sixteen bytes
//! of it. Flows of this computer itself have none.
//!
//! A stream waits where a network drops: so what waits to be written is bounded, and what does not fit is dropped.

use std::{
    io,
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, BufMut, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::Notify,
};

/// One client of a published port. The highest bit is not its own.
pub type Flow = u32;

const ADDRESS: Flow = 1 << 31;

/// What [`Outbox::name`] has said.
pub(crate) fn named(flow: Flow, address: &[u8]) -> Option<(Flow, IpAddr)> {
    if flow & ADDRESS == 0 {
        return None;
    }
    let address = <[u8; 4]>::try_from(address)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(address).map(IpAddr::from));
    Some((flow & !ADDRESS, address.ok()?))
}

/// A flow in which nothing moved either way for this long is forgotten; at the latest after twice as long. The
/// engine's own proxy has 90 seconds.
pub const FLOW_IDLE: Duration = Duration::from_mins(1);

/// How many flows one published port has at most. With more clients than this the oldest flow is forgotten, and its
/// client is a new one when it goes on.
pub const FLOWS: usize = 4096;

/// The longest datagram there is.
pub const LONGEST_DATAGRAM: usize = u16::MAX as usize;

/// How many datagrams are taken at once before others who wait have their turn.
pub(crate) const BURST: usize = 64;

const HEADER: usize = 6;

/// How much may wait to be written: at 200,000 datagrams of 1,400 bytes a second, 7 ms of them.
const BACKLOG: usize = 2 * 1024 * 1024;

/// How much is read at once.
const READ: usize = 256 * 1024;

/// What waits to be written to the stream.
#[derive(Default)]
pub struct Outbox {
    /// Locked to add one datagram, or to take all.
    waiting: Mutex<BytesMut>,
    filled: Notify,
    dropped: AtomicU64,
}

impl Outbox {
    /// Drops the datagram when the stream is too far behind. [`Outbox::send`] is what makes it go.
    pub fn push(&self, flow: Flow, datagram: &[u8]) {
        let mut waiting = self.waiting();
        let Ok(length) = u16::try_from(datagram.len()) else {
            return;
        };
        if waiting.len() + HEADER + datagram.len() > BACKLOG {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.put_u32(flow);
        waiting.put_u16(length);
        waiting.put_slice(datagram);
    }

    /// Says who is behind a flow, before its first datagram. What is dropped is a client without an address.
    pub fn name(&self, flow: Flow, client: IpAddr) {
        match client {
            IpAddr::V4(client) => self.push(flow | ADDRESS, &client.octets()),
            IpAddr::V6(client) => self.push(flow | ADDRESS, &client.octets()),
        }
    }

    /// Lets go what was pushed. Once for all that came at once: waking the writer costs more than a datagram does.
    pub fn send(&self) {
        self.filled.notify_one();
    }

    /// How many were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes what waits and what comes. Ends only with an error.
    pub async fn drain(&self, mut writer: impl AsyncWrite + Unpin) -> io::Error {
        let mut batch = BytesMut::new();
        loop {
            self.filled.notified().await;
            batch.clear();
            std::mem::swap(&mut batch, &mut *self.waiting());
            let written = async {
                writer.write_all(&batch).await?;
                writer.flush().await
            };
            if let Err(error) = written.await {
                return error;
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BytesMut> {
        // A panic while it was held would have been in an append, which leaves what was there before.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The datagrams that come from the stream.
pub struct Datagrams<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: AsyncRead + Unpin> Datagrams<R> {
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; READ],
            start: 0,
            end: 0,
        }
    }

    /// The next datagrams of one flow, in their order: as many as have come, at least one and at most [`BURST`]. None at
    /// the end of the stream. Cancelling it loses nothing.
    pub async fn next(&mut self) -> io::Result<Option<(Flow, Run<'_>)>> {
        let flow = loop {
            if let Some((flow, _)) = first(&self.buffer[self.start..self.end]) {
                break flow;
            }
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let read = self.reader.read(&mut self.buffer[self.end..]).await?;
            if read == 0 {
                return if self.end == 0 {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
            self.end += read;
        };
        let begin = self.start;
        for _ in 0..BURST {
            match first(&self.buffer[self.start..self.end]) {
                Some((next, datagram)) if next == flow => self.start += HEADER + datagram.len(),
                Some(_) | None => break,
            }
        }
        let run = Run(&self.buffer[begin..self.start]);
        Ok(Some((flow, run)))
    }
}

/// Datagrams of one flow, as they came from the stream.
#[derive(Clone)]
pub struct Run<'a>(&'a [u8]);

impl<'a> Iterator for Run<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (_, datagram) = first(self.0)?;
        self.0 = &self.0[HEADER + datagram.len()..];
        Some(datagram)
    }
}

/// The first datagram, when it is there as a whole.
fn first(mut bytes: &[u8]) -> Option<(Flow, &[u8])> {
    let flow = bytes.try_get_u32().ok()?;
    let length = usize::from(bytes.try_get_u16().ok()?);
    Some((flow, bytes.get(..length)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_behind_a_flow_is_told_and_a_datagram_is_never_taken_for_it() {
        let outbox = Outbox::default();
        let clients: [IpAddr; 2] = ["192.0.2.7".parse().expect("one"), "2001:db8::7".parse().expect("one")];
        outbox.name(5, clients[0]);
        outbox.name(6, clients[1]);
        outbox.push(5, &[1, 2, 3, 4]);
        let mut written = outbox.waiting().split();
        let mut frame = || {
            let (flow, length) = (written.get_u32(), usize::from(written.get_u16()));
            (flow, written.split_to(length))
        };
        for (flow, client) in [(5, clients[0]), (6, clients[1])] {
            let (seen, bytes) = frame();
            assert_eq!(named(seen, &bytes), Some((flow, client)));
        }
        let (flow, bytes) = frame();
        assert_eq!((flow, named(flow, &bytes)), (5, None));
        assert_eq!(named(5 | ADDRESS, b"12345"), None, "neither four bytes nor sixteen");
    }
}
