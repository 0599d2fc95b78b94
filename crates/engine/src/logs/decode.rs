//! From the engine's bytes to lines. The form of the bytes is in the API's documentation of `ContainerAttach`:
//! frames of `[source, 0, 0, 0, length (4 bytes, big endian)]` and text, or plain text for a terminal.
//!
//! A message that is longer than 16 KB comes in several frames, of which the last alone ends a line.

use super::stamp::{Clock, parse};
use super::{Line, Lines};
use crate::LogSource;

/// A longer line is shown as several. Programs that write one line for ever exist, and a line is held in memory until
/// its end has come.
const LONGEST_LINE: usize = 4 << 20;

/// `2026-11-21T09:30:00.123456789Z` with some room for an offset.
const LONGEST_STAMP: usize = 40;

const HEADER: usize = 8;

pub(super) struct Decoder {
    place: Place,
    /// Begins of lines, for standard output and error (or the terminal).
    unfinished: [Unfinished; 2],
    clock: Clock,
}

enum Place {
    Terminal {
        stamp: Option<Stamp>,
    },
    Header {
        bytes: [u8; HEADER],
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
    pub(super) fn new(terminal: bool) -> Decoder {
        Decoder {
            place: if terminal {
                Place::Terminal {
                    stamp: Some(Stamp::default()),
                }
            } else {
                next_header()
            },
            unfinished: <[Unfinished; 2]>::default(),
            clock: Clock::default(),
        }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8], lines: &mut Lines) {
        while !bytes.is_empty() {
            if matches!(self.place, Place::Header { have: 0, .. })
                && let Some(rest) = self.whole(bytes, lines)
            {
                bytes = rest;
                continue;
            }
            match &mut self.place {
                Place::Header { bytes: header, have } => {
                    let take = (header.len() - *have).min(bytes.len());
                    header[*have..*have + take].copy_from_slice(&bytes[..take]);
                    *have += take;
                    bytes = &bytes[take..];
                    if *have == header.len() {
                        let (source, length) = frame(*header);
                        self.place = text(source, length);
                    }
                }
                Place::Text { source, left, stamp } => {
                    let source = *source;
                    let mut part = cut(&mut bytes, *left);
                    *left -= part.len();
                    let last = *left == 0;
                    let stamped = take_stamp(stamp, &mut part, last);
                    self.append(source, stamped, part, lines);
                    if last {
                        self.place = next_header();
                    }
                }
                Place::Terminal { stamp } => {
                    // A new time stands at the beginning of each line.
                    let end = memchr::memchr(b'\n', bytes);
                    let mut part = cut(&mut bytes, end.map_or(usize::MAX, |end| end + 1));
                    let stamped = take_stamp(stamp, &mut part, end.is_some());
                    if end.is_some() {
                        *stamp = Some(Stamp::default());
                    }
                    self.append(LogSource::Terminal, stamped, part, lines);
                }
            }
        }
    }

