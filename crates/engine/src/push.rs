//! Names of images, where they go, and what they are made of.

use std::path::Path;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::{ReaderStream, StreamReader};
use ts_rs::TS;

use crate::error::{Reply, Subject};
use crate::image::{LONGEST_LINE, Pull, REGISTRY, broken};
use crate::name::{self, Reference};
use crate::transport::Call;
use crate::{Engine, Error, PullProgress, wire};

/// How many images are looked at, at once and at most: a list of thousands is not worth the wait.
const AT_ONCE: usize = 8;
const MOST: usize = 400;

/// One step of how an image was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageStep {
    /// As in a Dockerfile: `RUN apt-get update`.
    pub instruction: String,
    /// Unix seconds.
    pub created: i64,
    /// What it added, unpacked; 0 for what only sets something.
    pub bytes: u64,
    pub comment: String,
}

/// What one image holds for itself, and with others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageSize {
    pub id: String,
    /// `linux/amd64`
    pub platform: String,
    /// In layers that other images have, too; `None` where the engine does not say.
    pub shared: Option<u64>,
}

impl Engine {
    /// Gives an image one more name.
    pub async fn tag_image(&self, reference: &str, target: &str) -> Result<(), Error> {
        let parsed = Reference::parse(target)?;
        let path = format!("/images/{}/tag", name::image(reference)?);
        let call = Call::post(path, Subject::Image(reference), "name the image")
            .query("repo", parsed.repository)
            .query("tag", parsed.version);
        self.client().await?.done(call).await
    }

    /// Sends an image to its registry, as whom `auth` says. Items are as of a pull.
    pub async fn push(
        &self,
        reference: &str,
        auth: Option<String>,
    ) -> Result<impl Stream<Item = Result<PullProgress, Error>> + Send + use<>, Error> {
        let parsed = Reference::parse(reference)?;
        let call = Call::post(
            format!("/images/{}/push", parsed.repository),
            Subject::Image(reference),
            "reach the registry",
        )
        .query("tag", parsed.version)
        // The engine wants the header even from nobody.
        .registry_auth(Some(auth.unwrap_or_else(|| "e30=".to_owned())))
        .within(REGISTRY);
        let body = self.client().await?.open(call).await?.into_body();
        let bytes = http_body_util::BodyDataStream::new(body).map_err(std::io::Error::other);
        let lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(LONGEST_LINE));
        let reference = reference.to_owned();
        let mut push = Pull::new(tokio::time::Instant::now());
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
                return Err(refused_push(&reference, message));
            }
            push.apply(&line, tokio::time::Instant::now());
            Ok(push.progress())
        }))
    }

    /// The first step first, as in a Dockerfile.
    pub async fn image_history(&self, reference: &str) -> Result<Vec<ImageStep>, Error> {
        let path = format!("/images/{}/history", name::image(reference)?);
        let call = Call::get(path, Subject::Image(reference), "tell the image's history");
        let steps: Vec<wire::HistoryStep> = self.client().await?.value(call).await?;
        Ok(steps
            .into_iter()
            .rev()
            .map(|step| ImageStep {
                instruction: instruction(&step.created_by),
                created: step.created,
                bytes: u64::try_from(step.size).unwrap_or(0),
                comment: step.comment,
            })
            .collect())
    }

    /// The layers of images that are here, by what they hold unpacked, from the first on.
    pub async fn known_layers(&self) -> Result<Vec<Vec<String>>, Error> {
        let looked = self.look_at_images().await?;
        let held = self.held().await?;
        Ok(looked
            .into_iter()
            .chain(held)
            .map(|image| image.root_fs.layers)
            .collect())
    }

    /// What the list of images does not say. Of very many only the newest.
    pub async fn image_sizes(&self) -> Result<Vec<ImageSize>, Error> {
        let call = Call::get("/system/df", Subject::Engine, "measure its images").within(crate::usage::MEASURE);
        let client = self.client().await?;
        let usage = client.value::<wire::ImageUsage>(call);
        let (usage, looked) = tokio::join!(usage, self.look_at_images());
        // Without it the platform is still worth knowing.
        let usage = usage.unwrap_or_default();
        let shared: std::collections::HashMap<String, i64> = usage
            .images
            .into_iter()
            .map(|image| (image.id, image.shared_size))
            .collect();
        Ok(looked?
            .into_iter()
            .map(|image| ImageSize {
                platform: [image.os, image.architecture].join("/"),
                shared: shared.get(&image.id).and_then(|size| u64::try_from(*size).ok()),
                id: image.id,
            })
            .collect())
    }

    async fn look_at_images(&self) -> Result<Vec<wire::ImageInspect>, Error> {
        let client = self.client().await?;
        let ids: Vec<String> = self
            .images()
            .await?
            .into_iter()
            .take(MOST)
            .map(|image| image.id)
            .collect();
        let client = &client;
        let looks = futures::stream::iter(ids.into_iter().map(|id| async move {
            let call = Call::get(format!("/images/{id}/json"), Subject::Image(&id), "look at the image");
            // One that is gone meanwhile is not missed.
            client.value::<wire::ImageInspect>(call).await.ok()
        }));
        Ok(looks
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await)
    }

    /// Writes images into a tar that every engine can load. The file has its name once it is whole. `told` hears how
    /// much is written.
    pub async fn save_images(&self, references: &[String], file: &Path, told: impl Fn(u64)) -> Result<(), Error> {
        let mut call = Call::get("/images/get", Subject::Engine, "send the image").within(REGISTRY);
        for reference in references {
            call = call.query("names", name::image(reference)?);
        }
        let body = self.client().await?.open(call).await?.into_body();
        let mut pieces = http_body_util::BodyDataStream::new(body);
        let unwritten = |source| Error::File {
            file: file.to_owned(),
            source,
        };
        let folder = file.parent().unwrap_or(Path::new("."));
        let new = tempfile::NamedTempFile::new_in(folder).map_err(unwritten)?;
        let (new, path) = new.into_parts();
        let mut new = tokio::fs::File::from_std(new);
        let mut written = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|source| Error::BrokenOff { source: source.into() })?;
            new.write_all(&piece).await.map_err(unwritten)?;
            written += piece.len() as u64;
            told(written);
        }
        new.sync_all().await.map_err(unwritten)?;
        path.persist(file).map_err(|error| unwritten(error.error))
    }

    /// Takes the images of such a tar in, and says their names.
    pub async fn load_images(&self, file: &Path, told: impl Fn(u64) + Send + 'static) -> Result<Vec<String>, Error> {
        let call = Call::post("/images/load", Subject::Engine, "unpack the image").query("quiet", "1");
        self.send_file(file, call, told).await
    }

    /// Makes one layer of a tar of plain files, as `docker export` writes one, and an image of that.
    pub async fn import_image(
        &self,
        file: &Path,
        reference: &str,
        told: impl Fn(u64) + Send + 'static,
    ) -> Result<(), Error> {
        let parsed = Reference::parse(reference)?;
        let call = Call::post("/images/create", Subject::Engine, "unpack the files")
            .query("fromSrc", "-")
            .query("repo", parsed.repository)
            .query("tag", parsed.version);
        self.send_file(file, call, told).await.map(drop)
    }

    /// The same from memory.
    pub(crate) async fn load_pieces(
        &self,
        pieces: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<Vec<String>, Error> {
        let call = Call::post("/images/load", Subject::Engine, "unpack the image").query("quiet", "1");
        self.send(call.tar(pieces)).await
    }

    async fn send_file(
        &self,
        file: &Path,
        call: Call<'_>,
        told: impl Fn(u64) + Send + 'static,
    ) -> Result<Vec<String>, Error> {
        let unread = |source| Error::File {
            file: file.to_owned(),
            source,
        };
        let opened = tokio::fs::File::open(file).await.map_err(unread)?;
        let mut read = 0;
        let pieces = ReaderStream::with_capacity(opened, 1 << 20).inspect_ok(move |piece| {
            read += piece.len() as u64;
            told(read);
        });
        self.send(call.tar(pieces)).await
    }

    async fn send(&self, call: Call<'_>) -> Result<Vec<String>, Error> {
        let body = self.client().await?.open(call.within(REGISTRY)).await?.into_body();
        let bytes = http_body_util::BodyDataStream::new(body).map_err(std::io::Error::other);
        let mut lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(LONGEST_LINE));
        let mut loaded = Vec::new();
        while let Some(line) = lines.next().await {
            let line = line.map_err(broken)?;
            let line: wire::LoadLine = serde_json::from_str(&line).unwrap_or_default();
            if let Some(message) = line.error_detail.map(|detail| detail.message).or(line.error) {
                return Err(Error::Refused {
                    source: Reply { status: 200, message },
                });
            }
            // "Loaded image: busybox:1", "Loaded image ID: sha256:…"
            if let Some((_, name)) = line.stream.split_once(": ")
                && line.stream.starts_with("Loaded image")
            {
                loaded.push(name.trim().to_owned());
            }
        }
        Ok(loaded)
    }
}

