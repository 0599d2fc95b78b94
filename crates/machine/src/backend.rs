//! What differs between the ways to run a machine. A value of a backend exists only where it can be used: finding
//! one is the check.

pub(crate) mod qemu;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::subnet::Plan;
use crate::{Accelerator, Failure, Home, Spec};

pub(crate) trait Backend: Send + Sync + 'static {
    fn facts(&self) -> Facts;

    /// How to run it, the best way first. Each next one is tried when the guest gave no sign of life on the one
    /// before.
    fn attempts(&self, accelerator: Accelerator) -> Attempts;

    /// Makes on the host's disk what the machine needs there, and says what it found.
    fn prepare(&self, home: &Home, spec: &Spec) -> Result<String, Failure>;

    /// The process that serves the person's folders to this kind of machine, where there is one. It listens before the
    /// machine is launched.
    fn files(&self, home: &Home) -> Option<FilesLaunch>;

    /// Whether the machine's own process can serve folders too, for when there is no such process.
    fn serves_folders(&self) -> bool;

    /// Computes what to run; does nothing.
    fn launch(
        &self,
        home: &Home,
        spec: &Spec,
        network: &Plan,
        accelerator: &str,
        folders: Folders<'_>,
        from: Begin,
    ) -> Launch;

    /// A second, closer look after a guest gave no sign of life: what here explains it.
    fn diagnose(&self) -> Result<(), Failure>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) name: &'static str,
    /// What it is made of; changes when a remembered failure of an accelerator should be forgotten, and when memory
    /// that was saved before cannot be used any more.
    pub(crate) fingerprint: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    pub(crate) attempts: Vec<Attempt>,
    /// Why the best way is not among them.
    pub(crate) note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// In the backend's own word: `kvm`, `hvf`, `whpx`, `tcg`.
    pub(crate) accelerator: &'static str,
    /// Whether it is the host's hardware, which either works soon or never.
    pub(crate) hardware: bool,
    /// How long the guest may take to its first word.
    pub(crate) first_word: Duration,
}

/// Where a machine has the person's folders from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folders<'a> {
    Nowhere,
    /// The process that serves them, which runs.
    Server,
    /// Its own process: these, for as long as it runs.
    Itself(&'a [PathBuf]),
}

impl<'a> Folders<'a> {
    pub(crate) fn of(served: bool, own: Option<&'a [PathBuf]>) -> Self {
        match own {
            _ if served => Self::Server,
            Some(own) => Self::Itself(own),
            None => Self::Nowhere,
        }
    }

    /// By what the guest knows one of those that the machine's own process serves.
    pub(crate) fn tag(index: usize) -> String {
        format!("folder{index}")
    }
}

/// What a machine's process begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    Boot,
    /// It waits to be given memory that was saved, and stands still until it is told to go on.
    Memory,
}

/// The file server to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilesLaunch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Where it takes what it is to show. Once it answers there the machine may be started.
    pub(crate) control: PathBuf,
}

/// A process to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Where the agent answers once the process runs.
    pub(crate) link: PathBuf,
}
