use wherry_machine::{Freed, Settings, SettingsChange, SpecChange, Status};

use crate::{App, Code, ERASE_WORD, MachineErase, Problem, Topic};

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

pub(crate) async fn free(app: &App) -> Result<Freed, Problem> {
    Ok(app.parts.machine.free().await?)
}

pub(crate) async fn suspend(app: &App) -> Result<Status, Problem> {
    Ok(app.parts.machine.suspend().await?)
}

pub(crate) async fn settings(app: &App) -> Result<Settings, Problem> {
    Ok(app.parts.machine.settings().await?)
}

pub(crate) async fn configure(app: &App, change: SettingsChange) -> Result<Settings, Problem> {
    let settings = app.parts.machine.change_settings(change).await?;
    app.parts.events.changed(Topic::Settings);
    Ok(settings)
}

/// The word is asked for here and not by the window alone: what this does cannot be undone.
pub(crate) async fn erase(app: &App, erase: MachineErase) -> Result<(), Problem> {
    if erase.word.trim() != ERASE_WORD {
        return Err(Problem::plain(
            Code::Invalid,
            format!("Type {ERASE_WORD} to remove everything"),
        ));
    }
    app.parts.machine.erase().await?;
    app.parts.engines.retry();
    Ok(())
}
