//! The process between QEMU and the file server, which outlives the server.
//!
//! QEMU talks to one server for as long as it lives, and when that one is gone each program in the machine that touches
//! a folder waits for ever. So QEMU talks to this process, which passes on what is said and serves nothing itself. When
//! a server dies it starts the next, tells it what QEMU has told the one before, and has it go on with the guest's
//! queues: see [`Handed`]. What the guest knows by number the next server finds again with the [`ledger`](crate::ledger)
//! of the one before; what is not there any more it refuses at once. When
//! this process itself is killed, its [`spare`](crate::spare) goes on.
//!
//! Servers that die again and again die of what they are asked for. Then one follows that touches nothing and refuses
//! everything for a while, so that programs get an error instead of waiting; after that another real one.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::handed::Handed;
use crate::message::Message;
use crate::serve::{CONNECT, Error, listen, new_ledger, turn};
use crate::spare::{self, Channel, Inherited, Kept, Spare, Talk};

/// How long a server may take to listen, and to take over what QEMU has said.
const BEGIN: Duration = Duration::from_secs(10);
/// Between two attempts to reach one that was just started. It listens some 10 ms after its start.
const LISTEN_PAUSE: Duration = Duration::from_millis(5);
/// More servers than this that die within [`WITHIN`] die of what they are asked for.
const MOST: usize = 5;
/// Also how long everything is refused then.
pub const WITHIN: Duration = Duration::from_mins(1);

/// This program, also when its file has been replaced by a newer one.
const PROGRAM: &str = "/proc/self/exe";

/// Has files served to the one machine that connects to `device`, until the machine ends. The daemon connects to the
/// server at `control`. `within` is [`WITHIN`], but for tests.
pub fn keep(device: &Path, control: &Path, within: Duration) -> Result<(), Error> {
    let turn = turn(device).map_err(|source| Error::Turn { source })?;
    let listener = listen(device, |path| UnixListener::bind(path))?;
    let ledger = new_ledger().map_err(|source| Error::Server { source })?;
    let mut servers = Servers::new(device, control, within, ledger.into(), Vec::new());
    servers.start(false).map_err(|source| Error::Server { source })?;
    let machine = accept(&listener)?;
    drop(listener);
    let server = servers.connect().map_err(|source| Error::Server { source })?;
    Keeper::new(machine, turn, servers, server, Talk::default())?.run()
}

