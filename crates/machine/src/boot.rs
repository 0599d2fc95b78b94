//! From nothing to a machine whose engine answers, step by step; or from a machine that a killed daemon left behind.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use wherry_link::{
    Error as LinkError, GuestFailure, Hello, HostRequest, Incoming, Publication, Report, Session, Stage,
};

use crate::accelerator::{self, Failures};
use crate::activity::Activity;
use crate::backend::{Attempt, Backend, Begin, Facts, Launch};
use crate::doze::{Doze, Stirring};
use crate::forward::Forwards;
use crate::process::Process;
use crate::qmp::Qmp;
use crate::record::{Ready, Record};
use crate::saved::{self, Found, Saved};
use crate::shares::{self, Files, Said};
use crate::socket::EngineSocket;
use crate::subnet::Plan;
use crate::suspend::{self, Standing};
use crate::system::Makes;
use crate::{Failure, FailureCode, Home, Spec, Step, clock, disk, host_disk, network, settings, spec, system, tail};

/// How long the machine's process may take until it listens for us.
const LISTEN: Duration = Duration::from_secs(10);
/// Between two attempts to connect to it. It listens some 50 ms after its start, and there is no event for that.
const LISTEN_PAUSE: Duration = Duration::from_millis(5);
/// How long a guest that has given a sign of life may take to introduce itself.
const HELLO: Duration = Duration::from_secs(20);
/// How long a machine that runs already may take to answer a new daemon.
const TAKE_UP: Duration = Duration::from_secs(30);
/// Checking and repairing a large disk after a crash takes minutes.
const DATA: Duration = Duration::from_mins(20);
/// containerd and dockerd, with many containers to take up, on a busy computer without hardware virtualization.
const ENGINE: Duration = Duration::from_mins(5);
/// How long a guest may take to begin powering off when a start is called off.
const POWER_OFF_EARLY: Duration = Duration::from_secs(20);
/// When a conversation ends because the link does, the link says so within this time.
const LINK_ENDS: Duration = Duration::from_millis(500);
/// How many lines of the console a failure shows.
const CONSOLE_LINES: usize = 20;

/// Finds the backend to use now, or says what is missing: what is installed may change between two starts.
pub(crate) type FindBackend = Arc<dyn Fn() -> Result<Arc<dyn Backend>, Failure> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) home: Home,
    pub(crate) find_backend: FindBackend,
    pub(crate) settings: settings::Store,
    pub(crate) activity: Activity,
    pub(crate) doze: Doze,
    /// What the setting for sleeping counts in.
    pub(crate) minute: Duration,
    /// How many bytes are free where a folder is.
    pub(crate) room: Arc<dyn Fn(&Path) -> u64 + Send + Sync>,
}

impl Context {
    pub(crate) fn open_socket(&self) -> io::Result<EngineSocket> {
        EngineSocket::serve(&self.home.socket(), self.activity.clone(), self.doze.clone())
    }
}

/// What happens on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Begin(Step),
    /// The step that was begun last is done.
    Done {
        detail: Option<String>,
    },
    Note(String),
    /// What was tried so far came to nothing; the steps begin again.
    Anew,
    /// Ports of containers may be published before the engine says that it is ready.
    Forwards,
}

/// A machine that runs, and all that belongs to it on this host.
pub(crate) struct Live {
    pub(crate) process: Process,
    pub(crate) session: Session,
    pub(crate) hello: Hello,
    pub(crate) forwards: Forwards,
    pub(crate) reports: watch::Receiver<Option<Report>>,
    pub(crate) record: Record,
    /// What the guest was told of this computer.
    pub(crate) told: network::Seen,
    pub(crate) socket: Option<EngineSocket>,
    /// What serves the person's folders to it, where something does.
    pub(crate) files: Option<Files>,
}

/// Why there is no machine at the end of a start.
#[derive(Debug)]
pub(crate) enum Ended {
    Failed(Failure),
    /// It was called off, and nothing runs any more.
    CalledOff,
    /// What was found running stands still: the machine is suspended.
    Asleep(Box<Saved>),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What has been brought up so far, so that it can be taken down whenever the start ends early.
#[derive(Default)]
struct Partial {
    process: Option<Process>,
    /// The file server: it ends with the machine that it serves, so this is for a start that does not get that far.
    files: Option<Process>,
    session: Option<Session>,
}

/// What to do first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Start a machine with this spec.
    Nothing { spec: Spec },
    /// Take up the one that runs. One that does not answer is ended.
    Running { record: Record },
    /// Go on from the saved memory. When that is not possible, start one with this spec.
    Saved { saved: Box<Saved>, spec: Spec },
}

