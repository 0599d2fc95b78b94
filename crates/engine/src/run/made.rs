//! A spec from a container that is there: what makes one like it.
//!
//! What a container has from its image is left to the image, and what the engine gives everyone is not said: the spec
//! is what a person would have written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::flags::{self, Goes};
use super::text;
use crate::{
    Gpus, HealthCheck, HealthSetting, MountSource, Protocol, PublishedPort, RareFlag, Restart, RunDevice, RunMount,
    RunNetwork, RunSpec, Shell, Ulimit, Variable, WhichGpus, name,
};

/// What the engine gives to a container that asks for nothing.
#[derive(Debug)]
pub(crate) struct Usual {
    pub(crate) log_driver: String,
    pub(crate) runtime: String,
    /// `host` or `private`; `None` when nobody has asked the engine, and then either may be.
    pub(crate) cgroup_namespace: Option<&'static str>,
}

/// Of an engine that nobody has set up otherwise.
impl Default for Usual {
    fn default() -> Self {
        Usual {
            log_driver: "json-file".to_owned(),
            runtime: "runc".to_owned(),
            cgroup_namespace: None,
        }
    }
}

/// The spec, and what of the container it cannot say.
pub(crate) fn spec_of(container: &Value, image: &Value, usual: &Usual) -> (RunSpec, Vec<String>) {
    let mut reading = Reading {
        container,
        host: &container["HostConfig"],
        config: &container["Config"],
        image: &image["Config"],
        spec: RunSpec::default(),
        lost: Vec::new(),
    };
    reading.how_it_lives(usual);
    reading.what_it_runs();
    reading.ports();
    reading.mounts();
    reading.networks();
    reading.what_it_may();
    reading.devices();
    reading.rare(usual);
    (reading.spec, reading.lost)
}

struct Reading<'a> {
    container: &'a Value,
    host: &'a Value,
    config: &'a Value,
    image: &'a Value,
    spec: RunSpec,
    lost: Vec<String>,
}

