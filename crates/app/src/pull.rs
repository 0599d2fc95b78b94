//! Pulls, as a step of whatever needs an image. What has arrived of one that does not come to its end is kept for the
//! next time.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wherry_engine::{Engine, ImageName, LayerStage, PullProgress, RemoteLayer, finished_layers, registry_of};

use crate::tasks::Progress;
use crate::{App, Code, Problem};

/// How long a pull that was called off may go on for its finished layers to be kept.
const KEEPING: Duration = Duration::from_secs(10);

/// Gets an image, telling how far it is.
pub(crate) async fn image(
    app: &App,
    engine: &Engine,
    reference: &str,
    platform: Option<&str>,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), Problem> {
    let failed = |error| {
        let problem = Problem::from(error);
        // "There is no image named x" needs nothing in front of it.
        if problem.code == Code::ImageNotFound {
            problem
        } else {
            problem.during(format!("Could not pull {reference}"))
        }
    };
    let opening = async {
        let auth = match registry_of(reference) {
            Some(registry) => app.parts.logins.header(&registry).await,
            None => None,
        };
        engine.pull_for(reference, platform, auth).await
    };
    let Some(opened) = cancel.run_until_cancelled(opening).await else {
        return Err(Problem::cancelled());
    };
    let mut pull = std::pin::pin!(opened.map_err(failed)?);
    let mut keeper = Keeper {
        app,
        engine,
        reference,
        platform,
        layers: None,
        tried: 0,
    };
    let mut shown = PullProgress::default();
    loop {
        match cancel.run_until_cancelled(pull.next()).await {
            Some(Some(Ok(latest))) => {
                // It may be the last thing that the engine tries: once it gives up, it has thrown them away.
                if latest.layers.iter().any(|layer| layer.stage == LayerStage::Retrying) {
                    keeper.keep(&latest).await;
                }
                shown = latest.clone();
                progress.set(latest);
            }
            Some(Some(Err(error))) => return Err(failed(error)),
            Some(None) => break,
            // The engine goes on until the stream is dropped, and has what is finished until then.
            None => {
                keeper.keep(&shown).await;
                return Err(Problem::cancelled());
            }
        }
    }
    if let Err(error) = engine.let_layers_go(reference).await {
        tracing::debug!(%error, reference, "layers of an earlier pull are held longer");
    }
    Ok(())
}

/// Keeps what has arrived.
struct Keeper<'a> {
    app: &'a App,
    engine: &'a Engine,
    reference: &'a str,
    platform: Option<&'a str>,
    /// As the registry has them; none when it did not say. It is asked once, and only when that is needed: Docker Hub
    /// counts it as a pull.
    layers: Option<Vec<RemoteLayer>>,
    /// How many there was an attempt to keep.
    tried: usize,
}

impl Keeper<'_> {
    async fn keep(&mut self, progress: &PullProgress) {
        if !progress.layers.iter().any(|layer| layer.stage == LayerStage::Done) {
            return;
        }
        match timeout(KEEPING, self.try_to_keep(progress)).await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => {
                tracing::debug!(
                    problem = problem.message,
                    reference = self.reference,
                    "finished layers are not kept"
                );
            }
            Err(_) => tracing::debug!(reference = self.reference, "finished layers could not be kept in time"),
        }
    }

    async fn try_to_keep(&mut self, progress: &PullProgress) -> Result<(), Problem> {
        let platform = match self.platform {
            Some(platform) => platform.to_owned(),
            None => self.app.engine_platform().await,
        };
        if self.layers.is_none() {
            // The engine tells every second that it tries again.
            self.layers = Some(Vec::new());
            let name = ImageName::parse(self.reference)?;
            self.layers = Some(self.app.remote_layers(&name, &platform).await?);
        }
        let finished = finished_layers(progress, self.layers.as_deref().unwrap_or_default());
        if finished.len() > self.tried {
            self.tried = finished.len();
            self.engine.hold_layers(self.reference, &platform, &finished).await?;
        }
        Ok(())
    }
}
