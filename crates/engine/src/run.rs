//! One [`RunSpec`] as the engine's request and as the `docker run` line: the two always say the same.

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};

use crate::{CommandLine, CommandPart, CommandPartKind, Error, Protocol, PublishedPort, RunSpec, name};

/// Why a spec cannot be run, in a sentence for the form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("An image is missing")]
    NoImage,
    #[error("{0:?} is not the name of an image. Names look like python:3.13-slim or ghcr.io/owner/name:tag.")]
    Image(String),
    #[error(
        "A name has letters, digits, dots, hyphens and underscores, at least two, and begins with a letter or digit. {0:?} does not."
    )]
    Name(String),
    #[error("The container's port is missing. A port is a number from 1 to 65535.")]
    ContainerPort,
    #[error("Port 0 cannot be published. Leave the field empty for any free port.")]
    HostPort,
    #[error("{0:?} is not an address of this computer, like 127.0.0.1")]
    HostAddress(String),
    #[error("Port {0} of this computer is published twice")]
    Twice(u16),
    #[error("A variable has no name")]
    NoVariable,
    #[error("{0:?} cannot be the name of a variable: it has an equals sign")]
    Variable(String),
    #[error("Text with a zero byte cannot be passed to a program")]
    ZeroByte,
}

/// A name that is only blanks is none.
pub(crate) fn given_name(spec: &RunSpec) -> Option<&str> {
    spec.name.as_deref().map(str::trim).filter(|name| !name.is_empty())
}

/// Looks at everything that can be known without an engine.
pub fn validate(spec: &RunSpec) -> Result<(), Invalid> {
    let image = spec.image.trim();
    if image.is_empty() {
        return Err(Invalid::NoImage);
    }
    if name::Reference::parse(image).is_err() {
        return Err(Invalid::Image(image.to_owned()));
    }
    if let Some(name) = given_name(spec)
        && (name.len() < 2 || !name::is_container_name(name))
    {
        return Err(Invalid::Name(name.to_owned()));
    }
    for (at, port) in spec.ports.iter().enumerate() {
        if port.container_port == 0 {
            return Err(Invalid::ContainerPort);
        }
        if port.host_port == Some(0) {
            return Err(Invalid::HostPort);
        }
        if let Some(address) = address(port)
            && address.parse::<IpAddr>().is_err()
        {
            return Err(Invalid::HostAddress(address.to_owned()));
        }
        if let Some(host_port) = port.host_port
            && spec.ports[..at].iter().any(|other| collide(port, other))
        {
            return Err(Invalid::Twice(host_port));
        }
    }
    for variable in &spec.environment {
        if variable.name.trim().is_empty() {
            return Err(Invalid::NoVariable);
        }
        if variable.name.contains('=') {
            return Err(Invalid::Variable(variable.name.clone()));
        }
    }
    let texts = spec
        .environment
        .iter()
        .flat_map(|variable| [&variable.name, &variable.value])
        .chain(&spec.command);
    if texts.into_iter().any(|text| text.contains('\0')) {
        return Err(Invalid::ZeroByte);
    }
    Ok(())
}

fn address(port: &PublishedPort) -> Option<&str> {
    port.host_address
        .as_deref()
        .map(str::trim)
        .filter(|address| !address.is_empty())
}

fn collide(one: &PublishedPort, other: &PublishedPort) -> bool {
    one.host_port == other.host_port
        && one.protocol == other.protocol
        && (address(one) == address(other) || address(one).is_none() || address(other).is_none())
}

