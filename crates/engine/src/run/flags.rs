//! Every flag of `docker run` (28.2), said once: what it takes and where it goes. The test in `tests/docker_run.rs`
//! compares the names with those of the docker command that is installed.

use bollard::models::{HostConfigCgroupnsModeEnum, ResourcesBlkioWeightDevice, ThrottleDevice};

use super::body::Body;
use super::text::{self, Wrong};
use super::{HealthCheck, HealthSetting, Invalid, PullPolicy};
use crate::{RareFlag, RunNetwork, RunSpec};

pub(super) struct Flag {
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    /// A switch stands alone, or has `=true` or `=false`.
    pub(super) is_switch: bool,
    pub(super) goes: Goes,
}

pub(super) enum Goes {
    /// Into a field of its own.
    Field(fn(&mut RunSpec, &str) -> Result<(), Wrong>),
    /// Into [`RunSpec::rare`], and from there into the request; with what it does, in a few words.
    Rare(fn(&mut Body, &str) -> Result<(), Wrong>, &'static str),
    /// Nowhere, and nothing is missing: why.
    Nowhere(&'static str),
    /// Nowhere, and something is missing: why.
    Unsupported(&'static str),
}

use Goes::{Field, Nowhere, Rare, Unsupported};

const fn value(long: &'static str, goes: Goes) -> Flag {
    Flag {
        long,
        short: None,
        is_switch: false,
        goes,
    }
}

const fn short(short: char, long: &'static str, goes: Goes) -> Flag {
    Flag {
        long,
        short: Some(short),
        is_switch: false,
        goes,
    }
}

const fn switch(short: Option<char>, long: &'static str, goes: Goes) -> Flag {
    Flag {
        long,
        short,
        is_switch: true,
        goes,
    }
}

const WINDOWS: &str = "It is for Windows containers, which do not run here.";
const TERMINAL: &str = "It is about the terminal that the docker command runs in.";

pub(super) const FLAGS: &[Flag] = &[
    value("add-host", Field(|spec, value| push(&mut spec.extra_hosts, value))),
    value(
        "annotation",
        Rare(annotation, "A note for the program that starts the container"),
    ),
    short('a', "attach", Nowhere("What the container prints is in its log.")),
    value(
        "blkio-weight",
        Rare(
            |b, v| set(&mut b.host().blkio_weight, v),
            "Its share of the disk, from 10 to 1000",
        ),
    ),
    value(
        "blkio-weight-device",
        Rare(blkio_weight, "Its share of one disk, as PATH:WEIGHT"),
    ),
    value("cap-add", Field(|spec, value| push(&mut spec.cap_add, value))),
    value("cap-drop", Field(|spec, value| push(&mut spec.cap_drop, value))),
    value(
        "cgroup-parent",
        Rare(
            |b, v| text(&mut b.host().cgroup_parent, v),
            "The control group it is put into",
        ),
    ),
    value(
        "cgroupns",
        Rare(cgroupns, "Whose control groups it sees: host or private"),
    ),
    value("cidfile", Nowhere("The id is on the container's page.")),
    value("cpu-count", Unsupported(WINDOWS)),
    value("cpu-percent", Unsupported(WINDOWS)),
    value(
        "cpu-period",
        Rare(
            |b, v| set(&mut b.host().cpu_period, v),
            "The time over which processors are shared out, in microseconds",
        ),
    ),
    value(
        "cpu-quota",
        Rare(
            |b, v| set(&mut b.host().cpu_quota, v),
            "How much of each such time it gets, in microseconds",
        ),
    ),
    value(
        "cpu-rt-period",
        Rare(
            |b, v| set(&mut b.host().cpu_realtime_period, v),
            "The same for real-time work",
        ),
    ),
    value(
        "cpu-rt-runtime",
        Rare(
            |b, v| set(&mut b.host().cpu_realtime_runtime, v),
            "The same for real-time work",
        ),
    ),
    short(
        'c',
        "cpu-shares",
        Rare(
            |b, v| set(&mut b.host().cpu_shares, v),
            "Its weight when processors are scarce; 1024 is usual",
        ),
    ),
    value("cpus", Field(cpus)),
    value(
        "cpuset-cpus",
        Rare(
            |b, v| text(&mut b.host().cpuset_cpus, v),
            "Which processors it may use, like 0-3",
        ),
    ),
    value(
        "cpuset-mems",
        Rare(
            |b, v| text(&mut b.host().cpuset_mems, v),
            "Which memory nodes it may use, like 0,1",
        ),
    ),
    switch(Some('d'), "detach", Field(|_, _| Ok(()))),
    value("detach-keys", Nowhere(TERMINAL)),
    value(
        "device",
        Field(|spec, value| text::device(value).map(|device| spec.devices.push(device))),
    ),
    value(
        "device-cgroup-rule",
        Rare(
            |b, v| list(&mut b.host().device_cgroup_rules, v),
            "A rule for devices it may use",
        ),
    ),
    value(
        "device-read-bps",
        Rare(
            |b, v| throttle(&mut b.host().blkio_device_read_bps, v, text::bytes),
            "Bytes a second it may read from a disk, as PATH:10mb",
        ),
    ),
    value(
        "device-read-iops",
        Rare(
            |b, v| throttle(&mut b.host().blkio_device_read_iops, v, count),
            "Reads a second from a disk, as PATH:NUMBER",
        ),
    ),
    value(
        "device-write-bps",
        Rare(
            |b, v| throttle(&mut b.host().blkio_device_write_bps, v, text::bytes),
            "Bytes a second it may write to a disk, as PATH:10mb",
        ),
    ),
    value(
        "device-write-iops",
        Rare(
            |b, v| throttle(&mut b.host().blkio_device_write_iops, v, count),
            "Writes a second to a disk, as PATH:NUMBER",
        ),
    ),
    switch(
        None,
        "disable-content-trust",
        Nowhere("Docker has given up what it switched off."),
    ),
    value("dns", Field(|spec, value| push(&mut spec.dns, value))),
    value(
        "dns-opt",
        Rare(
            |b, v| list(&mut b.host().dns_options, v),
            "An option for its name lookups",
        ),
    ),
    value(
        "dns-option",
        Rare(
            |b, v| list(&mut b.host().dns_options, v),
            "An option for its name lookups",
        ),
    ),
    value(
        "dns-search",
        Rare(
            |b, v| list(&mut b.host().dns_search, v),
            "A domain in which short names are looked up",
        ),
    ),
    value(
        "domainname",
        Rare(
            |b, v| text(&mut b.create.domainname, v),
            "The domain it believes to be in",
        ),
    ),
    value("entrypoint", Field(|spec, value| text(&mut spec.entrypoint, value))),
    // Without an equals sign it is taken from the terminal: `paste` knows.
    short(
        'e',
        "env",
        Field(|spec, value| {
            spec.environment.push(text::pair(value));
            Ok(())
        }),
    ),
    value("env-file", Field(|spec, value| push(&mut spec.env_files, value))),
    value(
        "expose",
        Rare(expose, "A port others on its network may use, like 8000 or 53/udp"),
    ),
    value("gpus", Field(gpus)),
    value(
        "group-add",
        Rare(
            |b, v| list(&mut b.host().group_add, v),
            "Another group its user belongs to",
        ),
    ),
    value(
        "health-cmd",
        Field(|spec, value| health(spec, |check| check.command = Some(value.to_owned()))),
    ),
    value(
        "health-interval",
        Field(|spec, value| {
            let time = text::millis(value)?;
            health(spec, |check| check.interval_millis = time)
        }),
    ),
    value(
        "health-retries",
        Field(|spec, value| {
            let retries = number(value)?;
            health(spec, |check| check.retries = retries)
        }),
    ),
    value(
        "health-start-interval",
        Field(|spec, value| {
            let time = text::millis(value)?;
            health(spec, |check| check.start_interval_millis = time)
        }),
    ),
    value(
        "health-start-period",
        Field(|spec, value| {
            let time = text::millis(value)?;
            health(spec, |check| check.start_period_millis = time)
        }),
    ),
    value(
        "health-timeout",
        Field(|spec, value| {
            let time = text::millis(value)?;
            health(spec, |check| check.timeout_millis = time)
        }),
    ),
    switch(None, "help", Nowhere("It asks the docker command about itself.")),
    short('h', "hostname", Field(|spec, value| text(&mut spec.hostname, value))),
    switch(None, "init", Field(|spec, value| on(&mut spec.init, value))),
    switch(
        Some('i'),
        "interactive",
        Field(|spec, value| on(&mut spec.interactive, value)),
    ),
    value("io-maxbandwidth", Unsupported(WINDOWS)),
    value("io-maxiops", Unsupported(WINDOWS)),
    value("ip", Field(|spec, value| text(&mut first_network(spec).ip, value))),
    value("ip6", Field(|spec, value| text(&mut first_network(spec).ip6, value))),
    value(
        "ipc",
        Rare(
            |b, v| text(&mut b.host().ipc_mode, v),
            "Whose shared memory it uses: host, private, shareable, container:NAME",
        ),
    ),
    value("isolation", Unsupported(WINDOWS)),
    value("kernel-memory", Nowhere("Engines have given it up.")),
    short(
        'l',
        "label",
        Field(|spec, value| {
            spec.labels.push(text::pair(value));
            Ok(())
        }),
    ),
    value("label-file", Unsupported("Put its lines into the labels.")),
    value(
        "link",
        Rare(
            |b, v| list(&mut b.host().links, v),
            "Another container it can call by name; an old way, a network is better",
        ),
    ),
    value(
        "link-local-ip",
        Rare(
            |b, v| {
                b.link_local_ips.push(v.to_owned());
                Ok(())
            },
            "An address that is only for its own network",
        ),
    ),
    value("log-driver", Field(|spec, value| text(&mut spec.log_driver, value))),
    value(
        "log-opt",
        Field(|spec, value| {
            spec.log_options.push(text::pair(value));
            Ok(())
        }),
    ),
    value(
        "mac-address",
        Rare(
            |b, v| text(&mut b.mac_address, v),
            "The hardware address of its network card",
        ),
    ),
    short(
        'm',
        "memory",
        Field(|spec, value| text::bytes(value).map(|bytes| spec.memory = Some(bytes))),
    ),
    value(
        "memory-reservation",
        Rare(
            |b, v| size(&mut b.host().memory_reservation, v),
            "The memory it is pressed back to when memory is scarce",
        ),
    ),
    value(
        "memory-swap",
        Rare(
            |b, v| size(&mut b.host().memory_swap, v),
            "Memory and swap together; -1 is no limit",
        ),
    ),
    value(
        "memory-swappiness",
        Rare(
            |b, v| set(&mut b.host().memory_swappiness, v),
            "How willingly its memory is swapped out, 0 to 100",
        ),
    ),
    value(
        "mount",
        Field(|spec, value| text::mount(value).map(|mount| spec.mounts.push(mount))),
    ),
    value("name", Field(|spec, value| text(&mut spec.name, value))),
    value("net", Field(network)),
    value(
        "net-alias",
        Field(|spec, value| push(&mut first_network(spec).aliases, value)),
    ),
    value("network", Field(network)),
    value(
        "network-alias",
        Field(|spec, value| push(&mut first_network(spec).aliases, value)),
    ),
    switch(None, "no-healthcheck", Field(no_health)),
    switch(
        None,
        "oom-kill-disable",
        Rare(
            |b, v| on(b.host().oom_kill_disable.get_or_insert_default(), v),
            "Nothing in it is ended when its memory is full",
        ),
    ),
    value(
        "oom-score-adj",
        Rare(
            |b, v| set(&mut b.host().oom_score_adj, v),
            "How early it is ended when all memory is full, -1000 to 1000",
        ),
    ),
    value(
        "pid",
        Rare(
            |b, v| text(&mut b.host().pid_mode, v),
            "Whose processes it sees: host or container:NAME",
        ),
    ),
    value(
        "pids-limit",
        Rare(
            |b, v| set(&mut b.host().pids_limit, v),
            "How many processes it may have; -1 is no limit",
        ),
    ),
    value("platform", Field(|spec, value| text(&mut spec.platform, value))),
    switch(None, "privileged", Field(|spec, value| on(&mut spec.privileged, value))),
    short(
        'p',
        "publish",
        Field(|spec, value| text::port(value).map(|port| spec.ports.push(port))),
    ),
    switch(
        Some('P'),
        "publish-all",
        Field(|spec, value| on(&mut spec.publish_all, value)),
    ),
    value("pull", Field(pull)),
    switch(Some('q'), "quiet", Nowhere(TERMINAL)),
    switch(None, "read-only", Field(|spec, value| on(&mut spec.read_only, value))),
    value(
        "restart",
        Field(|spec, value| text::restart(value).map(|restart| spec.restart = restart)),
    ),
    switch(
        None,
        "rm",
        Field(|spec, value| on(&mut spec.remove_when_stopped, value)),
    ),
    value(
        "runtime",
        Rare(|b, v| text(&mut b.host().runtime, v), "The program that starts it"),
    ),
    value(
        "security-opt",
        Field(|spec, value| push(&mut spec.security_options, value)),
    ),
    value(
        "shm-size",
        Field(|spec, value| text::bytes(value).map(|bytes| spec.shm_size = Some(bytes))),
    ),
    switch(None, "sig-proxy", Nowhere(TERMINAL)),
    value("stop-signal", Field(|spec, value| text(&mut spec.stop_signal, value))),
    value(
        "stop-timeout",
        Field(|spec, value| number(value).map(|seconds| spec.stop_timeout = Some(seconds))),
    ),
    value(
        "storage-opt",
        Rare(storage, "An option for its own file system, like size=10G"),
    ),
    value(
        "sysctl",
        Field(|spec, value| {
            spec.sysctls.push(text::pair(value));
            Ok(())
        }),
    ),
    value(
        "tmpfs",
        Field(|spec, value| text::tmpfs(value).map(|mount| spec.mounts.push(mount))),
    ),
    switch(Some('t'), "tty", Field(|spec, value| on(&mut spec.terminal, value))),
    value(
        "ulimit",
        Field(|spec, value| text::ulimit(value).map(|limit| spec.ulimits.push(limit))),
    ),
    switch(
        None,
        "use-api-socket",
        Unsupported("It would hand the engine and every login to the container."),
    ),
    short('u', "user", Field(|spec, value| text(&mut spec.user, value))),
    value(
        "userns",
        Rare(|b, v| text(&mut b.host().userns_mode, v), "Whose users it has: host"),
    ),
    value(
        "uts",
        Rare(|b, v| text(&mut b.host().uts_mode, v), "Whose host name it has: host"),
    ),
    short(
        'v',
        "volume",
        Field(|spec, value| text::volume(value).map(|mount| spec.mounts.push(mount))),
    ),
    value(
        "volume-driver",
        Rare(|b, v| text(&mut b.host().volume_driver, v), "Who makes its new volumes"),
    ),
    value(
        "volumes-from",
        Rare(
            |b, v| list(&mut b.host().volumes_from, v),
            "A container whose folders and volumes it has too",
        ),
    ),
    short(
        'w',
        "workdir",
        Field(|spec, value| text(&mut spec.working_directory, value)),
    ),
];

pub(super) fn by_name(long: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.long == long)
}

pub(super) fn by_letter(letter: char) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.short == Some(letter))
}

