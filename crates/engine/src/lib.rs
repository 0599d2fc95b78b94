//! A Docker-compatible engine behind a socket: inventory, actions, logs, pulls; and registries, asked directly.
//!
//! Knows nothing of machines and windows: it is given a socket and speaks the Docker API, 1.41 to 1.5x.

mod action;
mod address;
mod again;
mod backup;
mod container;
mod discover;
mod docker_command;
mod ends;
mod engine;
mod env_file;
mod error;
mod exec;
mod files;
mod folder;
mod happening;
mod image;
mod image_files;
mod inventory;
mod last_use;
mod lines;
mod logbook;
mod logs;
mod model;
mod name;
mod partial;
mod process;
mod push;
mod reclaim;
mod recorder;
mod registry;
mod run;
mod secret;
mod shell;
mod sockets;
mod stats;
pub mod system_socket;
mod transport;
mod trash;
mod usage;
mod why;
mod wire;

pub use action::{ContainerAction, action_line, action_words};
pub use address::Address;
pub use again::MadeOf;
pub use backup::{
    BackupContainer, BackupError, BackupImage, BackupManifest, BackupMember, BackupNetwork, BackupProgress,
    BackupReport, BackupRequest, BackupStep, BackupVolume, Existing, RestoreReport, RestoreRequest, backup_contents,
    verify_backup,
};
pub use container::Removal;
pub use discover::{Candidate, EngineOrigin, Place, ask, candidates, places};
pub use docker_command::{Changes, ConfigError, DockerCommand, MissingHelper, Override, Setup};
pub use engine::{Change, Engine, Link};
pub use env_file::{EnvFileView, EnvRefusal, EnvVariable, EnvWarning, env_file_for_run, view_env_file};
pub use error::{Error, Reply};
pub use exec::{Attached, Exec, ExecEnd, Output, TerminalSize};
pub use files::{Download, FileChange, FileContent, FileEntry, FileKind, FileList, FileOwner, NewFile};
pub use happening::{Happened, Happening};
pub use image_files::{FileDifference, FileDifferences, LayerFile, LayerFiles};
pub use lines::{attach_line, debug_line, exec_line};
pub use logbook::{LogLevel, LogNews, LogOpen, LogState, LogWish, ShownLine};
pub use model::*;
pub use partial::finished_layers;
pub use process::{Process, Processes};
pub use push::{ImageSize, ImageStep};
pub use reclaim::{LeftOver, ReclaimItem, ReclaimRequest, Reclaimable, Reclaimed};
pub use recorder::Recorder;
pub use registry::{
    FoundImage, Greeting, HUB, HUB_SITE, HelperError, Hub, ImageName, Kept, Keychain, KnownRegistry, Limit, Login,
    LoginError, Logins, RegistryClient, RegistryError, RegistrySettings, RemoteImage, RemoteLayer, RemoteTag, Secret,
    SystemKeychain, Wants, certificate_files, is_on_this_computer, registry_address, registry_of,
};
pub use run::*;
pub use secret::is_secret;
pub use shell::{DEBUG_LABEL, DebugShell, ShellUser, Shells};
pub use sockets::Listener;
pub use stats::{ContainerHistory, ContainerHour, ContainerLoad, EngineHistory, EngineLoad, Sample, Totals};
pub use transport::Client;
pub use trash::{Restored, TrashId, TrashItem, TrashLimits, in_order};
pub use why::{Cause, Evidence, Known, Remedy, Source, Tone, Why, WhyFix, WhyLine};
