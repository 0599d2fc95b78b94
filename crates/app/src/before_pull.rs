//! What a pull will cost, before it begins.

use std::path::Path;

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use wherry_engine::{
    EngineOrigin, FoundImage, HUB_SITE, Hub, ImageName, Limit, Link, RegistryClient, RemoteImage, RemoteLayer,
    RemoteTag,
};
use wherry_machine::State;

use crate::{App, Problem};

/// Stands in for Docker Hub's site, for tests.
const SITE: &str = "WHERRY_HUB_SITE";

/// Each look at a tag is up to three questions, one after another.
const LOOKS_AT_ONCE: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageQuery {
    pub query: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PullQuestion {
    pub reference: String,
    /// The engine's own without one.
    pub platform: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BeforePull {
    pub reference: String,
    pub registry: String,
    /// As a registry has it; `None` when none could be asked.
    pub image: Option<RemoteImage>,
    /// Why not. The engine may know a way that we do not.
    pub problem: Option<Problem>,
    /// The very image is on this engine already.
    pub is_here: bool,
    /// An older one of this name is.
    pub older_is_here: bool,
    /// Layers from the first on that some image here has, and their size.
    pub layers_here: usize,
    pub bytes_here: u64,
    /// Where the engine keeps its images, when that is known.
    pub disk_free: Option<u64>,
    pub limit: Option<Limit>,
    /// As whom it would be pulled.
    pub user: Option<String>,
    /// What was asked for: `linux/amd64`
    pub platform: String,
    pub engine_platform: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RemoteTags {
    /// In the registry's order, or the newest first where it says when.
    pub tags: Vec<RemoteTag>,
    /// There are more, which a search by name finds.
    pub more: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TagsRequest {
    /// An image's name without a tag.
    pub reference: String,
    /// Only tags with this in their names.
    pub named: String,
}

/// Some of what [`RemoteTags`] lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TagNames {
    /// An image's name without a tag.
    pub reference: String,
    pub tags: Vec<String>,
}

impl App {
    async fn hub(&self) -> Result<Hub, Problem> {
        let site = std::env::var(SITE).unwrap_or_else(|_| HUB_SITE.to_owned());
        let http = crate::doctor::client(&self.parts.machine.proxy().await);
        Ok(Hub::new(&site, http)?)
    }

    pub(crate) async fn search_images(&self, query: &str) -> Result<Vec<FoundImage>, Problem> {
        Ok(self.hub().await?.search(query).await?)
    }

    /// A mirror first, as the engine does, then the registry itself. Docker Hub is asked by its site, which counts no
    /// pull.
    pub(crate) async fn remote_tags(&self, request: &TagsRequest) -> Result<RemoteTags, Problem> {
        let name = ImageName::parse(request.reference.trim())?;
        let platform = self.engine_platform().await;
        let named = request.named.trim();
        let mut failure = None;
        for client in self.mirrors(&name).await {
            match client.tags(&name.path).await {
                Ok(tags) => return Ok(plain_tags(tags, named)),
                Err(error) => failure = Some(error),
            }
        }
        if name.is_on_hub() {
            match self.hub().await?.tags(&name.path, named, &platform).await {
                Ok(tags) => {
                    return Ok(RemoteTags {
                        more: tags.len() >= 100,
                        tags,
                    });
                }
                Err(error) => return Err(failure.unwrap_or(error).into()),
            }
        }
        let client = self.registry_as_person(&name.registry).await?;
        Ok(plain_tags(client.tags(&name.path).await?, named))
    }

    /// What the list of a registry does not say. A tag that cannot be looked at is left out.
    pub(crate) async fn tag_details(&self, wanted: &TagNames) -> Result<Vec<RemoteTag>, Problem> {
        let name = ImageName::parse(wanted.reference.trim())?;
        let platform = self.engine_platform().await;
        let mut clients = self.mirrors(&name).await;
        // Docker Hub would count a pull for each, and the list of its site says it all.
        if !name.is_on_hub() {
            clients.push(self.registry_as_person(&name.registry).await?);
        }
        let (clients, path, platform) = (&clients, &name.path, &platform);
        let look = |tag: String| async move {
            for client in clients {
                if let Ok(image) = client.image(path, &tag, platform).await {
                    return Some(described(tag, image));
                }
            }
            None
        };
        let looks: Vec<_> = wanted.tags.iter().cloned().map(look).collect();
        let found: Vec<Option<RemoteTag>> = futures::stream::iter(looks).buffered(LOOKS_AT_ONCE).collect().await;
        Ok(found.into_iter().flatten().collect())
    }

    pub(crate) async fn before(&self, question: &PullQuestion) -> Result<BeforePull, Problem> {
        let reference = question.reference.trim();
        let name = ImageName::parse(reference)?;
        let engine_platform = self.engine_platform().await;
        let platform = question.platform.as_deref().unwrap_or(&engine_platform);
        let user = self
            .parts
            .logins
            .find(&name.registry)
            .await
            .map(|(login, _)| login.user);
        let (found, disk_free) = tokio::join!(self.remote_image(&name, platform), self.disk_free());
        let (image, limit, problem) = match found {
            Ok((image, limit)) => (Some(image), limit, None),
            Err(problem) => (None, None, Some(problem)),
        };
        let mut before = BeforePull {
            reference: reference.to_owned(),
            registry: name.registry.clone(),
            image,
            problem,
            is_here: false,
            older_is_here: false,
            layers_here: 0,
            bytes_here: 0,
            disk_free,
            limit,
            user,
            platform: platform.to_owned(),
            engine_platform,
        };
        self.compare_with_here(&name, &mut before).await;
        Ok(before)
    }

    async fn remote_image(&self, name: &ImageName, platform: &str) -> Result<(RemoteImage, Option<Limit>), Problem> {
        for client in self.mirrors(name).await {
            if let Ok(image) = client.image(&name.path, &name.version, platform).await {
                return Ok((image, None));
            }
        }
        let client = self.registry_as_person(&name.registry).await?;
        if name.is_on_hub() && !name.is_digest() {
            let image = self.hub().await?.image(&name.path, &name.version, platform).await?;
            // How many pulls are left is worth knowing, and not knowing it hinders nobody.
            let limit = client.current(&name.path, &name.version).await.ok();
            return Ok((image, limit.and_then(|(_, limit)| limit)));
        }
        let image = client.image(&name.path, &name.version, platform).await?;
        Ok((image, None))
    }

    /// Its layers as an engine knows them, which only the registry itself tells.
    pub(crate) async fn remote_layers(&self, name: &ImageName, platform: &str) -> Result<Vec<RemoteLayer>, Problem> {
        for client in self.mirrors(name).await {
            if let Ok(image) = client.image(&name.path, &name.version, platform).await {
                return Ok(image.layers);
            }
        }
        let client = self.registry_as_person(&name.registry).await?;
        Ok(client.image(&name.path, &name.version, platform).await?.layers)
    }

    /// What the engine has of it. An engine that does not answer has nothing.
    async fn compare_with_here(&self, name: &ImageName, before: &mut BeforePull) {
        let Ok(engine) = self.engine().await else { return };
        let Ok(images) = engine.images().await else { return };
        let named = images
            .iter()
            .find(|image| image.references.iter().any(|reference| name.is(reference)));
        let Some(remote) = &before.image else {
            before.older_is_here = named.is_some();
            return;
        };
        let same = |digests: &[String]| {
            let digest = remote.digest.as_deref();
            digest.is_some_and(|digest| digests.iter().any(|known| known.ends_with(digest)))
        };
        before.is_here = images.iter().any(|image| same(&image.digests));
        before.older_is_here = named.is_some_and(|image| !same(&image.digests));
        let Ok(known) = engine.known_layers().await else { return };
        let is_known = |remote: &RemoteImage, image: &[String]| {
            let pairs = remote.layers.iter().zip(image);
            pairs
                .take_while(|(layer, here)| layer.diff_id.as_ref() == Some(here))
                .count()
        };
        before.layers_here = known.iter().map(|image| is_known(remote, image)).max().unwrap_or(0);
        before.bytes_here = remote.layers[..before.layers_here]
            .iter()
            .map(|layer| layer.bytes)
            .sum();
    }

    /// The engine's mirrors of Docker Hub, for an image that is there.
    pub(crate) async fn mirrors(&self, name: &ImageName) -> Vec<RegistryClient> {
        if !name.is_on_hub() {
            return Vec::new();
        }
        let settings = self.registry_settings().await.unwrap_or_default();
        let mut clients = Vec::new();
        for mirror in settings.mirrors {
            let Ok(address) = wherry_engine::registry_address(&mirror) else {
                continue;
            };
            let insecure = mirror.starts_with("http://");
            if let Ok(client) = self.registry_at(&address, insecure, None).await {
                clients.push(client);
            }
        }
        clients
    }

    pub(crate) async fn registry_as_person(&self, registry: &str) -> Result<RegistryClient, Problem> {
        let login = self.parts.logins.find(registry).await.map(|(login, _)| login);
        self.registry(registry, login).await
    }

    /// `linux/amd64`, which nearly every engine is, where it cannot be asked.
    pub(crate) async fn engine_platform(&self) -> String {
        let architecture = match self.engine().await {
            Ok(engine) => match &*engine.link().borrow() {
                Link::Connected { info, .. } => info.architecture.clone(),
                Link::Connecting | Link::Away { .. } => String::new(),
            },
            Err(_) => String::new(),
        };
        let architecture = match architecture.as_str() {
            "" | "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        format!("linux/{architecture}")
    }

    async fn disk_free(&self) -> Option<u64> {
        let used = self.parts.engines.current().await.used?;
        if used.origin == EngineOrigin::Machine {
            let status = self.parts.machine.status().await.ok()?;
            let State::Running { running } = status.state else {
                return None;
            };
            return Some(
                running
                    .usage
                    .guest_disk_total
                    .saturating_sub(running.usage.guest_disk_used),
            );
        }
        if !used.address.starts_with("unix://") {
            return None;
        }
        let folder = used.engine.data_folder().await.ok()?;
        let free = tokio::task::spawn_blocking(move || free_at(Path::new(&folder)));
        free.await.ok().flatten()
    }
}

/// Of the disk that holds this folder, if it is one of this computer's.
fn free_at(folder: &Path) -> Option<u64> {
    if !folder.is_dir() {
        return None;
    }
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    disks
        .iter()
        .filter(|disk| folder.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().as_os_str().len())
        .map(sysinfo::Disk::available_space)
}

fn described(name: String, image: RemoteImage) -> RemoteTag {
    RemoteTag {
        name,
        bytes: Some(image.bytes),
        since: (image.created > 0).then_some(image.created),
        platforms: image.platforms,
    }
}

fn plain_tags(all: Vec<String>, named: &str) -> RemoteTags {
    /// What nobody would scroll through.
    const MOST: usize = 500;
    let fitting: Vec<String> = all.into_iter().filter(|name| name.contains(named)).collect();
    RemoteTags {
        more: fitting.len() > MOST,
        // Registries sort by letters, so what is newest is mostly last.
        tags: fitting
            .into_iter()
            .rev()
            .take(MOST)
            .map(|name| RemoteTag {
                name,
                bytes: None,
                since: None,
                platforms: Vec::new(),
            })
            .collect(),
    }
}
