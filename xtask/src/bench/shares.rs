//! How quick shared folders are beside plain virtiofsd in the same guest, how soon a container hears of a change on this
//! computer, and what it costs to watch for one.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::bare::Bare;
use super::figures::{Baseline, Figure};
use super::giveback::Worked;
use super::machine::Machine;
use crate::{Error, process, workspace};

/// The version of the library that `crates/share` serves files with.
const PLAIN: &str = "1.14.0";
/// What is read from one end to the other.
const BIG_MB: u8 = 255;
const BIG_MIB: f64 = 255.0;
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

/// What is done, how much of it makes a run, what it is counted in, and the bar.
const STEPS: [(&str, &str, f64, &str, &str); 5] = [
    ("read", "a shared file read in one go", BIG_MIB, "MiB/s", ">= 0.80 x"),
    ("create", "10,000 files made", 10_000.0, "/s", ">= 0.60 x"),
    ("stat", "10,000 files looked at", 10_000.0, "/s", ">= 0.60 x"),
    (
        "missing",
        "100,000 names that are not there",
        100_000.0,
        "/s",
        ">= 0.60 x",
    ),
    ("delete", "10,000 files removed", 10_000.0, "/s", ">= 0.60 x"),
];

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let folder = tempfile::Builder::new().prefix("wf").tempdir()?;
    let load = program(folder.path())?;
    // Before anybody waits for a machine to connect.
    plain_server()?;
    let machine = Machine::prepared()?;
    machine.start()?;
    let mut figures = files(&machine, folder.path(), &load, runs)?;
    figures.extend(changes(&machine, folder.path(), &load, runs)?);
    Ok(figures)
}

/// Both servers' folders in a guest that has nothing else: the machine's QEMU, kernel and processors, and no engine.
fn files(machine: &Machine, folder: &Path, load: &Path, runs: u32) -> Result<Vec<Figure>, Error> {
    let status = machine.status()?;
    let note = Machine::conditions(&status);
    let place = |name: &str| folder.join(name);
    for side in ["ours", "plain"] {
        fs_err::create_dir(place(side))?;
        let mut big = fs_err::File::create(place(side).join("big"))?;
        for piece in 0..BIG_MB {
            // Not zeros, which some file systems do not keep.
            big.write_all(&vec![piece + 1; 1 << 20])?;
        }
    }
    let shared = place("ours");
    // As the agent mounts them: the whole tree, and the folder from it.
    let init = format!(
        "#!/bin/busybox sh
export PATH=/bin
mount -t devtmpfs dev /dev 2> /dev/null
mount -t proc proc /proc
mkdir -p /tree /ours /plain
mount -t virtiofs -o nosuid,nodev ours /tree
mount -o bind /tree{} /ours
mount -t virtiofs -o nosuid,nodev plain /plain
load load {runs} /ours /plain
poweroff -f
",
        shared.display()
    );
    let sockets = ["ours.sock", "control.sock", "plain.sock"].map(place);
    let [ours, control, plain] = &sockets;
    let each = Duration::from_mins(10);
    let bare = Bare::from_running(&status, &place("bare"), &init, &[load])?
        .with_files("ours", ours)
        .with_files("plain", plain)
        .with_patience(each * runs);
    machine.stop()?;

    let mut server = process::command(workspace::release_program("wherry"), ["keep-files"]);
    server.arg("--device").arg(ours).arg("--control").arg(control);
    let _ours = Server::start(&mut server, ours)?;
    let _told = show(control, &shared)?;
    let mut server = process::command(plain_server()?, ["--sandbox", "none", "--socket-path"]);
    server.arg(plain).arg("--shared-dir").arg(place("plain"));
    let _plain = Server::start(&mut server, plain)?;
    let (_, said) = bare.boot("load done")?;

    let figure = |(what, name, amount, unit, bar): (&str, &'static str, f64, &'static str, &'static str)| Figure {
        name,
        unit,
        runs: seconds(&said, what, "/ours").map(|seconds| amount / seconds).collect(),
        baseline: Some(Baseline {
            what: "plain virtiofsd, in the same guest",
            runs: seconds(&said, what, "/plain").map(|seconds| amount / seconds).collect(),
        }),
        bar,
        note: None,
    };
    let mut figures: Vec<Figure> = STEPS.into_iter().map(figure).collect();
    if let Some(first) = figures.first_mut() {
        first.note = Some(format!(
            "{note}; one guest with both, which knows nothing of the files before each run; virtiofsd {PLAIN}"
        ));
    }
    Ok(figures)
}

