//! How soon a container hears of a change on this computer, and what it costs to watch for one.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::figures::{Baseline, Figure};
use super::machine::Machine;
use super::program;
use crate::{Error, process};

/// How often what is told is done in one run.
const EDITS: usize = 40;
/// Folders with so many files in each are watched.
const WATCHED: (usize, usize) = (1000, 100);
/// How long the watching machine is left alone, and how long it is looked at then.
const SETTLE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_secs(20);
/// How long a container may take to start: on a busy computer an emulated one takes its time.
const STARTED: Duration = Duration::from_mins(5);
/// Longer than any event that is worth a figure.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let folder = tempfile::Builder::new().prefix("wf").tempdir()?;
    program::compile(folder.path(), "load", include_str!("shares/load.rs"))?;
    let machine = Machine::prepared()?;
    changes(&machine, folder.path(), runs)
}

/// From an edit on this computer to the line that a program in a container says of it.
fn changes(machine: &Machine, folder: &Path, runs: u32) -> Result<Vec<Figure>, Error> {
    machine.start()?;
    let status = machine.status()?;
    let (edited, many) = (folder.join("edited"), folder.join("many"));
    for made in [&edited, &many] {
        fs_err::create_dir(made)?;
        machine.share(made)?;
    }
    for nth in 0..WATCHED.0 {
        let below = many.join(nth.to_string());
        fs_err::create_dir(&below)?;
        for file in 0..WATCHED.1 {
            fs_err::write(below.join(file.to_string()), "")?;
        }
    }
    let image = program::pack(folder, &["load"])?;
    let docker = || {
        let mut docker = process::command("docker", [""; 0]);
        docker.env("DOCKER_HOST", format!("unix://{}", machine.socket().display()));
        docker
    };
    process::capture(docker().arg("import").arg(&image).arg("bench"))?;

    let mut watcher = Watcher::start(&mut docker(), &edited)?;
    watcher.is_told(&edited.join("first"))?;
    let [creates, modifies, renames, deletes, echoes] = edits(&mut watcher, &edited, runs)?;
    drop(watcher);

    // What only runs, and what watches as well.
    let processes = our_processes(machine)?;
    let mut watcher = Watcher::start(&mut docker(), &many)?;
    watcher.is_told(&many.join("first"))?;
    sleep(SETTLE);
    let mut percent = Vec::new();
    for _ in 0..runs {
        let before = worked(&processes)?;
        sleep(LOOK);
        percent.push((worked(&processes)? - before) / LOOK.as_secs_f64() * 100.0);
    }
    // It was watching all the time.
    watcher.is_told(&many.join("last"))?;
    drop(watcher);
    machine.stop()?;

    let told = |name, runs, note| Figure {
        name,
        unit: "ms",
        runs,
        baseline: Some(Baseline {
            what: "a word to a container and back",
            runs: echoes.clone(),
        }),
        bar: "<= 150 ms",
        note,
    };
    let note = format!(
        "{}; each run is the 95th percentile of {EDITS}, until the line of a program in a container is here",
        Machine::conditions(&status)
    );
    let watching = format!(
        "{} files in {} folders; the file server, its two keepers and the daemon",
        WATCHED.0 * WATCHED.1,
        WATCHED.0
    );
    Ok(vec![
        told("a file is made here, and a container hears of it", creates, Some(note)),
        told("it is written", modifies, None),
        told("it is renamed", renames, None),
        told("it is removed", deletes, None),
        Figure {
            name: "watching 100,000 files",
            unit: "% of a core",
            runs: percent,
            baseline: None,
            bar: "<= 1 %",
            note: Some(watching),
        },
    ])
}

/// The 95th percentiles of each run: made, written, renamed, removed, and a word to the container and back.
fn edits(watcher: &mut Watcher, folder: &Path, runs: u32) -> Result<[Vec<f64>; 5], Error> {
    let mut all = [const { Vec::new() }; 5];
    for run in 0..runs {
        let mut times = [const { Vec::new() }; 5];
        for nth in 0..EDITS {
            let (name, moved) = (format!("file{run}-{nth}"), format!("moved{run}-{nth}"));
            let (path, to) = (folder.join(&name), folder.join(&moved));
            times[0].push(watcher.after(&format!("create {name}"), || fs_err::File::create(&path))?);
            times[1].push(watcher.after(&format!("modify {name}"), || fs_err::write(&path, "new"))?);
            times[2].push(watcher.after(&format!("to {moved}"), || fs_err::rename(&path, &to))?);
            times[3].push(watcher.after(&format!("delete {moved}"), || fs_err::remove_file(&to))?);
            times[4].push(watcher.echo(&name)?);
        }
        for (runs, times) in all.iter_mut().zip(&times) {
            runs.push(p95(times));
        }
    }
    Ok(all)
}

