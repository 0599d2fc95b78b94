//! What a container was made of, as a spec: the answers of the engine about the container and its image, read back.
//!
//! What the container has from its image is left out, so that the spec says what somebody chose.

use std::collections::BTreeSet;

use serde_json::Value;

use super::text;
use crate::{
    Gpus, HealthCheck, HealthSetting, MountSource, PublishedPort, RareFlag, Restart, RunDevice, RunMount, RunNetwork,
    RunSpec, Ulimit, Variable, WhichGpus, name,
};

/// What an engine gives a container that asked for nothing.
const USUAL_SHM: u64 = 64 << 20;
const USUAL_LOG: &str = "json-file";

/// `inspect` and `image` are the answers to `/containers/{id}/json` and `/images/{id}/json`; `image` may be null when
/// the image is gone.
pub fn spec_of(inspect: &Value, image: &Value) -> RunSpec {
    let (config, host, base) = (&inspect["Config"], &inspect["HostConfig"], &image["Config"]);
    let own = |key: &str| {
        let value = string(&config[key]);
        value.filter(|value| Some(value) != string(&base[key]).as_ref())
    };
    let (entrypoint, command) = command(config, base);
    let mut spec = RunSpec {
        image: name::familiar(config["Image"].as_str().unwrap_or_default()),
        name: string(&inspect["Name"]).map(|name| name.trim_start_matches('/').to_owned()),
        entrypoint,
        command,
        working_directory: own("WorkingDir"),
        user: own("User"),
        interactive: config["OpenStdin"] == true,
        terminal: config["Tty"] == true,
        init: host["Init"] == true,
        remove_when_stopped: host["AutoRemove"] == true,
        restart: restart(&host["RestartPolicy"]),
        stop_signal: own("StopSignal"),
        stop_timeout: config["StopTimeout"].as_i64(),
        ports: ports(&host["PortBindings"]),
        publish_all: host["PublishAllPorts"] == true,
        mounts: mounts(config, host, base),
        environment: own_pairs(&config["Env"], &base["Env"]),
        labels: own_labels(&config["Labels"], &base["Labels"]),
        memory: positive(&host["Memory"]),
        #[expect(clippy::cast_precision_loss, reason = "billionths of a processor")]
        cpus: positive(&host["NanoCpus"]).map(|nanos| nanos as f64 / 1e9),
        shm_size: positive(&host["ShmSize"]).filter(|size| *size != USUAL_SHM),
        gpus: gpus(&host["DeviceRequests"]),
        ulimits: list(&host["Ulimits"]).iter().filter_map(ulimit).collect(),
        health: health(&config["Healthcheck"], &base["Healthcheck"]),
        networks: networks(inspect),
        hostname: string(&config["Hostname"]).filter(|hostname| {
            !inspect["Id"]
                .as_str()
                .unwrap_or_default()
                .starts_with(hostname.as_str())
        }),
        dns: strings(&host["Dns"]),
        extra_hosts: strings(&host["ExtraHosts"]),
        privileged: host["Privileged"] == true,
        read_only: host["ReadonlyRootfs"] == true,
        cap_add: strings(&host["CapAdd"]),
        cap_drop: strings(&host["CapDrop"]),
        security_options: security(host),
        devices: devices(host),
        sysctls: pairs(&host["Sysctls"]),
        log_options: pairs(&host["LogConfig"]["Config"]),
        ..RunSpec::default()
    };
    let driver = string(&host["LogConfig"]["Type"]);
    spec.log_driver = driver.filter(|driver| driver != USUAL_LOG);
    spec.rare = rare(config, host, &spec);
    spec
}

/// The entrypoint is one word in a spec; more of them come before the command.
fn command(config: &Value, base: &Value) -> (Option<String>, Vec<String>) {
    let (entrypoint, command) = (strings(&config["Entrypoint"]), strings(&config["Cmd"]));
    if entrypoint == strings(&base["Entrypoint"]) {
        let is_the_image_s = command == strings(&base["Cmd"]);
        return (None, if is_the_image_s { Vec::new() } else { command });
    }
    let mut words = entrypoint.into_iter();
    let first = words.next().unwrap_or_default();
    (Some(first), words.chain(command).collect())
}

