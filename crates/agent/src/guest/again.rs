//! The containers that run when the host has to restart the machine, and nobody wants them to end: they are written down
//! before, and started after the next boot.

use std::{io::Write, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{
    Guest,
    api::{self, Error, RUNNING},
    log::say,
};

/// On the data disk, where it outlives the machine.
const LIST: &str = "/data/run-again.json";

/// How long the engine may take to say what runs. It may be waiting for what the machine is restarted for.
const ANSWER: Duration = Duration::from_secs(5);

/// How long the machine counts as not up because of them.
const STARTED: Duration = Duration::from_mins(2);

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

impl Container {
    fn name(&self) -> &str {
        let name = self.names.first().unwrap_or(&self.id);
        name.strip_prefix('/').unwrap_or(name)
    }
}

/// Writes down which containers run.
pub(super) async fn note() {
    let listed = timeout(ANSWER, running()).await;
    let kept = match listed {
        Ok(Ok(containers)) => keep(&containers),
        Ok(Err(error)) => return say!("which containers run: {error}"),
        Err(_) => return say!("the engine does not say which containers run"),
    };
    if let Err(error) = kept {
        say!("{error}");
    }
}

async fn running() -> Result<Vec<Container>, Error> {
    let answer = api::ask(Method::GET, RUNNING).await?.into_body().collect().await?;
    oldest_first(&answer.to_bytes())
}

/// As they were started: a later one may need an earlier one.
fn oldest_first(answer: &[u8]) -> Result<Vec<Container>, Error> {
    let mut containers: Vec<Container> = serde_json::from_slice(answer)?;
    containers.reverse();
    Ok(containers)
}

fn keep(containers: &[Container]) -> std::io::Result<()> {
    let mut file = fs_err::File::create(LIST)?;
    file.write_all(&serde_json::to_vec(containers)?)?;
    file.sync_all()
}

/// Has an engine that answers start what was written down. What takes longer than [`STARTED`] is not waited for.
pub(super) async fn start(guest: &Arc<Guest>) {
    let starting = tokio::spawn(start_all(Arc::clone(guest)));
    if timeout(STARTED, starting).await.is_err() {
        say!("containers that ran are still being started");
    }
}

async fn start_all(guest: Arc<Guest>) {
    let Ok(kept) = fs_err::read(LIST) else {
        return;
    };
    // Once, whatever comes of it.
    if let Err(error) = fs_err::remove_file(LIST) {
        say!("{error}");
    }
    let containers: Vec<Container> = match serde_json::from_slice(&kept) {
        Ok(containers) => containers,
        Err(error) => return say!("which containers ran: {error}"),
    };
    for container in containers {
        if let Some(why) = start_one(&container).await {
            let name = container.name();
            guest.status.note(format!(
                "{name} ran before the machine was restarted, and did not start again: {why}"
            ));
        }
    }
}

/// Why it does not run.
async fn start_one(container: &Container) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }

    let path = format!("/containers/{}/start", container.id);
    let asked = async {
        let answer = api::ask(Method::POST, &path).await?;
        let status = answer.status();
        Ok::<_, Error>((status, answer.into_body().collect().await?.to_bytes()))
    };
    match asked.await {
        // It was started by its restart policy; or removed, because it was not to outlive its end.
        Ok((StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::NOT_FOUND, _)) => None,
        Ok((status, body)) => {
            let refusal = serde_json::from_slice(&body).map(|Refusal { message }| message);
            Some(refusal.unwrap_or_else(|_| status.to_string()))
        }
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_kept_in_the_order_in_which_they_were_started() -> Result<(), Error> {
        let answer = br#"[{"Id":"2","Names":["/app-web-1"],"State":"running"},{"Id":"1"}]"#;
        let containers = oldest_first(answer)?;
        let names: Vec<&str> = containers.iter().map(Container::name).collect();
        assert_eq!(names, ["1", "app-web-1"]);
        let kept = serde_json::to_vec(&containers)?;
        assert_eq!(serde_json::from_slice::<Vec<Container>>(&kept)?, containers);
        Ok(())
    }
}
