//! The lines, on the disk, and where they begin.
//!
//! A log is kept in segments of two files: one has the text, each line with a line feed after it, so that a search
//! goes through it as it is; the other has a record of a fixed size for each line, so that any line is found at once.
//! Nothing of a line is in memory.

mod record;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use super::{LogLevel, level};
use crate::LogSource;
use crate::logs::Lines;
use record::{RECORD, Record};

/// How much is kept on the disk. Older lines go, a segment at a time.
const MOST: u64 = 2 << 30;
const SEGMENT: u64 = 64 << 20;

/// What waits to be written, in each of the two files.
const BUFFER: usize = 256 << 10;

/// How many records are read at once where many are.
const RECORDS: u64 = 16 << 10;

/// Of lines that are read together, so much is read whole. Of longer ones after that the beginning must do.
const WHOLE: u64 = 8 << 20;
const BEGINNING: u64 = 64 << 10;

/// One line of it.
pub(super) struct Stored {
    pub(super) number: u64,
    pub(super) of: u16,
    pub(super) source: LogSource,
    pub(super) millis: Option<i64>,
    pub(super) level: Option<LogLevel>,
    pub(super) text: String,
    /// Of the text, in bytes, which may be more than there is here.
    pub(super) length: u64,
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
    first: u64,
    text: Part,
    records: Part,
}

/// A file that is added to.
struct Part {
    file: File,
    /// In the file, and then in the buffer.
    written: u64,
    buffer: Vec<u8>,
}

