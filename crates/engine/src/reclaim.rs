//! What nobody uses, by name, and removing exactly that.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::Subject;
use crate::partial::{held_for, is_holder};
use crate::transport::{CHANGE, Call, Client};
use crate::trash::{ImageName, TrashId, TrashItem, VolumeMark, in_order, is_in_trash, trashed};
use crate::usage::MEASURE;
use crate::{Engine, Error, name, wire};

/// What could be removed without stopping anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Reclaimable {
    /// They do not run.
    pub containers: Vec<ReclaimItem>,
    /// No container was made from them.
    pub images: Vec<ReclaimItem>,
    /// No container has them. What is in them exists nowhere else.
    pub volumes: Vec<ReclaimItem>,
    /// No build is using it.
    pub build_cache: Vec<ReclaimItem>,
    /// What was removed, and waits to be gone for good.
    pub trash: Vec<ReclaimItem>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ReclaimItem {
    pub id: String,
    /// As people know it.
    pub name: String,
    /// What comes back when it alone goes: what others share stays.
    pub size: u64,
    /// "Exited (0) 3 days ago"
    pub status: Option<String>,
    /// When it was used last, where anybody knows: Unix seconds.
    pub last_use: Option<i64>,
    /// When it was made, or removed if it is in the trash: Unix seconds.
    pub at: Option<i64>,
    /// What the docker command names to remove it: every name of an image.
    pub remove: Vec<String>,
    /// Of what is in the trash.
    pub trashed: Option<TrashId>,
}

