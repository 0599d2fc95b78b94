//! What the way to the machine's engine adds to a request.

use super::figures::{Baseline, Figure, Summary, interleaved};
use super::machine::Machine;
use super::native::Native;
use crate::Error;

/// How many requests make one run.
const REQUESTS: usize = 200;

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    machine.start()?;
    let note = Machine::conditions(&machine.status()?);
    let native = Native::start()?;
    let ping = |socket: &str| {
        super::curl(&["--unix-socket", socket], "http://engine/_ping", REQUESTS)
            .map(|times| Summary::of(&times).map_or(f64::NAN, |summary| summary.median))
    };
    let socket = machine.socket();
    let (ours, raw) = interleaved(runs, &mut || ping(&socket.to_string_lossy()), &mut || {
        ping(native.socket())
    })?;
    Ok(vec![Figure {
        name: "GET /_ping through our socket",
        unit: "ms",
        runs: ours,
        baseline: Some(Baseline {
            what: "a native engine's socket",
            runs: raw,
        }),
        bar: "<= +0.05 ms natively",
        note: Some(format!(
            "{note}; each run is the median of {REQUESTS} requests on one connection. The engine behind our socket is an \
             emulated one, so most of the difference may be the engine's"
        )),
    }])
}