/// Brings a machine up. When called off, whatever runs by then is powered off in order first.
pub(crate) async fn boot(
    context: &Context,
    origin: Origin,
    socket: Option<EngineSocket>,
    progress: mpsc::Sender<Progress>,
    call_off: CancellationToken,
) -> Result<Live, Ended> {
    let mut partial = Partial::default();
    let boot = Boot {
        context,
        progress,
        began: Instant::now(),
    };
    // One that has run before waits for room, as it does when it runs: it has more to lose than its start.
    let anew = matches!(origin, Origin::Nothing { .. });
    let full = async {
        if anew {
            host_disk::until_it_is_full(&context.home, &*context.room).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let brought_up = tokio::select! {
        brought_up = boot.run(origin, socket, &mut partial) => Some(brought_up.map_err(|ended| boot.explain(ended))),
        () = call_off.cancelled() => None,
        () = full => Some(Err(boot.became_full(None).into())),
    };
    match brought_up {
        Some(Ok(live)) => Ok(live),
        Some(Err(ended)) => {
            partial.kill(&context.home).await;
            Err(ended)
        }
        None => {
            // A disk that is just being made or repaired is finished rather than cut off.
            if let (Some(session), Some(process)) = (&partial.session, &partial.process) {
                let off = async {
                    let _ = session.ask::<_, ()>(&HostRequest::PowerOff).await;
                    process.ended().await;
                };
                let _ = timeout(POWER_OFF_EARLY, off).await;
            }
            partial.kill(&context.home).await;
            Err(Ended::CalledOff)
        }
    }
}

impl Partial {
    async fn kill(&mut self, home: &Home) {
        self.session = None;
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
        if let Some(files) = self.files.take() {
            files.kill().await;
        }
        if let Err(error) = Record::remove(home) {
            tracing::warn!(%error, "the machine's record stays");
        }
    }
}

struct Boot<'a> {
    context: &'a Context,
    progress: mpsc::Sender<Progress>,
    began: Instant,
}

/// A guest that has introduced itself.
struct Met {
    process: Process,
    session: Session,
    incoming: Incoming,
    hello: Hello,
    record: Record,
    files: Option<(Files, mpsc::Receiver<Said>)>,
}

/// Why a machine did not go on from its saved memory.
enum NotResumed {
    /// It is not the memory's fault; another attempt may do.
    Failed(Failure),
    Unusable {
        why: String,
    },
    /// The memory was given to a machine that did not go on with it.
    Lost {
        why: String,
    },
}

impl From<Failure> for NotResumed {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Why one attempt to bring up Linux did not end well.
enum Silence {
    /// It may be the accelerator's fault: the guest said nothing, or the process ended before it did.
    NoSign {
        why: String,
        failure: Failure,
        /// Whether the process ended by itself.
        ended: bool,
    },
    /// It is not.
    Other(Failure),
}

impl Boot<'_> {
    async fn tell(&self, progress: Progress) {
        // The supervisor outlives its boots; should it be gone, nobody wants to know.
        let _ = self.progress.send(progress).await;
    }

    fn home(&self) -> &Home {
        &self.context.home
    }

    /// Much goes wrong when this computer's disk is full, in words that do not say so.
    fn explain(&self, ended: Ended) -> Ended {
        match ended {
            Ended::Failed(failure)
                if failure.step != Some(Step::Check) && host_disk::is_full((self.context.room)(self.home().root())) =>
            {
                self.became_full(Some(failure)).into()
            }
            Ended::Failed(_) | Ended::CalledOff | Ended::Asleep(_) => ended,
        }
    }

    fn became_full(&self, then: Option<Failure>) -> Failure {
        let step = then.as_ref().and_then(|failure| failure.step).unwrap_or(Step::Linux);
        let free = (self.context.room)(self.home().root());
        disk::became_full(self.home().root(), step, free, then)
    }

    async fn run(&self, origin: Origin, socket: Option<EngineSocket>, partial: &mut Partial) -> Result<Live, Ended> {
        // Read while Linux comes up.
        let settings = self.context.settings.get();
        let seen = tokio::spawn(async move { network::look(&settings).await });
        let met = match origin {
            Origin::Nothing { spec } => self.bring_up(&spec, partial).await?,
            Origin::Running { record } => self.take_up(record, partial).await?,
            Origin::Saved { saved, spec } => match self.resume(&saved, partial).await {
                Ok(met) => met,
                Err(NotResumed::Failed(failure)) => return Err(failure.into()),
                Err(NotResumed::Unusable { why }) => {
                    partial.kill(self.home()).await;
                    self.tell(Progress::Anew).await;
                    let note = saved::set_aside(self.home(), &why);
                    self.tell(Progress::Note(note)).await;
                    self.bring_up(&spec, partial).await?
                }
                Err(NotResumed::Lost { why }) => {
                    partial.kill(self.home()).await;
                    self.tell(Progress::Anew).await;
                    let note = format!("The machine was started anew, because it did not go on where it was: {why}.");
                    self.tell(Progress::Note(note)).await;
                    self.bring_up(&spec, partial).await?
                }
            },
        };
        let told = seen
            .await
            .map_err(|error| io_failure(Step::Linux, "Could not read this computer's settings", &error.into()))?;
        if let Err(error) = told.tell(&met.session).await {
            return Err(self.no_exchange(&met.session, &error).await.into());
        }
        Ok(self.bring_up_engine(met, told, socket).await?)
    }

    /// Goes on from the saved memory.
    async fn resume(&self, saved: &Saved, partial: &mut Partial) -> Result<Met, NotResumed> {
        self.tell(Progress::Begin(Step::Check)).await;
        let backend = (self.context.find_backend)()?;
        let facts = backend.facts();
        let had_files = saved.fingerprint == fingerprint(&facts, true);
        if let Some(why) = saved.misfit(self.home(), &fingerprint(&facts, had_files)) {
            return Err(NotResumed::Unusable { why });
        }
        self.tell(Progress::Done {
            detail: Some("What the machine has in memory fits.".into()),
        })
        .await;
        if let Some(warning) = saved.network.warning() {
            self.tell(Progress::Note(warning)).await;
        }

        self.tell(Progress::Begin(Step::Linux)).await;
        put_aside(&self.home().process_log());
        // A machine goes on with the devices that it has.
        let files = if had_files {
            self.serve_files(&*backend, partial).await
        } else {
            None
        };
        if files.is_none() && had_files {
            let why = "the server of the shared folders, which it uses, did not start".to_owned();
            return Err(NotResumed::Unusable { why });
        }
        if let Some((files, _)) = &files {
            // Before the memory comes, which holds what the guest has open of them.
            shares::show(self.home(), &self.context.settings, files).await;
        }
        let begin = Begin::Memory;
        let (spec, network, files_run) = (&saved.spec, &saved.network, files.is_some());
        let launch = backend.launch(self.home(), spec, network, &saved.accelerator, files_run, begin);
        let process = self.spawn(&launch)?;
        partial.process = Some(process.clone());
        let record = Record {
            pid: process.pid,
            process_started: process.started,
            host_boot: system::boot_id(),
            spec: saved.spec.clone(),
            backend: saved.backend.clone(),
            accelerator: saved.accelerator.clone(),
            fingerprint: saved.fingerprint.clone(),
            network: saved.network.clone(),
            ready: saved.ready,
        };
        record
            .write(self.home())
            .map_err(|error| io_failure(Step::Linux, "Could not note the machine's process", &error))?;
        // Read as a whole while QEMU reads it too; nothing takes a step before both are through.
        let verified = tokio::task::spawn_blocking({
            let (saved, home) = (saved.clone(), self.home().clone());
            move || saved.verify(&home)
        });
        let unusable = |why: String| NotResumed::Unusable { why };
        let stream = connect(&launch.link, &process)
            .await
            .map_err(|error| unusable(self.last_words(&error.to_string())))?;
        let monitor = connect(&self.home().qmp(), &process)
            .await
            .map_err(|error| unusable(self.last_words(&error.to_string())))?;
        let loaded = async {
            let mut qmp = Qmp::over(monitor).await?;
            suspend::load(self.home(), &mut qmp).await?;
            Ok(qmp)
        };
        let loaded = loaded.await;
        // What is wrong with the file says more than what QEMU makes of it.
        if let Some(why) = verified.await.unwrap_or_else(|error| Some(error.to_string())) {
            return Err(unusable(why));
        }
        let mut qmp = loaded.map_err(|error| unusable(self.last_words(&suspend::causes(&error))))?;
        Saved::spend(self.home()).map_err(|error| unusable(error.to_string()))?;

        let lost = |why: String| NotResumed::Lost { why };
        suspend::go_on(&mut qmp)
            .await
            .map_err(|error| lost(suspend::causes(&error)))?;
        drop(qmp);
        let (session, incoming) = tokio::select! {
            met = Session::host(self.stirring(stream), TAKE_UP) => met.map_err(|error| lost(link_cause(&error)))?,
            () = process.ended() => return Err(lost(self.last_words("its process ended"))),
        };
        partial.session = Some(session.clone());
        let hello = self
            .greet(&session, &process)
            .await
            .map_err(|failure| lost(failure.message))?;
        saved::clear_leftovers(self.home());
        let detail = format!("Went on where it was, with {} MiB of memory.", saved.memory.bytes >> 20);
        self.tell(Progress::Done { detail: Some(detail) }).await;
        Ok(Met {
            process,
            session,
            incoming,
            hello,
            record,
            files,
        })
    }

    /// What QEMU said last, which says more than that it is gone.
    fn last_words(&self, otherwise: &str) -> String {
        let said = tail::last_lines(&self.home().process_log(), 1);
        said.into_iter().next().unwrap_or_else(|| otherwise.to_owned())
    }

    /// Reaches the machine that a daemon before us left running.
    async fn take_up(&self, record: Record, partial: &mut Partial) -> Result<Met, Ended> {
        self.tell(Progress::Begin(Step::Linux)).await;
        let gone = || Failure {
            code: FailureCode::Died,
            step: Some(Step::Linux),
            message: format!("The machine's process {} has ended", record.pid),
            causes: tail::last_lines(&self.home().process_log(), 3),
            hint: "Start the machine again.".into(),
            console: self.console(),
        };
        let process = Process::take_up(&record).ok().flatten().ok_or_else(gone)?;
        partial.process = Some(process.clone());
        let silent = |cause: String| Failure {
            code: FailureCode::NoAnswer,
            step: Some(Step::Linux),
            message: format!("The machine in process {} did not answer", record.pid),
            causes: vec![cause],
            hint: "Start the machine again.".into(),
            console: self.console(),
        };
        match suspend::settle(self.home()).await {
            Ok(Standing::Runs { note }) => {
                if let Some(note) = note {
                    self.tell(Progress::Note(note)).await;
                }
            }
            Ok(Standing::Asleep(saved)) => return Err(Ended::Asleep(saved)),
            // Whether it answers on the link is what counts.
            Err(error) => tracing::warn!(
                error = suspend::causes(&error),
                "the monitor of the machine does not answer"
            ),
        }
        let (session, incoming, hello) = loop {
            let met = async {
                host_disk::until_it_runs(self.home()).await;
                let stream = connect(&self.home().link(), &process)
                    .await
                    .map_err(|error| silent(error.to_string()))?;
                let (session, incoming) = Session::host(self.stirring(stream), TAKE_UP)
                    .await
                    .map_err(|error| silent(link_cause(&error)))?;
                partial.session = Some(session.clone());
                let hello = self.greet(&session, &process).await?;
                Ok::<_, Failure>((session, incoming, hello))
            };
            tokio::select! {
                met = met => break met?,
                // It went on, and its next write found no room either.
                () = host_disk::until_it_stands(self.home()) => {}
                () = process.ended() => return Err(gone().into()),
            }
        };
        self.tell(Progress::Done {
            detail: Some(format!("Found running in process {}.", record.pid)),
        })
        .await;
        let files = if record.fingerprint.ends_with(WITH_FOLDERS) {
            self.find_files().await
        } else {
            None
        };
        Ok(Met {
            process,
            session,
            incoming,
            hello,
            record,
            files,
        })
    }

    /// Reaches what serves the person's folders to a machine that runs.
    async fn find_files(&self) -> Option<(Files, mpsc::Receiver<Said>)> {
        let found = shares::find(self.home()).await;
        if found.is_none() {
            self.tell(Progress::Note(shares::GONE.into())).await;
        }
        found
    }

    async fn bring_up(&self, spec: &Spec, partial: &mut Partial) -> Result<Met, Failure> {
        self.tell(Progress::Begin(Step::Check)).await;
        // A machine that starts anew writes to the data disk, and saved memory does not go with it after that.
        let unusable = match Saved::find(self.home()) {
            Found::Nothing => None,
            Found::Memory(_) => Some("it was to start anew".to_owned()),
            Found::Unusable(why) => Some(why),
        };
        if let Some(why) = unusable {
            let note = saved::set_aside(self.home(), &why);
            self.tell(Progress::Note(note)).await;
        }
        saved::clear_leftovers(self.home());
        let backend = (self.context.find_backend)()?;
        disk::check_room(self.home().root())?;
        let facts = backend.facts();
        let attempts = backend.attempts(spec.accelerator);
        self.tell(Progress::Done {
            detail: Some("Everything the machine needs is there.".into()),
        })
        .await;

        self.tell(Progress::Begin(Step::Disk)).await;
        self.home()
            .create()
            .map_err(|error| io_failure(Step::Disk, "Could not make the machine's folders", &error))?;
        spec::save(self.home(), spec)
            .map_err(|error| io_failure(Step::Disk, "Could not keep the machine's settings", &error))?;
        let (network, note) = self.plan_network().await?;
        if let Some(note) = note {
            self.tell(Progress::Note(note)).await;
        }
        let detail = {
            let (backend, home, spec) = (Arc::clone(&backend), self.home().clone(), spec.clone());
            tokio::task::spawn_blocking(move || backend.prepare(&home, &spec))
                .await
                .map_err(|error| {
                    io_failure(Step::Disk, "Could not prepare the data disk", &io::Error::other(error))
                })??
        };
        self.tell(Progress::Done { detail: Some(detail) }).await;

        self.tell(Progress::Begin(Step::Linux)).await;
        put_aside(&self.home().console_log());
        if let Some(note) = attempts.note {
            self.tell(Progress::Note(note)).await;
        }
        let mut failures = Failures::load(self.home(), &facts.fingerprint);
        let last = attempts.attempts.len().saturating_sub(1);
        for (index, attempt) in attempts.attempts.iter().enumerate() {
            if let Some(why) = failures.why(attempt.accelerator).filter(|_| index < last) {
                self.tell(Progress::Note(accelerator::fallback_note(attempt.accelerator, why)))
                    .await;
                continue;
            }
            let plan = (spec, &network);
            let mut outcome = self.attempt(backend.as_ref(), &facts, plan, *attempt, partial).await;
            // QEMU itself fails an assertion in about one of 150 starts by emulation on a busy computer.
            if let Err(Silence::NoSign {
                failure, ended: true, ..
            }) = &outcome
                && !attempt.hardware
            {
                self.tell(Progress::Note(ended_once(failure))).await;
                partial.kill(self.home()).await;
                outcome = self.attempt(backend.as_ref(), &facts, plan, *attempt, partial).await;
            }
            match outcome {
                Ok(met) => {
                    let kind = if attempt.hardware {
                        "hardware virtualization"
                    } else {
                        "software emulation"
                    };
                    let detail = format!("Linux {} by {kind} ({}).", met.hello.kernel, attempt.accelerator);
                    self.tell(Progress::Done { detail: Some(detail) }).await;
                    return Ok(met);
                }
                Err(Silence::NoSign { why, failure, .. }) => {
                    partial.kill(self.home()).await;
                    if index == last {
                        let backend = Arc::clone(&backend);
                        let found = tokio::task::spawn_blocking(move || backend.diagnose()).await;
                        return Err(found.ok().and_then(Result::err).unwrap_or(failure));
                    }
                    tracing::warn!(
                        accelerator = attempt.accelerator,
                        why,
                        "the accelerator did not run the machine"
                    );
                    self.tell(Progress::Note(accelerator::fallback_note(attempt.accelerator, &why)))
                        .await;
                    if let Err(error) = failures.remember(self.home(), attempt.accelerator, why) {
                        tracing::warn!(%error, "the accelerator's failure is not remembered");
                    }
                }
                Err(Silence::Other(failure)) => return Err(failure),
            }
        }
        Err(self.silence(Vec::new()))
    }

    /// Looks at this computer's routes.
    async fn plan_network(&self) -> Result<(Plan, Option<String>), Failure> {
        let (home, wanted) = (self.home().clone(), self.context.settings.get().subnet);
        let made = tokio::task::spawn_blocking(move || Plan::make(&home, wanted));
        made.await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|error| io_failure(Step::Disk, "Could not keep which networks the machine has", &error))
    }

    async fn attempt(
        &self,
        backend: &dyn Backend,
        facts: &Facts,
        (spec, network): (&Spec, &Plan),
        attempt: Attempt,
        partial: &mut Partial,
    ) -> Result<Met, Silence> {
        // Whatever this log says is to be about this attempt.
        put_aside(&self.home().process_log());
        let files = self.serve_files(backend, partial).await;
        let (accelerator, files_run) = (attempt.accelerator, files.is_some());
        let launch = backend.launch(self.home(), spec, network, accelerator, files_run, Begin::Boot);
        let process = self.spawn(&launch).map_err(Silence::Other)?;
        partial.process = Some(process.clone());
        let record = Record {
            pid: process.pid,
            process_started: process.started,
            host_boot: system::boot_id(),
            spec: spec.clone(),
            backend: facts.name.into(),
            accelerator: attempt.accelerator.into(),
            fingerprint: fingerprint(facts, files_run),
            network: network.clone(),
            ready: None,
        };
        record
            .write(self.home())
            .map_err(|error| Silence::Other(io_failure(Step::Linux, "Could not note the machine's process", &error)))?;
        tracing::info!(
            pid = process.pid,
            accelerator = attempt.accelerator,
            "the machine's process runs"
        );

        let ended = || {
            let said = tail::last_lines(&self.home().process_log(), 3);
            tracing::warn!(?said, "the machine's process ended before Linux was up");
            let why = "its process ended before Linux was up".to_owned();
            let failure = Failure {
                code: FailureCode::Died,
                step: Some(Step::Linux),
                message: "The machine's process ended before Linux was up".into(),
                causes: said,
                hint: format!("Its own words are in {}.", self.home().process_log().display()),
                console: self.console(),
            };
            Silence::NoSign {
                why,
                failure,
                ended: true,
            }
        };
        let stream = tokio::select! {
            stream = connect(&launch.link, &process) => stream.map_err(|error| Silence::NoSign {
                why: error.to_string(),
                failure: self.silence(vec![error.to_string()]),
                ended: false,
            })?,
            () = process.ended() => return Err(ended()),
        };
        let met = tokio::select! {
            met = Session::host(self.stirring(stream), attempt.first_word) => met,
            () = process.ended() => return Err(ended()),
        };
        let (session, incoming) = match met {
            Ok(met) => met,
            // The process ends and its sockets with it, in either order.
            Err(LinkError::Closed | LinkError::Io { .. }) => return Err(ended()),
            Err(error) => {
                let why = format!("no sign of life within {} s", attempt.first_word.as_secs());
                return Err(Silence::NoSign {
                    why,
                    failure: self.silence(vec![link_cause(&error)]),
                    ended: false,
                });
            }
        };
        partial.session = Some(session.clone());
        let hello = self.greet(&session, &process).await.map_err(Silence::Other)?;
        Ok(Met {
            process,
            session,
            incoming,
            hello,
            record,
            files,
        })
    }

    fn stirring(&self, stream: system::Stream) -> Stirring<system::Stream> {
        Stirring::new(stream, self.context.doze.clone())
    }

    async fn share(&self, files: Option<&Files>, session: &Session) {
        for note in shares::share(self.home(), &self.context.settings, files, session).await {
            self.tell(Progress::Note(note)).await;
        }
    }

    /// Starts the process that serves the person's folders. A machine without folders is still of use, so that one
    /// which does not start is a note.
    async fn serve_files(&self, backend: &dyn Backend, partial: &mut Partial) -> Option<(Files, mpsc::Receiver<Said>)> {
        let launch = backend.files(self.home())?;
        put_aside(&self.home().files_log());
        // Whoever still answers there is the server of the machine before.
        let _ = fs_err::remove_file(&launch.control);
        let started = async {
            let process = Process::spawn(
                &launch.program,
                &launch.arguments,
                &self.home().files_log(),
                Makes::Anything,
            )?;
            partial.files = Some(process.clone());
            // It ends with the machine, when nobody asks after it any more, and has to be reaped.
            let watched = process.clone();
            tokio::spawn(async move { watched.ended().await });
            tokio::select! {
                connected = Files::connect(&launch.control) => connected,
                () = process.ended() => {
                    let said = tail::last_lines(&self.home().files_log(), 1).concat();
                    Err(io::Error::other(format!("its server ended: {said}")))
                }
            }
        };
        match started.await {
            Ok(files) => Some(files),
            Err(error) => {
                tracing::warn!(%error, "no folders are shared");
                let note = format!("No folder of this computer is shared with the machine: {error}");
                self.tell(Progress::Note(note)).await;
                None
            }
        }
    }

    fn spawn(&self, launch: &Launch) -> Result<Process, Failure> {
        Process::spawn(
            &launch.program,
            &launch.arguments,
            &self.home().process_log(),
            Makes::PlainFiles,
        )
        .map_err(|error| {
            let message = format!("Could not start {}", launch.program.display());
            Failure {
                message,
                ..io_failure(Step::Linux, "", &error)
            }
        })
    }

    /// The first exchange with a guest: who are you, and do we understand each other.
    async fn greet(&self, session: &Session, process: &Process) -> Result<Hello, Failure> {
        let request = HostRequest::Hello {
            version: wherry_link::VERSION,
            unix_millis: clock::unix_millis(),
        };
        let answer = tokio::select! {
            answer = timeout(HELLO, session.ask::<_, Hello>(&request)) => answer,
            () = process.ended() => return Err(self.died(Step::Linux)),
        };
        match answer {
            Ok(Ok((hello, _))) if hello.version == wherry_link::VERSION => Ok(hello),
            Ok(Ok((hello, _))) => Err(does_not_fit(format!(
                "It speaks version {} of the link, this is {}",
                hello.version,
                wherry_link::VERSION
            ))),
            Ok(Err(LinkError::Refused { message })) => Err(does_not_fit(message)),
            Ok(Err(error)) => Err(self.silence(vec![link_cause(&error)])),
            Err(_) => Err(self.silence(vec![format!(
                "It did not introduce itself within {} s",
                HELLO.as_secs()
            )])),
        }
    }

    /// What a guest that has introduced itself does not understand is of another Wherry. One of before the words for
    /// that ends the conversation, and the link stays.
    async fn no_exchange(&self, session: &Session, error: &LinkError) -> Failure {
        let cause = link_cause(error);
        match error {
            LinkError::Refused { .. } | LinkError::Message { .. } | LinkError::TooLong { .. } | LinkError::Cut => {
                does_not_fit(cause)
            }
            LinkError::Closed | LinkError::Io { .. } if timeout(LINK_ENDS, session.closed()).await.is_err() => {
                does_not_fit("It did not understand what it was told of this computer".into())
            }
            LinkError::NoAnswer { .. } | LinkError::Closed | LinkError::Io { .. } => self.silence(vec![cause]),
        }
    }

    /// Everything from the guest's first word on; the same for a machine that was taken up.
    async fn bring_up_engine(
        &self,
        met: Met,
        told: network::Seen,
        socket: Option<EngineSocket>,
    ) -> Result<Live, Failure> {
        let Met {
            process,
            session,
            incoming,
            hello,
            mut record,
            files,
        } = met;
        let taken_up = record.ready.is_some();
        let forwards = Forwards::new(session.clone());
        tokio::spawn({
            let forwards = forwards.clone();
            async move { forwards.serve(incoming).await }
        });
        self.tell(Progress::Begin(Step::Data)).await;
        let (files, said) = files.unzip();
        let folders = self.context.settings.get().folders;
        self.share(files.as_ref(), &session).await;
        if let (Some(files), Some(said)) = (&files, said) {
            shares::follow(files, said, &session);
        }
        let mut reports = match watch_reports(&session).await {
            Ok(reports) => reports,
            Err(error) => return Err(self.no_exchange(&session, &error).await),
        };

        let data = self.report(&mut reports, &process, Step::Data, DATA, |stage| match stage {
            Stage::Disk => false,
            Stage::Engine
            | Stage::Ready { .. }
            | Stage::EngineDied { .. }
            | Stage::Failed { .. }
            | Stage::PoweringOff => true,
        });
        let report = data.await?;
        disk::formatted(&self.home().data_disk())
            .map_err(|error| io_failure(Step::Data, "Could not note that the data disk is formatted", &error))?;
        self.tell(Progress::Done {
            detail: report.notes.first().cloned(),
        })
        .await;

        self.tell(Progress::Begin(Step::Engine)).await;
        let ready = self.report(&mut reports, &process, Step::Engine, ENGINE, |stage| match stage {
            // An engine that died is being started again by the agent, which says so when it gives up.
            Stage::Disk | Stage::Engine | Stage::EngineDied { .. } => false,
            Stage::Ready { .. } | Stage::Failed { .. } | Stage::PoweringOff => true,
        });
        let report = ready.await?;
        let detail = match &report.stage {
            Stage::Ready { engine, api } => Some(format!("Docker {engine}, API {api}.")),
            Stage::Disk | Stage::Engine | Stage::EngineDied { .. } | Stage::Failed { .. } | Stage::PoweringOff => None,
        };
        self.tell(Progress::Done { detail }).await;

        self.tell(Progress::Begin(Step::Connect)).await;
        // The guest of a machine that was just started asks for its ports by itself.
        if taken_up {
            let asked = timeout(HELLO, session.ask::<_, Vec<Publication>>(&HostRequest::Publications)).await;
            match asked {
                Ok(Ok((publications, _))) => {
                    for publication in publications {
                        forwards.keep(publication).await;
                    }
                }
                Ok(Err(error)) => return Err(self.silence(vec![link_cause(&error)])),
                Err(_) => return Err(self.silence(vec!["It did not say which ports are published".into()])),
            }
        }
        // Changes made during a start are not asked for again once the machine runs.
        if self.context.settings.get().folders != folders {
            self.share(files.as_ref(), &session).await;
        }
        self.tell(Progress::Forwards).await;
        let socket = match socket {
            Some(socket) => socket,
            None => self
                .context
                .open_socket()
                .map_err(|error| io_failure(Step::Connect, "Could not open the engine's socket", &error))?,
        };
        socket.lead_to(session.clone());
        record.ready.get_or_insert(Ready {
            since_millis: clock::unix_millis(),
            in_millis: clock::millis(self.began.elapsed()),
        });
        record
            .write(self.home())
            .map_err(|error| io_failure(Step::Connect, "Could not note the machine's process", &error))?;
        self.tell(Progress::Done {
            detail: Some(format!("The engine's socket is {}.", self.home().socket().display())),
        })
        .await;
        Ok(Live {
            process,
            session,
            hello,
            forwards,
            reports,
            record,
            told,
            socket: Some(socket),
            files,
        })
    }

    /// Waits until the guest reports a stage that this is for.
    async fn report(
        &self,
        reports: &mut watch::Receiver<Option<Report>>,
        process: &Process,
        step: Step,
        within: Duration,
        reached: impl Fn(&Stage) -> bool,
    ) -> Result<Report, Failure> {
        let arrived = reports.wait_for(|report| report.as_ref().is_some_and(|report| reached(&report.stage)));
        let report = tokio::select! {
            arrived = timeout(within, arrived) => match arrived {
                Ok(Ok(report)) => report.clone(),
                // The link ended: with the process, or the guest went down.
                Ok(Err(_)) => return Err(self.died(step)),
                Err(_) => return Err(self.too_long(step, within)),
            },
            () = process.ended() => return Err(self.died(step)),
        };
        match report {
            Some(Report {
                stage: Stage::Failed { cause },
                ..
            }) => Err(self.guest_failure(step, cause)),
            Some(Report {
                stage: Stage::PoweringOff,
                ..
            })
            | None => Err(self.died(step)),
            Some(report) => Ok(report),
        }
    }

    fn guest_failure(&self, step: Step, cause: GuestFailure) -> Failure {
        Failure {
            step: Some(step),
            ..guest_failure(self.home(), cause)
        }
    }

    fn console(&self) -> Vec<String> {
        tail::last_lines(&self.home().console_log(), CONSOLE_LINES)
    }

    fn silence(&self, causes: Vec<String>) -> Failure {
        Failure {
            code: FailureCode::NoAnswer,
            step: Some(Step::Linux),
            message: "The machine gave no sign of life".into(),
            causes,
            hint: "Start it again; if it stays so, its console (wherry console) may say why.".into(),
            console: self.console(),
        }
    }

    fn too_long(&self, step: Step, after: Duration) -> Failure {
        let (code, message) = match step {
            Step::Engine => (FailureCode::EngineFailed, "The engine did not start in time"),
            Step::Data => (FailureCode::NoAnswer, "The data disk was not ready in time"),
            Step::Check | Step::Disk | Step::Linux | Step::Connect => {
                (FailureCode::NoAnswer, "The machine did not answer in time")
            }
        };
        Failure {
            code,
            step: Some(step),
            message: message.into(),
            causes: vec![format!("Nothing was heard of it for {} s", after.as_secs())],
            hint: "Start the machine again; its logs (wherry logs) may say what it was waiting for.".into(),
            console: self.console(),
        }
    }

    fn died(&self, step: Step) -> Failure {
        Failure {
            step: Some(step),
            ..died(self.home())
        }
    }
}

