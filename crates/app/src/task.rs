//! Long work: it lives here, not in a dialog, so that closing the dialog or the window ends nothing.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use wherry_engine::PullProgress;

use crate::Problem;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
pub struct TaskId(pub String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    pub id: TaskId,
    pub work: Work,
    /// Unix milliseconds.
    pub started_millis: u64,
    pub progress: Option<PullProgress>,
    /// What is done now, where there are several things to do: "Volume pgdata".
    pub step: Option<String>,
    /// What is worth a sentence at its end: "web was running and is stopped now."
    pub notes: Vec<String>,
    pub outcome: Outcome,
}

/// What it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Work {
    Pull {
        reference: String,
    },
    Push {
        reference: String,
    },
    SaveImages {
        images: Vec<String>,
        file: String,
    },
    LoadImages {
        file: String,
    },
    /// Pulls the image when it is not here, creates the container, starts it.
    Run {
        image: String,
        name: Option<String>,
    },
    /// Makes a container anew in place of this one.
    Recreate {
        name: String,
    },
    Backup {
        file: String,
    },
    VerifyBackup {
        file: String,
    },
    Restore {
        file: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    Working,
    /// `container` is the id of the container that a `Run` made.
    Done {
        container: Option<String>,
    },
    Failed {
        problem: Problem,
    },
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TaskRef {
    pub id: TaskId,
}
