//! Copying between a stream and a connection, both ways.
//!
//! Thousands of connections may be open and most of them idle, a few of them as fast as the computer. So each
//! direction has a little buffer of its own, and borrows a large one for as long as the little one is too small.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What each direction has of its own: a request, an answer, a line of a log.
const SMALL: usize = 16 * 1024;

/// Over loopback, 8 KiB reach a quarter of what the system can do, 256 KiB three quarters, more no more.
const LARGE: usize = 256 * 1024;

/// How many large buffers a thread keeps for the next one who needs them.
const KEPT: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Copies both ways until both directions have ended, closing each as its source does. Returns the bytes each
/// way, from `a` to `b` first. After an error neither side has been closed: whoever holds a connection should
/// reset it, so that its peer does not take half an answer for a whole one.
pub async fn splice<A, B>(mut a: A, mut b: B) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut there, mut back) = (Way::new(), Way::new());
    poll_fn(|context| {
        let went = there.poll(context, &mut a, &mut b)?;
        let came = back.poll(context, &mut b, &mut a)?;
        Poll::Ready(Ok((ready!(went), ready!(came))))
    })
    .await
}

/// One direction.
struct Way {
    small: Vec<u8>,
    large: Option<Vec<u8>>,
    /// What lies between the two was read and is to be written.
    start: usize,
    end: usize,
    unflushed: bool,
    ended: bool,
    closed: bool,
    copied: u64,
}

impl Way {
    fn new() -> Self {
        Self {
            small: vec![0; SMALL],
            large: None,
            start: 0,
            end: 0,
            unflushed: false,
            ended: false,
            closed: false,
            copied: 0,
        }
    }

    fn poll<R, W>(&mut self, context: &mut Context<'_>, reader: &mut R, writer: &mut W) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            let buffer = self.large.as_mut().unwrap_or(&mut self.small);
            while self.start < self.end {
                let written = ready!(Pin::new(&mut *writer).poll_write(context, &buffer[self.start..self.end]))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.start += written;
                self.copied += written as u64;
                self.unflushed = true;
            }
            if self.ended {
                if !self.closed {
                    ready!(Pin::new(&mut *writer).poll_shutdown(context))?;
                    self.closed = true;
                }
                return Poll::Ready(Ok(self.copied));
            }
            (self.start, self.end) = (0, 0);
            let mut read = ReadBuf::new(buffer);
            match Pin::new(&mut *reader).poll_read(context, &mut read)? {
                Poll::Ready(()) => {
                    self.end = read.filled().len();
                    self.ended = self.end == 0;
                    // More was there than fits: the next one is read into a large buffer.
                    if self.end == SMALL && self.large.is_none() {
                        let mut large = borrow();
                        large[..SMALL].copy_from_slice(&self.small);
                        self.large = Some(large);
                    }
                }
                Poll::Pending => {
                    self.large.take().into_iter().for_each(give_back);
                    if self.unflushed {
                        ready!(Pin::new(&mut *writer).poll_flush(context))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.large.take().into_iter().for_each(give_back);
    }
}

fn borrow() -> Vec<u8> {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; LARGE])
}

fn give_back(buffer: Vec<u8>) {
    // The thread may be ending, and its spare buffers gone.
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < KEPT {
            spare.push(buffer);
        }
    });
}
