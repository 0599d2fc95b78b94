use wherry_engine::{TrashItem, in_order};

use crate::clicked;
use crate::{App, Problem, TrashList, TrashOutcome, TrashRef};

pub(crate) async fn list(app: &App, list: TrashList) -> Result<Vec<TrashItem>, Problem> {
    Ok(app.engine().await?.trash(list.measured).await?)
}

/// One that cannot come back does not keep the others from it. Volumes first: what uses them is started.
pub(crate) async fn restore(app: &App, trash: TrashRef) -> Result<TrashOutcome, Problem> {
    let engine = app.engine().await?;
    let known = engine.trash(false).await?;
    let mut outcome = TrashOutcome::default();
    for id in in_order(trash.ids).iter().rev() {
        let click = known.iter().find(|item| item.id == *id).map(clicked::restored);
        let restored = engine.restore_trashed(id).await.map_err(Problem::from);
        keep(app, click, restored.as_ref().err());
        match restored {
            Ok(restored) => outcome.restored.push(restored),
            Err(problem) => outcome.failed.push(problem),
        }
    }
    app.trash_changed();
    Ok(outcome)
}

pub(crate) async fn delete(app: &App, trash: TrashRef) -> Result<TrashOutcome, Problem> {
    let engine = app.engine().await?;
    let known = engine.trash(false).await?;
    let mut outcome = TrashOutcome::default();
    for id in &in_order(trash.ids) {
        let click = known.iter().find(|item| item.id == *id).map(clicked::deleted);
        let gone = engine.delete_trashed(id).await.map_err(Problem::from);
        keep(app, click, gone.as_ref().err());
        match gone {
            Ok(()) => outcome.gone += 1,
            Err(problem) => outcome.failed.push(problem),
        }
    }
    app.trash_changed();
    app.parts.events.changed(crate::Topic::Engine);
    Ok(outcome)
}

/// Each for itself, because each can fail for itself. What the trash does not have was in nobody's list.
fn keep(app: &App, click: Option<clicked::Click>, problem: Option<&Problem>) {
    if let Some(click) = click {
        app.parts.clicked.add(app, click, problem, None);
    }
}
