use std::time::Duration;

use tokio::time::Instant;
use wherry_engine::{
    DiskUsage, Engine, EngineHistory, EngineOrigin, Happening, Link, ReclaimRequest, Reclaimable, Reclaimed,
};
use wherry_machine::{State, Status};

use crate::engines::{FIRST_ANSWER, is_same_place};
use crate::{App, Connection, Cost, EngineCandidate, EngineChoice, EngineStatus, Problem, Topic};

/// Measuring a disk makes the engine walk over it. What it holds changes slowly.
const DISK_AGE: Duration = Duration::from_secs(30);

/// Of Wherry's own machine it is asked again only when its disk holds this much more or less: asking counts as use,
/// and would keep a machine awake that nobody uses.
const DISK_CHANGE: u64 = 1 << 20;

/// What was measured lately, and at which engine.
#[derive(Default)]
pub(crate) struct Measured {
    address: String,
    disk: Option<MeasuredDisk>,
}

#[derive(Clone)]
struct MeasuredDisk {
    at: Instant,
    usage: DiskUsage,
    /// What the machine's disk held then, where it is Wherry's own machine.
    held: Option<u64>,
}

impl MeasuredDisk {
    fn is_fresh(&self, held: Option<u64>) -> bool {
        match (self.held, held) {
            (Some(then), Some(now)) if then.abs_diff(now) < DISK_CHANGE => true,
            (Some(_) | None, Some(_) | None) => self.at.elapsed() < DISK_AGE,
        }
    }
}

pub(crate) async fn status(app: &App) -> Result<EngineStatus, Problem> {
    let machine = app.parts.machine.status().await?;
    let handle = app.parts.machine.clone();
    // Looks for programs and files.
    let unavailable = tokio::task::spawn_blocking(move || handle.available().err())
        .await
        .unwrap_or(None);
    let current = app.parts.engines.current().await;
    let connection = match &current.used {
        Some(used) => match first_answer(&used.engine).await {
            Link::Connecting => Connection::Connecting,
            Link::Away { reason } => Connection::Away {
                reason: reason.to_string(),
            },
            Link::Connected { info, .. } => Connection::Connected {
                info: info.as_ref().clone(),
            },
        },
        None => Connection::Away {
            reason: current.refused.unwrap_or_else(|| "There is no engine".into()),
        },
    };
    // A machine that is not there and cannot be is no engine.
    let used = current
        .used
        .filter(|used| used.origin != EngineOrigin::Machine || unavailable.is_none() || is_connected(&connection));
    Ok(EngineStatus {
        choice: current.choice,
        origin: used.as_ref().map(|used| used.origin.clone()),
        address: used.map(|used| used.address),
        connection,
        machine,
        machine_unavailable: unavailable,
    })
}

/// An attempt that is under way is nearly over: a window that has just opened need not flicker.
async fn first_answer(engine: &Engine) -> Link {
    let mut link = engine.link();
    let settled = tokio::time::timeout(FIRST_ANSWER, link.wait_for(|link| !matches!(link, Link::Connecting))).await;
    drop(settled);
    link.borrow().clone()
}

fn is_connected(connection: &Connection) -> bool {
    matches!(connection, Connection::Connected { .. })
}

pub(crate) async fn candidates(app: &App) -> Result<Vec<EngineCandidate>, Problem> {
    let own = app.parts.home.docker_host();
    let found = wherry_engine::candidates(None).await;
    let mut candidates: Vec<EngineCandidate> = found
        .into_iter()
        .map(|found| {
            let origin = if is_same_place(&found.place.address, &own) {
                EngineOrigin::Machine
            } else {
                found.place.origin
            };
            let (info, unreachable) = match found.answer {
                Ok(info) => (Some(info), None),
                Err(error) => (None, Some(error.to_string())),
            };
            EngineCandidate {
                origin,
                address: found.place.address,
                info,
                unreachable,
            }
        })
        .collect();
    if matches!(app.parts.machine_status.borrow().state, State::Running { .. })
        && candidates
            .iter()
            .all(|candidate| candidate.origin != EngineOrigin::Machine)
    {
        let (info, unreachable) = match wherry_engine::ask(&own).await {
            Ok(info) => (Some(info), None),
            Err(error) => (None, Some(error.to_string())),
        };
        candidates.push(EngineCandidate {
            origin: EngineOrigin::Machine,
            address: own,
            info,
            unreachable,
        });
    }
    Ok(candidates)
}

