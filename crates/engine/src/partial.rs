//! What has arrived of a pull that did not come to its end. Engines that keep images as layers throw the finished ones
//! away with the pull. So an image of ours that consists of just these layers holds them: the next pull of the same image
//! finds them there.

use std::io;

use bytes::Bytes;
use futures::stream;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::error::Subject;
use crate::name::familiar;
use crate::transport::{Call, Client};
use crate::{Engine, Error, LayerStage, PullProgress, RemoteLayer, wire};

const REPOSITORY: &str = "wherry-pull";

/// The image that is pulled, on the one that holds its layers.
const LABEL: &str = "app.wherry.pull";

/// The name of what holds the layers of this image.
fn holder(reference: &str) -> String {
    let digest = format!("{:x}", Sha256::digest(familiar(reference)));
    format!("{REPOSITORY}:{}", &digest[..16])
}

/// Whether these are the names of an image that only holds layers.
pub(crate) fn is_holder(tags: &[String]) -> bool {
    let is_ours = |tag: &String| familiar(tag).starts_with("wherry-pull:");
    !tags.is_empty() && tags.iter().all(is_ours)
}

/// Of which image such a one holds layers.
pub(crate) fn held_for(labels: &std::collections::BTreeMap<String, String>) -> Option<&str> {
    labels.get(LABEL).map(String::as_str)
}

/// Layers from the first on that have arrived, as the engine knows them; nothing when a pull brought none of them.
pub fn finished_layers(progress: &PullProgress, layers: &[RemoteLayer]) -> Vec<String> {
    let stage = |layer: &RemoteLayer| {
        let id = layer.digest.split_once(':').map_or("", |(_, hex)| hex);
        let found = progress
            .layers
            .iter()
            .find(|shown| !shown.id.is_empty() && id.starts_with(&shown.id));
        found.map(|shown| shown.stage)
    };
    let finished: Vec<(&RemoteLayer, LayerStage)> = layers
        .iter()
        .map_while(|layer| Some((layer, stage(layer)?)))
        .take_while(|(_, stage)| matches!(stage, LayerStage::Done | LayerStage::AlreadyHere))
        .collect();
    if finished.iter().all(|(_, stage)| *stage == LayerStage::AlreadyHere) {
        return Vec::new();
    }
    finished
        .into_iter()
        .map_while(|(layer, _)| layer.diff_id.clone())
        .collect()
}

impl Engine {
    /// Keeps these layers of an image for its next pull. They have to be there: a pull that brings them goes on, or an
    /// image has them.
    pub async fn hold_layers(&self, reference: &str, platform: &str, layers: &[String]) -> Result<(), Error> {
        let client = self.client().await?;
        let name = holder(reference);
        let before = id_of(&client, &name).await;
        let tar =
            archive(&name, reference, platform, layers).map_err(|source| Error::Garbled { source: source.into() })?;
        let pieces = stream::iter([Ok::<_, io::Error>(Bytes::from(tar))]);
        self.load_pieces(pieces).await?;
        // Its name has gone over to the new one.
        if let Some(before) = before
            && id_of(&client, &name).await.is_some_and(|now| now != before)
        {
            self.remove_image(&before, false).await?;
        }
        Ok(())
    }

    /// Whether layers of this image are held for its next pull.
    pub async fn holds_layers(&self, reference: &str) -> Result<bool, Error> {
        Ok(id_of(&self.client().await?, &holder(reference)).await.is_some())
    }

    /// The image is here, or is not wanted any more.
    pub async fn let_layers_go(&self, reference: &str) -> Result<(), Error> {
        match self.remove_image(&holder(reference), false).await {
            Err(Error::ImageNotFound { .. }) => Ok(()),
            ended => ended,
        }
    }

    /// What is held, as images.
    pub(crate) async fn held(&self) -> Result<Vec<wire::ImageInspect>, Error> {
        let client = self.client().await?;
        let mut held = Vec::new();
        for image in holders(&client).await? {
            let call = Call::get(
                format!("/images/{}/json", image.id),
                Subject::Image(&image.id),
                "look at the image",
            );
            // One that is gone meanwhile is not missed.
            held.extend(client.value::<wire::ImageInspect>(call).await.ok());
        }
        Ok(held)
    }

