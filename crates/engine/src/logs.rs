//! A container's log, as lines in batches.
//!
//! Nothing is read ahead of the reader: one that is slow stops us, and through us the engine.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures::{Stream, StreamExt as _};
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::error::Subject;
use crate::transport::Call;
use crate::{Engine, Error, LogChunk, LogLine, LogSource, name};

/// A batch goes out when it is this old or this large, whichever comes first.
const BATCH_AGE: Duration = Duration::from_millis(16);
const BATCH_SIZE: usize = 32 << 10;

/// A longer line is shown as several. Programs that write one line for ever exist.
const LONGEST_LINE: usize = 64 << 10;

/// `2026-11-21T09:30:00.123456789Z` with some room for an offset.
const LONGEST_STAMP: usize = 40;

/// Which lines: times are milliseconds of Unix time.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogSpan {
    /// The last so many; `None`: all.
    pub(crate) tail: Option<u32>,
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
    /// And those to come until the container stops.
    pub(crate) follow: bool,
}

impl Engine {
    /// The last `tail` lines, and with `follow` those to come until the container stops. An `Err` is the last item.
    pub async fn logs(
        &self,
        container: &str,
        tail: u32,
        follow: bool,
    ) -> Result<impl Stream<Item = Result<LogChunk, Error>> + Send + use<>, Error> {
        let span = LogSpan {
            tail: Some(tail),
            follow,
            ..LogSpan::default()
        };
        self.logs_of(container, &span).await
    }

    /// The lines of a span of time.
    pub(crate) async fn logs_of(
        &self,
        container: &str,
        span: &LogSpan,
    ) -> Result<impl Stream<Item = Result<LogChunk, Error>> + Send + use<>, Error> {
        let terminal = self.inspect_container(container).await?.config.tty;
        let path = format!("/containers/{}/logs", name::container(container)?);
        let tail = span.tail.map_or("all".to_owned(), |tail| tail.to_string());
        let mut call = Call::get(path, Subject::Container(container), "open the log")
            .query("stdout", "1")
            .query("stderr", "1")
            .query("timestamps", "1")
            .query("tail", &tail)
            .query("follow", if span.follow { "1" } else { "0" });
        for (name, at) in [("since", span.since), ("until", span.until)] {
            if let Some(at) = at {
                call = call.query(name, &format!("{}.{:03}", at.div_euclid(1000), at.rem_euclid(1000)));
            }
        }
        let body = self.client().await?.open(call).await?.into_body();
        let logs = Logs {
            body: Some(BodyDataStream::new(body)),
            decoder: Decoder::new(terminal),
            error: None,
        };
        Ok(futures::stream::unfold(logs, |mut logs| async move {
            Some((logs.next().await?, logs))
        }))
    }
}

struct Logs {
    /// `None` after its end.
    body: Option<BodyDataStream<Incoming>>,
    decoder: Decoder,
    error: Option<Error>,
}

impl Logs {
    async fn next(&mut self) -> Option<Result<LogChunk, Error>> {
        let mut due: Option<Instant> = None;
        while let Some(body) = &mut self.body {
            if self.decoder.ready_bytes >= BATCH_SIZE {
                break;
            }
            if !self.decoder.ready.is_empty() {
                due.get_or_insert_with(|| Instant::now() + BATCH_AGE);
            }
            let read = match due {
                None => body.next().await,
                Some(due) => match tokio::time::timeout_at(due, body.next()).await {
                    Ok(read) => read,
                    Err(_) => break,
                },
            };
            match read {
                Some(Ok(bytes)) => self.decoder.push(bytes),
                Some(Err(source)) => {
                    self.error = Some(Error::BrokenOff { source });
                    self.end();
                }
                None => self.end(),
            }
        }
        match self.decoder.take_batch() {
            Some(chunk) => Some(Ok(chunk)),
            None => self.error.take().map(Err),
        }
    }

    fn end(&mut self) {
        self.body = None;
        self.decoder.end();
    }
}

