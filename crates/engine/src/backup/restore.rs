//! Bringing a backup back: each thing is whole or not there, and nothing that is there is written over unasked.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use ts_rs::TS;

use super::archive::{Found, Reader};
use super::helper::{Helpers, Purpose, STALL, is_helper};
use super::save::{BUILT_IN, items, lines, text};
use super::{
    BackupContainer, BackupError, BackupManifest, BackupMember, BackupProgress, BackupStep, BackupVolume, Counter,
    SETTINGS, in_background, verify_backup,
};
use crate::error::Subject;
use crate::transport::{Call, Client};
use crate::{Engine, Error, Link, name, wire};

/// A container's own short id, which it is called by on its networks and by itself.
const SHORT_ID: usize = 12;

/// What happens to things that are there already, by their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Existing {
    /// Nothing is restored at all.
    #[default]
    Refuse,
    /// They stay; the rest is restored.
    Keep,
    /// They are removed and come from the backup.
    Replace,
}

#[derive(Clone, Debug)]
pub struct RestoreRequest {
    pub file: PathBuf,
    pub existing: Existing,
    /// Start the containers that were running.
    pub start: bool,
    /// See [`Engine::tidy_backups`].
    pub owner: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RestoreReport {
    pub images: usize,
    pub networks: usize,
    pub volumes: usize,
    pub containers: usize,
    /// What was there and was left as it is.
    pub kept: Vec<String>,
    pub notes: Vec<String>,
    /// The settings in the file, for whoever they belong to.
    #[ts(skip)]
    #[serde(skip)]
    pub settings: Option<Value>,
}

impl Engine {
    /// Reads all of the file first; a damaged one changes nothing. When it fails or is cancelled on the way, what is
    /// half made is taken back; what is whole stays, and [`Existing::Keep`] goes on from there.
    pub async fn restore(
        &self,
        request: &RestoreRequest,
        tell: &BackupProgress,
        cancel: &CancellationToken,
    ) -> Result<RestoreReport, Error> {
        let client = self.client().await?;
        let helpers = Helpers::new(client, &request.owner);
        let result = match cancel
            .run_until_cancelled(self.bring_back(request, &helpers, tell))
            .await
        {
            Some(result) => result,
            None => Err(BackupError::GivenUp.into()),
        };
        let tidied = helpers.tidy().await;
        let report = result?;
        tidied.map(|()| report)
    }

