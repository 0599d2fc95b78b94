//! What the way to the engine adds to a request.
//!
//! Once through our own code alone, on a native engine: both ends of a link without a machine between them
//! (`crates/link/examples/relay.rs`). Once through a real machine, whose engine is another one than the baseline's.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::figures::{Baseline, Figure, Summary, interleaved};
use super::machine::Machine;
use super::native::Native;
use crate::{Error, process, workspace};

/// How many requests make one run.
const REQUESTS: usize = 200;

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let native = Native::start()?;
    let raw = native.socket().to_owned();
    let relay = Relay::start(&raw)?;
    let through_link = compared(runs, &relay.listen, &raw)?;
    drop(relay);

    let machine = Machine::prepared()?;
    machine.start()?;
    let note = Machine::conditions(&machine.status()?);
    let through_machine = compared(runs, &machine.socket(), &raw)?;
    let figure = |name, (runs, baseline), bar, note| Figure {
        name,
        unit: "ms",
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
            through_link,
            "<= +0.05 ms",
            format!("each run is the median of {REQUESTS} requests on one connection"),
        ),
        figure(
            "GET /_ping through the machine's socket",
            through_machine,
            "-",
            format!("{note}; the engine behind it is an emulated one, so most of the difference is the engine's"),
        ),
    ])
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
