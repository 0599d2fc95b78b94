//! How quick shared folders are beside plain virtiofsd in the same guest.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::bare::Bare;
use super::figures::{Baseline, Figure};
use super::machine::Machine;
use super::program;
use crate::{Error, process, workspace};

/// The version of the library that `crates/share` serves files with.
const PLAIN: &str = "1.14.0";
/// What is read from one end to the other.
const BIG_MB: u8 = 255;
const BIG_MIB: f64 = 255.0;
/// How long a server of files may take to listen.
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
    let load = program::compile(folder.path(), "load", include_str!("shares/load.rs"))?;
    // Before anybody waits for a machine to connect.
    plain_server()?;
    let machine = Machine::prepared()?;
    machine.start()?;
    files(&machine, folder.path(), &load, runs)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guests_lines_are_told_apart_from_the_kernels() {
        let said = "[ 1.2] kernel: load average\nload read /ours 1.5\r\nload read /plain 1.25\r\nload read /ours 2\r\n";
        assert_eq!(seconds(said, "read", "/ours").collect::<Vec<_>>(), [1.5, 2.0]);
        assert_eq!(seconds(said, "stat", "/ours").count(), 0);
    }
}
