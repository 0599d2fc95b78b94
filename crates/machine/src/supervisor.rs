//! One task that owns the machine's state; everything that happens to it happens in one exhaustive match.

mod refusals;
mod running;
mod sleep;
mod start;
mod stop;
mod watching;

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wherry_link::{Report, Session, Stage};

use crate::boot::{self, Context, Ended, Live, Origin, Progress};
use crate::record::Record;
use crate::saved::{self, Found, Saved};
use crate::socket::EngineSocket;
use crate::spec::{self, Host};
use crate::suspend::NotSaved;
use crate::{DiskFill, Failure, Home, HostRoom, Network, Running, SpecChange, State, Status, Usage, shares};
pub(crate) use refusals::no_engine_to_restart;
use watching::listen_for_knocks;

/// The link ends with the process, a moment earlier.
const PROCESS_ENDS_WITH_LINK: Duration = Duration::from_millis(500);
/// How often the guest's clock is compared with this computer's, and the console's log looked at.
const MINUTE: Duration = Duration::from_mins(1);

/// What the caller of a command is told at its end.
pub(crate) type Reply = oneshot::Sender<Result<(), Failure>>;

pub(crate) enum Command {
    /// Replied to when the machine runs or has failed to.
    Start {
        change: SpecChange,
        reply: Reply,
    },
    /// Replied to when it is stopped.
    Stop {
        reply: Reply,
    },
    Restart {
        reply: Reply,
    },
    /// Replied to when the engine answers again.
    RestartEngine {
        reply: Reply,
    },
    ResetSpec {
        reply: Reply,
    },
    /// Refused while the machine is not stopped.
    Erase {
        reply: Reply,
    },
    /// Replied to when its memory is saved and its process has ended; or when it is stopped, where that cannot be.
    Suspend {
        reply: Reply,
    },
    /// Replied to when the usage in the status is as fresh as it gets.
    Measure {
        reply: oneshot::Sender<()>,
    },
    /// The settings name other folders than before. Replied to when the machine that runs has them.
    Share {
        reply: Reply,
    },
    /// Replied to with the link of the machine that runs.
    Link {
        reply: oneshot::Sender<Option<(u32, Session)>>,
    },
}

impl Command {
    /// Who waits for it to be done.
    fn reply(self) -> Option<Reply> {
        match self {
            Self::Start { reply, .. }
            | Self::Stop { reply }
            | Self::Restart { reply }
            | Self::RestartEngine { reply }
            | Self::ResetSpec { reply }
            | Self::Erase { reply }
            | Self::Suspend { reply }
            | Self::Share { reply } => Some(reply),
            Self::Measure { .. } | Self::Link { .. } => None,
        }
    }
}

/// A handle on the supervisor.
#[derive(Clone, Debug)]
pub(crate) struct Supervisor {
    home: Home,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
}

impl Supervisor {
    /// Starts supervising. A machine that a daemon before us left running is taken up at once. The note is shown with
    /// its status.
    pub(crate) fn begin(context: Context, note: Option<String>) -> Self {
        let (commands, received) = mpsc::channel(16);
        let (events, happened) = mpsc::channel(64);
        let (published, status) = watch::channel(Status {
            state: State::Stopped,
            spec: Host::read().default_spec(),
            socket: context.home.socket(),
            steps: Vec::new(),
            forwards: Vec::new(),
            network: None,
            notes: note.into_iter().collect(),
        });
        let home = context.home.clone();
        tokio::spawn(listen_for_knocks(context.activity.clone(), events.clone()));
        let mut task = Task {
            context,
            events,
            published,
            phase: Phase::Stopped,
            step_began: Instant::now(),
            note_when_stopped: None,
            mended: None,
        };
        task.find_what_is();
        tokio::spawn(task.run(received, happened));
        Self { home, commands, status }
    }

    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    pub(crate) async fn send(&self, command: Command) {
        // The task lives as long as its handles; should it have panicked, the reply's sender is dropped with this.
        let _ = self.commands.send(command).await;
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// The status with usage as of now.
    pub(crate) async fn measured(&self) -> Status {
        let (reply, measured) = oneshot::channel();
        self.send(Command::Measure { reply }).await;
        let _ = measured.await;
        self.status.borrow().clone()
    }
}

enum Phase {
    Stopped,
    Starting {
        call_off: CancellationToken,
        waiters: Vec<Reply>,
        from: Source,
        /// What was asked for meanwhile and has to wait until it is up.
        deferred: Vec<Command>,
    },
    Running(Box<Up>),
    Suspending {
        socket: Option<EngineSocket>,
        waiters: Vec<Reply>,
        /// What was asked for meanwhile.
        deferred: Vec<Command>,
    },
    Suspended {
        saved: Box<Saved>,
        /// Where clients knock, when that wakes it.
        socket: Option<EngineSocket>,
    },
    Stopping {
        waiters: Vec<Reply>,
        then: Option<Then>,
    },
    Failed,
}

/// What a start begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Nothing,
    /// It is a machine that runs already; whoever waits gets a new one should it not answer.
    Running,
    /// Its containers are alive in the saved memory: a stop waits until they can be stopped in order.
    Saved,
}

