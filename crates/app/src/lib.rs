//! The composition: settings, the table of commands, streams, events, tasks, problems.
//!
//! Whoever shows Wherry to a person (the window, the browser server) holds an [`App`] and passes names and JSON.

mod backup;
mod before_pull;
mod clicked;
mod commands;
mod diagnose;
mod docker;
mod doctor;
mod engines;
mod event;
mod events;
mod explain;
mod inputs;
mod kernel;
mod lamps;
mod macros;
mod mask;
mod model;
mod newer;
mod panics;
mod port;
mod preflight;
mod private_file;
mod problem;
mod pull;
mod record;
mod recreate;
mod registries;
mod registry_problem;
mod saved;
mod settings;
mod streams;
mod table;
mod task;
mod tasks;
mod terminals;
mod trash;
mod typescript;
mod uninstall;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::stream::BoxStream;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};
use wherry_engine::{Engine, Logins, Recorder};
use wherry_machine::{DiskFill, HostRoom, Machine, Status};

use crate::clicked::History;
use crate::commands::engine::Measured;
use crate::engines::{Engines, FIRST_ANSWER};
use crate::events::Events;
use crate::settings::SettingsFile;
use crate::tasks::Tasks;
use crate::terminals::Terminals;

pub use before_pull::{BeforePull, ImageQuery, PullQuestion, RemoteTags, TagNames, TagsRequest};
pub use clicked::{Clicked, ClickedSave, ClickedScript, Script};
pub use docker::{CONTEXT, Docker};
pub use event::{Event, Topic};
pub use inputs::{Inputs, Say};
pub use lamps::{Lamp, Light, PortLamps};
pub use model::*;
pub use newer::{ImageSeen, ImagesSeen, Newness};
pub use panics::report_panics;
pub use preflight::{Preflight, PreflightAbout, PreflightCheck, PreflightFix};
pub use problem::{Action, Code, Problem};
pub use registries::{
    RegistryEntry, RegistryInsecure, RegistryList, RegistryLogin, RegistryLook, RegistryRef, answer_docker,
};
pub use saved::Saved;
pub use table::{COMMANDS, STREAMS};
pub use task::{Outcome, Task, TaskId, TaskRef, Work};
pub use terminals::model::*;
pub use typescript::typescript;
pub use uninstall::{forget_logins, remove_home};
// What the shells need of the packages below; they name no other.
pub use wherry_engine::system_socket::{Ask, SYSTEM_SOCKET};
pub use wherry_engine::{
    BackupManifest, BackupProgress, BackupReport, BackupStep, EngineOrigin, Existing, HelperError, RestoreReport,
};
pub use wherry_machine::doctor::Verdict;
pub use wherry_machine::{Home, State as MachineState};

/// Items of a stream, each as JSON. An `Err` is the last item.
pub type Items = BoxStream<'static, Result<String, Problem>>;

/// Everything behind the UI. Cheap to clone; the last one dropped ends its background work.
#[derive(Clone)]
pub struct App {
    parts: Arc<Parts>,
}

struct Parts {
    home: Home,
    machine: Machine,
    machine_status: tokio::sync::watch::Receiver<Status>,
    settings: Arc<SettingsFile>,
    engines: Engines,
    /// Of the engine in use; `None` while there is none.
    recorder: tokio::sync::watch::Receiver<Option<Recorder>>,
    tasks: Tasks,
    logins: Logins,
    terminals: Terminals,
    events: Events,
    clicked: History,
    newer: newer::Newer,
    /// Something was put into the trash, or taken out.
    trash_grew: Arc<tokio::sync::Notify>,
    /// Held by a backup, a restore, or what takes back what a killed one left: one at a time in this process.
    tidied: Arc<tokio::sync::Mutex<()>>,
    /// Locked for a copy only.
    measured: Mutex<Measured>,
    _end: DropGuard,
}