fn string(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn strings(value: &Value) -> Vec<String> {
    list(value)
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn keys(value: &Value) -> impl Iterator<Item = &String> {
    value.as_object().into_iter().flat_map(|object| object.keys())
}

fn positive(value: &Value) -> Option<u64> {
    value.as_u64().filter(|number| *number > 0)
}

fn pairs(value: &Value) -> Vec<Variable> {
    let object = value.as_object().into_iter().flatten();
    object
        .map(|(name, value)| Variable {
            name: name.clone(),
            value: value.as_str().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn own_pairs(config: &Value, base: &Value) -> Vec<Variable> {
    let base = strings(base);
    strings(config)
        .iter()
        .filter(|line| !base.contains(line))
        .map(|line| text::pair(line))
        .collect()
}

fn own_labels(config: &Value, base: &Value) -> Vec<Variable> {
    pairs(config)
        .into_iter()
        .filter(|label| base[&label.name].as_str() != Some(&label.value))
        .collect()
}

fn restart(policy: &Value) -> Restart {
    match policy["Name"].as_str() {
        Some("always") => Restart::Always,
        Some("unless-stopped") => Restart::UnlessStopped,
        Some("on-failure") => Restart::OnFailure {
            retries: positive(&policy["MaximumRetryCount"]).and_then(|count| u32::try_from(count).ok()),
        },
        _ => Restart::No,
    }
}

fn ports(bindings: &Value) -> Vec<PublishedPort> {
    let mut ports: Vec<PublishedPort> = Vec::new();
    for (port, bindings) in bindings.as_object().into_iter().flatten() {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let (Ok(container_port), Ok(protocol)) = (number.parse(), text::protocol(protocol)) else {
            continue;
        };
        for binding in list(bindings) {
            let host = binding["HostPort"].as_str().unwrap_or_default();
            let (first, last) = host.split_once('-').unwrap_or((host, ""));
            ports.push(PublishedPort {
                host_address: string(&binding["HostIp"]).filter(|address| address != "0.0.0.0"),
                host_port: first.parse().ok().filter(|port| *port != 0),
                host_last: last.parse().ok(),
                container_port,
                container_last: None,
                protocol,
            });
        }
    }
    ports.sort_by_key(|port| (port.container_port, port.host_port));
    ports
}

fn mounts(config: &Value, host: &Value, base: &Value) -> Vec<RunMount> {
    let binds = strings(&host["Binds"]);
    let mut mounts: Vec<RunMount> = binds.iter().filter_map(|bind| text::volume(bind).ok()).collect();
    mounts.extend(list(&host["Mounts"]).iter().filter_map(structured));
    let tmpfs = pairs(&host["Tmpfs"]);
    mounts.extend(tmpfs.iter().filter_map(|Variable { name, value }| {
        text::tmpfs(&if value.is_empty() {
            name.clone()
        } else {
            format!("{name}:{value}")
        })
        .ok()
    }));
    let of_image: BTreeSet<&String> = keys(&base["Volumes"]).collect();
    let anonymous: Vec<RunMount> = keys(&config["Volumes"])
        .filter(|target| !of_image.contains(target) && !mounts.iter().any(|mount| mount.target == **target))
        .map(|target| RunMount {
            source: MountSource::Volume { name: None },
            target: target.clone(),
            read_only: false,
            options: Vec::new(),
        })
        .collect();
    mounts.extend(anonymous);
    mounts
}

fn structured(mount: &Value) -> Option<RunMount> {
    let source = string(&mount["Source"]);
    let mut options = Vec::new();
    let source = match mount["Type"].as_str()? {
        "bind" => {
            options.extend(string(&mount["BindOptions"]["Propagation"]));
            MountSource::Folder {
                path: source?,
                must_exist: true,
            }
        }
        "volume" => {
            options.extend((mount["VolumeOptions"]["NoCopy"] == true).then(|| "nocopy".to_owned()));
            MountSource::Volume { name: source }
        }
        "tmpfs" => {
            options.extend(positive(&mount["TmpfsOptions"]["SizeBytes"]).map(|size| format!("size={size}")));
            MountSource::Memory
        }
        _ => return None,
    };
    Some(RunMount {
        source,
        target: string(&mount["Target"])?,
        read_only: mount["ReadOnly"] == true,
        options,
    })
}

fn gpus(requests: &Value) -> Option<Gpus> {
    let request = list(requests)
        .iter()
        .find(|request| request["Driver"].as_str() != Some("cdi"))?;
    let ids = strings(&request["DeviceIDs"]);
    let count = request["Count"].as_i64().unwrap_or_default();
    Some(Gpus {
        which: match u32::try_from(count) {
            _ if !ids.is_empty() => WhichGpus::Devices { ids },
            Ok(count) if count > 0 => WhichGpus::Count { count },
            Ok(_) | Err(_) => WhichGpus::All,
        },
        driver: string(&request["Driver"]),
        capabilities: list(&request["Capabilities"])
            .iter()
            .flat_map(strings)
            .filter(|capability| capability != "gpu")
            .collect(),
    })
}

fn ulimit(limit: &Value) -> Option<Ulimit> {
    Some(Ulimit {
        name: string(&limit["Name"])?,
        soft: limit["Soft"].as_i64()?,
        hard: limit["Hard"].as_i64()?,
    })
}

fn health(check: &Value, base: &Value) -> HealthSetting {
    if check == base || check.is_null() {
        return HealthSetting::Image;
    }
    let test = strings(&check["Test"]);
    if test.first().is_some_and(|kind| kind == "NONE") {
        return HealthSetting::Off;
    }
    let millis = |key: &str| positive(&check[key]).unwrap_or_default() / 1_000_000;
    let command = match test.split_first() {
        Some((kind, rest)) if kind == "CMD-SHELL" => Some(rest.join(" ")),
        // Of a Dockerfile: a shell runs the same words.
        Some((kind, rest)) if kind == "CMD" => Some(crate::shell_line(rest, crate::Shell::Posix)),
        Some(_) | None => None,
    };
    HealthSetting::Own {
        check: HealthCheck {
            command: command.filter(|_| check["Test"] != base["Test"]),
            interval_millis: millis("Interval"),
            timeout_millis: millis("Timeout"),
            start_period_millis: millis("StartPeriod"),
            start_interval_millis: millis("StartInterval"),
            retries: positive(&check["Retries"])
                .and_then(|retries| u32::try_from(retries).ok())
                .unwrap_or_default(),
        },
    }
}

fn networks(inspect: &Value) -> Vec<RunNetwork> {
    let mode = inspect["HostConfig"]["NetworkMode"].as_str().unwrap_or_default();
    let id = inspect["Id"].as_str().unwrap_or_default();
    let connected = &inspect["NetworkSettings"]["Networks"];
    let network = |name: &str| {
        let endpoint = &connected[name];
        let mut aliases = strings(&endpoint["Aliases"]);
        aliases.retain(|alias| !id.starts_with(alias.as_str()));
        RunNetwork {
            name: name.to_owned(),
            aliases,
            ip: string(&endpoint["IPAMConfig"]["IPv4Address"]),
            ip6: string(&endpoint["IPAMConfig"]["IPv6Address"]),
        }
    };
    let is_usual = matches!(mode, "" | "default" | "bridge");
    let mut networks = if is_usual { Vec::new() } else { vec![network(mode)] };
    let others = keys(connected).filter(|name| *name != mode && !(is_usual && *name == "bridge"));
    networks.extend(others.map(|name| network(name)));
    // The first is the one it starts with.
    if is_usual && !networks.is_empty() {
        networks.insert(0, network("bridge"));
    }
    networks
}

/// What privileged containers are given by the engine is not written down by anybody.
fn security(host: &Value) -> Vec<String> {
    let mut options = strings(&host["SecurityOpt"]);
    if host["Privileged"] == true {
        options.retain(|option| option != "label=disable");
    }
    options
}

fn devices(host: &Value) -> Vec<RunDevice> {
    let mut devices: Vec<RunDevice> = list(&host["Devices"])
        .iter()
        .filter_map(|device| {
            let path = string(&device["PathOnHost"])?;
            Some(RunDevice {
                container: string(&device["PathInContainer"]).filter(|inside| *inside != path),
                permissions: string(&device["CgroupPermissions"]).filter(|permissions| permissions != "rwm"),
                host: path,
            })
        })
        .collect();
    let requests = list(&host["DeviceRequests"]).iter();
    let named = requests.filter(|request| request["Driver"].as_str() == Some("cdi"));
    devices.extend(
        named
            .flat_map(|request| strings(&request["DeviceIDs"]))
            .map(|host| RunDevice {
                host,
                container: None,
                permissions: None,
            }),
    );
    devices
}

/// Flags without a field of their own, as far as the engine keeps them as they were given.
fn rare(config: &Value, host: &Value, spec: &RunSpec) -> Vec<RareFlag> {
    let mut rare = Vec::new();
    let mut push = |flag: &str, value: String| {
        rare.push(RareFlag {
            flag: flag.to_owned(),
            value,
        });
    };
    for (key, flag) in [
        ("BlkioWeight", "blkio-weight"),
        ("CpuPeriod", "cpu-period"),
        ("CpuQuota", "cpu-quota"),
        ("CpuRealtimePeriod", "cpu-rt-period"),
        ("CpuRealtimeRuntime", "cpu-rt-runtime"),
        ("CpuShares", "cpu-shares"),
        ("MemoryReservation", "memory-reservation"),
        ("OomScoreAdj", "oom-score-adj"),
        ("PidsLimit", "pids-limit"),
    ] {
        if let Some(value) = host[key].as_i64().filter(|value| *value != 0) {
            push(flag, value.to_string());
        }
    }
    let twice = spec.memory.map(|memory| memory.saturating_mul(2).cast_signed());
    if let Some(swap) = host["MemorySwap"]
        .as_i64()
        .filter(|swap| *swap != 0 && Some(*swap) != twice)
    {
        push("memory-swap", swap.to_string());
    }
    if let Some(swappiness) = host["MemorySwappiness"].as_i64().filter(|value| *value >= 0) {
        push("memory-swappiness", swappiness.to_string());
    }
    for (key, flag, usual) in [
        ("CgroupParent", "cgroup-parent", ""),
        ("CpusetCpus", "cpuset-cpus", ""),
        ("CpusetMems", "cpuset-mems", ""),
        ("PidMode", "pid", ""),
        ("UTSMode", "uts", ""),
        ("UsernsMode", "userns", ""),
        ("VolumeDriver", "volume-driver", ""),
        ("Runtime", "runtime", "runc"),
        // Which of the two is usual depends on the engine; the others are somebody's choice.
        ("IpcMode", "ipc", "private"),
    ] {
        if let Some(value) =
            string(&host[key]).filter(|value| value != usual && (flag != "ipc" || value != "shareable"))
        {
            push(flag, value);
        }
    }
    for (key, flag) in [
        ("DeviceCgroupRules", "device-cgroup-rule"),
        ("DnsOptions", "dns-option"),
        ("DnsSearch", "dns-search"),
        ("GroupAdd", "group-add"),
        ("VolumesFrom", "volumes-from"),
    ] {
        for value in strings(&host[key]) {
            push(flag, value);
        }
    }
    if host["OomKillDisable"] == true {
        push("oom-kill-disable", "true".to_owned());
    }
    if let Some(domain) = string(&config["Domainname"]) {
        push("domainname", domain);
    }
    rare
}
