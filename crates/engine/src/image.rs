//! What is done to images, and pulls.

use std::time::Duration;

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

use crate::error::{Reply, Subject};
use crate::name::Reference;
use crate::transport::Call;
use crate::{Engine, Error, LayerProgress, LayerStage, PullProgress, name, wire};

/// How long a registry may take until the first word of a pull: a slow one, asked through a slow proxy.
pub(crate) const REGISTRY: Duration = Duration::from_mins(2);

/// One line of a pull is a short piece of JSON.
pub(crate) const LONGEST_LINE: usize = 1 << 20;

/// A speed over less than this jumps too much to be read.
const SPEED_SAMPLE: Duration = Duration::from_millis(500);

impl Engine {
    /// With `force` although stopped containers use it or it has other names.
    pub async fn remove_image(&self, reference: &str, force: bool) -> Result<(), Error> {
        let path = format!("/images/{}", name::image(reference)?);
        let call = Call::delete(path, Subject::Image(reference), "remove the image")
            .query("force", if force { "1" } else { "0" });
        self.client().await?.done(call).await
    }

    /// Gets an image from its registry, as whom `auth` says ([`crate::Logins::header`]). Each item is the whole progress so far; an `Err` is the last. Dropping the
    /// stream makes the engine stop.
    pub async fn pull(
        &self,
        reference: &str,
        auth: Option<String>,
    ) -> Result<impl Stream<Item = Result<PullProgress, Error>> + Send + use<>, Error> {
        self.pull_for(reference, None, auth).await
    }

    /// The same for a platform like `linux/arm64`; `None` is the engine's own.
    pub async fn pull_for(
        &self,
        reference: &str,
        platform: Option<&str>,
        auth: Option<String>,
    ) -> Result<impl Stream<Item = Result<PullProgress, Error>> + Send + use<>, Error> {
        let parsed = Reference::parse(reference)?;
        let mut call = Call::post("/images/create", Subject::Image(reference), "reach the registry")
            .query("fromImage", parsed.repository)
            .query("tag", parsed.version)
            .registry_auth(auth)
            .within(REGISTRY);
        if let Some(platform) = platform {
            call = call.query("platform", platform);
        }
        let body = self.client().await?.open(call).await?.into_body();
        let bytes = http_body_util::BodyDataStream::new(body).map_err(std::io::Error::other);
        let lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(LONGEST_LINE));
        let reference = reference.to_owned();
        let mut pull = Pull::new(Instant::now());
        Ok(lines.map(move |line| {
            let line = line.map_err(broken)?;
            let mut line: wire::PullLine =
                serde_json::from_str(&line).map_err(|source| Error::Garbled { source: source.into() })?;
            if let Some(message) = line
                .error_detail
                .take()
                .map(|detail| detail.message)
                .or(line.error.take())
            {
                let reply = Reply { status: 200, message };
                return Err(Error::from_reply(Subject::Image(&reference), reply));
            }
            pull.apply(&line, Instant::now());
            Ok(pull.progress())
        }))
    }
}

pub(crate) fn broken(error: LinesCodecError) -> Error {
    match error {
        LinesCodecError::MaxLineLengthExceeded => Error::Garbled { source: error.into() },
        LinesCodecError::Io(error) => match error.downcast::<hyper::Error>() {
            Ok(source) => Error::BrokenOff { source: source.into() },
            Err(source) => Error::Garbled { source: source.into() },
        },
    }
}

/// Adds up what a pull or a push says, line by line.
pub(crate) struct Pull {
    layers: Vec<Layer>,
    speed: f64,
    sampled: Instant,
    sampled_bytes: u64,
}

struct Layer {
    shown: LayerProgress,
    /// Apart from what is shown: unpacking counts from zero again.
    fetched: u64,
    size: u64,
}

impl Pull {
    pub(crate) fn new(now: Instant) -> Pull {
        Pull {
            layers: Vec::new(),
            speed: 0.0,
            sampled: now,
            sampled_bytes: 0,
        }
    }

    pub(crate) fn apply(&mut self, line: &wire::PullLine, now: Instant) {
        let Some(stage) = stage(&line.status) else { return };
        let Some(id) = &line.id else { return };
        let layer = match self.layers.iter().position(|layer| layer.shown.id == *id) {
            Some(at) => &mut self.layers[at],
            None => self.layers.push_mut(Layer {
                shown: LayerProgress {
                    id: id.clone(),
                    stage,
                    done_bytes: 0,
                    total_bytes: 0,
                },
                fetched: 0,
                size: 0,
            }),
        };
        let count = |value: Option<i64>| {
            value
                .and_then(|value| u64::try_from(value).ok())
                .filter(|value| *value > 0)
        };
        let current = count(line.progress_detail.current);
        let total = count(line.progress_detail.total);
        layer.shown.stage = stage;
        match stage {
            LayerStage::Downloading => {
                layer.size = total.unwrap_or(layer.size);
                layer.fetched = current.unwrap_or(layer.fetched);
                // Its end has no figures.
                if line.status == "Download complete" {
                    layer.fetched = layer.size.max(layer.fetched);
                }
                layer.shown.done_bytes = layer.fetched;
                layer.shown.total_bytes = layer.size;
            }
            LayerStage::Unpacking => {
                layer.fetched = layer.size;
                layer.shown.done_bytes = current.unwrap_or(0);
                layer.shown.total_bytes = total.unwrap_or(layer.size);
            }
            LayerStage::Done => {
                layer.fetched = layer.size;
                layer.shown.done_bytes = layer.size;
                layer.shown.total_bytes = layer.size;
            }
            LayerStage::Waiting | LayerStage::Retrying | LayerStage::AlreadyHere => {}
        }
        self.measure(now);
    }

