//! What the engine holds: containers and images, from the engine's words into ours.

use std::collections::BTreeMap;

use crate::error::Subject;
use crate::partial::is_holder;
use crate::transport::Call;
use crate::trash::{ImageName, is_in_trash, trashed};
use crate::{
    ContainerState, ContainerSummary, Engine, Error, ExposedPort, Health, HostPort, ImageDetail, ImageSummary, Port,
    Protocol, Variable, name, wire,
};

/// Compose writes its project here.
pub(crate) const PROJECT: &str = "com.docker.compose.project";

impl Engine {
    /// Newest first; with `all` stopped ones too.
    pub async fn containers(&self, all: bool) -> Result<Vec<ContainerSummary>, Error> {
        let call = Call::get("/containers/json", Subject::Engine, "list the containers")
            .query("all", if all { "1" } else { "0" });
        let containers: Vec<wire::Container> = self.client().await?.value(call).await?;
        let mut containers: Vec<ContainerSummary> = containers
            .into_iter()
            // One that runs was started by somebody else, who then has to see it.
            .filter(|found| found.state == "running" || !found.names.iter().any(|name| trashed(name).is_some()))
            .map(container)
            .collect();
        containers.sort_by_key(|container| std::cmp::Reverse(container.created));
        self.mark_out_of_memory(&mut containers).await;
        Ok(containers)
    }

    /// One container by name, id, or the start of an id.
    pub async fn container(&self, reference: &str) -> Result<ContainerSummary, Error> {
        let inspect = self.inspect_container(reference).await?;
        let filters = serde_json::json!({ "id": [inspect.id] }).to_string();
        let call = Call::get("/containers/json", Subject::Container(reference), "list the containers")
            .query("all", "1")
            .query("filters", &filters);
        let found: Vec<wire::Container> = self.client().await?.value(call).await?;
        let listed = found.into_iter().find(|container| container.id == inspect.id);
        listed
            .map(|listed| ContainerSummary {
                out_of_memory: inspect.state.oom_killed && !inspect.state.running,
                ..container(listed)
            })
            .ok_or_else(|| {
                // Removed between the two questions.
                Error::NotFound {
                    what: reference.to_owned(),
                    source: crate::Reply {
                        status: 404,
                        message: format!("No such container: {reference}"),
                    },
                }
            })
    }

    /// What people call the container with this id.
    pub async fn container_name(&self, reference: &str) -> Result<String, Error> {
        Ok(self
            .inspect_container(reference)
            .await?
            .name
            .trim_start_matches('/')
            .to_owned())
    }

    /// Everything the engine says of a container, as it says it.
    pub async fn raw_container(&self, reference: &str) -> Result<serde_json::Value, Error> {
        let path = format!("/containers/{}/json", name::container(reference)?);
        let call = Call::get(path, Subject::Container(reference), "look at the container");
        self.client().await?.value(call).await
    }

    pub(crate) async fn inspect_container(&self, reference: &str) -> Result<wire::ContainerInspect, Error> {
        let path = format!("/containers/{}/json", name::container(reference)?);
        let call = Call::get(path, Subject::Container(reference), "look at the container");
        self.client().await?.value(call).await
    }

    /// Newest first. Images in between, which only hold layers of others, are left out.
    pub async fn images(&self) -> Result<Vec<ImageSummary>, Error> {
        let client = self.client().await?;
        let images = client.value::<Vec<wire::Image>>(Call::get("/images/json", Subject::Engine, "list the images"));
        let (images, containers) = tokio::try_join!(images, self.containers(true))?;
        let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for container in containers {
            users.entry(container.image_id).or_default().push(container.name);
        }
        let mut images: Vec<ImageSummary> = images
            .into_iter()
            .filter_map(outside_of_the_trash)
            .map(|found| ImageSummary {
                last_use: self.last_use().image(&found.id),
                ..image(found, &mut users)
            })
            .collect();
        images.sort_by_key(|image| std::cmp::Reverse(image.created));
        Ok(images)
    }

    /// An image of this engine, by reference or id.
    pub async fn image(&self, reference: &str) -> Result<ImageDetail, Error> {
        let path = format!("/images/{}/json", name::image(reference)?);
        let call = Call::get(path, Subject::Image(reference), "look at the image");
        Ok(image_detail(self.client().await?.value(call).await?))
    }
}