    async fn bring_back(
        &self,
        request: &RestoreRequest,
        helpers: &Helpers,
        tell: &BackupProgress,
    ) -> Result<RestoreReport, Error> {
        let content = super::backup_contents(&request.file).await?.content_bytes;
        // The check and what follows are one piece of work for whoever waits.
        let in_all: BackupProgress = {
            let tell = tell.clone();
            std::sync::Arc::new(move |step: BackupStep| {
                tell(BackupStep {
                    total_bytes: step.total_bytes + content,
                    ..step
                });
            })
        };
        let manifest = verify_backup(&request.file, in_all).await?;
        let file_bytes: u64 = manifest.members.iter().map(|member| member.size).sum();
        let counter = Counter::new(tell, file_bytes + content);
        counter.add(file_bytes);

        helpers.prepare().await?;
        let here = Here::look(&helpers.client).await?;
        let plan = here.plan(&manifest, request.existing)?;
        let file = request.file.clone();
        let (reader, members) = in_background(move || {
            let mut reader = Reader::open(&file)?;
            let (_, members) = reader.contents()?;
            Ok((reader, members))
        })
        .await?;
        let said = manifest.members.clone();
        let mut work = Work {
            client: &helpers.client,
            helpers,
            members: members.into_iter().zip(said).collect(),
            reader,
            here,
            counter,
            report: RestoreReport {
                kept: plan.kept.clone(),
                ..RestoreReport::default()
            },
        };
        if let Link::Connected { info, .. } = &*self.link().borrow() {
            work.warn_of_architecture(&manifest, &info.architecture);
        }
        work.images(&manifest).await?;
        let containers = work.read_containers(&manifest)?;
        work.networks(&manifest, &containers).await?;
        for volume in &manifest.volumes {
            if !plan.kept.contains(&titled("Volume", &volume.name)) {
                work.volume(volume)
                    .await
                    .map_err(|source| not_restored("volume", &volume.name, source))?;
            }
        }
        work.containers(&plan, containers, request.start).await?;
        if manifest.settings {
            work.report.settings = Some(work.json(SETTINGS)?);
        }
        Ok(work.report)
    }
}

fn titled(kind: &str, name: &str) -> String {
    format!("{kind} {name}")
}

fn not_restored(kind: &str, name: &str, source: Error) -> Error {
    BackupError::NotRestored {
        what: format!("{kind} {name}"),
        source: Box::new(source),
    }
    .into()
}

/// What the engine has, by name.
struct Here {
    containers: Vec<wire::Container>,
    volumes: HashSet<String>,
    networks: HashSet<String>,
    /// Reference to id.
    images: HashMap<String, String>,
}

struct Plan {
    kept: Vec<String>,
    /// Names of containers that come from the backup.
    containers: BTreeSet<String>,
}

impl Here {
    async fn look(client: &Client) -> Result<Here, Error> {
        let call = Call::get("/containers/json", Subject::Engine, "list the containers").query("all", "1");
        let mut containers: Vec<wire::Container> = client.value(call).await?;
        containers.retain(|container| !is_helper(container));
        let volumes: Value = client
            .value(Call::get("/volumes", Subject::Engine, "list the volumes"))
            .await?;
        let networks: Value = client
            .value(Call::get("/networks", Subject::Engine, "list the networks"))
            .await?;
        let images: Vec<wire::Image> = client
            .value(Call::get("/images/json", Subject::Engine, "list the images"))
            .await?;
        Ok(Here {
            containers,
            volumes: items(&volumes, "/Volumes")
                .iter()
                .map(|volume| text(volume, "/Name"))
                .collect(),
            networks: items(&networks, "")
                .iter()
                .map(|network| text(network, "/Name"))
                .collect(),
            images: images
                .into_iter()
                .flat_map(|image| {
                    let id = image.id;
                    image
                        .repo_tags
                        .into_iter()
                        .map(move |reference| (reference, id.clone()))
                })
                .collect(),
        })
    }

    fn container(&self, name: &str) -> Option<&wire::Container> {
        self.containers.iter().find(|container| is_called(container, name))
    }

    /// What is kept and what is not, or why nothing may be done.
    fn plan(&self, manifest: &BackupManifest, existing: Existing) -> Result<Plan, BackupError> {
        let mut present = Vec::new();
        for image in &manifest.images {
            for reference in &image.references {
                if self.images.get(reference).is_some_and(|id| *id != image.id) {
                    present.push(titled("Image", reference));
                }
            }
        }
        for volume in &manifest.volumes {
            if self.volumes.contains(&volume.name) {
                present.push(titled("Volume", &volume.name));
            }
        }
        for container in &manifest.containers {
            if self.container(&container.name).is_some() {
                present.push(titled("Container", &container.name));
            }
        }
        let all = manifest.containers.iter().map(|container| container.name.clone());
        match existing {
            Existing::Refuse if !present.is_empty() => Err(BackupError::Exists { names: present }),
            Existing::Refuse => Ok(Plan {
                kept: Vec::new(),
                containers: all.collect(),
            }),
            Existing::Keep => Ok(Plan {
                containers: all
                    .filter(|name| !present.contains(&titled("Container", name)))
                    .collect(),
                kept: present,
            }),
            Existing::Replace => {
                let containers: BTreeSet<String> = all.collect();
                for volume in manifest
                    .volumes
                    .iter()
                    .filter(|volume| self.volumes.contains(&volume.name))
                {
                    let by: Vec<String> = self
                        .users(&volume.name)
                        .map(own_name)
                        .filter(|user| !containers.contains(user))
                        .collect();
                    if !by.is_empty() {
                        return Err(BackupError::VolumeInUse {
                            volume: volume.name.clone(),
                            by,
                        });
                    }
                }
                Ok(Plan {
                    kept: Vec::new(),
                    containers,
                })
            }
        }
    }

