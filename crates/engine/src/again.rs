//! What made a container, so that it can be made again.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

use crate::error::Subject;
use crate::run::{Usual, spec_of};
use crate::transport::Call;
use crate::{Engine, Error, MountSource, RunSpec, name, wire};

/// More paths are only counted.
const SHOWN: usize = 50;

/// A volume's name that the engine has invented.
const INVENTED: usize = 64;

/// What made a container, and what it has become.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MadeOf {
    pub id: String,
    pub name: String,
    pub running: bool,
    pub spec: RunSpec,
    /// What the spec cannot say: "a second request for GPUs".
    pub lost: Vec<String>,
    /// The name of its image is by now that of another one.
    pub newer_image: bool,
    /// What it has written inside itself, which no other container has: the first of these paths.
    pub written: Vec<String>,
    pub written_count: u64,
}

impl Engine {
    pub async fn made_of(&self, container: &str) -> Result<MadeOf, Error> {
        let client = self.client().await?;
        let get = |path: String, subject, doing| Call::get(path, subject, doing);
        let at = format!("/containers/{}", name::container(container)?);
        let subject = Subject::Container(container);
        let found: Value = client
            .value(get(format!("{at}/json"), subject, "look at the container"))
            .await?;
        let image = self.image_of(found["Image"].as_str().unwrap_or_default()).await?;
        let called = self
            .image_of(found["Config"]["Image"].as_str().unwrap_or_default())
            .await?;
        let (spec, lost) = spec_of(&found, &image, &self.usual().await?);
        let changes: Option<Vec<wire::PathChange>> = match client
            .value(get(format!("{at}/changes"), subject, "compare with the image"))
            .await
        {
            Ok(changes) => changes,
            // Some storage drivers cannot tell.
            Err(Error::Refused { .. }) => None,
            Err(error) => return Err(error),
        };
        let written = written(&changes.unwrap_or_default(), &spec);
        Ok(MadeOf {
            id: found["Id"].as_str().unwrap_or_default().to_owned(),
            name: spec.name.clone().unwrap_or_default(),
            running: found["State"]["Running"] == true,
            spec,
            lost,
            newer_image: !called.is_null() && called["Id"] != found["Image"],
            written_count: written.len() as u64,
            written: written.into_iter().take(SHOWN).collect(),
        })
    }

    /// What it gives to a container that asks for nothing.
    pub(crate) async fn usual(&self) -> Result<Usual, Error> {
        let call = Call::get("/info", Subject::Engine, "ask the engine");
        let info: Value = self.client().await?.value(call).await?;
        Ok(Usual {
            log_driver: info["LoggingDriver"].as_str().unwrap_or_default().to_owned(),
            runtime: info["DefaultRuntime"].as_str().unwrap_or_default().to_owned(),
            cgroup_namespace: Some(if info["CgroupVersion"] == "2" {
                "private"
            } else {
                "host"
            }),
        })
    }

    /// How long its health check may take to say that it is healthy; `None` when it has no check.
    pub async fn health_time(&self, container: &str) -> Result<Option<Duration>, Error> {
        let path = format!("/containers/{}/json", name::container(container)?);
        let call = Call::get(path, Subject::Container(container), "look at the container");
        let found: Value = self.client().await?.value(call).await?;
        Ok(health_time(&found["Config"]["Healthcheck"]))
    }

    /// Nothing for one that is not here any more.
    async fn image_of(&self, reference: &str) -> Result<Value, Error> {
        let Ok(reference) = name::image(reference) else {
            return Ok(Value::Null);
        };
        let call = Call::get(
            format!("/images/{reference}/json"),
            Subject::Image(reference),
            "look at the image",
        );
        match self.client().await?.value(call).await {
            Ok(image) => Ok(image),
            Err(Error::ImageNotFound { .. } | Error::NotFound { .. }) => Ok(Value::Null),
            Err(error) => Err(error),
        }
    }
}

/// What the engine takes when the check says nothing.
const CHECK_EVERY: Duration = Duration::from_secs(30);
const CHECK_TAKES: Duration = Duration::from_secs(30);
const CHECKS: u32 = 3;

