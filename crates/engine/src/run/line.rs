//! A spec as the `docker run` line: words, each group with what it does.

use super::text;
use crate::secret::is_secret;
use crate::{
    CommandLine, CommandPart, CommandPartKind, HealthCheck, HealthSetting, MountSource, Protocol, PublishedPort,
    PullPolicy, Restart, RunMount, RunNetwork, RunSpec, Shell, Variable, WhichGpus, name,
};

/// Words that belong together.
pub(super) struct Group {
    pub(super) kind: CommandPartKind,
    pub(super) words: Vec<String>,
    /// The same without what is secret; `None` where nothing is.
    pub(super) shown: Option<Vec<String>>,
    pub(super) explanation: Option<String>,
}

/// What stands where a secret would.
const HIDDEN: &str = "••••••";

/// The `docker run` line that does what the request does. A form that is only half filled makes the half that is there.
///
/// Without `secrets`, a variable that looks like one is written as its name alone, which is a line that works where the
/// terminal knows the variable; other secrets are dots.
pub fn command_line(spec: &RunSpec, shell: Shell, secrets: bool) -> CommandLine {
    let parts: Vec<CommandPart> = groups(spec)
        .into_iter()
        .map(|group| {
            let words = match group.shown {
                Some(shown) if !secrets => shown,
                Some(_) | None => group.words,
            };
            let quoted: Vec<String> = words.iter().map(|word| shell.quote(word)).collect();
            CommandPart {
                kind: group.kind,
                text: quoted.join(" "),
                explanation: group.explanation,
            }
        })
        .collect();
    let text = parts
        .iter()
        .map(|part| part.text.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    CommandLine { text, parts }
}

/// The words of the line.
pub fn command_words(spec: &RunSpec, secrets: bool) -> Vec<String> {
    groups(spec)
        .into_iter()
        .flat_map(|group| match group.shown {
            Some(shown) if !secrets => shown,
            Some(_) | None => group.words,
        })
        .collect()
}

/// Why this line cannot be pasted into this shell; `None` when it can.
pub fn not_in_this_shell(spec: &RunSpec, shell: Shell) -> Option<&'static str> {
    let breaks = || {
        groups(spec)
            .iter()
            .flat_map(|group| &group.words)
            .any(|word| word.contains(['\n', '\r']))
    };
    (shell == Shell::Cmd && breaks()).then_some("cmd cannot pass on text with line breaks. Use PowerShell.")
}

struct Groups(Vec<Group>);

impl Groups {
    fn flag(&mut self, words: &[&str], explanation: impl Into<String>) {
        self.0.push(Group {
            kind: CommandPartKind::Flag,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            shown: None,
            explanation: Some(explanation.into()),
        });
    }

    fn hidden(&mut self, words: &[&str]) {
        if let Some(last) = self.0.last_mut() {
            last.shown = Some(words.iter().map(|word| (*word).to_owned()).collect());
        }
    }

    /// `--flag name=value`, whose value may be secret.
    fn pair(&mut self, flag: &str, pair: &Variable, explanation: &str) {
        self.flag(&[flag, &text::pair_text(pair)], explanation);
        if is_secret(&pair.name, &pair.value) {
            self.hidden(&[flag, &format!("{}={HIDDEN}", pair.name)]);
        }
    }
}

pub(super) fn groups(spec: &RunSpec) -> Vec<Group> {
    let mut groups = Groups(vec![Group {
        kind: CommandPartKind::Program,
        words: vec!["docker".to_owned(), "run".to_owned()],
        shown: None,
        explanation: None,
    }]);
    how_it_lives(spec, &mut groups);
    what_it_reaches(spec, &mut groups);
    what_it_may_use(spec, &mut groups);
    what_it_is_allowed(spec, &mut groups);
    for rare in &spec.rare {
        let about = super::flags::rare_about(&rare.flag).unwrap_or("A flag that is not known here");
        if rare.value == "true" && super::flags::by_name(&rare.flag).is_some_and(|flag| flag.is_switch) {
            groups.flag(&[&format!("--{}", rare.flag)], about);
        } else {
            groups.flag(&[&format!("--{}", rare.flag), &rare.value], about);
        }
    }
    let mut groups = groups.0;
    what_it_runs(spec, &mut groups);
    groups
}

