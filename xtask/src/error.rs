//! Why a command of xtask could not do its work.

use std::io;

use crate::guest;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The path stands in the source, which comes from `fs_err`.
    #[error("Could not read or write a file")]
    File(#[from] io::Error),
    #[error("Could not start {program}")]
    Start { program: String, source: io::Error },
    #[error("{command} failed ({status})")]
    Failed { command: String, status: String },
    #[error("{command} did not end within {minutes} minutes")]
    TooLong { command: String, minutes: u64 },
    #[error("{what} says something that is not understood")]
    Garbled { what: String, source: serde_json::Error },
    #[error("{what} is missing")]
    Missing { what: String, hint: String },
    #[error("There is no display to open a window on")]
    NoDisplay,
    #[error("There is no {what} named {name}")]
    Unknown {
        what: &'static str,
        name: String,
        known: String,
    },
    #[error("Could not build the machine's image")]
    Guest(#[from] guest::Error),
    /// Everything was said already, in a table.
    #[error("Not everything passed")]
    NotAllPassed,
}

impl Error {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Start { program, .. } => Some(format!("Install {program}, or put it into PATH.")),
            Self::Missing { hint, .. } => Some(hint.clone()),
            Self::Guest(error) => error.hint().map(str::to_owned),
            Self::NoDisplay => Some(
                "Use `cargo xtask serve` and open the address that it prints in a browser, or set DISPLAY.".to_owned(),
            ),
            Self::Unknown { known, .. } => Some(format!("There are: {known}.")),
            Self::File(_) | Self::Failed { .. } | Self::TooLong { .. } | Self::Garbled { .. } | Self::NotAllPassed => {
                None
            }
        }
    }
}
