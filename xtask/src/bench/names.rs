//! How long a container waits for a name, and how soon it hears what has changed on this computer.
//!
//! A name server of the bench's own answers at once, so that what is measured is the way to it and back.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::figures::{Baseline, Figure, interleaved};
use super::machine::Machine;
use super::program;
use crate::{Error, process, workspace};

const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(127, 85, 0, 54);
/// How many questions make one run.
const QUESTIONS: &str = "500";
const CHANGED: &str = "db.bench.test";

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    serve()?;
    let folder = workspace::scratch().join("names");
    fs_err::create_dir_all(&folder)?;
    let (resolver, hosts) = (folder.join("resolv.conf"), folder.join("hosts"));
    fs_err::write(&resolver, format!("nameserver {NAME_SERVER}\n"))?;
    fs_err::write(&hosts, "127.0.0.1 localhost\n")?;
    let ask = program::compile(&folder, "ask", include_str!("ask.rs"))?;
    let machine = Machine::prepared_with(&[("WHERRY_RESOLV_CONF", &resolver), ("WHERRY_HOSTS", &hosts)])?;
    machine.start()?;
    let note = Machine::conditions(&machine.status()?);
    let docker = |arguments: &[&str]| {
        let host = format!("unix://{}", machine.socket().display());
        let mut docker = process::command("docker", arguments);
        docker.env("DOCKER_HOST", host);
        docker
    };
    let image = program::pack(&folder, &["ask"])?;
    process::capture(&mut docker(&["import", &image.to_string_lossy(), "bench"]))?;
    let inside = ["run", "--rm", "bench", "/ask"];

    let mut cached = Vec::new();
    for _ in 0..runs {
        let words = [&inside[..], &["cached", "-", "www.bench.test", QUESTIONS]].concat();
        cached.push(number(&mut docker(&words))?);
    }
    let (mut run, mut run_here) = (0, 0);
    let server = NAME_SERVER.to_string();
    let (missed, missed_here) = interleaved(
        runs,
        &mut || {
            run += 1;
            let name = format!("in{run}.bench.test");
            number(&mut docker(&[&inside[..], &["missed", "-", &name, QUESTIONS]].concat()))
        },
        &mut || {
            run_here += 1;
            let name = format!("out{run_here}.bench.test");
            number(&mut process::command(&ask, ["missed", &server, &name, QUESTIONS]))
        },
    )?;
    let mut changes = Vec::new();
    for run in 0..runs {
        fs_err::write(&hosts, "127.0.0.1 localhost\n")?;
        let mut child = docker(&[&inside[..], &["until", "-", CHANGED]].concat())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = BufReader::new(child.stdout.take().ok_or_else(nothing)?).lines();
        said.next().ok_or_else(nothing)??;
        fs_err::write(&hosts, format!("127.0.0.1 localhost\n10.9.8.{} {CHANGED}\n", run + 1))?;
        let begun = Instant::now();
        said.next().ok_or_else(nothing)??;
        changes.push(begun.elapsed().as_secs_f64());
        child.wait()?;
    }
    Ok(vec![
        Figure {
            name: "a name that was just asked for",
            unit: "ms",
            runs: cached,
            baseline: None,
            bar: "<= 1 ms",
            note: Some(format!(
                "{note}; each run is the median of {QUESTIONS} questions in a container"
            )),
        },
        Figure {
            name: "a name that nobody has asked for",
            unit: "ms",
            runs: missed,
            baseline: Some(Baseline {
                what: "the same questions on this computer",
                runs: missed_here,
            }),
            bar: "<= + 2 ms",
            note: None,
        },
        Figure {
            name: "a change on this computer to its answer in a container",
            unit: "s",
            runs: changes,
            baseline: None,
            bar: "<= 5 s",
            note: Some("the hosts file has the name, which had another address before".to_owned()),
        },
    ])
}

/// Answers every question for an address.
fn serve() -> Result<(), Error> {
    let socket = UdpSocket::bind((NAME_SERVER, 53)).map_err(|error| Error::Missing {
        what: format!("port 53 of {NAME_SERVER} ({error})"),
        hint: "Only root may answer there.".to_owned(),
    })?;
    std::thread::spawn(move || {
        let mut question = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let _ = socket.send_to(&answer(&question[..length]), from);
        }
    });
    Ok(())
}

/// RFC 1035, section 4: one question, and where it is for an IPv4 address one answer.
fn answer(question: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    let name = question.get(HEADER..).unwrap_or_default();
    let mut end = 0;
    while let Some(length) = name.get(end).copied().filter(|length| *length > 0) {
        end += usize::from(length) + 1;
    }
    let asked = name.get(..end + 5).unwrap_or_default();
    let address = asked.ends_with(&[0, 1, 0, 1]);
    let mut answer = question.get(..2).unwrap_or_default().to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(address), 0, 0, 0, 0]);
    answer.extend(asked);
    if address {
        // The name of the question; an address; on the internet; for a minute; of four bytes.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3]);
    }
    answer
}

fn number(command: &mut Command) -> Result<f64, Error> {
    process::capture(command)?.trim().parse().map_err(|_| nothing())
}

fn nothing() -> Error {
    Error::Missing {
        what: "a figure in what the container printed".to_owned(),
        hint: "What it printed instead is above.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_question_for_an_address_gets_one() {
        let question = |kind: u8| {
            let mut question = vec![7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
            question.extend(b"\x01a\x04test\0");
            question.extend([0, kind, 0, 1]);
            // What comes after the question is not repeated.
            question.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
            question
        };
        let addressed = answer(&question(1));
        assert_eq!(addressed[..8], [7, 8, 0x81, 0x80, 0, 1, 0, 1]);
        assert!(addressed.ends_with(&[10, 1, 2, 3]));
        assert_eq!(answer(&question(28)).len(), 12 + 8 + 4);
    }
}
