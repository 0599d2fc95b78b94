//! A spec as a compose file with one service.

use serde_json::{Map, Value, json};

use super::text;
use crate::{
    Gpus, HealthSetting, MountSource, PullPolicy, RunMount, RunNetwork, RunSpec, Variable, WhichGpus, is_secret, name,
};

/// The file, and what of the spec compose cannot say.
pub fn compose_file(spec: &RunSpec, secrets: bool) -> (String, Vec<String>) {
    let mut missing = Vec::new();
    let service = service(spec, secrets, &mut missing);
    let mut file = Map::new();
    file.insert("services".to_owned(), json!({ service_name(spec): service }));
    let volumes: Map<String, Value> = spec
        .mounts
        .iter()
        .filter_map(|mount| match &mount.source {
            MountSource::Volume { name: Some(name) } => Some((name.clone(), json!({}))),
            MountSource::Volume { name: None } | MountSource::Folder { .. } | MountSource::Memory => None,
        })
        .collect();
    if !volumes.is_empty() {
        file.insert("volumes".to_owned(), Value::Object(volumes));
    }
    // The network is the person's own, not the project's.
    let networks: Map<String, Value> = own_networks(spec)
        .map(|network| (network.name.clone(), json!({ "external": true })))
        .collect();
    if !networks.is_empty() {
        file.insert("networks".to_owned(), Value::Object(networks));
    }
    let text = serde_saphyr::to_string(&Value::Object(file)).unwrap_or_default();
    (text, missing)
}

/// Lower case, as compose wants it.
fn service_name(spec: &RunSpec) -> String {
    let image = spec.image.trim();
    let name = match super::given_name(spec) {
        Some(name) => name.to_owned(),
        None => name::Reference::parse(image)
            .map_or(image, |reference| reference.repository)
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    let fitting: String = name
        .to_lowercase()
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || "_.-".contains(*character))
        .collect();
    if fitting.is_empty() { "app".to_owned() } else { fitting }
}

fn own_networks(spec: &RunSpec) -> impl Iterator<Item = &RunNetwork> {
    spec.networks.iter().filter(|network| {
        !matches!(network.name.as_str(), "bridge" | "default" | "host" | "none")
            && !network.name.starts_with("container:")
    })
}

/// A dollar sign begins a variable in compose files.
fn plain(text: &str) -> Value {
    Value::String(text.replace('$', "$$"))
}

fn texts(list: &[String]) -> Option<Value> {
    (!list.is_empty()).then(|| Value::Array(list.iter().map(|text| plain(text)).collect()))
}

fn pairs(pairs: &[Variable]) -> Option<Value> {
    (!pairs.is_empty()).then(|| {
        Value::Object(
            pairs
                .iter()
                .map(|pair| (pair.name.trim().to_owned(), plain(&pair.value)))
                .collect(),
        )
    })
}

fn given(text: Option<&String>) -> Option<Value> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty()).map(plain)
}

struct Service(Map<String, Value>);

impl Service {
    fn set(&mut self, key: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value);
        }
    }

    fn on(&mut self, key: &str, on: bool) {
        self.set(key, on.then_some(Value::Bool(true)));
    }
}