    #[expect(clippy::cast_precision_loss, reason = "a speed for people")]
    fn measure(&mut self, now: Instant) {
        let took = now.duration_since(self.sampled);
        if took < SPEED_SAMPLE {
            return;
        }
        let fetched = self.fetched();
        // A layer that starts again after an error counts from zero.
        let speed = fetched.saturating_sub(self.sampled_bytes) as f64 / took.as_secs_f64();
        self.speed = if self.sampled_bytes == 0 {
            speed
        } else {
            0.7 * self.speed + 0.3 * speed
        };
        self.sampled = now;
        self.sampled_bytes = fetched;
    }

    fn fetched(&self) -> u64 {
        self.layers.iter().map(|layer| layer.fetched).sum()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a speed is positive and far below 2^64"
    )]
    pub(crate) fn progress(&self) -> PullProgress {
        PullProgress {
            layers: self.layers.iter().map(|layer| layer.shown.clone()).collect(),
            done_bytes: self.fetched(),
            total_bytes: self.layers.iter().map(|layer| layer.size).sum(),
            bytes_per_second: self.speed as u64,
        }
    }
}

/// What a status of Moby or containerd means; lines about the whole image mean nothing here.
fn stage(status: &str) -> Option<LayerStage> {
    Some(match status {
        "Pulling fs layer" | "Waiting" | "Preparing" => LayerStage::Waiting,
        "Downloading" | "Pushing" | "Verifying Checksum" | "Download complete" => LayerStage::Downloading,
        "Extracting" => LayerStage::Unpacking,
        "Pull complete" | "Pushed" => LayerStage::Done,
        "Already exists" | "Layer already exists" => LayerStage::AlreadyHere,
        _ if status.starts_with("Mounted from") => LayerStage::AlreadyHere,
        _ if status.starts_with("Retrying in") => LayerStage::Retrying,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> wire::PullLine {
        serde_json::from_str(json).expect("a line")
    }

    #[test]
    fn a_pull_is_counted_per_layer_and_in_total() {
        let start = Instant::now();
        let mut pull = Pull::new(start);
        for (seconds, json) in [
            (0, r#"{"status":"Pulling from library/python","id":"3.13"}"#),
            (0, r#"{"status":"Already exists","progressDetail":{},"id":"aaa"}"#),
            (0, r#"{"status":"Pulling fs layer","progressDetail":{},"id":"bbb"}"#),
            (0, r#"{"status":"Pulling fs layer","progressDetail":{},"id":"ccc"}"#),
            (
                1,
                r#"{"status":"Downloading","progressDetail":{"current":1000,"total":4000},"id":"bbb"}"#,
            ),
            (
                2,
                r#"{"status":"Downloading","progressDetail":{"current":3000,"total":4000},"id":"bbb"}"#,
            ),
            (
                2,
                r#"{"status":"Downloading","progressDetail":{"current":500,"total":1000},"id":"ccc"}"#,
            ),
            (2, r#"{"status":"Download complete","progressDetail":{},"id":"bbb"}"#),
            (
                2,
                r#"{"status":"Extracting","progressDetail":{"current":100,"total":4000},"id":"bbb"}"#,
            ),
        ] {
            pull.apply(&line(json), start + Duration::from_secs(seconds));
        }
        let progress = pull.progress();
        assert_eq!((progress.done_bytes, progress.total_bytes), (4500, 5000));
        assert_eq!(
            progress.bytes_per_second, 1300,
            "1000 B/s for a second, then 2000 B/s, smoothed"
        );
        insta::assert_json_snapshot!(progress);
    }

    #[test]
    fn a_pull_that_is_done_has_nothing_left() {
        let now = Instant::now();
        let mut pull = Pull::new(now);
        for json in [
            r#"{"status":"Downloading","progressDetail":{"current":1,"total":10},"id":"a"}"#,
            r#"{"status":"Pull complete","progressDetail":{},"id":"a"}"#,
            r#"{"status":"Digest: sha256:00"}"#,
            r#"{"status":"Status: Downloaded newer image for python:3.13"}"#,
        ] {
            pull.apply(&line(json), now);
        }
        let progress = pull.progress();
        assert_eq!((progress.done_bytes, progress.total_bytes), (10, 10));
        assert_eq!(progress.layers.len(), 1, "sentences about the image are no layers");
    }
}