fn word(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn words(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

fn pairs(value: &Value) -> Vec<Variable> {
    let map: BTreeMap<&String, &Value> = value.as_object().into_iter().flatten().collect();
    map.into_iter()
        .map(|(name, value)| Variable {
            name: name.clone(),
            value: value.as_str().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A number that says something: neither nothing nor the engine's "not set".
fn positive(value: &Value) -> Option<u64> {
    value.as_u64().filter(|number| *number > 0)
}

impl Reading<'_> {
    /// What it has and its image has not.
    fn own(&self, field: &str) -> Option<String> {
        word(&self.config[field]).filter(|_| self.config[field] != self.image[field])
    }

    fn add(&mut self, flag: &str, value: impl Into<String>) {
        debug_assert!(
            flags::by_name(flag).is_some_and(|flag| matches!(flag.goes, Goes::Rare(..))),
            "{flag} is a rare flag"
        );
        self.spec.rare.push(RareFlag {
            flag: flag.to_owned(),
            value: value.into(),
        });
    }

    fn mode(&self) -> &str {
        self.host["NetworkMode"].as_str().unwrap_or_default()
    }

    fn short_id(&self) -> &str {
        self.container["Id"]
            .as_str()
            .and_then(|id| id.get(..12))
            .unwrap_or_default()
    }

    fn how_it_lives(&mut self, usual: &Usual) {
        let on = |value: &Value| value.as_bool() == Some(true);
        self.spec.image = name::familiar(self.config["Image"].as_str().unwrap_or_default());
        self.spec.name = word(&self.container["Name"]).map(|name| name.trim_start_matches('/').to_owned());
        self.spec.interactive = on(&self.config["OpenStdin"]);
        self.spec.terminal = on(&self.config["Tty"]);
        self.spec.init = on(&self.host["Init"]);
        self.spec.remove_when_stopped = on(&self.host["AutoRemove"]);
        self.spec.publish_all = on(&self.host["PublishAllPorts"]);
        self.spec.privileged = on(&self.host["Privileged"]);
        self.spec.read_only = on(&self.host["ReadonlyRootfs"]);
        let policy = &self.host["RestartPolicy"];
        self.spec.restart = match policy["Name"].as_str().unwrap_or_default() {
            "always" => Restart::Always,
            "unless-stopped" => Restart::UnlessStopped,
            "on-failure" => Restart::OnFailure {
                retries: positive(&policy["MaximumRetryCount"]).and_then(|retries| u32::try_from(retries).ok()),
            },
            _ => Restart::No,
        };
        self.spec.stop_signal = self.own("StopSignal");
        self.spec.stop_timeout = self.config["StopTimeout"].as_i64();
        self.spec.health = self.health();
        let log = &self.host["LogConfig"];
        self.spec.log_options = pairs(&log["Config"]);
        self.spec.log_driver =
            word(&log["Type"]).filter(|driver| !self.spec.log_options.is_empty() || *driver != usual.log_driver);
        self.spec.labels = pairs(&self.config["Labels"]);
        let of_image = pairs(&self.image["Labels"]);
        self.spec.labels.retain(|label| !of_image.contains(label));
    }

    fn health(&self) -> HealthSetting {
        let (own, of_image) = (&self.config["Healthcheck"], &self.image["Healthcheck"]);
        if own == of_image || own.is_null() {
            return HealthSetting::Image;
        }
        let test = words(&own["Test"]);
        let command = match test.first().map(String::as_str) {
            Some("NONE") => return HealthSetting::Off,
            _ if own["Test"] == of_image["Test"] => None,
            Some("CMD-SHELL") => test.get(1).cloned(),
            // Said as a line for the container's shell, which starts the same program.
            Some("CMD") => {
                let quoted: Vec<String> = test[1..].iter().map(|word| Shell::Posix.quote(word)).collect();
                Some(quoted.join(" "))
            }
            Some(_) | None => None,
        };
        let millis = |field: &str| {
            let same = own[field] == of_image[field];
            positive(&own[field]).filter(|_| !same).unwrap_or(0) / 1_000_000
        };
        let retries = positive(&own["Retries"]).filter(|_| own["Retries"] != of_image["Retries"]);
        HealthSetting::Own {
            check: HealthCheck {
                command,
                interval_millis: millis("Interval"),
                timeout_millis: millis("Timeout"),
                start_period_millis: millis("StartPeriod"),
                start_interval_millis: millis("StartInterval"),
                retries: retries.and_then(|retries| u32::try_from(retries).ok()).unwrap_or(0),
            },
        }
    }

    fn what_it_runs(&mut self) {
        let (command, of_image) = (words(&self.config["Cmd"]), words(&self.image["Cmd"]));
        let (entrypoint, of_images) = (words(&self.config["Entrypoint"]), words(&self.image["Entrypoint"]));
        if entrypoint == of_images {
            if command != of_image {
                self.spec.command = command;
            }
        } else {
            // With an entrypoint of its own nothing is taken from the image, and a flag has room for one word.
            let (first, rest) = entrypoint
                .split_first()
                .map_or((String::new(), &[][..]), |(first, rest)| (first.clone(), rest));
            self.spec.entrypoint = Some(first);
            self.spec.command = rest.iter().cloned().chain(command).collect();
        }
        self.spec.working_directory = self.own("WorkingDir");
        self.spec.user = self.own("User");
        let of_image = words(&self.image["Env"]);
        self.spec.environment = words(&self.config["Env"])
            .into_iter()
            .filter(|pair| pair.contains('=') && !of_image.contains(pair))
            .map(|pair| text::pair(&pair))
            .collect();
        // On the engine's own network it has the engine's name.
        if self.mode() != "host" && !self.mode().starts_with("container:") {
            self.spec.hostname = word(&self.config["Hostname"]).filter(|name| name != self.short_id());
        }
    }

    fn ports(&mut self) {
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

    fn mounts(&mut self) {
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

    fn networks(&mut self) {
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

    fn what_it_may(&mut self) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "billionths of some hundred processors at most"
        )]
        let cpus = positive(&self.host["NanoCpus"]).map(|nanos| nanos as f64 / 1e9);
        self.spec.cpus = cpus;
        self.spec.memory = positive(&self.host["Memory"]);
        self.spec.shm_size = positive(&self.host["ShmSize"]).filter(|size| *size != 64 << 20);
        self.spec.ulimits = items(&self.host["Ulimits"])
            .iter()
            .filter_map(|limit| {
                Some(Ulimit {
                    name: word(&limit["Name"])?,
                    soft: limit["Soft"].as_i64()?,
                    hard: limit["Hard"].as_i64()?,
                })
            })
            .collect();
        self.spec.cap_add = words(&self.host["CapAdd"]);
        self.spec.cap_drop = words(&self.host["CapDrop"]);
        // The engine adds this by itself to what sees the processes of its computer.
        let sees_all = self.spec.privileged
            || [&self.host["PidMode"], &self.host["IpcMode"]]
                .iter()
                .any(|mode| **mode == "host");
        self.spec.security_options = words(&self.host["SecurityOpt"]);
        self.spec
            .security_options
            .retain(|option| !(sees_all && option == "label=disable"));
        self.spec.sysctls = pairs(&self.host["Sysctls"]);
    }

    fn devices(&mut self) {
        for device in items(&self.host["Devices"]) {
            let Some(path) = word(&device["PathOnHost"]) else {
                continue;
            };
            self.spec.devices.push(RunDevice {
                container: word(&device["PathInContainer"]).filter(|inside| *inside != path),
                permissions: word(&device["CgroupPermissions"]).filter(|permissions| permissions != "rwm"),
                host: path,
            });
        }
        for request in items(&self.host["DeviceRequests"]) {
            let ids = words(&request["DeviceIDs"]);
            if request["Driver"] == "cdi" {
                self.spec.devices.extend(ids.into_iter().map(|host| RunDevice {
                    host,
                    container: None,
                    permissions: None,
                }));
                continue;
            }
            let which = match request["Count"].as_i64() {
                _ if !ids.is_empty() => WhichGpus::Devices { ids },
                Some(count) if count > 0 => WhichGpus::Count {
                    count: u32::try_from(count).unwrap_or(u32::MAX),
                },
                Some(_) | None => WhichGpus::All,
            };
            let mut capabilities = items(&request["Capabilities"]).first().map(words).unwrap_or_default();
            capabilities.retain(|capability| capability != "gpu");
            if self.spec.gpus.is_some() {
                self.lost.push("a second request for GPUs".to_owned());
            }
            self.spec.gpus = Some(Gpus {
                which,
                driver: word(&request["Driver"]),
                capabilities,
            });
        }
    }

    fn rare(&mut self, usual: &Usual) {
        let host = self.host;
        for (flag, field) in [
            ("blkio-weight", "BlkioWeight"),
            ("cpu-period", "CpuPeriod"),
            ("cpu-quota", "CpuQuota"),
            ("cpu-rt-period", "CpuRealtimePeriod"),
            ("cpu-rt-runtime", "CpuRealtimeRuntime"),
            ("cpu-shares", "CpuShares"),
            ("memory-reservation", "MemoryReservation"),
            ("oom-score-adj", "OomScoreAdj"),
            ("pids-limit", "PidsLimit"),
        ] {
            if let Some(number) = host[field].as_i64().filter(|number| *number != 0) {
                self.add(flag, number.to_string());
            }
        }
        if let Some(swappiness) = host["MemorySwappiness"].as_i64().filter(|number| *number >= 0) {
            self.add("memory-swappiness", swappiness.to_string());
        }
        // Twice the memory is what the engine makes of nothing.
        let twice = self.spec.memory.map(|memory| memory.saturating_mul(2).cast_signed());
        if let Some(swap) = host["MemorySwap"]
            .as_i64()
            .filter(|swap| *swap != 0 && Some(*swap) != twice)
        {
            self.add("memory-swap", swap.to_string());
        }
        if host["OomKillDisable"] == true {
            self.add("oom-kill-disable", "true");
        }
        let namespace = match usual.cgroup_namespace {
            Some(_) if self.spec.privileged => "host",
            Some(usual) => usual,
            None => host["CgroupnsMode"].as_str().unwrap_or_default(),
        };
        for (flag, field, left_out) in [
            ("cgroup-parent", "CgroupParent", ""),
            ("cgroupns", "CgroupnsMode", namespace),
            ("cpuset-cpus", "CpusetCpus", ""),
            ("cpuset-mems", "CpusetMems", ""),
            ("ipc", "IpcMode", "private"),
            ("pid", "PidMode", ""),
            ("runtime", "Runtime", usual.runtime.as_str()),
            ("userns", "UsernsMode", ""),
            ("uts", "UTSMode", ""),
            ("volume-driver", "VolumeDriver", ""),
        ] {
            if let Some(value) = word(&host[field]).filter(|value| value != left_out) {
                self.add(flag, value);
            }
        }
        self.rare_lists();
    }

    /// Flags that may be said several times.
    fn rare_lists(&mut self) {
        let host = self.host;
        for (flag, field) in [
            ("device-cgroup-rule", "DeviceCgroupRules"),
            ("dns-option", "DnsOptions"),
            ("dns-search", "DnsSearch"),
            ("group-add", "GroupAdd"),
            ("volumes-from", "VolumesFrom"),
        ] {
            for value in words(&host[field]) {
                self.add(flag, value);
            }
        }
        for (flag, field) in [("annotation", "Annotations"), ("storage-opt", "StorageOpt")] {
            for pair in pairs(&host[field]) {
                self.add(flag, text::pair_text(&pair));
            }
        }
        for (flag, field, amount) in [
            ("blkio-weight-device", "BlkioWeightDevice", "Weight"),
            ("device-read-bps", "BlkioDeviceReadBps", "Rate"),
            ("device-read-iops", "BlkioDeviceReadIOps", "Rate"),
            ("device-write-bps", "BlkioDeviceWriteBps", "Rate"),
            ("device-write-iops", "BlkioDeviceWriteIOps", "Rate"),
        ] {
            for device in items(&host[field]) {
                let path = device["Path"].as_str().unwrap_or_default();
                self.add(flag, format!("{path}:{}", device[amount]));
            }
        }
        // "/db:/web/database" is how the engine keeps `db:database`.
        for link in words(&host["Links"]) {
            let (from, alias) = link.split_once(':').unwrap_or((&link, ""));
            let alias = alias.rsplit('/').next().unwrap_or_default();
            let from = from.trim_start_matches('/');
            self.add("link", format!("{from}:{alias}"));
        }
        if let Some(domain) = word(&self.config["Domainname"]) {
            self.add("domainname", domain);
        }
        if let Some(mac) = word(&self.config["MacAddress"]) {
            self.add("mac-address", mac);
        }
        let published: Vec<&String> = host["PortBindings"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
            .collect();
        let exposed: Vec<String> = self.config["ExposedPorts"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
            .filter(|key| !published.contains(key) && self.image["ExposedPorts"].get(key.as_str()).is_none())
            .map(|key| key.trim_end_matches("/tcp").to_owned())
            .collect();
        for port in exposed {
            self.add("expose", port);
        }
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
