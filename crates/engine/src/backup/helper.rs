//! A container that is never started, through which the engine gives and takes the content of a volume.
//!
//! What is half made is written into its labels, so that whoever comes after a process that was killed knows what to
//! take back: a volume that is not filled yet, containers that are paused.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::BackupVolume;
use crate::error::Subject;
use crate::transport::{Call, Client};
use crate::{Engine, Error, name, wire};

/// Whose helper it is.
pub(crate) const OWNER: &str = "app.wherry.backup";
/// The volume that this helper fills, which is worth nothing before it is full.
const FILLS: &str = "app.wherry.backup.fills";
/// The containers that are paused while this helper reads, by id, with commas.
const PAUSES: &str = "app.wherry.backup.pauses";
/// An image with nothing in it: a container needs one.
const IMAGE: &str = "wherry-backup";
/// Where the volume is in it.
pub(super) const VOLUME: &str = "/volume";
/// Containers that are being restored are called this until they are whole.
const UNFINISHED: &str = "wherry-restoring-";

/// How long the engine may be silent in the middle of a stream. Older engines collect all of an image before they
/// send its first byte.
pub(super) const STALL: Duration = Duration::from_mins(15);

/// How long what another process asked for may still be under way.
const OTHERS: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(50);

pub(super) struct Helpers {
    pub(super) client: Client,
    owner: String,
}

/// What the helper is for.
pub(super) enum Purpose<'a> {
    Read { volume: &'a str, pauses: &'a [String] },
    Fill { volume: &'a BackupVolume },
}

impl Engine {
    /// Takes back what a backup or a restore of `owner` left half done when its process was killed. `owner` is a word
    /// of letters and digits; only one process at a time may work under it.
    pub async fn tidy_backups(&self, owner: &str) -> Result<(), Error> {
        Helpers::new(self.client().await?, owner).tidy().await
    }
}

impl Helpers {
    pub(super) fn new(client: Client, owner: &str) -> Helpers {
        Helpers {
            client,
            owner: owner.to_owned(),
        }
    }

    /// The name of a container until it is whole.
    pub(super) fn unfinished(&self, number: usize) -> String {
        format!("{UNFINISHED}{}-{number}", self.owner)
    }

    pub(super) async fn prepare(&self) -> Result<(), Error> {
        self.tidy().await?;
        let nothing = stream::iter([Ok(Bytes::from_static(&[0; 1024]))]);
        let call = Call::post("/images/create", Subject::Engine, "make an empty image")
            .query("fromSrc", "-")
            .query("repo", IMAGE)
            .query("tag", &self.owner)
            .query("changes", &format!("LABEL {OWNER}={}", self.owner))
            .tar(nothing);
        super::save::lines(&self.client, call).await
    }

    pub(super) async fn create(&self, purpose: &Purpose<'_>) -> Result<String, Error> {
        let mut labels = json!({ OWNER: self.owner });
        let mut mount = json!({ "Type": "volume", "Target": VOLUME, "VolumeOptions": { "NoCopy": true } });
        let volume = match purpose {
            Purpose::Read { volume, pauses } => {
                labels[PAUSES] = pauses.join(",").into();
                mount["ReadOnly"] = true.into();
                *volume
            }
            Purpose::Fill { volume } => {
                labels[FILLS] = volume.name.clone().into();
                mount["VolumeOptions"]["Labels"] = json!(volume.labels);
                mount["VolumeOptions"]["DriverConfig"] = json!({ "Name": volume.driver, "Options": volume.options });
                &volume.name
            }
        };
        mount["Source"] = volume.into();
        let body = json!({
            "Image": format!("{IMAGE}:{}", self.owner),
            "Cmd": ["-"],
            "Labels": labels,
            "NetworkDisabled": true,
            "HostConfig": { "Mounts": [mount], "NetworkMode": "none" },
        });
        let name = format!("{IMAGE}-{}", self.owner);
        self.create_as(&name, &body, Subject::Volume(volume)).await
    }

