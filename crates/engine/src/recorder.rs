//! Who keeps the last hour of an engine: what its containers used and what happened.
//!
//! It costs nothing while no container runs: it then waits for the engine's events, which are sent anyway. While some
//! run they are asked every ten seconds, every two while somebody looks. One question and one answer each time, rather
//! than a stream per container, which makes the engine read all counters every second for nobody. It never connects to
//! an engine: one that sleeps is not woken, and what it did meanwhile shows as a gap.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::Instant;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::engine::{EVENTS, LONGEST_EVENT};
use crate::error::Subject;
use crate::happening::{Happened, Happenings, Reader};
use crate::last_use::Uses;
use crate::stats::{Counters, History, KEPT_EVERY, Round};
use crate::transport::{Call, Client};
use crate::{Change, ContainerHistory, Engine, EngineHistory, EngineLoad, Error, Happening, Link, Sample, wire};

/// While somebody looks.
const LIVE_EVERY: Duration = Duration::from_secs(2);

/// After a container was seen for the first time, and after a change while somebody looks.
const SOON: Duration = Duration::from_secs(1);

/// After a change that nobody watches: one that crashes and starts again all day makes many.
const LATER: Duration = Duration::from_secs(5);

/// How many containers are asked at once. Each question makes the engine read a dozen files.
const AT_ONCE: usize = 8;

/// One container that cannot be measured must not hold up the others for long.
const MEASURE: Duration = Duration::from_secs(5);

/// How many rounds may wait for a slow window.
const BACKLOG: usize = 4;

/// How far back an engine is asked what happened before we came. Docker remembers its last 256 events.
const BACK: u64 = 24 * 3600;

/// Cheap to clone; the last one dropped ends the work.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    kept: Arc<Kept>,
    _end: DropGuard,
}

#[derive(Debug)]
struct Kept {
    /// Both are locked to add or to copy only.
    history: Mutex<History>,
    happenings: Mutex<Happenings>,
    rounds: broadcast::Sender<Arc<EngineLoad>>,
    /// How many look.
    lookers: watch::Sender<usize>,
    /// Containers came or went since the last look, or were seen once, which tells no rates yet.
    outdated: AtomicBool,
}

impl Kept {
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happenings(&self) -> MutexGuard<'_, Happenings> {
        self.happenings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Needs a tokio runtime.
    pub fn begin(engine: Engine) -> Recorder {
        let kept = Arc::new(Kept {
            history: Mutex::default(),
            happenings: Mutex::default(),
            rounds: broadcast::Sender::new(BACKLOG),
            lookers: watch::Sender::new(0),
            outdated: AtomicBool::new(true),
        });
        let end = CancellationToken::new();
        tokio::spawn(
            end.clone()
                .run_until_cancelled_owned(measure(engine.clone(), kept.clone())),
        );
        tokio::spawn(
            end.clone()
                .run_until_cancelled_owned(listen(engine.clone(), kept.clone())),
        );
        Recorder {
            shared: Arc::new(Shared {
                engine,
                kept,
                _end: end.drop_guard(),
            }),
        }
    }

    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub fn history(&self) -> EngineHistory {
        self.shared.kept.history().engine(now())
    }

    /// By its id or the start of it; `None` when it did not run in this hour.
    pub fn container(&self, id: &str) -> Option<ContainerHistory> {
        self.shared.kept.history().container(now(), id)
    }

    /// Latest first.
    pub fn happenings(&self) -> Vec<Happening> {
        self.shared.kept.happenings().latest_first()
    }

