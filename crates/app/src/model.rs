//! Parameters and results of commands that no other package owns.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use wherry_engine::{
    CommandLine, ContainerAction, DiskUsage, EngineInfo, EngineOrigin, Existing, FileOwner, LogOpen, Protocol,
    Restored, RunSpec, Shell, TrashId,
};
use wherry_machine::doctor::Verdict;
use wherry_machine::{Failure, Status, ports::PortHolder};

use crate::Problem;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct About {
    pub version: String,
    pub platform: Platform,
    /// Where Wherry keeps everything it stores.
    pub home: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Platform {
    Linux,
    Mac,
    Windows,
}

/// The engine Wherry works with now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EngineStatus {
    pub choice: EngineChoice,
    /// Where the engine in use was found; `None` when there is none at all.
    pub origin: Option<EngineOrigin>,
    /// The address in use, as `DOCKER_HOST` writes it.
    pub address: Option<String>,
    pub connection: Connection,
    /// Of Wherry's own machine, whether it is the engine in use or not.
    pub machine: Status,
    /// Why Wherry's own machine could not start on this computer, when it could not.
    pub machine_unavailable: Option<Failure>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Connection {
    /// Asked for the first time; the answer comes as a change of the engine.
    Connecting,
    /// Nothing answers there; tried again by itself.
    Away {
        reason: String,
    },
    Connected {
        info: EngineInfo,
    },
}

/// Which engine the person wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EngineChoice {
    /// The first engine that answers, else Wherry's own machine.
    #[default]
    Auto,
    Machine,
    /// One address, as `DOCKER_HOST` writes it.
    Address {
        address: String,
    },
}

/// An engine that could be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EngineCandidate {
    pub origin: EngineOrigin,
    pub address: String,
    pub info: Option<EngineInfo>,
    /// Why it does not answer, when it does not.
    pub unreachable: Option<String>,
}

/// What containers cost this computer now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    pub memory: u64,
    pub memory_total: u64,
    pub disk: u64,
    pub disk_total: Option<u64>,
    /// Of the whole computer or machine: 100 is every core busy.
    pub cpu_percent: f32,
    pub cpus: u32,
    pub disk_by: DiskUsage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ContainerList {
    /// Stopped ones too.
    pub all: bool,
}

/// A container by id or name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRef {
    pub id: String,
}

/// Containers by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRefs {
    pub ids: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRemove {
    pub id: String,
    /// Although it runs.
    pub force: bool,
    /// With its volumes that have no name of their own.
    #[serde(default)]
    pub volumes: bool,
    /// Gone at once, and not into the trash.
    #[serde(default)]
    pub forever: bool,
}

/// What was removed and can be brought back; empty when it is gone for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    pub kept: Vec<TrashId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TrashList {
    /// With how much each uses, which takes the engine a while.
    pub measured: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TrashRef {
    pub ids: Vec<TrashId>,
}

/// What became of what was to come back, or to go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TrashOutcome {
    pub restored: Vec<Restored>,
    pub gone: u32,
    /// Each with why.
    pub failed: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunRequest {
    pub spec: RunSpec,
}

/// Actions of "What I clicked".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ClickedForget {
    pub ids: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FolderRef {
    pub path: String,
}

