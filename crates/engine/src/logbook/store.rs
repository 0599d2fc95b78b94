//! The lines, on the disk, and where they begin.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use super::{LogLevel, level};
use crate::LogSource;

/// How much is kept on the disk. Older lines go, a segment at a time.
const MOST: u64 = 2 << 30;
const SEGMENT: u64 = 64 << 20;

/// Where every how manieth line begins is known; those in between are read over.
const EVERY: u64 = 64;

/// What waits to be written.
const BUFFER: usize = 256 << 10;

/// Before each text: container (2), source (1), whether there is a time (1), the time (8), how long the text is (4).
const HEADER: usize = 16;

pub(super) struct Stored {
    pub(super) of: u16,
    pub(super) source: LogSource,
    pub(super) millis: Option<i64>,
    pub(super) text: String,
}

pub(super) struct Store {
    segments: VecDeque<Segment>,
    /// Of the first line that is kept, and the one after the last.
    first: u64,
    end: u64,
    most: u64,
    segment: u64,
    /// Of the line before, for what goes on in the next.
    last_level: Option<LogLevel>,
    dropped: u64,
}

struct Segment {
    file: File,
    first: u64,
    begins: Vec<u32>,
    levels: Vec<Option<LogLevel>>,
    /// In the file, and then in the buffer.
    written: u64,
    buffer: Vec<u8>,
}

