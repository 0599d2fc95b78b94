//! What a machine is doing, as data. Every place that shows or decides anything about a machine reads these types.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ProxyInUse;

/// Everything a client may know of the machine at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "MachineStatus")]
pub struct Status {
    pub state: State,
    /// What the machine has, or will have at its next start.
    pub spec: Spec,
    /// The engine's socket on this host. It exists while the state is `Running`, or `Suspended` and wakes.
    pub socket: PathBuf,
    /// Steps of the present or last start, in order, each with what it took.
    pub steps: Vec<StepReport>,
    pub forwards: Vec<Forward>,
    /// What the machine knows of this computer's network; `None` while there is none that knows.
    pub network: Option<Network>,
    /// Things worth a sentence that stop nothing: the fallback to emulation, a repaired disk.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[ts(rename = "MachineState")]
pub enum State {
    Stopped,
    Starting {
        step: Step,
    },
    Running {
        running: Running,
    },
    /// Its memory is being saved; containers stand still.
    Suspending,
    /// Nothing of it runs, and everything goes on where it was when it is started.
    Suspended {
        /// Unix milliseconds.
        since_millis: u64,
        /// Whether the first request at the engine's socket wakes it: it fell asleep because nobody used it.
        wakes: bool,
    },
    Stopping,
    Failed {
        failure: Failure,
    },
}

/// The steps of a start, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "StartStep")]
pub enum Step {
    /// QEMU, the system image, the accelerator, free disk space.
    Check,
    /// The data disk file is there and has its size.
    Disk,
    /// From process start to the agent's first word.
    Linux,
    /// The data disk is mounted, formatted, repaired or grown.
    Data,
    /// containerd and dockerd, until the API answers.
    Engine,
    /// The socket on this host and the ports of containers that were running.
    Connect,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    pub step: Step,
    /// `None` while the step is under way.
    pub millis: Option<u64>,
    /// One short sentence for the person: "60 GB at most, 212 MB in use."
    pub detail: Option<String>,
}

/// A machine whose engine answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "MachineRunning")]
pub struct Running {
    /// `qemu`, later `vfkit` and `wsl`.
    pub backend: String,
    /// `kvm`, `hvf`, `whpx` or `tcg` (software emulation).
    pub accelerator: String,
    pub engine_version: String,
    pub api_version: String,
    pub kernel: String,
    /// Unix milliseconds of the moment the engine first answered.
    pub since_millis: u64,
    pub ready_in_millis: u64,
    /// The machine's own process on this host.
    pub pid: u32,
    pub usage: Usage,
    pub disk: DiskFill,
    pub host_room: HostRoom,
    pub engine_restarts: u32,
    /// Its processors stand still, because nobody uses it; the next request makes them go on.
    pub rests: bool,
}

/// How full the machine's disk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum DiskFill {
    #[default]
    Roomy,
    /// From 90 % on.
    NearlyFull,
    /// From 97 % on: what is written next may fail.
    Full,
}

impl DiskFill {
    /// For the person, with what makes room.
    pub fn sentence(self) -> Option<&'static str> {
        match self {
            Self::Roomy => None,
            Self::NearlyFull => Some(
                "The machine's disk is more than 90 % full. Remove what is not needed (docker system prune), or make it \
                 larger: wherry start --disk SIZE.",
            ),
            Self::Full => Some(
                "The machine's disk is full: what is written next may fail. Remove what is not needed (docker system \
                 prune), or make it larger: wherry start --disk SIZE.",
            ),
        }
    }
}

/// How much room there is for the machine on this computer's own disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum HostRoom {
    #[default]
    Roomy,
    NearlyFull,
    /// The machine stands still at a write that found no room, and goes on by itself when there is some.
    StandsStill,
}

impl HostRoom {
    /// For the person, with what makes room.
    pub fn sentence(self) -> Option<&'static str> {
        match self {
            Self::Roomy => None,
            Self::NearlyFull => Some(
                "This computer's disk is nearly full. When it is full, the machine stands still until there is room; \
                 nothing is lost by that. Make room on it.",
            ),
            Self::StandsStill => Some(
                "The machine stands still, because this computer's disk is full. It goes on by itself when there is \
                 room again; nothing is lost.",
            ),
        }
    }
}

