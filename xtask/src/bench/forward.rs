//! What a published port of the real machine carries, beside the two ways into a virtual machine that people use without
//! us: QEMU's `hostfwd` and passt.
//!
//! All three lead to one program in one guest, in a container with the machine's own network. It listens at the loopback
//! address, which is ours to publish, and at the addresses of two more network cards, one for each of the others. So
//! hardware, kernel, program and time are the same, and nobody's bytes pass a bridge or a translated address. The
//! machine's daemon starts QEMU as ever, but finds one in `PATH` that adds the cards.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempPath;

use super::figures::{Baseline, Figure};
use super::machine::Machine;
use super::program;
use crate::{Error, process, workspace};

/// How long bytes flow each time.
const FLOW: Duration = Duration::from_secs(3);
/// Who has not moved a byte for so long stands still.
const STILL: Duration = Duration::from_secs(20);
/// How long a container may take to start in an emulated machine, and a program to listen.
const STARTED: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(20);
const PIECE: usize = 256 << 10;

/// The cards' addresses in the guest, in networks that are nobody's (RFC 5737). The one of QEMU's user network cannot
/// be the machine's own card: its connections come from the gateway, and to that one the agent has closed the way.
const HOSTFWD: &str = "203.0.113.15";
const PASST: &str = "198.51.100.15";
const PASST_GATEWAY: &str = "198.51.100.2";
/// Long packets, which are to passt's advantage. QEMU's user network sends none over 1,500 bytes.
const PASST_MTU: &str = "65520";

#[cfg(target_arch = "aarch64")]
const QEMU: &str = "qemu-system-aarch64";
#[cfg(not(target_arch = "aarch64"))]
const QEMU: &str = "qemu-system-x86_64";

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    In,
    Out,
}

struct Traffic {
    direction: Direction,
    streams: usize,
    /// What it is called beside each of the others.
    beside_hostfwd: &'static str,
    beside_passt: &'static str,
}

const TRAFFIC: [Traffic; 4] = [
    Traffic {
        direction: Direction::In,
        streams: 1,
        beside_hostfwd: "to the machine, 1 stream, and hostfwd",
        beside_passt: "to the machine, 1 stream, and passt",
    },
    Traffic {
        direction: Direction::In,
        streams: 4,
        beside_hostfwd: "to the machine, 4 streams, and hostfwd",
        beside_passt: "to the machine, 4 streams, and passt",
    },
    Traffic {
        direction: Direction::Out,
        streams: 1,
        beside_hostfwd: "from the machine, 1 stream, and hostfwd",
        beside_passt: "from the machine, 1 stream, and passt",
    },
    Traffic {
        direction: Direction::Out,
        streams: 4,
        beside_hostfwd: "from the machine, 4 streams, and hostfwd",
        beside_passt: "from the machine, 4 streams, and passt",
    },
];

/// The ways in, by their ports on this computer.
struct Ways {
    ours: u16,
    hostfwd: u16,
    passt: u16,
}

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let folder = tempfile::Builder::new().prefix("wp").tempdir()?;
    // Ours has the same number in the machine.
    let [ours, hostfwd, passt] = free_ports()?;
    let ways = Ways { ours, hostfwd, passt };
    // Where everybody may write: root's passt becomes `nobody` before it makes its socket, says nothing when it may
    // not, and neither does QEMU when it finds none.
    let socket = std::env::temp_dir().join(format!("wherry-passt-{}", std::process::id()));
    let socket = TempPath::try_from_path(socket)?;
    let path = with_cards(folder.path(), &socket, &ways)?;
    let machine = Machine::prepared_with(&[("PATH", Path::new(&path))])?;
    machine.start()?;
    let status = machine.status()?;
    listen(&machine, folder.path(), &ways)?;

    let mut speeds = [const { [const { Vec::new() }; 3] }; TRAFFIC.len()];
    for run in 0..runs {
        for (traffic, speeds) in TRAFFIC.iter().zip(&mut speeds) {
            let mut turns: Vec<_> = [ways.ours, ways.hostfwd, ways.passt].into_iter().zip(speeds).collect();
            // Another one begins each time, so that whatever else the computer does meets all alike.
            turns.rotate_left(run as usize % 3);
            for (port, speeds) in turns {
                speeds.push(speed(port, traffic)?);
            }
        }
    }
    machine.stop()?;

    let note = format!(
        "{}; one program in one guest, in a container with the machine's own network; MTU of passt's card {PASST_MTU}",
        Machine::conditions(&status)
    );
    let figure = |name, runs: &[f64], what, baseline, bar| Figure {
        name,
        unit: "MiB/s",
        runs: runs.to_vec(),
        baseline: Some(Baseline { what, runs: baseline }),
        bar,
        note: None,
    };
    let mut figures: Vec<Figure> = TRAFFIC
        .iter()
        .zip(speeds)
        .flat_map(|(traffic, [ours, hostfwd, passt])| {
            [
                figure(traffic.beside_hostfwd, &ours, "QEMU's hostfwd", hostfwd, ">= 1.5 x"),
                figure(traffic.beside_passt, &ours, "passt", passt, ">= 1 x"),
            ]
        })
        .collect();
    if let Some(first) = figures.first_mut() {
        first.note = Some(note);
    }
    Ok(figures)
}