/// A container that says what it hears of a folder.
struct Watcher {
    child: Child,
    typed: ChildStdin,
    said: mpsc::Receiver<(Instant, String)>,
}

impl Watcher {
    fn start(docker: &mut Command, folder: &Path) -> Result<Self, Error> {
        let volume = format!("{}:/work", folder.display());
        docker.args(["run", "--rm", "--interactive", "--volume", &volume]);
        docker.args(["bench", "/load", "watch", "/work"]);
        let mut child = docker.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(typed), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(nothing("its output"));
        };
        let (heard, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if heard.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        let watcher = Self { child, typed, said };
        watcher.until("watching", STARTED)?;
        Ok(watcher)
    }

    /// When it said this.
    fn until(&self, wanted: &str, patience: Duration) -> Result<Instant, Error> {
        let begun = Instant::now();
        loop {
            let left = patience.saturating_sub(begun.elapsed());
            let (at, line) = self.said.recv_timeout(left).map_err(|_| nothing(wanted))?;
            if line == wanted {
                return Ok(at);
            }
        }
    }

    /// A folder is watched a moment after a container has it.
    fn is_told(&mut self, path: &Path) -> Result<(), Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            fs_err::write(path, "")?;
            fs_err::remove_file(path)?;
            if self
                .until(&format!("delete {name}"), Duration::from_millis(500))
                .is_ok()
            {
                // And nothing of this is still on its way.
                return self.echo(&name).map(|_| ());
            }
        }
        Err(nothing(&name))
    }

    /// Milliseconds from the end of this to the line.
    fn after<T>(&self, line: &str, does: impl FnOnce() -> io::Result<T>) -> Result<f64, Error> {
        let begun = Instant::now();
        does()?;
        let at = self.until(line, PATIENCE)?;
        Ok(at.duration_since(begun).as_secs_f64() * 1000.0)
    }

    fn echo(&mut self, word: &str) -> Result<f64, Error> {
        let begun = Instant::now();
        writeln!(self.typed, "{word}")?;
        let at = self.until(word, PATIENCE)?;
        Ok(at.duration_since(begun).as_secs_f64() * 1000.0)
    }
}

impl Drop for Watcher {
    /// The container ends with its input.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn nothing(wanted: &str) -> Error {
    Error::Missing {
        what: format!("\"{wanted}\" in what the container said"),
        hint: "Look at the machine's logs.".to_owned(),
    }
}

/// The daemon, and what serves and keeps its machine's files.
fn our_processes(machine: &Machine) -> Result<Vec<String>, Error> {
    let lock = fs_err::read_to_string(machine.home().join("run/daemon.lock"))?;
    let mut processes = vec![lock.trim().to_owned()];
    let home = machine.home().to_string_lossy().into_owned();
    for entry in fs_err::read_dir("/proc")?.flatten() {
        let line = fs_err::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if line.contains("-files\0") && line.contains(&home) {
            processes.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(processes)
}

/// Seconds for which these processes have used a processor, threads that have ended included.
fn worked(processes: &[String]) -> Result<f64, Error> {
    /// What Linux counts in, for programs.
    const TICKS: f64 = 100.0;
    let mut ticks = 0.0;
    for process in processes {
        let stat = fs_err::read_to_string(format!("/proc/{process}/stat"))?;
        // After the name: the 14th and 15th of all fields, the time of its own and the kernel's for it.
        let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
        let used = fields.split_whitespace().skip(11).take(2);
        ticks += used.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>();
    }
    Ok(ticks / TICKS)
}

fn p95(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * 95).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_twenty_may_be_later() {
        let times: Vec<f64> = (1..=40).map(f64::from).collect();
        assert!((p95(&times) - 38.0).abs() < f64::EPSILON);
    }
}
