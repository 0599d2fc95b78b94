use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;

/// Why the machine could not be reached or did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine itself failed; the failure has its own causes and hint.
    #[error("{}", .0.message)]
    Failed(Failure),
    #[error("Could not find the folder where programs keep their data")]
    NoDataFolder { source: etcetera::HomeDirError },
    #[error("WHERRY_HOME is {path}, which is not an absolute path")]
    RelativeHome { path: PathBuf },
    #[error("{doing}")]
    Io { doing: &'static str, source: io::Error },
    #[error("Could not start the background process {program}")]
    Spawn { program: PathBuf, source: io::Error },
    #[error("The background process did not answer within {} s", .after.as_secs())]
    DaemonSilent { after: Duration, log: PathBuf },
    /// The daemon went away in the middle of an answer: it was killed, or the computer is shutting down.
    #[error("The background process ended before it answered")]
    DaemonLost { log: PathBuf },
    #[error("The running background process is of Wherry {theirs}, this is {ours}")]
    OtherVersion { theirs: String, ours: String },
    #[error("The background process said something that is not understood")]
    Garbled { source: serde_json::Error },
}

impl Error {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Failed(failure) => Some(failure.hint.clone()).filter(|hint| !hint.is_empty()),
            Self::NoDataFolder { .. } => Some("Set WHERRY_HOME to a folder of your own.".into()),
            Self::RelativeHome { .. } => Some("Give WHERRY_HOME a path from the root of the file system.".into()),
            Self::Io { .. } | Self::Garbled { .. } => None,
            Self::Spawn { .. } => Some("Install Wherry again; its program is missing or damaged.".into()),
            Self::DaemonSilent { log, .. } | Self::DaemonLost { log } => Some(format!(
                "Its log is {}. Starting the machine again takes up where it was.",
                log.display()
            )),
            Self::OtherVersion { .. } => {
                Some("Stop the machine with the Wherry that started it (wherry stop), then start it again.".into())
            }
        }
    }

    /// Why, outermost first, without the message of the error itself.
    pub fn causes(&self) -> Vec<String> {
        if let Self::Failed(failure) = self {
            return failure.causes.clone();
        }
        let mut causes = Vec::new();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        causes
    }

    /// The last lines of the machine's console, where they say more.
    pub fn console(&self) -> &[String] {
        match self {
            Self::Failed(failure) => &failure.console,
            _ => &[],
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
