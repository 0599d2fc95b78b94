//! What the page does with a flood: a log that is followed, a terminal. In the tests' browser, on the tests' engine
//! (`tests/e2e/*.bench.ts`).

use std::collections::HashMap;

use super::figures::{Baseline, Figure, Summary};
use crate::{Error, deps, process, workspace};

pub(super) fn view(runs: u32) -> Result<Vec<Figure>, Error> {
    let mut values = measure("view", runs)?;
    let empty = values.take("empty");
    let mut figure = |name: &'static str, key: &str| Figure {
        name,
        unit: "frames/s",
        runs: values.take(key),
        baseline: Some(Baseline {
            what: "an empty page meanwhile",
            runs: empty.clone(),
        }),
        bar: ">= 55 /s",
        note: None,
    };
    Ok(vec![
        figure("log followed", "follow"),
        figure("log scrolled while it is printed", "scroll"),
        figure("log scrolled afterwards", "scrollEnded"),
    ])
}

pub(super) fn terminal(runs: u32) -> Result<Vec<Figure>, Error> {
    const RAW: &str = "docker exec -it straight at the engine's socket";
    const FRAME: &str = "the next frame of an empty page";
    let mut values = measure("terminal", runs)?;
    let raw_echo = Summary::of(&values.take("rawEcho")).map_or(f64::NAN, |summary| summary.median);
    let mut figure = |name, unit, bar, key: &str, what, baseline: &str| Figure {
        name,
        unit,
        runs: values.take(key),
        baseline: Some(Baseline {
            what,
            runs: values.take(baseline),
        }),
        bar,
        note: None,
    };
    Ok(vec![
        Figure {
            note: Some(format!(
                "from the browser's key to the text in the page, 60 keys a run; straight at the engine's socket \
                 p95 {raw_echo:.2} ms"
            )),
            ..figure("echo of a key, p95", "ms", "<= 16 ms", "echo", FRAME, "frame")
        },
        figure("echo of a key, median", "ms", "-", "echoMiddle", FRAME, "frameMiddle"),
        Figure {
            note: Some("the worst of 5 a run, to the prompt".to_owned()),
            ..figure(
                "Ctrl C in the flood of yes",
                "ms",
                "<= 100 ms",
                "interrupt",
                RAW,
                "rawInterrupt",
            )
        },
        figure("cat of 100 MB", "s", "completes", "cat", RAW, "rawCat"),
    ])
}

/// By name, one a run.
struct Values(HashMap<String, Vec<f64>>);

impl Values {
    fn take(&mut self, key: &str) -> Vec<f64> {
        self.0.remove(key).unwrap_or_default()
    }
}

fn measure(name: &str, runs: u32) -> Result<Values, Error> {
    deps::npm("tests/e2e")?;
    let figures = workspace::scratch().join(format!("{name}-figures.json"));
    fs_err::create_dir_all(workspace::scratch())?;
    let script = format!("{name}.bench.ts");
    let mut npx = process::command("npx", ["playwright", "test", "--config", "bench.config.ts", &script]);
    npx.current_dir(workspace::root().join("tests/e2e"))
        .env("WHERRY_TESTBED", workspace::release_program("testbed"))
        .env("WHERRY_RUNS", runs.to_string())
        .env("WHERRY_FIGURES", &figures);
    process::run_aside(&mut npx)?;
    serde_json::from_slice(&fs_err::read(&figures)?)
        .map(Values)
        .map_err(|source| Error::Garbled {
            what: figures.display().to_string(),
            source,
        })
}
