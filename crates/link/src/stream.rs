//! One stream of a session: bytes both ways, half-close, and messages of one line each.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::OwnedSemaphorePermit,
};

use crate::{
    Error,
    message::Reply,
    wire::{Brake, Signals},
};

/// The longest message. An inventory of publications is the largest there is, at some 150 bytes each.
const LONGEST_MESSAGE: usize = 1024 * 1024;

/// A stream of its own within the session. Shutting it down closes our direction only; dropping it ends both.
pub struct Stream {
    inner: yamux::Stream,
    signals: Arc<Signals>,
    brake: Arc<Brake>,
    /// What was read beyond the last message.
    read: BytesMut,
    reading: Reading,
    /// The other side knows of this stream: yamux opens one with its first bytes.
    opened: bool,
    shut: bool,
    permit: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// The next line is the reply to what was asked; only what follows it is for the reader.
    Reply,
    Bytes,
    Ended,
}

impl Stream {
    pub(crate) fn new(inner: yamux::Stream, signals: Arc<Signals>) -> Self {
        let brake = signals.register(inner.id().val());
        Self {
            inner,
            signals,
            brake,
            read: BytesMut::new(),
            reading: Reading::Bytes,
            opened: false,
            shut: false,
            permit: None,
        }
    }

    /// Makes reading raw bytes take the reply first. A refusal is an error of the kind `ConnectionRefused` then.
    pub(crate) fn expect_reply(&mut self) {
        self.reading = Reading::Reply;
    }

    pub(crate) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }

    /// The next message, or None at the end of the stream. Cancelling it loses nothing.
    pub async fn read_message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.read[searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(searched + end + 1);
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            searched = self.read.len();
            if searched > LONGEST_MESSAGE {
                return Err(Error::TooLong { limit: LONGEST_MESSAGE });
            }
            let mut more = [0; 4096];
            let length = Unbuffered(self).read(&mut more).await?;
            if length == 0 {
                return if self.read.is_empty() {
                    Ok(None)
                } else {
                    Err(Error::Cut)
                };
            }
            self.read.extend_from_slice(&more[..length]);
        }
    }

    pub async fn write_message<T: Serialize>(&mut self, message: &T) -> Result<(), Error> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.write_all(&line).await?;
        self.flush().await?;
        Ok(())
    }

    /// Answers a request with yes.
    pub async fn accept<T: Serialize>(&mut self, value: T) -> Result<(), Error> {
        self.write_message(&Reply::Ok { value }).await
    }

    /// Answers a request with no and the sentence for the person.
    pub async fn refuse(mut self, message: &str) -> Result<(), Error> {
        let message = message.into();
        self.write_message(&Reply::<()>::Refused { message }).await?;
        Ok(self.shutdown().await?)
    }

    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut more = [0; 4096];
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end + 1);
                self.reading = Reading::Bytes;
                return Poll::Ready(match serde_json::from_slice(&line)? {
                    Reply::Ok { value: () } => Ok(()),
                    Reply::Refused { message } => Err(io::Error::new(io::ErrorKind::ConnectionRefused, message)),
                });
            }
            if self.read.len() > LONGEST_MESSAGE {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            let mut buffer = ReadBuf::new(&mut more);
            ready!(self.poll_inner(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.read.extend_from_slice(buffer.filled());
        }
    }

    fn poll_inner(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.reading == Reading::Ended {
            return Poll::Ready(Ok(()));
        }
        let length = ready!(futures::AsyncRead::poll_read(
            Pin::new(&mut self.inner),
            context,
            buffer.initialize_unfilled()
        ))?;
        buffer.advance(length);
        if length == 0 && buffer.remaining() > 0 {
            // yamux reports a reset, and a session that broke, as a plain end. Nobody may take half an answer for
            // a whole one. After both sides closed their halves the two look alike unless the session is over.
            if self.inner.is_closed() && (!self.shut || self.signals.lost.load(Ordering::Acquire)) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            self.reading = Reading::Ended;
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads past the bytes kept for the reader of raw bytes.
struct Unbuffered<'a>(&'a mut Stream);

impl AsyncRead for Unbuffered<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_inner(context, buffer)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reading == Reading::Reply {
            ready!(self.poll_reply(context))?;
        }
        if !self.read.is_empty() {
            let length = buffer.remaining().min(self.read.len());
            buffer.put_slice(&self.read[..length]);
            self.read.advance(length);
            return Poll::Ready(Ok(()));
        }
        self.poll_inner(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.brake.writer.register(context.waker());
        if self.brake.pulled.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = ready!(futures::AsyncWrite::poll_write(
            Pin::new(&mut self.inner),
            context,
            bytes
        ))
        .map_err(gone)?;
        self.opened = true;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        futures::AsyncWrite::poll_flush(Pin::new(&mut self.inner), context).map_err(gone)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.opened {
            // yamux would close a stream that the other side has never heard of.
            ready!(futures::AsyncWrite::poll_write(Pin::new(&mut self.inner), context, &[])).map_err(gone)?;
            self.opened = true;
        }
        if !self.shut {
            ready!(futures::AsyncWrite::poll_close(Pin::new(&mut self.inner), context)).map_err(gone)?;
            self.shut = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Of everything else yamux tells the other side by itself.
        let stop = self.shut && self.reading != Reading::Ended && !self.inner.is_closed();
        self.signals.forget(self.inner.id().val(), stop);
    }
}

/// yamux says "write zero" when nothing can be written any more.
fn gone(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WriteZero {
        io::Error::new(io::ErrorKind::BrokenPipe, error)
    } else {
        error
    }
}
