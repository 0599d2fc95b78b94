//! Writing a backup.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::{StreamExt as _, TryStreamExt as _};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

use super::archive::{Piece, Writer};
use super::helper::{Helpers, Purpose, STALL, VOLUME, is_helper, is_helper_image};
use super::{
    BackupContainer, BackupError, BackupImage, BackupManifest, BackupNetwork, BackupProgress, BackupVolume, Counter,
    FORMAT, SETTINGS, in_background, member_name,
};
use crate::error::{Reply, Subject};
use crate::transport::{Call, Client};
use crate::{Engine, Error, Link, name, wire};

/// How many pieces may wait for the disk.
const WAITING: usize = 16;

/// A whole tar ends with this many zeros at the least.
const TAR_END: usize = 1024;

/// An engine tells of a load or an import in short lines.
const LONGEST_LINE: usize = 1 << 20;

#[derive(Clone, Debug)]
pub struct BackupRequest {
    pub file: PathBuf,
    /// Settings of whoever asks, as JSON, to go into the file as they are.
    pub settings: Option<Value>,
    /// Containers are paused while their volumes are read, so that what is read was there at one moment.
    pub pause: bool,
    /// See [`Engine::tidy_backups`].
    pub owner: String,
}

#[derive(Clone, Debug)]
pub struct BackupReport {
    pub manifest: BackupManifest,
    pub file_bytes: u64,
}

impl Engine {
    /// Writes everything into one file, which has its name only once it is whole. However it ends, the engine is as
    /// it was.
    pub async fn back_up(
        &self,
        request: &BackupRequest,
        tell: &BackupProgress,
        cancel: &CancellationToken,
    ) -> Result<BackupReport, Error> {
        let client = self.client().await?;
        let helpers = Helpers::new(client, &request.owner);
        let work = self.write_backup(request, &helpers, tell);
        let result = match cancel.run_until_cancelled(work).await {
            Some(result) => result,
            None => Err(BackupError::GivenUp.into()),
        };
        let tidied = helpers.tidy().await;
        let report = result?;
        tidied.map(|()| report)
    }

    async fn write_backup(
        &self,
        request: &BackupRequest,
        helpers: &Helpers,
        tell: &BackupProgress,
    ) -> Result<BackupReport, Error> {
        let file = request.file.clone();
        let mut writer = in_background(move || Writer::create(&file)).await?;
        helpers.prepare().await?;
        let client = &helpers.client;
        let (engine, architecture) = match &*self.link().borrow() {
            Link::Connected { info, .. } => (format!("{} {}", info.product, info.version), info.architecture.clone()),
            Link::Connecting | Link::Away { .. } => Default::default(),
        };
        let found = Found::look(client).await?;
        let counter = Counter::new(tell, found.bytes());
        let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut manifest = BackupManifest {
            format: FORMAT,
            wherry: env!("CARGO_PKG_VERSION").to_owned(),
            made_millis: u64::try_from(made.as_millis()).unwrap_or(0),
            architecture,
            engine,
            content_bytes: 0,
            settings: request.settings.is_some(),
            networks: Vec::new(),
            images: Vec::new(),
            volumes: Vec::new(),
            containers: Vec::new(),
            notes: found.notes.clone(),
            members: Vec::new(),
        };
        writer = save_descriptions(writer, &found, request.settings.as_ref(), &mut manifest).await?;
        writer = save_images(writer, client, &found, &counter, &mut manifest).await?;
        writer = save_volumes(writer, helpers, &found, request.pause, &counter, &mut manifest).await?;
        counter.doing("Finishing the file");
        in_background(move || {
            let file_bytes = writer.finish(&mut manifest)?;
            Ok(BackupReport { manifest, file_bytes })
        })
        .await
    }
}

/// What is small and comes first: settings, networks, containers.
async fn save_descriptions(
    mut writer: Writer,
    found: &Found,
    settings: Option<&Value>,
    manifest: &mut BackupManifest,
) -> Result<Writer, Error> {
    if let Some(settings) = settings {
        writer = small(writer, SETTINGS.into(), settings).await?;
    }
    for (number, network) in found.networks.iter().enumerate() {
        let name = text(network, "/Name");
        let member = member_name("networks", &name, number, "json");
        writer = small(writer, member.clone(), network).await?;
        manifest.networks.push(BackupNetwork { name, member });
    }
    for (number, container) in found.containers.iter().enumerate() {
        let name = text(container, "/Name").trim_start_matches('/').to_owned();
        let member = member_name("containers", &name, number, "json");
        writer = small(writer, member.clone(), container).await?;
        manifest.containers.push(BackupContainer {
            name,
            image: text(container, "/Config/Image"),
            running: is_running(container),
            member,
        });
    }
    Ok(writer)
}

