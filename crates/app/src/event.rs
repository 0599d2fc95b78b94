//! What the UI is told without asking.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use wherry_machine::Status;

use crate::{Problem, Task};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// What is shown of this topic is old: fetch it again.
    Changed {
        topic: Topic,
    },
    Machine {
        status: Status,
    },
    Task {
        task: Task,
    },
    Notice {
        problem: Problem,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Topic {
    Engine,
    Containers,
    Images,
    Settings,
    Registries,
    /// What was clicked.
    Clicked,
    Trash,
}

impl Topic {
    pub const ALL: [Topic; 7] = [
        Topic::Engine,
        Topic::Containers,
        Topic::Images,
        Topic::Settings,
        Topic::Registries,
        Topic::Clicked,
        Topic::Trash,
    ];
}