fn health_time(check: &Value) -> Option<Duration> {
    let kind = check["Test"].get(0)?.as_str()?;
    if kind == "NONE" {
        return None;
    }
    let time = |field: &str, usual: Duration| match check[field].as_u64() {
        Some(nanos @ 1..) => Duration::from_nanos(nanos),
        Some(0) | None => usual,
    };
    let checks = match check["Retries"].as_u64() {
        Some(retries @ 1..) => u32::try_from(retries).unwrap_or(u32::MAX),
        Some(0) | None => CHECKS,
    };
    let each = time("Interval", CHECK_EVERY).saturating_add(time("Timeout", CHECK_TAKES));
    // One more than may fail: the first begins only after an interval.
    Some(time("StartPeriod", Duration::ZERO).saturating_add(each.saturating_mul(checks.saturating_add(1))))
}

/// Files, and folders that were made empty: of a folder that changed because something in it did nothing is to be said.
fn written(changes: &[wire::PathChange], spec: &RunSpec) -> Vec<String> {
    let parents: HashSet<&str> = changes
        .iter()
        .filter_map(|change| change.path.rsplit_once('/').map(|(folder, _)| folder))
        .collect();
    changes
        .iter()
        .map(|change| change.path.as_str())
        .filter(|path| !parents.contains(path) && !spec.mounts.iter().any(|mount| mount.target == *path))
        .map(str::to_owned)
        .collect()
}

impl RunSpec {
    /// Of a second container beside the first: without what only one of them can have.
    #[must_use]
    pub fn as_copy(mut self) -> RunSpec {
        self.name = None;
        for network in &mut self.networks {
            network.ip = None;
            network.ip6 = None;
        }
        self.rare.retain(|rare| rare.flag != "mac-address");
        for mount in &mut self.mounts {
            if let MountSource::Volume { name } = &mut mount.source
                && name.as_ref().is_some_and(|name| is_invented(name))
            {
                *name = None;
            }
        }
        // Compose counts its own containers by these.
        self.labels
            .retain(|label| !label.name.starts_with("com.docker.compose."));
        self
    }
}

fn is_invented(volume: &str) -> bool {
    volume.len() == INVENTED && volume.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RunMount, RunNetwork};

    #[test]
    fn a_check_has_the_time_that_it_says() {
        let check = serde_json::json!({ "Test": ["CMD", "x"], "Interval": 1_000_000_000_u64, "Timeout": 2_000_000_000_u64,
            "StartPeriod": 5_000_000_000_u64, "Retries": 2 });
        assert_eq!(health_time(&check), Some(Duration::from_secs(5 + 3 * 3)));
        assert_eq!(
            health_time(&serde_json::json!({ "Test": ["CMD", "x"] })),
            Some(Duration::from_mins(4))
        );
        assert_eq!(health_time(&serde_json::json!({ "Test": ["NONE"] })), None);
        assert_eq!(health_time(&Value::Null), None);
    }

    #[test]
    fn what_was_written_is_told_without_the_folders_above_it() {
        let change = |path: &str| wire::PathChange {
            path: path.to_owned(),
            kind: 0,
        };
        let volume = RunMount {
            source: MountSource::Volume { name: None },
            target: "/data".into(),
            read_only: false,
            options: Vec::new(),
        };
        let spec = RunSpec {
            mounts: vec![volume],
            ..RunSpec::default()
        };
        let changes = ["/app", "/app/main.py", "/data", "/empty"].map(change);
        assert_eq!(written(&changes, &spec), ["/app/main.py", "/empty"]);
    }

    #[test]
    fn a_copy_has_nothing_that_only_one_can_have() {
        let volume = |name: &str| RunMount {
            source: MountSource::Volume {
                name: Some(name.to_owned()),
            },
            target: "/data".into(),
            read_only: false,
            options: Vec::new(),
        };
        let spec = RunSpec {
            name: Some("api".into()),
            mounts: vec![volume(&"a1".repeat(32)), volume("pgdata")],
            networks: vec![RunNetwork {
                name: "front".into(),
                ip: Some("172.31.0.9".into()),
                ..RunNetwork::default()
            }],
            ..RunSpec::default()
        };
        let copy = spec.as_copy();
        assert_eq!((copy.name, copy.networks[0].ip.clone()), (None, None));
        assert_eq!(copy.mounts[0].source, MountSource::Volume { name: None });
        assert_eq!(copy.mounts[1], volume("pgdata"));
    }
}
