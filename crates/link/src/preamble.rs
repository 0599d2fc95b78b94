//! How both sides agree where a session begins.
//!
//! The byte stream below is a serial port: it has no connection of its own, and bytes of an earlier session may
//! still be under way in both directions when a new host attaches, even in the middle of a chunk. So a host
//! begins with
//!
//! 1. as many newlines as the longest chunk it may have left unfinished. They complete that chunk, which then
//!    carries the wrong key, or stand where a chunk should begin; either ends the guest's old session.
//! 2. `wherry-link 1 hello NONCE`, repeated until answered, with a nonce nobody used before. A guest that has no
//!    session looks for such a line, drops everything else, and answers `here NONCE`.
//! 3. `go NONCE` once its own nonce was answered: whatever follows is the session. Repeated hellos still under
//!    way stand before it. The guest says `go NONCE` too, so that the host knows where the guest's side begins.
//!
//! Lines start with a newline so that garbage before them cannot spoil them.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io,
    pin::Pin,
    task::Poll,
    time::Duration,
};

use bytes::{Buf, BytesMut};
use futures::future::poll_fn;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, MissedTickBehavior, timeout},
};

use crate::{Error, wire::LONGEST_CHUNK};

/// How often an unanswered host repeats its hello.
const REPEAT: Duration = Duration::from_millis(200);

/// How long a host waits for the guest's `go` before it starts over: a guest that was restarted between `here`
/// and `go` has forgotten us.
const GO: Duration = Duration::from_secs(2);

const WORD: &str = "wherry-link 1";

/// A longer line is none of ours; this is what bounds the memory garbage may take.
const LONGEST_LINE: usize = 64;

/// Tells one session from another. It also closes every chunk, see [`crate::wire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nonce(pub(crate) u64);

impl Nonce {
    /// Fresh, not secret: the standard library's hasher is seeded by the system and no two are alike.
    fn new() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Hello(Nonce),
    Here(Nonce),
    Go(Nonce),
}

impl Line {
    fn write(self, to: &mut BytesMut) {
        let (word, nonce) = match self {
            Self::Hello(nonce) => ("hello", nonce),
            Self::Here(nonce) => ("here", nonce),
            Self::Go(nonce) => ("go", nonce),
        };
        to.extend_from_slice(format!("\n{WORD} {word} {:016x}\n", nonce.0).as_bytes());
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let (word, nonce) = line.strip_prefix(WORD)?.strip_prefix(' ')?.split_once(' ')?;
        if nonce.len() != 16 || !nonce.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let nonce = Nonce(u64::from_str_radix(nonce, 16).ok()?);
        match word {
            "hello" => Some(Self::Hello(nonce)),
            "here" => Some(Self::Here(nonce)),
            "go" => Some(Self::Go(nonce)),
            _ => None,
        }
    }
}

/// Finds our lines among anything else.
#[derive(Default)]
struct Scanner {
    line: Vec<u8>,
    overlong: bool,
}

impl Scanner {
    /// The next line of ours. What follows it stays in `bytes`.
    fn next(&mut self, bytes: &mut BytesMut) -> Option<Line> {
        while bytes.has_remaining() {
            let byte = bytes.get_u8();
            if byte != b'\n' {
                self.overlong |= self.line.len() == LONGEST_LINE;
                if !self.overlong {
                    self.line.push(byte);
                }
                continue;
            }
            let found = if self.overlong { None } else { Line::parse(&self.line) };
            self.line.clear();
            self.overlong = false;
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

/// The host's side. Returns the session's key and the bytes of the session that came with the last line.
///
/// Cancelling it leaves the stream with half a preamble, which the next attempt makes good.
pub(crate) async fn host<S>(stream: &mut S) -> Result<(Nonce, BytesMut), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut scanner = Scanner::default();
    let mut bytes = BytesMut::new();
    loop {
        let nonce = Nonce::new();
        let mut outgoing = BytesMut::new();
        outgoing.resize(LONGEST_CHUNK, b'\n');
        let mut repeat = tokio::time::interval(REPEAT);
        repeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut gone = None;
        loop {
            // Nothing is read beyond the guest's `go`, so what it says there is still in `bytes` afterwards.
            while let Some(line) = scanner.next(&mut bytes) {
                match line {
                    Line::Here(answered) if answered == nonce && gone.is_none() => {
                        Line::Go(nonce).write(&mut outgoing);
                        gone = Some(Instant::now());
                    }
                    Line::Go(answered) if answered == nonce && gone.is_some() => {
                        return Ok((nonce, bytes));
                    }
                    Line::Hello(_) | Line::Here(_) | Line::Go(_) => {}
                }
            }
            if gone.is_some_and(|gone| gone.elapsed() >= GO) {
                break;
            }
            tokio::select! {
                read = reader.read_buf(&mut bytes) => if read? == 0 { return Err(Error::Closed) },
                sent = send(&mut writer, &mut outgoing), if outgoing.has_remaining() => sent?,
                // A guest that does not read makes no difference to the other branches, but must not make the
                // hellos pile up either.
                _ = repeat.tick() => if gone.is_none() && outgoing.len() <= LONGEST_CHUNK {
                    Line::Hello(nonce).write(&mut outgoing);
                },
            }
        }
    }
}

/// The guest's side; waits for a host as long as it takes, or until the stream ends.
pub(crate) async fn guest<S>(stream: &mut S) -> Result<(Nonce, BytesMut), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A host whose session broke on our side only would wait for its next chunk: no chunk begins with a newline,
    // so this tells it. Without a host the port takes nothing, which is as good.
    poll_fn(|context| {
        let _ = Pin::new(&mut *stream).poll_write(context, b"\n");
        Poll::Ready(())
    })
    .await;

    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut scanner = Scanner::default();
    let mut bytes = BytesMut::new();
    let mut outgoing = BytesMut::new();
    let mut answered = None;
    loop {
        while let Some(line) = scanner.next(&mut bytes) {
            match line {
                Line::Hello(nonce) => {
                    // What an earlier host did not take must not delay the answer for this one.
                    if answered != Some(nonce) {
                        outgoing.clear();
                    }
                    // One answer under way is enough: a host that does not read must not make them pile up.
                    if outgoing.is_empty() {
                        Line::Here(nonce).write(&mut outgoing);
                    }
                    answered = Some(nonce);
                }
                Line::Go(nonce) if answered == Some(nonce) => {
                    Line::Go(nonce).write(&mut outgoing);
                    // Bounded, because a host that left now would never take it and nobody reads meanwhile.
                    return match timeout(GO, writer.write_all(&outgoing)).await {
                        Ok(written) => {
                            written?;
                            writer.flush().await?;
                            Ok((nonce, bytes))
                        }
                        Err(_) => Err(Error::Closed),
                    };
                }
                Line::Go(_) | Line::Here(_) => {}
            }
        }
        tokio::select! {
            read = reader.read_buf(&mut bytes) => if read? == 0 { return Err(Error::Closed) },
            sent = send(&mut writer, &mut outgoing), if outgoing.has_remaining() => sent?,
        }
    }
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), outgoing: &mut BytesMut) -> io::Result<()> {
    writer.write_buf(outgoing).await?;
    writer.flush().await
}
