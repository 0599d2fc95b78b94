//! How soon a container's port answers on this computer, and how soon it is refused there once the container is gone.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::figures::Figure;
use super::giveback::busybox;
use super::machine::Machine;
use crate::{Error, process};

/// How many containers make one run: the bars are 95th percentiles.
const CONTAINERS: u16 = 20;
/// Between two looks at the port.
const LOOK: Duration = Duration::from_millis(1);
/// A port that does not change within this never will.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    machine.start()?;
    let note = Machine::conditions(&machine.status()?);
    let image = busybox(machine.home())?;
    let docker = |arguments: &[&str]| {
        let host = format!("unix://{}", machine.socket().display());
        process::capture(process::command("docker", arguments).env("DOCKER_HOST", host))
    };
    docker(&["import", &image, "bench"])?;
    let (mut answered, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (mut answers, mut refusals) = (Vec::new(), Vec::new());
        for _ in 0..CONTAINERS {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let publish = format!("127.0.0.1:{port}:80");
            let arguments = [
                "create",
                "--publish",
                &publish,
                "bench",
                "/bin/busybox",
                "httpd",
                "-f",
                "-p",
                "80",
            ];
            let container = docker(&arguments)?.trim().to_owned();
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            post(&machine.socket(), &format!("/containers/{container}/start"))?;
            answers.push(until(at, answers_now)?);
            post(&machine.socket(), &format!("/containers/{container}/stop?t=0"))?;
            refusals.push(until(at, refuses)?);
            docker(&["rm", &container])?;
        }
        answered.push(ninety_five(answers));
        refused.push(ninety_five(refusals));
    }
    let figure = |name, bar, runs, note| Figure {
        name,
        unit: "ms",
        runs,
        baseline: None,
        bar,
        note: Some(note),
    };
    Ok(vec![
        figure(
            "published to reachable, p95",
            "<= 100 ms",
            answered,
            format!(
                "{note}; each run is of {CONTAINERS} containers, from the engine's answer to the start to the first \
                 byte of a web server in it, which has to start meanwhile"
            ),
        ),
        figure(
            "unpublished to refused, p95",
            "<= 200 ms",
            refused,
            "from the engine's answer to the stop".to_owned(),
        ),
    ])
}

/// What a program would add by starting and ending is not in the figures.
fn post(socket: &Path, path: &str) -> Result<(), Error> {
    let mut engine = UnixStream::connect(socket)?;
    write!(
        engine,
        "POST {path} HTTP/1.1\r\nHost: engine\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut status = [0; 12];
    engine.read_exact(&mut status)?;
    if status.starts_with(b"HTTP/1.1 2") {
        return Ok(());
    }
    Err(Error::Failed {
        command: format!("POST {path}"),
        status: String::from_utf8_lossy(&status).into_owned(),
    })
}

/// Milliseconds until the port is as it should be.
fn until(port: SocketAddr, is: fn(SocketAddr) -> bool) -> Result<f64, Error> {
    let begun = Instant::now();
    while !is(port) {
        if begun.elapsed() > PATIENCE {
            return Err(Error::Missing {
                what: format!("a change of port {} within {} s", port.port(), PATIENCE.as_secs()),
                hint: "`wherry status` says what has become of it.".to_owned(),
            });
        }
        std::thread::sleep(LOOK);
    }
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}

fn answers_now(port: SocketAddr) -> bool {
    let ask = || -> std::io::Result<usize> {
        let mut stream = TcpStream::connect(port)?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        stream.read(&mut [0; 16])
    };
    ask().is_ok_and(|length| length > 0)
}

fn refuses(port: SocketAddr) -> bool {
    TcpStream::connect(port).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn ninety_five(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() * 95 / 100).copied().unwrap_or(f64::NAN)
}