/// What the person decided to remove, as [`ReclaimItem::remove`] names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ReclaimRequest {
    pub containers: Vec<String>,
    pub images: Vec<String>,
    pub volumes: Vec<String>,
    pub build_cache: bool,
    #[serde(default)]
    pub trash: Vec<TrashId>,
    /// Containers and images go into the trash, where they use what they used. Volumes always do.
    #[serde(default)]
    pub keep: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Reclaimed {
    /// By how much less the engine's disk holds.
    pub bytes: u64,
    /// What could not be removed.
    pub left: Vec<LeftOver>,
    /// What can be brought back.
    pub kept: Vec<TrashId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LeftOver {
    pub name: String,
    pub why: String,
}

impl Engine {
    pub async fn reclaimable(&self) -> Result<Reclaimable, Error> {
        let client = self.client().await?;
        let usage = measure(&client).await?;
        let trash = crate::trash::list(&client, Some(&usage)).await?;
        let mut found = reclaimable(usage, trash);
        for image in &mut found.images {
            image.last_use = self.last_use().image(&image.id);
        }
        for volume in &mut found.volumes {
            // One of that name may have been used and removed before this one was made.
            let used = self.last_use().volume(&volume.id);
            volume.last_use = used.filter(|used| volume.at.is_none_or(|made| made <= *used));
        }
        Ok(found)
    }

    /// Goes on where something cannot be removed: it may have come into use since it was listed.
    pub async fn reclaim(&self, request: &ReclaimRequest) -> Result<Reclaimed, Error> {
        let client = self.client().await?;
        let before = crate::usage::disk_usage(&measure(&client).await?).all();
        let mut left = Vec::new();
        let mut note = |name: &str, result: Result<(), Error>| {
            if let Err(error) = result {
                left.push(LeftOver {
                    name: name.to_owned(),
                    why: reason(&error),
                });
            }
        };
        let mut kept = Vec::new();
        for item in in_order(request.trash.clone()) {
            let name = match &item {
                TrashId::Container(name) | TrashId::Image(name) | TrashId::Volume(name) => name,
            };
            note(name, self.delete_trashed(&item).await);
        }
        // In this order: what uses goes before what is used.
        for container in &request.containers {
            let removal = crate::Removal::default();
            let gone = if request.keep {
                let trashed = self.trash_container(container, removal).await;
                trashed.map(|trashed| kept.extend(trashed))
            } else {
                self.remove(container, removal).await
            };
            note(container, gone);
        }
        for image in &request.images {
            // What was pulled in part is nothing to bring back.
            let gone = if request.keep && !is_holder(std::slice::from_ref(image)) {
                let trashed = self.trash_image(image, false).await;
                trashed.map(|trashed| kept.extend(trashed))
            } else {
                self.remove_image(image, false).await
            };
            note(image, gone);
        }
        for volume in &request.volumes {
            // What is in one exists nowhere else.
            let gone = self.trash_volume(volume).await.map(|trashed| kept.push(trashed));
            note(volume, gone);
        }
        if request.build_cache {
            let call = Call::post("/build/prune", Subject::Engine, "remove its build cache")
                .query("all", "1")
                .within(CHANGE);
            note("Build cache", client.done(call).await);
        }
        let after = crate::usage::disk_usage(&measure(&client).await?).all();
        Ok(Reclaimed {
            bytes: before.saturating_sub(after),
            left,
            kept,
        })
    }
}

pub(crate) async fn measure(client: &Client) -> Result<wire::DiskUsage, Error> {
    // Since API 1.52 the single things are told only on request.
    let call = Call::get("/system/df", Subject::Engine, "measure its disk")
        .query("verbose", "1")
        .within(MEASURE);
    client.value(call).await
}

pub(crate) async fn remove_volume(client: &Client, volume: &str) -> Result<(), Error> {
    let path = format!("/volumes/{}", name::volume(volume)?);
    client
        .done(Call::delete(path, Subject::Volume(volume), "remove the volume"))
        .await
}

/// The engine's own words say more than ours: which container uses it.
fn reason(error: &Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

fn reclaimable(usage: wire::DiskUsage, trash: Vec<TrashItem>) -> Reclaimable {
    let bytes = |size: i64| u64::try_from(size).unwrap_or(0);
    let wire::DiskUsage {
        containers,
        images,
        volumes,
        build_cache,
        container_usage,
        image_usage,
        volume_usage,
        build_cache_usage,
        layers_size: _,
    } = usage;
    let containers = or_items(containers, container_usage);
    let used: HashSet<&str> = containers.iter().map(|container| container.image_id.as_str()).collect();
    let images = or_items(images, image_usage)
        .into_iter()
        .filter(|image| !used.contains(image.id.as_str()))
        .filter(|image| !is_in_trash(&image.repo_tags, &image.repo_digests))
        .map(unused_image);
    let images = largest_first(images);
    let hidden: HashSet<&str> = trash
        .iter()
        .filter_map(|item| match &item.id {
            TrashId::Volume(volume) => Some(volume.as_str()),
            TrashId::Container(_) | TrashId::Image(_) => None,
        })
        .collect();
    let volumes = or_items(volumes, volume_usage)
        .into_iter()
        .filter(|volume| volume.usage_data.as_ref().is_some_and(|usage| usage.ref_count == 0))
        .filter(|volume| VolumeMark::read(&volume.name).is_none() && !hidden.contains(volume.name.as_str()))
        .map(|volume| ReclaimItem {
            size: bytes(volume.usage_data.map_or(0, |usage| usage.size)),
            status: None,
            last_use: None,
            at: unix(&volume.created_at),
            remove: vec![volume.name.clone()],
            trashed: None,
            id: volume.name.clone(),
            name: volume.name,
        });
    let build_cache = or_items(build_cache, build_cache_usage)
        .into_iter()
        .filter(|cache| !cache.in_use && !cache.shared)
        .map(|cache| ReclaimItem {
            name: if cache.description.is_empty() {
                cache.id.clone()
            } else {
                cache.description
            },
            size: bytes(cache.size),
            status: None,
            last_use: cache.last_used_at.as_deref().and_then(unix),
            at: unix(&cache.created_at),
            remove: Vec::new(),
            trashed: None,
            id: cache.id,
        });
    let volumes = largest_first(volumes);
    Reclaimable {
        trash: largest_first(trash.into_iter().map(in_the_trash)),
        volumes,
        build_cache: largest_first(build_cache),
        images,
        containers: largest_first(
            containers
                .into_iter()
                .filter(|container| matches!(container.state.as_str(), "created" | "exited" | "stopped" | "dead"))
                .filter(|container| !container.names.iter().any(|name| trashed(name).is_some()))
                .map(|container| {
                    let name = container
                        .names
                        .first()
                        .map_or("", String::as_str)
                        .trim_start_matches('/')
                        .to_owned();
                    ReclaimItem {
                        size: bytes(container.size_rw.unwrap_or(0)),
                        status: Some(container.status),
                        last_use: None,
                        at: None,
                        remove: vec![if name.is_empty() {
                            container.id.clone()
                        } else {
                            name.clone()
                        }],
                        name,
                        trashed: None,
                        id: container.id,
                    }
                }),
        ),
    }
}

fn unused_image(image: wire::DiskUsageImage) -> ReclaimItem {
    let names: Vec<String> = image
        .repo_tags
        .iter()
        .filter(|tag| !tag.starts_with("<none>") && ImageName::read(tag).is_none())
        .map(|tag| name::familiar(tag))
        .collect();
    let pulled = held_for(&image.labels).filter(|_| is_holder(&image.repo_tags));
    let short: String = image.id.trim_start_matches("sha256:").chars().take(12).collect();
    ReclaimItem {
        name: match pulled {
            Some(pulled) => format!("{pulled}, pulled in part"),
            None => names.first().cloned().unwrap_or_else(|| short.clone()),
        },
        size: u64::try_from(image.size - image.shared_size.max(0)).unwrap_or(0),
        status: None,
        last_use: None,
        at: Some(image.created),
        remove: if names.is_empty() { vec![short] } else { names },
        trashed: None,
        id: image.id,
    }
}

fn in_the_trash(item: TrashItem) -> ReclaimItem {
    ReclaimItem {
        id: serde_json::to_string(&item.id).unwrap_or_default(),
        name: item.name,
        size: item.bytes.unwrap_or(0),
        status: None,
        last_use: None,
        at: i64::try_from(item.at / 1000).ok(),
        remove: Vec::new(),
        trashed: Some(item.id),
    }
}

fn or_items<T>(listed: Vec<T>, usage: Option<wire::DiskUsageOf<T>>) -> Vec<T> {
    usage
        .map(|usage| usage.items)
        .filter(|items| !items.is_empty())
        .unwrap_or(listed)
}

fn largest_first(items: impl Iterator<Item = ReclaimItem>) -> Vec<ReclaimItem> {
    let mut items: Vec<ReclaimItem> = items.collect();
    items.sort_by(|left, right| right.size.cmp(&left.size).then_with(|| left.name.cmp(&right.name)));
    items
}

fn unix(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_second)
        .filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGES: &str = r#"[{"Id":"sha256:aaaaaaaaaaaaaaaa","RepoTags":["web:1"],"Size":100,"SharedSize":40,"Created":5},
        {"Id":"sha256:bbbbbbbbbbbbbbbb","RepoTags":["docker.io/library/old:1","old:2"],"Size":70,"SharedSize":-1,"Created":6},
        {"Id":"sha256:cccccccccccccccc","RepoTags":null,"Size":90,"SharedSize":40,"Created":7}]"#;
    const CONTAINERS: &str = r#"[{"Id":"1","Names":["/web"],"ImageID":"sha256:aaaaaaaaaaaaaaaa","State":"running","SizeRw":5},
        {"Id":"2","Names":["/done"],"ImageID":"sha256:aaaaaaaaaaaaaaaa","State":"exited","Status":"Exited (0) 2 days ago","SizeRw":3}]"#;
    const VOLUMES: &str = r#"[{"Name":"data","UsageData":{"Size":9,"RefCount":1}},
        {"Name":"spare","CreatedAt":"2026-01-01T00:00:00Z","UsageData":{"Size":8,"RefCount":0}},{"Name":"unknown"}]"#;
    const CACHE: &str = r#"[{"ID":"x","Description":"COPY . .","Size":4,"InUse":false,"LastUsedAt":"2026-01-02T00:00:00Z"},
        {"ID":"y","Size":4,"InUse":true},{"ID":"z","Size":4,"Shared":true}]"#;

    fn names(items: &[ReclaimItem]) -> Vec<(&str, u64)> {
        items.iter().map(|item| (item.name.as_str(), item.size)).collect()
    }

    #[test]
    fn only_what_nobody_uses_is_listed_in_both_forms_of_the_answer() {
        for json in [
            format!(r#"{{"Images":{IMAGES},"Containers":{CONTAINERS},"Volumes":{VOLUMES},"BuildCache":{CACHE}}}"#),
            format!(
                r#"{{"ImageUsage":{{"TotalSize":1,"Items":{IMAGES}}},"ContainerUsage":{{"Items":{CONTAINERS}}},
                "VolumeUsage":{{"Items":{VOLUMES}}},"BuildCacheUsage":{{"Items":{CACHE}}}}}"#
            ),
        ] {
            let found = reclaimable(serde_json::from_str(&json).expect("usage"), Vec::new());
            assert_eq!(names(&found.images), [("old:1", 70), ("cccccccccccc", 50)]);
            assert_eq!(found.images[0].remove, ["old:1", "old:2"], "every name, or it stays");
            assert_eq!(found.images[1].remove, ["cccccccccccc"]);
            assert_eq!(names(&found.containers), [("done", 3)]);
            assert_eq!(names(&found.volumes), [("spare", 8)]);
            assert_eq!(names(&found.build_cache), [("COPY . .", 4)]);
            assert_eq!(found.build_cache[0].last_use, Some(1_767_312_000));
        }
    }
}