/// How a spec is to be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunAsText {
    pub spec: RunSpec,
    pub shell: Shell,
    /// With values that look like passwords and keys.
    pub secrets: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunText {
    pub command: CommandLine,
    /// What ends a line that goes on in this shell.
    pub continuation: String,
    /// Why the line cannot be pasted into this shell.
    pub obstacle: Option<String>,
    /// A compose file with this one service.
    pub compose: String,
    /// Flags that compose has nothing for.
    pub compose_misses: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunPaste {
    pub line: String,
    /// The one it was written for; `None`: told by the line itself.
    pub shell: Option<Shell>,
    /// What `$(pwd)` and `./` mean; `None`: the person's own folder.
    pub folder: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EnvFileRef {
    pub path: String,
}

/// A log to be saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LogSave {
    pub log: LogOpen,
    /// Of its containers, in their order.
    pub names: Vec<String>,
    /// For the file's name.
    pub title: String,
    /// The whole path that the person chose; `None` is a new file in their downloads.
    pub to: Option<String>,
}

/// An image by reference or id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageRef {
    pub reference: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageRemove {
    pub reference: String,
    /// Although stopped containers use it or it has several names.
    pub force: bool,
    /// Gone at once, and not into the trash.
    #[serde(default)]
    pub forever: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImagePair {
    pub before: String,
    pub after: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageTag {
    pub reference: String,
    /// The name that it gets, too.
    pub target: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageSave {
    pub references: Vec<String>,
    /// A whole path.
    pub file: String,
}

/// A tar of images by its whole path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageFile {
    pub file: String,
    /// The file holds plain files and no image, as `docker export` writes it: they become an image of this name.
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PortQuestion {
    /// `None`: every address.
    pub address: Option<String>,
    pub port: u16,
    pub protocol: Protocol,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PortAnswer {
    pub free: bool,
    pub holder: Option<PortHolder>,
    /// The container that publishes it, when it is one of this engine's.
    pub container: Option<String>,
    /// "8080 is used by nginx (pid 4242)", or "8080 is free".
    pub sentence: String,
    pub next_free: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct DoctorRequest {
    /// Which registry to try; `None` is Docker Hub.
    pub registry: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct DiagnoseRequest {
    /// Where to write it; `None` is a new file in the person's downloads.
    pub path: Option<String>,
    pub registry: Option<String>,
}

/// A support bundle that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    pub path: String,
    pub bytes: u64,
    pub files: Vec<BundleFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BundleFile {
    pub name: String,
    pub bytes: u64,
    /// How often a secret was replaced in it.
    pub hidden: usize,
}

/// Everything that was looked at, in the order in which it is to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Examination {
    pub checks: Vec<Check>,
    pub millis: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// For programs; stays the same whatever came of it.
    pub name: String,
    pub group: CheckGroup,
    /// What was found, in some words: "The data disk is clean".
    pub title: String,
    pub verdict: Verdict,
    /// A figure or a word beside it: "41.2 GB free".
    pub detail: Option<String>,
    /// Why it is not well, or why it was not looked at.
    pub why: Option<String>,
    /// What the person can do, in a sentence.
    pub advice: Option<String>,
    pub fix: Option<Fix>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum CheckGroup {
    Engine,
    Network,
    Computer,
}

/// A remedy: a button in the window, a line to type in a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    pub action: FixAction,
    pub label: String,
    pub command: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum FixAction {
    StartEngine,
    RestartEngine,
    /// Point the docker command to this engine.
    SelectContext,
    /// Take what names a missing credential helper out of docker's configuration.
    MendCredentials,
    FreeSpace,
    /// Only the command does it.
    RunInTerminal,
}

/// What the docker command in the person's terminal does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DockerSetup {
    /// Where it is, when it is installed.
    pub program: Option<String>,
    /// Its configuration, which need not be there.
    pub config: String,
    pub context: String,
    /// Where it connects to; `None` when its context is not there.
    pub address: Option<String>,
    /// That is Wherry's own machine.
    pub ours: bool,
    /// The variable that wins over the context.
    pub overridden: Option<DockerOverride>,
    /// Programs that are to keep logins and are not installed.
    pub missing_helpers: Vec<MissingHelper>,
    /// `/var/run/docker.sock`
    pub system_socket: SystemSocketState,
    /// There is something to take back.
    pub changed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DockerOverride {
    pub variable: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MissingHelper {
    /// `docker-credential-desktop`
    pub program: String,
    /// The registry it is for; `None` for all.
    pub registry: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SystemSocketState {
    Free,
    /// It leads to Wherry's own machine.
    Ours,
    Taken {
        by: String,
    },
    /// This system has no such place.
    Unavailable,
}

/// A backup by the path of its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackupRef {
    pub file: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackupMake {
    pub file: String,
    /// Pause containers while their volumes are read, so that what is saved was there at one moment.
    pub pause: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackupRestore {
    pub file: String,
    pub existing: Existing,
    /// Start the containers that were running.
    pub start: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackupSuggestion {
    /// A path for the next backup, in the person's own folder.
    pub file: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MachineErase {
    /// [`ERASE_WORD`], as the person typed it.
    pub word: String,
}

/// What has to be typed before everything in the machine is removed.
pub const ERASE_WORD: &str = "erase";

/// What the person decided. Kept in one file; a broken one is set aside, never overwritten.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    pub theme: Theme,
    pub text_size: TextSize,
    pub engine: EngineChoice,
    /// The welcome has been seen through.
    pub welcomed: bool,
    pub trash: TrashBounds,
}

/// What the trash keeps; the oldest goes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct TrashBounds {
    pub days: u32,
    pub bytes: u64,
}

impl Default for TrashBounds {
    fn default() -> TrashBounds {
        TrashBounds {
            days: 7,
            bytes: 20 << 30,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

/// Of everything in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum TextSize {
    Small,
    #[default]
    Normal,
    Large,
    Largest,
}

/// What an engine says of one thing, as it says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RawJson {
    pub json: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ContainerAct {
    /// By id or name.
    pub id: String,
    pub action: ContainerAction,
}

/// What made a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MadeOfRequest {
    pub id: String,
    /// For a second one beside it.
    pub copy: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SpecPair {
    pub before: RunSpec,
    pub after: RunSpec,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RecreateRequest {
    /// The container that it takes the place of.
    pub id: String,
    pub spec: RunSpec,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ProcessSignal {
    /// The container.
    pub id: String,
    /// As the container counts.
    pub pid: u32,
    /// `TERM`, `KILL`
    pub signal: String,
}

/// A file or a folder of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileRef {
    pub container: String,
    /// From the root.
    pub path: String,
}

/// A file or a folder of a container that is to be saved on this computer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileDownload {
    pub container: String,
    pub path: String,
    /// The whole path that the person chose; `None` is a new file in their downloads.
    pub to: Option<String>,
}

/// A container whose files are to be saved as one tar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ContainerExport {
    pub id: String,
    /// The whole path that the person chose; `None` is a new file in their downloads.
    pub to: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileSave {
    pub container: String,
    pub path: String,
    pub text: String,
    /// When it was changed last, as far as the page knows.
    pub modified: i64,
    /// Although it was changed meanwhile.
    pub force: bool,
}

/// A file or a folder that is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileNew {
    pub container: String,
    pub folder: String,
    pub name: String,
    pub owner: FileOwner,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileRename {
    pub container: String,
    pub path: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileUpload {
    pub file: FileNew,
    pub size: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct UploadPiece {
    /// In base64.
    pub data: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct UploadProgress {
    pub written: u64,
}
