use futures::StreamExt as _;
use futures::stream::BoxStream;
use wherry_engine::{ContainerLoad, LogChunk};

use crate::explain::{container_name, failed};
use crate::{App, ContainerRef, LogsRequest, Problem};

pub(crate) async fn logs(
    app: &App,
    request: LogsRequest,
) -> Result<BoxStream<'static, Result<LogChunk, Problem>>, Problem> {
    let engine = app.engine().await?;
    match engine.logs(&request.id, request.tail, request.follow).await {
        Ok(logs) => Ok(logs
            .map(|chunk| chunk.map_err(|error| Problem::from(error).during("The log broke off")))
            .boxed()),
        Err(error) => {
            let name = container_name(&engine, &request.id).await;
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