fn does_not_fit(cause: String) -> Failure {
    Failure {
        code: FailureCode::NoAnswer,
        step: Some(Step::Linux),
        message: "The machine's system does not fit this Wherry".into(),
        causes: vec![cause],
        hint: "Stop the machine and start it again; if that does not help, install Wherry again.".into(),
        console: Vec::new(),
    }
}

fn ended_once(failure: &Failure) -> String {
    let said = failure.causes.last().map_or("without a word", String::as_str);
    format!("The machine's process ended by itself before Linux was up ({said}), and was started a second time.")
}

const WITH_FOLDERS: &str = " with folders";

/// What a machine is made of: with the server of the shared folders it has one device more.
fn fingerprint(facts: &Facts, files: bool) -> String {
    let device = if files { WITH_FOLDERS } else { "" };
    format!("{}{device}", facts.fingerprint)
}

/// The machine's process has ended and nobody asked for it.
pub(crate) fn died(home: &Home) -> Failure {
    Failure {
        code: FailureCode::Died,
        step: None,
        message: "The machine's process has ended unexpectedly".into(),
        causes: tail::last_lines(&home.process_log(), 3),
        hint: "Start the machine again; containers that restart by themselves come back, and no data is lost that \
               was written to disk."
            .into(),
        console: tail::last_lines(&home.console_log(), CONSOLE_LINES),
    }
}

