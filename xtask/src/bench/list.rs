//! What our own layers add to listing containers.

use super::figures::{Baseline, Figure, Summary, interleaved};
use super::native::Native;
use crate::{Error, output, process};

const CONTAINERS: u32 = 1000;
/// How many lists make one run.
const REQUESTS: usize = 10;

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let native = Native::start()?;
    output::doing(format!("Creating {CONTAINERS} containers"));
    let docker = |arguments: &[&str]| {
        process::capture(process::command("docker", arguments).env("DOCKER_HOST", &native.place.docker))
    };
    docker(&["import", &native.place.busybox, "bench:latest"])?;
    let requests: Vec<String> = (0..CONTAINERS)
        .map(|number| format!("http://engine/containers/create?name=bench-{number}"))
        .collect();
    // The docker command would take a process for each of them.
    for part in requests.chunks(100) {
        let mut curl = process::command(
            "curl",
            ["--silent", "--show-error", "--fail", "--unix-socket", native.socket()],
        );
        curl.args([
            "--header",
            "Content-Type: application/json",
            "--data",
            r#"{"Image":"bench:latest","Cmd":["true"]}"#,
        ]);
        process::capture(curl.args(part))?;
    }

    let (server, token) = native
        .place
        .address
        .split_once("/?token=")
        .unwrap_or((&native.place.address, ""));
    let header = format!("Authorization: Bearer {token}");
    let call = format!("{server}/api/call/container.list");
    let median = |times: Result<Vec<f64>, Error>| {
        times.map(|times| Summary::of(&times).map_or(f64::NAN, |summary| summary.median))
    };
    let (ours, raw) = interleaved(
        runs,
        &mut || {
            let json = "Content-Type: application/json";
            median(super::curl(
                &["--header", &header, "--header", json, "--data", r#"{"all":true}"#],
                &call,
                REQUESTS,
            ))
        },
        &mut || {
            median(super::curl(
                &["--unix-socket", native.socket()],
                "http://engine/containers/json?all=1",
                REQUESTS,
            ))
        },
    )?;
    Ok(vec![Figure {
        name: "list of 1,000 containers",
        unit: "ms",
        runs: ours,
        baseline: Some(Baseline {
            what: "GET /containers/json",
            runs: raw,
        }),
        bar: "<= 1.2 x",
        note: Some(format!(
            "each run is the median of {REQUESTS} calls, ours through the browser's server"
        )),
    }])
}
