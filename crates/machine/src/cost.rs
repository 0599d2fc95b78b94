//! What the machine costs this computer: its own process and the daemon that looks after it.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::Instant;

use crate::clock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// Time on all cores since they started.
    pub(crate) cpu_millis: u64,
    /// How long the machine's process has been running.
    run_seconds: u64,
}

impl Cost {
    /// Of this process and of the machine's, `None` when that one is gone.
    pub(crate) fn of(machine: u32) -> Option<Self> {
        let machine = Pid::from_u32(machine);
        let both = [machine, Pid::from_u32(std::process::id())];
        let mut system = System::new().ok()?;
        let wanted = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&both), false, wanted);
        let run_seconds = system.process(machine)?.run_time();
        let processes = || both.iter().filter_map(|pid| system.process(*pid));
        Some(Self {
            memory: processes().map(sysinfo::Process::memory).sum(),
            cpu_millis: processes().map(sysinfo::Process::accumulated_cpu_time).sum(),
            run_seconds,
        })
    }

    /// Since the last look, or since the machine started when there was none. 100 is one core.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a percentage for people; milliseconds fit in 24 bits here"
    )]
    pub(crate) fn cpu_percent(self, now: Instant, before: Option<(Instant, u64)>) -> f32 {
        let (spent, passed) = match before {
            Some((then, cpu)) => (self.cpu_millis.saturating_sub(cpu), clock::millis(now - then)),
            None => (self.cpu_millis, self.run_seconds * 1000),
        };
        if passed == 0 {
            0.0
        } else {
            spent as f32 * 100.0 / passed as f32
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_daemon_counts_too() {
        let both = Cost::of(std::process::id()).expect("this process runs");
        assert!(both.memory > 0);
        assert_eq!(Cost::of(u32::MAX), None);
    }

    #[test]
    fn percent_of_one_core_since_the_last_look_or_the_start() {
        let cost = Cost {
            memory: 0,
            cpu_millis: 3000,
            run_seconds: 6,
        };
        let now = Instant::now();
        let close = |percent: f32, expected: f32| (percent - expected).abs() < 0.01;
        assert!(close(cost.cpu_percent(now, None), 50.0));
        assert!(close(
            cost.cpu_percent(now + Duration::from_secs(2), Some((now, 1000))),
            100.0
        ));
        assert!(close(cost.cpu_percent(now, Some((now, 1000))), 0.0));
    }
}
