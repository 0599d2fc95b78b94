use wherry_engine::{Error, ImageDetail, ImageSummary};

use crate::commands::container;
use crate::{App, Code, ImageRef, ImageRemove, Problem, TaskId, Work};

pub(crate) async fn list(app: &App) -> Result<Vec<ImageSummary>, Problem> {
    Ok(app.engine().await?.images().await?)
}

pub(crate) async fn get(app: &App, image: ImageRef) -> Result<ImageDetail, Problem> {
    Ok(app.engine().await?.image(image.reference.trim()).await?)
}

pub(crate) async fn pull(app: &App, image: ImageRef) -> Result<TaskId, Problem> {
    let reference = image.reference.trim().to_owned();
    if reference.is_empty() {
        return Err(Problem::plain(Code::Invalid, "An image is missing"));
    }
    let engine = app.engine().await?;
    let logins = app.parts.logins.clone();
    let about = Work::Pull {
        reference: reference.clone(),
    };
    Ok(app.parts.tasks.start(about, |progress, cancel| async move {
        container::pull(&engine, &logins, &reference, None, &progress, &cancel)
            .await
            .map(|()| None)
    }))
}

pub(crate) async fn remove(app: &App, image: ImageRemove) -> Result<(), Problem> {
    let engine = app.engine().await?;
    let named = |error: Error| Problem::from(error).during(format!("Could not remove {}", image.reference));
    engine.remove_image(&image.reference, image.force).await.map_err(named)
}
