use wherry_machine::{SpecChange, Status};

use crate::{App, Problem};

pub(crate) async fn status(app: &App) -> Result<Status, Problem> {
    Ok(app.parts.machine.status().await?)
}

pub(crate) async fn start(app: &App, change: SpecChange) -> Result<Status, Problem> {
    let status = app.parts.machine.start(change).await?;
    app.parts.engines.retry();
    Ok(status)
}

pub(crate) async fn stop(app: &App) -> Result<(), Problem> {
    Ok(app.parts.machine.stop().await?)
}

pub(crate) async fn restart(app: &App) -> Result<Status, Problem> {
    let status = app.parts.machine.restart().await?;
    app.parts.engines.retry();
    Ok(status)
}