impl Segment {
    fn new(first: u64) -> io::Result<Segment> {
        Ok(Segment {
            file: tempfile::tempfile()?,
            first,
            begins: Vec::new(),
            levels: Vec::new(),
            written: 0,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    fn length(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.written))?;
        self.file.write_all(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// The bytes from the `block`th known beginning up to the one that begins `blocks` later.
    fn blocks(&mut self, block: usize, blocks: usize) -> io::Result<Vec<u8>> {
        if !self.buffer.is_empty() {
            self.flush()?;
        }
        let Some(begin) = self.begins.get(block).copied() else {
            return Ok(Vec::new());
        };
        let end = self
            .begins
            .get(block + blocks)
            .map_or(self.written, |end| u64::from(*end));
        let length = usize::try_from(end - u64::from(begin)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        self.file.seek(SeekFrom::Start(begin.into()))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Store {
    pub(super) fn new() -> Store {
        Store::within(MOST, SEGMENT)
    }

    fn within(most: u64, segment: u64) -> Store {
        Store {
            segments: VecDeque::new(),
            first: 0,
            end: 0,
            most,
            segment,
            last_level: None,
            dropped: 0,
        }
    }

    /// How many lines had to go because there were too many.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn add(&mut self, line: &Stored) -> io::Result<()> {
        if self.segments.back().is_none_or(|last| last.length() >= self.segment) {
            self.segments.push_back(Segment::new(self.end)?);
            while self.segments.len() as u64 * self.segment > self.most && self.segments.len() > 1 {
                self.segments.pop_front();
            }
            let first = self.segments.front().map_or(self.end, |front| front.first);
            self.dropped += first - self.first;
            self.first = first;
        }
        let text = line.text.as_bytes();
        let level = level::of(text).or_else(|| self.last_level.filter(|_| level::goes_on(text)));
        self.last_level = level;
        let Some(segment) = self.segments.back_mut() else {
            return Ok(());
        };
        if (self.end - segment.first).is_multiple_of(EVERY) {
            segment.begins.push(u32::try_from(segment.length()).unwrap_or(u32::MAX));
        }
        segment.levels.push(level);
        segment.buffer.extend_from_slice(&line.of.to_le_bytes());
        segment.buffer.push(match line.source {
            LogSource::Stdout => 0,
            LogSource::Stderr => 1,
            LogSource::Terminal => 2,
        });
        segment.buffer.push(u8::from(line.millis.is_some()));
        segment
            .buffer
            .extend_from_slice(&line.millis.unwrap_or_default().to_le_bytes());
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        segment.buffer.extend_from_slice(&length.to_le_bytes());
        segment.buffer.extend_from_slice(text);
        self.end += 1;
        if segment.buffer.len() >= BUFFER {
            segment.flush()?;
        }
        Ok(())
    }

    pub(super) fn level(&self, number: u64) -> Option<LogLevel> {
        let segment = &self.segments[self.segment_of(number)?];
        let at = usize::try_from(number - segment.first).ok()?;
        segment.levels.get(at).copied().flatten()
    }

    fn segment_of(&self, number: u64) -> Option<usize> {
        let after = self.segments.partition_point(|segment| segment.first <= number);
        (number >= self.first && number < self.end).then(|| after - 1)
    }

    /// Calls `take` with each line from `from` on, up to `most` of them or until it returns false.
    pub(super) fn walk(&mut self, from: u64, most: u64, mut take: impl FnMut(u64, Stored) -> bool) -> io::Result<()> {
        let mut number = from.max(self.first);
        let end = number.saturating_add(most).min(self.end);
        while number < end {
            let Some(at) = self.segment_of(number) else {
                return Ok(());
            };
            let segment = &mut self.segments[at];
            let block = (number - segment.first) / EVERY;
            let blocks = ((end - number) / EVERY + 2).min(64);
            let bytes = segment.blocks(
                usize::try_from(block).unwrap_or(usize::MAX),
                usize::try_from(blocks).unwrap_or(1),
            )?;
            let mut at = segment.first + block * EVERY;
            let mut rest = bytes.as_slice();
            let before = number;
            while let Some((line, after)) = split(rest) {
                rest = after;
                if at >= number {
                    if at >= end || !take(at, line.stored()) {
                        return Ok(());
                    }
                    number = at + 1;
                }
                at += 1;
            }
            if number == before {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.segments.clear();
        self.first = self.end;
    }
}

struct Raw<'a> {
    header: &'a [u8; HEADER],
    text: &'a [u8],
}

impl Raw<'_> {
    fn stored(&self) -> Stored {
        let [of_0, of_1, source, timed, m0, m1, m2, m3, m4, m5, m6, m7, ..] = *self.header;
        Stored {
            of: u16::from_le_bytes([of_0, of_1]),
            source: match source {
                0 => LogSource::Stdout,
                1 => LogSource::Stderr,
                _ => LogSource::Terminal,
            },
            millis: (timed == 1).then(|| i64::from_le_bytes([m0, m1, m2, m3, m4, m5, m6, m7])),
            // It was text when it was written.
            text: String::from_utf8_lossy(self.text).into_owned(),
        }
    }
}

fn split(bytes: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let length = u32::from_le_bytes([header[12], header[13], header[14], header[15]]) as usize;
    let (text, rest) = rest.split_at_checked(length)?;
    Some((Raw { header, text }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Stored {
        Stored {
            of: 3,
            source: LogSource::Stderr,
            millis: Some(-7),
            text: text.to_owned(),
        }
    }

    fn texts(store: &mut Store, from: u64, most: u64) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        store
            .walk(from, most, |number, line| {
                assert_eq!((line.of, line.source, line.millis), (3, LogSource::Stderr, Some(-7)));
                found.push((number, line.text));
                true
            })
            .expect("read");
        found
    }

    #[test]
    fn any_window_of_many_lines_is_found() {
        let mut store = Store::within(1 << 30, 10_000);
        for number in 0..5_000 {
            store.add(&line(&format!("line {number}"))).expect("added");
        }
        assert!(store.segments.len() > 5, "it is about several files");
        for from in [0, 1, 63, 64, 65, 411, 412, 413, 2_500, 4_990] {
            let expected: Vec<(u64, String)> = (from..(from + 7).min(5_000))
                .map(|n| (n, format!("line {n}")))
                .collect();
            assert_eq!(texts(&mut store, from, 7), expected, "from {from}");
        }
        assert_eq!(texts(&mut store, 0, u64::MAX).len(), 5_000);
        store.clear();
        assert_eq!((store.first(), texts(&mut store, 0, 10).len()), (5_000, 0));
    }

    #[test]
    fn old_lines_go_and_the_others_keep_their_numbers() {
        let mut store = Store::within(40_000, 10_000);
        for number in 0..5_000 {
            store.add(&line(&format!("line {number}"))).expect("added");
        }
        assert!(store.first() > 1_000 && store.segments.len() == 4, "{}", store.first());
        let first = store.first();
        assert_eq!(texts(&mut store, 0, 1), [(first, format!("line {first}"))]);
    }

    #[test]
    fn what_goes_on_has_the_level_of_its_beginning() {
        let mut store = Store::within(1 << 20, 1 << 20);
        for text in ["ERROR bad", "Traceback (most recent call last):", "  File x", "fine"] {
            store.add(&line(text)).expect("added");
        }
        let levels: Vec<_> = (0..4).map(|number| store.level(number)).collect();
        assert_eq!(
            levels,
            [
                Some(LogLevel::Error),
                Some(LogLevel::Error),
                Some(LogLevel::Error),
                None
            ]
        );
    }
}