/// Waits as the spare of the keeper at the other end of standard input, and goes on in its place when that one was
/// killed. It may have been killed before this is called, and its spare with it.
pub fn stand_by(device: &Path, control: &Path, within: Duration) -> Result<(), Error> {
    let failed = |source| Error::Server { source };
    let channel = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let Some(inherited) = spare::listen(&channel.into()) else {
        return Ok(());
    };
    let Inherited {
        machine,
        turn,
        ledger,
        begun,
        talk,
    } = inherited;
    let mut servers = Servers::new(device, control, within, ledger, begun);
    if has_ended(&machine) {
        servers.clean_up();
        return Ok(());
    }
    tracing::error!("the keeper of the files was killed; its spare goes on");
    let turn = turn.map_or_else(|| self::turn(device), Ok);
    let turn = turn.map_err(|source| Error::Turn { source })?;
    // Its server ends with it, and two servers must not answer from the same queues.
    drop(crate::serve::turn(&servers.device).map_err(|source| Error::Turn { source })?);
    let server = match servers.replace(&talk.handed) {
        Ok(server) => server,
        Err(source) => {
            servers.clean_up();
            return Err(failed(source));
        }
    };
    let mut keeper = Keeper::new(machine, turn, servers, server, talk)?;
    keeper.ask_again().map_err(failed)?;
    keeper.run()
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

fn has_ended(machine: &UnixStream) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut side = [PollFd::new(machine, PollFlags::RDHUP)];
    poll(&mut side, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Who has said something, or has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Machine,
    Server,
    Spare,
    Heir,
    /// Another heir has come.
    Heirs,
}

struct Keeper {
    machine: UnixStream,
    /// Whoever has it is the one keeper, or its spare.
    turn: OwnedFd,
    servers: Servers,
    server: UnixStream,
    talk: Talk,
    spare: Option<Spare>,
    /// Where the daemon comes for what it needs should this process and its spare be killed.
    heirs: UnixListener,
    heir: Option<Channel>,
}

impl Keeper {
    fn new(
        machine: UnixStream,
        turn: OwnedFd,
        servers: Servers,
        server: UnixStream,
        talk: Talk,
    ) -> Result<Self, Error> {
        let heirs = listen(&servers.heirs, |path| UnixListener::bind(path))?;
        Ok(Self {
            machine,
            turn,
            servers,
            server,
            talk,
            spare: None,
            heirs,
            heir: None,
        })
    }

    /// Passes on what QEMU and the server say, until QEMU ends.
    fn run(mut self) -> Result<(), Error> {
        let passed = self.pass().map_err(|source| Error::Server { source });
        // First, or it would go on.
        self.spare = None;
        self.servers.end();
        self.servers.clean_up();
        passed
    }

    fn pass(&mut self) -> io::Result<()> {
        let mut spares = 0;
        loop {
            if self.spare.is_none() && self.talk.asked.is_none() && spares < MOST {
                spares += 1;
                self.spare = self.start_spare();
            }
            let ready = self.ready()?;
            // Neither says anything: what comes from there is its end.
            if ready.contains(&Side::Spare) {
                self.spare = None;
            }
            if ready.contains(&Side::Heir) {
                self.heir = None;
            }
            if ready.contains(&Side::Heirs) {
                self.heir = self.meet_heir();
            }
            let mut lost = ready.contains(&Side::Server) && !self.hear_server()?;
            if ready.contains(&Side::Machine) && !lost {
                // It ends in the middle of nothing, or of whatever it was doing when it was killed.
                let Ok(Some(message)) = Message::receive(&self.machine) else {
                    return Ok(());
                };
                self.tell_followers(|follower| follower.tell(&message));
                lost = message.send(&self.server).is_err();
                self.talk.hear(message);
            }
            if lost {
                self.server = self.servers.replace(&self.talk.handed)?;
                self.ask_again()?;
            }
        }
    }

    fn kept(&self) -> Kept<'_> {
        Kept {
            machine: &self.machine,
            turn: Some(&self.turn),
            ledger: &self.servers.ledger,
            begun: &self.servers.begun,
            handed: &self.talk.handed,
        }
    }

    fn ready(&self) -> io::Result<Vec<Side>> {
        let mut sides = vec![
            (Side::Machine, self.machine.as_fd()),
            (Side::Server, self.server.as_fd()),
        ];
        sides.extend(self.spare.as_ref().map(|spare| (Side::Spare, spare.channel.as_fd())));
        sides.extend(self.heir.as_ref().map(|heir| (Side::Heir, heir.as_fd())));
        // It is told what there is, so nothing may be asked and not answered.
        if self.talk.asked.is_none() {
            sides.push((Side::Heirs, self.heirs.as_fd()));
        }
        let mut polled: Vec<_> = sides.iter().map(|(_, side)| PollFd::new(side, PollFlags::IN)).collect();
        match poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            polled => polled?,
        };
        let ready = sides
            .iter()
            .zip(&polled)
            .filter(|(_, polled)| !polled.revents().is_empty());
        Ok(ready.map(|((side, _), _)| *side).collect())
    }

    fn meet_heir(&self) -> Option<Channel> {
        let met = self
            .heirs
            .accept()
            .and_then(|(stream, _)| Channel::to_heir(stream, self.kept()));
        met.inspect_err(|error| tracing::warn!(%error, "the daemon is not told"))
            .ok()
    }

    /// Whoever cannot be told does not follow.
    fn tell_followers(&mut self, tell: impl Fn(&Channel) -> io::Result<()>) {
        if let Some(spare) = &self.spare
            && let Err(error) = tell(&spare.channel)
        {
            tracing::debug!(%error, "the spare keeper is not told");
        }
        if let Some(heir) = &self.heir
            && let Err(error) = tell(heir)
        {
            tracing::debug!(%error, "the daemon is not told");
            self.heir = None;
        }
    }

    /// Whether there is still a server.
    fn hear_server(&mut self) -> io::Result<bool> {
        let Ok(Some(answer)) = Message::receive(&self.server) else {
            return Ok(false);
        };
        self.answer(&answer)?;
        Ok(true)
    }

    fn answer(&mut self, answer: &Message) -> io::Result<()> {
        self.tell_followers(Channel::answered);
        self.talk.asked = None;
        answer.send(&self.machine)
    }

    /// What QEMU asked the server before this one.
    fn ask_again(&mut self) -> io::Result<()> {
        match &self.talk.asked {
            // Said to the next one with all the rest.
            Some(message) if message.brings_files() => {
                let done = message.done();
                self.answer(&done)
            }
            Some(message) => message.send(&self.server),
            None => Ok(()),
        }
    }

    /// Without one everything goes on; only nobody follows should this process be killed.
    fn start_spare(&self) -> Option<Spare> {
        let mut command = this_program("keep-files");
        command.arg("--device").arg(&self.servers.qemu);
        command.arg("--control").arg(&self.servers.control).arg("--spare");
        Spare::start(command, self.kept())
            .inspect_err(|error| tracing::warn!(%error, "there is no spare keeper"))
            .ok()
    }
}

/// Under the name that people know it by.
fn this_program(what: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    command.arg(what);
    command
}

struct Servers {
    /// Where QEMU connected.
    qemu: PathBuf,
    device: PathBuf,
    control: PathBuf,
    /// Where the keeper is, for the daemon.
    heirs: PathBuf,
    within: Duration,
    /// What the guest knows, written by each server for the next.
    ledger: OwnedFd,
    /// When each was started.
    begun: Vec<Instant>,
    now: Option<Child>,
}

impl Servers {
    fn new(qemu: &Path, control: &Path, within: Duration, ledger: OwnedFd, begun: Vec<Instant>) -> Self {
        Self {
            qemu: qemu.into(),
            device: qemu.with_extension("served"),
            control: control.into(),
            heirs: qemu.with_extension("heir"),
            within,
            ledger,
            begun,
            now: None,
        }
    }

    fn start(&mut self, refuses: bool) -> io::Result<()> {
        let mut command = this_program("serve-files");
        command.arg("--device").arg(&self.device);
        command.arg("--control").arg(&self.control);
        if !self.begun.is_empty() {
            command.arg("--follows");
        }
        if refuses {
            command.arg("--refuses");
        }
        command.stdin(Stdio::from(self.ledger.try_clone()?));
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
            let soon = self.begun.iter().filter(|begun| begun.elapsed() < self.within).count();
            if soon > 2 * MOST {
                return Err(io::Error::other("file servers end as soon as they are started"));
            }
            self.start(soon > MOST)?;
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

    /// When the machine has ended, and the servers with it.
    fn clean_up(&self) {
        for socket in [&self.qemu, &self.control, &self.device, &self.heirs] {
            let _ = fs_err::remove_file(socket);
        }
    }

    fn end(&mut self) -> Option<std::process::ExitStatus> {
        let mut server = self.now.take()?;
        let _ = server.kill();
        server.wait().ok()
    }
}
