//! What a Docker-compatible engine holds, in the shape that lists and forms show.
//!
//! Sizes are bytes, times are Unix seconds, as the engine's API gives them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One row of the container list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSummary {
    pub id: String,
    pub name: String,
    /// The reference it was created from, as the person wrote it.
    pub image: String,
    pub image_id: String,
    pub command: String,
    pub state: ContainerState,
    /// The engine's own words: "Up 3 hours (healthy)".
    pub status: String,
    /// Known once it has stopped.
    pub exit_code: Option<i32>,
    /// It stands still because it ran out of memory.
    pub out_of_memory: bool,
    pub health: Option<Health>,
    pub ports: Vec<Port>,
    pub created: i64,
    pub labels: BTreeMap<String, String>,
    /// The compose project it belongs to.
    pub project: Option<String>,
    pub networks: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ContainerState {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Health {
    Starting,
    Healthy,
    Unhealthy,
}

/// A port that a container exposes; `host` is where it is published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    pub container: u16,
    pub protocol: Protocol,
    pub host: Option<HostPort>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct HostPort {
    /// "0.0.0.0", "::" or one address.
    pub address: String,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
    Sctp,
}

/// One row of the image list: one image, with every name it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageSummary {
    pub id: String,
    /// `repository:tag`; empty for a dangling image.
    pub references: Vec<String>,
    pub digests: Vec<String>,
    pub size: i64,
    pub created: i64,
    /// Names of the containers made from it.
    pub used_by: Vec<String>,
    /// When a container of it ran last, as far as anybody has seen: Unix seconds.
    pub last_use: Option<i64>,
}

/// What an image says about how to run it: the run form is prefilled from this.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageDetail {
    pub id: String,
    pub references: Vec<String>,
    pub size: i64,
    pub created: i64,
    pub architecture: String,
    pub os: String,
    pub exposed_ports: Vec<ExposedPort>,
    pub environment: Vec<Variable>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub volumes: Vec<String>,
    pub working_directory: String,
    pub user: String,
    pub labels: BTreeMap<String, String>,
    /// Digests of what its layers hold unpacked, from the first on: what two images share begins alike.
    pub layers: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ExposedPort {
    pub port: u16,
    pub protocol: Protocol,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    pub name: String,
    pub value: String,
}

/// A shell line, in parts that can be pointed at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CommandLine {
    /// Ready to paste into a shell, on one line.
    pub text: String,
    pub parts: Vec<CommandPart>,
}

/// Words that belong together: `-p 8080:80`, `--rm`, the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CommandPart {
    pub kind: CommandPartKind,
    /// Quoted for the shell. For a flag with a value: the flag, a blank, the value.
    pub text: String,
    /// What it does, in one sentence for a beginner; absent where the words speak for themselves.
    pub explanation: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum CommandPartKind {
    Program,
    Flag,
    Image,
    Argument,
}

/// A pull in numbers. Totals grow while the registry's manifests arrive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PullProgress {
    pub layers: Vec<LayerProgress>,
    pub done_bytes: u64,
    pub total_bytes: u64,
    pub bytes_per_second: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LayerProgress {
    pub id: String,
    pub stage: LayerStage,
    pub done_bytes: u64,
    /// 0 while it is not known.
    pub total_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum LayerStage {
    Waiting,
    /// The registry broke off; the engine tries this layer again.
    Retrying,
    Downloading,
    Unpacking,
    Done,
    AlreadyHere,
}

/// Some lines of a container's log, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LogChunk {
    pub lines: Vec<LogLine>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    pub source: LogSource,
    /// Unix milliseconds, when the engine gave a time.
    pub millis: Option<i64>,
    /// Without its line end. Bytes that are not UTF-8 are replaced; escapes are left in.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum LogSource {
    Stdout,
    Stderr,
    /// A container with a terminal has one output.
    Terminal,
}

/// What the engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EngineInfo {
    /// "Docker", "Podman".
    pub product: String,
    pub version: String,
    pub api_version: String,
    pub operating_system: String,
    pub kernel: String,
    pub architecture: String,
    pub cpus: u32,
    pub memory: u64,
}

/// What the engine's disk holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DiskUsage {
    pub images: u64,
    pub containers: u64,
    pub volumes: u64,
    pub build_cache: u64,
}

impl DiskUsage {
    pub fn all(&self) -> u64 {
        self.images + self.containers + self.volumes + self.build_cache
    }
}
