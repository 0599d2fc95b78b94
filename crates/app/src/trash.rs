//! Who empties the trash: what is too old goes, the oldest when it is too much, and all of it when the disk of
//! Wherry's own machine fills. It is looked after while an engine is connected, every six hours, and after each removal.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};
use wherry_engine::{ContainerSummary, Engine, Link, TrashLimits};
use wherry_machine::{DiskFill, State, Status};

use crate::engines::Current;
use crate::events::Events;
use crate::settings::SettingsFile;
use crate::{App, Code, Problem, Topic};

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
    pub(crate) settings: Arc<SettingsFile>,
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
        let bounds = self.settings.get().trash;
        let kept = Duration::from_hours(24 * u64::from(bounds.days));
        let limits = TrashLimits {
            oldest: if filling {
                u64::MAX
            } else {
                u64::try_from(now.saturating_sub(kept).as_millis()).unwrap_or(0)
            },
            bytes: bounds.bytes,
        };
        if let Err(error) = engine.let_old_layers_go(limits.oldest).await {
            tracing::debug!(%error, "layers of pulls could not be looked after");
        }
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

#[cfg(test)]
mod tests {
    use wherry_engine::{Address, EngineOrigin, Removal};
    use wherry_machine::{Home, Machine, Running};
    use wherry_tests::engine::Engine as Dockerd;
    use wherry_tests::images::busybox_tar;
    use wherry_tests::process::{installed, is_root, run};
    use wherry_tests::skip_unless;

    use super::*;
    use crate::engines::Used;
    use crate::{EngineChoice, Event, TrashBounds};

    async fn names(engine: &Engine) -> Vec<String> {
        let mut items = engine.trash(false).await.expect("a list");
        items.sort_by_key(|item| item.at);
        items.into_iter().map(|item| item.name).collect()
    }

    /// The disk's own numbers come as they do from a machine; its engine is a real one.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_oldest_go_beyond_the_bound_and_all_of_it_when_the_disk_fills() {
        skip_unless!(is_root(), "dockerd needs root");
        skip_unless!(
            installed("dockerd") && installed("docker"),
            "dockerd or docker is not installed"
        );
        let dockerd = Dockerd::start(None);
        let folder = tempfile::tempdir().expect("a folder");
        let tar = busybox_tar(folder.path());
        run(dockerd.docker().arg("import").arg(&tar).arg("busybox:1"));
        let engine = Engine::connect(Address::parse(&dockerd.address()).expect("an address"));
        for name in ["first", "second", "third"] {
            let fill = "dd if=/dev/zero of=/filled bs=1024 count=3072";
            run(dockerd
                .docker()
                .args(["run", "--name", name, "busybox:1", "sh", "-c", fill]));
            engine.trash_container(name, Removal::FORCED).await.expect("removed");
        }
        let (settings, _) = SettingsFile::open(folder.path().join("settings.json")).expect("settings");
        let settings = Arc::new(settings);
        let used = Used {
            origin: EngineOrigin::Machine,
            address: dockerd.address(),
            engine: engine.clone(),
        };
        let current = Current {
            choice: EngineChoice::default(),
            used: Some(used),
            refused: None,
        };
        let home = Home::at(folder.path());
        let status = Machine::new(home, "no-program".into()).watch().borrow().clone();
        let (machine, machine_watch) = watch::channel(status);
        let (_current, current_watch) = watch::channel(Some(current));
        let keeper = Keeper {
            events: Events::default(),
            grew: Arc::default(),
            machine_address: dockerd.address(),
            machine: machine_watch,
            current: current_watch,
            settings: settings.clone(),
        };
        keeper.shrink(&engine).await;
        assert_eq!(names(&engine).await, ["first", "second", "third"], "all of it has room");
        let bound = |bytes| settings.change(|settings| settings.trash = TrashBounds { days: 7, bytes });
        bound(7 << 20).expect("kept");
        keeper.shrink(&engine).await;
        assert_eq!(
            names(&engine).await,
            ["second", "third"],
            "3 MB each, and 7 MB are allowed"
        );
        bound(20 << 30).expect("kept");

        let mut events = keeper.events.subscribe();
        let running = |disk| State::Running {
            running: Running {
                backend: "qemu".to_owned(),
                accelerator: "tcg".to_owned(),
                engine_version: String::new(),
                api_version: String::new(),
                kernel: String::new(),
                since_millis: 0,
                ready_in_millis: 0,
                pid: 1,
                usage: wherry_machine::Usage::default(),
                disk,
                host_room: wherry_machine::HostRoom::default(),
                engine_restarts: 0,
                rests: false,
            },
        };
        let keeping = tokio::spawn(keeper.run());
        machine.send_modify(|status| status.state = running(DiskFill::Roomy));
        machine.send_modify(|status| status.state = running(DiskFill::NearlyFull));
        let told = loop {
            if let Event::Notice { problem } = events.recv().await.expect("an event") {
                break problem;
            }
        };
        assert_eq!(
            told.message,
            "The engine's disk fills, so the trash was emptied. All of it is gone for good."
        );
        assert_eq!(names(&engine).await, Vec::<String>::new());
        keeping.abort();
    }
}