fn how_it_lives(spec: &RunSpec, groups: &mut Groups) {
    groups.flag(&["-d"], "Keep it running in the background");
    match (spec.interactive, spec.terminal) {
        (true, true) => groups.flag(&["-it"], "Give it a terminal that can be typed into"),
        (true, false) => groups.flag(&["-i"], "Keep its input open, though nobody types"),
        (false, true) => groups.flag(&["-t"], "Give it a terminal, which makes programs print in colour"),
        (false, false) => {}
    }
    if spec.remove_when_stopped {
        groups.flag(
            &["--rm"],
            "Remove the container when it stops. What it wrote inside itself goes with it.",
        );
    }
    if let Some(name) = super::given_name(spec) {
        groups.flag(
            &["--name", name],
            format!("Call it {name}, which makes it easy to find later"),
        );
    }
    if let Some(policy) = text::restart_text(spec.restart) {
        groups.flag(&["--restart", &policy], restart_explained(spec.restart));
    }
    match spec.pull {
        PullPolicy::Missing => {}
        PullPolicy::Always => groups.flag(&["--pull", "always"], "Ask the registry for a newer image first"),
        PullPolicy::Never => groups.flag(&["--pull", "never"], "Use only an image that is already here"),
    }
    if let Some(platform) = spec.platform() {
        groups.flag(
            &["--platform", platform],
            format!("Take the image made for {platform}. Another processor than this one's is slow."),
        );
    }
    if spec.init {
        groups.flag(
            &["--init"],
            "A small first program that passes on signals and clears away ended ones",
        );
    }
    if let Some(signal) = given(spec.stop_signal.as_ref()) {
        groups.flag(&["--stop-signal", signal], format!("Ask it to end with {signal}"));
    }
    if let Some(seconds) = spec.stop_timeout {
        groups.flag(&["--stop-timeout", &seconds.to_string()], stop_explained(seconds));
    }
    health(&spec.health, groups);
}

fn stop_explained(seconds: i64) -> String {
    if seconds < 0 {
        "Wait for it to end for as long as it takes".to_owned()
    } else {
        format!("Give it {seconds} s to end by itself before it is ended by force")
    }
}

fn restart_explained(restart: Restart) -> String {
    match restart {
        Restart::No => String::new(),
        Restart::Always => "Start it again whenever it ends, and when the engine starts".to_owned(),
        Restart::UnlessStopped => "Start it again when it ends, unless you stop it".to_owned(),
        Restart::OnFailure { retries: None } => "Start it again when it fails".to_owned(),
        Restart::OnFailure { retries: Some(retries) } => {
            format!("Start it again when it fails, {retries} times at most")
        }
    }
}

fn health(health: &HealthSetting, groups: &mut Groups) {
    let check = match health {
        HealthSetting::Image => return,
        HealthSetting::Off => {
            groups.flag(&["--no-healthcheck"], "Do not run the check that the image brings");
            return;
        }
        HealthSetting::Own { check } => check,
    };
    let HealthCheck {
        command,
        interval_millis,
        timeout_millis,
        start_period_millis,
        start_interval_millis,
        retries,
    } = check;
    if let Some(command) = given(command.as_ref()) {
        groups.flag(
            &["--health-cmd", command],
            "Run this in it from time to time; it is healthy when it succeeds",
        );
    }
    for (flag, millis, about) in [
        ("--health-interval", *interval_millis, "How often the check runs"),
        ("--health-timeout", *timeout_millis, "How long the check may take"),
        (
            "--health-start-period",
            *start_period_millis,
            "How long it may fail at first without counting",
        ),
        (
            "--health-start-interval",
            *start_interval_millis,
            "How often the check runs at first",
        ),
    ] {
        if millis > 0 {
            groups.flag(&[flag, &text::millis_text(millis)], about);
        }
    }
    if *retries > 0 {
        groups.flag(
            &["--health-retries", &retries.to_string()],
            format!("Call it unhealthy after {retries} failed checks in a row"),
        );
    }
}