    /// The name is always the same, and the engine gives it away once. A request of a process that was killed may
    /// still be under way in the engine: while it is, the name is taken, and then what it made can be seen and is
    /// taken back before we go on. Without this it could appear later and take back what we had filled meanwhile.
    pub(super) async fn create_as(&self, name: &str, body: &Value, subject: Subject<'_>) -> Result<String, Error> {
        let until = Instant::now() + OTHERS;
        loop {
            let call = Call::post("/containers/create", subject, "create the container")
                .query("name", name)
                .json(body);
            match self.client.value::<wire::Created>(call).await {
                Ok(created) => return Ok(created.id),
                Err(Error::NameTaken { .. }) if Instant::now() < until => {
                    self.tidy_containers().await?;
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) async fn remove(&self, id: &str) -> Result<(), Error> {
        let call = Call::delete(
            format!("/containers/{}", name::container(id)?),
            Subject::Container(id),
            "remove the helper",
        );
        gone_is_well(self.client.done(call.query("force", "1")).await)
    }

    pub(super) async fn remove_volume(&self, volume: &str) -> Result<(), Error> {
        let path = format!("/volumes/{}", name::volume(volume)?);
        let call = Call::delete(path, Subject::Volume(volume), "remove the volume");
        gone_is_well(self.client.done(call).await)
    }

    pub(super) async fn pause(&self, id: &str) -> Result<(), Error> {
        let path = format!("/containers/{}/pause", name::container(id)?);
        let call = Call::post(path, Subject::Container(id), "pause the container");
        self.client.done(call).await
    }

    /// One that is not paused, or not there, is left as it is.
    pub(super) async fn resume(&self, id: &str) -> Result<(), Error> {
        let path = format!("/containers/{}/unpause", name::container(id)?);
        let call = Call::post(path, Subject::Container(id), "resume the container");
        match self.client.done(call).await {
            Err(Error::InUse { .. } | Error::Refused { .. }) => Ok(()),
            result => gone_is_well(result),
        }
    }

    /// Leaves nothing of ours in the engine but what is whole.
    pub(super) async fn tidy(&self) -> Result<(), Error> {
        self.tidy_containers().await?;
        let ours = json!({ "label": [format!("{OWNER}={}", self.owner)] });
        let call = Call::get("/images/json", Subject::Engine, "list the images").query("filters", &ours.to_string());
        let images: Vec<wire::Image> = self.client.value(call).await?;
        for image in images {
            let path = format!("/images/{}", name::image(&image.id)?);
            let call = Call::delete(path, Subject::Image(&image.id), "remove the helper's image").query("force", "1");
            gone_is_well(self.client.done(call).await)?;
        }
        Ok(())
    }

    async fn tidy_containers(&self) -> Result<(), Error> {
        let ours = json!({ "label": [format!("{OWNER}={}", self.owner)] });
        for helper in self.listed(&ours).await? {
            for paused in helper.labels.get(PAUSES).into_iter().flat_map(|ids| ids.split(',')) {
                if !paused.is_empty() {
                    self.resume(paused).await?;
                }
            }
            self.remove(&helper.id).await?;
            if let Some(volume) = helper.labels.get(FILLS) {
                self.remove_volume(volume).await?;
            }
        }
        let prefix = format!("{UNFINISHED}{}-", self.owner);
        for container in self.listed(&json!({ "name": [prefix] })).await? {
            // The filter looks anywhere in a name.
            if container
                .names
                .iter()
                .any(|name| name.trim_start_matches('/').starts_with(&prefix))
            {
                self.remove(&container.id).await?;
            }
        }
        Ok(())
    }

    async fn listed(&self, filters: &Value) -> Result<Vec<wire::Container>, Error> {
        let call = Call::get("/containers/json", Subject::Engine, "list the containers")
            .query("all", "1")
            .query("filters", &filters.to_string());
        self.client.value(call).await
    }
}

/// Whether a container of the engine is one of these.
pub(super) fn is_helper(container: &wire::Container) -> bool {
    container.labels.contains_key(OWNER)
        || container
            .names
            .iter()
            .any(|name| name.trim_start_matches('/').starts_with(UNFINISHED))
}

pub(super) fn is_helper_image(image: &wire::Image) -> bool {
    image.labels.contains_key(OWNER)
}

pub(super) fn gone_is_well(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::NotFound { .. } | Error::ImageNotFound { .. }) => Ok(()),
        result => result,
    }
}
