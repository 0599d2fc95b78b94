//! Why a container stopped, or is not reached: rules over what is known about it, offline.
//!
//! Each rule is a pure function of [`Facts`]; the first that knows the story tells it. The order goes from what only one
//! thing can mean to what many things can. `gather.rs` collects the facts, the other files have the rules by topic.

mod ending;
mod files;
mod gather;
mod listen;
mod memory;
mod network;
mod program;
mod start;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ContainerState, HostPort, Listener, LogLine, Restart, RunSpec};

pub use gather::{Known, WhyLine};

/// Starts again this often before it is told as one story.
const A_LOOP: u32 = 3;

/// The story of a container that stopped, does not start or is not reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    pub cause: Cause,
    /// For a list, in a few words: "Out of memory".
    pub short: String,
    /// "trainer ran out of memory and was stopped"
    pub headline: String,
    /// What happened, in a sentence or two.
    pub story: String,
    /// What the exit code means.
    pub meaning: Option<String>,
    /// How it is known, in the words of whoever said it.
    pub evidence: Vec<Evidence>,
    pub fixes: Vec<WhyFix>,
    pub tone: Tone,
    /// Its last lines.
    pub lines: Vec<LogLine>,
    /// When it ended: milliseconds of Unix time.
    pub at: Option<i64>,
    /// How long it had run: milliseconds.
    pub ran: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Tone {
    /// Something is wrong.
    Bad,
    /// It runs, and does not do what it should.
    Warn,
    /// Nothing is wrong.
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// The container's own limit.
    MemoryLimit,
    /// The machine's memory.
    MachineMemory,
    SharedMemory,
    /// Asked to stop, and killed when it did not in time.
    StopTimedOut,
    /// By somebody, at once.
    Killed,
    Stopped,
    Interrupted,
    WrongCpu,
    NoInterpreterLine,
    WindowsLineEnds,
    NoInterpreter,
    CommandNotFound,
    NotExecutable,
    NoWorkingFolder,
    MountFailed,
    PortTaken,
    PortTakenInside,
    PortNotAllowed,
    ModuleMissing,
    LibraryMissing,
    FileMissing,
    VariableMissing,
    DiskFull,
    NotAllowedInFolder,
    ReadOnly,
    NeedsHostName,
    NeedsContainerName,
    NameNotFound,
    OnlyInside,
    MemoryFault,
    WrongInstruction,
    Aborted,
    EngineRefused,
    NobodyTypes,
    InBackground,
    Finished,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    pub from: Source,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// What the engine says of the container.
    Engine,
    /// What happened to it, as the engine told.
    Events,
    Kernel,
    Log,
    /// What it was made of.
    Settings,
    /// Its own table of sockets.
    Sockets,
    /// Its files.
    Files,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct WhyFix {
    /// "Give it 2 GB of memory"
    pub title: String,
    pub note: String,
    /// The button's words.
    pub button: String,
    pub remedy: Remedy,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Remedy {
    /// The run form, filled with what the container was made of and the change made.
    RunAgain {
        spec: Box<RunSpec>,
    },
    Start,
    Stop,
    ShowLogs,
    /// More memory for the machine.
    Resources,
    FreeSpace,
    Copy {
        text: String,
    },
}

impl Remedy {
    /// What the run form is filled with, where that is the remedy.
    pub fn form(&self) -> Option<&RunSpec> {
        match self {
            Remedy::RunAgain { spec } => Some(spec),
            Remedy::Start
            | Remedy::Stop
            | Remedy::ShowLogs
            | Remedy::Resources
            | Remedy::FreeSpace
            | Remedy::Copy { .. } => None,
        }
    }
}

/// Everything the rules look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub name: String,
    pub state: Option<ContainerState>,
    pub exit_code: i32,
    pub oom_killed: bool,
    /// The engine's own words about a start that failed.
    pub error: String,
    pub started: Option<i64>,
    pub finished: Option<i64>,
    pub restarts: u32,
    /// Entrypoint and command, as they were run.
    pub command: Vec<String>,
    /// How many of these are the entrypoint's.
    pub entrypoint_words: usize,
    /// Where it runs.
    pub working_folder: String,
    /// With what the image sets.
    pub environment: Vec<(String, String)>,
    pub folders: Vec<Mounted>,
    pub published: Vec<(u16, HostPort)>,
    pub networks: Vec<String>,
    /// Containers that run on this engine, with their networks and ports.
    pub neighbours: Vec<Neighbour>,
    pub image_architecture: Option<String>,
    pub engine_architecture: String,
    pub engine_memory: u64,
    /// The signals that it was sent since its last start, in order, and whether somebody stopped it.
    pub signals: Vec<i32>,
    /// When the first of them came that only asks: milliseconds of Unix time.
    pub asked_at: Option<i64>,
    pub oom_told: bool,
    /// Lines of the kernel about memory that ran out and programs that crashed.
    pub kernel: Vec<String>,
    pub log: Vec<LogLine>,
    /// Of one that runs; `None` when it has nothing to read its table with.
    pub listeners: Option<Vec<Listener>>,
    /// The file that is run, when it could not be.
    pub script: Option<Script>,
    /// Wherry's own machine, where `host.docker.internal` works without being asked for.
    pub own_machine: bool,
    /// What it was made of.
    pub spec: RunSpec,
    /// Begin of its id.
    pub id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// Of this computer; a volume's name.
    pub source: String,
    pub target: String,
    pub folder: bool,
    pub writable: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub name: String,
    pub networks: Vec<String>,
    pub ports: Vec<u16>,
}

/// A file in the container that should have been run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub path: String,
    /// Without its line end, except for a carriage return.
    pub first_line: Vec<u8>,
}