pub(crate) fn guest_failure(home: &Home, cause: GuestFailure) -> Failure {
    let (code, message, causes, hint) = match cause {
        GuestFailure::DiskMissing => (
            FailureCode::DataDiskCorrupt,
            "The machine did not find its data disk".to_owned(),
            Vec::new(),
            format!("It should be {}. Start the machine again.", home.data_disk().display()),
        ),
        GuestFailure::DiskCorrupt { output } => (
            FailureCode::DataDiskCorrupt,
            "The data disk is damaged and could not be repaired".to_owned(),
            output.lines().map(ToOwned::to_owned).collect(),
            format!(
                "It was left as it is: {0}. Restore it from a backup; or move it away and start again, which makes \
                 an empty one.",
                home.data_disk().display()
            ),
        ),
        GuestFailure::EngineKeepsDying { output } => (
            FailureCode::EngineFailed,
            "The engine keeps ending".to_owned(),
            output.lines().map(ToOwned::to_owned).collect(),
            "Its log (wherry logs) says more. Stop and start the machine to try again.".to_owned(),
        ),
        GuestFailure::System { message } => (
            FailureCode::EngineFailed,
            "The machine's system could not go on".to_owned(),
            vec![message],
            "Install Wherry again if starting again does not help.".to_owned(),
        ),
    };
    let console = tail::last_lines(&home.console_log(), CONSOLE_LINES);
    Failure {
        code,
        step: None,
        message,
        causes,
        hint,
        console,
    }
}