/// What a rare flag does; `None` for one that is none.
pub(super) fn rare_about(long: &str) -> Option<&'static str> {
    match by_name(long)?.goes {
        Rare(_, about) => Some(about),
        Field(_) | Nowhere(_) | Unsupported(_) => None,
    }
}

pub(super) fn apply_rare(rare: &RareFlag, body: &mut Body) -> Result<(), Invalid> {
    let wrong = |why| Invalid::Flag {
        flag: format!("--{}", rare.flag),
        value: rare.value.clone(),
        why,
    };
    match by_name(&rare.flag).map(|flag| &flag.goes) {
        Some(Rare(apply, _)) => apply(body, &rare.value).map_err(wrong),
        Some(Field(_) | Nowhere(_) | Unsupported(_)) | None => Err(wrong("it is none of the flags for few people")),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every flag of the table answers so")]
fn push(list: &mut Vec<String>, value: &str) -> Result<(), Wrong> {
    list.push(value.to_owned());
    Ok(())
}

fn list(list: &mut Option<Vec<String>>, value: &str) -> Result<(), Wrong> {
    push(list.get_or_insert_default(), value)
}

#[expect(clippy::unnecessary_wraps, reason = "every flag of the table answers so")]
fn text(field: &mut Option<String>, value: &str) -> Result<(), Wrong> {
    *field = Some(value.to_owned());
    Ok(())
}

fn on(field: &mut bool, value: &str) -> Result<(), Wrong> {
    *field = match value {
        "true" | "True" | "TRUE" | "t" | "T" | "1" => true,
        "false" | "False" | "FALSE" | "f" | "F" | "0" => false,
        _ => return Err("it is true or false"),
    };
    Ok(())
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, Wrong> {
    value.parse().map_err(|_| "it is a whole number")
}

fn set<T: std::str::FromStr>(field: &mut Option<T>, value: &str) -> Result<(), Wrong> {
    *field = Some(number(value)?);
    Ok(())
}

fn count(value: &str) -> Result<u64, Wrong> {
    number(value)
}

fn size(field: &mut Option<i64>, value: &str) -> Result<(), Wrong> {
    *field = Some(if value == "-1" {
        -1
    } else {
        text::bytes(value)?.cast_signed()
    });
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "every flag of the table answers so")]
fn annotation(body: &mut Body, value: &str) -> Result<(), Wrong> {
    let pair = text::pair(value);
    body.host()
        .annotations
        .get_or_insert_default()
        .insert(pair.name, pair.value);
    Ok(())
}

fn storage(body: &mut Body, value: &str) -> Result<(), Wrong> {
    let (name, value) = value.split_once('=').ok_or("it is written as name=value")?;
    body.host()
        .storage_opt
        .get_or_insert_default()
        .insert(name.to_owned(), value.to_owned());
    Ok(())
}

fn cgroupns(body: &mut Body, value: &str) -> Result<(), Wrong> {
    body.host().cgroupns_mode = Some(match value {
        "host" => HostConfigCgroupnsModeEnum::HOST,
        "private" => HostConfigCgroupnsModeEnum::PRIVATE,
        "" => HostConfigCgroupnsModeEnum::EMPTY,
        _ => return Err("it is host or private"),
    });
    Ok(())
}

fn blkio_weight(body: &mut Body, value: &str) -> Result<(), Wrong> {
    let (path, weight) = value.split_once(':').ok_or("it is written as PATH:WEIGHT")?;
    let device = ResourcesBlkioWeightDevice {
        path: Some(path.to_owned()),
        weight: Some(number(weight)?),
    };
    body.host().blkio_weight_device.get_or_insert_default().push(device);
    Ok(())
}

fn throttle(
    devices: &mut Option<Vec<ThrottleDevice>>,
    value: &str,
    read: fn(&str) -> Result<u64, Wrong>,
) -> Result<(), Wrong> {
    let (path, rate) = value.split_once(':').ok_or("it is written as PATH:RATE")?;
    let device = ThrottleDevice {
        path: Some(path.to_owned()),
        rate: Some(read(rate)?.cast_signed()),
    };
    devices.get_or_insert_default().push(device);
    Ok(())
}

fn expose(body: &mut Body, value: &str) -> Result<(), Wrong> {
    let port = text::port(value)?;
    if port.host_port.is_some() {
        return Err("only a port of the container can be exposed");
    }
    let exposed = body.create.exposed_ports.get_or_insert_default();
    for number in port.container_port..=port.container_last.unwrap_or(port.container_port) {
        let key = format!("{number}/{}", text::protocol_text(port.protocol));
        if !exposed.contains(&key) {
            exposed.push(key);
        }
    }
    Ok(())
}

fn cpus(spec: &mut RunSpec, value: &str) -> Result<(), Wrong> {
    let cpus: f64 = value.parse().map_err(|_| "it is a number like 1.5")?;
    spec.cpus = (cpus > 0.0).then_some(cpus);
    Ok(())
}

fn gpus(spec: &mut RunSpec, value: &str) -> Result<(), Wrong> {
    if spec.gpus.is_some() {
        return Err("it can be said only once here");
    }
    spec.gpus = Some(text::gpus(value)?);
    Ok(())
}

fn pull(spec: &mut RunSpec, value: &str) -> Result<(), Wrong> {
    spec.pull = match value {
        "always" => PullPolicy::Always,
        "missing" => PullPolicy::Missing,
        "never" => PullPolicy::Never,
        _ => return Err("it is always, missing or never"),
    };
    Ok(())
}

/// `--ip` and `--network-alias` may come before the network that they are about.
fn first_network(spec: &mut RunSpec) -> &mut RunNetwork {
    if spec.networks.is_empty() {
        spec.networks.push(RunNetwork::default());
    }
    &mut spec.networks[0]
}

fn network(spec: &mut RunSpec, value: &str) -> Result<(), Wrong> {
    let network = text::network(value)?;
    match spec.networks.first_mut() {
        Some(first) if first.name.is_empty() => {
            first.name = network.name;
            first.aliases.extend(network.aliases);
            first.ip = first.ip.take().or(network.ip);
            first.ip6 = first.ip6.take().or(network.ip6);
        }
        Some(_) | None => spec.networks.push(network),
    }
    Ok(())
}

fn no_health(spec: &mut RunSpec, value: &str) -> Result<(), Wrong> {
    let mut off = false;
    on(&mut off, value)?;
    if off {
        spec.health = HealthSetting::Off;
    }
    Ok(())
}

fn health(spec: &mut RunSpec, change: impl FnOnce(&mut HealthCheck)) -> Result<(), Wrong> {
    if spec.health == HealthSetting::Image {
        spec.health = HealthSetting::Own {
            check: HealthCheck::default(),
        };
    }
    match &mut spec.health {
        HealthSetting::Own { check } => change(check),
        HealthSetting::Image | HealthSetting::Off => return Err("it does not go with --no-healthcheck"),
    }
    Ok(())
}
