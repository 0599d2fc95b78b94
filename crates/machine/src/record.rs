//! Which process the machine is, written down so that a daemon finds it again after the one before was killed.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::subnet::Plan;
use crate::{Home, Spec, file, system};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) pid: u32,
    /// Unix seconds.
    pub(crate) process_started: u64,
    /// Of this computer: a process number means nothing after a restart.
    pub(crate) host_boot: String,
    pub(crate) spec: Spec,
    pub(crate) backend: String,
    pub(crate) accelerator: String,
    /// What the backend was made of when the process was started.
    #[serde(default)]
    pub(crate) fingerprint: String,
    pub(crate) network: Plan,
    /// The folders that its own process serves, where that does, in the order of their devices.
    #[serde(default)]
    pub(crate) own_folders: Option<Vec<PathBuf>>,
    /// Unix milliseconds of the moment the engine first answered, and what that took. Absent until it has.
    pub(crate) ready: Option<Ready>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ready {
    pub(crate) since_millis: u64,
    pub(crate) in_millis: u64,
}

/// The start time is derived from the clock, which may have been set since.
const CLOCK_MAY_MOVE: Duration = Duration::from_secs(2);

impl Record {
    pub(crate) fn read(home: &Home) -> io::Result<Option<Self>> {
        match fs_err::read(home.record()) {
            // One that cannot be understood names no process that could be found again.
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The record, when the process it names is still that process.
    pub(crate) fn of_running(home: &Home) -> Option<Self> {
        Self::read(home).ok().flatten().filter(Self::is_running)
    }

    pub(crate) fn write(&self, home: &Home) -> io::Result<()> {
        file::write_whole(&home.record(), &serde_json::to_vec_pretty(self)?)
    }

    pub(crate) fn remove(home: &Home) -> io::Result<()> {
        file::remove(&home.record())
    }

    pub(crate) fn is_running(&self) -> bool {
        self.host_boot == system::boot_id()
            && process_started(self.pid)
                .is_some_and(|started| started.abs_diff(self.process_started) <= CLOCK_MAY_MOVE.as_secs())
    }
}

/// When this process started, in Unix seconds; `None` when there is none, or only what is left of one.
pub(crate) fn process_started(pid: u32) -> Option<u64> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    let wanted = ProcessRefreshKind::nothing().with_exe(UpdateKind::Never);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, wanted);
    let process = system.process(pid)?;
    let ended = matches!(
        process.status(),
        sysinfo::ProcessStatus::Zombie | sysinfo::ProcessStatus::Dead
    );
    (!ended).then(|| process.start_time())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Host;

    #[test]
    fn a_process_number_that_came_to_mean_another_process_is_not_ours() {
        let pid = std::process::id();
        let started = process_started(pid).expect("we run");
        let record = Record {
            pid,
            process_started: started,
            host_boot: system::boot_id(),
            spec: Host {
                cpus: 1,
                memory_mib: 1024,
            }
            .default_spec(),
            backend: "qemu".into(),
            accelerator: "tcg".into(),
            fingerprint: "qemu".into(),
            network: Plan::imagined(),
            own_folders: None,
            ready: None,
        };
        assert!(record.is_running());
        assert!(
            !Record {
                process_started: started - 60,
                ..record.clone()
            }
            .is_running()
        );
        assert!(
            !Record {
                host_boot: "another".into(),
                ..record.clone()
            }
            .is_running()
        );
        assert!(
            !Record {
                pid: u32::MAX / 2,
                ..record
            }
            .is_running()
        );
    }
}
