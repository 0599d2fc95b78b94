//! Which engines this computer has, in the order in which the docker command would look.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::docker_command::context_file;
use crate::docker_command::{DockerCommand, docker_folder};
use crate::system_socket::SYSTEM_SOCKET;
use crate::{Address, EngineInfo, Error, engine};

/// A local engine that is well answers within some milliseconds. One that does not must not keep the person waiting.
const ANSWER: Duration = Duration::from_secs(3);

/// Where Docker listens on Windows.
const PIPE: &str = r"\\.\pipe\docker_engine";

/// Where an engine was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EngineOrigin {
    /// `DOCKER_HOST`
    Environment,
    /// The docker command's current context.
    Context {
        name: String,
    },
    /// `/var/run/docker.sock`, or Docker's named pipe on Windows.
    System,
    Rootless,
    Podman,
    Machine,
    /// The person gave the address.
    Chosen,
}

/// An engine that might be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub origin: EngineOrigin,
    /// As `DOCKER_HOST` writes it.
    pub address: String,
}

/// What was found at a place.
#[derive(Debug)]
pub struct Candidate {
    pub place: Place,
    pub answer: Result<EngineInfo, Error>,
}

/// Everything discovery depends on, so that a test can be another computer.
#[derive(Debug, Default)]
struct Surroundings {
    docker_host: Option<String>,
    docker_context: Option<String>,
    docker_folder: Option<PathBuf>,
    current_context: Option<String>,
    runtime_folder: Option<PathBuf>,
    /// Where an engine listens that everybody may use, and where Podman does.
    system: Vec<(EngineOrigin, PathBuf)>,
}

impl Surroundings {
    fn of_this_computer() -> Surroundings {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Surroundings {
            docker_host: variable("DOCKER_HOST"),
            docker_context: variable("DOCKER_CONTEXT"),
            docker_folder: docker_folder(),
            current_context: DockerCommand::of_this_user()
                .ok()
                .and_then(|docker| docker.current_context()),
            runtime_folder: variable("XDG_RUNTIME_DIR").map(PathBuf::from),
            system: if cfg!(windows) {
                vec![(EngineOrigin::System, PathBuf::from(PIPE))]
            } else {
                vec![
                    (EngineOrigin::System, PathBuf::from(SYSTEM_SOCKET)),
                    (EngineOrigin::Podman, PathBuf::from("/run/podman/podman.sock")),
                ]
            },
        }
    }

    /// What the person has set is listed whether it is there or not: then it is told that it is not.
    fn places(self) -> Vec<Place> {
        let mut places = Vec::new();
        if let Some(address) = self.docker_host {
            places.push(Place {
                origin: EngineOrigin::Environment,
                address,
            });
        }
        if let Some(name) = self
            .docker_context
            .or(self.current_context)
            .filter(|name| name != "default")
            && let Some(address) = self
                .docker_folder
                .as_deref()
                .and_then(|folder| context_address(folder, &name))
        {
            places.push(Place {
                origin: EngineOrigin::Context { name },
                address,
            });
        }
        let rootless = self.runtime_folder.iter().flat_map(|folder| {
            [
                (EngineOrigin::Rootless, folder.join("docker.sock")),
                (EngineOrigin::Podman, folder.join("podman").join("podman.sock")),
            ]
        });
        let (system, podman): (Vec<_>, Vec<_>) = self
            .system
            .into_iter()
            .partition(|(origin, _)| *origin == EngineOrigin::System);
        for (origin, path) in system.into_iter().chain(rootless).chain(podman) {
            if path.exists() {
                places.push(Place {
                    origin,
                    address: Address::Local(path).to_string(),
                });
            }
        }
        let mut seen = std::collections::HashSet::new();
        places.retain(|place| seen.insert(place.address.clone()));
        places
    }
}

/// Every place where an engine might be.
pub fn places() -> Vec<Place> {
    Surroundings::of_this_computer().places()
}

/// Asks every place at once, but not this address: asking what sleeps there would wake it.
pub async fn candidates(but: Option<&str>) -> Vec<Candidate> {
    let places = places().into_iter().filter(|place| Some(place.address.as_str()) != but);
    let asked = places.map(|place| async {
        let answer = ask(&place.address).await;
        Candidate { place, answer }
    });
    futures::future::join_all(asked).await
}

/// Who answers at this address, as `DOCKER_HOST` writes it.
pub async fn ask(address: &str) -> Result<EngineInfo, Error> {
    engine::ask(&Address::parse(address)?, ANSWER).await
}

/// Where the docker command connects to when nothing is set.
pub(crate) fn default_address() -> String {
    let place = if cfg!(windows) {
        PathBuf::from(PIPE)
    } else {
        PathBuf::from(SYSTEM_SOCKET)
    };
    Address::Local(place).to_string()
}

/// Where a context of the docker command leads.
pub(crate) fn context_address(folder: &std::path::Path, name: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Meta {
        endpoints: std::collections::HashMap<String, Endpoint>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Endpoint {
        host: Option<String>,
    }
    let file = context_file(folder, name);
    let text = fs_err::read(&file)
        .inspect_err(|error| tracing::debug!(name, %error, "the docker context cannot be read"))
        .ok()?;
    let meta: Meta = serde_json::from_slice(&text)
        .inspect_err(|error| tracing::debug!(name, %error, "the docker context cannot be read"))
        .ok()?;
    meta.endpoints.get("docker")?.host.clone()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_docker_command_s_order_and_each_is_there_once() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let hex = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"; // sha256("foo")
        fs_err::create_dir_all(path("docker/contexts/meta").join(hex))?;
        fs_err::write(
            path("docker/contexts/meta").join(hex).join("meta.json"),
            r#"{"Name":"foo","Endpoints":{"docker":{"Host":"tcp://box:2375","SkipTLSVerify":false}}}"#,
        )?;
        fs_err::create_dir_all(path("run/podman"))?;
        for socket in ["run/docker.sock", "run/podman/podman.sock", "system.sock"] {
            fs_err::write(path(socket), "")?;
        }
        let surroundings = Surroundings {
            docker_host: Some(format!("unix://{}", path("system.sock").display())),
            current_context: Some("foo".into()),
            docker_folder: Some(path("docker")),
            runtime_folder: Some(path("run")),
            system: vec![
                (EngineOrigin::System, path("system.sock")),
                (EngineOrigin::Podman, path("absent.sock")),
            ],
            ..Surroundings::default()
        };
        let origins: Vec<EngineOrigin> = surroundings.places().into_iter().map(|place| place.origin).collect();
        assert_eq!(
            origins,
            [
                EngineOrigin::Environment,
                EngineOrigin::Context { name: "foo".into() },
                EngineOrigin::Rootless,
                EngineOrigin::Podman
            ]
        );
        Ok(())
    }

    #[test]
    fn the_default_context_and_one_that_is_gone_are_no_places() {
        for name in ["default", "gone"] {
            let surroundings = Surroundings {
                docker_context: Some(name.into()),
                docker_folder: Some("/nonexistent".into()),
                ..Surroundings::default()
            };
            assert_eq!(surroundings.places(), []);
        }
    }
}