    /// What all containers that run now used at the last look; waits for one that saw them all.
    pub async fn total(&self) -> Option<Sample> {
        let kept = &self.shared.kept;
        let mut rounds = kept.rounds.subscribe();
        let _looker = Looker::of(kept);
        let is_current = || !kept.outdated.load(Ordering::Acquire);
        if is_current()
            && let Some(known) = kept.history().now(now())
        {
            return Some(known);
        }
        let current = async {
            loop {
                match rounds.recv().await {
                    Ok(load) if is_current() => return Some(load.total),
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        };
        match tokio::time::timeout(MEASURE, current).await {
            Ok(Some(total)) => Some(total),
            // They come and go faster than they can be measured.
            Ok(None) | Err(_) => kept.history().now(now()),
        }
    }

    /// What containers use from now on, every two seconds while this is held and while any run.
    pub fn live(&self) -> impl Stream<Item = Arc<EngineLoad>> + Send + use<> {
        let kept = &self.shared.kept;
        let receiver = kept.rounds.subscribe();
        let looker = Looker::of(kept);
        futures::stream::unfold((receiver, looker), |(mut receiver, looker)| async move {
            loop {
                match receiver.recv().await {
                    Ok(load) => return Some((load, (receiver, looker))),
                    // What was missed is in the history.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
    }
}

/// Looks for as long as it is held.
struct Looker(watch::Sender<usize>);

impl Looker {
    fn of(kept: &Kept) -> Self {
        kept.lookers.send_modify(|lookers| *lookers += 1);
        Self(kept.lookers.clone())
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        self.0.send_modify(|lookers| *lookers -= 1);
    }
}

/// Milliseconds of Unix time.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

async fn measure(engine: Engine, kept: Arc<Kept>) {
    let mut changes = engine.changes();
    let mut link = engine.link();
    let mut rests = engine.rests();
    let mut lookers = kept.lookers.subscribe();
    // When to look next; none while nothing runs and nothing changed.
    let mut due = Some(Instant::now());
    let mut began = Instant::now();
    // An engine with a thousand containers is not kept busy by being looked at.
    let mut least = Duration::ZERO;
    loop {
        link.borrow_and_update();
        rests.borrow_and_update();
        let Some((client, memory)) = engine.connected() else {
            kept.history().interrupt(now());
            tokio::select! {
                alive = link.changed() => if alive.is_err() { return },
                alive = rests.changed() => if alive.is_err() { return },
            }
            due = Some(Instant::now());
            continue;
        };
        let wait = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {
                began = Instant::now();
                kept.outdated.store(false, Ordering::Release);
                due = match look(&engine, &client, &kept, memory).await {
                    Ok(round) if round.load.containers.is_empty() && !round.has_new => None,
                    Ok(round) => {
                        let pause = match (round.has_new, *lookers.borrow_and_update()) {
                            (true, _) => SOON,
                            // Who has stopped looking leaves the time since the last one that was kept behind.
                            (false, 0) => kept.history().until_kept(now()).max(SOON),
                            (false, _) => LIVE_EVERY,
                        };
                        least = began.elapsed() * 4;
                        Some(began + pause.max(least))
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the containers could not be measured");
                        Some(began + KEPT_EVERY)
                    }
                };
            }
            change = changes.recv() => match change {
                Ok(Change::Containers) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    kept.outdated.store(true, Ordering::Release);
                    let pause = if *lookers.borrow() > 0 { SOON } else { LATER };
                    let soon = began + pause.max(least);
                    due = Some(due.map_or(soon, |due| due.min(soon)));
                }
                Ok(Change::Images) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
            alive = lookers.changed() => {
                if alive.is_err() {
                    return;
                }
                if *lookers.borrow_and_update() > 0 && due.is_some() {
                    due = Some(began + SOON.max(least));
                }
            }
            alive = link.changed() => if alive.is_err() { return },
            alive = rests.changed() => if alive.is_err() { return },
        }
    }
}

/// Asks every container that runs.
async fn look(engine: &Engine, client: &Client, kept: &Kept, memory: u64) -> Result<Round, Error> {
    let call = Call::get("/containers/json", Subject::Engine, "list the containers");
    let running: Vec<wire::Container> = client.value(call).await?;
    let uses = running
        .iter()
        .map(|container| Uses::of(&container.image_id, &container.mounts));
    saw(engine, &uses.collect::<Vec<_>>());
    let answers: Vec<(String, Counters)> = futures::stream::iter(running)
        .map(|container| async move {
            let path = format!("/containers/{}/stats", container.id);
            let call = Call::get(path, Subject::Engine, "measure a container")
                .query("stream", "0")
                .query("one-shot", "1")
                .within(MEASURE);
            // One that stopped meanwhile costs nothing.
            let stats = client.value::<wire::Stats>(call).await.ok()?;
            Some((container.id, Counters::of(&stats)?))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let round = kept.history().round(now(), memory, answers);
    if round.has_new {
        kept.outdated.store(true, Ordering::Release);
    }
    if !round.has_new || !round.load.containers.is_empty() {
        // Nobody looks, perhaps.
        let _ = kept.rounds.send(Arc::new(round.load.clone()));
    }
    Ok(round)
}

/// They are in use.
fn saw(engine: &Engine, uses: &[Uses]) {
    if engine.last_use().saw(uses, now()) {
        let last_use = Arc::clone(engine.last_use());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = last_use.write() {
                tracing::warn!(%error, "when things were used last could not be written down");
            }
        });
    }
}

/// A container may run for less time than passes between two looks.
async fn saw_start(engine: Engine, room: Arc<Semaphore>, container: String) {
    let _permit = room.acquire().await;
    if let Ok(inspect) = engine.inspect_container(&container).await {
        saw(&engine, &[Uses::of(&inspect.image, &inspect.mounts)]);
    }
}

/// What happens, and once after each connection what happened before.
async fn listen(engine: Engine, kept: Arc<Kept>) {
    let mut happenings = engine.happenings();
    let mut link = engine.link();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let connected = matches!(*link.borrow_and_update(), Link::Connected { .. });
        if connected && let Some((client, _)) = engine.connected() {
            let since = kept.happenings().last_at().map(|at| at / 1000);
            let until = now() / 1000 + 1;
            let found = before(&client, since.unwrap_or(until.saturating_sub(BACK)), until).await;
            match found {
                Ok(found) => {
                    let mut all = kept.happenings();
                    for each in found {
                        all.add(each);
                    }
                }
                Err(error) => tracing::debug!(%error, "the engine does not tell what happened before"),
            }
        }
        loop {
            tokio::select! {
                happening = happenings.recv() => match happening {
                    Ok(happening) => {
                        if happening.what == Happened::Started {
                            tokio::spawn(saw_start(engine.clone(), Arc::clone(&room), happening.id.clone()));
                        }
                        kept.happenings().add(happening);
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                alive = link.changed() => {
                    if alive.is_err() {
                        return;
                    }
                    break;
                }
            }
        }
    }
}

async fn before(client: &Client, since: u64, until: u64) -> Result<Vec<Happening>, Error> {
    let call = Call::get("/events", Subject::Engine, "tell what happened")
        .query("filters", EVENTS)
        .query("since", &since.to_string())
        .query("until", &until.to_string());
    let body = client.open(call).await?.into_body();
    let bytes = http_body_util::BodyDataStream::new(body).map_err(std::io::Error::other);
    let lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(LONGEST_EVENT));
    let mut reader = Reader::default();
    let read = lines
        .take_while(|line| std::future::ready(line.is_ok()))
        .filter_map(|line| std::future::ready(serde_json::from_str::<wire::Event>(&line.unwrap_or_default()).ok()))
        .filter_map(|event| std::future::ready(reader.read(&event)))
        .collect::<Vec<_>>();
    // The last moment asked for is still to come, and some engines wait for it.
    tokio::time::timeout(MEASURE, read).await.map_err(|_| Error::Silent {
        doing: "tell what happened",
        after: MEASURE,
    })
}