async fn save_images(
    mut writer: Writer,
    client: &Client,
    found: &Found,
    counter: &Counter,
    manifest: &mut BackupManifest,
) -> Result<Writer, Error> {
    for (number, family) in found.families.iter().enumerate() {
        let member = format!("images/{}.tar.zst", number + 1);
        counter.doing(format!("Image {}", family[0].title()));
        let mut call = Call::get("/images/get", Subject::Engine, "send the image").within(STALL);
        for image in family {
            if image.references.is_empty() {
                call = call.query("names", &image.id);
            }
            for reference in &image.references {
                call = call.query("names", reference);
            }
        }
        let body = client.open(call).await?.into_body();
        let (back, bytes) = compressed(writer, member.clone(), body, counter).await?;
        writer = back;
        manifest.content_bytes += bytes;
        manifest
            .images
            .extend(family.iter().map(|image| image.entry(member.clone())));
    }
    Ok(writer)
}

async fn save_volumes(
    mut writer: Writer,
    helpers: &Helpers,
    found: &Found,
    pause: bool,
    counter: &Counter,
    manifest: &mut BackupManifest,
) -> Result<Writer, Error> {
    for (number, volume) in found.volumes.iter().enumerate() {
        let mut entry = volume.clone();
        let elsewhere = volume.driver != "local" || volume.options.keys().any(|key| key == "type" || key == "device");
        if elsewhere {
            manifest.notes.push(format!(
                "What is in volume {} is kept elsewhere; only its settings are saved.",
                volume.name
            ));
        } else {
            counter.doing(format!("Volume {}", volume.name));
            let member = member_name("volumes", &volume.name, number, "tar.zst");
            let users = found.users(&volume.name);
            let pauses = if pause { users.as_slice() } else { &[] };
            if !pause && !users.is_empty() {
                manifest
                    .notes
                    .push(format!("Volume {} was in use while it was read.", volume.name));
            }
            let (back, bytes) = save_volume(writer, helpers, &volume.name, member.clone(), pauses, counter).await?;
            writer = back;
            manifest.content_bytes += bytes;
            entry.member = Some(member);
            entry.content_bytes = bytes;
        }
        manifest.volumes.push(entry);
    }
    Ok(writer)
}

async fn save_volume(
    writer: Writer,
    helpers: &Helpers,
    volume: &str,
    member: String,
    users: &[String],
    counter: &Counter,
) -> Result<(Writer, u64), Error> {
    let helper = helpers.create(&Purpose::Read { volume, pauses: users }).await?;
    for user in users {
        match helpers.pause(user).await {
            // It has stopped since, or is paused: nothing writes.
            Ok(()) | Err(Error::InUse { .. } | Error::NotFound { .. }) => {}
            // An engine that cannot pause (rootless on an old kernel) can still be read.
            Err(Error::Refused { source }) => tracing::warn!(%source, "a container was not paused"),
            Err(error) => return Err(error),
        }
    }
    let path = format!("/containers/{}/archive", name::container(&helper)?);
    let call = Call::get(path, Subject::Volume(volume), "read the volume")
        .query("path", VOLUME)
        .within(STALL);
    let body = helpers.client.open(call).await?.into_body();
    let saved = compressed(writer, member, body, counter).await?;
    for user in users {
        helpers.resume(user).await?;
    }
    helpers.remove(&helper).await?;
    Ok(saved)
}

async fn small(mut writer: Writer, member: String, value: &Value) -> Result<Writer, Error> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| Error::Garbled { source: error.into() })?;
    in_background(move || writer.whole(&member, &bytes).map(|()| writer)).await
}

