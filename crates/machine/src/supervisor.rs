//! One task that owns the machine's state; everything that happens to it happens in one exhaustive match.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use wherry_link::{HostRequest, Report, Session, Stage};

use crate::activity::Activity;
use crate::boot::{self, Context, Ended, Live, Origin, Progress};
use crate::cost::Cost;
use crate::process::Process;
use crate::qmp::Qmp;
use crate::record::Record;
use crate::saved::{self, Found, Saved};
use crate::socket::EngineSocket;
use crate::spec::{self, Host};
use crate::suspend::{self, NotSaved};
use crate::{
    DiskFill, Failure, FailureCode, Home, HostRoom, Network, Running, Settings, Spec, SpecChange, State, Status, Step,
    StepReport, Usage, clock, disk, file, host_disk, host_disk::HostDisk, network, shares,
};

/// Containers have ten seconds each to stop, at the same time; then the engine and the disks. Under emulation and
/// load all of it takes longer.
const POWER_OFF: Duration = Duration::from_secs(90);
/// How long the guest may take to say that it has heard it.
const POWER_OFF_HEARD: Duration = Duration::from_secs(10);
/// The engine's end, its start with many containers to take up, and the answer.
const ENGINE_RESTART: Duration = Duration::from_mins(5);
/// The link ends with the process, a moment earlier.
const PROCESS_ENDS_WITH_LINK: Duration = Duration::from_millis(500);
/// How long the guest may take to say what it uses before it is left out.
const USAGE: Duration = Duration::from_secs(1);
/// Usage that is as fresh as this is not asked for again, however many look.
const USAGE_FRESH: Duration = Duration::from_millis(1500);
/// How long the monitor of a machine that runs may take to answer, and one that does not may take to end.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// How often the guest's clock is compared with this computer's, and the console's log looked at.
const MINUTE: Duration = Duration::from_mins(1);
/// When the console's log is longer, its older half goes.
const LONGEST_CONSOLE: u64 = 8 << 20;

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

    /// From here on whatever happens to it comes as an event.
    fn watch(&mut self, context: &Context, events: &mpsc::Sender<Event>) {
        let (live, pid) = (&self.live, self.live.process.pid);
        let guards = vec![
            tokio::spawn(watch_process(
                live.process.clone(),
                live.session.clone(),
                context.home.clone(),
                events.clone(),
            ))
            .abort_handle(),
            tokio::spawn(watch_host_disk(pid, context.home.clone(), events.clone())).abort_handle(),
            tokio::spawn(watch_reports(pid, live.reports.clone(), events.clone())).abort_handle(),
            tokio::spawn(tell_what_changes(
                pid,
                live.session.clone(),
                context.settings.watch(),
                live.told.clone(),
                events.clone(),
            ))
            .abort_handle(),
            tokio::spawn(watch_forwards(pid, live.forwards.clone(), events.clone())).abort_handle(),
            tokio::spawn(every_minute(
                live.session.clone(),
                context.home.console_log(),
                context.doze.stands(),
            ))
            .abort_handle(),
            tokio::spawn(watch_doze(pid, context.doze.stands(), events.clone())).abort_handle(),
            tokio::spawn(watch_files(
                pid,
                live.files.clone(),
                live.session.clone(),
                context.clone(),
                events.clone(),
            ))
            .abort_handle(),
            tokio::spawn(watch_idleness(
                pid,
                context.activity.clone(),
                live.reports.clone(),
                context.settings.watch(),
                context.minute,
                events.clone(),
            ))
            .abort_handle(),
        ];
        for guard in std::mem::replace(&mut self.guards, guards) {
            guard.abort();
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

    fn start(&mut self, change: &SpecChange, reply: Reply) {
        let length = disk::length(&self.context.home.data_disk());
        let kept = self.kept_spec();
        let spec = match spec::apply(&kept, change, Host::read(), length) {
            Ok(spec) => spec,
            Err(failure) => {
                let _ = reply.send(Err(failure));
                return;
            }
        };
        match &mut self.phase {
            Phase::Stopped | Phase::Failed => match Saved::find(&self.context.home) {
                Found::Memory(saved) => self.begin(Origin::Saved { saved, spec }, vec![reply]),
                Found::Nothing | Found::Unusable(_) => self.begin(Origin::Nothing { spec }, vec![reply]),
            },
            Phase::Suspended { saved, .. } => {
                let saved = saved.clone();
                // Before the start, which keeps it, too, where the memory turns out to be of no use.
                self.keep_for_later(&spec);
                self.begin(Origin::Saved { saved, spec }, vec![reply]);
            }
            Phase::Suspending { deferred, .. } => deferred.push(Command::Start {
                change: change.clone(),
                reply,
            }),
            // A start from nothing keeps its own spec, and is not to be overtaken in that.
            Phase::Starting { deferred, .. } if spec != kept => deferred.push(Command::Start {
                change: change.clone(),
                reply,
            }),
            Phase::Starting { waiters, .. } => waiters.push(reply),
            Phase::Running(up) => {
                let (process, home, events) = (up.live.process.clone(), self.context.home.clone(), self.events.clone());
                let change = change.clone();
                tokio::spawn(async move {
                    let pid = process.pid;
                    until_it_answers(&process, &home).await;
                    let _ = events.send(Event::Answered { pid, change, reply }).await;
                });
            }
            Phase::Stopping { then, .. } => match then {
                Some(then) => {
                    then.change = change.clone();
                    then.waiters.push(reply);
                }
                None => {
                    *then = Some(Then {
                        change: change.clone(),
                        waiters: vec![reply],
                    });
                }
            },
        }
    }

    /// It runs already, and is given what it can have at once.
    fn started_before(&mut self, up: Box<Up>, change: &SpecChange, reply: Reply) {
        let length = disk::length(&self.context.home.data_disk());
        let applied = spec::apply(&self.kept_spec(), change, Host::read(), length);
        let (session, pid) = (up.live.session.clone(), up.live.process.pid);
        let present = up.live.record.spec.disk_gib;
        self.phase = Phase::Running(up);
        match applied {
            Ok(spec) => {
                self.keep_for_later(&spec);
                if spec.disk_gib > present {
                    self.grow(session, pid, spec.disk_gib, vec![reply]);
                } else {
                    let _ = reply.send(Ok(()));
                }
            }
            Err(failure) => {
                let _ = reply.send(Err(failure));
            }
        }
    }

    fn reset_spec(&mut self) -> Result<(), Failure> {
        let spec = spec::first(Host::read(), disk::length(&self.context.home.data_disk()));
        spec::save(&self.context.home, &spec).map_err(|error| Failure {
            code: FailureCode::Io,
            step: None,
            message: "Could not save the machine's size".into(),
            causes: vec![error.to_string()],
            hint: "See whether the disk is full or the file belongs to somebody else.".into(),
            console: Vec::new(),
        })?;
        match self.phase {
            Phase::Stopped | Phase::Failed => self.change(|status| status.spec = spec),
            Phase::Starting { .. }
            | Phase::Running(_)
            | Phase::Suspending { .. }
            | Phase::Suspended { .. }
            | Phase::Stopping { .. } => self.say_later(&spec),
        }
        Ok(())
    }

    fn erase(&mut self) -> Result<(), Failure> {
        let failure = |message: &str, cause: String, hint: &str| Failure {
            code: FailureCode::Io,
            step: None,
            message: message.into(),
            causes: vec![cause],
            hint: hint.into(),
            console: Vec::new(),
        };
        match self.phase {
            Phase::Stopped | Phase::Failed => {}
            Phase::Starting { .. }
            | Phase::Running(_)
            | Phase::Suspending { .. }
            | Phase::Suspended { .. }
            | Phase::Stopping { .. } => {
                return Err(failure(
                    "The data disk is in use",
                    "The machine was started in the meantime.".into(),
                    "Nothing was removed. Try it again.",
                ));
            }
        }
        disk::remove(&self.context.home).map_err(|error| {
            failure(
                "Could not remove the data disk",
                error.to_string(),
                "See to whom that file belongs.",
            )
        })?;
        self.phase = Phase::Stopped;
        self.change(|status| {
            status.state = State::Stopped;
            status.notes.clear();
        });
        Ok(())
    }

    fn restart(&mut self, reply: Reply) {
        let change = SpecChange::default();
        match &mut self.phase {
            Phase::Stopped | Phase::Failed => self.start(&change, reply),
            Phase::Suspending { deferred, .. }
            | Phase::Starting {
                from: Source::Saved,
                deferred,
                ..
            } => deferred.push(Command::Restart { reply }),
            Phase::Suspended { .. } => self.wake(vec![Command::Restart { reply }]),
            Phase::Starting { .. } | Phase::Running(_) | Phase::Stopping { .. } => {
                self.stop(
                    None,
                    Some(Then {
                        change,
                        waiters: vec![reply],
                    }),
                );
            }
        }
    }

    /// Makes a suspended machine go on, and then does this with it.
    fn wake(&mut self, then: Vec<Command>) {
        if let Phase::Suspended { saved, .. } = &self.phase {
            let (saved, spec) = (saved.clone(), self.kept_spec());
            self.begin(Origin::Saved { saved, spec }, Vec::new());
            if let Phase::Starting { deferred, .. } = &mut self.phase {
                deferred.extend(then);
            }
        }
    }

    /// With a reply somebody asked for it; otherwise it has been idle and is to wake by itself.
    fn suspend(&mut self, reply: Option<Reply>) {
        let refuse = |reply: Option<Reply>, why: &str, hint: &str| {
            if let Some(reply) = reply {
                let _ = reply.send(Err(not_now(why, hint)));
            }
        };
        match std::mem::replace(&mut self.phase, Phase::Stopped) {
            Phase::Running(mut up) => {
                let wakes = reply.is_none();
                let socket = up.live.socket.take();
                if let Some(socket) = &socket {
                    socket.hold();
                }
                tracing::info!(wakes, "the machine is being suspended");
                let (home, events) = (self.context.home.clone(), self.events.clone());
                let doze = self.context.doze.clone();
                tokio::spawn(async move {
                    let pid = up.live.process.pid;
                    let memory = tokio::task::spawn_blocking(move || Cost::of(pid)).await.ok().flatten();
                    let memory = memory.map_or(0, |usage| usage.memory);
                    let _held = doze.hold().await;
                    let outcome = suspend::save(&home, &up.live, wakes, memory).await;
                    if outcome.is_ok()
                        && let Err(error) = Record::remove(&home)
                    {
                        tracing::warn!(%error, "the machine's record stays");
                    }
                    let _ = events.send(Event::Suspended(Box::new((up, outcome)))).await;
                });
                self.phase = Phase::Suspending {
                    socket,
                    waiters: reply.into_iter().collect(),
                    deferred: Vec::new(),
                };
                self.change(|status| status.state = State::Suspending);
            }
            Phase::Suspending {
                socket,
                mut waiters,
                deferred,
            } => {
                waiters.extend(reply);
                self.phase = Phase::Suspending {
                    socket,
                    waiters,
                    deferred,
                };
            }
            Phase::Suspended { saved, socket } => {
                // Who says so wants it to rest until it is started.
                let socket = socket.filter(|_| reply.is_none());
                self.asleep(saved, socket);
                if let Some(reply) = reply {
                    let _ = reply.send(Ok(()));
                }
            }
            Phase::Starting {
                call_off,
                waiters,
                from,
                deferred,
            } => {
                self.phase = Phase::Starting {
                    call_off,
                    waiters,
                    from,
                    deferred,
                };
                refuse(reply, "It is starting", "Suspend it once it runs.");
            }
            Phase::Stopping { waiters, then } => {
                self.phase = Phase::Stopping { waiters, then };
                refuse(reply, "It is stopping", "There is nothing to do.");
            }
            Phase::Stopped => refuse(reply, "It is not running", "Start it first (wherry start)."),
            Phase::Failed => {
                self.phase = Phase::Failed;
                refuse(reply, "It is not running", "Start it first (wherry start).");
            }
        }
    }

    /// What becomes of it when suspending it has ended, in one way or the other.
    fn suspended(
        &mut self,
        mut up: Box<Up>,
        outcome: Result<Saved, NotSaved>,
        socket: Option<EngineSocket>,
        waiters: Vec<Reply>,
        deferred: Vec<Command>,
    ) {
        let answer = |waiters: Vec<Reply>, outcome: Result<(), Failure>| {
            for waiter in waiters {
                let _ = waiter.send(outcome.clone());
            }
        };
        match outcome {
            Ok(saved) => {
                tracing::info!(bytes = saved.memory.bytes, "the machine is suspended");
                drop(up);
                let socket = socket.filter(|_| saved.wakes);
                self.asleep(Box::new(saved), socket);
                answer(waiters, Ok(()));
            }
            Err(NotSaved::Never { why }) => {
                tracing::warn!(why, "the machine cannot be suspended");
                self.goes_on(up, socket);
                if !waiters.is_empty() {
                    self.note_when_stopped = Some(format!("The machine was stopped instead of suspended: {why}."));
                    for waiter in waiters {
                        self.stop(Some(waiter), None);
                    }
                }
            }
            Err(NotSaved::GoesOn(failure)) => {
                tracing::warn!(message = failure.message, causes = ?failure.causes, "the machine goes on");
                self.goes_on(up, socket);
                answer(waiters, Err(failure));
            }
            Err(NotSaved::LetGo(failure)) => {
                tracing::warn!(message = failure.message, causes = ?failure.causes, "the machine is taken up again");
                up.live.socket = None;
                let record = up.live.record.clone();
                drop(up);
                self.begin_with(Origin::Running { record }, socket, Vec::new());
                let note = format!("{}: {}.", failure.message, failure.causes.join("; "));
                self.change(|status| status.notes.push(note));
                answer(waiters, Err(failure));
            }
        }
        for command in deferred {
            self.command(command);
        }
    }

    /// It was not touched; its watchers may have said something meanwhile that was not heard.
    fn goes_on(&mut self, mut up: Box<Up>, socket: Option<EngineSocket>) {
        if let Some(socket) = &socket {
            socket.lead_to(up.live.session.clone());
        }
        up.live.socket = socket;
        up.watch(&self.context, &self.events);
        let running = up.running();
        let report = up.live.reports.borrow().clone();
        self.change(|status| status.state = State::Running { running });
        match report {
            Some(report) => self.reported(up, report),
            None => self.phase = Phase::Running(up),
        }
    }

    /// From here on the machine is in the file.
    fn asleep(&mut self, mut saved: Box<Saved>, socket: Option<EngineSocket>) {
        let socket = match socket {
            None if saved.wakes => match self.context.open_socket() {
                Ok(socket) => Some(socket),
                Err(error) => {
                    tracing::warn!(%error, "nobody can wake the machine through its socket");
                    None
                }
            },
            socket => socket,
        };
        saved.wakes = socket.is_some();
        let (since_millis, wakes, spec) = (saved.since_millis, saved.wakes, saved.spec.clone());
        self.phase = Phase::Suspended { saved, socket };
        self.change(|status| {
            status.state = State::Suspended { since_millis, wakes };
            status.spec = spec;
            status.steps.clear();
            status.forwards.clear();
        });
    }

    fn stop(&mut self, reply: Option<Reply>, then: Option<Then>) {
        match std::mem::replace(&mut self.phase, Phase::Stopped) {
            // Its containers are to end in order, which they can only when it goes on.
            suspended @ Phase::Suspended { .. } => {
                self.phase = suspended;
                self.wake(reply.into_iter().map(|reply| Command::Stop { reply }).collect());
            }
            Phase::Suspending {
                socket,
                waiters,
                mut deferred,
            } => {
                deferred.extend(reply.map(|reply| Command::Stop { reply }));
                self.phase = Phase::Suspending {
                    socket,
                    waiters,
                    deferred,
                };
            }
            Phase::Starting {
                call_off,
                waiters,
                from: Source::Saved,
                mut deferred,
            } => {
                deferred.extend(reply.map(|reply| Command::Stop { reply }));
                self.phase = Phase::Starting {
                    call_off,
                    waiters,
                    from: Source::Saved,
                    deferred,
                };
            }
            Phase::Stopped => {
                if let Some(reply) = reply {
                    let _ = reply.send(Ok(()));
                }
            }
            Phase::Failed => {
                self.change(|status| status.state = State::Stopped);
                if let Some(reply) = reply {
                    let _ = reply.send(Ok(()));
                }
            }
            Phase::Starting {
                call_off,
                waiters,
                deferred,
                from: Source::Nothing | Source::Running,
            } => {
                call_off.cancel();
                tell_called_off(
                    waiters
                        .into_iter()
                        .chain(deferred.into_iter().filter_map(Command::reply)),
                );
                self.phase = Phase::Stopping {
                    waiters: reply.into_iter().collect(),
                    then,
                };
                self.change(|status| status.state = State::Stopping);
            }
            Phase::Running(mut up) => {
                // New clients are to find nobody from now on; those that are there see the engine stop.
                up.live.socket = None;
                let (home, events) = (self.context.home.clone(), self.events.clone());
                tokio::spawn(async move {
                    let note = shut_down(&up.live).await;
                    up.live.forwards.release_all().await;
                    if let Err(error) = Record::remove(&home) {
                        tracing::warn!(%error, "the machine's record stays");
                    }
                    drop(up);
                    let _ = events.send(Event::Stopped { note }).await;
                });
                self.phase = Phase::Stopping {
                    waiters: reply.into_iter().collect(),
                    then,
                };
                self.change(|status| status.state = State::Stopping);
            }
            Phase::Stopping {
                mut waiters,
                then: before,
            } => {
                waiters.extend(reply);
                // The last word counts: a stop after a start that was still to come calls that off.
                let then = match (before, then) {
                    (Some(before), None) => {
                        tell_called_off(before.waiters);
                        None
                    }
                    (Some(before), Some(mut then)) => {
                        then.waiters.extend(before.waiters);
                        then.change = before.change;
                        Some(then)
                    }
                    (None, then) => then,
                };
                self.phase = Phase::Stopping { waiters, then };
            }
        }
    }

    /// Starts a boot; its outcome comes as an event.
    fn begin(&mut self, origin: Origin, waiters: Vec<Reply>) {
        let socket = match std::mem::replace(&mut self.phase, Phase::Stopped) {
            // Whoever knocked there is to be let in.
            Phase::Suspended { socket, .. } | Phase::Suspending { socket, .. } => socket,
            Phase::Stopped | Phase::Starting { .. } | Phase::Running(_) | Phase::Stopping { .. } | Phase::Failed => {
                None
            }
        };
        self.begin_with(origin, socket, waiters);
    }

    fn begin_with(&mut self, origin: Origin, socket: Option<EngineSocket>, waiters: Vec<Reply>) {
        let call_off = CancellationToken::new();
        let (progress, mut made) = mpsc::channel(16);
        let events = self.events.clone();
        let (spec, from) = match &origin {
            Origin::Nothing { spec } => (spec.clone(), Source::Nothing),
            Origin::Running { record } => (record.spec.clone(), Source::Running),
            Origin::Saved { saved, .. } => (saved.spec.clone(), Source::Saved),
        };
        tokio::spawn({
            let (context, call_off) = (self.context.clone(), call_off.clone());
            async move {
                let boot = async { boot::boot(&context, origin, socket, progress, call_off).await };
                let forward = async {
                    while let Some(progress) = made.recv().await {
                        let _ = events.send(Event::Progress(progress)).await;
                    }
                };
                // The boot holds the sender, so both end together and the outcome comes after all progress.
                let (outcome, ()) = tokio::join!(boot, forward);
                let _ = events.send(Event::Booted(Box::new(outcome))).await;
            }
        });
        self.phase = Phase::Starting {
            call_off,
            waiters,
            from,
            deferred: Vec::new(),
        };
        self.change(|status| {
            status.state = State::Starting { step: Step::Check };
            status.spec = spec;
            status.steps.clear();
            status.forwards.clear();
            status.network = None;
            status.notes.clear();
        });
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
                tracing::error!(pid, "the server of the shared folders has ended");
                up.live.files = None;
                self.phase = Phase::Running(up);
                self.change(|status| shares::note(&mut status.notes, shares::GONE));
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

    fn booted(&mut self, outcome: Result<Live, Ended>, from: Source, waiters: Vec<Reply>) {
        match outcome {
            Ok(live) => self.came_up(live, waiters),
            Err(Ended::Asleep(saved)) => {
                self.asleep(saved, None);
                let mut waiters = waiters.into_iter();
                if let Some(first) = waiters.next() {
                    self.start(&SpecChange::default(), first);
                    for waiter in waiters {
                        self.start(&SpecChange::default(), waiter);
                    }
                }
            }
            Err(Ended::Failed(failure)) if from == Source::Running && !waiters.is_empty() => {
                tracing::warn!(message = failure.message, causes = ?failure.causes, "starting anew");
                let spec = self.kept_spec();
                self.begin(Origin::Nothing { spec }, waiters);
                let note = format!("{}, so it was ended and a new one started.", failure.message);
                self.change(|status| status.notes.push(note));
            }
            Err(Ended::Failed(failure)) => self.fail(&failure, waiters),
            Err(Ended::CalledOff) => self.fail(&called_off(), waiters),
        }
    }

    fn measured(&mut self, mut up: Box<Up>, usage: Usage, cpu: Option<(Instant, u64)>) {
        up.measured = Some(Instant::now());
        up.cpu = cpu;
        self.phase = Phase::Running(up);
        self.change(|status| {
            if let State::Running { running } = &mut status.state {
                running.usage = usage;
            }
        });
    }

    /// Makes the data disk of the machine that runs larger; the outcome comes as an event.
    fn grow(&self, session: Session, pid: u32, gib: u64, waiters: Vec<Reply>) {
        let (home, events) = (self.context.home.clone(), self.events.clone());
        tokio::spawn(async move {
            let grown = disk::grow_online(&home, &session, gib).await;
            let event = Event::Grown {
                pid,
                gib,
                grown,
                waiters,
            };
            let _ = events.send(event).await;
        });
    }

    fn grown(&mut self, mut up: Box<Up>, gib: u64, grown: &Result<(), Failure>, waiters: Vec<Reply>) {
        match grown {
            Ok(()) => {
                let now = gib.max(up.live.record.spec.disk_gib);
                up.live.record.spec.disk_gib = now;
                if let Err(error) = up.live.record.write(&self.context.home) {
                    tracing::warn!(%error, "the machine's record has its disk's old size");
                }
                self.change(|status| status.spec.disk_gib = now);
            }
            Err(failure) => {
                tracing::warn!(message = failure.message, causes = ?failure.causes, "the disk has its old size");
                let note = format!("{}. {}", failure.message, failure.hint);
                self.change(|status| {
                    if !status.notes.contains(&note) {
                        status.notes.push(note);
                    }
                });
            }
        }
        self.phase = Phase::Running(up);
        for waiter in waiters {
            let _ = waiter.send(grown.clone());
        }
    }

    fn progress(&mut self, progress: Progress) {
        let now = Instant::now();
        let took = clock::millis(now - self.step_began);
        if matches!(progress, Progress::Begin(_)) {
            self.step_began = now;
        }
        self.change(|status| match progress {
            Progress::Begin(step) => {
                status.state = State::Starting { step };
                status.steps.push(StepReport {
                    step,
                    millis: None,
                    detail: None,
                });
            }
            Progress::Done { detail } => {
                if let Some(report) = status.steps.last_mut() {
                    report.millis = Some(took);
                    report.detail = detail;
                }
            }
            Progress::Note(note) => status.notes.push(note),
            Progress::Anew => status.steps.clear(),
            Progress::Forwards => {}
        });
    }

    fn came_up(&mut self, live: Live, waiters: Vec<Reply>) {
        self.context.activity.touch();
        let report = live.reports.borrow().clone();
        let spec = live.record.spec.clone();
        let forwards = live.forwards.list();
        let network = live.told.shown();
        let mut up = Box::new(Up {
            live,
            measured: None,
            cpu: None,
            guards: Vec::new(),
        });
        tokio::spawn(self.context.doze.clone().keep(
            self.context.home.qmp(),
            self.context.activity.clone(),
            up.live.session.clone(),
            up.live.reports.clone(),
            is_idle,
        ));
        up.watch(&self.context, &self.events);
        let running = up.running();
        tracing::info!(running.pid, running.ready_in_millis, "the machine runs");
        self.change(|status| {
            status.state = State::Running { running };
            status.spec = spec;
            status.forwards = forwards;
            status.network = Some(network);
        });
        // Whatever was asked for while it slept; a machine that starts from nothing has it already.
        let kept = self.kept_spec();
        let (wanted, larger) = (kept.disk_gib, kept.disk_gib > up.live.record.spec.disk_gib);
        self.say_later(&kept);
        let (session, pid) = (up.live.session.clone(), up.live.process.pid);
        match report {
            Some(report) => self.reported(up, report),
            None => self.phase = Phase::Running(up),
        }
        if larger {
            self.grow(session, pid, wanted, waiters);
        } else {
            for waiter in waiters {
                let _ = waiter.send(Ok(()));
            }
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
            for note in report.notes {
                if !status.notes.contains(&note) {
                    status.notes.push(note);
                }
            }
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

    fn stopped(&mut self, note: Option<String>, waiters: Vec<Reply>, then: Option<Then>) {
        tracing::info!("the machine is stopped");
        self.phase = Phase::Stopped;
        let kept = self.kept_spec();
        let why = self.note_when_stopped.take();
        self.change(|status| {
            status.state = State::Stopped;
            status.spec = kept;
            status.steps.clear();
            status.forwards.clear();
            status.network = None;
            status.notes = note.into_iter().chain(why).collect();
        });
        for waiter in waiters {
            let _ = waiter.send(Ok(()));
        }
        if let Some(Then { change, waiters }) = then {
            let mut waiters = waiters.into_iter();
            if let Some(first) = waiters.next() {
                self.start(&change, first);
                for waiter in waiters {
                    self.start(&SpecChange::default(), waiter);
                }
            }
        }
    }

    /// What the next start gets, which differs from what a running machine has once it was changed.
    fn kept_spec(&self) -> Spec {
        spec::load(&self.context.home, Host::read())
            .map_or_else(|_| self.published.borrow().spec.clone(), |loaded| loaded.spec)
    }

    fn keep_for_later(&self, spec: &Spec) {
        if *spec == self.kept_spec() {
            return;
        }
        if let Err(error) = spec::save(&self.context.home, spec) {
            tracing::warn!(%error, "the machine's settings are not kept");
            return;
        }
        self.say_later(spec);
    }

    fn say_later(&self, spec: &Spec) {
        // A disk becomes larger at once.
        let now = Spec {
            disk_gib: spec.disk_gib,
            ..self.published.borrow().spec.clone()
        };
        if now != *spec {
            let note = "The change takes effect when the machine is started the next time.".to_owned();
            self.change(|status| {
                if !status.notes.contains(&note) {
                    status.notes.push(note);
                }
            });
        }
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        self.published.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }

    fn restart_engine(&self, reply: Reply) {
        let Phase::Running(up) = &self.phase else {
            let _ = reply.send(Err(no_engine_to_restart()));
            return;
        };
        let session = up.live.session.clone();
        tokio::spawn(async move {
            let asked = timeout(ENGINE_RESTART, session.ask::<_, ()>(&HostRequest::RestartEngine)).await;
            let why = match asked {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("It did not answer within {} s", ENGINE_RESTART.as_secs())),
            };
            let hint = "Restart the whole machine; containers that restart by themselves come back.";
            let _ = reply.send(why.map_or(Ok(()), |why| Err(not_restarted(&why, hint))));
        });
    }

    fn share(&self, reply: Reply) {
        let Phase::Running(up) = &self.phase else {
            // A machine is given what the settings say when it starts.
            let _ = reply.send(Ok(()));
            return;
        };
        let (home, settings) = (self.context.home.clone(), self.context.settings.clone());
        let (files, session) = (up.live.files.clone(), up.live.session.clone());
        tokio::spawn(async move {
            let notes = shares::share(&home, &settings, files.as_ref(), &session).await;
            let _ = reply.send(match notes.split_first() {
                None if files.is_some() => Ok(()),
                None => Err(shares::not_now()),
                Some((message, causes)) => Err(shares::not_all(message, causes)),
            });
        });
    }

    fn measure(&mut self, reply: oneshot::Sender<()>) {
        let Phase::Running(up) = &self.phase else {
            let _ = reply.send(());
            return;
        };
        if up.measured.is_some_and(|measured| measured.elapsed() < USAGE_FRESH) {
            let _ = reply.send(());
            return;
        }
        let (session, process, before) = (up.live.session.clone(), up.live.process.clone(), up.cpu);
        let (home, events) = (self.context.home.clone(), self.events.clone());
        let wants_peace = self.context.doze.wants_peace();
        let before_rest = match &self.published.borrow().state {
            State::Running { running } => running.usage.clone(),
            State::Stopped
            | State::Starting { .. }
            | State::Suspending
            | State::Suspended { .. }
            | State::Stopping
            | State::Failed { .. } => Usage::default(),
        };
        tokio::spawn(async move {
            let guest = if wants_peace {
                // Nothing changes in it, and looking is no use of it.
                wherry_link::Usage {
                    memory_total: before_rest.guest_memory_total,
                    memory_used: before_rest.guest_memory_used,
                    disk_total: before_rest.guest_disk_total,
                    disk_used: before_rest.guest_disk_used,
                    unix_millis: 0,
                }
            } else {
                let guest = timeout(USAGE, session.ask::<_, wherry_link::Usage>(&HostRequest::Usage)).await;
                guest
                    .ok()
                    .and_then(Result::ok)
                    .map(|(usage, _)| usage)
                    .unwrap_or_default()
            };
            let pid = process.pid;
            let host = tokio::task::spawn_blocking(move || Cost::of(pid)).await.ok().flatten();
            let now = Instant::now();
            let cpu = host.as_ref().map(|host| (now, host.cpu_millis));
            let usage = Usage {
                guest_memory_used: guest.memory_used,
                guest_memory_total: guest.memory_total,
                guest_disk_used: guest.disk_used,
                guest_disk_total: guest.disk_total,
                host_memory: host.as_ref().map_or(0, |host| host.memory),
                host_disk: disk::occupied(&home.data_disk()),
                host_cpu_percent: host.map_or(0.0, |host| host.cpu_percent(now, before)),
            };
            let _ = events.send(Event::Measured { pid, usage, cpu, reply }).await;
        });
    }
}

/// Powers the machine off in order, or ends its process when it does not go by itself.
async fn shut_down(live: &Live) -> Option<String> {
    let asked = timeout(POWER_OFF_HEARD, live.session.ask::<_, ()>(&HostRequest::PowerOff)).await;
    let why = match asked {
        Ok(Ok(_)) => match timeout(POWER_OFF, live.process.ended()).await {
            Ok(()) => return None,
            Err(_) => format!("it had not powered off after {} s", POWER_OFF.as_secs()),
        },
        Ok(Err(error)) => {
            // It may be gone already, which is what was wanted.
            if timeout(PROCESS_ENDS_WITH_LINK, live.process.ended()).await.is_ok() {
                return None;
            }
            error.to_string()
        }
        Err(_) => "it did not hear the request to power off".to_owned(),
    };
    tracing::warn!(why, "the machine's process is ended");
    live.process.kill().await;
    Some(format!(
        "The machine was ended without an orderly power-off: {why}. Its disk is checked at the next start."
    ))
}

pub(crate) fn no_engine_to_restart() -> Failure {
    not_restarted("No machine runs", "Start it; its engine then knows everything.")
}

fn not_restarted(why: &str, hint: &str) -> Failure {
    Failure {
        code: FailureCode::EngineFailed,
        step: None,
        message: "The engine was not restarted".into(),
        causes: vec![why.into()],
        hint: hint.into(),
        console: Vec::new(),
    }
}

fn not_now(why: &str, hint: &str) -> Failure {
    Failure {
        code: FailureCode::CannotSuspend,
        step: None,
        message: "The machine could not be suspended".into(),
        causes: vec![why.into()],
        hint: hint.into(),
        console: Vec::new(),
    }
}

fn called_off() -> Failure {
    Failure {
        code: FailureCode::Died,
        step: None,
        message: "The start was called off".into(),
        causes: vec!["The machine was asked to stop before it was up".into()],
        hint: "Start it again when you want it.".into(),
        console: Vec::new(),
    }
}

fn tell_called_off(waiters: impl IntoIterator<Item = Reply>) {
    for waiter in waiters {
        let _ = waiter.send(Err(called_off()));
    }
}

/// Returns when the machine's process has shown that it lives, has ended, or does neither. One that is being killed is
/// there for as long as its memory takes to go, and says nothing any more.
async fn until_it_answers(process: &Process, home: &Home) {
    let monitor = home.qmp();
    let answers = tokio::select! {
        answered = timeout(SIGN_OF_LIFE, Qmp::connect(&monitor)) => matches!(answered, Ok(Ok(_))),
        () = process.ended() => return,
    };
    if !answers {
        let _ = timeout(SIGN_OF_LIFE, process.ended()).await;
    }
}

async fn watch_process(process: Process, session: Session, home: Home, events: mpsc::Sender<Event>) {
    let pid = process.pid;
    let event = tokio::select! {
        () = process.ended() => Event::Exited { pid },
        () = session.closed() => {
            let alone = async {
                tokio::time::sleep(PROCESS_ENDS_WITH_LINK).await;
                host_disk::until_it_runs(&home).await;
            };
            tokio::select! {
                () = process.ended() => Event::Exited { pid },
                () = alone => Event::LinkLost { pid },
            }
        }
    };
    let _ = events.send(event).await;
}

async fn watch_host_disk(pid: u32, home: Home, events: mpsc::Sender<Event>) {
    let mut disk = HostDisk::new(home);
    loop {
        let room = disk.changed().await;
        let _ = events.send(Event::HostDisk { pid, room }).await;
    }
}

async fn watch_reports(pid: u32, mut reports: watch::Receiver<Option<Report>>, events: mpsc::Sender<Event>) {
    while reports.changed().await.is_ok() {
        let report = reports.borrow_and_update().clone();
        if let Some(report) = report {
            let _ = events.send(Event::Reported { pid, report }).await;
        }
    }
}

async fn tell_what_changes(
    pid: u32,
    session: Session,
    settings: watch::Receiver<Settings>,
    told: network::Seen,
    events: mpsc::Sender<Event>,
) {
    let (changes, mut news) = mpsc::channel(1);
    let pass_on = async {
        while let Some(network) = news.recv().await {
            let _ = events.send(Event::Told { pid, network }).await;
        }
    };
    tokio::join!(network::follow(session, settings, told, changes), pass_on);
}

async fn watch_forwards(pid: u32, forwards: crate::forward::Forwards, events: mpsc::Sender<Event>) {
    loop {
        forwards.changed().await;
        let _ = events.send(Event::Forwards { pid }).await;
    }
}

/// Tells when the server of the shared folders has ended and the machine goes on.
async fn watch_files(
    pid: u32,
    files: Option<shares::Files>,
    session: Session,
    context: Context,
    events: mpsc::Sender<Event>,
) {
    let Some(mut files) = files else {
        return;
    };
    let mut estate = shares::Estate::default();
    loop {
        estate.renew(&context.home).await;
        files.ended().await;
        // It ends with the machine too, whose end is told otherwise.
        if timeout(PROCESS_ENDS_WITH_LINK, session.closed()).await.is_ok() {
            return;
        }
        let (home, settings) = (&context.home, &context.settings);
        let mut shared = shares::share_anew(home, settings, &session, None).await;
        if shared.is_none()
            && let Some(keeper) = pass_on(&mut estate, &context)
        {
            tracing::error!("both keepers of the files were killed; another one is started");
            shared = shares::share_anew(home, settings, &session, Some(&keeper)).await;
        }
        let Some((next, notes)) = shared else {
            let _ = events.send(Event::FilesGone { pid }).await;
            return;
        };
        files = next.clone();
        let _ = events
            .send(Event::FilesAnew {
                pid,
                files: next,
                notes,
            })
            .await;
    }
}

fn pass_on(estate: &mut shares::Estate, context: &Context) -> Option<Process> {
    let launch = (context.find_backend)().ok()?.files(&context.home)?;
    estate.pass_on(&context.home, &launch)
}

async fn listen_for_knocks(activity: Activity, events: mpsc::Sender<Event>) {
    loop {
        activity.knocked().await;
        if events.send(Event::Knocked).await.is_err() {
            return;
        }
    }
}

/// Tells when nothing has run in the machine and nobody has asked it anything for as long as the settings say.
async fn watch_idleness(
    pid: u32,
    activity: Activity,
    mut reports: watch::Receiver<Option<Report>>,
    mut settings: watch::Receiver<Settings>,
    minute: Duration,
    events: mpsc::Sender<Event>,
) {
    let mut said = None;
    loop {
        let limit = settings.borrow_and_update().sleep_after_minutes;
        let idle = reports.borrow_and_update().as_ref().is_some_and(is_idle);
        if !idle {
            activity.touch();
        }
        let deadline = limit.filter(|_| idle).map(|limit| {
            let since = said.map_or(activity.last(), |said| activity.last().max(said));
            since + minute * limit.get()
        });
        let due = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {
                // It may have been used while this slept.
                let passed = limit.is_some_and(|limit| activity.last() + minute * limit.get() <= Instant::now());
                if passed {
                    // Where suspending fails, it is tried again after as long a time.
                    said = Some(Instant::now());
                    let _ = events.send(Event::Idle { pid }).await;
                }
            }
            changed = settings.changed() => if changed.is_err() { return },
            changed = reports.changed() => {
                if changed.is_err() {
                    return;
                }
                // What has just ended counts as use until now.
                activity.touch();
            }
        }
    }
}

fn is_idle(report: &Report) -> bool {
    match report.stage {
        Stage::Ready { .. } => !report.busy,
        Stage::Disk | Stage::Engine | Stage::EngineDied { .. } | Stage::Failed { .. } | Stage::PoweringOff => false,
    }
}

async fn watch_doze(pid: u32, mut stands: watch::Receiver<bool>, events: mpsc::Sender<Event>) {
    while stands.changed().await.is_ok() {
        let rests = *stands.borrow_and_update();
        let _ = events.send(Event::Rests { pid, rests }).await;
    }
}

async fn every_minute(session: Session, console: std::path::PathBuf, stands: watch::Receiver<bool>) {
    loop {
        tokio::time::sleep(MINUTE).await;
        // It is set when it goes on.
        if *stands.borrow() {
            continue;
        }
        let set = HostRequest::SetClock {
            unix_millis: clock::unix_millis(),
        };
        if let Ok(Err(error)) = timeout(MINUTE, session.ask::<_, ()>(&set)).await {
            tracing::debug!(%error, "the guest's clock was not compared");
        }
        if let Err(error) = file::shorten(&console, LONGEST_CONSOLE) {
            tracing::debug!(%error, "the console's log was not shortened");
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