/// Without the names that the trash gave it; `None` for one that has no others.
fn outside_of_the_trash(mut found: wire::Image) -> Option<wire::Image> {
    if is_in_trash(&found.repo_tags, &found.repo_digests) || is_holder(&found.repo_tags) {
        return None;
    }
    found.repo_tags.retain(|tag| ImageName::read(tag).is_none());
    Some(found)
}

fn container(found: wire::Container) -> ContainerSummary {
    let state = state(&found.state);
    ContainerSummary {
        // A container has one name of its own; the others are links, which have a slash inside.
        name: found
            .names
            .iter()
            .map(|name| name.trim_start_matches('/'))
            .find(|name| !name.contains('/'))
            .or(found.names.first().map(String::as_str))
            .unwrap_or_default()
            .to_owned(),
        image: name::familiar(&found.image),
        exit_code: exit_code(&found.status).filter(|_| state != ContainerState::Running),
        out_of_memory: false,
        health: health(&found.status),
        ports: ports(found.ports),
        project: found.labels.get(PROJECT).cloned(),
        networks: found.network_settings.networks,
        id: found.id,
        image_id: found.image_id,
        command: found.command,
        state,
        status: found.status,
        created: found.created,
        labels: found.labels,
    }
}

pub(crate) fn state(word: &str) -> ContainerState {
    match word {
        // Moby 29 says "stopping" while it does; Podman has the same word.
        "running" | "stopping" => ContainerState::Running,
        "paused" => ContainerState::Paused,
        "restarting" => ContainerState::Restarting,
        "removing" => ContainerState::Removing,
        "exited" | "stopped" => ContainerState::Exited,
        "dead" => ContainerState::Dead,
        // Podman: "configured", "initialized".
        _ => ContainerState::Created,
    }
}

/// "Exited (137) 3 minutes ago". Lists have no other place for it.
fn exit_code(status: &str) -> Option<i32> {
    let (before, rest) = status.split_once('(')?;
    matches!(before.trim(), "Exited" | "Restarting" | "Dead").then_some(())?;
    rest.split_once(')')?.0.parse().ok()
}

/// "Up 3 hours (healthy)"
fn health(status: &str) -> Option<Health> {
    if status.contains("(healthy)") {
        Some(Health::Healthy)
    } else if status.contains("(unhealthy)") {
        Some(Health::Unhealthy)
    } else if status.contains("(health: starting)") {
        Some(Health::Starting)
    } else {
        None
    }
}

fn protocol(word: &str) -> Protocol {
    match word {
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

/// A port that is published on every address is listed once for IPv4 and once for IPv6. Both are kept only when
/// they are different ports.
fn ports(found: Vec<wire::Port>) -> Vec<Port> {
    let mut ports: Vec<Port> = found
        .into_iter()
        .map(|port| Port {
            container: port.private,
            protocol: protocol(&port.protocol),
            host: port.public.filter(|port| *port != 0).map(|public| HostPort {
                address: if port.ip.is_empty() { "0.0.0.0".into() } else { port.ip },
                port: public,
            }),
        })
        .collect();
    ports.sort();
    ports.dedup();
    let all = ports.clone();
    ports.retain(|port| match &port.host {
        None => !all
            .iter()
            .any(|other| other.host.is_some() && other.container == port.container && other.protocol == port.protocol),
        Some(host) => {
            let Some(twin) = twin(&host.address) else { return true };
            !all.iter().any(|other| {
                other.container == port.container
                    && other.protocol == port.protocol
                    && other
                        .host
                        .as_ref()
                        .is_some_and(|other| other.address == twin && other.port == host.port)
            })
        }
    });
    ports
}

/// The IPv4 address that says all of what this IPv6 address says.
fn twin(address: &str) -> Option<&'static str> {
    match address {
        "::" => Some("0.0.0.0"),
        "::1" => Some("127.0.0.1"),
        _ => None,
    }
}

fn image(found: wire::Image, users: &mut BTreeMap<String, Vec<String>>) -> ImageSummary {
    ImageSummary {
        references: references(&found.repo_tags),
        digests: found
            .repo_digests
            .iter()
            .map(|digest| name::familiar(digest))
            .filter(|digest| is_named(digest))
            .collect(),
        size: found.size,
        created: found.created,
        used_by: users.remove(&found.id).unwrap_or_default(),
        last_use: None,
        id: found.id,
    }
}

fn references(tags: &[String]) -> Vec<String> {
    tags.iter()
        .map(|tag| name::familiar(tag))
        .filter(|tag| is_named(tag))
        .collect()
}

/// Engines say `<none>:<none>` for what has no name.
fn is_named(reference: &str) -> bool {
    !reference.starts_with("<none>")
}

fn image_detail(mut found: wire::ImageInspect) -> ImageDetail {
    found.repo_tags.retain(|tag| ImageName::read(tag).is_none());
    ImageDetail {
        references: references(&found.repo_tags),
        size: found.size,
        created: found
            .created
            .parse::<jiff::Timestamp>()
            .map_or(0, jiff::Timestamp::as_second),
        exposed_ports: exposed_ports(found.config.exposed_ports.iter()),
        environment: found.config.env.iter().map(|line| variable(line)).collect(),
        entrypoint: found.config.entrypoint,
        command: found.config.cmd,
        volumes: found.config.volumes,
        working_directory: found.config.working_dir,
        user: found.config.user,
        labels: found.config.labels,
        layers: found.root_fs.layers,
        architecture: found.architecture,
        os: found.os,
        id: found.id,
    }
}

/// `80/tcp`, `8000-8010`
fn exposed_ports<'a>(written: impl Iterator<Item = &'a String>) -> Vec<ExposedPort> {
    /// An image may expose tens of thousands (streaming servers do); a form shows none of those.
    const MOST: usize = 64;
    let mut ports: Vec<ExposedPort> = written
        .filter_map(|text| {
            let (range, word) = text.split_once('/').unwrap_or((text, "tcp"));
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((first.parse::<u16>().ok()?, last.parse::<u16>().ok()?, protocol(word)))
        })
        .flat_map(|(first, last, protocol)| (first.max(1)..=last).map(move |port| ExposedPort { port, protocol }))
        .take(MOST)
        .collect();
    ports.sort();
    ports
}

