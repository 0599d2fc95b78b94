//! The process between QEMU and the file server, which outlives the server.
//!
//! QEMU talks to one server for as long as it lives, and when that one is gone each program in the machine that touches
//! a folder waits for ever. So QEMU talks to this process, which passes on what is said and serves nothing itself. When
//! a server dies it starts the next, tells it what QEMU has told the one before, and has it go on with the guest's
//! queues: see [`Handed`]. Of what the guest knew by number the next server knows nothing, and says so at once.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::handed::Handed;
use crate::message::Message;
use crate::serve::{CONNECT, Error, listen, turn};

/// How long a server may take to listen, and to take over what QEMU has said.
const BEGIN: Duration = Duration::from_secs(10);
/// Between two attempts to reach one that was just started. It listens some 10 ms after its start.
const LISTEN_PAUSE: Duration = Duration::from_millis(5);
/// Servers that die so soon one after another die of what they are asked for.
const MOST: usize = 5;
const WITHIN: Duration = Duration::from_mins(1);

/// This program, also when its file has been replaced by a newer one.
const PROGRAM: &str = "/proc/self/exe";

/// Has files served to the one machine that connects to `device`, until the machine ends. The daemon connects to the
/// server at `control`.
pub fn keep(device: &Path, control: &Path) -> Result<(), Error> {
    let _turn = turn(device).map_err(|source| Error::Turn { source })?;
    let listener = listen(device, |path| UnixListener::bind(path))?;
    let mut servers = Servers {
        device: device.with_extension("served"),
        control: control.into(),
        begun: Vec::new(),
        now: None,
    };
    servers.start().map_err(|source| Error::Server { source })?;
    let machine = accept(&listener)?;
    let passed = pass(&machine, &mut servers).map_err(|source| Error::Server { source });
    servers.end();
    for socket in [device, control, &servers.device] {
        let _ = fs_err::remove_file(socket);
    }
    passed
}

/// QEMU connects as its first act. One that never does was not started.
fn accept(listener: &UnixListener) -> Result<UnixStream, Error> {
    let device = |source| Error::Device {
        why: io::Error::to_string(&source),
    };
    let wait = Timespec {
        tv_sec: CONNECT.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: 0,
    };
    let mut waiting = [PollFd::new(listener, PollFlags::IN)];
    if poll(&mut waiting, Some(&wait)).map_err(|error| device(error.into()))? == 0 {
        return Err(Error::NobodyCame);
    }
    let (machine, _) = listener.accept().map_err(device)?;
    Ok(machine)
}

/// Passes on what QEMU and the server say, until QEMU ends.
fn pass(machine: &UnixStream, servers: &mut Servers) -> io::Result<()> {
    let mut handed = Handed::default();
    // What QEMU waits to be answered, and whether files came with it.
    let mut asked: Option<(Message, bool)> = None;
    let mut server = servers.connect()?;
    loop {
        let mut sides = [PollFd::new(machine, PollFlags::IN), PollFd::new(&server, PollFlags::IN)];
        match poll(&mut sides, None) {
            Err(rustix::io::Errno::INTR) => continue,
            polled => polled?,
        };
        let [from_machine, from_server] = sides.map(|side| !side.revents().is_empty());
        let mut lost = false;
        if from_server {
            match Message::receive(&server) {
                Ok(Some(answer)) => {
                    asked = None;
                    answer.send(machine)?;
                }
                Ok(None) | Err(_) => lost = true,
            }
        }
        if from_machine && !lost {
            // It ends in the middle of nothing, or of whatever it was doing when it was killed.
            let Ok(Some(message)) = Message::receive(machine) else {
                return Ok(());
            };
            lost = message.send(&server).is_err();
            if message.wants_reply() {
                asked = Some((message.without_files(), !message.files.is_empty()));
            }
            handed.keep(message);
        }
        if lost {
            server = servers.replace(&handed)?;
            match asked.take() {
                // Said to the next one with all the rest.
                Some((message, true)) => message.done().send(machine)?,
                Some((message, false)) => {
                    message.send(&server)?;
                    asked = Some((message, false));
                }
                None => {}
            }
        }
    }
}

struct Servers {
    device: PathBuf,
    control: PathBuf,
    /// When each was started.
    begun: Vec<Instant>,
    now: Option<Child>,
}

impl Servers {
    fn start(&mut self) -> io::Result<()> {
        let mut command = Command::new(PROGRAM);
        if let Some(name) = std::env::args_os().next() {
            command.arg0(name);
        }
        command.arg("serve-files").arg("--device").arg(&self.device);
        command.arg("--control").arg(&self.control);
        if !self.begun.is_empty() {
            command.arg("--follows");
        }
        self.now = Some(command.spawn()?);
        self.begun.push(Instant::now());
        Ok(())
    }

    fn connect(&mut self) -> io::Result<UnixStream> {
        let until = Instant::now() + BEGIN;
        loop {
            match UnixStream::connect(&self.device) {
                Ok(stream) => return Ok(stream),
                Err(error) if Instant::now() >= until => return Err(error),
                Err(_) => {}
            }
            if let Some(ended) = self.now.as_mut().map(Child::try_wait).transpose()?.flatten() {
                return Err(io::Error::other(format!("the file server ended: {ended}")));
            }
            std::thread::sleep(LISTEN_PAUSE);
        }
    }

    /// The next server, which has taken over.
    fn replace(&mut self, handed: &Handed) -> io::Result<UnixStream> {
        loop {
            // Whatever is left of it: two servers must not answer from the same queue.
            let ended = self.end();
            tracing::error!(?ended, "the file server ended; another one takes over");
            let soon = self.begun.iter().filter(|begun| begun.elapsed() < WITHIN).count();
            if soon > MOST {
                return Err(io::Error::other("file servers end as soon as they are started"));
            }
            self.start()?;
            let taken = self.connect().and_then(|server| {
                server.set_read_timeout(Some(BEGIN))?;
                handed.tell(&server)?;
                server.set_read_timeout(None)?;
                Ok(server)
            });
            match taken {
                Ok(server) => return Ok(server),
                Err(error) => tracing::error!(%error, "the file server did not take over"),
            }
        }
    }

    fn end(&mut self) -> Option<std::process::ExitStatus> {
        let mut server = self.now.take()?;
        let _ = server.kill();
        server.wait().ok()
    }
}
