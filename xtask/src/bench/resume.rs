//! How long a suspended machine takes to its first answer, beside the same machine started cold.

use std::time::Instant;

use super::figures::{Baseline, Figure, interleaved};
use super::machine::Machine;
use crate::Error;

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    machine.start()?;
    let note = Machine::conditions(&machine.status()?);
    let socket = machine.socket();
    let answer = || {
        let begun = Instant::now();
        machine.start()?;
        super::curl(&["--unix-socket", &socket.to_string_lossy()], "http://engine/_ping", 1)?;
        Ok::<_, Error>(begun.elapsed().as_secs_f64())
    };
    let (resumed, cold) = interleaved(
        runs,
        &mut || {
            machine.suspend()?;
            answer()
        },
        &mut || {
            machine.stop()?;
            answer()
        },
    )?;
    machine.stop()?;
    Ok(vec![Figure {
        name: "resume to the first API answer",
        unit: "s",
        runs: resumed,
        baseline: Some(Baseline {
            what: "the same machine, cold",
            runs: cold,
        }),
        bar: "<= 0.25 x, <= 1 s emulated",
        note: Some(note),
    }])
}