fn what_it_reaches(spec: &RunSpec, groups: &mut Groups) {
    for port in &spec.ports {
        groups.flag(&["-p", &text::port_text(port)], publish_explained(port));
    }
    if spec.publish_all {
        groups.flag(
            &["-P"],
            "Publish every port the image names on a free port of this computer",
        );
    }
    for mount in &spec.mounts {
        let (flag, value) = text::mount_text(mount);
        groups.flag(&[flag, &value], mount_explained(mount));
    }
    for file in &spec.env_files {
        groups.flag(&["--env-file", file], "Set the variables that stand in this file");
    }
    for variable in &spec.environment {
        let name = variable.name.trim();
        // The value may be a secret, and is in the line already.
        groups.flag(
            &["-e", &format!("{name}={}", variable.value)],
            format!("Set {name} in the container's environment, where the program reads its settings"),
        );
        if is_secret(name, &variable.value) {
            groups.hidden(&["-e", name]);
        }
    }
    if let Some((first, others)) = spec.networks.split_first() {
        first_network(first, groups);
        for network in others {
            groups.flag(
                &["--network", &text::network_text(network)],
                format!("Put it into the network {} too", network.name),
            );
        }
    }
    if let Some(hostname) = given(spec.hostname.as_ref()) {
        groups.flag(
            &["--hostname", hostname],
            format!("Let it believe that its computer is called {hostname}"),
        );
    }
    for server in &spec.dns {
        groups.flag(&["--dns", server], format!("Look up names at {server}"));
    }
    for host in &spec.extra_hosts {
        groups.flag(&["--add-host", host], "Add a name that it can look up");
    }
}

fn first_network(network: &RunNetwork, groups: &mut Groups) {
    let about = match network.name.as_str() {
        "host" => "Use the engine's own network. Its ports need not be published.".to_owned(),
        "none" => "Give it no network".to_owned(),
        "bridge" | "default" => "Use the network that containers have by default".to_owned(),
        name => match name.strip_prefix("container:") {
            Some(other) => format!("Share the network of the container {other}"),
            None => format!("Put it into the network {name}, where containers reach each other by name"),
        },
    };
    groups.flag(&["--network", &network.name], about);
    for alias in &network.aliases {
        groups.flag(
            &["--network-alias", alias],
            format!("Let others in its network call it {alias}"),
        );
    }
    for (flag, ip) in [("--ip", &network.ip), ("--ip6", &network.ip6)] {
        if let Some(ip) = given(ip.as_ref()) {
            groups.flag(&[flag, ip], format!("Give it the address {ip} in its network"));
        }
    }
}

fn what_it_may_use(spec: &RunSpec, groups: &mut Groups) {
    if let Some(memory) = spec.memory {
        groups.flag(&["-m", &text::bytes_text(memory)], "Stop it if it needs more memory");
    }
    if let Some(cpus) = spec.cpus {
        groups.flag(
            &["--cpus", &cpus.to_string()],
            format!("Let it use {cpus} processors at most"),
        );
    }
    if let Some(size) = spec.shm_size {
        groups.flag(
            &["--shm-size", &text::bytes_text(size)],
            "Room for memory that its programs share. It has 64 MB otherwise, too little for some, like PyTorch.",
        );
    }
    if let Some(gpus) = &spec.gpus {
        let about = match gpus.which {
            WhichGpus::All => "Let it use every GPU",
            WhichGpus::Count { .. } => "Let it use this many GPUs",
            WhichGpus::Devices { .. } => "Let it use these GPUs",
        };
        groups.flag(&["--gpus", &text::gpus_text(gpus)], about);
    }
    for limit in &spec.ulimits {
        groups.flag(
            &["--ulimit", &text::ulimit_text(limit)],
            format!("The limit {} of its programs", limit.name),
        );
    }
    if let Some(driver) = given(spec.log_driver.as_ref()) {
        groups.flag(&["--log-driver", driver], "Where what it prints is kept");
    }
    for option in &spec.log_options {
        groups.pair("--log-opt", option, "How what it prints is kept");
    }
    for label in &spec.labels {
        groups.pair("-l", label, "A note on the container that programs can read");
    }
}

