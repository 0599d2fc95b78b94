//! The machine's process: started apart from us, watched, and ended by its number only while that is still its own.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::{record, system};

/// A handle; dropping it leaves the process alone.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Unix seconds.
    pub(crate) started: u64,
    watched: Arc<system::Process>,
}

impl Process {
    /// Starts it so that it outlives us; what it says goes to the log.
    pub(crate) fn spawn(program: &Path, arguments: &[OsString], log: &Path, makes: system::Makes) -> io::Result<Self> {
        Self::spawn_with(Stdio::null(), program, arguments, log, makes)
    }

    /// The same, with something to read.
    pub(crate) fn spawn_with(
        input: Stdio,
        program: &Path,
        arguments: &[OsString],
        log: &Path,
        makes: system::Makes,
    ) -> io::Result<Self> {
        let log = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)?
            .into_parts()
            .0;
        let mut command = Command::new(program);
        command.args(arguments).current_dir("/");
        command.stdin(input).stdout(log.try_clone()?).stderr(log);
        system::detach(&mut command, makes);
        let child = command.spawn()?;
        let pid = child.id();
        // It cannot vanish and its number cannot be given away before it is reaped, which `Process::ended` does.
        let watched = Arc::new(system::Process::open(pid)?);
        let started = record::process_started(pid).unwrap_or_default();
        Ok(Self { pid, started, watched })
    }

    /// Takes up one that runs already.
    pub(crate) fn take_up(record: &record::Record) -> io::Result<Option<Self>> {
        let watched = Arc::new(system::Process::open(record.pid)?);
        // Looked at again now that the number is held: it cannot come to mean another process from here on.
        let ours = record.is_running();
        Ok(ours.then_some(Self {
            pid: record.pid,
            started: record.process_started,
            watched,
        }))
    }

    pub(crate) async fn ended(&self) {
        self.watched.ended().await;
    }

    /// Whether it has ended by now, whatever was heard of it.
    pub(crate) fn has_ended(&self) -> bool {
        record::process_started(self.pid).is_none()
    }

    pub(crate) async fn kill(&self) {
        self.watched.kill();
        self.watched.ended().await;
    }
}
