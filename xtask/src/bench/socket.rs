//! What the way to the engine adds to a request.
//!
//! Once through our own code alone, on a native engine: both ends of a link without a machine between them
//! (`crates/link/examples/relay.rs`). Once through a real machine, whose engine is another one than the baseline's.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Instant;

use super::figures::{Baseline, Figure, Summary, interleaved};
use super::machine::Machine;
use super::native::Native;
use crate::{Error, process, workspace};

/// How many requests make one run.
const REQUESTS: usize = 200;
/// How large the image is that is saved.
const SAVED_MB: u32 = 2000;

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let native = Native::start()?;
    let raw = native.socket().to_owned();
    let relay = Relay::start(&raw)?;
    let through_link = compared(runs, &relay.listen, &raw)?;
    let (listen, raw_engine) = (format!("unix://{}", relay.listen.display()), format!("unix://{raw}"));
    docker(&raw_engine, &["import", &native.place.busybox, "bench"])?;
    let container = ["run", "--rm", "--network", "none", "bench", "/bin/busybox", "true"];
    let run = interleaved(runs, &mut || docker(&listen, &container), &mut || {
        docker(&raw_engine, &container)
    })?;
    let large = large(&raw_engine)?;
    let save = ["save", &large];
    let save = interleaved(runs, &mut || docker(&listen, &save), &mut || docker(&raw_engine, &save))?;
    drop(relay);

    let machine = Machine::prepared()?;
    machine.start()?;
    let note = Machine::conditions(&machine.status()?);
    let through_machine = compared(runs, &machine.socket(), &raw)?;
    let figure = |name, unit, (runs, baseline), bar, note| Figure {
        name,
        unit,
        runs,
        baseline: Some(Baseline {
            what: "the native engine's socket",
            runs: baseline,
        }),
        bar,
        note: Some(note),
    };
    Ok(vec![
        figure(
            "GET /_ping through our code, native engine",
            "ms",
            through_link,
            "<= +0.05 ms",
            format!("each run is the median of {REQUESTS} requests on one connection"),
        ),
        figure(
            "docker run --rm through our code, native engine",
            "s",
            run,
            "<= 1.05 x",
            "a container without a network that ends at once".to_owned(),
        ),
        figure(
            "docker save through our code, native engine",
            "s",
            save,
            "<= 1.25 x (80 % of the speed)",
            format!("an image of {SAVED_MB} MB"),
        ),
        figure(
            "GET /_ping through the machine's socket",
            "ms",
            through_machine,
            "-",
            format!("{note}; the engine behind it is an emulated one, so most of the difference is the engine's"),
        ),
    ])
}

/// Seconds that docker takes. What it prints may be large and goes nowhere.
fn docker(engine: &str, arguments: &[&str]) -> Result<f64, Error> {
    let mut docker = process::command("docker", arguments);
    let begun = Instant::now();
    process::run(docker.env("DOCKER_HOST", engine).stdout(Stdio::null()))?;
    Ok(begun.elapsed().as_secs_f64())
}

/// The name of an image of that size.
fn large(engine: &str) -> Result<String, Error> {
    let name = "bench-large".to_owned();
    let folder = workspace::scratch().join("socket");
    fs_err::create_dir_all(&folder)?;
    fs_err::File::create(folder.join("file"))?.set_len(u64::from(SAVED_MB) * 1_000_000)?;
    let tar = folder.join("image.tar").display().to_string();
    let arguments = [
        "--create",
        "--file",
        &tar,
        "--directory",
        &folder.to_string_lossy(),
        "file",
    ];
    process::run(&mut process::command("tar", arguments))?;
    docker(engine, &["import", &tar, &name])?;
    fs_err::remove_dir_all(folder)?;
    Ok(name)
}

fn compared(runs: u32, ours: &Path, raw: &str) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let ping = |socket: &str| {
        super::curl(&["--unix-socket", socket], "http://engine/_ping", REQUESTS)
            .map(|times| Summary::of(&times).map_or(f64::NAN, |summary| summary.median))
    };
    interleaved(runs, &mut || ping(&ours.to_string_lossy()), &mut || ping(raw))
}

/// Both ends of a link in one process.
struct Relay {
    child: Child,
    listen: PathBuf,
}

impl Relay {
    fn start(engine: &str) -> Result<Self, Error> {
        process::run(&mut process::cargo([
            "build",
            "--release",
            "--package",
            "wherry-link",
            "--example",
            "relay",
        ]))?;
        // Short: the path of a socket has at most 104 bytes.
        let listen = std::env::temp_dir().join(format!("wherry-relay-{}", std::process::id()));
        let mut child = process::command(
            workspace::release_program("examples/relay"),
            [&*listen.to_string_lossy(), engine],
        )
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|source| Error::Start {
            program: "relay".to_owned(),
            source,
        })?;
        while !listen.exists() {
            if let Some(status) = child.try_wait()? {
                return Err(Error::Failed {
                    command: "relay".to_owned(),
                    status: status.to_string(),
                });
            }
            std::thread::yield_now();
        }
        Ok(Self { child, listen })
    }
}

impl Drop for Relay {
    /// It ends with its standard input.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = fs_err::remove_file(&self.listen);
    }
}