/// Nobody's at this moment.
fn free_ports() -> io::Result<[u16; 3]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let held = [bind()?, bind()?, bind()?];
    let [one, two, three] = held.each_ref().map(TcpListener::local_addr);
    Ok([one?.port(), two?.port(), three?.port()])
}

/// A `PATH` with a QEMU that has the others' cards as well. Each has a passt of its own, which ends with it.
fn with_cards(folder: &Path, socket: &Path, ways: &Ways) -> Result<OsString, Error> {
    let real = workspace::find_program(QEMU).ok_or_else(|| Error::Missing {
        what: QEMU.to_owned(),
        hint: "Put its folder into PATH.".to_owned(),
    })?;
    let Ways { ours, hostfwd, passt } = ways;
    let socket = socket.display();
    // The ports of the one before may be taken for a moment.
    let script = format!(
        "#!/bin/sh
until passt --one-off --quiet --ipv4-only --address {PASST} --netmask 24 --gateway {PASST_GATEWAY} \\
    --tcp-ports 127.0.0.1/{passt}:{ours} --socket {socket}
do sleep 0.1
done
exec {real} \"$@\" \\
    -netdev user,id=hostfwd,net={HOSTFWD}/24,hostfwd=tcp:127.0.0.1:{hostfwd}-{HOSTFWD}:{ours} \\
    -device virtio-net-pci,netdev=hostfwd,romfile= \\
    -netdev stream,id=passt,server=off,addr.type=unix,addr.path={socket} \\
    -device virtio-net-pci,netdev=passt,romfile=
",
        real = real.display(),
    );
    let programs = folder.join("bin");
    fs_err::create_dir(&programs)?;
    let file = programs.join(QEMU);
    fs_err::write(&file, script)?;
    process::run(process::command("chmod", ["755"]).arg(&file))?;
    let mut path = programs.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    Ok(path)
}

/// Gives the cards their addresses and starts the program at the end of all ways.
fn listen(machine: &Machine, folder: &Path, ways: &Ways) -> Result<(), Error> {
    program::compile(folder, "endpoint", include_str!("forward/endpoint.rs"))?;
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).is_file());
    fs_err::copy(busybox.unwrap_or("/bin/busybox"), folder.join("busybox"))?;
    let image = program::pack(folder, &["endpoint", "busybox"])?;
    let docker = |arguments: &[&str]| {
        let host = format!("unix://{}", machine.socket().display());
        process::capture(process::command("docker", arguments).env("DOCKER_HOST", host))
    };
    docker(&["import", &image.to_string_lossy(), "bench"])?;
    let run = ["run", "--network", "host"];
    let configure = format!(
        "set -e
         /busybox ip address add {HOSTFWD}/24 dev eth1
         /busybox ip link set eth1 up
         /busybox ip address add {PASST}/24 dev eth2
         /busybox ip link set eth2 mtu {PASST_MTU} up"
    );
    let alone = ["--rm", "--privileged", "bench", "/busybox", "sh", "-c", &configure];
    docker(&[&run[..], &alone].concat())?;
    let port = ways.ours.to_string();
    // The last address is the one that is published.
    let stays = ["--detach", "bench", "/endpoint", &port, HOSTFWD, PASST, "127.0.0.1"];
    docker(&[&run[..], &stays].concat())?;
    let begun = Instant::now();
    while let Err(error) = TcpStream::connect((Ipv4Addr::LOCALHOST, ways.ours)) {
        if begun.elapsed() > STARTED {
            return Err(error.into());
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

/// MiB a second of all streams together, as far as the receiving side has them.
fn speed(port: u16, traffic: &Traffic) -> Result<f64, Error> {
    let begun = Instant::now();
    let streams: Vec<_> = (0..traffic.streams)
        .map(|_| {
            let direction = traffic.direction;
            thread::spawn(move || match direction {
                Direction::In => give(port, begun),
                Direction::Out => take(port, begun),
            })
        })
        .collect();
    let mut moved = 0;
    for stream in streams {
        moved += stream
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a stream broke")))?;
    }
    Ok(mebibytes(moved) / begun.elapsed().as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "bytes of some seconds")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(STILL))?;
    stream.set_write_timeout(Some(STILL))?;
    Ok(stream)
}

/// What lies in buffers at the end is waited for.
fn give(port: u16, begun: Instant) -> io::Result<u64> {
    let mut stream = connect(port)?;
    stream.write_all(b">")?;
    let piece = vec![7; PIECE];
    while begun.elapsed() < FLOW {
        let _ = stream.write(&piece)?;
    }
    stream.shutdown(Shutdown::Write)?;
    let mut taken = [0; 8];
    stream.read_exact(&mut taken)?;
    Ok(u64::from_be_bytes(taken))
}

fn take(port: u16, begun: Instant) -> io::Result<u64> {
    let mut stream = connect(port)?;
    stream.write_all(b"<")?;
    let mut piece = vec![0; PIECE];
    let mut taken = 0;
    while begun.elapsed() < FLOW {
        taken += stream.read(&mut piece)? as u64;
    }
    Ok(taken)
}