pub(crate) async fn choose(app: &App, choice: EngineChoice) -> Result<EngineStatus, Problem> {
    if let EngineChoice::Address { address } = &choice {
        wherry_engine::Address::parse(address)?;
    }
    app.parts.settings.change(|settings| settings.engine = choice.clone())?;
    app.parts.events.changed(Topic::Settings);
    app.parts.engines.choose(choice).await;
    status(app).await
}

pub(crate) async fn restart(app: &App) -> Result<Status, Problem> {
    let status = app.parts.machine.restart_engine().await?;
    app.parts.engines.retry();
    Ok(status)
}

pub(crate) async fn cost(app: &App) -> Result<Cost, Problem> {
    let engine = app.engine().await?;
    let current = app.parts.engines.current().await;
    if current.used.is_some_and(|used| used.origin == EngineOrigin::Machine) {
        let status = app.parts.machine.status().await?;
        if let State::Running { running } = status.state {
            let usage = running.usage;
            let disk_by = disk(app, &engine, Some(usage.guest_disk_used)).await?;
            return Ok(Cost {
                memory: usage.guest_memory_used,
                memory_total: usage.guest_memory_total,
                disk: usage.guest_disk_used,
                disk_total: Some(usage.guest_disk_total),
                cpu_percent: usage.host_cpu_percent / cores(status.spec.cpus),
                cpus: status.spec.cpus,
                disk_by,
            });
        }
    }
    let disk_by = disk(app, &engine, None).await?;
    let by_parts = disk_by.all();
    let (cpus, memory_total) = match &*engine.link().borrow() {
        Link::Connected { info, .. } => (info.cpus, info.memory),
        Link::Connecting | Link::Away { .. } => (1, 0),
    };
    let load = app.recorder().await?.total().await.unwrap_or_default();
    Ok(Cost {
        memory: load.memory,
        memory_total,
        disk: by_parts,
        disk_total: None,
        cpu_percent: load.cpu / cores(cpus),
        cpus,
        disk_by,
    })
}

pub(crate) async fn history(app: &App) -> Result<EngineHistory, Problem> {
    Ok(app.recorder().await?.history())
}

pub(crate) async fn happenings(app: &App) -> Result<Vec<Happening>, Problem> {
    Ok(app.recorder().await?.happenings())
}

pub(crate) async fn reclaimable(app: &App) -> Result<Reclaimable, Problem> {
    Ok(app.engine().await?.reclaimable().await?)
}

pub(crate) async fn reclaim(app: &App, request: ReclaimRequest) -> Result<Reclaimed, Problem> {
    let engine = app.engine().await?;
    let reclaimed = engine.reclaim(&request).await?;
    measured(app, &engine, |measured| measured.disk = None);
    app.trash_changed();
    // The build cache and volumes have no events of their own.
    app.parts.events.changed(Topic::Engine);
    Ok(reclaimed)
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^24 cores")]
fn cores(cpus: u32) -> f32 {
    cpus.max(1) as f32
}

/// `held` is what the disk of Wherry's own machine holds.
async fn disk(app: &App, engine: &Engine, held: Option<u64>) -> Result<DiskUsage, Problem> {
    let known = measured(app, engine, |measured| measured.disk.clone());
    if let Some(known) = known.filter(|known| known.is_fresh(held)) {
        return Ok(known.usage);
    }
    let usage = engine.disk_usage().await?;
    measured(app, engine, |measured| {
        measured.disk = Some(MeasuredDisk {
            at: Instant::now(),
            usage: usage.clone(),
            held,
        });
    });
    Ok(usage)
}

/// Looks at or changes what was measured, which is forgotten with its engine.
fn measured<T>(app: &App, engine: &Engine, use_it: impl FnOnce(&mut Measured) -> T) -> T {
    let mut measured = app
        .parts
        .measured
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let address = engine.address().to_string();
    if measured.address != address {
        *measured = Measured {
            address,
            ..Measured::default()
        };
    }
    use_it(&mut measured)
}
