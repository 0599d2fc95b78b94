//! How long a suspended machine takes to its first answer, beside the same machine started cold.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::figures::{Baseline, Figure, interleaved};
use super::machine::Machine;
use crate::{Error, process};

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    machine.start()?;
    let note = Machine::conditions(&machine.status()?);
    let socket = machine.socket();
    let clock = std::cell::RefCell::new(Vec::new());
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
            let taken = answer()?;
            clock.borrow_mut().push(off(&socket.to_string_lossy())?);
            Ok(taken)
        },
        &mut || {
            machine.stop()?;
            answer()
        },
    )?;
    machine.stop()?;
    Ok(vec![
        Figure {
            name: "resume to the first API answer",
            unit: "s",
            runs: resumed,
            baseline: Some(Baseline {
                what: "the same machine, cold",
                runs: cold,
            }),
            bar: "<= 0.25 x, <= 1 s emulated",
            note: Some(note),
        },
        Figure {
            name: "the engine's clock right after, off by",
            unit: "ms",
            runs: clock.into_inner(),
            baseline: None,
            bar: "<= 100 ms",
            note: Some("by the time in its own words, beside this computer's in the middle of the request".to_owned()),
        },
    ])
}

/// By how many milliseconds the engine's clock differs from ours.
fn off(socket: &str) -> Result<f64, Error> {
    let before = SystemTime::now();
    let said = process::capture(&mut process::command(
        "curl",
        ["--silent", "--fail", "--unix-socket", socket, "http://engine/info"],
    ))?;
    let middle = before + before.elapsed().unwrap_or_default() / 2;
    let garbled = |source| Error::Garbled {
        what: "what the engine says of itself".to_owned(),
        source,
    };
    let said: Value = serde_json::from_str(&said).map_err(garbled)?;
    let told = format!("--date={}", said["SystemTime"].as_str().unwrap_or_default());
    let theirs = process::capture(&mut process::command("date", [&*told, "+%s.%N"]))?;
    let theirs: f64 = theirs.trim().parse().unwrap_or(f64::NAN);
    let ours = middle.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    Ok((theirs - ours).abs() * 1000.0)
}