fn io_failure(step: Step, message: &str, error: &io::Error) -> Failure {
    let full = error.kind() == io::ErrorKind::StorageFull;
    Failure {
        code: if full {
            FailureCode::NoDiskSpace
        } else {
            FailureCode::Io
        },
        step: Some(step),
        message: message.into(),
        causes: vec![error.to_string()],
        hint: "Look at the rights and the free space of that folder, or choose another one with WHERRY_HOME.".into(),
        console: Vec::new(),
    }
}

/// What a log says of the run before stays beside the new one.
fn put_aside(log: &Path) {
    match fs_err::rename(log, log.with_extension("log.1")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!(%error, "an old log stays"),
        Ok(()) | Err(_) => {}
    }
}

/// The whole chain of causes in one line.
fn link_cause(error: &LinkError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Connects as soon as the process listens.
async fn connect(link: &Path, process: &Process) -> io::Result<system::Stream> {
    let until = Instant::now() + LISTEN;
    loop {
        match system::connect(link).await {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() >= until => {
                let why = format!(
                    "process {} did not open {} within {} s: {error}",
                    process.pid,
                    link.display(),
                    LISTEN.as_secs()
                );
                return Err(io::Error::new(error.kind(), why));
            }
            Err(_) => tokio::time::sleep(LISTEN_PAUSE).await,
        }
    }
}

/// Follows the guest's reports. The receiver sees the end of the sender when the link ends.
async fn watch_reports(session: &Session) -> Result<watch::Receiver<Option<Report>>, LinkError> {
    let asked = timeout(HELLO, session.ask::<_, ()>(&HostRequest::Watch)).await;
    let ((), mut stream) = asked.map_err(|_| LinkError::NoAnswer { after: HELLO })??;
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                report = stream.read_message::<Report>() => match report {
                    Ok(Some(report)) => {
                        tracing::info!(?report, "the guest reports");
                        sender.send_replace(Some(report));
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::debug!(%error, "no more reports");
                        return;
                    }
                },
                () = sender.closed() => return,
            }
        }
    });
    Ok(receiver)
}