/// What happens after a stop.
struct Then {
    change: SpecChange,
    waiters: Vec<Reply>,
    /// Nobody asked for the stop: the containers that run are to run again.
    mends: bool,
}

/// A running machine and the tasks that watch it.
struct Up {
    live: Live,
    measured: Option<Instant>,
    cpu: Option<(Instant, u64)>,
    guards: Vec<AbortHandle>,
}

impl Up {
    fn running(&self) -> Running {
        let live = &self.live;
        Running {
            backend: live.record.backend.clone(),
            accelerator: live.record.accelerator.clone(),
            engine_version: String::new(),
            api_version: String::new(),
            kernel: live.hello.kernel.clone(),
            since_millis: live.record.ready.map_or(0, |ready| ready.since_millis),
            ready_in_millis: live.record.ready.map_or(0, |ready| ready.in_millis),
            pid: live.process.pid,
            usage: Usage::default(),
            disk: DiskFill::default(),
            host_room: HostRoom::default(),
            engine_restarts: 0,
            rests: false,
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        for guard in &self.guards {
            guard.abort();
        }
    }
}

enum Event {
    Progress(Progress),
    Booted(Box<Result<Live, Ended>>),
    /// The three below name the process they are about: what is said of one that is gone is no longer of interest.
    Exited {
        pid: u32,
    },
    LinkLost {
        pid: u32,
    },
    Reported {
        pid: u32,
        report: Report,
    },
    Forwards {
        pid: u32,
    },
    /// The machine was told something new of this computer.
    Told {
        pid: u32,
        network: Network,
    },
    Measured {
        pid: u32,
        usage: Usage,
        cpu: Option<(Instant, u64)>,
        reply: oneshot::Sender<()>,
    },
    /// The server of the shared folders has ended before the machine, and no other has taken over.
    FilesGone {
        pid: u32,
    },
    /// Another server of the shared folders has taken over; what it said of the folders.
    FilesAnew {
        pid: u32,
        files: shares::Files,
        notes: Vec<String>,
    },
    /// Nobody has used it for as long as the settings say.
    Idle {
        pid: u32,
    },
    /// Its processors stand still from now on, or no longer.
    Rests {
        pid: u32,
        rests: bool,
    },
    /// A client waits at the socket of a machine that sleeps.
    Knocked,
    /// The machine with whatever watches it, and what became of suspending it.
    Suspended(Box<(Box<Up>, Result<Saved, NotSaved>)>),
    /// The data disk was to become larger while the machine runs.
    Grown {
        pid: u32,
        gib: u64,
        grown: Result<(), Failure>,
        waiters: Vec<Reply>,
    },
    /// How much room there is on this computer's disk from now on.
    HostDisk {
        pid: u32,
        room: HostRoom,
    },
    /// A machine that was to be started, and runs, was asked for a sign of life.
    Answered {
        pid: u32,
        change: SpecChange,
        reply: Reply,
    },
    /// The stop is done; the note says what about it was not in order.
    Stopped {
        note: Option<String>,
    },
}

struct Task {
    context: Context,
    events: mpsc::Sender<Event>,
    published: watch::Sender<Status>,
    phase: Phase,
    step_began: Instant,
    /// Why it was stopped, when that is not what was asked for.
    note_when_stopped: Option<String>,
    /// When a machine was last restarted for its shared folders.
    mended: Option<Instant>,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut events: mpsc::Receiver<Event>) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                Some(event) = events.recv() => self.event(event),
            }
        }
    }

    fn find_what_is(&mut self) {
        let loaded = spec::load(&self.context.home, Host::read());
        self.change(|status| match loaded {
            Ok(loaded) => {
                status.spec = loaded.spec;
                status.notes.extend(loaded.note);
            }
            Err(error) => status
                .notes
                .push(format!("The machine's settings could not be read: {error}")),
        });
        match Record::read(&self.context.home) {
            Ok(Some(record)) if record.is_running() => {
                tracing::info!(pid = record.pid, "a machine runs already");
                self.begin(Origin::Running { record }, Vec::new());
            }
            Ok(Some(record)) => {
                tracing::info!(pid = record.pid, "the machine ended while nobody looked after it");
                let _ = Record::remove(&self.context.home);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "could not read which machine ran last"),
        }
        if matches!(self.phase, Phase::Stopped) {
            saved::clear_leftovers(&self.context.home);
            // One that cannot be used is set aside and named at the next start.
            if let Found::Memory(saved) = Saved::find(&self.context.home) {
                self.asleep(saved, None);
            }
        }
    }

    fn command(&mut self, command: Command) {
        self.look_at_process();
        match command {
            Command::Start { change, reply } => self.start(&change, reply),
            Command::Stop { reply } => self.stop(Some(reply), None),
            Command::Restart { reply } => self.restart(reply),
            Command::RestartEngine { reply } => self.restart_engine(reply),
            Command::ResetSpec { reply } => {
                let _ = reply.send(self.reset_spec());
            }
            Command::Erase { reply } => {
                let _ = reply.send(self.erase());
            }
            Command::Suspend { reply } => self.suspend(Some(reply)),
            Command::Measure { reply } => self.measure(reply),
            Command::Share { reply } => self.share(reply),
            Command::Link { reply } => {
                let link = match &self.phase {
                    Phase::Running(up) => Some((up.live.process.pid, up.live.session.clone())),
                    Phase::Stopped
                    | Phase::Starting { .. }
                    | Phase::Suspending { .. }
                    | Phase::Suspended { .. }
                    | Phase::Stopping { .. }
                    | Phase::Failed => None,
                };
                let doze = self.context.doze.clone();
                tokio::spawn(async move {
                    // What is asked of it is about one that runs and has the right time.
                    let _held = doze.hold().await;
                    let _ = reply.send(link);
                });
            }
        }
    }

    /// What is asked for is asked of what there is: a process may have ended a moment ago, and its event be on its way.
    fn look_at_process(&mut self) {
        if let Phase::Running(up) = &self.phase
            && up.live.process.has_ended()
        {
            let pid = up.live.process.pid;
            self.event(Event::Exited { pid });
        }
    }

    #[expect(clippy::too_many_lines, reason = "every transition stands in this one match")]
    fn event(&mut self, event: Event) {
        match (std::mem::replace(&mut self.phase, Phase::Stopped), event) {
            (starting @ Phase::Starting { .. }, Event::Progress(progress)) => {
                self.phase = starting;
                self.progress(progress);
            }
            (
                Phase::Starting {
                    waiters,
                    from,
                    deferred,
                    ..
                },
                Event::Booted(outcome),
            ) => {
                self.booted(*outcome, from, waiters);
                for command in deferred {
                    self.command(command);
                }
            }
            // It came up in the very moment in which it was called off.
            (Phase::Stopping { waiters, then }, Event::Booted(outcome)) => match *outcome {
                Ok(live) => {
                    self.came_up(live, Vec::new());
                    self.stop(None, then);
                    if let Phase::Stopping { waiters: waiting, .. } = &mut self.phase {
                        waiting.extend(waiters);
                    }
                }
                // What is saved stays so, and is there for the next start.
                Err(Ended::Failed(_) | Ended::CalledOff | Ended::Asleep(_)) => self.stopped(None, waiters, then),
            },
            (
                Phase::Suspending {
                    socket,
                    waiters,
                    deferred,
                },
                Event::Suspended(done),
            ) => {
                let (up, outcome) = *done;
                self.suspended(up, outcome, socket, waiters, deferred);
            }
            (
                Phase::Suspending {
                    socket,
                    waiters,
                    mut deferred,
                },
                Event::Knocked,
            ) => {
                // Who suspends it wants it to rest, whatever programs ask of it meanwhile.
                if waiters.is_empty() {
                    let (reply, _) = oneshot::channel();
                    deferred.push(Command::Start {
                        change: SpecChange::default(),
                        reply,
                    });
                }
                self.phase = Phase::Suspending {
                    socket,
                    waiters,
                    deferred,
                };
            }
            (
                Phase::Suspended {
                    saved,
                    socket: Some(socket),
                },
                Event::Knocked,
            ) => {
                tracing::info!("a client wakes the machine");
                self.phase = Phase::Suspended {
                    saved,
                    socket: Some(socket),
                };
                self.wake(Vec::new());
            }
            (Phase::Running(up), Event::Idle { pid }) if up.live.process.pid == pid => {
                self.phase = Phase::Running(up);
                self.suspend(None);
            }
            (Phase::Stopping { waiters, then }, Event::Stopped { note }) => self.stopped(note, waiters, then),
            (Phase::Running(up), Event::Exited { pid }) if up.live.process.pid == pid => {
                tracing::error!(pid, "the machine's process has ended");
                if let Err(error) = Record::remove(&self.context.home) {
                    tracing::warn!(%error, "the machine's record stays");
                }
                drop(up);
                self.fail(&boot::died(&self.context.home), Vec::new());
            }
            (Phase::Running(up), Event::LinkLost { pid }) if up.live.process.pid == pid => {
                tracing::warn!(pid, "the link to the machine broke");
                let record = up.live.record.clone();
                drop(up);
                self.begin(Origin::Running { record }, Vec::new());
            }
            (Phase::Running(up), Event::Reported { pid, report }) if up.live.process.pid == pid => {
                self.reported(up, report);
            }
            (Phase::Running(mut up), Event::FilesGone { pid }) if up.live.process.pid == pid => {
                up.live.files = None;
                self.phase = Phase::Running(up);
                self.mend(Vec::new());
            }
            (Phase::Running(mut up), Event::FilesAnew { pid, files, notes }) if up.live.process.pid == pid => {
                let given_up = files.have_given_up();
                tracing::error!(pid, given_up, "another server of the shared folders has taken over");
                up.live.files = Some(files);
                self.phase = Phase::Running(up);
                self.change(|status| {
                    if given_up {
                        shares::note(&mut status.notes, shares::GIVEN_UP);
                    } else {
                        shares::note(&mut status.notes, shares::ANEW);
                        status.notes.extend(notes);
                    }
                });
            }
            (Phase::Running(up), Event::Forwards { pid }) if up.live.process.pid == pid => {
                let forwards = up.live.forwards.list();
                self.phase = Phase::Running(up);
                self.change(|status| status.forwards = forwards);
            }
            (Phase::Running(up), Event::Told { pid, network }) if up.live.process.pid == pid => {
                let outdated = up
                    .live
                    .reports
                    .borrow()
                    .as_ref()
                    .is_some_and(|report| report.engine_outdated);
                self.phase = Phase::Running(up);
                self.change(|status| {
                    status.network = Some(Network {
                        engine_outdated: outdated,
                        ..network
                    });
                });
            }
            (Phase::Running(up), Event::Measured { pid, usage, cpu, reply }) if up.live.process.pid == pid => {
                self.measured(up, usage, cpu);
                let _ = reply.send(());
            }
            (
                Phase::Running(up),
                Event::Grown {
                    pid,
                    gib,
                    grown,
                    waiters,
                },
            ) if up.live.process.pid == pid => self.grown(up, gib, &grown, waiters),
            (Phase::Running(up), Event::HostDisk { pid, room }) if up.live.process.pid == pid => {
                self.phase = Phase::Running(up);
                self.change(|status| {
                    if let State::Running { running } = &mut status.state {
                        running.host_room = room;
                    }
                });
            }
            (Phase::Running(up), Event::Rests { pid, rests }) if up.live.process.pid == pid => {
                self.phase = Phase::Running(up);
                self.change(|status| {
                    if let State::Running { running } = &mut status.state {
                        running.rests = rests;
                    }
                });
            }
            (Phase::Running(up), Event::Answered { pid, change, reply })
                if up.live.process.pid == pid && !up.live.process.has_ended() =>
            {
                self.started_before(up, &change, reply);
            }
            (
                phase @ (Phase::Stopped
                | Phase::Starting { .. }
                | Phase::Running(_)
                | Phase::Suspending { .. }
                | Phase::Suspended { .. }
                | Phase::Stopping { .. }
                | Phase::Failed),
                Event::Answered { pid: _, change, reply },
            ) => {
                self.phase = phase;
                self.command(Command::Start { change, reply });
            }
            // What is said of a machine that is no longer there, or of a start that is no longer wanted.
            (
                phase @ (Phase::Stopped
                | Phase::Starting { .. }
                | Phase::Running(_)
                | Phase::Suspending { .. }
                | Phase::Suspended { .. }
                | Phase::Stopping { .. }
                | Phase::Failed),
                Event::Progress(_)
                | Event::Booted(_)
                | Event::Exited { .. }
                | Event::LinkLost { .. }
                | Event::Reported { .. }
                | Event::Forwards { .. }
                | Event::Told { .. }
                | Event::Measured { .. }
                | Event::FilesGone { .. }
                | Event::FilesAnew { .. }
                | Event::Idle { .. }
                | Event::Rests { .. }
                | Event::Knocked
                | Event::Suspended(_)
                | Event::Grown { .. }
                | Event::HostDisk { .. }
                | Event::Stopped { .. },
            ) => self.phase = phase,
        }
    }

    fn reported(&mut self, up: Box<Up>, report: Report) {
        let home = self.context.home.clone();
        match report.stage {
            Stage::Failed { cause } => {
                let failure = boot::guest_failure(&home, cause);
                // The guest cannot go on by itself; an orderly power-off is what is left.
                self.phase = Phase::Running(up);
                self.stop(None, None);
                self.change(|status| status.notes.push(failure.message));
                return;
            }
            Stage::Ready { engine, api } => self.change(|status| {
                if let State::Running { running } = &mut status.state {
                    running.engine_version = engine;
                    running.api_version = api;
                }
            }),
            Stage::EngineDied { message } => tracing::warn!(message, "the engine died and is started again"),
            Stage::Disk | Stage::Engine | Stage::PoweringOff => {}
        }
        self.phase = Phase::Running(up);
        self.change(|status| {
            if let State::Running { running } = &mut status.state {
                running.engine_restarts = report.engine_restarts;
                running.disk = report.disk.into();
            }
            if let Some(network) = &mut status.network {
                network.engine_outdated = report.engine_outdated;
            }
            status.notes.extend(report.notes);
        });
    }

    fn fail(&mut self, failure: &Failure, waiters: Vec<Reply>) {
        tracing::error!(message = failure.message, causes = ?failure.causes, console = ?failure.console, "failed");
        self.phase = Phase::Failed;
        self.change(|status| {
            status.state = State::Failed {
                failure: failure.clone(),
            };
            status.forwards.clear();
            status.network = None;
        });
        for waiter in waiters {
            let _ = waiter.send(Err(failure.clone()));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        self.published.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            // Two attempts at one start may say the same.
            let mut said = HashSet::new();
            status.notes.retain(|note| said.insert(note.clone()));
            *status != before
        });
    }
}

#[cfg(all(test, unix))]
mod tests;
