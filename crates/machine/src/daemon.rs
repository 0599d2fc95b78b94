//! The background process of one home: owns the machine's supervisor and answers its clients.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, BufReader};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use wherry_link::{HostRequest, Session};

use crate::activity::Activity;
use crate::backend::{Backend, qemu::Qemu};
use crate::boot::{Context, FindBackend};
use crate::control::{self, Answer, Envelope, RELEASE, Request};
use crate::doze::Doze;
use crate::supervisor::{Command, Supervisor};
use crate::{Error, Failure, Freed, Home, State, doctor, free, host_disk, settings, system};

/// How long the daemon stays without a machine and without clients: long enough for a script's next command.
const IDLE: Duration = Duration::from_secs(5);
/// How long it stays to tell of a failure that nobody has looked at.
const IDLE_FAILED: Duration = Duration::from_mins(10);
/// How long a client may take to say what it wants.
const REQUEST: Duration = Duration::from_secs(10);
/// How often usage is measured while somebody watches.
const MEASURE: Duration = Duration::from_secs(5);
/// How long a daemon waits for the one before it to leave.
const PREDECESSOR: Duration = Duration::from_secs(10);
const PREDECESSOR_PAUSE: Duration = Duration::from_millis(20);

/// Runs the daemon of this home until the machine is stopped and nobody is connected, or until it is asked to end.
/// The machine goes on without it and is taken up by the next one.
pub async fn run_daemon(home: Home) -> Result<(), Error> {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("wherry"));
    let find: FindBackend = Arc::new(move || Ok(Arc::new(Qemu::find(&program)?) as Arc<dyn Backend>));
    run_with(home, find).await
}

/// [`run_daemon`] with any backend.
pub(crate) async fn run_with(home: Home, find_backend: FindBackend) -> Result<(), Error> {
    home.create().map_err(|source| Error::Io {
        doing: "Could not make Wherry's folders",
        source,
    })?;
    let Some(_lock) = lock(&home).await? else {
        tracing::info!("another daemon serves this home");
        return Ok(());
    };
    system::raise_open_files();
    let (mut listener, _place) = system::Listener::bind(&home.control()).map_err(|source| Error::Io {
        doing: "Could not listen for clients",
        source,
    })?;
    // What a killed daemon left behind; whoever connects there now would wait for nobody.
    if system::ENDPOINTS_ARE_FILES {
        let _ = crate::file::remove(&home.socket());
    }
    tracing::info!(release = RELEASE, home = %home.root().display(), "the daemon serves");
    let (settings, note) = settings::Store::open(&home);
    let context = Context {
        home,
        find_backend,
        settings: settings.clone(),
        activity: Activity::new(),
        doze: Doze::new(),
        minute: Duration::from_mins(1),
        room: Arc::new(host_disk::free),
    };
    let supervisor = Supervisor::begin(context, note);
    // Each client holds a receiver; the sender sees when there is none.
    let clients = watch::Sender::new(());
    let end = system::asked_to_end();
    tokio::pin!(end);
    let idle = idle(supervisor.status(), &clients);
    tokio::pin!(idle);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    let (supervisor, settings) = (supervisor.clone(), settings.clone());
                    let present = clients.subscribe();
                    tokio::spawn(async move {
                        if let Err(error) = serve(stream, &supervisor, &settings).await {
                            tracing::debug!(%error, "a client left");
                        }
                        drop(present);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a client");
                    tokio::time::sleep(PREDECESSOR_PAUSE).await;
                }
            },
            () = &mut idle => {
                tracing::info!("nothing to do; the daemon leaves");
                return Ok(());
            }
            asked = &mut end => {
                tracing::info!(?asked, "the daemon was asked to end; the machine goes on");
                return Ok(());
            }
        }
    }
}