impl App {
    /// `program` is the `wherry` executable, which is started as the machine's daemon when one is needed.
    ///
    /// Must be called inside a tokio runtime. Nothing is waited for: the engine is looked for in the background.
    pub fn new(home: Home, program: PathBuf) -> Result<App, Problem> {
        let end = CancellationToken::new();
        let events = Events::default();
        let (settings, notice) = SettingsFile::open(home.settings())?;
        let settings = Arc::new(settings);
        if let Some(notice) = notice {
            events.notice(notice);
        }
        let machine = Machine::new(home.clone(), program);
        let machine_status = machine.watch();
        tokio::spawn(
            end.clone()
                .run_until_cancelled_owned(tell_of_machine(machine_status.clone(), events.clone())),
        );
        let engines = Engines::begin(
            settings.get().engine,
            home.docker_host(),
            machine_status.clone(),
            events.clone(),
            &end,
        );
        let recorder = record::begin(engines.watch(), home.root().join("last-use"), &end);
        let clicked = History::open(home.root().join("clicked.jsonl"), events.clone());
        let tasks = Tasks::new(events.clone(), end.clone());
        let logins = registries::logins(&home);
        let trash_grew: Arc<tokio::sync::Notify> = Arc::default();
        let trash = trash::Keeper {
            events: events.clone(),
            grew: trash_grew.clone(),
            machine_address: home.docker_host(),
            machine: machine_status.clone(),
            current: engines.watch(),
            settings: settings.clone(),
        };
        tokio::spawn(end.clone().run_until_cancelled_owned(trash.run()));
        let end_too = end.clone();
        let app = App {
            parts: Arc::new(Parts {
                home,
                machine,
                machine_status,
                settings,
                engines,
                recorder,
                tasks,
                logins,
                terminals: Terminals::new(end_too.clone()),
                events,
                clicked,
                newer: newer::Newer::default(),
                trash_grew,
                tidied: Arc::default(),
                measured: Mutex::default(),
                _end: end.drop_guard(),
            }),
        };
        tokio::spawn(end_too.clone().run_until_cancelled_owned(app.clone().tidy_backups()));
        tokio::spawn(end_too.run_until_cancelled_owned(app.clone().take_back()));
        Ok(app)
    }

    /// Answers a command of the table: its result as JSON.
    pub async fn call(&self, name: &str, params: Value) -> Result<String, Problem> {
        // Every command is in this one future: on the heap, it does not make the caller's as large.
        Box::pin(table::call(self, name, params)).await
    }

    /// Opens a stream of the table; `inputs` is what the page says into it. Dropping it ends it.
    pub async fn open(&self, name: &str, params: Value, inputs: Inputs) -> Result<Items, Problem> {
        table::open(self, name, params, inputs).await
    }

    /// The engine in use, connected or not.
    async fn engine(&self) -> Result<Engine, Problem> {
        self.parts.engines.engine().await
    }

    /// What is kept of the engine in use.
    async fn recorder(&self) -> Result<Recorder, Problem> {
        let engine = self.engine().await?;
        let mut recorder = self.parts.recorder.clone();
        let begun = tokio::time::timeout(FIRST_ANSWER, recorder.wait_for(Option::is_some)).await;
        match begun.ok().and_then(Result::ok).and_then(|recorder| recorder.clone()) {
            Some(recorder) => Ok(recorder),
            // Only while everything ends.
            None => Ok(Recorder::begin(engine)),
        }
    }
}

async fn tell_of_machine(mut status: tokio::sync::watch::Receiver<Status>, events: Events) {
    let (mut disk, mut host_room) = (DiskFill::default(), HostRoom::default());
    while status.changed().await.is_ok() {
        let status = status.borrow_and_update().clone();
        // A machine that sleeps, starts or is away has the disk that it had.
        if let MachineState::Running { running } = &status.state {
            // Each level is told once, on the way up; after that it stands in the machine's status.
            let fuller = (running.disk > disk).then(|| running.disk.sentence()).flatten();
            let scarcer = (running.host_room > host_room)
                .then(|| running.host_room.sentence())
                .flatten();
            for sentence in fuller.into_iter().chain(scarcer) {
                events.notice(Problem::plain(Code::NoSpace, sentence));
            }
            (disk, host_room) = (running.disk, running.host_room);
        }
        events.send(Event::Machine { status });
    }
}
