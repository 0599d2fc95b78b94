//! The tray: the engine's state as a sail, and the few things one wants without the window.

use std::path::Path;

use futures::StreamExt as _;
use serde_json::Value;
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Manager as _, Wry};
use tokio::time::{Duration, sleep};
use wherry_app::{App, Connection, EngineOrigin, EngineStatus, Event, Inputs, MachineState, Problem, Topic};

use crate::{system, window};

const ICON: &str = "wherry";
const OPEN: &str = "open";
const START: &str = "start";
const SUSPEND: &str = "suspend";
const STOP: &str = "stop";
const QUIT: &str = "quit";

/// How long to wait before events are asked for again, should their stream ever end.
const AGAIN: Duration = Duration::from_secs(5);

/// The sail tells the state, here as everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sail {
    Up,
    HalfUp,
    Furled,
    Marked,
}

/// What the tray shows of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glance {
    sail: Sail,
    line: &'static str,
    can_start: bool,
    can_suspend: bool,
    can_stop: bool,
}

fn glance(status: &EngineStatus) -> Glance {
    let is_ours = matches!(status.origin, Some(EngineOrigin::Machine) | None);
    let (sail, line, can_start, can_stop) = match (is_ours, &status.machine.state, &status.connection) {
        (false, _, Connection::Connected { .. }) => (Sail::Up, "Engine running", false, false),
        (false, _, Connection::Connecting) => (Sail::HalfUp, "Looking for the engine", false, false),
        (false, _, Connection::Away { .. }) => (Sail::Marked, "Engine does not answer", false, false),
        (true, MachineState::Stopped, _) => (Sail::Furled, "Engine stopped", true, false),
        (true, MachineState::Starting { .. }, _) => (Sail::HalfUp, "Engine starting", false, true),
        (true, MachineState::Running { .. }, _) => (Sail::Up, "Engine running", false, true),
        (true, MachineState::Suspending, _) => (Sail::HalfUp, "Engine falling asleep", false, false),
        (true, MachineState::Suspended { wakes: true, .. }, _) => {
            (Sail::Furled, "Engine asleep, wakes by itself", true, true)
        }
        (true, MachineState::Suspended { wakes: false, .. }, _) => (Sail::Furled, "Engine suspended", true, true),
        (true, MachineState::Stopping, _) => (Sail::HalfUp, "Engine stopping", false, false),
        (true, MachineState::Failed { .. }, _) => (Sail::Marked, "Engine needs attention", true, false),
    };
    Glance {
        sail,
        line,
        can_start,
        can_suspend: is_ours && matches!(status.machine.state, MachineState::Running { .. }),
        can_stop,
    }
}

struct Tray {
    icon: TrayIcon<Wry>,
    state: MenuItem<Wry>,
    start: MenuItem<Wry>,
    suspend: MenuItem<Wry>,
    stop: MenuItem<Wry>,
    shown: Option<Glance>,
}

/// Puts the icon into the tray and keeps it true. `folder` is for the files through which Linux hands over icons.
pub(crate) fn begin(handle: &AppHandle, folder: &Path) -> tauri::Result<()> {
    let state = MenuItem::new(handle, "Looking for the engine", false, None::<&str>)?;
    let start = MenuItem::with_id(handle, START, "Start the engine", false, None::<&str>)?;
    let suspend = MenuItem::with_id(handle, SUSPEND, "Suspend the engine", false, None::<&str>)?;
    let stop = MenuItem::with_id(handle, STOP, "Stop the engine", false, None::<&str>)?;
    let menu = Menu::with_items(
        handle,
        &[
            &state,
            &start,
            &suspend,
            &stop,
            &PredefinedMenuItem::separator(handle)?,
            &MenuItem::with_id(handle, OPEN, "Open Wherry", true, None::<&str>)?,
            &PredefinedMenuItem::separator(handle)?,
            &MenuItem::with_id(
                handle,
                QUIT,
                "Quit Wherry (containers keep running)",
                true,
                None::<&str>,
            )?,
        ],
    )?;
    let icon = TrayIconBuilder::with_id(ICON)
        .icon(system::sail(Sail::Furled))
        .icon_as_template(system::SAIL_IS_TEMPLATE)
        .temp_dir_path(folder)
        .tooltip("Wherry")
        .menu(&menu)
        .on_menu_event(|handle, event| match event.id().as_ref() {
            OPEN => window::show(handle),
            START => order(handle, "machine.start", serde_json::json!({})),
            SUSPEND => order(handle, "machine.suspend", Value::Null),
            STOP => order(handle, "machine.stop", Value::Null),
            QUIT => window::quit(handle),
            other => tracing::warn!(other, "the tray's menu has an entry that does nothing"),
        })
        .build(handle)?;
    let tray = Tray {
        icon,
        state,
        start,
        suspend,
        stop,
        shown: None,
    };
    tauri::async_runtime::spawn(keep_true(handle.state::<App>().inner().clone(), tray));
    Ok(())
}