/// The lock of this home, or `None` when another daemon serves it.
async fn lock(home: &Home) -> Result<Option<fs_err::File>, Error> {
    let failed = |source| Error::Io {
        doing: "Could not lock Wherry's folder",
        source,
    };
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(home.lock())
        .map_err(failed)?;
    let until = Instant::now() + PREDECESSOR;
    loop {
        match file.file().try_lock() {
            Ok(()) => {
                // For people who look; what counts is the lock.
                file.set_len(0).map_err(failed)?;
                writeln!(&file, "{}", std::process::id()).map_err(failed)?;
                return Ok(Some(file));
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
            Err(std::fs::TryLockError::WouldBlock) => {}
        }
        // One that answers is there to stay; one that does not is coming up or leaving.
        if system::connect(&home.control()).await.is_ok() || Instant::now() >= until {
            return Ok(None);
        }
        tokio::time::sleep(PREDECESSOR_PAUSE).await;
    }
}

/// Returns when no daemon has the lock of this home.
pub(crate) async fn until_unlocked(home: &Home) {
    // One that cannot be opened is nobody's.
    while let Ok(lock) = std::fs::File::open(home.lock()) {
        match lock.try_lock() {
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => return,
            Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(PREDECESSOR_PAUSE).await,
        }
    }
}

/// Returns when there has been no machine and no client for a while.
async fn idle(mut status: watch::Receiver<crate::Status>, clients: &watch::Sender<()>) {
    loop {
        let patience = match status.borrow_and_update().state {
            // What does not wake by itself needs nobody until it is started.
            State::Stopped | State::Suspended { wakes: false, .. } => Some(IDLE),
            State::Failed { .. } => Some(IDLE_FAILED),
            State::Starting { .. }
            | State::Running { .. }
            | State::Suspending
            | State::Suspended { wakes: true, .. }
            | State::Stopping => None,
        };
        let alone = async {
            clients.closed().await;
            match patience {
                Some(patience) => tokio::time::sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = alone => if clients.is_closed() { return },
            changed = status.changed() => if changed.is_err() { return },
        }
    }
}

async fn serve(stream: system::Stream, supervisor: &Supervisor, settings: &settings::Store) -> io::Result<()> {
    let (requests, mut answers) = tokio::io::split(stream);
    let mut requests = BufReader::new(requests);
    let read = tokio::time::timeout(REQUEST, control::read::<serde_json::Value>(&mut requests)).await;
    let Some(said) = read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? else {
        return Ok(());
    };
    // The version is looked at before anything else is understood: the rest may be of another one.
    if said.get("version").and_then(serde_json::Value::as_u64) != Some(control::VERSION.into()) {
        return control::write(
            &mut answers,
            &Answer::OtherVersion {
                release: RELEASE.into(),
            },
        )
        .await;
    }
    let envelope: Envelope = serde_json::from_value(said)?;
    tracing::debug!(request = ?envelope.request, "a client asks");
    // The client says nothing more: what can be read is its end.
    let mut gone = [0];
    let mut gone = std::pin::pin!(requests.read(&mut gone));
    tokio::select! {
        answered = answer(envelope.request, &mut answers, supervisor, settings) => answered,
        _ = &mut gone => Ok(()),
    }
}

async fn answer(
    request: Request,
    answers: &mut (impl tokio::io::AsyncWrite + Unpin),
    supervisor: &Supervisor,
    settings: &settings::Store,
) -> io::Result<()> {
    let (reply, outcome) = oneshot::channel();
    let command = match request {
        Request::Status => {
            let status = supervisor.measured().await;
            return control::write(answers, &Answer::Status { status }).await;
        }
        Request::Watch => return watch_status(answers, supervisor).await,
        Request::Logs { follow } => return logs(answers, supervisor, follow).await,
        Request::Free => {
            let answer = match give_back(supervisor).await {
                Ok(freed) => Answer::Freed { freed },
                Err(failure) => Answer::Failed { failure },
            };
            return control::write(answers, &answer).await;
        }
        Request::Guest => {
            let answer = match link(supervisor).await {
                Some((_, session)) => doctor::ask_guest(&session).await,
                None => None,
            };
            return control::write(answers, &Answer::Guest { answer }).await;
        }
        Request::Settings => {
            let settings = settings.get().masked();
            return control::write(answers, &Answer::Settings { settings }).await;
        }
        Request::ChangeSettings { change } => {
            let folders = settings.get().folders;
            let answer = match settings.change(&change) {
                Ok(settings) if settings.folders == folders => Answer::Settings {
                    settings: settings.masked(),
                },
                Ok(settings) => {
                    supervisor.send(Command::Share { reply }).await;
                    match outcome.await {
                        Ok(Err(failure)) => Answer::Failed { failure },
                        Ok(Ok(())) | Err(_) => Answer::Settings {
                            settings: settings.masked(),
                        },
                    }
                }
                Err(failure) => Answer::Failed { failure },
            };
            return control::write(answers, &answer).await;
        }
        Request::Start { change } => Command::Start { change, reply },
        Request::Stop => Command::Stop { reply },
        Request::Restart => Command::Restart { reply },
        Request::RestartEngine => Command::RestartEngine { reply },
        Request::ResetSpec => Command::ResetSpec { reply },
        Request::Erase => Command::Erase { reply },
        Request::Suspend => Command::Suspend { reply },
    };
    let mut status = supervisor.status();
    status.mark_unchanged();
    supervisor.send(command).await;
    let mut outcome = outcome;
    let outcome = loop {
        tokio::select! {
            biased;
            changed = status.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let status = status.borrow_and_update().clone();
                control::write(answers, &Answer::Status { status }).await?;
            }
            outcome = &mut outcome => break outcome,
        }
    };
    let last = match outcome {
        Ok(Ok(())) => Answer::Done {
            status: supervisor.measured().await,
        },
        Ok(Err(failure)) => Answer::Failed { failure },
        // The supervisor is gone, and so will this process be.
        Err(_) => return Ok(()),
    };
    control::write(answers, &last).await
}

/// A machine that does not run holds nothing that could be given back.
async fn give_back(supervisor: &Supervisor) -> Result<Freed, Failure> {
    match link(supervisor).await {
        Some((pid, session)) => free::free(pid, session, supervisor.home().data_disk()).await,
        None => Ok(Freed::default()),
    }
}

/// The process of the machine that runs and the link to it.
async fn link(supervisor: &Supervisor) -> Option<(u32, Session)> {
    let (reply, link) = oneshot::channel();
    supervisor.send(Command::Link { reply }).await;
    link.await.ok().flatten()
}

/// What agent and engine have logged, as they say it.
async fn logs(
    answers: &mut (impl tokio::io::AsyncWrite + Unpin),
    supervisor: &Supervisor,
    follow: bool,
) -> io::Result<()> {
    let Some((pid, session)) = link(supervisor).await else {
        return Ok(());
    };
    let asked = session.ask::<_, ()>(&HostRequest::Logs { follow }).await;
    let ((), mut stream) = asked.map_err(io::Error::other)?;
    control::write(answers, &Answer::Machine { pid }).await?;
    while let Some(line) = stream.read_message::<String>().await.map_err(io::Error::other)? {
        control::write(answers, &Answer::Line { line }).await?;
    }
    Ok(())
}

async fn watch_status(answers: &mut (impl tokio::io::AsyncWrite + Unpin), supervisor: &Supervisor) -> io::Result<()> {
    let mut status = supervisor.status();
    let mut measure = tokio::time::interval(MEASURE);
    measure.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    status.mark_changed();
    loop {
        tokio::select! {
            changed = status.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let status = status.borrow_and_update().clone();
                control::write(answers, &Answer::Status { status }).await?;
            }
            // What changed by it arrives as any other change.
            _ = measure.tick() => {
                supervisor.measured().await;
            }
        }
    }
}

/// What keeps a machine from starting here that can be known without a daemon.
pub(crate) fn precheck(home: &Home, program: &std::path::Path, change: &crate::SpecChange) -> Result<(), Failure> {
    let length = crate::disk::length(&home.data_disk());
    crate::spec::apply(&crate::spec::peek(home), change, crate::spec::Host::read(), length)?;
    Qemu::find(program)?;
    crate::disk::check_room(home.root())
}
