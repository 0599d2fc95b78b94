//! How the docker command writes and reads the values of its flags. Every pair here is tested against itself, and in
//! `tests/docker_run.rs` against the docker command.

use crate::{
    Gpus, MountSource, Protocol, PublishedPort, Restart, RunDevice, RunMount, RunNetwork, Ulimit, Variable, WhichGpus,
};

/// Why a value cannot be read, in a short sentence.
pub(super) type Wrong = &'static str;

/// `512m`, `1.5g`, `64mb`, `1GiB`: always powers of 1024.
pub(super) fn bytes(text: &str) -> Result<u64, Wrong> {
    const WRONG: Wrong = "a size is a number with b, k, m, g or t behind it, like 512m";
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let power = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return Err(WRONG),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(1 << (10 * power)).ok_or(WRONG);
    }
    let number: f64 = number.parse().map_err(|_| WRONG)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a size with a fraction is cut to bytes, as Docker does"
    )]
    let bytes = (number * (1_u64 << (10 * power)) as f64) as u64;
    Ok(bytes)
}

/// The shortest that says exactly this.
pub(crate) fn bytes_text(bytes: u64) -> String {
    for (power, unit) in [(4, "t"), (3, "g"), (2, "m"), (1, "k")] {
        let size = 1_u64 << (10 * power);
        if bytes > 0 && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    bytes.to_string()
}

/// `1m30s`, `500ms`, `1.5h`.
pub(super) fn millis(text: &str) -> Result<u64, Wrong> {
    const WRONG: Wrong = "a time is written like 30s, 1m30s or 500ms";
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or(WRONG)?;
        let number: f64 = rest[..end].parse().map_err(|_| WRONG)?;
        rest = &rest[end..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        total += number
            * match &rest[..end] {
                "ns" => 1e-6,
                "us" | "µs" | "μs" => 1e-3,
                "ms" => 1.0,
                "s" => 1000.0,
                "m" => 60_000.0,
                "h" => 3_600_000.0,
                _ => return Err(WRONG),
            };
        rest = &rest[end..];
    }
    if text.is_empty() || (total > 0.0 && total < 1.0) {
        return Err("the shortest time is 1ms");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time that people write, of a millisecond or more"
    )]
    let millis = total.round() as u64;
    Ok(millis)
}

pub(super) fn millis_text(millis: u64) -> String {
    let parts = [
        (millis / 3_600_000, "h"),
        (millis / 60_000 % 60, "m"),
        (millis / 1000 % 60, "s"),
        (millis % 1000, "ms"),
    ];
    let mut text = String::new();
    for (count, unit) in parts {
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

pub(super) fn protocol(word: &str) -> Result<Protocol, Wrong> {
    match word.to_ascii_lowercase().as_str() {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "sctp" => Ok(Protocol::Sctp),
        _ => Err("a port's protocol is tcp, udp or sctp"),
    }
}

pub(super) fn protocol_text(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

/// `8000`, or `8000-8010`.
fn range(text: &str) -> Result<(u16, Option<u16>), Wrong> {
    const WRONG: Wrong = "a port is a number from 1 to 65535, or two with a hyphen between them";
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or(WRONG);
    match text.split_once('-') {
        None => Ok((port(text)?, None)),
        Some((first, last)) => {
            let (first, last) = (port(first)?, port(last)?);
            if last < first {
                return Err("the first port of a range is greater than its last");
            }
            Ok((first, (last > first).then_some(last)))
        }
    }
}

fn range_text(first: u16, last: Option<u16>) -> String {
    match last {
        Some(last) => format!("{first}-{last}"),
        None => first.to_string(),
    }
}

/// `[address:][host port]:container port[/protocol]`, with ranges; or `published=8080,target=80`.
pub(super) fn port(text: &str) -> Result<PublishedPort, Wrong> {
    if text.contains('=') {
        return long_port(text);
    }
    let (text, named) = match text.rsplit_once('/') {
        Some((text, named)) => (text, protocol(named)?),
        None => (text, Protocol::Tcp),
    };
    let (rest, container) = match text.rsplit_once(':') {
        Some((rest, container)) => (Some(rest), container),
        None => (None, text),
    };
    let (container_port, container_last) = range(container)?;
    let (address, host) = match rest.map(|rest| rest.rsplit_once(':').unwrap_or(("", rest))) {
        Some((address, host)) => (address, host),
        None => ("", ""),
    };
    let (host_port, host_last) = match host {
        "" => (None, None),
        host => range(host).map(|(first, last)| (Some(first), last))?,
    };
    let address = address
        .strip_prefix('[')
        .and_then(|a| a.strip_suffix(']'))
        .unwrap_or(address);
    let port = PublishedPort {
        host_address: (!address.is_empty()).then(|| address.to_owned()),
        host_port,
        host_last,
        container_port,
        container_last,
        protocol: named,
    };
    if !fits(&port) {
        return Err("both ranges have to have as many ports");
    }
    Ok(port)
}

/// Several container ports need as many of the host; one may have the choice.
pub(super) fn fits(port: &PublishedPort) -> bool {
    let container = port
        .container_last
        .map_or(0, |last| last.saturating_sub(port.container_port));
    let host = port
        .host_last
        .zip(port.host_port)
        .map_or(0, |(last, first)| last.saturating_sub(first));
    container == 0 || port.host_port.is_none() || container == host
}

fn long_port(text: &str) -> Result<PublishedPort, Wrong> {
    let mut port = PublishedPort::default();
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("published", value)) => {
                let (first, last) = range(value)?;
                (port.host_port, port.host_last) = (Some(first), last);
            }
            Some(("target", value)) => (port.container_port, port.container_last) = range(value)?,
            Some(("protocol", value)) => port.protocol = protocol(value)?,
            Some(_) | None => return Err("only published, target and protocol are known here"),
        }
    }
    if port.container_port == 0 {
        return Err("target, the port in the container, is missing");
    }
    Ok(port)
}