fn refused_push(reference: &str, message: String) -> Error {
    let words = message.to_lowercase();
    let denied = [
        "denied",
        "unauthorized",
        "no basic auth credentials",
        "authentication required",
    ];
    let source = Reply { status: 200, message };
    if denied.iter().any(|word| words.contains(word)) {
        Error::PushDenied {
            reference: reference.to_owned(),
            source,
        }
    } else {
        Error::Refused { source }
    }
}

/// `/bin/sh -c #(nop)  CMD ["python3"]` and `RUN /bin/sh -c apt-get update # buildkit`, as they were in the Dockerfile.
fn instruction(created_by: &str) -> String {
    let text = created_by.trim().trim_end_matches("# buildkit").trim();
    if let Some(rest) = text.strip_prefix("/bin/sh -c #(nop)") {
        return rest.trim().to_owned();
    }
    if let Some(rest) = text.strip_prefix("RUN /bin/sh -c ") {
        return format!("RUN {rest}");
    }
    match text.strip_prefix("/bin/sh -c ") {
        Some(rest) => format!("RUN {rest}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_as_it_was_written() {
        for (said, written) in [
            ("/bin/sh -c #(nop)  CMD [\"python3\"]", "CMD [\"python3\"]"),
            ("/bin/sh -c apt-get update", "RUN apt-get update"),
            ("RUN /bin/sh -c pip install x # buildkit", "RUN pip install x"),
            ("COPY . . # buildkit", "COPY . ."),
            ("", ""),
        ] {
            assert_eq!(instruction(said), written);
        }
    }
}