fn service(spec: &RunSpec, secrets: bool, missing: &mut Vec<String>) -> Value {
    let mut service = Service(Map::new());
    service.set("image", Some(plain(spec.image.trim())));
    service.set("container_name", super::given_name(spec).map(plain));
    service.set("platform", given(spec.platform.as_ref()));
    service.set(
        "pull_policy",
        match spec.pull {
            PullPolicy::Missing => None,
            PullPolicy::Always => Some(json!("always")),
            PullPolicy::Never => Some(json!("never")),
        },
    );
    service.set(
        "entrypoint",
        spec.entrypoint.as_ref().map(|word| {
            let word = word.trim();
            Value::Array(if word.is_empty() { Vec::new() } else { vec![plain(word)] })
        }),
    );
    service.set("command", texts(&spec.command));
    service.set("working_dir", given(spec.working_directory.as_ref()));
    service.set("user", given(spec.user.as_ref()));
    service.on("stdin_open", spec.interactive);
    service.on("tty", spec.terminal);
    service.on("init", spec.init);
    service.set("restart", text::restart_text(spec.restart).map(Value::String));
    service.set("stop_signal", given(spec.stop_signal.as_ref()));
    service.set(
        "stop_grace_period",
        spec.stop_timeout.map(|seconds| json!(format!("{seconds}s"))),
    );
    let ports: Vec<String> = spec.ports.iter().map(text::port_text).collect();
    service.set("ports", texts(&ports));
    mounts(&spec.mounts, &mut service);
    service.set("env_file", texts(&spec.env_files));
    service.set("environment", environment(&spec.environment, secrets));
    service.set("labels", pairs(&spec.labels));
    service.set("mem_limit", spec.memory.map(|bytes| json!(text::bytes_text(bytes))));
    service.set("cpus", spec.cpus.map(|cpus| json!(cpus)));
    service.set("shm_size", spec.shm_size.map(|bytes| json!(text::bytes_text(bytes))));
    service.set("gpus", spec.gpus.as_ref().map(gpus));
    service.set("ulimits", ulimits(spec));
    service.set("healthcheck", health(&spec.health));
    if spec.log_driver.is_some() || !spec.log_options.is_empty() {
        let mut logging = Service(Map::new());
        logging.set("driver", given(spec.log_driver.as_ref()));
        logging.set("options", pairs(&spec.log_options));
        service.set("logging", Some(Value::Object(logging.0)));
    }
    networks(spec, &mut service);
    service.set("hostname", given(spec.hostname.as_ref()));
    service.set("dns", texts(&spec.dns));
    service.set("extra_hosts", texts(&spec.extra_hosts));
    service.on("privileged", spec.privileged);
    service.on("read_only", spec.read_only);
    service.set("cap_add", texts(&spec.cap_add));
    service.set("cap_drop", texts(&spec.cap_drop));
    service.set("security_opt", texts(&spec.security_options));
    let devices: Vec<String> = spec.devices.iter().map(text::device_text).collect();
    service.set("devices", texts(&devices));
    service.set("sysctls", pairs(&spec.sysctls));
    for rare in &spec.rare {
        match rare_key(&rare.flag) {
            Some(Key::Text(key)) => service.set(key, Some(plain(&rare.value))),
            Some(Key::Number(key)) => {
                let number = rare
                    .value
                    .parse::<i64>()
                    .map_or_else(|_| plain(&rare.value), |number| json!(number));
                service.set(key, Some(number));
            }
            Some(Key::Switch(key)) => service.on(key, rare.value == "true"),
            Some(Key::List(key)) => {
                let list = service.0.entry(key).or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.push(plain(&rare.value));
                }
            }
            None => missing.push(format!("--{} {}", rare.flag, rare.value)),
        }
    }
    if spec.remove_when_stopped {
        missing.push("--rm".to_owned());
    }
    if spec.publish_all {
        missing.push("-P".to_owned());
    }
    Value::Object(service.0)
}