pub(super) fn port_text(port: &PublishedPort) -> String {
    let mut container = range_text(port.container_port, port.container_last);
    if port.protocol != Protocol::Tcp {
        container = format!("{container}/{}", protocol_text(port.protocol));
    }
    let host = port.host_port.map(|first| range_text(first, port.host_last));
    let address = port
        .host_address
        .as_deref()
        .map(str::trim)
        .filter(|address| !address.is_empty());
    match (address, host) {
        (None, None) => container,
        (None, Some(host)) => format!("{host}:{container}"),
        (Some(address), host) => {
            let host = host.unwrap_or_default();
            if address.contains(':') && !address.starts_with('[') {
                format!("[{address}]:{host}:{container}")
            } else {
                format!("{address}:{host}:{container}")
            }
        }
    }
}

/// `/srv`, `C:\srv`, `./srv`, `~/srv`, `\\server\srv`: paths, where anything else is a volume's name.
pub(super) fn is_path(source: &str) -> bool {
    source.starts_with(['/', '.', '~', '\\']) || has_drive(source)
}

fn has_drive(path: &str) -> bool {
    let mut start = path.chars();
    start.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && start.next() == Some(':')
        && matches!(start.next(), Some('\\' | '/'))
}

/// `[source:]target[:options]`
pub(super) fn volume(text: &str) -> Result<RunMount, Wrong> {
    let from = if has_drive(text) { 2 } else { 0 };
    let (source, rest) = match text[from..].find(':') {
        None => ("", text),
        Some(at) => (&text[..from + at], &text[from + at + 1..]),
    };
    if rest.is_empty() {
        return Err("the path in the container is missing");
    }
    let (target, options) = if source.is_empty() {
        (rest, None)
    } else {
        split_options(rest)
    };
    let mut mount = RunMount {
        source: if source.is_empty() {
            MountSource::Volume { name: None }
        } else if is_path(source) {
            MountSource::Folder {
                path: source.to_owned(),
                must_exist: false,
            }
        } else {
            MountSource::Volume {
                name: Some(source.to_owned()),
            }
        },
        target: target.to_owned(),
        read_only: false,
        options: Vec::new(),
    };
    take_options(&mut mount, options.unwrap_or_default());
    Ok(mount)
}

fn split_options(rest: &str) -> (&str, Option<&str>) {
    match rest.rsplit_once(':') {
        Some((target, options)) => (target, Some(options)),
        None => (rest, None),
    }
}

fn take_options(mount: &mut RunMount, options: &str) {
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" | "readonly" => mount.read_only = true,
            "rw" => mount.read_only = false,
            other => mount.options.push(other.to_owned()),
        }
    }
}

