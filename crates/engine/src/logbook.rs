//! A log to be looked at: the lines of one container, or of several merged by time, kept on the disk and indexed, so
//! that a window can be drawn anywhere in millions of them and a search goes through all.
//!
//! The lines are in files without a name that go when the log is closed. In memory is only which ones a search has
//! found, and the lines that were read last.

mod level;
mod merge;
mod plain;
mod search;
mod session;
mod store;
mod view;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::LogSource;

/// Which log, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LogOpen {
    /// One container, or those of a project.
    pub ids: Vec<String>,
    /// The last lines of each; `None`: all.
    pub tail: Option<u32>,
    /// Milliseconds of Unix time.
    pub since: Option<i64>,
    pub until: Option<i64>,
}

/// What the page wants of an open log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum LogWish {
    /// The lines from this position of what is shown. `None`: the last ones, and again whenever there are new ones.
    Window { from: Option<u64>, count: u32 },
    /// What is shown and what is found; an empty search finds nothing.
    Look {
        search: String,
        regex: bool,
        matching_only: bool,
        /// Empty: all.
        levels: Vec<LogLevel>,
    },
    /// The next line that the search finds, from a line on (`None`: from the end), around the end if need be.
    Step { from: Option<u64>, forward: bool },
    /// All that is shown, as text, its last megabyte.
    Text,
    /// One line, as text, with what is not drawn of it.
    Whole { number: u64 },
    /// Forgets what has come so far.
    Clear,
}

/// What an open log says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum LogNews {
    State {
        state: LogState,
    },
    Lines {
        /// The position of the first in what is shown.
        from: u64,
        lines: Vec<ShownLine>,
    },
    /// A line that the search finds.
    Found {
        number: u64,
        /// Where it is in what is shown.
        position: u64,
        /// Counted from 1.
        nth: u64,
    },
    /// The pattern makes no sense: why.
    BadPattern {
        why: String,
    },
    Text {
        text: String,
    },
    /// A line without its escapes; nothing when it is not kept any more.
    Whole {
        text: Option<String>,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LogState {
    /// Lines that are shown with the search and the levels.
    pub shown: u64,
    /// All that are kept.
    pub kept: u64,
    /// Older ones that were kept and are no longer.
    pub dropped: u64,
    /// Lines with a match.
    pub matches: u64,
    /// Not all lines have been looked at yet.
    pub searching: bool,
    /// Nothing comes any more.
    pub ended: bool,
    /// What was there when it was opened has been read.
    pub read: bool,
}

/// A line as it is drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ShownLine {
    /// Its name: it stays although others are dropped.
    pub number: u64,
    /// Which of the containers.
    pub of: u16,
    pub source: LogSource,
    pub millis: Option<i64>,
    pub level: Option<LogLevel>,
    /// With colours and without any other escape.
    pub text: String,
    /// How long all of it is, in bytes, when there is more of it than is drawn.
    pub length: Option<u64>,
    /// Where the search was found in the text without colours: begins and ends, in UTF-16 units.
    pub found: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}
