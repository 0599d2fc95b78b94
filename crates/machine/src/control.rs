//! What the daemon and its clients say to each other: one line of JSON each way, then lines of JSON from the daemon
//! until it has said all.

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use crate::doctor::GuestAnswer;
use crate::{Failure, Freed, Settings, SettingsChange, SpecChange, Status};

/// Version of everything in this file. A client and a daemon that differ say so to the person.
pub(crate) const VERSION: u32 = 1;

/// The release that this code belongs to, for the sentence when versions differ.
pub(crate) const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The longest line that either side takes. A status with a thousand forwards stays below it.
const LONGEST_LINE: u64 = 4 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope {
    pub(crate) version: u32,
    pub(crate) release: String,
    pub(crate) request: Request,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum Request {
    /// Answered once with [`Answer::Status`].
    Status,
    /// Answered with the present status and each later one, until the client closes.
    Watch,
    /// Each status on the way, then [`Answer::Done`] or [`Answer::Failed`].
    Start {
        change: SpecChange,
    },
    Stop,
    Restart,
    /// As [`Request::Restart`], but only the engine: the machine and its containers go on.
    RestartEngine,
    /// Answered once with [`Answer::Freed`] or [`Answer::Failed`].
    Free,
    Suspend,
    /// Answered once with [`Answer::Guest`].
    Guest,
    /// Answered once with [`Answer::Settings`].
    Settings,
    /// Answered once with [`Answer::Settings`] or [`Answer::Failed`].
    ChangeSettings {
        change: SettingsChange,
    },
    /// The spec becomes what it was at first, but for the size of a disk that is there. Nothing on the disk is touched.
    ResetSpec,
    /// Removes the data disk of a machine that is stopped.
    Erase,
    /// Answered with [`Answer::Machine`] and then with a line each, when the machine runs; otherwise the answers end
    /// at once.
    Logs {
        follow: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum Answer {
    Status {
        status: Status,
    },
    Done {
        status: Status,
    },
    Failed {
        failure: Failure,
    },
    /// `None` when no machine runs, or when it does not answer.
    Guest {
        answer: Option<GuestAnswer>,
    },
    Settings {
        settings: Settings,
    },
    Freed {
        freed: Freed,
    },
    OtherVersion {
        release: String,
    },
    /// Which machine the following lines are of.
    Machine {
        pid: u32,
    },
    Line {
        line: String,
    },
}

/// The next line, or `None` at the end.
pub(crate) async fn read<T: serde::de::DeserializeOwned>(
    reader: &mut BufReader<impl AsyncRead + Unpin>,
) -> std::io::Result<Option<T>> {
    let mut line = Vec::new();
    tokio::io::AsyncReadExt::take(reader, LONGEST_LINE)
        .read_until(b'\n', &mut line)
        .await?;
    if !line.ends_with(b"\n") {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

pub(crate) async fn write<T: Serialize>(writer: &mut (impl AsyncWrite + Unpin), message: &T) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}
