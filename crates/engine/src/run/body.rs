//! A spec as the body of `POST /containers/create`, as the docker command makes it of the same flags.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig,
    HostConfigLogConfig, Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType, MountVolumeOptions,
    NetworkingConfig, PortBinding, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use serde::Serialize;

use super::{Invalid, flags, text};
use crate::{
    Gpus, HealthSetting, MountSource, PublishedPort, Restart, RunDevice, RunMount, RunNetwork, RunSpec, Variable,
    WhichGpus,
};

/// What is sent. `mac_address` is where engines before API 1.44 look for it; later ones have it in the endpoint too.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Body {
    #[serde(flatten)]
    pub(super) create: ContainerCreateBody,
    #[serde(rename = "MacAddress", skip_serializing_if = "Option::is_none")]
    pub(super) mac_address: Option<String>,
    #[serde(skip)]
    pub(super) link_local_ips: Vec<String>,
}

impl Body {
    pub(super) fn host(&mut self) -> &mut HostConfig {
        self.create.host_config.get_or_insert_default()
    }
}

/// `from_files`: what the spec's files of variables hold.
pub(crate) fn body(spec: &RunSpec, from_files: &[Variable]) -> Result<Body, Invalid> {
    super::validate(spec)?;
    let mut body = Body {
        create: ContainerCreateBody {
            image: Some(spec.image.trim().to_owned()),
            hostname: given(spec.hostname.as_ref()),
            user: given(spec.user.as_ref()),
            tty: spec.terminal.then_some(true),
            open_stdin: spec.interactive.then_some(true),
            env: environment(spec, from_files),
            cmd: some(spec.command.clone()),
            healthcheck: health(&spec.health),
            volumes: some(
                spec.mounts
                    .iter()
                    .filter(|mount| is_anonymous(mount))
                    .map(|mount| mount.target.clone())
                    .collect(),
            ),
            working_dir: given(spec.working_directory.as_ref()),
            // One empty word takes the image's away.
            entrypoint: spec
                .entrypoint
                .as_ref()
                .map(|entrypoint| vec![entrypoint.trim().to_owned()]),
            labels: map(&spec.labels),
            stop_signal: given(spec.stop_signal.as_ref()),
            stop_timeout: spec.stop_timeout,
            ..ContainerCreateBody::default()
        },
        ..Body::default()
    };
    body.create.host_config = Some(host_config(spec));
    publish(spec, &mut body);
    for rare in &spec.rare {
        flags::apply_rare(rare, &mut body)?;
    }
    connect(&spec.networks, &mut body);
    Ok(body)
}

/// Text that is only blanks is none.
fn given(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim())
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn map(pairs: &[Variable]) -> Option<HashMap<String, String>> {
    (!pairs.is_empty()).then(|| {
        pairs
            .iter()
            .map(|pair| (pair.name.trim().to_owned(), pair.value.clone()))
            .collect()
    })
}

fn environment(spec: &RunSpec, from_files: &[Variable]) -> Option<Vec<String>> {
    let own = spec
        .environment
        .iter()
        .map(|variable| format!("{}={}", variable.name.trim(), variable.value));
    some(from_files.iter().map(text::pair_text).chain(own).collect())
}

fn host_config(spec: &RunSpec) -> HostConfig {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "billionths of a processor, as the engine counts"
    )]
    let nano_cpus = spec.cpus.map(|cpus| (cpus * 1e9).round() as i64);
    let (devices, named): (Vec<&RunDevice>, Vec<&RunDevice>) =
        spec.devices.iter().partition(|device| !text::is_cdi(&device.host));
    let mut requests: Vec<DeviceRequest> = spec.gpus.iter().map(gpu_request).collect();
    if !named.is_empty() {
        requests.push(DeviceRequest {
            driver: Some("cdi".to_owned()),
            device_ids: Some(named.iter().map(|device| device.host.clone()).collect()),
            ..DeviceRequest::default()
        });
    }
    HostConfig {
        auto_remove: spec.remove_when_stopped.then_some(true),
        init: spec.init.then_some(true),
        memory: spec.memory.map(u64::cast_signed),
        nano_cpus,
        shm_size: spec.shm_size.map(u64::cast_signed),
        restart_policy: restart(spec.restart),
        publish_all_ports: spec.publish_all.then_some(true),
        binds: some(spec.mounts.iter().filter_map(bind).collect()),
        mounts: some(
            spec.mounts
                .iter()
                .filter(|mount| text::is_structured(mount))
                .map(structured)
                .collect(),
        ),
        tmpfs: tmpfs(&spec.mounts),
        ulimits: some(
            spec.ulimits
                .iter()
                .map(|limit| ResourcesUlimits {
                    name: Some(limit.name.clone()),
                    soft: Some(limit.soft),
                    hard: Some(limit.hard),
                })
                .collect(),
        ),
        log_config: log(spec),
        dns: some(spec.dns.clone()),
        // `host=address` is the same, and older engines know only the colon.
        extra_hosts: some(spec.extra_hosts.iter().map(|host| host.replacen('=', ":", 1)).collect()),
        privileged: spec.privileged.then_some(true),
        readonly_rootfs: spec.read_only.then_some(true),
        cap_add: some(spec.cap_add.iter().map(|name| capability(name)).collect()),
        cap_drop: some(spec.cap_drop.iter().map(|name| capability(name)).collect()),
        security_opt: some(spec.security_options.clone()),
        devices: some(devices.into_iter().map(device).collect()),
        device_requests: some(requests),
        sysctls: map(&spec.sysctls),
        network_mode: spec.networks.first().map(|network| network.name.clone()),
        ..HostConfig::default()
    }
}