/// From the engine's bytes to lines. The form of the bytes is in the API's documentation of `ContainerAttach`:
/// frames of `[source, 0, 0, 0, length (4 bytes, big endian)]` and text, or plain text for a terminal.
struct Decoder {
    place: Place,
    /// Begins of lines, for standard output and error (or the terminal).
    unfinished: [Unfinished; 2],
    ready: VecDeque<LogLine>,
    ready_bytes: usize,
}

enum Place {
    Terminal {
        stamp: Option<Stamp>,
    },
    Header {
        bytes: [u8; 8],
        have: usize,
    },
    Text {
        source: LogSource,
        left: usize,
        stamp: Option<Stamp>,
    },
}

/// The time in front of every message, while it is being read.
#[derive(Default)]
struct Stamp(Vec<u8>);

#[derive(Default)]
struct Unfinished {
    text: Vec<u8>,
    millis: Option<i64>,
    begun: bool,
}

impl Decoder {
    fn new(terminal: bool) -> Decoder {
        Decoder {
            place: if terminal {
                Place::Terminal {
                    stamp: Some(Stamp::default()),
                }
            } else {
                Place::Header { bytes: [0; 8], have: 0 }
            },
            unfinished: <[Unfinished; 2]>::default(),
            ready: VecDeque::new(),
            ready_bytes: 0,
        }
    }

    fn push(&mut self, mut bytes: Bytes) {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Header { bytes: header, have } => {
                    let take = (header.len() - *have).min(bytes.len());
                    header[*have..*have + take].copy_from_slice(&bytes[..take]);
                    *have += take;
                    bytes.advance(take);
                    if *have == header.len() {
                        // 0 is an echo of standard input and 3 an error of the engine; both are read with the errors.
                        let source = if header[0] == 1 {
                            LogSource::Stdout
                        } else {
                            LogSource::Stderr
                        };
                        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
                        self.place = text(source, length as usize);
                    }
                }
                Place::Text { source, left, stamp } => {
                    let source = *source;
                    let mut part = bytes.split_to((*left).min(bytes.len()));
                    *left -= part.len();
                    let last = *left == 0;
                    let stamped = take_stamp(stamp, &mut part, last);
                    self.append(source, stamped, &part);
                    if last {
                        self.place = Place::Header { bytes: [0; 8], have: 0 };
                    }
                }
                Place::Terminal { stamp } => {
                    // A new time stands at the beginning of each line.
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let mut part = bytes.split_to(end.map_or(bytes.len(), |end| end + 1));
                    let stamped = take_stamp(stamp, &mut part, end.is_some());
                    if end.is_some() {
                        *stamp = Some(Stamp::default());
                    }
                    self.append(LogSource::Terminal, stamped, &part);
                }
            }
        }
    }

    fn append(&mut self, source: LogSource, stamped: Option<Stamped>, mut part: &[u8]) {
        let unfinished = match source {
            LogSource::Stdout | LogSource::Terminal => &mut self.unfinished[0],
            LogSource::Stderr => &mut self.unfinished[1],
        };
        if let Some(stamped) = stamped {
            // The rest of a long message has a time of its own; the first one counts.
            if !unfinished.begun {
                unfinished.millis = stamped.millis;
                unfinished.begun = true;
            }
            unfinished.text.extend_from_slice(&stamped.text);
        }
        loop {
            let end = part.iter().position(|byte| *byte == b'\n');
            let room = LONGEST_LINE.saturating_sub(unfinished.text.len());
            match end {
                Some(end) if end <= room => {
                    unfinished.text.extend_from_slice(&part[..end]);
                    part = &part[end + 1..];
                    finish(&mut self.ready, &mut self.ready_bytes, source, unfinished);
                }
                _ if part.len() > room => {
                    unfinished.text.extend_from_slice(&part[..room]);
                    part = &part[room..];
                    let millis = unfinished.millis;
                    finish(&mut self.ready, &mut self.ready_bytes, source, unfinished);
                    unfinished.millis = millis;
                    unfinished.begun = true;
                }
                _ => {
                    unfinished.begun |= !part.is_empty();
                    unfinished.text.extend_from_slice(part);
                    return;
                }
            }
        }
    }

    /// What has no line end is a line too.
    fn end(&mut self) {
        let terminal = match std::mem::replace(&mut self.place, Place::Header { bytes: [0; 8], have: 0 }) {
            Place::Terminal { stamp } => {
                if let Some(Stamp(text)) = stamp.filter(|stamp| !stamp.0.is_empty()) {
                    self.append(LogSource::Terminal, Some(stamped(text)), &[]);
                }
                true
            }
            Place::Header { .. } => false,
            Place::Text { source, stamp, .. } => {
                if let Some(Stamp(text)) = stamp.filter(|stamp| !stamp.0.is_empty()) {
                    self.append(source, Some(stamped(text)), &[]);
                }
                false
            }
        };
        let first = if terminal {
            LogSource::Terminal
        } else {
            LogSource::Stdout
        };
        for (source, unfinished) in [first, LogSource::Stderr].into_iter().zip(&mut self.unfinished) {
            if !unfinished.text.is_empty() {
                finish(&mut self.ready, &mut self.ready_bytes, source, unfinished);
            }
        }
    }

    fn take_batch(&mut self) -> Option<LogChunk> {
        let mut lines = Vec::new();
        let mut size = 0;
        while size < BATCH_SIZE
            && let Some(line) = self.ready.pop_front()
        {
            size += weight(&line);
            lines.push(line);
        }
        self.ready_bytes -= size;
        (!lines.is_empty()).then_some(LogChunk { lines })
    }
}

