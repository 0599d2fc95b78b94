use futures::StreamExt as _;
use futures::stream::BoxStream;
use wherry_engine::LogChunk;

use crate::explain::{container_name, failed};
use crate::{App, LogsRequest, Problem};

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
