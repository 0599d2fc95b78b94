use futures::StreamExt as _;
use futures::stream::BoxStream;
use wherry_engine::{ContainerLoad, LogNews, LogOpen, LogWish};

use crate::explain::{container_name, failed};
use crate::{App, ContainerRef, Problem};

pub(crate) async fn log(
    app: &App,
    open: LogOpen,
    wishes: BoxStream<'static, LogWish>,
) -> Result<BoxStream<'static, Result<LogNews, Problem>>, Problem> {
    let engine = app.engine().await?;
    let first = open.ids.first().cloned().unwrap_or_default();
    match engine.log(open, wishes).await {
        Ok(news) => Ok(news
            .map(|news| news.map_err(|error| Problem::from(error).during("The log broke off")))
            .boxed()),
        Err(error) => {
            let name = container_name(&engine, &first).await;
            Err(failed(&engine, "open the log of", &name, error, &[]).await)
        }
    }
}

/// Silent while it does not run.
pub(crate) async fn stats(
    app: &App,
    container: ContainerRef,
) -> Result<BoxStream<'static, Result<ContainerLoad, Problem>>, Problem> {
    let recorder = app.recorder().await?;
    recorder.engine().answers().await?;
    let id = recorder.engine().container(&container.id).await?.id;
    let loads = recorder.live().filter_map(move |load| {
        let found = load.containers.iter().find(|container| container.id == id).cloned();
        std::future::ready(found.map(Ok))
    });
    Ok(loads.boxed())
}
