//! Who empties the trash: what is older than a week goes, the oldest when it is too much, and all of it when the disk of
//! Wherry's own machine fills. It is looked after while an engine is connected, every six hours, and after each removal.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};
use wherry_engine::{ContainerSummary, Engine, Link, TrashLimits};
use wherry_machine::{DiskFill, State, Status};

use crate::engines::Current;
use crate::events::Events;
use crate::{App, Code, Problem, Topic};

/// How long what was removed can be brought back.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// How much the trash may hold.
const MOST_BYTES: u64 = 20 << 30;

/// Nothing in the trash gets old faster.
const LOOK_AGAIN: Duration = Duration::from_hours(6);

/// Removals come in crowds, and what they use is measured once.
const SETTLED: Duration = Duration::from_secs(20);

impl App {
    pub(crate) fn trash_changed(&self) {
        self.parts.events.changed(Topic::Trash);
        self.parts.trash_grew.notify_one();
    }

    /// `docker compose up` starts what it finds of its project, also in the trash: it has its name again.
    pub(crate) fn take_back_what_runs(&self, engine: &Engine, containers: &[ContainerSummary]) {
        for container in containers.iter().filter(|container| container.is_taken_back()) {
            let (engine, id, events) = (engine.clone(), container.id.clone(), self.parts.events.clone());
            tokio::spawn(async move {
                match engine.give_back(&id).await {
                    Ok(()) => events.changed(Topic::Trash),
                    Err(error) => tracing::warn!(%error, id, "a container that runs keeps the name of the trash"),
                }
            });
        }
    }
}

/// It does not hold the [`App`], whose last owner ends this.
pub(crate) struct Keeper {
    pub(crate) events: Events,
    pub(crate) grew: Arc<Notify>,
    /// Of the engine in Wherry's own machine.
    pub(crate) machine_address: String,
    pub(crate) machine: watch::Receiver<Status>,
    pub(crate) current: watch::Receiver<Option<Current>>,
}

impl Keeper {
    /// Until everything ends.
    pub(crate) async fn run(mut self) {
        let mut filling = false;
        loop {
            let used = self
                .current
                .borrow_and_update()
                .as_ref()
                .and_then(|current| current.used.clone());
            let engine = used.map(|used| used.engine);
            let mut link = engine.as_ref().map(Engine::link);
            if let Some(link) = &mut link {
                link.borrow_and_update();
            }
            // An engine that is away is waited for, and never woken.
            if let Some(engine) = &engine
                && engine.answers().await.is_ok()
            {
                self.shrink(engine).await;
            }
            tokio::select! {
                () = connected(link) => {}
                alive = self.current.changed() => if alive.is_err() { return },
                () = self.grew.notified() => tokio::time::sleep(SETTLED).await,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = begins_to_fill(&mut self.machine, &mut filling) => {}
            }
        }
    }

    async fn shrink(&self, engine: &Engine) {
        let filling = is_filling(&self.machine.borrow()) && engine.address().to_string() == self.machine_address;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let limits = TrashLimits {
            oldest: if filling {
                u64::MAX
            } else {
                u64::try_from(now.saturating_sub(KEPT).as_millis()).unwrap_or(0)
            },
            bytes: MOST_BYTES,
        };
        match engine.shrink_trash(limits).await {
            Ok(0) => {}
            Ok(gone) => {
                self.events.changed(Topic::Trash);
                self.events.changed(Topic::Engine);
                if filling {
                    let things = if gone == 1 { "One thing is" } else { "All of it is" };
                    let message = format!("The engine's disk fills, so the trash was emptied. {things} gone for good.");
                    self.events.notice(Problem::plain(Code::NoSpace, message));
                }
            }
            Err(error) => tracing::debug!(%error, "the trash could not be looked after"),
        }
    }
}

async fn connected(link: Option<watch::Receiver<Link>>) {
    if let Some(mut link) = link {
        while link.changed().await.is_ok() {
            if matches!(*link.borrow(), Link::Connected { .. }) {
                return;
            }
        }
    }
    std::future::pending::<()>().await;
}

/// Once for each time that it does.
async fn begins_to_fill(machine: &mut watch::Receiver<Status>, filling: &mut bool) {
    while machine.changed().await.is_ok() {
        let before = std::mem::replace(filling, is_filling(&machine.borrow_and_update()));
        if *filling && !before {
            return;
        }
    }
    std::future::pending::<()>().await;
}

fn is_filling(status: &Status) -> bool {
    matches!(&status.state, State::Running { running } if running.disk != DiskFill::Roomy)
}
