//! What the daemon and the file server of a machine say to each other: one line of JSON each way.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Change;

/// What the guest is to see from now on, whole: it replaces what was said before. Answered with
/// [`FilesAnswer::Served`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilesView {
    /// Folders the guest may see, without symbolic links in their paths.
    pub folders: Vec<PathBuf>,
    /// Folders below them that it may not see.
    pub hidden: Vec<PathBuf>,
    /// Folders and files below them whose changes are told.
    pub watched: Vec<PathBuf>,
    /// The guest's thread that raises events: see [`crate::Raise`].
    pub raiser: Option<i32>,
}

/// What the file server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum FilesAnswer {
    /// The guest sees what was asked for, but for the folders that could not be opened.
    Served { refused: Vec<RefusedFolder> },
    /// Somebody other than the guest changed something below a watched folder.
    Changed { changes: Vec<Change> },
    /// The guest keeps so many files that there may soon be no room for another.
    Crowded,
    /// Nothing is served for now: servers have died of what they were asked for.
    GivenUp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedFolder {
    pub path: PathBuf,
    pub why: String,
}