/// Writes what the engine sends, compressed. Gives the bytes before compression.
async fn compressed(
    mut writer: Writer,
    member: String,
    body: Incoming,
    counter: &Counter,
) -> Result<(Writer, u64), Error> {
    let (sender, pieces) = mpsc::channel(WAITING);
    let name = member.clone();
    let writing = in_background(move || writer.compressed(&name, pieces).map(|()| writer));
    let mut body = http_body_util::BodyDataStream::new(body);
    let sent = async {
        // Dropped with its end unsaid, the writer gives up.
        let sender = sender;
        let mut count = 0;
        let mut zeros = 0;
        loop {
            let piece = tokio::time::timeout(STALL, body.next())
                .await
                .map_err(|_| Error::Silent {
                    doing: "send more",
                    after: STALL,
                })?;
            let Some(piece) = piece else { break };
            let piece = piece.map_err(|source| Error::BrokenOff { source: source.into() })?;
            count += piece.len() as u64;
            let trailing = piece.iter().rev().take_while(|byte| **byte == 0).count();
            zeros = if trailing == piece.len() {
                zeros + trailing
            } else {
                trailing
            };
            counter.add(piece.len() as u64);
            // A writer that is gone says why itself.
            if sender.send(Piece::Data(piece)).await.is_err() {
                return Ok(count);
            }
        }
        // An engine that fails in the middle ends its answer in order, with its error behind half a tar.
        if zeros < TAR_END {
            return Err(Error::Garbled {
                source: format!("what it sent for {member} is not whole").into(),
            });
        }
        let _ = sender.send(Piece::End).await;
        Ok(count)
    };
    let (sent, written) = tokio::join!(sent, writing);
    match (sent, written) {
        (Ok(count), Ok(writer)) => Ok((writer, count)),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Makes a call whose answer is lines of progress, of which an error may be one.
pub(super) async fn lines(client: &Client, call: Call<'_>) -> Result<(), Error> {
    let body = client.open(call).await?.into_body();
    let bytes = http_body_util::BodyDataStream::new(body).map_err(std::io::Error::other);
    let mut lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(LONGEST_LINE));
    loop {
        let line = tokio::time::timeout(STALL, lines.next())
            .await
            .map_err(|_| Error::Silent {
                doing: "unpack what it was given",
                after: STALL,
            })?;
        let Some(line) = line else { return Ok(()) };
        let line = line.map_err(|error| Error::Garbled { source: error.into() })?;
        let line: wire::PullLine = serde_json::from_str(&line).unwrap_or_default();
        if let Some(message) = line.error_detail.map(|detail| detail.message).or(line.error) {
            return Err(Error::from_reply(Subject::Engine, Reply { status: 200, message }));
        }
    }
}

/// What the engine has.
struct Found {
    /// As the engine describes them.
    containers: Vec<Value>,
    networks: Vec<Value>,
    /// Images that share their lowest layer go together, so that it is there once.
    families: Vec<Vec<FoundImage>>,
    volumes: Vec<BackupVolume>,
    volume_bytes: u64,
    notes: Vec<String>,
}

struct FoundImage {
    id: String,
    references: Vec<String>,
    size: u64,
    architecture: String,
}

impl FoundImage {
    fn title(&self) -> String {
        name::familiar(self.references.first().unwrap_or(&self.id))
    }

    fn entry(&self, member: String) -> BackupImage {
        BackupImage {
            id: self.id.clone(),
            references: self.references.clone(),
            size: self.size,
            architecture: self.architecture.clone(),
            member,
        }
    }
}

impl Found {
    async fn look(client: &Client) -> Result<Found, Error> {
        let mut notes = Vec::new();
        let call = Call::get("/containers/json", Subject::Engine, "list the containers").query("all", "1");
        let listed: Vec<wire::Container> = client.value(call).await?;
        let mut containers = Vec::new();
        for container in listed.iter().filter(|container| !is_helper(container)) {
            let path = format!("/containers/{}/json", name::container(&container.id)?);
            let call = Call::get(path, Subject::Container(&container.id), "look at the container");
            match client.value::<Value>(call).await {
                Ok(inspect) => containers.push(inspect),
                // Removed since: it is not there to be saved.
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // Stable, and readable in the file.
        containers.sort_by_key(|container| text(container, "/Name"));

        let call = Call::get("/images/json", Subject::Engine, "list the images");
        let listed: Vec<wire::Image> = client.value(call).await?;
        let mut families: BTreeMap<String, Vec<FoundImage>> = BTreeMap::new();
        for image in listed.into_iter().filter(|image| !is_helper_image(image)) {
            let references: Vec<String> = image
                .repo_tags
                .into_iter()
                .filter(|reference| reference != "<none>:<none>")
                .collect();
            let path = format!("/images/{}/json", name::image(&image.id)?);
            let inspect: Value = match client
                .value(Call::get(path, Subject::Image(&image.id), "look at the image"))
                .await
            {
                Ok(inspect) => inspect,
                Err(Error::ImageNotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            let lowest = text(&inspect, "/RootFS/Layers/0");
            let key = if lowest.is_empty() { image.id.clone() } else { lowest };
            families.entry(key).or_default().push(FoundImage {
                references,
                size: u64::try_from(image.size).unwrap_or(0),
                architecture: text(&inspect, "/Architecture"),
                id: image.id,
            });
        }
        for container in &containers {
            let id = text(container, "/Image");
            if !families.values().flatten().any(|image| image.id == id) {
                notes.push(format!(
                    "The image of container {} is no longer there and could not be saved.",
                    text(container, "/Name").trim_start_matches('/')
                ));
            }
        }

        let answer: Value = client
            .value(Call::get("/volumes", Subject::Engine, "list the volumes"))
            .await?;
        let mut volumes: Vec<BackupVolume> = items(&answer, "/Volumes").iter().map(volume).collect();
        volumes.sort_by(|one, other| one.name.cmp(&other.name));
        let volume_bytes = volume_bytes(client).await;

        let answer: Value = client
            .value(Call::get("/networks", Subject::Engine, "list the networks"))
            .await?;
        let networks = answer
            .as_array()
            .into_iter()
            .flatten()
            .filter(|network| {
                !BUILT_IN.contains(&text(network, "/Name").as_str()) && text(network, "/Scope") == "local"
            })
            .cloned()
            .map(|mut network| {
                // Who is connected stands with the containers.
                if let Some(fields) = network.as_object_mut() {
                    fields.remove("Containers");
                }
                network
            })
            .collect();
        Ok(Found {
            containers,
            networks,
            families: families.into_values().collect(),
            volumes,
            volume_bytes,
            notes,
        })
    }

    /// About how much will be read.
    fn bytes(&self) -> u64 {
        self.volume_bytes + self.families.iter().flatten().map(|image| image.size).sum::<u64>()
    }

    /// Running containers that may write to the volume.
    fn users(&self, volume: &str) -> Vec<String> {
        self.containers
            .iter()
            .filter(|container| is_running(container) && !container["State"]["Paused"].as_bool().unwrap_or(false))
            .filter(|container| {
                items(container, "/Mounts").iter().any(|mount| {
                    text(mount, "/Type") == "volume"
                        && text(mount, "/Name") == volume
                        && mount["RW"].as_bool().unwrap_or(true)
                })
            })
            .map(|container| text(container, "/Id"))
            .collect()
    }
}

/// Networks that every engine has.
pub(super) const BUILT_IN: [&str; 4] = ["bridge", "host", "none", "podman"];

/// The engine measures volumes only for this question. One that will not is no obstacle.
async fn volume_bytes(client: &Client) -> u64 {
    let call =
        Call::get("/system/df", Subject::Engine, "measure the volumes").within(std::time::Duration::from_mins(2));
    let usage: wire::DiskUsage = match client.value(call).await {
        Ok(usage) => usage,
        Err(error) => {
            tracing::debug!(%error, "the volumes were not measured");
            return 0;
        }
    };
    let volumes = usage.volumes.into_iter().filter_map(|volume| volume.usage_data);
    volumes.map(|usage| u64::try_from(usage.size).unwrap_or(0)).sum()
}

fn volume(found: &Value) -> BackupVolume {
    let map = |key: &str| serde_json::from_value(found[key].clone()).unwrap_or_default();
    BackupVolume {
        name: text(found, "/Name"),
        driver: text(found, "/Driver"),
        labels: map("Labels"),
        options: map("Options"),
        member: None,
        content_bytes: 0,
    }
}

fn is_running(container: &Value) -> bool {
    container["State"]["Running"].as_bool().unwrap_or(false)
}

/// The text at this place, empty when there is none.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

pub(super) fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
