//! Into the trash, out of it, and away for good.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::name::{ContainerName, ImageName, RestartPolicy, VolumeMark};
use super::{Marks, Restored, TrashId, trashed};
use crate::error::{Reply, Subject};
use crate::transport::Call;
use crate::{Engine, Error, Removal, name, wire};

/// How long a program may take to end, in seconds. Whoever removes a container does not want to wait for it, and a
/// database that comes back should not have been killed at once.
const END: &str = "3";

/// How many other names are tried for a thing whose name is taken when it comes back.
const OTHER_NAMES: usize = 20;

impl Engine {
    /// Stops a container and keeps it. `None`: it removes itself when it stops (`--rm`), and is gone for good.
    pub async fn trash_container(&self, container: &str, removal: Removal) -> Result<Option<TrashId>, Error> {
        let inspect = self.inspect_container(container).await?;
        let is_up = inspect.state.running || inspect.state.paused;
        if is_up && !removal.force {
            return Err(in_use(container, "it runs"));
        }
        if inspect.host_config.auto_remove {
            self.remove(&inspect.id, Removal { force: true, ..removal }).await?;
            return Ok(None);
        }
        let name = inspect.name.trim_start_matches('/').to_owned();
        if ContainerName::read(&name).is_some() {
            return Ok(Some(TrashId::Container(inspect.id)));
        }
        let client = self.client().await?;
        if is_up {
            if inspect.state.paused {
                let path = format!("/containers/{}/unpause", inspect.id);
                client
                    .done(Call::post(path, Subject::Container(container), "resume the container"))
                    .await?;
            }
            let path = format!("/containers/{}/stop", inspect.id);
            let stop = Call::post(path, Subject::Container(container), "stop the container").query("t", END);
            client.done(stop).await?;
        }
        let restart = inspect.host_config.restart_policy;
        let is_never = restart.is_never();
        let kept = ContainerName {
            at: now(),
            name,
            was_running: is_up,
            restart,
            volumes: removal.volumes,
        };
        // First the name, which says what the policy was: whoever is killed in between leaves nothing unsaid.
        self.rename(&inspect.id, &kept.write()).await?;
        if !is_never {
            self.restart_by(&inspect.id, &RestartPolicy::never()).await?;
        }
        Ok(Some(TrashId::Container(inspect.id)))
    }

    /// Takes a name from an image and keeps the image. By its id, all of its names.
    pub async fn trash_image(&self, reference: &str, force: bool) -> Result<Vec<TrashId>, Error> {
        let inspect = self.inspect_image(reference).await?;
        let is_kept = |tag: &&String| ImageName::read(tag).is_none() && !tag.starts_with("<none>");
        let mut tags: Vec<String> = inspect.repo_tags.iter().filter(is_kept).cloned().collect();
        if tags.is_empty() {
            tags = one_of_each_repository(inspect.repo_digests);
        }
        let named = with_tag(&name::familiar(reference));
        let by_name = tags.iter().find(|tag| name::familiar(tag) == named);
        let goes: Vec<String> = match by_name {
            Some(tag) => vec![tag.clone()],
            // A name of the trash's own is in it already.
            None if ImageName::read(reference).is_some() => return Ok(vec![TrashId::Image(reference.to_owned())]),
            None => tags.clone(),
        };
        if goes.len() > 1 && !force {
            return Err(in_use(reference, &format!("it has {} names", goes.len())));
        }
        // The engine would let the last name go, because ours is one more.
        if goes.len() == tags.len() && !force {
            let users: Vec<String> = self
                .containers(true)
                .await?
                .into_iter()
                .filter(|container| container.image_id == inspect.id)
                .map(|container| container.name)
                .collect();
            if !users.is_empty() {
                return Err(in_use(reference, &format!("it is used by {}", users.join(", "))));
            }
        }
        let at = now();
        let mut kept = Vec::new();
        for tag in goes.iter().map(Some).chain(goes.is_empty().then_some(None)) {
            let ours = ImageName {
                at,
                reference: tag.map(|tag| name::familiar(tag)),
            }
            .write(&inspect.id)
            .ok_or_else(|| too_long(reference))?;
            self.tag_image(&inspect.id, &ours).await?;
            // A digest cannot be given back, and needs a tag beside it: it stays, hidden with ours.
            if let Some(tag) = tag.filter(|tag| !tag.contains('@')) {
                self.remove_image(tag, false).await?;
            }
            kept.push(TrashId::Image(ours));
        }
        Ok(kept)
    }