    /// Takes a frame that is one line with its time, as nearly all are, without putting it together first. What
    /// follows it; nothing when it is not so.
    fn whole<'a>(&mut self, bytes: &'a [u8], lines: &mut Lines) -> Option<&'a [u8]> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let (source, length) = frame(*header);
        let (message, rest) = rest.split_at_checked(length)?;
        if self.unfinished[slot(source)].begun {
            return None;
        }
        let (millis, begin) = self.clock.fixed(message)?;
        let line = message.get(begin..)?.strip_suffix(b"\n")?;
        if line.len() > LONGEST_LINE || memchr::memchr(b'\n', line).is_some() {
            return None;
        }
        add(lines, source, Some(millis), line);
        Some(rest)
    }

    fn append(&mut self, source: LogSource, stamped: Option<Stamped>, mut part: &[u8], lines: &mut Lines) {
        let unfinished = &mut self.unfinished[slot(source)];
        if let Some(stamped) = stamped {
            // The rest of a long message has a time of its own; the first one counts.
            if !unfinished.begun {
                unfinished.millis = stamped.millis;
                unfinished.begun = true;
            }
            unfinished.text.extend_from_slice(&stamped.text);
        }
        loop {
            let end = memchr::memchr(b'\n', part);
            let room = LONGEST_LINE.saturating_sub(unfinished.text.len());
            match end {
                Some(end) if end <= room => {
                    unfinished.text.extend_from_slice(&part[..end]);
                    part = &part[end + 1..];
                    finish(lines, source, unfinished);
                }
                _ if part.len() > room => {
                    unfinished.text.extend_from_slice(&part[..room]);
                    part = &part[room..];
                    let millis = unfinished.millis;
                    finish(lines, source, unfinished);
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
    pub(super) fn end(&mut self, lines: &mut Lines) {
        let terminal = match std::mem::replace(&mut self.place, next_header()) {
            Place::Terminal { stamp } => {
                if let Some(Stamp(text)) = stamp.filter(|stamp| !stamp.0.is_empty()) {
                    self.append(LogSource::Terminal, Some(stamped(text)), &[], lines);
                }
                true
            }
            Place::Header { .. } => false,
            Place::Text { source, stamp, .. } => {
                if let Some(Stamp(text)) = stamp.filter(|stamp| !stamp.0.is_empty()) {
                    self.append(source, Some(stamped(text)), &[], lines);
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
                finish(lines, source, unfinished);
            }
        }
    }
}

fn next_header() -> Place {
    Place::Header {
        bytes: [0; HEADER],
        have: 0,
    }
}

/// 0 is an echo of standard input and 3 an error of the engine; both are read with the errors.
fn frame(header: [u8; HEADER]) -> (LogSource, usize) {
    let [kind, _, _, _, length @ ..] = header;
    let source = if kind == 1 {
        LogSource::Stdout
    } else {
        LogSource::Stderr
    };
    (source, u32::from_be_bytes(length) as usize)
}

fn slot(source: LogSource) -> usize {
    match source {
        LogSource::Stdout | LogSource::Terminal => 0,
        LogSource::Stderr => 1,
    }
}

/// Takes from the front what is there of so many bytes.
fn cut<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (part, rest) = bytes.split_at(length.min(bytes.len()));
    *bytes = rest;
    part
}

fn text(source: LogSource, length: usize) -> Place {
    if length == 0 {
        return next_header();
    }
    Place::Text {
        source,
        left: length,
        stamp: Some(Stamp::default()),
    }
}

fn finish(lines: &mut Lines, source: LogSource, unfinished: &mut Unfinished) {
    let Unfinished { text, millis, .. } = std::mem::take(unfinished);
    add(lines, source, millis, &text);
}

fn add(lines: &mut Lines, source: LogSource, millis: Option<i64>, text: &[u8]) {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let line = Line {
        of: 0,
        source,
        millis,
        begin: 0,
    };
    match std::str::from_utf8(text) {
        Ok(text) => lines.push(line, text),
        Err(_) => lines.push(line, &String::from_utf8_lossy(text)),
    }
}

struct Stamped {
    millis: Option<i64>,
    /// What was no time after all.
    text: Vec<u8>,
}

/// Takes the time from the front of a message. `None` while more of it must come, or when it was taken before.
fn take_stamp(stamp: &mut Option<Stamp>, part: &mut &[u8], last: bool) -> Option<Stamped> {
    let Stamp(have) = stamp.as_mut()?;
    let window = part.len().min(LONGEST_STAMP.saturating_sub(have.len()));
    match memchr::memchr(b' ', &part[..window]) {
        Some(end) => {
            have.extend_from_slice(&part[..end]);
            let stamped = stamped(std::mem::take(have));
            // The blank belongs to the time, or to the text.
            *part = &part[end + usize::from(stamped.millis.is_some())..];
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
            *part = &[];
            None
        }
    }
}

/// A message that ended, or went on, before a blank.
fn stamped(text: Vec<u8>) -> Stamped {
    match parse(&text) {
        Some(millis) => Stamped {
            millis: Some(millis),
            text: Vec::new(),
        },
        None => Stamped { millis: None, text },
    }
}

#[cfg(test)]
mod tests;