type Rule = fn(&Facts) -> Option<Why>;

/// From the certain to the likely.
const STOPPED: &[Rule] = &[
    memory::limit,
    memory::machine,
    start::port_taken,
    start::wrong_cpu,
    start::windows_line_ends,
    start::no_interpreter_line,
    start::no_interpreter,
    start::no_working_folder,
    start::mount_failed,
    start::not_executable,
    start::not_found,
    start::refused,
    memory::shared,
    files::disk_full,
    program::variable_missing,
    program::module_missing,
    program::library_missing,
    network::needs_host_name,
    network::name_not_found,
    network::port_taken_inside,
    network::port_not_allowed,
    files::read_only,
    files::not_allowed,
    files::missing,
    ending::stop_timed_out,
    ending::killed,
    ending::stopped,
    ending::memory_fault,
    ending::wrong_instruction,
    ending::aborted,
    ending::nobody_types,
    ending::in_background,
    ending::finished,
    ending::failed,
];

/// For one that runs.
const RUNS: &[Rule] = &[listen::only_inside, network::needs_host_name, network::name_not_found];

/// `None` when there is nothing to tell.
pub(crate) fn explain(facts: &Facts) -> Option<Why> {
    let rules = match facts.state? {
        ContainerState::Exited | ContainerState::Dead | ContainerState::Restarting => STOPPED,
        ContainerState::Created if !facts.error.is_empty() => STOPPED,
        ContainerState::Running => RUNS,
        ContainerState::Created | ContainerState::Paused | ContainerState::Removing => return None,
    };
    let mut why = rules.iter().find_map(|rule| rule(facts))?;
    if facts.loops() && why.tone != Tone::Plain {
        why.headline = if facts.gave_up() {
            format!("{} has stopped each time it was started", facts.name)
        } else {
            format!("{} stops and is started again, again and again", facts.name)
        };
        why.story = format!("{}, {} times so far. {}", why.short, facts.restarts, why.story);
        why.evidence.push(Evidence {
            from: Source::Engine,
            text: format!("RestartCount: {}", facts.restarts),
        });
        if !facts.gave_up() {
            why.fixes.push(WhyFix {
                title: "Stop it for now".into(),
                note: "It stays, stopped, until you start it.".into(),
                button: format!("Stop {}", facts.name),
                remedy: Remedy::Stop,
            });
        }
    }
    Some(why)
}

impl Facts {
    fn runs(&self) -> bool {
        self.state == Some(ContainerState::Running)
    }