    /// Hides a volume that no container has.
    pub async fn trash_volume(&self, volume: &str) -> Result<TrashId, Error> {
        let users = self.users_of(volume).await?;
        if !users.is_empty() {
            return Err(in_use(volume, &format!("it is used by {}", users.join(", "))));
        }
        let client = self.client().await?;
        let known = Marks::of(&super::volumes(&client).await?);
        if known.hidden.iter().any(|mark| mark.name == volume) {
            return Ok(TrashId::Volume(volume.to_owned()));
        }
        let mark = VolumeMark {
            at: now(),
            name: volume.to_owned(),
        };
        let body = json!({ "Name": mark.write(), "Driver": "local", "Labels": { "app.wherry.trash": volume } });
        let call = Call::post("/volumes/create", Subject::Volume(volume), "mark the volume").json(&body);
        client.done(call).await?;
        Ok(TrashId::Volume(volume.to_owned()))
    }

    /// Brings a thing back, under another name where its own is taken now.
    pub async fn restore_trashed(&self, id: &TrashId) -> Result<Restored, Error> {
        match id {
            TrashId::Container(container) => {
                let inspect = self.inspect_container(container).await?;
                let Some(kept) = trashed(&inspect.name) else {
                    return Ok(back(id, inspect.name.trim_start_matches('/')));
                };
                let name = self.take_out(&inspect.id, &kept).await?;
                let mut restored = back(id, &name);
                if kept.was_running
                    && !inspect.state.running
                    && let Err(error) = self.start(&inspect.id).await
                {
                    restored.not_started = Some(words(&error));
                }
                Ok(restored)
            }
            TrashId::Image(ours) => {
                let Some(kept) = ImageName::read(ours) else {
                    return Err(name_of_nothing(ours));
                };
                let digest = kept.digest().map(str::to_owned);
                let wanted = image_name(Some(kept), ours);
                let id_of = async |reference: &str| match self.image(reference).await {
                    Ok(image) => Ok(Some(image.id)),
                    Err(Error::ImageNotFound { .. } | Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(error),
                };
                let Some(image) = id_of(ours).await? else {
                    return Err(name_of_nothing(&wanted));
                };
                for name in other_names(&wanted) {
                    match id_of(&name).await? {
                        None => self.tag_image(ours, &name).await?,
                        // Somebody gave it the name meanwhile.
                        Some(taken) if taken == image => {}
                        Some(_) => continue,
                    }
                    self.remove_image(ours, false).await?;
                    let known = match digest {
                        Some(_) => self.inspect_image(&name).await?.repo_digests,
                        None => Vec::new(),
                    };
                    let is_lost = |digest: &String| !known.iter().any(|known| name::familiar(known) == *digest);
                    return Ok(Restored {
                        lost_digest: digest.filter(is_lost),
                        ..back(id, &name)
                    });
                }
                Err(in_use(&wanted, "its name is taken"))
            }
            TrashId::Volume(volume) => {
                self.unmark(volume).await?;
                Ok(back(id, volume))
            }
        }
    }

    /// Gone for good.
    pub async fn delete_trashed(&self, id: &TrashId) -> Result<(), Error> {
        match id {
            TrashId::Container(container) => {
                let inspect = self.inspect_container(container).await?;
                // Somebody took it out meanwhile: it is no longer ours to remove.
                let Some(kept) = trashed(&inspect.name) else {
                    return Ok(());
                };
                let removal = Removal {
                    force: false,
                    volumes: kept.volumes,
                };
                self.remove(&inspect.id, removal).await
            }
            TrashId::Image(ours) if ImageName::read(ours).is_some() => self.remove_image(ours, false).await,
            TrashId::Image(other) => Err(name_of_nothing(other)),
            TrashId::Volume(volume) => {
                let client = self.client().await?;
                let marks = Marks::of(&super::volumes(&client).await?);
                let is_hidden = marks.hidden.iter().any(|mark| mark.name == *volume);
                if is_hidden && self.users_of(volume).await?.is_empty() {
                    crate::reclaim::remove_volume(&client, volume).await?;
                }
                // One that a container has now was taken back.
                self.unmark(volume).await
            }
        }
    }

    /// Its name and its restart policy are what they were: its name.
    pub(super) async fn take_out(&self, id: &str, kept: &ContainerName) -> Result<String, Error> {
        // Before the name, which says what it was until it is again.
        if !kept.restart.is_never() {
            self.restart_by(id, &kept.restart).await?;
        }
        let mut taken = None;
        for name in other_names(&kept.name) {
            match self.rename(id, &name).await {
                Ok(()) => return Ok(name),
                Err(error @ (Error::NameTaken { .. } | Error::InUse { .. })) => taken = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(taken.unwrap_or_else(|| name_of_nothing(&kept.name)))
    }

    async fn inspect_image(&self, reference: &str) -> Result<wire::ImageInspect, Error> {
        let path = format!("/images/{}/json", name::image(reference)?);
        let call = Call::get(path, Subject::Image(reference), "look at the image");
        self.client().await?.value(call).await
    }

    async fn restart_by(&self, id: &str, policy: &RestartPolicy) -> Result<(), Error> {
        let path = format!("/containers/{}/update", name::container(id)?);
        let call = Call::post(path, Subject::Container(id), "change the restart policy")
            .json(&json!({ "RestartPolicy": policy }));
        self.client().await?.done(call).await
    }

    /// Containers outside of the trash that have this volume.
    async fn users_of(&self, volume: &str) -> Result<Vec<String>, Error> {
        let filters = json!({ "volume": [name::volume(volume)?] }).to_string();
        let call = Call::get("/containers/json", Subject::Volume(volume), "list the containers")
            .query("all", "1")
            .query("filters", &filters);
        let found: Vec<wire::Container> = self.client().await?.value(call).await?;
        Ok(found
            .iter()
            // Those in the trash, too: they come back with it.
            .filter_map(|container| container.names.first())
            .map(|name| {
                trashed(name).map_or_else(
                    || name.trim_start_matches('/').to_owned(),
                    |kept| format!("{} in the trash", kept.name),
                )
            })
            .collect())
    }

    /// Whatever names it, also what no longer says the truth.
    async fn unmark(&self, volume: &str) -> Result<(), Error> {
        let client = self.client().await?;
        let Marks { hidden, stale } = Marks::of(&super::volumes(&client).await?);
        for mark in hidden.iter().chain(&stale).filter(|mark| mark.name == volume) {
            crate::reclaim::remove_volume(&client, &mark.write()).await?;
        }
        Ok(())
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn back(id: &TrashId, name: &str) -> Restored {
    Restored {
        id: id.clone(),
        name: name.to_owned(),
        not_started: None,
        lost_digest: None,
    }
}

/// With one tag of ours in a repository, all digests that it has there stay.
fn one_of_each_repository(digests: Vec<String>) -> Vec<String> {
    let mut repositories = HashSet::new();
    let is_first = |digest: &String| {
        let repository = digest.split_once('@').map(|(repository, _)| repository.to_owned());
        repository.is_some_and(|repository| repository != "<none>" && repositories.insert(repository))
    };
    digests.into_iter().filter(is_first).collect()
}

/// The name itself, then `web-restored`, `web-restored-2`.
fn other_names(name: &str) -> impl Iterator<Item = String> {
    (0..OTHER_NAMES).map(move |nth| match nth {
        0 => name.to_owned(),
        1 => format!("{name}-restored"),
        nth => format!("{name}-restored-{nth}"),
    })
}

/// What an image is called when it comes back: one without a name gets one, and one with a digest alone a tag beside
/// it, without which the engine would forget the digest with ours.
pub(super) fn image_name(kept: Option<ImageName>, ours: &str) -> String {
    let Some(reference) = kept.and_then(ImageName::reference) else {
        return format!("restored:{}", ours.rsplit(['/', ':']).nth(1).unwrap_or("image"));
    };
    match reference.split_once('@') {
        Some((repository, digest)) => {
            let digits = digest.split_once(':').map_or(digest, |(_, digits)| digits);
            format!("{repository}:restored-{}", digits.get(..12).unwrap_or(digits))
        }
        None => reference,
    }
}

fn with_tag(reference: &str) -> String {
    match reference.rsplit_once(':') {
        Some((_, tag)) if !tag.contains('/') => reference.to_owned(),
        Some(_) | None => format!("{reference}:latest"),
    }
}

fn in_use(what: &str, why: &str) -> Error {
    Error::InUse {
        what: what.to_owned(),
        source: Reply {
            status: 409,
            message: why.to_owned(),
        },
    }
}

fn too_long(reference: &str) -> Error {
    let message = format!("The name of {reference} is too long for the trash. It can only be deleted at once.");
    Error::Refused {
        source: Reply { status: 400, message },
    }
}

fn name_of_nothing(what: &str) -> Error {
    Error::NotFound {
        what: what.to_owned(),
        source: Reply {
            status: 404,
            message: format!("{what} is not in the trash"),
        },
    }
}

/// The engine's own words say more than ours: which port is taken.
fn words(error: &Error) -> String {
    error.reply().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_an_ending() {
        let names: Vec<String> = other_names("web:1").take(3).collect();
        assert_eq!(names, ["web:1", "web:1-restored", "web:1-restored-2"]);
        assert_eq!(with_tag("localhost:5000/x"), "localhost:5000/x:latest");
        assert_eq!(with_tag("x:1"), "x:1");
    }
}
