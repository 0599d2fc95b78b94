//! Errors of the engine, with what this computer knows about them.

use wherry_engine::{ContainerAction, Engine, Error, Protocol, PublishedPort};

use crate::port::{self, Published};
use crate::{Action, Code, Problem};

/// What a person calls this container; the start of its id when it cannot be asked.
pub(crate) async fn container_name(engine: &Engine, id: &str) -> String {
    match engine.container_name(id).await {
        Ok(name) if !name.is_empty() => name,
        Ok(_) | Err(_) => id.get(..12).unwrap_or(id).to_owned(),
    }
}

/// What is done to a container, as it stands in "Could not …".
pub(crate) fn verb(action: &ContainerAction) -> &'static str {
    match action {
        ContainerAction::Stop { .. } => "stop",
        ContainerAction::Kill { .. } => "kill",
        ContainerAction::Pause => "pause",
        ContainerAction::Resume => "resume",
        ContainerAction::Rename { .. } => "rename",
        ContainerAction::Commit { .. } => "make an image of",
        ContainerAction::Update { .. } => "change the limits of",
    }
}

/// "Could not start web", why, and the remedy. `publishing` are the ports it was to publish, where they are known.
pub(crate) async fn failed(
    engine: &Engine,
    verb: &str,
    name: &str,
    error: Error,
    publishing: &[PublishedPort],
) -> Problem {
    let port = match &error {
        Error::PortTaken { port, .. } => Some(*port),
        _ => None,
    };
    let mut problem = Problem::from(error);
    if let Some(port) = port {
        name_holder(engine, &mut problem, port, publishing).await;
    }
    problem.during(format!("Could not {verb} {name}"))
}

/// Fills in who holds the port and which one is free.
async fn name_holder(engine: &Engine, problem: &mut Problem, taken: u16, publishing: &[PublishedPort]) {
    let wanted = publishing.iter().find(|port| port.host_port == Some(taken));
    let address = wanted
        .and_then(|port| port.host_address.as_deref())
        .and_then(|address| address.parse().ok());
    let protocol = wanted.map_or(Protocol::Tcp, |port| port.protocol);
    let published = Published::of(&engine.containers(false).await.unwrap_or_default());
    let local = port::is_local(engine);
    let looked = tokio::task::spawn_blocking(move || port::look(address, taken, protocol, &published, local)).await;
    let Ok(answer) = looked else { return };
    // The engine's own words may name a program that has let go since; what was seen now is better only if it is.
    if answer.container.is_some() || answer.holder.is_some() {
        problem.message = answer.sentence;
    }
    if let Some(instead) = answer.next_free {
        problem.hint = Some(format!("Use {instead}."));
        problem.action = Some(Action::UsePort { taken, instead });
    }
    problem.code = Code::PortTaken;
}
