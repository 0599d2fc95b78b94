//! One [`RunSpec`] as the engine's request, as the `docker run` line and as a compose service: they always say the
//! same. And back from a line that somebody pastes.

mod body;
mod changes;
mod compose;
mod flags;
mod line;
mod made;
mod paste;
mod scan;
mod shell;
mod spec;
#[cfg(test)]
mod tests;
mod text;

use std::net::IpAddr;

pub(crate) use body::body;
pub use changes::{LineChange, spec_changes};
pub use compose::compose_file;
pub use line::{command_line, command_words, not_in_this_shell};
pub(crate) use made::{Usual, spec_of};
pub use paste::{PasteError, PasteNote, PasteNoteKind, Pasted, paste};
pub use shell::{Shell, shell_line};
pub use spec::*;
pub(crate) use text::bytes_text;

use crate::name;
use flags::Goes;

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
    #[error("The ranges of ports {0} do not have as many ports on both sides")]
    Ranges(String),
    #[error("{0:?} is not an address of this computer, like 127.0.0.1")]
    HostAddress(String),
    #[error("Port {0} of this computer is published twice")]
    Twice(u16),
    #[error("A variable has no name")]
    NoVariable,
    #[error("{0:?} cannot be the name of a variable: it has an equals sign")]
    Variable(String),
    #[error("{0:?} is not a path in the container. Paths there begin with a slash, like /app.")]
    Target(String),
    #[error("{0} is used for two folders or volumes")]
    TargetTwice(String),
    #[error("{0:?} is not the whole path of a folder or file on this computer")]
    Folder(String),
    #[error(
        "{0:?} is not the name of a volume. Names have letters, digits, dots, hyphens and underscores; a folder begins with a slash."
    )]
    Volume(String),
    #[error("A container that is removed when it stops cannot be started again by itself. Choose one of the two.")]
    RemovedAndRestarted,
    #[error("{0:?} is not an address of a name server, like 1.1.1.1")]
    NameServer(String),
    #[error("{0:?} is not a name with an address, like db:192.168.1.5")]
    ExtraHost(String),
    #[error("A network has no name")]
    NoNetwork,
    #[error("{flag} cannot have the value {value:?}: {why}")]
    Flag {
        flag: String,
        value: String,
        why: &'static str,
    },
    #[error("The variables in {file} could not be used: {why}")]
    EnvFile { file: String, why: String },
    #[error("Text with a zero byte cannot be passed to a program")]
    ZeroByte,
}

/// A flag that few people need, for a list to choose from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, ts_rs::TS)]
#[serde(rename_all = "camelCase")]
pub struct RareChoice {
    /// Without the hyphens.
    pub flag: String,
    pub is_switch: bool,
    pub about: String,
}

/// Every flag that [`RunSpec::rare`] takes.
pub fn rare_flags() -> Vec<RareChoice> {
    flags::FLAGS
        .iter()
        .filter_map(|flag| match flag.goes {
            Goes::Rare(_, about) => Some(RareChoice {
                flag: flag.long.to_owned(),
                is_switch: flag.is_switch,
                about: about.to_owned(),
            }),
            Goes::Field(_) | Goes::Nowhere(_) | Goes::Unsupported(_) => None,
        })
        .collect()
}

/// As `docker update` has it; `docker run` need not say "no".
pub(crate) fn restart_text(restart: Restart) -> String {
    text::restart_text(restart).unwrap_or_else(|| "no".to_owned())
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
    if spec.remove_when_stopped && spec.restart != Restart::No {
        return Err(Invalid::RemovedAndRestarted);
    }
    ports(&spec.ports)?;
    mounts(&spec.mounts)?;
    for variable in &spec.environment {
        if variable.name.trim().is_empty() {
            return Err(Invalid::NoVariable);
        }
        if variable.name.contains('=') {
            return Err(Invalid::Variable(variable.name.clone()));
        }
    }
    network(spec)?;
    if spec.cpus.is_some_and(|cpus| !cpus.is_finite() || cpus <= 0.0) {
        let value = spec.cpus.unwrap_or_default().to_string();
        return Err(Invalid::Flag {
            flag: "--cpus".to_owned(),
            value,
            why: "it is a number like 1.5",
        });
    }
    let mut tried = body::Body::default();
    for rare in &spec.rare {
        flags::apply_rare(rare, &mut tried)?;
    }
    // Whatever there is of text is a word of the line.
    if line::groups(spec)
        .iter()
        .flat_map(|group| &group.words)
        .any(|word| word.contains('\0'))
    {
        return Err(Invalid::ZeroByte);
    }
    Ok(())
}

fn ports(ports: &[PublishedPort]) -> Result<(), Invalid> {
    for (at, port) in ports.iter().enumerate() {
        if port.container_port == 0 || port.container_last.is_some_and(|last| last <= port.container_port) {
            return Err(Invalid::ContainerPort);
        }
        if port.host_port == Some(0) || port.host_last.is_some_and(|last| Some(last) <= port.host_port) {
            return Err(Invalid::HostPort);
        }
        if !text::fits(port) {
            return Err(Invalid::Ranges(text::port_text(port)));
        }
        if let Some(address) = address(port)
            && address.parse::<IpAddr>().is_err()
        {
            return Err(Invalid::HostAddress(address.to_owned()));
        }
        // Of a range that one port may choose from nothing is taken yet.
        let chooses = port.host_last.is_some() && port.container_last.is_none();
        if let Some(host_port) = port.host_port
            && !chooses
            && ports[..at].iter().any(|other| collide(port, other))
        {
            return Err(Invalid::Twice(host_port));
        }
    }
    Ok(())
}

fn mounts(mounts: &[RunMount]) -> Result<(), Invalid> {
    for (at, mount) in mounts.iter().enumerate() {
        if !mount.target.starts_with('/') {
            return Err(Invalid::Target(mount.target.clone()));
        }
        if mounts[..at].iter().any(|other| other.target == mount.target) {
            return Err(Invalid::TargetTwice(mount.target.clone()));
        }
        match &mount.source {
            MountSource::Folder { path, .. } => {
                if path.starts_with(['.', '~']) || !text::is_path(path) {
                    return Err(Invalid::Folder(path.clone()));
                }
            }
            MountSource::Volume { name: Some(name) } => {
                if name.len() < 2 || !name::is_container_name(name) {
                    return Err(Invalid::Volume(name.clone()));
                }
            }
            MountSource::Volume { name: None } | MountSource::Memory => {}
        }
    }
    Ok(())
}

fn network(spec: &RunSpec) -> Result<(), Invalid> {
    if let Some(server) = spec.dns.iter().find(|server| server.parse::<IpAddr>().is_err()) {
        return Err(Invalid::NameServer(server.clone()));
    }
    if let Some(host) = spec.extra_hosts.iter().find(|host| !host.contains([':', '='])) {
        return Err(Invalid::ExtraHost(host.clone()));
    }
    if spec.networks.iter().any(|network| network.name.trim().is_empty()) {
        return Err(Invalid::NoNetwork);
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
    let (Some(first), Some(others)) = (one.host_port, other.host_port) else {
        return false;
    };
    let chooses = other.host_last.is_some() && other.container_last.is_none();
    first <= other.host_last.unwrap_or(others)
        && others <= one.host_last.unwrap_or(first)
        && !chooses
        && one.protocol == other.protocol
        && (address(one) == address(other) || address(one).is_none() || address(other).is_none())
}
