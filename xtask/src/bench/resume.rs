//! How long a suspended machine takes to its first answer, beside the same machine started cold, and how right the clock
//! of a container in it is then.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::figures::{Baseline, Figure, interleaved};
use super::machine::Machine;
use super::program;
use crate::{Error, process};

/// How often a container is asked for the time: what counts is the answer that took the least.
const ASKED: usize = 10;
/// How long a port may take to answer in an emulated machine that has just been told to.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(5);

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    machine.start()?;
    let note = Machine::conditions(&machine.status()?);
    let socket = machine.socket();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let container = keep_time(&machine, port)?;
    let clock = std::cell::RefCell::new(Vec::new());
    let asking = std::cell::RefCell::new(Vec::new());
    let answer = || {
        let begun = Instant::now();
        machine.start()?;
        super::curl(&["--unix-socket", &socket.to_string_lossy()], "http://engine/_ping", 1)?;
        Ok::<_, Error>(begun.elapsed().as_secs_f64())
    };
    let (resumed, cold) = interleaved(
        runs,
        &mut || {
            docker(&machine, &["start", &container])?;
            off(port)?;
            machine.suspend()?;
            let taken = answer()?;
            let (off, took) = off(port)?;
            clock.borrow_mut().push(off);
            asking.borrow_mut().push(took);
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
            name: "a container's clock right after, off by",
            unit: "ms",
            runs: clock.into_inner(),
            baseline: None,
            bar: "<= 100 ms",
            note: Some(format!(
                "of {ASKED} answers through a published port the one that took the least: {:.0} ms in the slowest run; \
                 the figure is as exact as half of that",
                asking.into_inner().into_iter().fold(0.0, f64::max)
            )),
        },
    ])
}

fn docker(machine: &Machine, arguments: &[&str]) -> Result<String, Error> {
    let host = format!("unix://{}", machine.socket().display());
    process::capture(process::command("docker", arguments).env("DOCKER_HOST", host))
}

/// Makes the container that tells the time at this port.
fn keep_time(machine: &Machine, port: u16) -> Result<String, Error> {
    let folder = tempfile::tempdir()?;
    program::compile(folder.path(), "clock", include_str!("resume/clock.rs"))?;
    let image = program::pack(folder.path(), &["clock"])?;
    docker(machine, &["import", &image.to_string_lossy(), "bench"])?;
    let publish = format!("127.0.0.1:{port}:80");
    let created = docker(machine, &["create", "--publish", &publish, "bench", "/clock"])?;
    Ok(created.trim().to_owned())
}

/// By how many milliseconds the container's clock differs from ours, and how long that answer took.
fn off(port: u16) -> Result<(f64, f64), Error> {
    let begun = Instant::now();
    loop {
        match ask(port) {
            Ok(off) => return Ok(off),
            // It has not begun to listen.
            Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

fn ask(port: u16) -> io::Result<(f64, f64)> {
    let mut clock = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let mut best = (f64::NAN, f64::INFINITY);
    for _ in 0..ASKED {
        let (before, asked) = (SystemTime::now(), Instant::now());
        clock.write_all(b"?")?;
        let mut told = [0; 16];
        clock.read_exact(&mut told)?;
        let took = asked.elapsed();
        let ours = (before + took / 2).duration_since(UNIX_EPOCH).unwrap_or_default();
        let theirs = Duration::from_nanos_u128(u128::from_be_bytes(told));
        let took = took.as_secs_f64() * 1000.0;
        if took < best.1 {
            best = (theirs.abs_diff(ours).as_secs_f64() * 1000.0, took);
        }
    }
    Ok(best)
}