impl Status {
    /// All that the person should know, most urgent first.
    pub fn remarks(&self) -> Vec<String> {
        let disks = match &self.state {
            State::Running { running } => [running.host_room.sentence(), running.disk.sentence()],
            State::Stopped
            | State::Starting { .. }
            | State::Suspending
            | State::Suspended { .. }
            | State::Stopping
            | State::Failed { .. } => [None, None],
        };
        let disks = disks.into_iter().flatten().map(str::to_owned);
        disks.chain(self.notes.iter().cloned()).collect()
    }
}

impl From<wherry_link::Fill> for DiskFill {
    fn from(fill: wherry_link::Fill) -> Self {
        match fill {
            wherry_link::Fill::Roomy => Self::Roomy,
            wherry_link::Fill::NearlyFull => Self::NearlyFull,
            wherry_link::Fill::Full => Self::Full,
        }
    }
}

/// What the machine costs, in bytes. Guest figures are the guest's, host figures are this computer's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "MachineUsage")]
pub struct Usage {
    pub guest_memory_used: u64,
    pub guest_memory_total: u64,
    pub guest_disk_used: u64,
    pub guest_disk_total: u64,
    /// Of its process and of the daemon.
    pub host_memory: u64,
    /// What the data disk file occupies on this computer.
    pub host_disk: u64,
    /// Of its process and of the daemon: 100 is one core.
    pub host_cpu_percent: f32,
}

/// What the machine was told of this computer's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "MachineNetwork")]
pub struct Network {
    pub proxy: ProxyInUse,
    /// How many certificate authorities of this computer the engine trusts; with 0 those of its own list.
    pub authorities: usize,
    /// Something of this has changed that the engine takes over when it is started again.
    pub engine_outdated: bool,
}

/// By how much what the machine takes of this computer became less, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "MachineFreed")]
pub struct Freed {
    pub memory: u64,
    pub disk: u64,
}

/// What a machine is given. Changing it takes effect at the next start; the disk never shrinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "MachineSpec")]
pub struct Spec {
    pub cpus: u32,
    pub memory_mib: u64,
    pub disk_gib: u64,
    pub accelerator: Accelerator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Accelerator {
    /// The host's hardware virtualization, tried; software emulation when it does not answer.
    Auto,
    /// Software emulation only.
    Emulation,
}

/// A change to the spec; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SpecChange {
    pub cpus: Option<u32>,
    pub memory_mib: Option<u64>,
    pub disk_gib: Option<u64>,
    pub accelerator: Option<Accelerator>,
}

/// A port of a container on this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Forward {
    pub host: SocketAddr,
    pub container: SocketAddr,
    pub protocol: String,
    /// The id of the container that has this port on the machine's own network, where the engine lists none.
    pub owner: Option<String>,
    /// Why it does not work now, when it does not. It does as soon as the port is free.
    pub dead: Option<String>,
}

/// Why a machine could not start or did not go on. `code` is what programs decide by; the texts are for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub code: FailureCode,
    /// The step that failed, when it was a start that failed.
    pub step: Option<Step>,
    /// What happened, in one sentence.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: String,
    /// The last lines of the machine's console, when they say more.
    pub console: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum FailureCode {
    QemuMissing,
    ImageMissing,
    /// The image is there but is not what its manifest says.
    ImageDamaged,
    NoDiskSpace,
    DataDiskCorrupt,
    /// The spec asks for what this computer does not have.
    SpecRefused,
    /// The guest said nothing in time, on every accelerator.
    NoAnswer,
    /// The machine's process ended by itself or was killed.
    Died,
    EngineFailed,
    /// Its memory could not be saved; it goes on.
    CannotSuspend,
    /// The folder cannot be shared, or is not.
    FolderRefused,
    /// A file or socket could not be read or written.
    Io,
}
