//! What a machine gives back of memory and disk, and what it costs while it does nothing.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::figures::{Baseline, Figure};
use super::machine::Machine;
use crate::{Error, process};

/// What a container uses of memory and of its file's cache, and twice what it writes.
const USED_MB: u64 = 1000;
const PIECE_MB: u64 = 20;
/// When the bars look at what has come back.
const MEMORY_BACK: Duration = Duration::from_secs(30);
const DISK_BACK: Duration = Duration::from_mins(1);
/// How long a machine is left alone before it counts as idle, and how long it is watched then.
const SETTLE: Duration = Duration::from_mins(2);
const WATCH: Duration = Duration::from_mins(1);

pub(super) fn back(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    machine.start()?;
    let status = machine.status()?;
    let note = Machine::conditions(&status);
    let qemu = pid(&status);
    let image = busybox(machine.home())?;
    let docker = |arguments: &[&str]| {
        let host = format!("unix://{}", machine.socket().display());
        process::capture(process::command("docker", arguments).env("DOCKER_HOST", host)).map(|_| ())
    };
    docker(&["import", &image, "bench"])?;
    let container = |script: &str| {
        docker(&[
            "run",
            "--rm",
            "--volume",
            "work:/work",
            "bench",
            "/bin/sh",
            "-c",
            script,
        ])
    };
    // Not zeros, which would become holes; and by large pieces, because emulation is slow at small ones.
    let write = |pieces: u64| {
        format!(
            "dd if=/dev/urandom of=/work/piece bs={PIECE_MB}M count=1
             for piece in $(seq {pieces}); do cat /work/piece; done > /work/file
             rm /work/piece"
        )
    };
    // What the first container brings with it stays.
    container("true")?;
    sleep(MEMORY_BACK);

    let (mut memory, mut memory_before) = (Vec::new(), Vec::new());
    let (mut disk, mut disk_before) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        memory_before.push(resident(&qemu)?);
        let file = write(USED_MB / PIECE_MB);
        container(&format!(
            "dd if=/dev/zero of=/dev/null bs={USED_MB}M count=1
             {file}
             cat /work/file > /dev/null
             rm /work/file"
        ))?;
        sleep(MEMORY_BACK);
        memory.push(resident(&qemu)?);

        disk_before.push(occupied(machine.home())?);
        container(&format!("{}\n sync; rm /work/file", write(2 * USED_MB / PIECE_MB)))?;
        sleep(DISK_BACK);
        disk.push(occupied(machine.home())?);
    }
    let figure = |name, bar, runs, what, baseline, note| Figure {
        name,
        unit: "MiB",
        runs,
        baseline: Some(Baseline { what, runs: baseline }),
        bar,
        note: Some(note),
    };
    Ok(vec![
        figure(
            "QEMU's memory 30 s after use",
            "<= 1.10 x",
            memory,
            "before a container used 1 GB of its own and 1 GB of cache",
            memory_before,
            note.clone(),
        ),
        figure(
            "the data disk 60 s after removing",
            "<= 1.05 x + 64 MB",
            disk,
            "before a container wrote 2 GB and removed it",
            disk_before,
            note,
        ),
    ])
}

pub(super) fn idle(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    machine.start()?;
    machine.stay()?;
    let status = machine.status()?;
    let lock = fs_err::read_to_string(machine.home().join("run/daemon.lock"))?;
    let processes = [pid(&status), lock.trim().to_owned()];
    sleep(SETTLE);
    let (mut percent, mut wakes) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let before = Worked::of(&processes)?;
        sleep(WATCH);
        let after = Worked::of(&processes)?;
        let seconds = WATCH.as_secs_f64();
        percent.push((after.seconds - before.seconds) / seconds * 100.0);
        wakes.push((after.wakes - before.wakes) / seconds);
    }
    let note = Machine::conditions(&status);
    let figure = |name, unit, runs, bar, note| Figure {
        name,
        unit,
        runs,
        baseline: None,
        bar,
        note,
    };
    Ok(vec![
        figure("QEMU and daemon, idle", "% of a core", percent, "<= 0.1 %", Some(note)),
        figure("QEMU and daemon, idle", "wake-ups a second", wakes, "<= 2", None),
    ])
}

/// What processes have done since they started.
pub(super) struct Worked {
    pub(super) seconds: f64,
    /// How often one of their threads began to wait, thus was woken.
    wakes: f64,
}

impl Worked {
    pub(super) fn of(processes: &[String]) -> Result<Self, Error> {
        let mut worked = Self {
            seconds: 0.0,
            wakes: 0.0,
        };
        for process in processes {
            for thread in fs_err::read_dir(format!("/proc/{process}/task"))? {
                let thread = thread?.path();
                let ran = fs_err::read_to_string(thread.join("schedstat"))?;
                let nanos = ran.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
                worked.seconds += nanos.unwrap_or_default() / 1e9;
                let status = fs_err::read_to_string(thread.join("status"))?;
                worked.wakes += field(&status, "voluntary_ctxt_switches:");
            }
        }
        Ok(worked)
    }
}

fn pid(status: &serde_json::Value) -> String {
    status["state"]["running"]["pid"].to_string()
}

/// The number of a line of /proc's.
fn field(text: &str, name: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

/// Resident memory, in MiB.
fn resident(pid: &str) -> Result<f64, Error> {
    let status = fs_err::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(field(&status, "VmRSS:") / 1024.0)
}

/// What the data disk's file occupies, in MiB.
fn occupied(home: &Path) -> Result<f64, Error> {
    let disk = home.join("machine/data.raw").display().to_string();
    let said = process::capture(&mut process::command("du", ["--block-size=1K", &disk]))?;
    Ok(field(&said, "") / 1024.0)
}

/// The path of a tar with nothing but busybox in it.
pub(super) fn busybox(folder: &Path) -> Result<String, Error> {
    let root = folder.join("busybox");
    fs_err::create_dir_all(root.join("bin"))?;
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).is_file());
    fs_err::copy(busybox.unwrap_or("/bin/busybox"), root.join("bin/busybox"))?;
    for name in ["sh", "cat", "dd", "rm", "seq", "sync", "true"] {
        let link = root.join("bin").join(name);
        process::run(process::command("ln", ["--symbolic", "--force", "busybox"]).arg(link))?;
    }
    let tar = folder.join("busybox.tar").display().to_string();
    let root = root.display().to_string();
    process::capture(&mut process::command("tar", ["-C", &root, "-cf", &tar, "."]))?;
    Ok(tar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_numbers() {
        let status = "Name:\tqemu\nVmRSS:\t  4096 kB\nvoluntary_ctxt_switches:\t12\n";
        assert!((field(status, "VmRSS:") - 4096.0).abs() < f64::EPSILON);
        assert!((field(status, "voluntary_ctxt_switches:") - 12.0).abs() < f64::EPSILON);
        assert!(field(status, "VmSwap:").abs() < f64::EPSILON);
    }
}