fn text(source: LogSource, length: usize) -> Place {
    if length == 0 {
        return Place::Header { bytes: [0; 8], have: 0 };
    }
    Place::Text {
        source,
        left: length,
        stamp: Some(Stamp::default()),
    }
}

/// A line and what JSON puts around it.
fn weight(line: &LogLine) -> usize {
    line.text.len() + 64
}

fn finish(ready: &mut VecDeque<LogLine>, ready_bytes: &mut usize, source: LogSource, unfinished: &mut Unfinished) {
    let Unfinished { mut text, millis, .. } = std::mem::take(unfinished);
    if text.ends_with(b"\r") {
        text.pop();
    }
    let text = String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let line = LogLine { source, millis, text };
    *ready_bytes += weight(&line);
    ready.push_back(line);
}

struct Stamped {
    millis: Option<i64>,
    /// What was no time after all.
    text: Vec<u8>,
}

/// Takes the time from the front of a message. `None` while more of it must come, or when it was taken before.
fn take_stamp(stamp: &mut Option<Stamp>, part: &mut Bytes, last: bool) -> Option<Stamped> {
    let Stamp(have) = stamp.as_mut()?;
    let window = part.len().min(LONGEST_STAMP.saturating_sub(have.len()));
    match part[..window].iter().position(|byte| *byte == b' ') {
        Some(end) => {
            have.extend_from_slice(&part[..end]);
            let stamped = stamped(std::mem::take(have));
            // The blank belongs to the time, or to the text.
            part.advance(end + usize::from(stamped.millis.is_some()));
            *stamp = None;
            Some(stamped)
        }
        None if last || have.len() + part.len() >= LONGEST_STAMP => {
            let text = std::mem::take(have);
            *stamp = None;
            Some(stamped(text))
        }
        None => {
            have.extend_from_slice(part);
            part.clear();
            None
        }
    }
}

/// A message that ended, or went on, before a blank.
fn stamped(text: Vec<u8>) -> Stamped {
    match parse_stamp(&text) {
        Some(millis) => Stamped {
            millis: Some(millis),
            text: Vec::new(),
        },
        None => Stamped { millis: None, text },
    }
}

