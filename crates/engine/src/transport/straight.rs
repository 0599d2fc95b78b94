//! A long answer, read straight from the connection.
//!
//! hyper hands each piece of an answer over by itself, from the task that reads to the one that wants it. dockerd makes
//! a piece of every line of a log, so a million lines were two million changes from one thread to another: most of what
//! reading a log took.

use std::io;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Call, Client, LARGEST_ANSWER, Wire, words};
use crate::Error;
use crate::error::Reply;

/// What is read at once, at most: about what the system holds for a local connection.
const READ: usize = 256 << 10;

/// The lines before an answer are not longer.
const LONGEST_HEAD: usize = 64 << 10;
const HEADERS: usize = 64;

/// The body of an answer that said success.
pub(crate) struct Straight {
    wire: Box<dyn Wire>,
    /// What was read and not taken yet.
    buffer: BytesMut,
    left: Left,
}

/// What is still to come.
enum Left {
    /// So many bytes; none is the end.
    Bytes(u64),
    /// Everything until the connection is closed.
    Everything,
    /// Pieces, each with its length before it.
    Pieces(Piece),
}

enum Piece {
    Length,
    Inside(u64),
    /// The line end after a piece.
    After,
}

struct Head {
    status: hyper::StatusCode,
    left: Left,
    length: usize,
}

impl Client {
    /// The answer to a call that brings nothing along, once its head is here and says success.
    pub(crate) async fn straight(&self, call: Call<'_>) -> Result<Straight, Error> {
        let (subject, doing, within) = (call.subject, call.doing, call.within);
        let answer = async {
            let request = self.request(call)?;
            let mut text = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).into_bytes();
            for (name, value) in request.headers() {
                text.extend_from_slice(name.as_str().as_bytes());
                text.extend_from_slice(b": ");
                text.extend_from_slice(value.as_bytes());
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"Connection: close\r\n\r\n");
            let mut wire = self.wire().await?;
            wire.write_all(&text).await.map_err(broken_off)?;
            let (head, buffer) = head(&mut *wire).await?;
            let mut body = Straight {
                wire,
                buffer,
                left: head.left,
            };
            if head.status.is_success() {
                return Ok(body);
            }
            let mut text = Vec::new();
            while text.len() < LARGEST_ANSWER && body.read(&mut text).await? {}
            Err(Error::from_reply(
                subject,
                Reply {
                    status: head.status.as_u16(),
                    message: words(&text, head.status),
                },
            ))
        };
        tokio::time::timeout(within, answer)
            .await
            .unwrap_or(Err(Error::Silent { doing, after: within }))
    }
}

async fn head(wire: &mut dyn Wire) -> Result<(Head, BytesMut), Error> {
    let mut buffer = BytesMut::with_capacity(READ);
    loop {
        if wire.read_buf(&mut buffer).await.map_err(broken_off)? == 0 {
            return Err(broken_off(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(head) = parse(&buffer)? {
            buffer.advance(head.length);
            return Ok((head, buffer));
        }
        if buffer.len() > LONGEST_HEAD {
            return Err(garbled("the answer's head is endless"));
        }
    }
}

/// Nothing while more of it has to come.
fn parse(bytes: &[u8]) -> Result<Option<Head>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes).map_err(garbled)? else {
        return Ok(None);
    };
    let status = response.code.and_then(|code| hyper::StatusCode::from_u16(code).ok());
    let value = |name: &str| {
        let header = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let left = if value("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        Left::Pieces(Piece::Length)
    } else {
        match value("content-length") {
            Some(length) => Left::Bytes(length.trim().parse().map_err(garbled)?),
            None => Left::Everything,
        }
    };
    Ok(Some(Head {
        status: status.ok_or_else(|| garbled("the answer has no status"))?,
        left,
        length,
    }))
}

impl Straight {
    /// Adds what has come, waiting while nothing has. Whether there may be more. Nothing is lost when it is given up
    /// while it waits.
    pub(crate) async fn read(&mut self, into: &mut Vec<u8>) -> Result<bool, Error> {
        let before = into.len();
        loop {
            self.take(into)?;
            if into.len() > before {
                return Ok(true);
            }
            if matches!(self.left, Left::Bytes(0)) {
                return Ok(false);
            }
            self.buffer.reserve(READ);
            if self.wire.read_buf(&mut self.buffer).await.map_err(broken_off)? == 0 {
                return match self.left {
                    Left::Everything => Ok(false),
                    Left::Bytes(_) | Left::Pieces(_) => Err(broken_off(io::ErrorKind::UnexpectedEof.into())),
                };
            }
        }
    }

    /// Moves from the buffer what is whole. What came before nonsense is given first, the nonsense is told next time.
    fn take(&mut self, into: &mut Vec<u8>) -> Result<(), Error> {
        let before = into.len();
        let mut rest = &self.buffer[..];
        let result = loop {
            match &mut self.left {
                Left::Everything => {
                    into.extend_from_slice(rest);
                    rest = &[];
                    break Ok(());
                }
                Left::Bytes(left) => {
                    move_some(&mut rest, left, into);
                    break Ok(());
                }
                Left::Pieces(piece) => match piece {
                    Piece::Length => match httparse::parse_chunk_size(rest) {
                        Ok(httparse::Status::Complete((length, 0))) => {
                            rest = &rest[length..];
                            // What may follow the last piece says nothing about a log.
                            self.left = Left::Bytes(0);
                        }
                        Ok(httparse::Status::Complete((length, size))) => {
                            rest = &rest[length..];
                            *piece = Piece::Inside(size);
                        }
                        Ok(httparse::Status::Partial) => break Ok(()),
                        Err(_) if into.len() > before => break Ok(()),
                        Err(httparse::InvalidChunkSize) => break Err(garbled("a piece has no length")),
                    },
                    Piece::Inside(left) => {
                        move_some(&mut rest, left, into);
                        if *left > 0 {
                            break Ok(());
                        }
                        *piece = Piece::After;
                    }
                    Piece::After => match rest.split_first_chunk::<2>() {
                        Some((_, after)) => {
                            rest = after;
                            *piece = Piece::Length;
                        }
                        None => break Ok(()),
                    },
                },
            }
        };
        let taken = self.buffer.len() - rest.len();
        self.buffer.advance(taken);
        result
    }
}

fn move_some(rest: &mut &[u8], left: &mut u64, into: &mut Vec<u8>) {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
    let (now, later) = rest.split_at(length);
    into.extend_from_slice(now);
    *left -= length as u64;
    *rest = later;
}

fn broken_off(source: io::Error) -> Error {
    Error::BrokenOff { source: source.into() }
}

fn garbled(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Garbled { source: why.into() }
}
