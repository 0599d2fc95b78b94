use futures::StreamExt as _;
use futures::stream::BoxStream;
use wherry_engine::EngineLoad;

use crate::{App, Problem};

/// Silent while the engine is away or asleep; ends when another one is chosen.
pub(crate) async fn load(app: &App) -> Result<BoxStream<'static, Result<EngineLoad, Problem>>, Problem> {
    let recorder = app.recorder().await?;
    recorder.engine().answers().await?;
    Ok(recorder.live().map(|load| Ok(load.as_ref().clone())).boxed())
}