/// What the guest's lines say of one of its steps.
fn seconds<'a>(said: &'a str, what: &'a str, folder: &'a str) -> impl Iterator<Item = f64> + 'a {
    said.lines().filter_map(move |line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["load", of, at, seconds] = words[..] else {
            return None;
        };
        (of == what && at == folder).then(|| seconds.parse().ok())?
    })
}

/// What the daemon would say, for as long as this connection is kept.
fn show(control: &Path, folder: &Path) -> Result<UnixStream, Error> {
    let begun = Instant::now();
    let mut daemon = loop {
        match UnixStream::connect(control) {
            Ok(daemon) => break daemon,
            Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(5)),
        }
    };
    let view = json!({ "folders": [folder], "hidden": [], "watched": [], "raiser": null });
    daemon.write_all(format!("{view}\n").as_bytes())?;
    let mut answer = [0; 1];
    daemon.read_exact(&mut answer)?;
    Ok(daemon)
}

struct Server(Child);

impl Server {
    /// Starts it and waits until it listens there.
    fn start(command: &mut Command, socket: &Path) -> Result<Self, Error> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut server = Self(child.map_err(|source| Error::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?);
        let begun = Instant::now();
        while !socket.exists() {
            if begun.elapsed() > PATIENCE || server.0.try_wait()?.is_some() {
                return Err(Error::Missing {
                    what: format!("a server of files at {}", socket.display()),
                    hint: format!("It was started with: {command:?}"),
                });
            }
            sleep(Duration::from_millis(5));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// virtiofsd as it comes, of the version that our own server is made of.
fn plain_server() -> Result<PathBuf, Error> {
    let root = workspace::scratch().join(format!("virtiofsd-{PLAIN}"));
    let program = root.join("bin/virtiofsd");
    if !program.exists() {
        let mut cargo = process::cargo([
            "install",
            "--quiet",
            "--locked",
            "virtiofsd",
            "--version",
            PLAIN,
            "--root",
        ]);
        process::run_aside(cargo.arg(&root).arg("--target-dir").arg(root.join("target")))?;
        fs_err::remove_dir_all(root.join("target"))?;
    }
    Ok(program)
}

fn program(folder: &Path) -> Result<PathBuf, Error> {
    let (source, program) = (folder.join("load.rs"), folder.join("load"));
    fs_err::write(&source, include_str!("shares/load.rs"))?;
    let arguments = ["--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-o"];
    process::run(process::command("rustc", arguments).arg(&program).arg(&source))?;
    Ok(program)
}

/// From an edit on this computer to the line that a program in a container says of it.
fn changes(machine: &Machine, folder: &Path, load: &Path, runs: u32) -> Result<Vec<Figure>, Error> {
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
    let image = folder.join("image.tar");
    let mut tar = process::command("tar", ["--create", "--file"]);
    process::run(
        tar.arg(&image)
            .arg("--directory")
            .arg(folder)
            .arg(load.file_name().unwrap_or_default()),
    )?;
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
        let before = Worked::of(&processes)?;
        sleep(LOOK);
        percent.push((Worked::of(&processes)?.seconds - before.seconds) / LOOK.as_secs_f64() * 100.0);
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
    fn the_guests_lines_are_told_apart_from_the_kernels() {
        let said = "[ 1.2] kernel: load average\nload read /ours 1.5\r\nload read /plain 1.25\r\nload read /ours 2\r\n";
        assert_eq!(seconds(said, "read", "/ours").collect::<Vec<_>>(), [1.5, 2.0]);
        assert_eq!(seconds(said, "stat", "/ours").count(), 0);
    }

    #[test]
    fn one_in_twenty_may_be_later() {
        let times: Vec<f64> = (1..=40).map(f64::from).collect();
        assert!((p95(&times) - 38.0).abs() < f64::EPSILON);
    }
}
