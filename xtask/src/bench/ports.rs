//! What a published port costs.
//!
//! Once through our own code alone, without a machine between its halves (`crates/machine/examples/ports.rs`), beside
//! the same traffic straight over loopback.

use serde_json::Value;

use super::figures::{Baseline, Figure, Summary};
use crate::{Error, process, workspace};

/// How long each kind of traffic flows in each run, straight and through our code.
const SECONDS: &str = "2";

struct Traffic {
    /// How the example calls it.
    name: &'static str,
    figure: &'static str,
    unit: &'static str,
    /// What the example's figure is divided by.
    scale: f64,
    bar: &'static str,
}

const TRAFFIC: &[Traffic] = &[
    stream("up-1", "TCP to the container, 1 stream", ">= 0.70 x"),
    stream("down-1", "TCP from the container, 1 stream", ">= 0.70 x"),
    stream("up-4", "TCP to the container, 4 streams", ">= 90 % of one stream"),
    stream("down-4", "TCP from the container, 4 streams", ">= 90 % of one stream"),
    stream("up-16", "TCP to the container, 16 streams", ">= 90 % of one stream"),
    stream("down-16", "TCP from the container, 16 streams", ">= 90 % of one stream"),
    Traffic {
        name: "latency",
        figure: "question and answer, 64 bytes",
        unit: "us",
        scale: 1.0,
        bar: "<= +60 us",
    },
    Traffic {
        name: "connections",
        figure: "connect, ask, close",
        unit: "/s",
        scale: 1.0,
        bar: ">= 5000/s on one core",
    },
    Traffic {
        name: "udp-100000",
        figure: "UDP, 1,400 bytes, 100,000/s sent",
        unit: "/s",
        scale: 1.0,
        bar: "loss < 0.1 %",
    },
    Traffic {
        name: "udp-250000",
        figure: "UDP, 1,400 bytes, 250,000/s sent",
        unit: "/s",
        scale: 1.0,
        bar: ">= 200000/s",
    },
];

const fn stream(name: &'static str, figure: &'static str, bar: &'static str) -> Traffic {
    Traffic {
        name,
        figure,
        unit: "MiB/s",
        scale: 1_048_576.0,
        bar,
    }
}

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    process::run(&mut process::cargo([
        "build",
        "--release",
        "--package",
        "wherry-machine",
        "--example",
        "ports",
    ]))?;
    let mut answers = vec![Vec::new(); TRAFFIC.len()];
    // All kinds in turn, so that whatever else the computer does meets all of them.
    for _ in 0..runs {
        for (traffic, answers) in TRAFFIC.iter().zip(&mut answers) {
            answers.push(one(traffic.name)?);
        }
    }
    Ok(TRAFFIC
        .iter()
        .zip(answers)
        .map(|(traffic, answers)| {
            let all =
                |field: &str| -> Vec<f64> { answers.iter().filter_map(|answer| answer[field].as_f64()).collect() };
            let scaled = |field: &str| all(field).into_iter().map(|value| value / traffic.scale).collect();
            Figure {
                name: traffic.figure,
                unit: traffic.unit,
                runs: scaled("through"),
                baseline: Some(Baseline {
                    what: "straight over loopback",
                    runs: scaled("straight"),
                }),
                bar: traffic.bar,
                note: note(&all),
            }
        })
        .collect())
}

fn one(name: &str) -> Result<Value, Error> {
    let example = workspace::release_program("examples/ports");
    let text = process::capture(&mut process::command(example, [name, SECONDS]))?;
    serde_json::from_str(&text).map_err(|source| Error::Garbled {
        what: format!("ports {name}"),
        source,
    })
}

/// What else the example says of a kind of traffic, each as the median.
fn note(all: &dyn Fn(&str) -> Vec<f64>) -> Option<String> {
    const ALSO: &[(&str, &str)] = &[
        ("fairness", "slowest stream, of the mean"),
        ("cores", "cores that both halves used"),
        ("perCore", "per second of processor time of both halves"),
        ("straightP99", "99th percentile straight"),
        ("throughP99", "99th percentile through"),
        ("straightSent", "sent straight"),
        ("sent", "sent through"),
        ("unread", "a second dropped before our socket was read"),
        ("full", "a second dropped because the container's socket was full"),
    ];
    let notes: Vec<String> = ALSO
        .iter()
        .filter_map(|(field, words)| Some(format!("{words} {:.2}", Summary::of(&all(field))?.median)))
        .collect();
    (!notes.is_empty()).then(|| notes.join(", "))
}
