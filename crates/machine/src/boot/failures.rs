//! What goes wrong in a start, in words.

use std::io;
use std::time::Duration;

use tokio::time::timeout;
use wherry_link::{Error as LinkError, GuestFailure, Session};

use super::Boot;
use crate::{Failure, FailureCode, Home, Step, tail};

/// How many lines of the console a failure shows.
const CONSOLE_LINES: usize = 20;
/// When a conversation ends because the link does, the link says so within this time.
const LINK_ENDS: Duration = Duration::from_millis(500);

impl Boot<'_> {
    /// What QEMU said last, which says more than that it is gone.
    pub(super) fn last_words(&self, otherwise: &str) -> String {
        let said = tail::last_lines(&self.home().process_log(), 1);
        said.into_iter().next().unwrap_or_else(|| otherwise.to_owned())
    }

    pub(super) fn guest_failure(&self, step: Step, cause: GuestFailure) -> Failure {
        Failure {
            step: Some(step),
            ..guest_failure(self.home(), cause)
        }
    }

    pub(super) fn console(&self) -> Vec<String> {
        tail::last_lines(&self.home().console_log(), CONSOLE_LINES)
    }

    pub(super) fn silence(&self, causes: Vec<String>) -> Failure {
        Failure {
            code: FailureCode::NoAnswer,
            step: Some(Step::Linux),
            message: "The machine gave no sign of life".into(),
            causes,
            hint: "Start it again; if it stays so, its console (wherry console) may say why.".into(),
            console: self.console(),
        }
    }

    pub(super) fn too_long(&self, step: Step, after: Duration) -> Failure {
        let (code, message) = match step {
            Step::Engine => (FailureCode::EngineFailed, "The engine did not start in time"),
            Step::Data => (FailureCode::NoAnswer, "The data disk was not ready in time"),
            Step::Check | Step::Disk | Step::Linux | Step::Connect => {
                (FailureCode::NoAnswer, "The machine did not answer in time")
            }
        };
        Failure {
            code,
            step: Some(step),
            message: message.into(),
            causes: vec![format!("Nothing was heard of it for {} s", after.as_secs())],
            hint: "Start the machine again; its logs (wherry logs) may say what it was waiting for.".into(),
            console: self.console(),
        }
    }

    pub(super) fn died(&self, step: Step) -> Failure {
        Failure {
            step: Some(step),
            ..died(self.home())
        }
    }

    /// What a guest that has introduced itself does not understand is of another Wherry. One of before the words for
    /// that ends the conversation, and the link stays.
    pub(super) async fn no_exchange(&self, session: &Session, error: &LinkError) -> Failure {
        let cause = link_cause(error);
        match error {
            LinkError::Refused { .. } | LinkError::Message { .. } | LinkError::TooLong { .. } | LinkError::Cut => {
                does_not_fit(cause)
            }
            LinkError::Closed | LinkError::Io { .. } if timeout(LINK_ENDS, session.closed()).await.is_err() => {
                does_not_fit("It did not understand what it was told of this computer".into())
            }
            LinkError::NoAnswer { .. } | LinkError::Closed | LinkError::Io { .. } => self.silence(vec![cause]),
        }
    }
}

pub(super) fn does_not_fit(cause: String) -> Failure {
    Failure {
        code: FailureCode::NoAnswer,
        step: Some(Step::Linux),
        message: "The machine's system does not fit this Wherry".into(),
        causes: vec![cause],
        hint: "Stop the machine and start it again; if that does not help, install Wherry again.".into(),
        console: Vec::new(),
    }
}

/// Where QEMU said nothing, Linux may have: it ends the process when it cannot go on.
pub(super) fn started_again(why: &str, failure: &Failure) -> String {
    let words = match failure.code {
        FailureCode::Died => failure.causes.last().or(failure.console.last()),
        _ => None,
    };
    let words = words.map(|words| format!(" ({words})")).unwrap_or_default();
    format!("The machine was started a second time: {why}{words}.")
}

/// The machine's process has ended and nobody asked for it.
pub(crate) fn died(home: &Home) -> Failure {
    Failure {
        code: FailureCode::Died,
        step: None,
        message: "The machine's process has ended unexpectedly".into(),
        causes: tail::last_lines(&home.process_log(), 3),
        hint: "Start the machine again; containers that restart by themselves come back, and no data is lost that \
               was written to disk."
            .into(),
        console: tail::last_lines(&home.console_log(), CONSOLE_LINES),
    }
}

pub(crate) fn guest_failure(home: &Home, cause: GuestFailure) -> Failure {
    let (code, message, causes, hint) = match cause {
        GuestFailure::DiskMissing => (
            FailureCode::DataDiskCorrupt,
            "The machine did not find its data disk".to_owned(),
            Vec::new(),
            format!("It should be {}. Start the machine again.", home.data_disk().display()),
        ),
        GuestFailure::DiskCorrupt { output } => (
            FailureCode::DataDiskCorrupt,
            "The data disk is damaged and could not be repaired".to_owned(),
            output.lines().map(ToOwned::to_owned).collect(),
            format!(
                "It was left as it is: {0}. Restore it from a backup; or move it away and start again, which makes \
                 an empty one.",
                home.data_disk().display()
            ),
        ),
        GuestFailure::EngineKeepsDying { output } => (
            FailureCode::EngineFailed,
            "The engine keeps ending".to_owned(),
            output.lines().map(ToOwned::to_owned).collect(),
            "Its log (wherry logs) says more. Stop and start the machine to try again.".to_owned(),
        ),
        GuestFailure::System { message } => (
            FailureCode::EngineFailed,
            "The machine's system could not go on".to_owned(),
            vec![message],
            "Install Wherry again if starting again does not help.".to_owned(),
        ),
    };
    let console = tail::last_lines(&home.console_log(), CONSOLE_LINES);
    Failure {
        code,
        step: None,
        message,
        causes,
        hint,
        console,
    }
}

pub(super) fn io_failure(step: Step, message: &str, error: &io::Error) -> Failure {
    let full = error.kind() == io::ErrorKind::StorageFull;
    Failure {
        code: if full {
            FailureCode::NoDiskSpace
        } else {
            FailureCode::Io
        },
        step: Some(step),
        message: message.into(),
        causes: vec![error.to_string()],
        hint: "Look at the rights and the free space of that folder, or choose another one with WHERRY_HOME.".into(),
        console: Vec::new(),
    }
}

/// The whole chain of causes in one line.
pub(super) fn link_cause(error: &LinkError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