fn parse_stamp(text: &[u8]) -> Option<i64> {
    let stamp: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(stamp.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "2026-11-21T09:30:00.123456789Z";
    const MILLIS: i64 = 1_795_253_400_123;

    fn frame(source: u8, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("a short frame").to_be_bytes();
        [&[source, 0, 0, 0][..], &length, text].concat()
    }

    fn stamped(source: u8, text: &str) -> Vec<u8> {
        frame(source, format!("{STAMP} {text}").as_bytes())
    }

    fn decode(terminal: bool, bytes: &[u8], step: usize) -> Vec<LogLine> {
        let mut decoder = Decoder::new(terminal);
        for part in bytes.chunks(step) {
            decoder.push(Bytes::copy_from_slice(part));
        }
        decoder.end();
        let lines = std::iter::from_fn(|| decoder.take_batch())
            .flat_map(|chunk| chunk.lines)
            .collect();
        assert_eq!(decoder.ready_bytes, 0, "what is counted is what is there");
        lines
    }

    fn line(source: LogSource, text: &str) -> LogLine {
        LogLine {
            source,
            millis: Some(MILLIS),
            text: text.to_owned(),
        }
    }

    #[test]
    fn lines_are_the_same_wherever_the_bytes_are_cut() {
        let bytes = [
            stamped(1, "one\n"),
            stamped(2, "oh\r\n"),
            stamped(1, "first half, "),
            stamped(2, "in between\n"),
            stamped(1, "second half\n"),
            stamped(1, "\n"),
            frame(1, b""),
            stamped(1, "no end"),
        ]
        .concat();
        let expected = [
            line(LogSource::Stdout, "one"),
            line(LogSource::Stderr, "oh"),
            line(LogSource::Stderr, "in between"),
            line(LogSource::Stdout, "first half, second half"),
            line(LogSource::Stdout, ""),
            line(LogSource::Stdout, "no end"),
        ];
        for step in 1..bytes.len() {
            assert_eq!(decode(false, &bytes, step), expected, "cut every {step} bytes");
        }
    }

    #[test]
    fn a_terminal_s_bytes_are_lines_as_they_are() {
        let bytes = format!("{STAMP} \u{1b}[31mred\u{1b}[0m\r\n{STAMP} \u{1}odd\r\n{STAMP} $ ");
        for step in 1..bytes.len() {
            assert_eq!(
                decode(true, bytes.as_bytes(), step),
                [
                    line(LogSource::Terminal, "\u{1b}[31mred\u{1b}[0m"),
                    line(LogSource::Terminal, "\u{1}odd"),
                    line(LogSource::Terminal, "$ "),
                ]
            );
        }
    }

    #[test]
    fn a_line_of_a_megabyte_comes_in_parts_and_nothing_is_lost() {
        let long = "x".repeat(1 << 20);
        let mut bytes = Vec::new();
        for part in long.as_bytes().chunks(16 << 10) {
            bytes.extend(stamped(1, std::str::from_utf8(part).expect("ASCII")));
        }
        bytes.extend(stamped(1, "\n"));
        let lines = decode(false, &bytes, 4096);
        assert!(
            lines
                .iter()
                .all(|line| line.text.len() <= LONGEST_LINE && line.millis == Some(MILLIS))
        );
        assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<String>(), long);
    }

    #[test]
    fn text_without_a_time_stays_whole() {
        let bytes = [
            frame(1, b"no time here\n"),
            frame(1, b"word\n"),
            frame(2, b"\xff\xfe\n"),
        ]
        .concat();
        for step in 1..bytes.len() {
            let lines = decode(false, &bytes, step);
            let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(text, ["no time here", "word", "\u{fffd}\u{fffd}"]);
            assert!(lines.iter().all(|line| line.millis.is_none()));
        }
    }

    #[test]
    fn a_header_that_promises_gigabytes_reserves_none() {
        let mut bytes = vec![1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        bytes.extend_from_slice(b"text that never ends");
        assert_eq!(decode(false, &bytes, 3).len(), 1);
    }
}