    fn loops(&self) -> bool {
        self.state == Some(ContainerState::Restarting) || self.gave_up()
    }

    /// The engine no longer starts it. With another policy it is a person who has stopped it.
    fn gave_up(&self) -> bool {
        !self.runs() && self.restarts >= A_LOOP && matches!(self.spec.restart, Restart::OnFailure { .. })
    }

    fn ran(&self) -> Option<i64> {
        let ran = self.finished? - self.started?;
        (ran >= 0 && !self.runs()).then_some(ran)
    }

    /// Nobody lets a program go on for this little.
    fn ended_at_once(&self) -> bool {
        self.ran().is_none_or(|ran| ran < 15_000)
    }

    /// The latest line of the log that the pattern finds, and what it found. Colours are left out.
    fn said<'a>(&'a self, pattern: &regex::Regex) -> Option<Said<'a>> {
        self.log.iter().rev().find_map(|line| {
            let text = line.text.trim_end();
            let found = pattern.captures(text)?;
            Some(Said { line: text, found })
        })
    }

    /// A story with nothing more to say yet.
    fn why(&self, cause: Cause, short: &str, headline: String, story: impl Into<String>) -> Why {
        Why {
            cause,
            short: short.to_owned(),
            headline,
            story: story.into(),
            meaning: None,
            evidence: Vec::new(),
            fixes: Vec::new(),
            tone: Tone::Bad,
            lines: Vec::new(),
            at: self.finished.filter(|_| !self.runs()),
            ran: self.ran(),
        }
    }

    /// The run form with this change.
    fn run_again(&self, title: &str, note: &str, button: &str, change: impl FnOnce(&mut RunSpec)) -> WhyFix {
        let mut spec = Box::new(self.spec.clone());
        change(&mut spec);
        WhyFix {
            title: title.to_owned(),
            note: note.to_owned(),
            button: button.to_owned(),
            remedy: Remedy::RunAgain { spec },
        }
    }
}

struct Said<'a> {
    line: &'a str,
    found: regex::Captures<'a>,
}

impl<'a> Said<'a> {
    fn group(&self, name: &str) -> &'a str {
        self.found.name(name).map_or("", |group| group.as_str())
    }
}

impl Why {
    fn knows(mut self, from: Source, text: impl Into<String>) -> Why {
        /// Some programs write megabytes into one line.
        const LONGEST: usize = 400;
        let mut text: String = text.into();
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
            text.push('…');
        }
        self.evidence.push(Evidence { from, text });
        self
    }

    fn fix(mut self, fix: WhyFix) -> Why {
        self.fixes.push(fix);
        self
    }

    fn means(mut self, meaning: impl Into<String>) -> Why {
        self.meaning = Some(meaning.into());
        self
    }

    fn tone(mut self, tone: Tone) -> Why {
        self.tone = tone;
        self
    }

    fn logs(self) -> Why {
        self.fix(WhyFix {
            title: "Read what it printed".into(),
            note: "The lines before the end often say more.".into(),
            button: "Open all logs".into(),
            remedy: Remedy::ShowLogs,
        })
    }

    fn copy(self, title: &str, note: &str, text: impl Into<String>) -> Why {
        self.fix(WhyFix {
            title: title.to_owned(),
            note: note.to_owned(),
            button: "Copy".into(),
            remedy: Remedy::Copy { text: text.into() },
        })
    }
}

/// Compiled once. The patterns are constants: one that does not compile is found by the tests, which use them all.
macro_rules! pattern {
    ($pattern:expr) => {{
        static PATTERN: std::sync::LazyLock<regex::Regex> =
            std::sync::LazyLock::new(|| regex::Regex::new($pattern).expect("a pattern of our own"));
        &*PATTERN
    }};
}
use pattern;

/// "512 MB", "1.5 GB": powers of 1024, as every limit of Docker.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];
    for (unit, size) in UNITS {
        if bytes >= size {
            let tenths = bytes.saturating_mul(10) / size;
            return if tenths.is_multiple_of(10) || tenths >= 1000 {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests;
