//! The handle by which the app and the command line reach the machine. It talks to the daemon and starts it when
//! there is none; it never owns QEMU.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::io::{BufReader, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::control::{self, Answer, Envelope, RELEASE, Request};
use crate::doctor::GuestAnswer;
use crate::record::Record;
use crate::saved::{Found, Saved};
use crate::{
    Error, Failure, Freed, Home, HostProxy, Settings, SettingsChange, SpecChange, State, Status, daemon, home,
    settings, spec, supervisor, system, tail,
};

/// How long a daemon that was just started may take until it listens.
const DAEMON_START: Duration = Duration::from_secs(10);
/// How long it may take to leave when there is nothing for it to do.
const DAEMON_LEAVES: Duration = Duration::from_secs(30);
/// Between two attempts to reach a daemon that is on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(15);
/// How often a watcher looks whether a daemon has appeared. One failing `connect` costs some microseconds.
const LOOK_FOR_DAEMON: Duration = Duration::from_secs(1);
/// A daemon that is just leaving may take a request and never answer it. Then a new one is asked.
const ATTEMPTS: u32 = 3;

#[derive(Clone, Debug)]
pub struct Machine {
    home: Home,
    program: PathBuf,
}

impl Machine {
    /// `program` is the `wherry` executable, started as `wherry daemon` when a daemon is needed.
    pub fn new(home: Home, program: PathBuf) -> Self {
        Self { home, program }
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Whether a machine could start here at all: QEMU and the system image are there.
    pub fn available(&self) -> Result<(), Failure> {
        crate::backend::qemu::Qemu::find(&self.program).map(|_| ())
    }

    /// What the machine is doing. Never starts a daemon: without one the machine is stopped, with the kept spec.
    pub async fn status(&self) -> Result<Status, Error> {
        match self.ask_running(Request::Status).await? {
            Some(mut conversation) => match conversation.next().await? {
                Answer::Status { status } | Answer::Done { status } => Ok(status),
                Answer::Failed { failure } => Err(failure.into()),
                Answer::OtherVersion { release } => Err(other_version(release)),
                Answer::Guest { .. }
                | Answer::Settings { .. }
                | Answer::Freed { .. }
                | Answer::Machine { .. }
                | Answer::Line { .. } => Err(self.lost()),
            },
            None => Ok(without_daemon(&self.home)),
        }
    }

    pub(crate) fn program(&self) -> &std::path::Path {
        &self.program
    }

    /// The proxy by which this computer reaches others now.
    pub async fn proxy(&self) -> HostProxy {
        crate::proxy::resolve(&settings::peek(&self.home).proxy).await.into()
    }

    /// How the agent answers; `None` when no machine runs, or when it does not answer. Never starts a daemon.
    pub(crate) async fn ask_guest(&self) -> Result<Option<GuestAnswer>, Error> {
        match self.ask_running(Request::Guest).await? {
            Some(mut conversation) => match conversation.next().await? {
                Answer::Guest { answer } => Ok(answer),
                Answer::OtherVersion { release } => Err(other_version(release)),
                Answer::Status { .. }
                | Answer::Done { .. }
                | Answer::Failed { .. }
                | Answer::Settings { .. }
                | Answer::Freed { .. }
                | Answer::Machine { .. }
                | Answer::Line { .. } => Err(self.lost()),
            },
            None => Ok(None),
        }
    }

    /// What the person decided about the machine beside its spec. Never starts a daemon.
    pub async fn settings(&self) -> Result<Settings, Error> {
        if self.connect().await?.is_none() {
            return Ok(settings::peek(&self.home).masked());
        }
        self.ask_for_settings(Request::Settings).await
    }

    /// Makes settings and spec what they were at first. Nothing in the machine is touched; its disk keeps its size.
    pub async fn reset(&self) -> Result<Settings, Error> {
        let settings = Box::default();
        let settings = self.change_settings(SettingsChange::All { settings }).await?;
        self.ask(Request::ResetSpec, |_| ()).await?;
        Ok(settings)
    }

    /// Stops the machine and removes its data disk: every image, container and volume in it.
    pub async fn erase(&self) -> Result<(), Error> {
        self.stop().await?;
        self.ask(Request::Erase, |_| ()).await.map(drop)
    }

    /// Returns when no daemon is left that would write to the home. It leaves some seconds after the machine was stopped.
    pub async fn until_alone(&self) -> Result<(), Error> {
        let alone = daemon::until_unlocked(&self.home);
        tokio::time::timeout(DAEMON_LEAVES, alone).await.map_err(|_| Error::Io {
            doing: "The background process is still at work",
            source: io::ErrorKind::TimedOut.into(),
        })
    }

    /// Changes one setting, which takes effect at once.
    pub async fn change_settings(&self, change: SettingsChange) -> Result<Settings, Error> {
        self.ask_for_settings(Request::ChangeSettings { change }).await
    }

    async fn ask_for_settings(&self, request: Request) -> Result<Settings, Error> {
        match self.ask_until_answered(request, |_| ()).await? {
            Last::Settings(settings) => Ok(*settings),
            Last::Done(_) | Last::Freed(_) => Err(self.lost()),
        }
    }

    /// Starts the machine and returns when its engine answers. One that runs already is returned as it is.
    pub async fn start(&self, change: SpecChange) -> Result<Status, Error> {
        self.start_with(change, |_| ()).await
    }

    /// [`Machine::start`], telling each step.
    pub async fn start_with(&self, change: SpecChange, progress: impl FnMut(&Status)) -> Result<Status, Error> {
        // A daemon is not started only to say that nothing can be started.
        if self.connect().await?.is_none() && Record::of_running(&self.home).is_none() {
            daemon::precheck(&self.home, &self.program, &change)?;
        }
        self.ask(Request::Start { change }, progress).await
    }

    /// Stops containers, engine and machine in that order. A machine that is stopped stays so.
    pub async fn stop(&self) -> Result<(), Error> {
        self.stop_with(|_| ()).await
    }

    /// [`Machine::stop`], telling each change.
    pub async fn stop_with(&self, progress: impl FnMut(&Status)) -> Result<(), Error> {
        // Without a daemon there is something to stop only when a killed one left a machine behind.
        if self.connect().await?.is_none()
            && Record::of_running(&self.home).is_none()
            && suspended(&self.home).is_none()
        {
            return Ok(());
        }
        self.ask(Request::Stop, progress).await.map(|_| ())
    }

    /// Saves the machine's memory and ends its process; everything goes on where it was at the next start. Where that
    /// cannot be (an old QEMU), the machine is stopped, and a note in the status says why.
    pub async fn suspend(&self) -> Result<Status, Error> {
        self.ask(Request::Suspend, |_| ()).await
    }

    pub async fn restart(&self) -> Result<Status, Error> {
        self.restart_with(|_| ()).await
    }

    /// [`Machine::restart`], telling each step.
    pub async fn restart_with(&self, progress: impl FnMut(&Status)) -> Result<Status, Error> {
        self.ask(Request::Restart, progress).await
    }

    /// Starts the engine anew in a machine that runs, so that it takes over what has changed on this computer.
    /// Containers go on, except in a swarm.
    pub async fn restart_engine(&self) -> Result<Status, Error> {
        if self.connect().await?.is_none() && Record::of_running(&self.home).is_none() {
            return Err(supervisor::no_engine_to_restart().into());
        }
        self.ask(Request::RestartEngine, |_| ()).await
    }

    /// Takes back the memory and the disk that the running machine holds and does not need, and says how much became
    /// less here. That takes some seconds. A machine that does not run holds nothing.
    pub async fn free(&self) -> Result<Freed, Error> {
        if self.connect().await?.is_none() && Record::of_running(&self.home).is_none() {
            return Ok(Freed::default());
        }
        match self.ask_until_answered(Request::Free, |_| ()).await? {
            Last::Freed(freed) => Ok(freed),
            Last::Done(_) | Last::Settings(_) => Err(self.lost()),
        }
    }

    /// Follows the machine, also across daemons that go and come. Must be called inside a tokio runtime; the task
    /// behind it ends with the last receiver.
    pub fn watch(&self) -> watch::Receiver<Status> {
        let (sender, receiver) = watch::channel(without_daemon(&self.home));
        let machine = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = sender.closed() => {}
                () = machine.follow(&sender) => {}
            }
        });
        receiver
    }

    async fn follow(&self, sender: &watch::Sender<Status>) {
        let tell = |status: Status| {
            sender.send_if_modified(|known| {
                let differs = *known != status;
                *known = status;
                differs
            });
        };
        loop {
            if let Ok(Some(mut conversation)) = self.ask_running(Request::Watch).await {
                while let Ok(Answer::Status { status }) = conversation.next().await {
                    tell(status);
                }
            }
            // A failure outlives the daemon that met it, for as long as somebody looks at it.
            if !matches!(sender.borrow().state, State::Failed { .. }) {
                tell(without_daemon(&self.home));
            }
            tokio::time::sleep(LOOK_FOR_DAEMON).await;
        }
    }

    /// What daemon, QEMU, agent and engine wrote down; with `follow` it goes on as they write. Needs no daemon, so it
    /// tells also why there is none; what a machine that no longer runs said is on its console.
    pub async fn logs(&self, follow: bool) -> Result<impl Stream<Item = String> + Send + use<>, Error> {
        let daemon = tail::lines(self.home.daemon_log(), "daemon  | ", follow).boxed();
        let process = tail::lines(self.home.process_log(), "qemu    | ", follow).boxed();
        if follow {
            return Ok(futures::stream::select_all([daemon, process, self.clone().guest_logs()]).boxed());
        }
        let guest = match self.ask_running(Request::Logs { follow }).await? {
            Some(conversation) => guest_lines(conversation).map(|(_, line)| line).collect().await,
            None => Vec::new(),
        };
        let guest = if guest.is_empty() {
            tail::lines(self.home.console_log(), GUEST, false).boxed()
        } else {
            futures::stream::iter(guest).boxed()
        };
        Ok(futures::stream::iter([daemon, process, guest]).flatten().boxed())
    }

    /// The guest's lines for as long as somebody reads them, across daemons and machines that go and come.
    fn guest_logs(self) -> BoxStream<'static, String> {
        let (sender, lines) = mpsc::channel(64);
        tokio::spawn(async move {
            let mut machine = None;
            let mut told = 0;
            loop {
                if let Ok(Some(conversation)) = self.ask_running(Request::Logs { follow: true }).await {
                    let mut lines = std::pin::pin!(guest_lines(conversation));
                    let mut skip = None;
                    while let Some((pid, line)) = lines.next().await {
                        // The same machine through another daemon says again what was told already.
                        let skip = skip.get_or_insert(if machine == Some(pid) { told } else { 0 });
                        if machine != Some(pid) {
                            (machine, told) = (Some(pid), 0);
                        }
                        if *skip > 0 {
                            *skip -= 1;
                            continue;
                        }
                        told += 1;
                        if sender.send(line).await.is_err() {
                            return;
                        }
                    }
                }
                tokio::select! {
                    () = sender.closed() => return,
                    () = tokio::time::sleep(LOOK_FOR_DAEMON) => {}
                }
            }
        });
        futures::stream::unfold(lines, |mut lines| async move {
            lines.recv().await.map(|line| (line, lines))
        })
        .boxed()
    }

    /// What the machine wrote to its serial port.
    #[expect(
        clippy::unused_async,
        reason = "where it comes from may need asking, and callers should not change then"
    )]
    pub async fn console(&self, follow: bool) -> Result<impl Stream<Item = String> + Send + use<>, Error> {
        Ok(tail::lines(self.home.console_log(), "", follow))
    }

    /// Asks a daemon, starting one if needed, and returns the status at the end.
    async fn ask(&self, request: Request, progress: impl FnMut(&Status)) -> Result<Status, Error> {
        match self.ask_until_answered(request, progress).await? {
            Last::Done(status) => Ok(*status),
            Last::Settings(_) | Last::Freed(_) => Err(self.lost()),
        }
    }

    /// Asks a daemon, starting one if needed, and returns its last word.
    async fn ask_until_answered(&self, request: Request, mut progress: impl FnMut(&Status)) -> Result<Last, Error> {
        for _ in 0..ATTEMPTS {
            let stream = self.connect_or_spawn().await?;
            let Ok(mut conversation) = Conversation::begin(stream, request.clone()).await else {
                continue;
            };
            let mut answered = false;
            loop {
                match conversation.next().await {
                    Ok(Answer::Status { status }) => {
                        answered = true;
                        progress(&status);
                    }
                    Ok(Answer::Done { status }) => return Ok(Last::Done(Box::new(status))),
                    Ok(Answer::Settings { settings }) => return Ok(Last::Settings(Box::new(settings))),
                    Ok(Answer::Freed { freed }) => return Ok(Last::Freed(freed)),
                    Ok(Answer::Failed { failure }) => return Err(failure.into()),
                    Ok(Answer::OtherVersion { release }) => return Err(other_version(release)),
                    Ok(Answer::Guest { .. } | Answer::Machine { .. } | Answer::Line { .. }) => {}
                    Err(error @ Error::Garbled { .. }) => return Err(error),
                    Err(_) if answered => return Err(self.lost()),
                    Err(_) => break,
                }
            }
        }
        Err(self.lost())
    }

    fn lost(&self) -> Error {
        Error::DaemonLost {
            log: self.home.daemon_log(),
        }
    }

    /// Asks the daemon that runs; `None` when none does.
    async fn ask_running(&self, request: Request) -> Result<Option<Conversation>, Error> {
        match self.connect().await? {
            Some(stream) => Ok(Conversation::begin(stream, request).await.ok()),
            None => Ok(None),
        }
    }

    async fn connect(&self) -> Result<Option<system::Stream>, Error> {
        match system::connect(&self.home.control()).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(source) => Err(Error::Io {
                doing: "Could not reach the background process",
                source,
            }),
        }
    }

    async fn connect_or_spawn(&self) -> Result<system::Stream, Error> {
        if let Some(stream) = self.connect().await? {
            return Ok(stream);
        }
        let mut daemon = self.spawn()?;
        let until = Instant::now() + DAEMON_START;
        loop {
            if let Some(stream) = self.connect().await? {
                // It outlives us; this only takes note of its end should it end before us.
                std::thread::spawn(move || daemon.wait());
                return Ok(stream);
            }
            if Instant::now() >= until {
                return Err(Error::DaemonSilent {
                    after: DAEMON_START,
                    log: self.home.daemon_log(),
                });
            }
            tokio::time::sleep(ON_ITS_WAY).await;
        }
    }

    fn spawn(&self) -> Result<std::process::Child, Error> {
        let mut command = Command::new(&self.program);
        command
            .arg("daemon")
            .env(home::HOME_VARIABLE, self.home.root())
            .current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        system::detach(&mut command, system::Makes::Anything);
        command.spawn().map_err(|source| Error::Spawn {
            program: self.program.clone(),
            source,
        })
    }
}