fn what_it_is_allowed(spec: &RunSpec, groups: &mut Groups) {
    if let Some(user) = given(spec.user.as_ref()) {
        groups.flag(&["-u", user], format!("Run its program as the user {user}"));
    }
    if let Some(folder) = given(spec.working_directory.as_ref()) {
        groups.flag(&["-w", folder], format!("Start its program in the folder {folder}"));
    }
    if spec.read_only {
        groups.flag(
            &["--read-only"],
            "Its own files cannot be changed, only its folders and volumes",
        );
    }
    if spec.privileged {
        groups.flag(
            &["--privileged"],
            "It may do to the engine's computer whatever it likes. Few programs need this.",
        );
    }
    for capability in &spec.cap_add {
        groups.flag(&["--cap-add", capability], "A right of the administrator that it gets");
    }
    for capability in &spec.cap_drop {
        groups.flag(
            &["--cap-drop", capability],
            "A right of the administrator that it loses",
        );
    }
    for option in &spec.security_options {
        groups.flag(&["--security-opt", option], "A rule for what it may do");
    }
    for device in &spec.devices {
        groups.flag(&["--device", &text::device_text(device)], "A device it may use");
    }
    for setting in &spec.sysctls {
        groups.flag(&["--sysctl", &text::pair_text(setting)], "A setting of its kernel");
    }
}

fn what_it_runs(spec: &RunSpec, groups: &mut Vec<Group>) {
    if let Some(entrypoint) = &spec.entrypoint {
        let words = ["--entrypoint", entrypoint.trim()];
        groups.push(Group {
            kind: CommandPartKind::Flag,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            shown: None,
            explanation: Some("The program to start in place of the image's own".to_owned()),
        });
    }
    let image = spec.image.trim();
    if !image.is_empty() {
        groups.push(Group {
            kind: CommandPartKind::Image,
            words: vec![image.to_owned()],
            shown: None,
            explanation: Some(image_explained(image)),
        });
    }
    for (at, word) in spec.command.iter().enumerate() {
        let shown = match word.split_once('=') {
            Some((name, value)) if is_secret(name, value) => Some(vec![format!("{name}={HIDDEN}")]),
            Some(_) | None => None,
        };
        groups.push(Group {
            kind: CommandPartKind::Argument,
            words: vec![word.clone()],
            shown,
            explanation: (at == 0)
                .then(|| "What follows the image is run in place of the image's own command".to_owned()),
        });
    }
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn mount_explained(mount: &RunMount) -> String {
    let writing = if mount.read_only {
        ", which it can only read"
    } else {
        ""
    };
    match &mount.source {
        MountSource::Folder { path, .. } => {
            format!(
                "Show it {path} of this computer as {}{writing}. Changes are seen on both sides.",
                mount.target
            )
        }
        MountSource::Volume { name: Some(name) } => format!(
            "Keep what it writes to {} in the volume {name}, which stays when the container is removed{writing}",
            mount.target
        ),
        MountSource::Volume { name: None } => {
            format!(
                "Keep what it writes to {} in a volume of its own{writing}",
                mount.target
            )
        }
        MountSource::Memory => {
            format!(
                "Keep {} in memory{writing}. It is gone when the container stops.",
                mount.target
            )
        }
    }
}

fn publish_explained(port: &PublishedPort) -> String {
    let ports = |first: u16, last: Option<u16>| match last {
        Some(last) => format!("ports {first} to {last}"),
        None => format!("port {first}"),
    };
    let from = match (super::address(port), port.host_port) {
        (None, Some(host)) => format!(
            "Anything that arrives at {} on this computer",
            ports(host, port.host_last)
        ),
        (None, None) => "Anything that arrives at a free port of this computer, which the engine picks,".to_owned(),
        (Some(address), Some(host)) => format!("Anything that arrives at {address}, {},", ports(host, port.host_last)),
        (Some(address), None) => format!("Anything that arrives at a free port of {address}, which the engine picks,"),
    };
    let kind = match port.protocol {
        Protocol::Tcp => "",
        Protocol::Udp => " (UDP)",
        Protocol::Sctp => " (SCTP)",
    };
    format!(
        "{from} goes to {}{kind} in the container",
        ports(port.container_port, port.container_last)
    )
}

fn image_explained(image: &str) -> String {
    match name::Reference::parse(image) {
        Ok(reference) if reference.registry == name::HUB => {
            "The image to run. It comes from Docker Hub when it is not on this computer.".to_owned()
        }
        Ok(reference) => {
            format!(
                "The image to run. It comes from {} when it is not on this computer.",
                reference.registry
            )
        }
        Err(_) => "The image to run".to_owned(),
    }
}
