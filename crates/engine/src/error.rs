//! What can go wrong between us and an engine, and which of the engine's own words mean what.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::run::Invalid;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{address} is not an engine's address")]
    BadAddress { address: String },
    /// An address that is right and that we cannot follow.
    #[error("{address} cannot be used: {reason}")]
    UnsupportedAddress { address: String, reason: &'static str },
    #[error("No engine answers at {address}")]
    Unreachable { address: String, source: io::Error },
    /// Why the connection could not be made when it was tried last.
    #[error(transparent)]
    Away(Arc<Error>),
    /// It sleeps because nobody uses it.
    #[error("The engine is asleep")]
    AtRest,
    #[error("The engine took longer than {} s to {doing}", .after.as_secs())]
    Silent { doing: &'static str, after: Duration },
    /// Files on their way between a container and this computer.
    #[error("The files could not be moved")]
    Files { source: io::Error },
    /// Lines that are looked at wait on this computer's disk.
    #[error("The log could not be kept on this computer's disk")]
    LogFile { source: io::Error },
    #[error("The engine's answer broke off")]
    BrokenOff {
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("The answer is not one of a Docker-compatible engine")]
    Garbled {
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("The engine speaks API {theirs}, and {needed} or newer is needed")]
    TooOld { theirs: String, needed: String },
    #[error("Port {port} is taken")]
    PortTaken { port: u16, source: Reply },
    #[error("{}", match .name { Some(name) => format!("There is a container named {name} already"), None => "There is a container of that name already".to_owned() })]
    NameTaken { name: Option<String>, source: Reply },
    /// Not on this engine, and in no registry it could ask.
    #[error("There is no image named {reference}, or it is private")]
    ImageNotFound { reference: String, source: Reply },
    /// The registry does not take it from this person.
    #[error("The registry does not let you push {reference}")]
    PushDenied { reference: String, source: Reply },
    #[error("Could not use {}", .file.display())]
    File { file: PathBuf, source: io::Error },
    #[error("{what} is not there")]
    NotFound { what: String, source: Reply },
    #[error("{what} is in use")]
    InUse { what: String, source: Reply },
    #[error("The engine's disk is full")]
    NoSpace { source: Reply },
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A name that no engine would accept, and that we do not put into a request.
    #[error("{name:?} is not a name of {kind}")]
    BadName { kind: &'static str, name: String },
    #[error(transparent)]
    Backup(#[from] crate::BackupError),
    /// A refusal that needs no more than to be read.
    #[error("The engine refused")]
    Refused { source: Reply },
}

/// An engine that may ask a registry without encryption does so after each refusal with it, and tells of that alone.
const WITHOUT_TLS_TOO: &str = "client sent an http request to an https server";

/// The engine's own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Reply {
    /// The HTTP status; 200 for an error in the middle of a stream.
    pub status: u16,
    pub message: String,
}

/// What a request was about, for errors that name it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    Container(&'a str),
    Image(&'a str),
    Volume(&'a str),
    /// By its path in a container.
    File(&'a str),
    Engine,
}

impl Subject<'_> {
    fn name(self) -> String {
        match self {
            Subject::Container(name) => short(name).to_owned(),
            Subject::Image(name) | Subject::Volume(name) | Subject::File(name) => name.to_owned(),
            Subject::Engine => "What was asked for".to_owned(),
        }
    }
}

/// Of a whole id, what people know containers by when they have no name.
fn short(name: &str) -> &str {
    let is_id = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.get(..12).filter(|_| is_id).unwrap_or(name)
}

impl Error {
    /// Engines have no error codes: the status and the words are all there is. The words are those of Moby 20.10 to
    /// 29 and of Podman.
    pub(crate) fn from_reply(subject: Subject<'_>, reply: Reply) -> Error {
        let words = reply.message.to_lowercase();
        let says = |any: &[&str]| any.iter().any(|part| words.contains(part));
        // The kernel has the same words for too many mounts (with their flags), watches and control groups.
        let is_no_disk = says(&["cgroup", "inotify", "flags: 0x", "flags=0x"]);
        if says(&["no space left on device", "disk quota exceeded"]) && !is_no_disk {
            return Error::NoSpace { source: reply };
        }
        if let Some(port) = taken_port(&reply.message) {
            return Error::PortTaken { port, source: reply };
        }
        if says(&[
            "is already in use by container",
            "name is already in use",
            "that name is already in use",
        ]) {
            return Error::NameTaken {
                name: taken_name(&reply.message),
                source: reply,
            };
        }
        if says(&[
            "manifest unknown",
            "pull access denied",
            "no such image",
            "repository does not exist",
            "requested access to the resource is denied",
            "no basic auth credentials",
            "authentication required",
            "not found: manifest",
            "image not known",
            WITHOUT_TLS_TOO,
        ]) || (matches!(subject, Subject::Image(_))
            && (reply.status == 404 || says(&[": not found", "no matching manifest"])))
        {
            let reference = match subject {
                Subject::Image(reference) => reference.to_owned(),
                Subject::Container(_) | Subject::Volume(_) | Subject::File(_) | Subject::Engine => {
                    missing_image(&reply.message).unwrap_or_default()
                }
            };
            return Error::ImageNotFound {
                reference,
                source: reply,
            };
        }
        match reply.status {
            404 => Error::NotFound {
                what: subject.name(),
                source: reply,
            },
            409 => Error::InUse {
                what: subject.name(),
                source: reply,
            },
            _ => Error::Refused { source: reply },
        }
    }

    /// The engine's own words, where there are any.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Error::PortTaken { source, .. }
            | Error::NameTaken { source, .. }
            | Error::ImageNotFound { source, .. }
            | Error::PushDenied { source, .. }
            | Error::NotFound { source, .. }
            | Error::InUse { source, .. }
            | Error::NoSpace { source }
            | Error::Refused { source } => Some(source),
            Error::Away(reason) => reason.reply(),
            Error::Backup(crate::BackupError::NotRestored { source, .. }) => source.reply(),
            Error::BadAddress { .. }
            | Error::UnsupportedAddress { .. }
            | Error::Unreachable { .. }
            | Error::AtRest
            | Error::Silent { .. }
            | Error::BrokenOff { .. }
            | Error::Files { .. }
            | Error::LogFile { .. }
            | Error::Garbled { .. }
            | Error::TooOld { .. }
            | Error::Invalid(_)
            | Error::File { .. }
            | Error::BadName { .. }
            | Error::Backup(_) => None,
        }
    }
}

/// The host port in a sentence that says it is taken.
///
/// - `Bind for 0.0.0.0:8080 failed: port is already allocated`
/// - `listen tcp4 0.0.0.0:8080: bind: address already in use`
/// - `Ports are not available: exposing port TCP 0.0.0.0:8080 -> 0.0.0.0:0: …`
/// - `8080 is used by nginx (pid 4242)`, which is what Wherry's machine says through the engine
fn taken_port(message: &str) -> Option<u16> {
    let words = message.to_lowercase();
    if let Some(at) = message.find(" is used by ") {
        let digits = message[..at]
            .rsplit(|character: char| !character.is_ascii_digit())
            .next()?;
        if let Ok(port) = digits.parse() {
            return Some(port);
        }
    }
    let before = [
        "port is already allocated",
        "address already in use",
        "ports are not available",
    ]
    .iter()
    .find_map(|part| words.find(part).map(|at| (*part, at)))?;
    // The address stands before the first two phrases and behind the third.
    let (part, at) = before;
    if part == "ports are not available" {
        ports_in(&message[at..]).next()
    } else {
        // Moby 28 writes `host:port:container:port/tcp`: the container's side is not what is taken.
        let before = &message[..at];
        let mapping = before
            .rsplit(' ')
            .find(|word| word.contains(':') && ports_in(word).next().is_some())?;
        ports_in(mapping).next()
    }
}

/// Every `:8080` of a text that could be a port, in order.
fn ports_in(text: &str) -> impl Iterator<Item = u16> + '_ {
    text.match_indices(':').filter_map(|(at, _)| {
        let rest = &text[at + 1..];
        let digits = rest.len()
            - rest
                .trim_start_matches(|character: char| character.is_ascii_digit())
                .len();
        rest[..digits].parse().ok().filter(|port| *port != 0)
    })
}

