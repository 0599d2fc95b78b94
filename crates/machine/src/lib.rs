//! A Linux machine on this host: backends, supervision, forwards, the engine's socket, the data disk.
//!
//! Holds the daemon's inside and the handle that clients use. Knows nothing of Docker's API and nothing of windows.

mod accelerator;
mod activity;
mod backend;
mod boot;
mod client;
mod clock;
mod control;
mod cost;
mod daemon;
mod disk;
pub mod doctor;
mod doze;
mod error;
#[cfg(all(test, unix))]
mod fake;
mod file;
mod forward;
mod free;
mod home;
mod host_disk;
mod image;
mod insecure;
mod names;
mod network;
pub mod ports;
mod process;
mod proxy;
mod qmp;
mod reach;
mod record;
mod saved;
mod settings;
mod shares;
mod socket;
mod spec;
mod state;
mod subnet;
mod supervisor;
mod suspend;
mod system;
mod tail;
mod trust;

pub use client::Machine;
pub use daemon::run_daemon;
pub use error::Error;
pub use forward::Forwards;
pub use home::{HOME_VARIABLE, Home};
pub use insecure::{InsecureRegistry, NoRegistry};
pub use proxy::{BadProxyUrl, HostProxy, ProxyChoice, ProxyInUse, ProxySource, ProxyUrl};
pub use settings::{Settings, SettingsChange};
pub use shares::is_machines_own;
pub use state::{
    Accelerator, DiskFill, Failure, FailureCode, Forward, Freed, HostRoom, Network, Running, Spec, SpecChange, State,
    Status, Step, StepReport, Usage,
};
pub use subnet::{NoSubnet, Subnet};