/// Was the icon made? Whether anybody shows it is another question.
pub(crate) fn exists(handle: &AppHandle) -> bool {
    handle.tray_by_id(ICON).is_some()
}

/// Does what the menu says. When it fails, the window shows why.
fn order(handle: &AppHandle, command: &'static str, params: Value) {
    let handle = handle.clone();
    tauri::async_runtime::spawn(async move {
        let app = handle.state::<App>().inner().clone();
        if let Err(problem) = app.call(command, params).await {
            tracing::warn!(command, problem = problem.message, "the tray's order failed");
            window::show(&handle);
        }
    });
}

async fn keep_true(app: App, mut tray: Tray) {
    loop {
        if let Err(problem) = follow(&app, &mut tray).await {
            tracing::warn!(problem = problem.message, "the tray does not know the engine's state");
        }
        sleep(AGAIN).await;
    }
}

/// Until the events end.
async fn follow(app: &App, tray: &mut Tray) -> Result<(), Problem> {
    // Events first: a change between the two is then seen twice and not missed.
    let mut events = app.open("app.events", Value::Null, Inputs::none()).await?;
    let mut status = engine_status(app).await?;
    tray.show(&status);
    while let Some(event) = events.next().await {
        match serde_json::from_str(&event?) {
            Ok(Event::Machine { status: machine }) => status.machine = machine,
            Ok(Event::Changed { topic: Topic::Engine }) => status = engine_status(app).await?,
            Ok(Event::Changed { topic: _ } | Event::Task { .. } | Event::Notice { .. }) => continue,
            Err(error) => {
                tracing::error!(%error, "an event could not be read");
                continue;
            }
        }
        tray.show(&status);
    }
    Ok(())
}

async fn engine_status(app: &App) -> Result<EngineStatus, Problem> {
    let text = app.call("engine.status", Value::Null).await?;
    serde_json::from_str(&text).map_err(|error| Problem {
        code: wherry_app::Code::Other,
        message: "The engine's status could not be read".to_owned(),
        hint: None,
        why: None,
        causes: vec![error.to_string()],
        action: None,
    })
}

impl Tray {
    fn show(&mut self, status: &EngineStatus) {
        let glance = glance(status);
        if self.shown.as_ref() == Some(&glance) {
            return;
        }
        let done = self
            .icon
            .set_icon_with_as_template(Some(system::sail(glance.sail)), system::SAIL_IS_TEMPLATE)
            .and(self.icon.set_tooltip(Some(format!("Wherry: {}", glance.line))))
            .and(self.state.set_text(glance.line))
            .and(self.start.set_enabled(glance.can_start))
            .and(self.suspend.set_enabled(glance.can_suspend))
            .and(self.stop.set_enabled(glance.can_stop));
        if let Err(error) = done {
            tracing::warn!(%error, "the tray could not be brought up to date");
        }
        self.shown = Some(glance);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(origin: &Value, state: &Value) -> EngineStatus {
        serde_json::from_value(json!({
            "choice": { "type": "auto" },
            "origin": origin,
            "address": null,
            "connection": { "type": "away", "reason": "nobody listens" },
            "machine": {
                "state": state,
                "spec": { "cpus": 2, "memoryMib": 2048, "diskGib": 60, "accelerator": "auto" },
                "socket": "/nowhere/docker.sock",
                "steps": [],
                "forwards": [],
                "notes": []
            },
            "machineUnavailable": null
        }))
        .expect("the shape of the app's own answer")
    }

    #[test]
    fn the_sail_follows_our_own_machine() {
        let machine = json!({ "type": "machine" });
        let stopped = glance(&status(&machine, &json!({ "type": "stopped" })));
        assert_eq!(
            (stopped.sail, stopped.can_start, stopped.can_stop),
            (Sail::Furled, true, false)
        );
        let starting = glance(&status(&machine, &json!({ "type": "starting", "step": "linux" })));
        assert_eq!(
            (starting.sail, starting.can_start, starting.can_stop),
            (Sail::HalfUp, false, true)
        );
        let stopping = glance(&status(&machine, &json!({ "type": "stopping" })));
        assert_eq!(
            (stopping.can_start, stopping.can_stop),
            (false, false),
            "it is on its way already"
        );
        let asleep = json!({ "type": "suspended", "sinceMillis": 1, "wakes": true });
        let asleep = glance(&status(&machine, &asleep));
        assert_eq!(
            (asleep.sail, asleep.line, asleep.can_start, asleep.can_suspend),
            (Sail::Furled, "Engine asleep, wakes by itself", true, false)
        );
    }

    #[test]
    fn without_any_engine_ours_can_be_started() {
        assert!(glance(&status(&Value::Null, &json!({ "type": "stopped" }))).can_start);
    }

    #[test]
    fn somebody_elses_engine_is_neither_started_nor_stopped() {
        let glance = glance(&status(&json!({ "type": "system" }), &json!({ "type": "stopped" })));
        assert_eq!(glance.sail, Sail::Marked);
        assert!(!glance.can_start && !glance.can_suspend && !glance.can_stop);
    }
}