/// `target[:options]`
pub(super) fn tmpfs(text: &str) -> Result<RunMount, Wrong> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    if target.is_empty() {
        return Err("the path in the container is missing");
    }
    let mut mount = RunMount {
        source: MountSource::Memory,
        target: target.to_owned(),
        read_only: false,
        options: Vec::new(),
    };
    take_options(&mut mount, options);
    Ok(mount)
}

/// The fields of one line of comma-separated values, as Go's reader takes them.
pub(super) fn fields(text: &str) -> Result<Vec<String>, Wrong> {
    const WRONG: Wrong = "the quotes do not fit";
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => Ok(record.iter().map(str::to_owned).collect()),
        Ok(false) => Ok(Vec::new()),
        Err(_) => Err(WRONG),
    }
}

pub(super) fn fields_text(fields: &[String]) -> String {
    let quote = |field: &String| {
        if field.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field.clone()
        }
    };
    fields.iter().map(quote).collect::<Vec<_>>().join(",")
}

const PROPAGATIONS: [&str; 6] = ["rprivate", "private", "rshared", "shared", "rslave", "slave"];

/// `type=bind,source=/srv,target=/app,readonly`
pub(super) fn mount(text: &str) -> Result<RunMount, Wrong> {
    let (mut kind, mut source, mut target) = ("volume".to_owned(), String::new(), String::new());
    let mut read_only = false;
    let mut options = Vec::new();
    for field in fields(text)? {
        let (key, value) = field.split_once('=').unwrap_or((&field, "true"));
        let on = matches!(value, "true" | "1");
        match key.to_ascii_lowercase().as_str() {
            "type" => kind = value.to_ascii_lowercase(),
            "source" | "src" => value.clone_into(&mut source),
            "target" | "destination" | "dst" => value.clone_into(&mut target),
            "readonly" | "ro" => read_only = on,
            "bind-propagation" if PROPAGATIONS.contains(&value) => options.push(value.to_owned()),
            "volume-nocopy" if on => options.push("nocopy".to_owned()),
            "volume-nocopy" => {}
            "consistency" => options.push(value.to_owned()),
            "tmpfs-size" => options.push(format!("size={value}")),
            "tmpfs-mode" => options.push(format!("mode={value}")),
            _ => return Err("one of its settings is not known here"),
        }
    }
    if target.is_empty() {
        return Err("the target, the path in the container, is missing");
    }
    let source = match (kind.as_str(), source) {
        ("bind", path) if !path.is_empty() => MountSource::Folder { path, must_exist: true },
        ("bind", _) => return Err("the source, a folder, is missing"),
        ("volume", name) => MountSource::Volume {
            name: (!name.is_empty()).then_some(name),
        },
        ("tmpfs", _) => MountSource::Memory,
        _ => return Err("mounts are of type bind, volume or tmpfs here"),
    };
    Ok(RunMount {
        source,
        target,
        read_only,
        options,
    })
}

/// Whether `-v` can say it: colons part its fields.
fn needs_mount(mount: &RunMount) -> bool {
    let colons = |path: &str| {
        path.get(if has_drive(path) { 2 } else { 0 }..)
            .is_some_and(|path| path.contains(':'))
    };
    match &mount.source {
        MountSource::Folder { path, must_exist } => *must_exist || colons(path) || colons(&mount.target),
        MountSource::Volume { name: Some(_) } => colons(&mount.target),
        MountSource::Volume { name: None } => mount.read_only || !mount.options.is_empty() || colons(&mount.target),
        MountSource::Memory => false,
    }
}

