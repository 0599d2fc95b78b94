//! What a long log costs: taking it in, jumping about in it, searching it. The engine's part is played by a process that
//! writes as fast as it is read (`crates/engine/examples/logs`), so that only our own code counts.

use serde_json::Value;

use super::figures::{Baseline, Figure};
use crate::{Error, process, workspace};

/// A gigabyte of lines as servers write them, and ten million short ones.
const LONG: &[&str] = &["7000000", "150"];
const SHORT: &[&str] = &["10000000", "20"];
/// The long ones with colours in each.
const COLOURED: &[&str] = &["7000000", "150", "coloured"];

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    process::run(&mut process::cargo([
        "build",
        "--release",
        "--package",
        "wherry-engine",
        "--example",
        "logs",
    ]))?;
    let (mut long, mut short, mut coloured) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        long.push(one(LONG)?);
        short.push(one(SHORT)?);
        coloured.push(one(COLOURED)?);
    }
    Ok(vec![
        intake("log taken in and indexed, lines of 150 bytes", &long),
        intake("log taken in and indexed, lines of 20 bytes", &short),
        figure(
            "memory for 1 GB of a log, searched",
            "MiB",
            "<= 64 MiB",
            &long,
            &|run| run["memory"].as_f64(),
        ),
        figure(
            "memory for 10,000,000 lines, searched",
            "MiB",
            "<= 64 MiB",
            &short,
            &|run| run["memory"].as_f64(),
        ),
        figure(
            "jump in 10,000,000 lines, the worst of 200",
            "ms",
            "<= 100 ms",
            &short,
            &|run| run["jump_worst"].as_f64(),
        ),
        search("search 1 GB: words, found at times", "plain", &long),
        search("search 1 GB: words, found nowhere", "nothing", &long),
        search("search 1 GB: words, in every seventh line", "many", &long),
        search("search 1 GB: a regular expression", "regex", &long),
        search("search 1 GB: one that begins with anything", "class", &long),
        search("search 1 GB in colours: words, found at times", "plain", &coloured),
        search("search 1 GB in colours: a regular expression", "regex", &coloured),
    ])
}

fn one(arguments: &[&str]) -> Result<Value, Error> {
    let example = workspace::release_program("examples/logs");
    let text = process::capture(&mut process::command(example, arguments))?;
    serde_json::from_str(&text).map_err(|source| Error::Garbled {
        what: format!("logs {}", arguments.join(" ")),
        source,
    })
}

fn all(runs: &[Value], value: &dyn Fn(&Value) -> Option<f64>) -> Vec<f64> {
    runs.iter().filter_map(value).collect()
}

fn intake(name: &'static str, runs: &[Value]) -> Figure {
    let rate = |field: &str| all(runs, &|run| Some(run["bytes"].as_f64()? / 1e6 / run[field].as_f64()?));
    Figure {
        baseline: Some(Baseline {
            what: "the same bytes read from the socket and forgotten",
            runs: rate("raw_seconds"),
        }),
        runs: rate("intake_seconds"),
        ..figure(name, "MB/s", ">= 100 MB/s", &[], &|_| None)
    }
}

fn search(name: &'static str, which: &str, runs: &[Value]) -> Figure {
    figure(name, "s", "<= 2 s", runs, &|run| run["searches"][which].as_f64())
}

fn figure(
    name: &'static str,
    unit: &'static str,
    bar: &'static str,
    runs: &[Value],
    value: &dyn Fn(&Value) -> Option<f64>,
) -> Figure {
    Figure {
        name,
        unit,
        runs: all(runs, value),
        baseline: None,
        bar,
        note: None,
    }
}