    /// Lets go of what has been held since before this moment, in milliseconds of Unix time. Returns of how many images.
    pub async fn let_old_layers_go(&self, oldest: u64) -> Result<usize, Error> {
        let found = holders(&self.client().await?).await?;
        let old = |image: &wire::Image| u64::try_from(image.created).unwrap_or(0).saturating_mul(1000) < oldest;
        let mut gone = 0;
        for image in found.iter().filter(|image| is_holder(&image.repo_tags) && old(image)) {
            match self.remove_image(&image.id, true).await {
                Ok(()) => gone += 1,
                Err(error) => tracing::debug!(%error, "layers of a pull are held longer"),
            }
        }
        Ok(gone)
    }
}

async fn holders(client: &Client) -> Result<Vec<wire::Image>, Error> {
    let filters = json!({ "reference": [REPOSITORY] }).to_string();
    let call = Call::get("/images/json", Subject::Engine, "list the images").query("filters", &filters);
    client.value(call).await
}

async fn id_of(client: &Client, name: &str) -> Option<String> {
    let call = Call::get(
        format!("/images/{name}/json"),
        Subject::Image(name),
        "look at the image",
    );
    let found: wire::ImageInspect = client.value(call).await.ok()?;
    Some(found.id)
}

/// An image as `docker save` writes one, without its layers: an engine takes those that it has.
fn archive(name: &str, reference: &str, platform: &str, layers: &[String]) -> io::Result<Vec<u8>> {
    let mut parts = platform.splitn(3, '/');
    let (os, architecture) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let config = json!({
        "created": jiff::Timestamp::now().to_string(),
        "os": os,
        "architecture": architecture,
        "config": { "Labels": { LABEL: reference } },
        "rootfs": { "type": "layers", "diff_ids": layers },
    });
    let config = serde_json::to_vec(&config)?;
    let config_name = format!("{:x}.json", Sha256::digest(&config));
    let files: Vec<String> = (0..layers.len()).map(|at| format!("{at}/layer.tar")).collect();
    let manifest = json!([{ "Config": config_name, "RepoTags": [name], "Layers": files }]);
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in [
        (config_name.as_str(), config),
        ("manifest.json", serde_json::to_vec(&manifest)?),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, bytes.as_slice())?;
    }
    tar.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LayerProgress;

    fn layer(hex: &str, diff_id: Option<&str>) -> RemoteLayer {
        RemoteLayer {
            digest: format!("sha256:{hex}"),
            bytes: 1,
            diff_id: diff_id.map(ToOwned::to_owned),
        }
    }

    fn progress(layers: &[(&str, LayerStage)]) -> PullProgress {
        let layers = layers.iter().map(|(id, stage)| LayerProgress {
            id: (*id).to_owned(),
            stage: *stage,
            done_bytes: 0,
            total_bytes: 0,
        });
        PullProgress {
            layers: layers.collect(),
            ..PullProgress::default()
        }
    }

    #[test]
    fn layers_are_held_up_to_the_first_that_is_missing() {
        use LayerStage::{AlreadyHere, Done, Downloading};
        let layers = [
            layer("aaaa11", Some("sha256:1")),
            layer("bbbb22", Some("sha256:2")),
            layer("cccc33", Some("sha256:3")),
        ];
        let held = |stages: &[(&str, LayerStage)]| finished_layers(&progress(stages), &layers);
        assert_eq!(
            held(&[("aaaa", AlreadyHere), ("bbbb", Done), ("cccc", Downloading)]),
            ["sha256:1", "sha256:2"]
        );
        assert!(held(&[("aaaa", Downloading), ("bbbb", Done), ("cccc", Done)]).is_empty());
        assert!(
            held(&[("aaaa", AlreadyHere), ("bbbb", AlreadyHere)]).is_empty(),
            "others have them"
        );
        assert!(held(&[]).is_empty());
        let unknown = [layer("aaaa11", None)];
        assert!(finished_layers(&progress(&[("aaaa", Done)]), &unknown).is_empty());
    }

    #[test]
    fn a_holder_is_known_by_its_name() {
        let name = holder("docker.io/library/python:3.13");
        assert_eq!(name, holder("python:3.13"));
        assert!(is_holder(std::slice::from_ref(&name)));
        assert!(!is_holder(&[name, "python:3.13".to_owned()]));
        assert!(!is_holder(&[]));
    }
}