/// The flag that says it, and its value.
pub(super) fn mount_text(mount: &RunMount) -> (&'static str, String) {
    let mut options = mount.options.clone();
    if mount.read_only {
        options.insert(0, "ro".to_owned());
    }
    let with_options = |text: String| {
        if options.is_empty() {
            text
        } else {
            format!("{text}:{}", options.join(","))
        }
    };
    if needs_mount(mount) {
        let (kind, source) = match &mount.source {
            MountSource::Folder { path, .. } => ("bind", Some(path)),
            MountSource::Volume { name } => ("volume", name.as_ref()),
            MountSource::Memory => ("tmpfs", None),
        };
        let mut fields = vec![format!("type={kind}")];
        fields.extend(source.map(|source| format!("source={source}")));
        fields.push(format!("target={}", mount.target));
        if mount.read_only {
            fields.push("readonly".to_owned());
        }
        fields.extend(mount.options.iter().map(|option| match option.as_str() {
            "nocopy" => "volume-nocopy".to_owned(),
            option if PROPAGATIONS.contains(&option) => format!("bind-propagation={option}"),
            option => format!("consistency={option}"),
        }));
        return ("--mount", fields_text(&fields));
    }
    match &mount.source {
        MountSource::Folder { path, .. } => ("-v", with_options(format!("{path}:{}", mount.target))),
        MountSource::Volume { name: Some(name) } => ("-v", with_options(format!("{name}:{}", mount.target))),
        MountSource::Volume { name: None } => ("-v", mount.target.clone()),
        MountSource::Memory => ("--tmpfs", with_options(mount.target.clone())),
    }
}

/// Whether `--mount` of the request has to be used in place of a text with colons.
pub(super) fn is_structured(mount: &RunMount) -> bool {
    mount_text(mount).0 == "--mount"
}

pub(super) fn is_propagation(option: &str) -> bool {
    PROPAGATIONS.contains(&option)
}

