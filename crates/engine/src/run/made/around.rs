//! What connects a container with what is around it: ports, folders and volumes, networks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Reading, items, pairs, positive, word, words};
use crate::run::text;
use crate::{MountSource, Protocol, PublishedPort, RunMount, RunNetwork, Variable};

impl Reading<'_> {
    pub(super) fn ports(&mut self) {
        let mut ports: Vec<PublishedPort> = Vec::new();
        let bindings: BTreeMap<&String, &Value> = self.host["PortBindings"].as_object().into_iter().flatten().collect();
        for (key, bindings) in bindings {
            for binding in items(bindings) {
                let address = binding["HostIp"].as_str().unwrap_or_default();
                let port = binding["HostPort"].as_str().unwrap_or_default();
                let port = if port == "0" { "" } else { port };
                let address = if address.contains(':') {
                    format!("[{address}]")
                } else {
                    address.to_owned()
                };
                let written = match (address.is_empty(), port.is_empty()) {
                    (true, true) => key.clone(),
                    (true, false) => format!("{port}:{key}"),
                    (false, _) => format!("{address}:{port}:{key}"),
                };
                match text::port(&written) {
                    Ok(port) => ports.push(port),
                    Err(_) => self.lost.push(format!("the published port {written}")),
                }
            }
        }
        ports.sort_by_key(|port| (port.protocol != Protocol::Tcp, port.container_port, port.host_port));
        for port in ports {
            match self.spec.ports.last_mut() {
                Some(last) if follows(last, &port) => {
                    last.container_last = Some(port.container_port);
                    last.host_last = port.host_port;
                }
                Some(_) | None => self.spec.ports.push(port),
            }
        }
    }

    pub(super) fn mounts(&mut self) {
        let mut mounts: Vec<RunMount> = Vec::new();
        for bind in words(&self.host["Binds"]) {
            match text::volume(&bind) {
                Ok(mount) => mounts.push(mount),
                Err(_) => self.lost.push(format!("the mount {bind}")),
            }
        }
        for mount in items(&self.host["Mounts"]) {
            match structured(mount) {
                Some(mount) => mounts.push(mount),
                None => self
                    .lost
                    .push(format!("the mount at {}", mount["Target"].as_str().unwrap_or("?"))),
            }
        }
        for Variable { name: target, value } in pairs(&self.host["Tmpfs"]) {
            let written = if value.is_empty() {
                target
            } else {
                format!("{target}:{value}")
            };
            if let Ok(mount) = text::tmpfs(&written) {
                mounts.push(mount);
            }
        }
        // A volume without a name of the person's has one of the engine's: by that its data comes along.
        for mount in items(&self.container["Mounts"]) {
            let target = mount["Destination"].as_str().unwrap_or_default();
            if mount["Type"] == "volume"
                && let Some(name) = word(&mount["Name"])
            {
                match mounts.iter_mut().find(|known| known.target == target) {
                    Some(known) if known.source == (MountSource::Volume { name: None }) => {
                        known.source = MountSource::Volume { name: Some(name) };
                    }
                    None if items(&self.host["VolumesFrom"]).is_empty() => mounts.push(RunMount {
                        source: MountSource::Volume { name: Some(name) },
                        target: target.to_owned(),
                        read_only: mount["RW"] == false,
                        options: Vec::new(),
                    }),
                    Some(_) | None => {}
                }
            }
        }
        self.spec.mounts = mounts;
    }

    pub(super) fn networks(&mut self) {
        let mode = self.mode().to_owned();
        let connected = self.container["NetworkSettings"]["Networks"].as_object();
        let mut networks: Vec<RunNetwork> = connected
            .into_iter()
            .flatten()
            .filter(|(name, _)| !mode.starts_with("container:") || **name == mode)
            .map(|(name, endpoint)| {
                let aliases = words(&endpoint["Aliases"]);
                RunNetwork {
                    name: name.clone(),
                    aliases: aliases.into_iter().filter(|alias| alias != self.short_id()).collect(),
                    ip: word(&endpoint["IPAMConfig"]["IPv4Address"]),
                    ip6: word(&endpoint["IPAMConfig"]["IPv6Address"]),
                }
            })
            .collect();
        let usual = matches!(mode.as_str(), "" | "default" | "bridge");
        let first = networks
            .iter()
            .position(|network| network.name == mode || usual && network.name == "bridge");
        match first {
            Some(at) => {
                let first = networks.remove(at);
                networks.insert(0, first);
            }
            None if usual => {}
            None => networks.insert(
                0,
                RunNetwork {
                    name: mode,
                    ..RunNetwork::default()
                },
            ),
        }
        let bare = |network: &RunNetwork| network.aliases.is_empty() && network.ip.is_none() && network.ip6.is_none();
        if usual
            && networks.len() == 1
            && networks
                .first()
                .is_some_and(|network| network.name == "bridge" && bare(network))
        {
            networks.clear();
        }
        self.spec.networks = networks;
        self.spec.dns = words(&self.host["Dns"]);
        self.spec.extra_hosts = words(&self.host["ExtraHosts"]);
    }
}

/// Whether this port continues a range.
fn follows(last: &PublishedPort, next: &PublishedPort) -> bool {
    let end = last.container_last.unwrap_or(last.container_port);
    let host = last.host_last.or(last.host_port);
    last.protocol == next.protocol
        && last.host_address == next.host_address
        && end.checked_add(1) == Some(next.container_port)
        && next.host_last.is_none()
        // A single port that may choose from several of the host is no range.
        && (last.host_last.is_none() || last.container_last.is_some())
        && host.is_some_and(|host| host.checked_add(1) == next.host_port)
}

/// An entry of `HostConfig.Mounts`; `None` for what a spec cannot say.
fn structured(mount: &Value) -> Option<RunMount> {
    let mut options = Vec::new();
    let volume = &mount["VolumeOptions"];
    let source = match mount["Type"].as_str()? {
        "bind" => {
            options.extend(word(&mount["BindOptions"]["Propagation"]));
            MountSource::Folder {
                path: word(&mount["Source"])?,
                must_exist: mount["BindOptions"]["CreateMountpoint"] != true,
            }
        }
        "volume" => {
            let driver = &volume["DriverConfig"];
            let own_driver = word(&driver["Name"]).is_some() || !pairs(&driver["Options"]).is_empty();
            if own_driver || volume["Subpath"].as_str().is_some_and(|path| !path.is_empty()) {
                return None;
            }
            if volume["NoCopy"] == true {
                options.push("nocopy".to_owned());
            }
            MountSource::Volume {
                name: word(&mount["Source"]),
            }
        }
        "tmpfs" => {
            let wanted = &mount["TmpfsOptions"];
            options.extend(positive(&wanted["SizeBytes"]).map(|size| format!("size={size}")));
            options.extend(positive(&wanted["Mode"]).map(|mode| format!("mode={mode:o}")));
            MountSource::Memory
        }
        _ => return None,
    };
    Some(RunMount {
        source,
        target: word(&mount["Target"])?,
        read_only: mount["ReadOnly"] == true,
        options,
    })
}