/// Nobody listens there.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn other_version(theirs: String) -> Error {
    Error::OtherVersion {
        theirs,
        ours: RELEASE.into(),
    }
}

pub(crate) fn without_daemon(home: &Home) -> Status {
    let notes = Record::of_running(home)
        .map(|record| {
            format!(
                "The machine's process {} goes on without its background process; starting takes it up again.",
                record.pid
            )
        })
        .into_iter()
        .collect();
    Status {
        state: suspended(home).unwrap_or(State::Stopped),
        spec: spec::peek(home),
        socket: home.socket(),
        steps: Vec::new(),
        forwards: Vec::new(),
        network: None,
        notes,
    }
}

/// Without a daemon nobody wakes it.
fn suspended(home: &Home) -> Option<State> {
    match Saved::find(home) {
        Found::Memory(saved) => Some(State::Suspended {
            since_millis: saved.since_millis,
            wakes: false,
        }),
        Found::Nothing | Found::Unusable(_) => None,
    }
}

const GUEST: &str = "machine | ";

/// The lines of an answer to [`Request::Logs`], each with the process of the machine that said it.
fn guest_lines(conversation: Conversation) -> impl Stream<Item = (u32, String)> + Send {
    futures::stream::unfold((conversation, 0), |(mut conversation, mut pid)| async move {
        loop {
            match conversation.next().await {
                Ok(Answer::Machine { pid: of }) => pid = of,
                Ok(Answer::Line { line }) => return Some(((pid, format!("{GUEST}{line}")), (conversation, pid))),
                Ok(
                    Answer::Status { .. }
                    | Answer::Done { .. }
                    | Answer::Failed { .. }
                    | Answer::Guest { .. }
                    | Answer::Settings { .. }
                    | Answer::Freed { .. }
                    | Answer::OtherVersion { .. },
                )
                | Err(_) => return None,
            }
        }
    })
}

/// What a request that is carried out ends with.
enum Last {
    Done(Box<Status>),
    Settings(Box<Settings>),
    Freed(Freed),
}

/// One request and what comes back.
struct Conversation {
    answers: BufReader<ReadHalf<system::Stream>>,
    /// Kept open: its end tells the daemon that nobody listens any more.
    _requests: WriteHalf<system::Stream>,
}

impl Conversation {
    async fn begin(stream: system::Stream, request: Request) -> io::Result<Self> {
        let (answers, mut requests) = tokio::io::split(stream);
        control::write(
            &mut requests,
            &Envelope {
                version: control::VERSION,
                release: RELEASE.into(),
                request,
            },
        )
        .await?;
        Ok(Self {
            answers: BufReader::new(answers),
            _requests: requests,
        })
    }

    async fn next(&mut self) -> Result<Answer, Error> {
        match control::read(&mut self.answers).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Error::Io {
                doing: "The background process ended",
                source: io::ErrorKind::UnexpectedEof.into(),
            }),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Error::Garbled {
                source: serde_json::Error::io(error),
            }),
            Err(source) => Err(Error::Io {
                doing: "Could not hear the background process",
                source,
            }),
        }
    }
}