/// `net_admin` is `CAP_NET_ADMIN`; podman wants it whole.
fn capability(name: &str) -> String {
    let name = name.trim().to_uppercase();
    if name == "ALL" || name.starts_with("CAP_") {
        name
    } else {
        format!("CAP_{name}")
    }
}

fn restart(restart: Restart) -> Option<RestartPolicy> {
    let (name, retries) = match restart {
        Restart::No => return None,
        Restart::Always => (RestartPolicyNameEnum::ALWAYS, None),
        Restart::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        Restart::OnFailure { retries } => (RestartPolicyNameEnum::ON_FAILURE, retries),
    };
    Some(RestartPolicy {
        name: Some(name),
        maximum_retry_count: retries.map(i64::from),
    })
}

fn log(spec: &RunSpec) -> Option<HostConfigLogConfig> {
    (spec.log_driver.is_some() || !spec.log_options.is_empty()).then(|| HostConfigLogConfig {
        typ: given(spec.log_driver.as_ref()),
        config: map(&spec.log_options),
    })
}

fn gpu_request(gpus: &Gpus) -> DeviceRequest {
    let mut capabilities = gpus.capabilities.clone();
    if !capabilities.iter().any(|capability| capability == "gpu") {
        capabilities.push("gpu".to_owned());
    }
    let (count, device_ids) = match &gpus.which {
        WhichGpus::All => (Some(-1), None),
        WhichGpus::Count { count } => (Some(i64::from(*count)), None),
        WhichGpus::Devices { ids } => (None, Some(ids.clone())),
    };
    DeviceRequest {
        driver: gpus.driver.clone(),
        count,
        device_ids,
        capabilities: Some(vec![capabilities]),
        options: None,
    }
}

fn device(device: &RunDevice) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(device.host.clone()),
        path_in_container: Some(device.container.as_ref().unwrap_or(&device.host).clone()),
        cgroup_permissions: Some(device.permissions.clone().unwrap_or_else(|| "rwm".to_owned())),
    }
}

fn is_anonymous(mount: &RunMount) -> bool {
    matches!(mount.source, MountSource::Volume { name: None }) && !text::is_structured(mount)
}

fn bind(mount: &RunMount) -> Option<String> {
    let named = match &mount.source {
        MountSource::Folder { .. } => true,
        MountSource::Volume { name } => name.is_some(),
        MountSource::Memory => false,
    };
    (named && !text::is_structured(mount)).then(|| text::mount_text(mount).1)
}

fn tmpfs(mounts: &[RunMount]) -> Option<HashMap<String, String>> {
    let tmpfs: HashMap<String, String> = mounts
        .iter()
        .filter(|mount| mount.source == MountSource::Memory)
        .map(|mount| {
            let read_only = mount.read_only.then(|| "ro".to_owned());
            let options: Vec<String> = read_only.into_iter().chain(mount.options.iter().cloned()).collect();
            (mount.target.clone(), options.join(","))
        })
        .collect();
    (!tmpfs.is_empty()).then_some(tmpfs)
}

