//! The commands of what is done to containers.

use wherry_engine::{ContainerAction, RunSpec};

use super::{Click, name};
use crate::explain::verb;
use crate::{App, ContainerAct, ContainerExport, ContainerRef, ContainerRemove, ProcessSignal, RunRequest};

pub(crate) async fn start(app: &App, container: &ContainerRef) -> Click {
    let name = name(app, &container.id).await;
    Click::new(
        format!("Started {name}"),
        format!("Could not start {name}"),
        &["docker", "start", &name],
    )
}

pub(crate) async fn stop(app: &App, container: &ContainerRef) -> Click {
    let name = name(app, &container.id).await;
    Click::new(
        format!("Stopped {name}"),
        format!("Could not stop {name}"),
        &["docker", "stop", &name],
    )
}

pub(crate) async fn restart(app: &App, container: &ContainerRef) -> Click {
    let name = name(app, &container.id).await;
    Click::new(
        format!("Restarted {name}"),
        format!("Could not restart {name}"),
        &["docker", "restart", &name],
    )
}

pub(crate) async fn remove(app: &App, container: &ContainerRemove) -> Click {
    let name = name(app, &container.id).await;
    let mut words = vec!["docker", "rm"];
    words.extend(container.force.then_some("-f"));
    words.extend(container.volumes.then_some("-v"));
    words.push(&name);
    Click::new(format!("Removed {name}"), format!("Could not remove {name}"), &words)
}

pub(crate) async fn act(app: &App, act: &ContainerAct) -> Click {
    let name = name(app, &act.id).await;
    let done = match &act.action {
        ContainerAction::Stop { .. } => format!("Stopped {name}"),
        ContainerAction::Kill { signal } => format!("Sent {signal} to {name}"),
        ContainerAction::Pause => format!("Paused {name}"),
        ContainerAction::Resume => format!("Resumed {name}"),
        ContainerAction::Rename { name: new } => format!("Renamed {name} to {new}"),
        ContainerAction::Commit { reference } => format!("Made the image {reference} of {name}"),
        ContainerAction::Update { .. } => format!("Changed the limits of {name}"),
    };
    let words = wherry_engine::action_words(&name, &act.action);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Click::new(done, format!("Could not {} {name}", verb(&act.action)), &words)
}

pub(crate) async fn signal(app: &App, signal: &ProcessSignal) -> Click {
    let name = name(app, &signal.id).await;
    let pid = signal.pid.to_string();
    Click::new(
        format!("Sent {} to process {pid} of {name}", signal.signal),
        format!("Could not end process {pid}"),
        &["docker", "exec", "-u", "0", &name, "kill", "-s", &signal.signal, &pid],
    )
}

pub(crate) async fn export(app: &App, container: &ContainerExport) -> Click {
    let name = name(app, &container.id).await;
    Click::new(
        format!("Exported {name}"),
        format!("Could not export {name}"),
        &["docker", "export", "-o", &format!("{name}.tar"), &name],
    )
}

pub(crate) async fn run(_app: &App, request: &RunRequest) -> Click {
    let spec: &RunSpec = &request.spec;
    let name = spec
        .name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .unwrap_or(spec.image.trim());
    let words = wherry_engine::command_words(spec, false);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Click::new(format!("Ran {name}"), format!("Could not run {name}"), &words)
}