/// `NAME=value`; without an equals sign the value is empty.
pub(super) fn pair(text: &str) -> Variable {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Variable {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

pub(super) fn pair_text(pair: &Variable) -> String {
    format!("{}={}", pair.name, pair.value)
}

/// `name=soft[:hard]`
pub(super) fn ulimit(text: &str) -> Result<Ulimit, Wrong> {
    const WRONG: Wrong = "a limit is written like nofile=1024:2048";
    let (name, limits) = text.split_once('=').ok_or(WRONG)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| text.parse::<i64>().map_err(|_| WRONG);
    Ok(Ulimit {
        name: name.to_owned(),
        soft: number(soft)?,
        hard: number(hard)?,
    })
}

pub(super) fn ulimit_text(limit: &Ulimit) -> String {
    if limit.soft == limit.hard {
        format!("{}={}", limit.name, limit.soft)
    } else {
        format!("{}={}:{}", limit.name, limit.soft, limit.hard)
    }
}

pub(super) fn restart(text: &str) -> Result<Restart, Wrong> {
    const WRONG: Wrong = "it is no, always, unless-stopped or on-failure, the last with :NUMBER if wanted";
    match text
        .split_once(':')
        .map_or((text, None), |(name, count)| (name, Some(count)))
    {
        ("no" | "", None) => Ok(Restart::No),
        ("always", None) => Ok(Restart::Always),
        ("unless-stopped", None) => Ok(Restart::UnlessStopped),
        ("on-failure", count) => Ok(Restart::OnFailure {
            // The engine reads 0 as "for ever" too.
            retries: match count {
                Some(count) => Some(count.parse().map_err(|_| WRONG)?).filter(|count| *count > 0),
                None => None,
            },
        }),
        _ => Err(WRONG),
    }
}

pub(super) fn restart_text(restart: Restart) -> Option<String> {
    match restart {
        Restart::No => None,
        Restart::Always => Some("always".to_owned()),
        Restart::UnlessStopped => Some("unless-stopped".to_owned()),
        Restart::OnFailure { retries: None } => Some("on-failure".to_owned()),
        Restart::OnFailure { retries: Some(retries) } => Some(format!("on-failure:{retries}")),
    }
}

/// `host[:container][:rwm]`, or a CDI name.
pub(super) fn device(text: &str) -> Result<RunDevice, Wrong> {
    const WRONG: Wrong = "a device is written like /dev/ttyUSB0:/dev/serial:rwm";
    let whole = |host: &str, container: Option<&str>, permissions: Option<&str>| RunDevice {
        host: host.to_owned(),
        container: container.map(str::to_owned),
        permissions: permissions.map(str::to_owned),
    };
    if is_cdi(text) {
        return Ok(whole(text, None, None));
    }
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [host] if !host.is_empty() => Ok(whole(host, None, None)),
        [host, second] if is_permissions(second) => Ok(whole(host, None, Some(second))),
        [host, second] => Ok(whole(host, Some(second), None)),
        [host, container, permissions] if is_permissions(permissions) => {
            Ok(whole(host, Some(container), Some(permissions)))
        }
        _ => Err(WRONG),
    }
}

pub(super) fn device_text(device: &RunDevice) -> String {
    [
        Some(&device.host),
        device.container.as_ref(),
        device.permissions.as_ref(),
    ]
    .into_iter()
    .flatten()
    .map(String::as_str)
    .collect::<Vec<_>>()
    .join(":")
}

fn is_permissions(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.chars().all(|letter| "rwm".contains(letter))
}

/// `vendor.com/class=name`
pub(super) fn is_cdi(text: &str) -> bool {
    !text.starts_with('/')
        && text.split_once('=').is_some_and(|(kind, name)| {
            !name.is_empty()
                && kind
                    .split_once('/')
                    .is_some_and(|(v, c)| !v.is_empty() && !c.is_empty())
        })
}

/// `all`, `2`, `"device=0,1"`, `driver=nvidia,capabilities=compute`
pub(super) fn gpus(text: &str) -> Result<Gpus, Wrong> {
    const WRONG: Wrong = "it is all, a number, or device=, driver= and capabilities=";
    let mut which = None;
    let mut gpus = Gpus {
        which: WhichGpus::All,
        driver: None,
        capabilities: Vec::new(),
    };
    let list = |value: &str| value.split(',').map(str::to_owned).collect::<Vec<_>>();
    for field in fields(text)? {
        match field.split_once('=') {
            None | Some(("count", _)) => {
                let count = field.strip_prefix("count=").unwrap_or(&field);
                which = Some(if count == "all" || count == "-1" {
                    WhichGpus::All
                } else {
                    WhichGpus::Count {
                        count: count.parse().map_err(|_| WRONG)?,
                    }
                });
            }
            Some(("device", ids)) => which = Some(WhichGpus::Devices { ids: list(ids) }),
            Some(("driver", driver)) => gpus.driver = Some(driver.to_owned()),
            Some(("capabilities", capabilities)) => gpus.capabilities = list(capabilities),
            Some(_) => return Err(WRONG),
        }
    }
    // Docker asks for one where nothing says how many.
    gpus.which = which.unwrap_or(WhichGpus::Count { count: 1 });
    Ok(gpus)
}

pub(super) fn gpus_text(gpus: &Gpus) -> String {
    let mut fields = match &gpus.which {
        WhichGpus::All => vec!["all".to_owned()],
        WhichGpus::Count { count } => vec![count.to_string()],
        WhichGpus::Devices { ids } => vec![format!("device={}", ids.join(","))],
    };
    fields.extend(gpus.driver.as_ref().map(|driver| format!("driver={driver}")));
    if !gpus.capabilities.is_empty() {
        fields.push(format!("capabilities={}", gpus.capabilities.join(",")));
    }
    fields_text(&fields)
}

/// `web`, or `name=web,alias=api,ip=172.20.0.5`
pub(super) fn network(text: &str) -> Result<RunNetwork, Wrong> {
    let mut network = RunNetwork::default();
    if !text.contains('=') {
        text.clone_into(&mut network.name);
        return Ok(network);
    }
    for field in fields(text)? {
        match field.split_once('=') {
            Some(("name", value)) => value.clone_into(&mut network.name),
            Some(("alias", value)) => network.aliases.push(value.to_owned()),
            Some(("ip", value)) => network.ip = Some(value.to_owned()),
            Some(("ip6", value)) => network.ip6 = Some(value.to_owned()),
            Some(_) | None => return Err("only name, alias, ip and ip6 are known here"),
        }
    }
    if network.name.is_empty() {
        return Err("the network's name is missing");
    }
    Ok(network)
}

/// For all but the first network, whose parts have flags of their own.
pub(super) fn network_text(network: &RunNetwork) -> String {
    if network.aliases.is_empty() && network.ip.is_none() && network.ip6.is_none() {
        return network.name.clone();
    }
    let mut fields = vec![format!("name={}", network.name)];
    fields.extend(network.aliases.iter().map(|alias| format!("alias={alias}")));
    fields.extend(network.ip.iter().map(|ip| format!("ip={ip}")));
    fields.extend(network.ip6.iter().map(|ip| format!("ip6={ip}")));
    fields_text(&fields)
}