/// The body of `POST /containers/create`.
pub(crate) fn body(spec: &RunSpec) -> Result<ContainerCreateBody, Error> {
    validate(spec)?;
    let mut exposed: Vec<String> = Vec::new();
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in &spec.ports {
        let key = format!("{}/{}", port.container_port, word(port.protocol));
        if !exposed.contains(&key) {
            exposed.push(key.clone());
        }
        let binding = PortBinding {
            host_ip: Some(address(port).unwrap_or_default().to_owned()),
            host_port: Some(port.host_port.map(|port| port.to_string()).unwrap_or_default()),
        };
        bindings.entry(key).or_default().get_or_insert_default().push(binding);
    }
    Ok(ContainerCreateBody {
        image: Some(spec.image.trim().to_owned()),
        env: (!spec.environment.is_empty()).then(|| {
            spec.environment
                .iter()
                .map(|variable| format!("{}={}", variable.name.trim(), variable.value))
                .collect()
        }),
        cmd: (!spec.command.is_empty()).then(|| spec.command.clone()),
        exposed_ports: (!exposed.is_empty()).then_some(exposed),
        host_config: Some(HostConfig {
            auto_remove: spec.remove_when_stopped.then_some(true),
            port_bindings: (!bindings.is_empty()).then_some(bindings),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    })
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

/// The `docker run` line that does the same. A form that is only half filled makes the half that is there.
pub fn command_line(spec: &RunSpec) -> CommandLine {
    let mut parts = vec![
        part(CommandPartKind::Program, &["docker", "run"], None),
        part(
            CommandPartKind::Flag,
            &["-d"],
            Some("Keep it running in the background".into()),
        ),
    ];
    if spec.remove_when_stopped {
        parts.push(part(
            CommandPartKind::Flag,
            &["--rm"],
            Some("Remove the container when it stops. What it wrote inside itself goes with it.".into()),
        ));
    }
    if let Some(name) = given_name(spec) {
        parts.push(part(
            CommandPartKind::Flag,
            &["--name", name],
            Some(format!("Call it {name}, which makes it easy to find later")),
        ));
    }
    for port in &spec.ports {
        parts.push(part(
            CommandPartKind::Flag,
            &["-p", &publish(port)],
            Some(publish_explained(port)),
        ));
    }
    for variable in &spec.environment {
        let name = variable.name.trim();
        parts.push(part(
            CommandPartKind::Flag,
            &["-e", &format!("{name}={}", variable.value)],
            // The value may be a secret, and is in the line already.
            Some(format!(
                "Set {name} in the container's environment, where the program reads its settings"
            )),
        ));
    }
    let image = spec.image.trim();
    if !image.is_empty() {
        parts.push(part(CommandPartKind::Image, &[image], Some(image_explained(image))));
    }
    for (at, word) in spec.command.iter().enumerate() {
        let explanation =
            (at == 0).then(|| "What follows the image is run in place of the image's own command".to_owned());
        parts.push(part(CommandPartKind::Argument, &[word], explanation));
    }
    let text = parts
        .iter()
        .map(|part| part.text.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    CommandLine { text, parts }
}

fn part(kind: CommandPartKind, words: &[&str], explanation: Option<String>) -> CommandPart {
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    CommandPart {
        kind,
        text: quoted.join(" "),
        explanation,
    }
}

/// What no POSIX shell changes behind the first word. shlex would quote `TZ=Europe/London`, which nobody writes so.
fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && word
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "_@%+=:,./-".contains(character))
}

/// A zero byte cannot be quoted, nor run: [`validate`] says so.
fn quote(word: &str) -> String {
    if is_plain(word) {
        return word.to_owned();
    }
    let word = word.replace('\0', "");
    match shlex::try_quote(&word) {
        Ok(quoted) => quoted.into_owned(),
        Err(_) => String::new(),
    }
}

/// `[address:][host port]:container port[/protocol]`, as the docker command reads it.
fn publish(port: &PublishedPort) -> String {
    let container = match port.protocol {
        Protocol::Tcp => port.container_port.to_string(),
        Protocol::Udp | Protocol::Sctp => format!("{}/{}", port.container_port, word(port.protocol)),
    };
    let host = port.host_port.map(|port| port.to_string());
    match (address(port), host) {
        (None, None) => container,
        (None, Some(host)) => format!("{host}:{container}"),
        (Some(address), host) => {
            let host = host.unwrap_or_default();
            let bracketed = address.contains(':') && !address.starts_with('[');
            if bracketed {
                format!("[{address}]:{host}:{container}")
            } else {
                format!("{address}:{host}:{container}")
            }
        }
    }
}

fn publish_explained(port: &PublishedPort) -> String {
    let from = match (address(port), port.host_port) {
        (None, Some(host)) => format!("Anything that arrives at port {host} on this computer"),
        (None, None) => "Anything that arrives at a free port of this computer, which the engine picks,".to_owned(),
        (Some(address), Some(host)) => format!("Anything that arrives at {address}, port {host},"),
        (Some(address), None) => format!("Anything that arrives at a free port of {address}, which the engine picks,"),
    };
    let kind = match port.protocol {
        Protocol::Tcp => "",
        Protocol::Udp => " (UDP)",
        Protocol::Sctp => " (SCTP)",
    };
    format!("{from} goes to port {}{kind} in the container", port.container_port)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Variable;

    fn port(address: Option<&str>, host: Option<u16>, container: u16, protocol: Protocol) -> PublishedPort {
        PublishedPort {
            host_address: address.map(Into::into),
            host_port: host,
            container_port: container,
            protocol,
        }
    }

    fn variable(name: &str, value: &str) -> Variable {
        Variable {
            name: name.into(),
            value: value.into(),
        }
    }

    fn everything() -> RunSpec {
        RunSpec {
            image: "python:3.13-slim".into(),
            name: Some("my-site".into()),
            ports: vec![
                port(None, Some(8080), 80, Protocol::Tcp),
                port(Some("127.0.0.1"), Some(5353), 53, Protocol::Udp),
                port(Some("::1"), None, 443, Protocol::Tcp),
                port(None, None, 9000, Protocol::Tcp),
            ],
            environment: vec![
                variable("TZ", "Europe/London"),
                variable("GREETING", "it's $HOME \"here\""),
            ],
            command: vec!["python".into(), "-c".into(), "print('hello')".into()],
            remove_when_stopped: true,
        }
    }

    #[test]
    fn the_line_says_everything_the_request_says() {
        insta::assert_json_snapshot!("line", command_line(&everything()));
        let mut body = serde_json::to_value(body(&everything()).expect("valid")).expect("JSON");
        body.sort_all_objects();
        insta::assert_json_snapshot!("request", body);
    }

    #[test]
    fn the_shortest_line_is_short() {
        let spec = RunSpec {
            image: "nginx".into(),
            name: Some(" ".into()),
            ..RunSpec::default()
        };
        assert_eq!(command_line(&spec).text, "docker run -d nginx");
        assert_eq!(command_line(&RunSpec::default()).text, "docker run -d");
    }

    #[test]
    fn every_mistake_is_told_in_a_sentence() {
        let with = |change: fn(&mut RunSpec)| {
            let mut spec = RunSpec {
                image: "nginx".into(),
                ..RunSpec::default()
            };
            change(&mut spec);
            validate(&spec).expect_err("a mistake").to_string()
        };
        let said = [
            with(|spec| spec.image = " ".into()),
            with(|spec| spec.image = "Not an image".into()),
            with(|spec| spec.name = Some("-x".into())),
            with(|spec| spec.name = Some("x".into())),
            with(|spec| spec.name = Some("grüße".into())),
            with(|spec| spec.ports = vec![port(None, Some(80), 0, Protocol::Tcp)]),
            with(|spec| spec.ports = vec![port(None, Some(0), 80, Protocol::Tcp)]),
            with(|spec| spec.ports = vec![port(Some("here"), None, 80, Protocol::Tcp)]),
            with(|spec| {
                spec.ports = vec![
                    port(None, Some(80), 80, Protocol::Tcp),
                    port(Some("127.0.0.1"), Some(80), 81, Protocol::Tcp),
                ];
            }),
            with(|spec| spec.environment = vec![variable("", "x")]),
            with(|spec| spec.environment = vec![variable("A=B", "x")]),
            with(|spec| spec.command = vec!["a\0b".into()]),
        ];
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn one_port_may_be_published_for_both_protocols() {
        let ports = vec![
            port(None, Some(53), 53, Protocol::Tcp),
            port(None, Some(53), 53, Protocol::Udp),
        ];
        assert_eq!(
            validate(&RunSpec {
                image: "dns".into(),
                ports,
                ..RunSpec::default()
            }),
            Ok(())
        );
    }

    proptest! {
        /// Whatever a person types into the form, a shell reads back the same words.
        #[test]
        fn a_shell_reads_back_what_was_meant(
            value in "[^\0]*",
            words in proptest::collection::vec("[^\0]*", 0..4),
        ) {
            let spec = RunSpec {
                image: "nginx".into(),
                environment: vec![variable("V", &value)],
                command: words.clone(),
                ..RunSpec::default()
            };
            let read = shlex::split(&command_line(&spec).text);
            let mut expected: Vec<String> =
                ["docker", "run", "-d", "-e"].into_iter().map(str::to_owned).collect();
            expected.push(format!("V={value}"));
            expected.push("nginx".into());
            expected.extend(words);
            prop_assert_eq!(read, Some(expected));
        }
    }
}
