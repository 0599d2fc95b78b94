//! One window program a home. The second start asks the first to show its window, and ends.
//!
//! Not `tauri-plugin-single-instance`: that one knows one instance a user and not a home, and on Linux it needs a
//! session bus, without which it starts everything twice.

use std::path::Path;

use crate::system;

pub(crate) enum Claim {
    First(Turn),
    /// Another one holds this home; it was asked to show its window.
    Second,
}

/// Holds the home until it is dropped or the process ends, however it ends.
pub(crate) use system::Turn;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("Could not find out whether Wherry's window is open already")]
    Claim(#[source] std::io::Error),
}

/// Called inside the runtime.
pub(crate) fn claim(home: &Path) -> Result<Claim, Error> {
    Ok(match system::claim(home).map_err(Error::Claim)? {
        Some(turn) => Claim::First(turn),
        None => Claim::Second,
    })
}
