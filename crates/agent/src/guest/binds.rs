//! What running containers have of the machine's files: the folders whose changes on the host they are to be told of.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper::Method;
use serde::Deserialize;

use super::{
    Guest,
    api::{self, Error, RUNNING},
    log::say,
};

/// `{"type":["container"],"event":["start","die"]}`
const EVENTS: &str =
    "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22start%22%2C%22die%22%5D%7D";

/// Between two attempts at an engine that does not answer as expected; it starts anew by itself.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    #[serde(default)]
    mounts: Vec<Mount>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mount {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    source: PathBuf,
}

/// Keeps `Guest::binds` true for as long as the machine runs.
pub(super) async fn keep(guest: Arc<Guest>) {
    loop {
        if let Err(error) = follow(&guest).await {
            say!("which folders containers have: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Follows one engine until it ends.
async fn follow(guest: &Guest) -> Result<(), Error> {
    // Heard first, so that nothing that starts after the list was made is missed.
    let mut events = api::ask(Method::GET, EVENTS).await?.into_body();
    list(guest).await?;
    while let Some(frame) = events.frame().await {
        frame?;
        list(guest).await?;
    }
    Ok(())
}

async fn list(guest: &Guest) -> Result<(), Error> {
    let answer = api::ask(Method::GET, RUNNING)
        .await?
        .into_body()
        .collect()
        .await?
        .to_bytes();
    let binds = sources(&answer)?;
    guest.binds.send_if_modified(|known| {
        let differs = *known != binds;
        *known = binds;
        differs
    });
    Ok(())
}

fn sources(answer: &[u8]) -> Result<BTreeSet<PathBuf>, serde_json::Error> {
    let containers: Vec<Container> = serde_json::from_slice(answer)?;
    let mounts = containers.into_iter().flat_map(|container| container.mounts);
    Ok(mounts
        .filter(|mount| mount.kind == "bind")
        .map(|mount| mount.source)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_of_bind_mounts_are_taken_and_volumes_are_not() -> Result<(), serde_json::Error> {
        let answer = br#"[
            {"Id":"1","Mounts":[{"Type":"bind","Source":"/home/ada/app","Destination":"/app"},
                                {"Type":"volume","Name":"data","Source":"/data/docker/volumes/data","Destination":"/d"},
                                {"Type":"tmpfs","Destination":"/tmp"}]},
            {"Id":"2","Mounts":[]},
            {"Id":"3"}
        ]"#;
        assert_eq!(sources(answer)?, BTreeSet::from([PathBuf::from("/home/ada/app")]));
        Ok(())
    }
}
