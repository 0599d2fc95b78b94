//! Pulls, as a step of whatever needs an image. What has arrived of one that does not come to its end is kept for the
//! next time.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use wherry_engine::{Engine, Error, ImageName, LayerStage, PullProgress, RemoteLayer, finished_layers, registry_of};

use crate::tasks::Progress;
use crate::{App, Code, Problem};

/// How long a pull that was called off may go on for its finished layers to be kept.
const KEEPING: Duration = Duration::from_secs(10);

/// As the dialog says it of one that was cancelled.
const KEPT: &str = "The layers that had arrived are kept for the next time.";

/// A pull from Docker Hub that takes this long is worth another one of those that it allows: asking what an image consists
/// of counts as one.
const WORTH_A_PULL: Duration = Duration::from_secs(30);

/// Gets an image, telling how far it is, and where that fails what is kept of it.
pub(crate) async fn image(
    app: &App,
    engine: &Engine,
    reference: &str,
    platform: Option<&str>,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), Problem> {
    let ended = get(app, engine, reference, platform, progress, cancel).await;
    let Err(mut problem) = ended else { return ended };
    // Who dares to try again must not fear that all of it comes again. Of one that there is not, nothing will come.
    if !matches!(problem.code, Code::Cancelled | Code::ImageNotFound)
        && engine.holds_layers(reference).await.unwrap_or(false)
    {
        let hint = problem.hint.take();
        problem.hint = Some(hint.map_or_else(|| KEPT.to_owned(), |hint| format!("{hint} {KEPT}")));
    }
    Err(problem)
}

async fn get(
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
    let mut keeper = Keeper::new(app, engine, reference, platform);
    let begun = Instant::now();
    let mut shown = PullProgress::default();
    loop {
        let happened = tokio::select! {
            happened = cancel.run_until_cancelled(pull.next()) => happened,
            () = keeper.layers.learn(), if keeper.layers.are_wanted(&shown, begun.elapsed()) => continue,
        };
        match happened {
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
    engine: &'a Engine,
    reference: &'a str,
    layers: Layers<'a>,
    /// How many there was an attempt to keep.
    tried: usize,
}

impl<'a> Keeper<'a> {
    fn new(app: &'a App, engine: &'a Engine, reference: &'a str, platform: Option<&'a str>) -> Keeper<'a> {
        Keeper {
            engine,
            reference,
            layers: Layers::of(app, reference, platform),
            tried: 0,
        }
    }

    async fn keep(&mut self, progress: &PullProgress) {
        if !has_finished(progress) {
            return;
        }
        match timeout(KEEPING, self.try_to_keep(progress)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, reference = self.reference, "finished layers are not kept"),
            Err(_) => tracing::debug!(reference = self.reference, "finished layers could not be kept in time"),
        }
    }

    async fn try_to_keep(&mut self, progress: &PullProgress) -> Result<(), Error> {
        self.layers.learn().await;
        let Some(Consists { platform, layers }) = &self.layers.known else {
            return Ok(());
        };
        let finished = finished_layers(progress, layers);
        // The engine tells every second that it tries again.
        if finished.len() > self.tried {
            self.tried = finished.len();
            self.engine.hold_layers(self.reference, platform, &finished).await?;
        }
        Ok(())
    }
}

/// What the image consists of, which its registry is asked once.
struct Layers<'a> {
    asking: Option<BoxFuture<'a, Result<Consists, Problem>>>,
    known: Option<Consists>,
    on_hub: bool,
}

struct Consists {
    platform: String,
    layers: Vec<RemoteLayer>,
}

impl<'a> Layers<'a> {
    fn of(app: &'a App, reference: &'a str, platform: Option<&'a str>) -> Layers<'a> {
        let Ok(name) = ImageName::parse(reference) else {
            return Layers {
                asking: None,
                known: None,
                on_hub: false,
            };
        };
        let on_hub = name.is_on_hub();
        let asking = async move {
            let platform = match platform {
                Some(platform) => platform.to_owned(),
                None => app.engine_platform().await,
            };
            let layers = app.remote_layers(&name, &platform).await?;
            Ok(Consists { platform, layers })
        };
        Layers {
            asking: Some(asking.boxed()),
            known: None,
            on_hub,
        }
    }

    /// Whether it is time to ask, for the network may be gone when they are needed.
    fn are_wanted(&self, progress: &PullProgress, taken: Duration) -> bool {
        let costs_nothing = !self.on_hub || taken >= WORTH_A_PULL;
        self.asking.is_some() && costs_nothing && has_finished(progress)
    }

    /// May be dropped, and goes on where it was.
    async fn learn(&mut self) {
        let Some(asking) = &mut self.asking else { return };
        let told = asking.await;
        self.asking = None;
        match told {
            Ok(known) => self.known = Some(known),
            Err(problem) => tracing::debug!(problem = problem.message, "what an image consists of is not known"),
        }
    }
}

fn has_finished(progress: &PullProgress) -> bool {
    progress.layers.iter().any(|layer| layer.stage == LayerStage::Done)
}

#[cfg(test)]
mod tests {
    use wherry_engine::LayerProgress;

    use super::*;

    #[tokio::test]
    async fn docker_hub_is_asked_only_by_a_pull_that_is_worth_it() {
        let layer = |stage| PullProgress {
            layers: vec![LayerProgress {
                id: "aaaa".into(),
                stage,
                done_bytes: 0,
                total_bytes: 0,
            }],
            ..PullProgress::default()
        };
        let (under_way, arrived) = (layer(LayerStage::Downloading), layer(LayerStage::Done));
        let of = |on_hub| Layers {
            asking: Some(std::future::ready(Err(Problem::cancelled())).boxed()),
            known: None,
            on_hub,
        };
        let (at_first, in_the_end) = (Duration::ZERO, WORTH_A_PULL);
        assert!(
            !of(false).are_wanted(&under_way, in_the_end),
            "there is nothing to keep"
        );
        assert!(of(false).are_wanted(&arrived, at_first));
        assert!(!of(true).are_wanted(&arrived, at_first));
        assert!(of(true).are_wanted(&arrived, in_the_end));

        let mut asked = of(false);
        asked.learn().await;
        assert!(!asked.are_wanted(&arrived, in_the_end), "nobody is asked twice");
    }
}
