//! Terminals as the UI sees them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A terminal by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TerminalRef {
    pub id: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TerminalOpen {
    /// The container, by id or name.
    pub container: String,
    pub kind: TerminalKind,
    pub columns: u16,
    pub rows: u16,
}

/// What is in a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum TerminalKind {
    /// A program of the container: a path or a name, and who runs it (`None`: whoever the container runs as).
    Shell { program: String, user: Option<String> },
    /// The container's own program.
    Attach,
    /// A shell of another image that looks into the container.
    Debug { image: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Terminal {
    pub id: u32,
    /// The container's whole id.
    pub container: String,
    pub kind: TerminalKind,
    /// Where a debug shell finds the container's files.
    pub root: Option<String>,
    pub ended: bool,
}

/// What a terminal shows, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum TerminalOutput {
    Text {
        text: String,
        /// Where in all it has shown this ends. It is said back once it is on the screen.
        until: u64,
        /// It was shown before this page came: questions in it have been answered.
        again: bool,
    },
    /// The last one.
    Ended { code: Option<i64> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum TerminalInput {
    Text {
        text: String,
    },
    Size {
        columns: u16,
        rows: u16,
    },
    /// Everything until there is on the screen: more may come.
    Shown {
        until: u64,
    },
}