fn structured(mount: &RunMount) -> Mount {
    let propagation = mount
        .options
        .iter()
        .find(|option| text::is_propagation(option))
        .map(|option| match option.as_str() {
            "private" => MountBindOptionsPropagationEnum::PRIVATE,
            "rshared" => MountBindOptionsPropagationEnum::RSHARED,
            "shared" => MountBindOptionsPropagationEnum::SHARED,
            "rslave" => MountBindOptionsPropagationEnum::RSLAVE,
            "slave" => MountBindOptionsPropagationEnum::SLAVE,
            _ => MountBindOptionsPropagationEnum::RPRIVATE,
        });
    let (typ, source) = match &mount.source {
        MountSource::Folder { path, .. } => (MountType::BIND, Some(path.clone())),
        MountSource::Volume { name } => (MountType::VOLUME, name.clone()),
        MountSource::Memory => (MountType::TMPFS, None),
    };
    Mount {
        target: Some(mount.target.clone()),
        source,
        typ: Some(typ),
        read_only: mount.read_only.then_some(true),
        bind_options: propagation.map(|propagation| MountBindOptions {
            propagation: Some(propagation),
            ..MountBindOptions::default()
        }),
        volume_options: mount
            .options
            .iter()
            .any(|option| option == "nocopy")
            .then(|| MountVolumeOptions {
                no_copy: Some(true),
                ..MountVolumeOptions::default()
            }),
        ..Mount::default()
    }
}

fn health(health: &HealthSetting) -> Option<HealthConfig> {
    let nanos = |millis: u64| (millis > 0).then(|| millis.saturating_mul(1_000_000).cast_signed());
    match health {
        HealthSetting::Image => None,
        HealthSetting::Off => Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        HealthSetting::Own { check } => Some(HealthConfig {
            test: given(check.command.as_ref()).map(|command| vec!["CMD-SHELL".to_owned(), command]),
            interval: nanos(check.interval_millis),
            timeout: nanos(check.timeout_millis),
            retries: (check.retries > 0).then(|| i64::from(check.retries)),
            start_period: nanos(check.start_period_millis),
            start_interval: nanos(check.start_interval_millis),
        }),
    }
}

/// One binding for each port of a range; where the host offers several to one port the engine is told the range.
fn publish(spec: &RunSpec, body: &mut Body) {
    let mut exposed: Vec<String> = Vec::new();
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in &spec.ports {
        for (nth, container) in (port.container_port..=port.container_last.unwrap_or(port.container_port)).enumerate() {
            let key = format!("{container}/{}", text::protocol_text(port.protocol));
            let binding = PortBinding {
                host_ip: Some(super::address(port).unwrap_or_default().to_owned()),
                host_port: Some(host_port(port, nth)),
            };
            bindings
                .entry(key.clone())
                .or_default()
                .get_or_insert_default()
                .push(binding);
            if !exposed.contains(&key) {
                exposed.push(key);
            }
        }
    }
    body.create.exposed_ports = some(exposed);
    body.host().port_bindings = (!bindings.is_empty()).then_some(bindings);
}

fn host_port(port: &PublishedPort, nth: usize) -> String {
    match (port.host_port, port.host_last, port.container_last) {
        (None, _, _) => String::new(),
        (Some(first), Some(last), None) => format!("{first}-{last}"),
        (Some(first), _, _) => (usize::from(first) + nth).to_string(),
    }
}

fn connect(networks: &[RunNetwork], body: &mut Body) {
    let link_local_ips = std::mem::take(&mut body.link_local_ips);
    let mut endpoints: HashMap<String, EndpointSettings> = networks
        .iter()
        .filter(|network| !is_mode(&network.name) || network.ip.is_some() || !network.aliases.is_empty())
        .map(|network| {
            let ipam = (network.ip.is_some() || network.ip6.is_some()).then(|| EndpointIpamConfig {
                ipv4_address: network.ip.clone(),
                ipv6_address: network.ip6.clone(),
                link_local_ips: None,
            });
            let settings = EndpointSettings {
                ipam_config: ipam,
                aliases: some(network.aliases.clone()),
                ..EndpointSettings::default()
            };
            (network.name.clone(), settings)
        })
        .collect();
    let first = networks.first().map_or("default", |network| network.name.as_str());
    if !link_local_ips.is_empty() {
        endpoints
            .entry(first.to_owned())
            .or_default()
            .ipam_config
            .get_or_insert_default()
            .link_local_ips = Some(link_local_ips);
    }
    if let Some(mac_address) = &body.mac_address
        && let Some(endpoint) = endpoints.get_mut(first)
    {
        endpoint.mac_address = Some(mac_address.clone());
    }
    // One network that has nothing of its own is said by the mode alone, which engines before API 1.44 need.
    if !endpoints.is_empty() {
        body.create.networking_config = Some(NetworkingConfig {
            endpoints_config: Some(endpoints),
        });
    }
}

/// What is no network of the engine's.
fn is_mode(name: &str) -> bool {
    matches!(name, "bridge" | "default" | "host" | "none") || name.starts_with("container:")
}
