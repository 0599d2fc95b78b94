//! What makes a container: the one value behind the form, the request, the command line and the compose service.
//!
//! Sizes are bytes, times are milliseconds.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Protocol, Variable};

/// Everything that makes a container. `docker run`'s flags that few people need are in `rare`, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own of docker run")]
pub struct RunSpec {
    pub image: String,
    /// `None`: the engine invents one.
    pub name: Option<String>,
    /// `linux/arm64`; `None`: the engine's own.
    pub platform: Option<String>,
    pub pull: PullPolicy,
    /// `None`: the image's own. Empty: none at all.
    pub entrypoint: Option<String>,
    /// Words after the image; empty means the image's own command.
    pub command: Vec<String>,
    pub working_directory: Option<String>,
    pub user: Option<String>,
    /// `-i`
    pub interactive: bool,
    /// `-t`
    pub terminal: bool,
    pub init: bool,
    /// `--rm`
    pub remove_when_stopped: bool,
    pub restart: Restart,
    pub stop_signal: Option<String>,
    /// Seconds; -1 waits for ever.
    pub stop_timeout: Option<i64>,
    pub ports: Vec<PublishedPort>,
    /// `-P`
    pub publish_all: bool,
    pub mounts: Vec<RunMount>,
    pub environment: Vec<Variable>,
    /// Paths on this computer, read when the container is made. `environment` wins over them.
    pub env_files: Vec<String>,
    pub labels: Vec<Variable>,
    pub memory: Option<u64>,
    pub cpus: Option<f64>,
    pub shm_size: Option<u64>,
    pub gpus: Option<Gpus>,
    pub ulimits: Vec<Ulimit>,
    pub health: HealthSetting,
    pub log_driver: Option<String>,
    pub log_options: Vec<Variable>,
    /// The first is the one it starts with. Empty: the engine's default network.
    pub networks: Vec<RunNetwork>,
    pub hostname: Option<String>,
    pub dns: Vec<String>,
    /// `name:address`
    pub extra_hosts: Vec<String>,
    pub privileged: bool,
    /// The container's own file system cannot be written.
    pub read_only: bool,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub security_options: Vec<String>,
    pub devices: Vec<RunDevice>,
    pub sysctls: Vec<Variable>,
    pub rare: Vec<RareFlag>,
}

impl RunSpec {
    /// The platform that is asked for, if one is.
    pub fn platform(&self) -> Option<&str> {
        self.platform
            .as_deref()
            .map(str::trim)
            .filter(|platform| !platform.is_empty())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum PullPolicy {
    Always,
    #[default]
    Missing,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Restart {
    #[default]
    No,
    Always,
    UnlessStopped,
    OnFailure {
        /// `None`: for ever.
        retries: Option<u32>,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct PublishedPort {
    /// `None`: every address, as `-p 8080:80` means.
    pub host_address: Option<String>,
    /// `None`: the engine picks a free one.
    pub host_port: Option<u16>,
    /// The last of a range that begins with `host_port`.
    pub host_last: Option<u16>,
    pub container_port: u16,
    /// The last of a range that begins with `container_port`. With one container port and several of the host the
    /// engine picks one of these.
    pub container_last: Option<u16>,
    pub protocol: Protocol,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunMount {
    pub source: MountSource,
    /// The path in the container.
    pub target: String,
    pub read_only: bool,
    /// As `-v` and `--tmpfs` have them: `z`, `nocopy`, `rslave`, `size=64m`.
    pub options: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum MountSource {
    /// A folder or a file of this computer.
    Folder {
        path: String,
        /// Refused when it is not there (`--mount`); otherwise an empty folder is made (`-v`).
        must_exist: bool,
    },
    /// The engine makes it when there is none of this name; without a name it is the container's own.
    Volume { name: Option<String> },
    /// In memory; gone when the container stops.
    Memory,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Gpus {
    pub which: WhichGpus,
    /// `nvidia`; `None`: what the engine has.
    pub driver: Option<String>,
    /// `compute`, `utility`
    pub capabilities: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum WhichGpus {
    All,
    Count { count: u32 },
    Devices { ids: Vec<String> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Ulimit {
    pub name: String,
    /// -1: no limit.
    pub soft: i64,
    pub hard: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum HealthSetting {
    /// As the image has it.
    #[default]
    Image,
    Off,
    Own {
        check: HealthCheck,
    },
}

/// What is `None` or 0 is as the image or the engine has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheck {
    /// Run by a shell in the container; 0 means healthy.
    pub command: Option<String>,
    pub interval_millis: u64,
    pub timeout_millis: u64,
    pub start_period_millis: u64,
    pub start_interval_millis: u64,
    pub retries: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct RunNetwork {
    /// `bridge`, `host`, `none`, `container:NAME`, or one of the person's own.
    pub name: String,
    pub aliases: Vec<String>,
    pub ip: Option<String>,
    pub ip6: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunDevice {
    /// `/dev/ttyUSB0`, or a name of the Container Device Interface: `vendor.com/class=name`.
    pub host: String,
    /// `None`: the same path.
    pub container: Option<String>,
    /// Of r, w and m; `None`: all.
    pub permissions: Option<String>,
}

/// A flag of `docker run` by its long name, and its value as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RareFlag {
    /// Without the hyphens: `oom-score-adj`.
    pub flag: String,
    /// `true` for a switch.
    pub value: String,
}
