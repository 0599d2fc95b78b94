//! What is removed waits in the engine itself until it is gone for good: a container is stopped and renamed, an image
//! keeps a name of ours, and beside a volume stands an empty one that names it. Lists leave out what is in the trash.

mod lines;
mod moves;
mod name;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use ts_rs::TS;

use crate::error::Subject;
use crate::transport::{Call, Client};
use crate::{ContainerSummary, Engine, Error, name::familiar, wire};

pub(crate) use self::name::{ContainerName, ImageName, RestartPolicy, VolumeMark, is_in_trash};

/// One thing in the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TrashItem {
    pub id: TrashId,
    /// What it was called, and will be again.
    pub name: String,
    /// What the engine calls it meanwhile.
    pub kept_as: String,
    /// Unix milliseconds, when it was removed.
    pub at: u64,
    /// Of a container: its image. Else nothing.
    pub image: Option<String>,
    /// What it will be called instead, when its own name cannot be given back: that of an image known by its digest.
    pub comes_back_as: Option<String>,
    /// What comes back when it is gone for good; `None` while it is not measured.
    pub bytes: Option<u64>,
    /// The commands that bring it back, for a POSIX shell.
    pub restoring: String,
    /// The command after which it is gone for good.
    pub deleting: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(tag = "type", content = "id", rename_all = "camelCase")]
pub enum TrashId {
    /// Its id.
    Container(String),
    /// The name that the trash gave it.
    Image(String),
    /// Its own name.
    Volume(String),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    pub id: TrashId,
    /// Another than before where that is taken now.
    pub name: String,
    /// It ran before, and could not be started again: the engine's words.
    pub not_started: Option<String>,
    /// It was known by this, and the engine has forgotten it: somebody removed it meanwhile.
    pub lost_digest: Option<String>,
}

/// What the trash may hold.
#[derive(Clone, Copy, Debug)]
pub struct TrashLimits {
    /// Unix milliseconds: what was removed before goes.
    pub oldest: u64,
    /// The oldest go until the rest is this small.
    pub bytes: u64,
}

impl Engine {
    /// Latest first.
    pub async fn trash(&self, measured: bool) -> Result<Vec<TrashItem>, Error> {
        let client = self.client().await?;
        let usage = if measured {
            Some(crate::reclaim::measure(&client).await?)
        } else {
            None
        };
        list(&client, usage.as_ref()).await
    }

    /// Those that somebody started again while they were in the trash, as `docker compose up` does with the containers
    /// of its project: they are themselves again.
    pub async fn give_back(&self, container: &str) -> Result<(), Error> {
        let inspect = self.inspect_container(container).await?;
        match ContainerName::read(inspect.name.trim_start_matches('/')) {
            Some(kept) => self.take_out(&inspect.id, &kept).await.map(drop),
            None => Ok(()),
        }
    }

    /// What is too old or too much is gone for good: how many things. One that cannot go stays.
    pub async fn shrink_trash(&self, limits: TrashLimits) -> Result<usize, Error> {
        let client = self.client().await?;
        for mark in Marks::of(&volumes(&client).await?).stale {
            crate::reclaim::remove_volume(&client, &mark.write()).await?;
        }
        let mut items = list(&client, None).await?;
        if items.is_empty() {
            return Ok(0);
        }
        let mut gone = 0;
        let (old, kept): (Vec<_>, Vec<_>) = items.drain(..).partition(|item| item.at < limits.oldest);
        gone += self.delete_all(old).await;
        if kept.is_empty() {
            return Ok(gone);
        }
        let measured = self.trash(true).await?;
        let mut room = limits.bytes;
        let mut too_much = Vec::new();
        for item in measured {
            match room.checked_sub(item.bytes.unwrap_or(0)) {
                Some(left) if too_much.is_empty() => room = left,
                Some(_) | None => too_much.push(item),
            }
        }
        gone += self.delete_all(too_much).await;
        Ok(gone)
    }

    async fn delete_all(&self, items: Vec<TrashItem>) -> usize {
        let mut gone = 0;
        for item in in_order(items.into_iter().map(|item| item.id).collect()) {
            match self.delete_trashed(&item).await {
                Ok(()) => gone += 1,
                Err(error) => tracing::debug!(%error, ?item, "it stays in the trash"),
            }
        }
        gone
    }
}

impl ContainerSummary {
    /// It is in the trash by its name, and runs all the same.
    pub fn is_taken_back(&self) -> bool {
        ContainerName::read(&self.name).is_some()
    }
}

/// What uses goes before what is used.
pub fn in_order(mut ids: Vec<TrashId>) -> Vec<TrashId> {
    ids.sort_by_key(|id| match id {
        TrashId::Container(_) => 0,
        TrashId::Image(_) => 1,
        TrashId::Volume(_) => 2,
    });
    ids
}

