use wherry_engine::{TrashItem, in_order};

use crate::{App, Problem, TrashList, TrashOutcome, TrashRef};

pub(crate) async fn list(app: &App, list: TrashList) -> Result<Vec<TrashItem>, Problem> {
    Ok(app.engine().await?.trash(list.measured).await?)
}

/// One that cannot come back does not keep the others from it. Volumes first: what uses them is started.
pub(crate) async fn restore(app: &App, trash: TrashRef) -> Result<TrashOutcome, Problem> {
    let engine = app.engine().await?;
    let mut outcome = TrashOutcome::default();
    for id in in_order(trash.ids).iter().rev() {
        match engine.restore_trashed(id).await {
            Ok(restored) => outcome.restored.push(restored),
            Err(error) => outcome.failed.push(error.into()),
        }
    }
    app.trash_changed();
    Ok(outcome)
}

pub(crate) async fn delete(app: &App, trash: TrashRef) -> Result<TrashOutcome, Problem> {
    let engine = app.engine().await?;
    let mut outcome = TrashOutcome::default();
    for id in &in_order(trash.ids) {
        match engine.delete_trashed(id).await {
            Ok(()) => outcome.gone += 1,
            Err(error) => outcome.failed.push(error.into()),
        }
    }
    app.trash_changed();
    app.parts.events.changed(crate::Topic::Engine);
    Ok(outcome)
}