/// The key of a service that says the same as a rare flag.
enum Key {
    Text(&'static str),
    Number(&'static str),
    Switch(&'static str),
    List(&'static str),
}

fn rare_key(flag: &str) -> Option<Key> {
    Some(match flag {
        "cgroup-parent" => Key::Text("cgroup_parent"),
        "cgroupns" => Key::Text("cgroup"),
        "cpuset-cpus" => Key::Text("cpuset"),
        "cpu-period" => Key::Number("cpu_period"),
        "cpu-quota" => Key::Number("cpu_quota"),
        "cpu-rt-period" => Key::Number("cpu_rt_period"),
        "cpu-rt-runtime" => Key::Number("cpu_rt_runtime"),
        "cpu-shares" => Key::Number("cpu_shares"),
        "domainname" => Key::Text("domainname"),
        "ipc" => Key::Text("ipc"),
        "mac-address" => Key::Text("mac_address"),
        "memory-reservation" => Key::Text("mem_reservation"),
        "memory-swap" => Key::Text("memswap_limit"),
        "memory-swappiness" => Key::Number("mem_swappiness"),
        "oom-kill-disable" => Key::Switch("oom_kill_disable"),
        "oom-score-adj" => Key::Number("oom_score_adj"),
        "pid" => Key::Text("pid"),
        "pids-limit" => Key::Number("pids_limit"),
        "runtime" => Key::Text("runtime"),
        "userns" => Key::Text("userns_mode"),
        "uts" => Key::Text("uts"),
        "annotation" => Key::List("annotations"),
        "device-cgroup-rule" => Key::List("device_cgroup_rules"),
        "dns-opt" | "dns-option" => Key::List("dns_opt"),
        "dns-search" => Key::List("dns_search"),
        "expose" => Key::List("expose"),
        "group-add" => Key::List("group_add"),
        "link" => Key::List("external_links"),
        _ => return None,
    })
}

/// A secret is asked of the environment of whoever runs compose.
fn environment(variables: &[Variable], secrets: bool) -> Option<Value> {
    let value = |variable: &Variable| {
        let name = variable.name.trim();
        if !secrets && is_secret(name, &variable.value) {
            Value::String(format!("${{{name}}}"))
        } else {
            plain(&variable.value)
        }
    };
    (!variables.is_empty()).then(|| {
        Value::Object(
            variables
                .iter()
                .map(|variable| (variable.name.trim().to_owned(), value(variable)))
                .collect(),
        )
    })
}

fn mounts(mounts: &[RunMount], service: &mut Service) {
    let (memory, others): (Vec<&RunMount>, Vec<&RunMount>) =
        mounts.iter().partition(|mount| mount.source == MountSource::Memory);
    let short = |mount: &&RunMount| {
        if !text::is_structured(mount) {
            return plain(&text::mount_text(mount).1);
        }
        let mut long = Service(Map::new());
        let (kind, source) = match &mount.source {
            MountSource::Folder { path, .. } => ("bind", Some(path)),
            MountSource::Volume { name } => ("volume", name.as_ref()),
            MountSource::Memory => ("tmpfs", None),
        };
        long.set("type", Some(json!(kind)));
        long.set("source", source.map(|source| plain(source)));
        long.set("target", Some(plain(&mount.target)));
        long.on("read_only", mount.read_only);
        let propagation = mount.options.iter().find(|option| text::is_propagation(option));
        if let MountSource::Folder { .. } = mount.source {
            let mut bind = json!({ "create_host_path": false });
            if let Some(propagation) = propagation {
                bind["propagation"] = plain(propagation);
            }
            long.set("bind", Some(bind));
        }
        if mount.options.iter().any(|option| option == "nocopy") {
            long.set("volume", Some(json!({ "nocopy": true })));
        }
        Value::Object(long.0)
    };
    if !others.is_empty() {
        service.set("volumes", Some(Value::Array(others.iter().map(short).collect())));
    }
    let memory: Vec<String> = memory.iter().map(|mount| text::mount_text(mount).1).collect();
    service.set("tmpfs", texts(&memory));
}

fn gpus(gpus: &Gpus) -> Value {
    if gpus.which == WhichGpus::All && gpus.driver.is_none() && gpus.capabilities.is_empty() {
        return json!("all");
    }
    let mut request = Service(Map::new());
    match &gpus.which {
        WhichGpus::All => request.set("count", Some(json!("all"))),
        WhichGpus::Count { count } => request.set("count", Some(json!(count))),
        WhichGpus::Devices { ids } => request.set("device_ids", texts(ids)),
    }
    request.set("driver", given(gpus.driver.as_ref()));
    request.set("capabilities", texts(&gpus.capabilities));
    Value::Array(vec![Value::Object(request.0)])
}

fn ulimits(spec: &RunSpec) -> Option<Value> {
    (!spec.ulimits.is_empty()).then(|| {
        Value::Object(
            spec.ulimits
                .iter()
                .map(|limit| (limit.name.clone(), json!({ "soft": limit.soft, "hard": limit.hard })))
                .collect(),
        )
    })
}

fn health(health: &HealthSetting) -> Option<Value> {
    let check = match health {
        HealthSetting::Image => return None,
        HealthSetting::Off => return Some(json!({ "disable": true })),
        HealthSetting::Own { check } => check,
    };
    let mut value = Service(Map::new());
    let time = |millis: u64| (millis > 0).then(|| json!(text::millis_text(millis)));
    value.set(
        "test",
        given(check.command.as_ref()).map(|command| json!(["CMD-SHELL", command])),
    );
    value.set("interval", time(check.interval_millis));
    value.set("timeout", time(check.timeout_millis));
    value.set("start_period", time(check.start_period_millis));
    value.set("start_interval", time(check.start_interval_millis));
    value.set("retries", (check.retries > 0).then(|| json!(check.retries)));
    Some(Value::Object(value.0))
}

/// A mode stands alone; networks of the person's own are listed with what is asked of each.
fn networks(spec: &RunSpec, service: &mut Service) {
    let Some(first) = spec.networks.first() else { return };
    let own: Vec<&RunNetwork> = own_networks(spec).collect();
    if own.is_empty() {
        service.set("network_mode", Some(plain(&first.name)));
        return;
    }
    let networks = own
        .into_iter()
        .map(|network| {
            let mut settings = Service(Map::new());
            settings.set("aliases", texts(&network.aliases));
            settings.set("ipv4_address", given(network.ip.as_ref()));
            settings.set("ipv6_address", given(network.ip6.as_ref()));
            (network.name.clone(), Value::Object(settings.0))
        })
        .collect();
    service.set("networks", Some(Value::Object(networks)));
}
