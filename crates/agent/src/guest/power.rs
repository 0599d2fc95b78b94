//! The way down: containers, engine, whatever else runs, disk, power.

use std::time::Duration;

use rustix::{
    mount::{UnmountFlags, unmount},
    process::{Pid, Signal, kill_process},
    system::{RebootCommand, reboot},
};
use tokio::{sync::oneshot, time::timeout};
use wherry_link::Stage;

use super::{
    Guest,
    disk::{self, DATA},
    engine::Running,
    log::say,
};

/// How long processes that nobody waits for may take to end when they are asked to.
const ASKED: Duration = Duration::from_millis(500);

/// How often, 50 ms apart, unmounting is tried before the disk is taken away from whoever holds it.
const UNMOUNTS: u32 = 40;

/// How long the shared folders may take to be written back. Whoever serves them may be gone, and be waited for in vain.
const WRITTEN_BACK: Duration = Duration::from_secs(10);

/// How long the host may take to read the last report.
const FAREWELL: Duration = Duration::from_millis(100);

pub(super) async fn off(guest: &Guest, running: Option<Running>) {
    guest.status.enter(Stage::PoweringOff);
    if let Some(running) = running {
        // dockerd stops the containers, each with the time it was given.
        running.stop().await;
    }
    let others = processes();
    if !others.is_empty() {
        kill(&others, Signal::TERM);
        let gone = async {
            while !processes().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(ASKED, gone).await.is_err() {
            kill(&processes(), Signal::KILL);
        }
    }
    release_disk().await;
    tokio::time::sleep(FAREWELL).await;
    say!("off");
}

/// Turns the power off. Returns only when the kernel cannot.
pub(super) fn off_now() {
    sync_disk();
    for command in [RebootCommand::PowerOff, RebootCommand::Restart, RebootCommand::Halt] {
        if let Err(error) = reboot(command) {
            say!("power off: {error}");
        }
    }
}

/// Everything with a command line: the kernel's own threads have none.
fn processes() -> Vec<Pid> {
    let own = rustix::process::getpid();
    let Ok(entries) = fs_err::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|pid| *pid != own)
        .filter(|pid| fs_err::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()))
        .collect()
}

fn kill(processes: &[Pid], signal: Signal) {
    for process in processes {
        // It may have ended by itself.
        let _ = kill_process(*process, signal);
    }
}

/// The data disk alone: sync(2) waits for the shared folders too.
fn sync_disk() {
    if let Err(error) = disk::sync() {
        say!("the data disk: {error}");
    }
}

/// What programs have written to mapped files of the shared folders.
async fn write_back() {
    let (done, written) = oneshot::channel();
    std::thread::spawn(move || {
        rustix::fs::sync();
        done.send(())
    });
    if timeout(WRITTEN_BACK, written).await.is_err() {
        say!("the shared folders are not written back");
    }
}

async fn release_disk() {
    for mount in below(
        DATA,
        &fs_err::read_to_string("/proc/self/mountinfo").unwrap_or_default(),
    ) {
        let _ = unmount(mount.as_str(), UnmountFlags::DETACH);
    }
    sync_disk();
    write_back().await;
    for _ in 0..UNMOUNTS {
        match unmount(DATA, UnmountFlags::empty()) {
            // Not mounted: there was no disk.
            Ok(()) | Err(rustix::io::Errno::INVAL) => return,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    say!("the data disk is still in use; its journal will be replayed");
    let _ = unmount(DATA, UnmountFlags::DETACH);
}

/// What is mounted below a folder, the innermost first. Spaces in paths are written as `\040` there.
fn below(folder: &str, mountinfo: &str) -> Vec<String> {
    let inside = format!("{folder}/");
    let mut mounts: Vec<String> = mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|mount| mount.starts_with(&inside))
        .map(|mount| mount.replace("\\040", " "))
        .collect();
    mounts.reverse();
    mounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_is_unmounted_and_the_innermost_first() {
        let mountinfo = "30 1 254:0 / / ro - erofs /dev/vda ro\n\
                         31 30 254:16 / /data rw,noatime - ext4 /dev/vdb rw\n\
                         40 31 0:50 / /data/docker/overlay2/1/merged rw - overlay overlay rw\n\
                         41 40 0:51 / /data/docker/overlay2/1/merged/a\\040b rw - tmpfs tmpfs rw\n\
                         42 30 0:52 / /database rw - tmpfs tmpfs rw\n";
        let expected = ["/data/docker/overlay2/1/merged/a b", "/data/docker/overlay2/1/merged"];
        assert_eq!(below("/data", mountinfo), expected);
    }
}