    fn users<'a>(&'a self, volume: &'a str) -> impl Iterator<Item = &'a wire::Container> {
        self.containers
            .iter()
            .filter(move |container| container.mounts.iter().any(|mount| mount.name == volume))
    }
}

fn own_name(container: &wire::Container) -> String {
    container
        .names
        .iter()
        .map(|name| name.trim_start_matches('/'))
        .find(|name| !name.contains('/'))
        .unwrap_or(&container.id)
        .to_owned()
}

fn is_called(container: &wire::Container, name: &str) -> bool {
    container.names.iter().any(|own| own.trim_start_matches('/') == name)
}

struct Work<'a> {
    client: &'a Client,
    helpers: &'a Helpers,
    reader: Reader,
    members: Vec<(Found, BackupMember)>,
    here: Here,
    counter: Counter,
    report: RestoreReport,
}

/// A container of the backup, as the engine described it.
struct Described {
    entry: BackupContainer,
    inspect: Value,
}

impl Work<'_> {
    fn member(&self, name: &str) -> Result<&(Found, BackupMember), Error> {
        self.members
            .iter()
            .find(|(found, _)| found.name == name)
            .ok_or_else(|| Error::Garbled {
                source: format!("{name} is missing").into(),
            })
    }

    fn json(&self, member: &str) -> Result<Value, Error> {
        let (found, said) = self.member(member)?;
        // At most some kilobytes, read a moment ago.
        let bytes = self.reader.small(found, said)?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Garbled { source: error.into() })
    }

    /// Sends a member's content to the engine, counting.
    fn tar<'c>(&self, call: Call<'c>, member: &str) -> Result<Call<'c>, Error> {
        let (found, said) = self.member(member)?;
        let (pieces, counter) = (self.reader.pieces(found, said), self.counter.clone());
        Ok(call.tar(futures::stream::unfold(
            (pieces, counter),
            |(mut pieces, counter)| async {
                let piece = pieces.recv().await?;
                if let Ok(piece) = &piece {
                    counter.add(piece.len() as u64);
                }
                Some((piece, (pieces, counter)))
            },
        )))
    }

    fn warn_of_architecture(&mut self, manifest: &BackupManifest, engine: &str) {
        let engine = match engine {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "i386" | "i686" => "386",
            "armv7l" | "armv6l" => "arm",
            other => other,
        };
        for image in &manifest.images {
            if !image.architecture.is_empty() && image.architecture != engine {
                let name = name::familiar(image.references.first().unwrap_or(&image.id));
                self.report.notes.push(format!(
                    "Image {name} is for {} processors and this engine has {engine}: its containers may not start.",
                    image.architecture
                ));
            }
        }
    }

    async fn images(&mut self, manifest: &BackupManifest) -> Result<(), Error> {
        let mut members: Vec<&str> = manifest.images.iter().map(|image| image.member.as_str()).collect();
        members.dedup();
        for member in members {
            let family: Vec<_> = manifest.images.iter().filter(|image| image.member == member).collect();
            let title = name::familiar(family[0].references.first().unwrap_or(&family[0].id));
            let mut present = true;
            for image in &family {
                let same = |reference: &String| self.here.images.get(reference) == Some(&image.id);
                present = present && image.references.iter().all(same) && self.has_image(&image.id).await?;
            }
            if present {
                continue;
            }
            self.counter.doing(format!("Image {title}"));
            let call = Call::post("/images/load", Subject::Engine, "unpack the image").within(STALL);
            lines(self.client, self.tar(call, member)?)
                .await
                .map_err(|source| not_restored("image", &title, source))?;
            self.report.images += family.len();
            // Loading gives names away; those that are to stay go back to whom they belonged.
            for image in &family {
                for reference in &image.references {
                    if let Some(before) = self.here.images.get(reference)
                        && self.report.kept.contains(&titled("Image", reference))
                    {
                        self.tag(before, reference).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn has_image(&self, reference: &str) -> Result<bool, Error> {
        Ok(self.image_id(reference).await?.is_some())
    }

    async fn image_id(&self, reference: &str) -> Result<Option<String>, Error> {
        let path = format!("/images/{}/json", name::image(reference)?);
        let call = Call::get(path, Subject::Image(reference), "look at the image");
        match self.client.value::<wire::ImageInspect>(call).await {
            Ok(image) => Ok(Some(image.id)),
            Err(Error::ImageNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn tag(&self, id: &str, reference: &str) -> Result<(), Error> {
        let parts = name::Reference::parse(reference)?;
        let call = Call::post(
            format!("/images/{}/tag", name::image(id)?),
            Subject::Image(reference),
            "name the image",
        )
        .query("repo", parts.repository)
        .query("tag", parts.version);
        self.client.done(call).await
    }

    fn read_containers(&self, manifest: &BackupManifest) -> Result<Vec<Described>, Error> {
        let mut described = Vec::new();
        for entry in &manifest.containers {
            described.push(Described {
                inspect: self.json(&entry.member)?,
                entry: entry.clone(),
            });
        }
        Ok(described)
    }

    /// One that is there is used as it is: it holds nothing of the person's.
    async fn networks(&mut self, manifest: &BackupManifest, containers: &[Described]) -> Result<(), Error> {
        for network in &manifest.networks {
            if self.here.networks.contains(&network.name) {
                continue;
            }
            self.counter.doing(format!("Network {}", network.name));
            let found = self.json(&network.member)?;
            let mut body = json!({ "Name": network.name, "CheckDuplicate": true });
            for key in [
                "Driver",
                "Internal",
                "Attachable",
                "EnableIPv4",
                "EnableIPv6",
                "IPAM",
                "Options",
                "Labels",
            ] {
                if !found[key].is_null() {
                    body[key] = found[key].clone();
                }
            }
            let fixed = containers.iter().any(|container| {
                let own = &container.inspect["NetworkSettings"]["Networks"][&network.name]["IPAMConfig"];
                own.as_object().is_some_and(|addresses| !addresses.is_empty())
            });
            match self.create_network(&body).await {
                // Its addresses are used by something on this computer.
                Err(Error::Refused { source }) if overlaps(&source.message) && !fixed => {
                    if let Some(fields) = body.as_object_mut() {
                        fields.remove("IPAM");
                    }
                    self.create_network(&body)
                        .await
                        .map_err(|source| not_restored("network", &network.name, source))?;
                    self.report.notes.push(format!(
                        "Network {} has other addresses than before, because something here uses the old ones.",
                        network.name
                    ));
                }
                result => result.map_err(|source| not_restored("network", &network.name, source))?,
            }
            self.report.networks += 1;
        }
        Ok(())
    }

    async fn create_network(&self, body: &Value) -> Result<(), Error> {
        let call = Call::post("/networks/create", Subject::Engine, "make the network").json(body);
        self.client.done(call).await
    }

    async fn volume(&mut self, volume: &BackupVolume) -> Result<(), Error> {
        name::volume(&volume.name)?;
        self.counter.doing(format!("Volume {}", volume.name));
        if self.here.volumes.contains(&volume.name) {
            let users: Vec<String> = self.here.users(&volume.name).map(|user| user.id.clone()).collect();
            for user in users {
                self.remove_container(&user).await?;
            }
            self.helpers.remove_volume(&volume.name).await?;
        }
        if let Some(member) = &volume.member {
            let helper = self.helpers.create(&Purpose::Fill { volume }).await?;
            let path = format!("/containers/{}/archive", name::container(&helper)?);
            let call = Call::put(path, Subject::Volume(&volume.name), "fill the volume")
                // From the root: the engine refuses links that would lead out of where it unpacks.
                .query("path", "/")
                .query("noOverwriteDirNonDir", "true")
                .within(STALL);
            let call = self.tar(call, member)?;
            self.client.done(call).await?;
            self.helpers.remove(&helper).await?;
        } else {
            let body = json!({
                "Name": volume.name,
                "Driver": volume.driver,
                "DriverOpts": volume.options,
                "Labels": volume.labels,
            });
            let call = Call::post("/volumes/create", Subject::Volume(&volume.name), "make the volume").json(&body);
            self.client.done(call).await?;
        }
        self.report.volumes += 1;
        Ok(())
    }

    /// Stopped in order first: what replaces it does not need it to be killed.
    async fn remove_container(&mut self, id: &str) -> Result<(), Error> {
        let stop = Call::post(
            format!("/containers/{}/stop", name::container(id)?),
            Subject::Container(id),
            "stop the container",
        );
        super::helper::gone_is_well(self.client.done(stop).await)?;
        self.helpers.remove(id).await?;
        self.here.containers.retain(|container| container.id != id);
        Ok(())
    }

    async fn containers(&mut self, plan: &Plan, described: Vec<Described>, start: bool) -> Result<(), Error> {
        let names: HashMap<String, String> = described
            .iter()
            .map(|container| (text(&container.inspect, "/Id"), container.entry.name.clone()))
            .collect();
        let mut waiting: Vec<Described> = described
            .into_iter()
            .filter(|container| plan.containers.contains(&container.entry.name))
            .collect();
        let mut made = Vec::new();
        while !waiting.is_empty() {
            // Those that others lean on come first; a circle is left to the engine to refuse.
            let at = waiting
                .iter()
                .position(|one| {
                    let needs = needs(&one.inspect, &names);
                    !waiting.iter().any(|other| needs.contains(&other.entry.name))
                })
                .unwrap_or(0);
            let container = waiting.remove(at);
            let name = container.entry.name.clone();
            self.counter.doing(format!("Container {name}"));
            self.container(&container, &names, made.len())
                .await
                .map_err(|source| not_restored("container", &name, source))?;
            self.report.containers += 1;
            made.push(container.entry);
        }
        for container in made.into_iter().filter(|container| container.running) {
            if !start {
                self.report
                    .notes
                    .push(format!("{} was running and is stopped now.", container.name));
                continue;
            }
            let path = format!("/containers/{}/start", name::container(&container.name)?);
            let call = Call::post(path, Subject::Container(&container.name), "start the container");
            if let Err(error) = self.client.done(call).await {
                let why = error
                    .reply()
                    .map_or_else(|| error.to_string(), |reply| reply.message.clone());
                self.report
                    .notes
                    .push(format!("{} is restored and did not start: {why}", container.name));
            }
        }
        Ok(())
    }

    async fn container(
        &mut self,
        container: &Described,
        names: &HashMap<String, String>,
        number: usize,
    ) -> Result<(), Error> {
        let final_name = name::container(&container.entry.name)?;
        let inspect = &container.inspect;
        // By its name, as the person sees it, while that means the same image.
        let id = text(inspect, "/Image");
        let mut image = container.entry.image.clone();
        let means = if name::image(&image).is_ok() {
            self.image_id(&image).await?
        } else {
            None
        };
        if means.as_ref() != Some(&id) && self.has_image(&id).await? {
            image.clone_from(&id);
        }
        let (body, more) = create_body(inspect, &image, names);
        let unfinished = self.helpers.unfinished(number);
        let created = self
            .helpers
            .create_as(&unfinished, &body, Subject::Image(&image))
            .await?;
        for (network, endpoint) in more {
            let call = Call::post(
                format!("/networks/{}/connect", name::network(&network)?),
                Subject::Container(final_name),
                "join the network",
            )
            .json(&json!({ "Container": created, "EndpointConfig": endpoint }));
            self.client.done(call).await?;
        }
        if let Some(old) = self.here.container(final_name).map(|old| old.id.clone()) {
            self.remove_container(&old).await?;
        }
        // From here on it is whole.
        let call = Call::post(
            format!("/containers/{}/rename", name::container(&created)?),
            Subject::Container(final_name),
            "name the container",
        )
        .query("name", final_name);
        self.client.done(call).await
    }
}

fn overlaps(message: &str) -> bool {
    let words = message.to_lowercase();
    ["overlap", "already used", "already in use", "conflicts with"]
        .iter()
        .any(|part| words.contains(part))
}

/// Names of containers of the backup that this one cannot be created without.
fn needs(inspect: &Value, names: &HashMap<String, String>) -> BTreeSet<String> {
    let host = &inspect["HostConfig"];
    let mut needs = BTreeSet::new();
    for mode in MODES {
        if let Some(other) = text(host, &format!("/{mode}")).strip_prefix("container:") {
            needs.insert(names.get(other).cloned().unwrap_or_else(|| other.to_owned()));
        }
    }
    for link in items(host, "/Links").iter().filter_map(Value::as_str) {
        needs.insert(
            link.split(':')
                .next()
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned(),
        );
    }
    needs
}

/// Where a container may lean on another: `container:<id>`.
const MODES: [&str; 3] = ["NetworkMode", "IpcMode", "PidMode"];

/// The request that makes a container like the one described, and the networks it joins afterwards: before API 1.44
/// a container is created with one.
fn create_body(inspect: &Value, image: &str, names: &HashMap<String, String>) -> (Value, Vec<(String, Value)>) {
    let id = text(inspect, "/Id");
    let short = id.get(..SHORT_ID).unwrap_or(&id);
    let mut config = object(&inspect["Config"]);
    let mut host = object(&inspect["HostConfig"]);
    config.insert("Image".into(), image.into());
    // The default host name is the id, which is another now.
    if config.get("Hostname").and_then(Value::as_str) == Some(short) {
        config.remove("Hostname");
    }
    for mode in MODES {
        let other = host
            .get(mode)
            .and_then(Value::as_str)
            .and_then(|value| value.strip_prefix("container:"))
            .and_then(|other| names.get(other));
        if let Some(name) = other {
            host.insert(mode.into(), format!("container:{name}").into());
        }
    }
    let mode = text(inspect, "/HostConfig/NetworkMode");
    // One that uses another's network has neither of its own.
    if mode.starts_with("container:") || mode == "host" {
        config.remove("Hostname");
    }
    if mode.starts_with("container:") {
        config.remove("ExposedPorts");
    }
    // Told as `/db:/web/alias`, asked for as `db:alias`.
    let links: Vec<Value> = items(inspect, "/HostConfig/Links")
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|link| link.split_once(':'))
        .map(|(other, alias)| {
            let alias = alias.rsplit('/').next().unwrap_or(alias);
            format!("{}:{alias}", other.trim_start_matches('/')).into()
        })
        .collect();
    host.insert("Links".into(), links.into());
    mounts(inspect, &mut host);

    let mut networks = object(&inspect["NetworkSettings"]["Networks"]);
    networks.retain(|name, _| !BUILT_IN.contains(&name.as_str()));
    let mut endpoints: Vec<(String, Value)> = networks
        .into_iter()
        .map(|(name, found)| {
            let mut endpoint = Map::new();
            for key in ["IPAMConfig", "Links", "DriverOpts"] {
                if !found[key].is_null() {
                    endpoint.insert(key.into(), found[key].clone());
                }
            }
            let aliases: Vec<&Value> = items(&found, "/Aliases")
                .iter()
                .filter(|alias| alias.as_str() != Some(short))
                .collect();
            endpoint.insert("Aliases".into(), json!(aliases));
            (name, endpoint.into())
        })
        .collect();
    // The one in the mode is where it starts.
    endpoints.sort_by_key(|(name, _)| *name != mode);
    let first = endpoints.first().is_some_and(|(name, _)| *name == mode);
    let others = endpoints.split_off(usize::from(first));
    let mut body = config;
    body.insert("HostConfig".into(), host.into());
    let endpoints: Map<String, Value> = endpoints.into_iter().collect();
    body.insert("NetworkingConfig".into(), json!({ "EndpointsConfig": endpoints }));
    (body.into(), others)
}

/// Volumes that have no name the person gave are asked for by the one they have, so that their content comes along.
fn mounts(inspect: &Value, host: &mut Map<String, Value>) {
    let found: Vec<&Value> = items(inspect, "/Mounts")
        .iter()
        .filter(|mount| text(mount, "/Type") == "volume")
        .collect();
    let mut targets: HashSet<String> = HashSet::new();
    for mount in host
        .get_mut("Mounts")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let target = text(mount, "/Target");
        let unnamed = text(mount, "/Type") == "volume" && text(mount, "/Source").is_empty();
        if unnamed && let Some(known) = found.iter().find(|known| text(known, "/Destination") == target) {
            mount["Source"] = known["Name"].clone();
        }
        targets.insert(target);
    }
    let mut binds: Vec<Value> = host.get("Binds").and_then(Value::as_array).cloned().unwrap_or_default();
    targets.extend(
        binds
            .iter()
            .filter_map(Value::as_str)
            .filter_map(|bind| bind.split(':').nth(1))
            .map(str::to_owned),
    );
    for mount in found {
        let target = text(mount, "/Destination");
        if targets.insert(target.clone()) {
            let ending = if mount["RW"].as_bool().unwrap_or(true) {
                ""
            } else {
                ":ro"
            };
            binds.push(format!("{}:{target}{ending}", text(mount, "/Name")).into());
        }
    }
    host.insert("Binds".into(), binds.into());
    // All of them are named above.
    host.remove("VolumesFrom");
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