fn variable(line: &str) -> Variable {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    Variable {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(json: &str) -> Vec<ContainerSummary> {
        let found: Vec<wire::Container> = serde_json::from_str(json).expect("a list");
        found.into_iter().map(container).collect()
    }

    #[test]
    fn a_container_reads_as_people_know_it() {
        let list = list(
            r#"[{"Id":"3fa2","Names":["/web"],"Image":"docker.io/library/nginx:1.27","ImageID":"sha256:ab","Command":"nginx",
            "Created":1700000000,"Ports":[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},
            {"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"PrivatePort":443,"Type":"tcp"}],
            "Labels":{"com.docker.compose.project":"shop"},"State":"running","Status":"Up 3 hours (healthy)",
            "NetworkSettings":{"Networks":{"bridge":{"IPAddress":"172.17.0.2"}}}}]"#,
        );
        insta::assert_json_snapshot!(list);
    }

    #[test]
    fn one_odd_container_does_not_hide_the_others() {
        let list = list(
            r#"[{"Id":"a","Names":null,"State":"levitating","Status":"","Ports":null,"Labels":null,"Command":null,
            "NetworkSettings":null},{"Id":"b","Names":["/other/alias","/b"],"State":"exited","Status":"Exited (137) 2 days ago"}]"#,
        );
        assert_eq!(list[0].state, ContainerState::Created);
        assert_eq!((list[1].name.as_str(), list[1].exit_code), ("b", Some(137)));
    }

    #[test]
    fn both_families_are_shown_only_where_they_differ() {
        let shown = |ports: &str| {
            let ports: Vec<wire::Port> = serde_json::from_str(ports).expect("ports");
            super::ports(ports)
                .into_iter()
                .map(|port| match port.host {
                    Some(host) => format!("{}:{}->{}", host.address, host.port, port.container),
                    None => port.container.to_string(),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown(
                r#"[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":32768,"Type":"tcp"},
                {"IP":"::","PrivatePort":80,"PublicPort":32769,"Type":"tcp"}]"#
            ),
            ["0.0.0.0:32768->80", ":::32769->80"]
        );
        assert_eq!(
            shown(r#"[{"IP":"::","PrivatePort":80,"PublicPort":80,"Type":"tcp"}]"#),
            [":::80->80"]
        );
    }

    #[test]
    fn exposed_ports_may_be_a_range() {
        let written = ["8000-8002/tcp".to_owned(), "53/udp".to_owned(), "nonsense".to_owned()];
        let ports: Vec<u16> = exposed_ports(written.iter())
            .into_iter()
            .map(|port| port.port)
            .collect();
        assert_eq!(ports, [53, 8000, 8001, 8002]);
    }
}