/// `Conflict. The container name "/web" is already in use by container "…"`
fn taken_name(message: &str) -> Option<String> {
    let quoted = message.split('"').nth(1)?;
    let name = quoted.trim_start_matches('/');
    (!name.is_empty()).then(|| name.to_owned())
}

/// `No such image: nginx:latest`
fn missing_image(message: &str) -> Option<String> {
    let (_, reference) = message.split_once(": ")?;
    Some(reference.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, message: &str) -> Error {
        Error::from_reply(
            Subject::Container("web"),
            Reply {
                status,
                message: message.to_owned(),
            },
        )
    }

    #[test]
    fn every_engine_s_words_for_a_taken_port_are_known() {
        for words in [
            "driver failed programming external connectivity on endpoint web (3fa2): Bind for 0.0.0.0:8080 failed: port is already allocated",
            "driver failed programming external connectivity on endpoint web (3fa2): Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use",
            "failed to set up container networking: driver failed programming external connectivity on endpoint web (3fa2): failed to bind host port 0.0.0.0:8080/tcp: address already in use",
            "failed to bind host port for [::]:8080:172.17.0.2:80/tcp: address already in use",
            "Ports are not available: exposing port TCP 0.0.0.0:8080 -> 127.0.0.1:0: listen tcp 0.0.0.0:8080: bind: address already in use",
            "driver failed programming external connectivity on endpoint web (3fa2): Error starting userland proxy: 8080 is used by nginx (pid 4242)",
            "rootlessport listen tcp 0.0.0.0:8080: bind: address already in use",
        ] {
            match kind(500, words) {
                Error::PortTaken { port, .. } => assert_eq!(port, 8080, "{words}"),
                other => panic!("{words}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_taken_name_is_told_without_its_slash() {
        let error = kind(
            409,
            "Conflict. The container name \"/web\" is already in use by container \"3fa2\". You have to remove (or rename) that container to be able to reuse that name.",
        );
        assert_eq!(error.to_string(), "There is a container named web already");
    }

    #[test]
    fn an_image_that_nobody_has_is_one_kind_whoever_says_it() {
        for (status, words) in [
            (404, "No such image: nope:latest"),
            (
                404,
                "pull access denied for nope, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            ),
            (
                404,
                "manifest for nope:latest not found: manifest unknown: manifest unknown",
            ),
            (500, "manifest unknown"),
            (
                500,
                "Head \"http://127.0.0.1:5000/v2/x/manifests/1\": no basic auth credentials",
            ),
            (
                500,
                "error parsing HTTP 400 response body: invalid character 'C' looking for beginning of value: \"Client sent an HTTP request to an HTTPS server.\\n\"",
            ),
        ] {
            assert!(matches!(kind(status, words), Error::ImageNotFound { .. }), "{words}");
        }
    }

    #[test]
    fn a_full_disk_is_told_before_anything_else() {
        assert!(matches!(
            kind(500, "write /var/lib/docker/tmp/x: no space left on device"),
            Error::NoSpace { .. }
        ));
        for words in [
            "error mounting \"/v/_data\" to rootfs at \"/data\": mount /v/_data:/data (via /proc/self/fd/6), flags: 0x5000: no space left on device",
            "failed to write 42: write /sys/fs/cgroup/cpuset/docker/ab12/cgroup.procs: no space left on device",
            "inotify_add_watch /etc/cdi: no space left on device",
        ] {
            assert!(matches!(kind(500, words), Error::Refused { .. }), "{words}");
        }
    }

    #[test]
    fn a_container_without_a_name_is_known_by_the_start_of_its_id() {
        let id = "e7e30781b9f4c6f922f5d4d55f2b29883cb390eebfb5c26bd920ebb8ec9561ed";
        let reply = Reply {
            status: 404,
            message: format!("No such container: {id}"),
        };
        let error = Error::from_reply(Subject::Container(id), reply);
        assert_eq!(error.to_string(), "e7e30781b9f4 is not there");
    }

    #[test]
    fn a_refusal_that_means_nothing_special_stays_readable() {
        let error = kind(400, "invalid port specification: \"99999\"");
        assert_eq!(
            error.reply().map(|reply| reply.message.as_str()),
            Some("invalid port specification: \"99999\"")
        );
    }
}