impl Part {
    fn new() -> io::Result<Part> {
        Ok(Part {
            file: tempfile::tempfile()?,
            written: 0,
            buffer: Vec::new(),
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

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.buffer.len() >= BUFFER {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// The bytes from there to there.
    fn read(&mut self, begin: u64, end: u64, into: &mut Vec<u8>) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.flush()?;
        }
        into.resize(usize::try_from(end - begin).unwrap_or(usize::MAX), 0);
        self.file.seek(SeekFrom::Start(begin))?;
        self.file.read_exact(into)
    }
}

impl Segment {
    fn new(first: u64) -> io::Result<Segment> {
        Ok(Segment {
            first,
            text: Part::new()?,
            records: Part::new()?,
        })
    }

    fn length(&self) -> u64 {
        self.text.length() + self.records.length()
    }

    fn count(&self) -> u64 {
        self.records.length() / RECORD as u64
    }

    /// Of the lines from there to there, counted in the segment.
    fn records(&mut self, from: u64, to: u64) -> io::Result<Vec<Record>> {
        let mut bytes = Vec::new();
        let size = RECORD as u64;
        self.records.read(from * size, to * size, &mut bytes)?;
        Ok(bytes.as_chunks::<RECORD>().0.iter().map(Record::read).collect())
    }

    /// Where a line begins; of the one after the last, where it will.
    fn begin(&mut self, at: u64) -> io::Result<u64> {
        if at >= self.count() {
            return Ok(self.text.length());
        }
        let record = self.records(at, at + 1)?;
        Ok(record.first().map_or(0, |record| record.begin.into()))
    }
}

impl Store {
    pub(super) fn new() -> Store {
        Store::within(MOST, SEGMENT)
    }

    pub(super) fn within(most: u64, segment: u64) -> Store {
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

    pub(super) fn add(&mut self, lines: &Lines) -> io::Result<()> {
        self.make_room()?;
        let Some(segment) = self.segments.back_mut() else {
            return Ok(());
        };
        let before = segment.text.length();
        for (at, line) in lines.lines.iter().enumerate() {
            let text = lines.text(at).as_bytes();
            let level = level::of(text).or_else(|| self.last_level.filter(|_| level::goes_on(text)));
            self.last_level = level;
            let record = Record {
                begin: u32::try_from(before + line.begin as u64).unwrap_or(u32::MAX),
                of: line.of,
                source: line.source,
                millis: line.millis,
                level,
            };
            segment.records.buffer.extend_from_slice(&record.write());
        }
        segment.text.buffer.extend_from_slice(lines.text.as_bytes());
        self.end += lines.lines.len() as u64;
        segment.text.flush_if_full()?;
        segment.records.flush_if_full()
    }

    /// Begins a segment where the last one is full, and lets the oldest go.
    fn make_room(&mut self) -> io::Result<()> {
        if self.segments.back().is_some_and(|last| last.length() < self.segment) {
            return Ok(());
        }
        if let Some(last) = self.segments.back_mut() {
            for part in [&mut last.text, &mut last.records] {
                part.flush()?;
                part.buffer = Vec::new();
            }
        }
        self.segments.push_back(Segment::new(self.end)?);
        while self.segments.len() as u64 * self.segment > self.most && self.segments.len() > 1 {
            self.segments.pop_front();
        }
        let first = self.segments.front().map_or(self.end, |front| front.first);
        self.dropped += first - self.first;
        self.first = first;
        Ok(())
    }

    /// The segment that has this line, and which of its lines it is.
    fn place(&mut self, number: u64) -> Option<(&mut Segment, u64)> {
        if number < self.first || number >= self.end {
            return None;
        }
        let after = self.segments.partition_point(|segment| segment.first <= number);
        let segment = self.segments.get_mut(after.checked_sub(1)?)?;
        let at = number - segment.first;
        Some((segment, at))
    }

    /// So many lines from there on, or as many as there are.
    pub(super) fn lines(&mut self, from: u64, count: u64) -> io::Result<Vec<Stored>> {
        let mut lines = Vec::new();
        let mut number = from.max(self.first);
        let end = number.saturating_add(count).min(self.end);
        while number < end {
            let Some((segment, at)) = self.place(number) else { break };
            let to = segment.count().min(at + (end - number));
            read_lines(segment, at, to, &mut lines)?;
            number += to - at;
        }
        Ok(lines)
    }

    /// One line with all its text.
    pub(super) fn whole(&mut self, number: u64) -> io::Result<Option<String>> {
        let Some((segment, at)) = self.place(number) else {
            return Ok(None);
        };
        let (begin, end) = (segment.begin(at)?, segment.begin(at + 1)?);
        let mut text = Vec::new();
        segment.text.read(begin, end - 1, &mut text)?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    /// The level of each line from there to there.
    pub(super) fn levels(&mut self, from: u64, to: u64, mut take: impl FnMut(u64, Option<LogLevel>)) -> io::Result<()> {
        let (mut number, to) = (from.max(self.first), to.min(self.end));
        while number < to {
            let Some((segment, at)) = self.place(number) else { break };
            let until = segment.count().min(at + (to - number).min(RECORDS));
            for record in segment.records(at, until)? {
                take(number, record.level);
                number += 1;
            }
        }
        Ok(())
    }

    /// The text of whole lines from there on, of about so many bytes and at least one line; and the line after them.
    pub(super) fn text(&mut self, from: u64, bytes: u64, into: &mut Vec<u8>) -> io::Result<u64> {
        let Some((segment, at)) = self.place(from) else {
            into.clear();
            return Ok(from);
        };
        let begin = segment.begin(at)?;
        // The last line that begins within so many bytes: a few records are read to find it.
        let (mut to, mut beyond) = (at + 1, segment.count() + 1);
        while beyond - to > 1 {
            let middle = to.midpoint(beyond);
            if segment.begin(middle)? <= begin + bytes {
                to = middle;
            } else {
                beyond = middle;
            }
        }
        let end = segment.begin(to)?;
        segment.text.read(begin, end, into)?;
        Ok(from + (to - at))
    }

    pub(super) fn clear(&mut self) {
        self.segments.clear();
        self.first = self.end;
    }
}

fn read_lines(segment: &mut Segment, from: u64, to: u64, lines: &mut Vec<Stored>) -> io::Result<()> {
    let records = segment.records(from, to)?;
    let (begin, end) = (segment.begin(from)?, segment.begin(to)?);
    let mut text = Vec::new();
    let together = end - begin <= WHOLE;
    if together {
        segment.text.read(begin, end, &mut text)?;
    }
    let mut room = WHOLE;
    for (at, record) in records.iter().enumerate() {
        let from_here = u64::from(record.begin);
        let length = records.get(at + 1).map_or(end, |next| next.begin.into()) - 1 - from_here;
        let text = if together {
            let place = usize::try_from(from_here - begin).unwrap_or(usize::MAX);
            &text[place..place + usize::try_from(length).unwrap_or(usize::MAX)]
        } else {
            let most = length.min(room.max(BEGINNING));
            room -= room.min(length);
            segment.text.read(from_here, from_here + most, &mut text)?;
            &text
        };
        lines.push(Stored {
            number: segment.first + from + at as u64,
            of: record.of,
            source: record.source,
            millis: record.millis,
            level: record.level,
            // It was text when it was written, and may be cut in the middle of a character here.
            text: String::from_utf8_lossy(text).into_owned(),
            length,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
