//! From nothing to a machine whose engine answers, step by step; or from a machine that a killed daemon left behind.

mod engine;
mod failures;
mod linux;
mod resume;
mod take_up;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use wherry_link::{Error as LinkError, Hello, HostRequest, Incoming, Report, Session};

use crate::activity::Activity;
use crate::backend::{Backend, Facts};
use crate::doze::{Doze, Stirring};
use crate::forward::Forwards;
use crate::process::Process;
use crate::record::Record;
use crate::saved::{self, Saved};
use crate::shares::{Files, Said};
use crate::socket::EngineSocket;
use crate::{Failure, Home, Spec, Step, clock, disk, host_disk, network, settings, system};
pub(crate) use failures::{died, guest_failure};
use failures::{does_not_fit, io_failure, link_cause};
use resume::NotResumed;

/// How long the machine's process may take until it listens for us.
const LISTEN: Duration = Duration::from_secs(10);
/// Between two attempts to connect to it. It listens some 50 ms after its start, and there is no event for that.
const LISTEN_PAUSE: Duration = Duration::from_millis(5);
/// How long a guest that has given a sign of life may take to introduce itself.
const HELLO: Duration = Duration::from_secs(20);
/// How long a machine that runs already may take to answer a new daemon.
const TAKE_UP: Duration = Duration::from_secs(30);
/// How long a guest may take to begin powering off when a start is called off.
const POWER_OFF_EARLY: Duration = Duration::from_secs(20);

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

impl Live {
    /// Whether it has the device for shared folders, and nobody serves it any more.
    pub(crate) fn has_lost_files(&self) -> bool {
        lost_files(&self.record, self.files.is_some())
    }
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
                    let _ = session.ask::<_, ()>(&HostRequest::PowerOff { run_again: false }).await;
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

    /// A session with the guest at the other end, for whom we wait this long.
    async fn meet(&self, stream: system::Stream, within: Duration) -> Result<(Session, Incoming), LinkError> {
        let stream = Stirring::new(stream, self.context.doze.clone());
        let meeting = wherry_link::carrier().spawn(Session::host(stream, within));
        AbortOnDropHandle::new(meeting).await.unwrap_or(Err(LinkError::Closed))
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
}

pub(crate) const WITH_FOLDERS: &str = " with folders";

fn lost_files(record: &Record, served: bool) -> bool {
    record.fingerprint.ends_with(WITH_FOLDERS) && !served
}

/// What a machine is made of: with the server of the shared folders it has one device more.
fn fingerprint(facts: &Facts, files: bool) -> String {
    let device = if files { WITH_FOLDERS } else { "" };
    format!("{}{device}", facts.fingerprint)
}

/// Connects as soon as the process listens. What is said there is heard by the thread that carries it on.
async fn connect(link: &Path, process: &Process) -> io::Result<system::Stream> {
    let until = Instant::now() + LISTEN;
    loop {
        let socket = link.to_owned();
        let connecting = wherry_link::carrier().spawn(async move { system::connect(&socket).await });
        match connecting.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
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
