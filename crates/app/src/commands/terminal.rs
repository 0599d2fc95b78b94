use wherry_engine::{CommandLine, Shells};

use crate::explain::{container_name, failed};
use crate::{App, ContainerRef, Problem, Terminal, TerminalKind, TerminalOpen, TerminalRef};

pub(crate) async fn choices(app: &App, container: ContainerRef) -> Result<Shells, Problem> {
    let engine = app.engine().await?;
    match engine.shells(&container.id).await {
        Ok(shells) => Ok(shells),
        Err(error) => {
            let name = container_name(&engine, &container.id).await;
            Err(failed(&engine, "look for a shell in", &name, error, &[]).await)
        }
    }
}

pub(crate) async fn list(app: &App, container: ContainerRef) -> Result<Vec<Terminal>, Problem> {
    let id = app.engine().await?.container(&container.id).await?.id;
    Ok(app.parts.terminals.list(&id))
}

pub(crate) async fn open(app: &App, wanted: TerminalOpen) -> Result<Terminal, Problem> {
    app.parts.terminals.open(app.engine().await?, wanted).await
}

pub(crate) async fn close(app: &App, terminal: TerminalRef) -> Result<(), Problem> {
    app.parts.terminals.close(terminal.id).await;
    Ok(())
}

pub(crate) async fn command(_app: &App, wanted: TerminalOpen) -> Result<CommandLine, Problem> {
    let container = wanted.container.as_str();
    Ok(match &wanted.kind {
        TerminalKind::Shell { program, user } => wherry_engine::exec_line(
            container,
            program.rsplit('/').next().unwrap_or(program),
            user.as_deref(),
        ),
        TerminalKind::Attach => wherry_engine::attach_line(container),
        TerminalKind::Debug { image } => wherry_engine::debug_line(container, image),
    })
}