pub(crate) async fn list(client: &Client, usage: Option<&wire::DiskUsage>) -> Result<Vec<TrashItem>, Error> {
    let ours = json!({ "name": [self::name::PREFIX] }).to_string();
    let containers = Call::get("/containers/json", Subject::Engine, "list the trash")
        .query("all", "1")
        .query("filters", &ours);
    // All of them: a filter by name would leave out their names outside of the trash.
    let images = Call::get("/images/json", Subject::Engine, "list the trash");
    let (containers, images, volumes) = tokio::try_join!(
        client.value::<Vec<wire::Container>>(containers),
        client.value::<Vec<wire::Image>>(images),
        volumes(client),
    )?;
    let sizes = usage.map(Sizes::of);
    let mut items: Vec<TrashItem> = containers
        .into_iter()
        .filter_map(|container| {
            let mut names = container.names.iter().map(|name| name.trim_start_matches('/'));
            let (kept_as, kept) = names.find_map(|name| Some((name, ContainerName::read(name)?)))?;
            let bytes = sizes.as_ref().map(|sizes| of(&sizes.containers, &container.id));
            let id = TrashId::Container(container.id);
            Some(TrashItem {
                image: Some(familiar(&container.image)),
                bytes,
                ..TrashItem::new(id, kept_as.to_owned(), kept.name, kept.at)
            })
        })
        .collect();
    for image in images {
        // One that has a name outside of the trash frees nothing.
        let is_last = is_in_trash(&image.repo_tags, &image.repo_digests);
        for tag in &image.repo_tags {
            let Some(kept) = ImageName::read(tag) else { continue };
            let name = kept.reference.as_deref().map_or_else(|| familiar(&image.id), familiar);
            items.push(TrashItem {
                bytes: sizes
                    .as_ref()
                    .map(|sizes| if is_last { of(&sizes.images, &image.id) } else { 0 }),
                ..TrashItem::new(TrashId::Image(tag.clone()), tag.clone(), name, kept.at)
            });
        }
    }
    items.extend(Marks::of(&volumes).hidden.into_iter().map(|mark| TrashItem {
        bytes: sizes.as_ref().map(|sizes| of(&sizes.volumes, &mark.name)),
        ..mark.item()
    }));
    items.sort_by(|left, right| right.at.cmp(&left.at).then_with(|| left.name.cmp(&right.name)));
    Ok(items)
}

async fn volumes(client: &Client) -> Result<Vec<wire::Volume>, Error> {
    let call = Call::get("/volumes", Subject::Engine, "list the volumes");
    Ok(client.value::<wire::Volumes>(call).await?.volumes)
}

/// Which volumes are hidden by a mark, and the marks that hide none: somebody else removed their volume, and may have
/// made another of the same name since, which is not ours to hide or to remove.
struct Marks {
    hidden: Vec<VolumeMark>,
    stale: Vec<VolumeMark>,
}

impl Marks {
    fn of(volumes: &[wire::Volume]) -> Marks {
        let made: HashMap<&str, u64> = volumes
            .iter()
            .map(|volume| (volume.name.as_str(), millis(&volume.created_at)))
            .collect();
        let (hidden, stale) = volumes
            .iter()
            .filter_map(|volume| VolumeMark::read(&volume.name))
            .partition(|mark| made.get(mark.name.as_str()).is_some_and(|made| *made <= mark.at));
        Marks { hidden, stale }
    }
}

/// 0 for what an engine does not tell: then it is as old as anything. Engines count in seconds.
fn millis(time: &str) -> u64 {
    let time = time.parse::<jiff::Timestamp>().ok();
    time.and_then(|time| u64::try_from(time.as_millisecond()).ok())
        .unwrap_or(0)
}

/// A container's name as the engine lists it, with its slash.
pub(crate) fn trashed(listed: &str) -> Option<ContainerName> {
    ContainerName::read(listed.trim_start_matches('/'))
}

fn of(sizes: &HashMap<String, u64>, id: &str) -> u64 {
    sizes.get(id).copied().unwrap_or(0)
}

#[derive(Default)]
struct Sizes {
    containers: HashMap<String, u64>,
    images: HashMap<String, u64>,
    volumes: HashMap<String, u64>,
}

impl Sizes {
    fn of(usage: &wire::DiskUsage) -> Sizes {
        let bytes = |size: i64| u64::try_from(size).unwrap_or(0);
        let containers = usage.containers.iter();
        let images = usage.images.iter();
        let volumes = usage.volumes.iter();
        Sizes {
            containers: containers
                .chain(usage.container_usage.iter().flat_map(|usage| &usage.items))
                .map(|container| (container.id.clone(), bytes(container.size_rw.unwrap_or(0))))
                .collect(),
            images: images
                .chain(usage.image_usage.iter().flat_map(|usage| &usage.items))
                .map(|image| (image.id.clone(), bytes(image.size - image.shared_size.max(0))))
                .collect(),
            volumes: volumes
                .chain(usage.volume_usage.iter().flat_map(|usage| &usage.items))
                .map(|volume| {
                    let size = volume.usage_data.as_ref().map_or(0, |usage| usage.size);
                    (volume.name.clone(), bytes(size))
                })
                .collect(),
        }
    }
}
