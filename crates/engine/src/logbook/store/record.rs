//! What is known of a line besides its text, in a fixed number of bytes.

use crate::{LogLevel, LogSource};

/// Where it begins (4), container (2), source and whether there is a time (1), level (1), the time (8).
pub(super) const RECORD: usize = 16;

const TIMED: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// In the text of its segment.
    pub(super) begin: u32,
    pub(super) of: u16,
    pub(super) source: LogSource,
    pub(super) millis: Option<i64>,
    pub(super) level: Option<LogLevel>,
}

impl Record {
    pub(super) fn write(&self) -> [u8; RECORD] {
        let source = match self.source {
            LogSource::Stdout => 0,
            LogSource::Stderr => 1,
            LogSource::Terminal => 2,
        };
        let level = match self.level {
            None => 0,
            Some(LogLevel::Debug) => 1,
            Some(LogLevel::Info) => 2,
            Some(LogLevel::Warning) => 3,
            Some(LogLevel::Error) => 4,
        };
        let timed = if self.millis.is_some() { TIMED } else { 0 };
        let mut bytes = [0; RECORD];
        bytes[..4].copy_from_slice(&self.begin.to_le_bytes());
        bytes[4..6].copy_from_slice(&self.of.to_le_bytes());
        bytes[6] = source | timed;
        bytes[7] = level;
        bytes[8..].copy_from_slice(&self.millis.unwrap_or_default().to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8; RECORD]) -> Record {
        let [b0, b1, b2, b3, of_0, of_1, source, level, millis @ ..] = *bytes;
        Record {
            begin: u32::from_le_bytes([b0, b1, b2, b3]),
            of: u16::from_le_bytes([of_0, of_1]),
            source: match source & !TIMED {
                0 => LogSource::Stdout,
                1 => LogSource::Stderr,
                _ => LogSource::Terminal,
            },
            millis: (source & TIMED != 0).then(|| i64::from_le_bytes(millis)),
            level: match level {
                1 => Some(LogLevel::Debug),
                2 => Some(LogLevel::Info),
                3 => Some(LogLevel::Warning),
                4 => Some(LogLevel::Error),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written() {
        use LogLevel::{Debug, Error, Info, Warning};
        for source in [LogSource::Stdout, LogSource::Stderr, LogSource::Terminal] {
            for level in [None, Some(Debug), Some(Info), Some(Warning), Some(Error)] {
                for millis in [None, Some(0), Some(-7), Some(i64::MAX)] {
                    let record = Record {
                        begin: 0x0102_0304,
                        of: 513,
                        source,
                        millis,
                        level,
                    };
                    assert_eq!(Record::read(&record.write()), record);
                }
            }
        }
    }
}
