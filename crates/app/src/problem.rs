//! What went wrong, in the one shape the UI shows.

use std::io::ErrorKind;

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use wherry_engine::system_socket::SocketError;
use wherry_engine::{BackupError, ConfigError, Error as EngineError, registry_of};
use wherry_machine::{Error as MachineError, Failure, FailureCode, ports};

use crate::preflight::capacity;
use crate::registry_problem;

/// An error a person can act on. The UI branches on `code` and never on text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub code: Code,
    /// What happened, in one sentence that names the thing: "Could not start web".
    pub message: String,
    /// Why, in one sentence, where the message does not say it: "8080 is used by nginx (pid 4242)".
    pub why: Option<String>,
    /// What to do, in one sentence.
    pub hint: Option<String>,
    /// What is behind it, outermost first: the engine's or the system's own words, to be shown small.
    pub causes: Vec<String>,
    /// A remedy that is one click.
    pub action: Option<Action>,
}

/// A code exists only if the UI acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Code {
    /// No engine answers: the UI shows the engine page instead of lists.
    EngineUnreachable,
    /// The machine could not start: the UI shows the failure with its steps.
    MachineFailed,
    PortTaken,
    NameTaken,
    /// The image is not on this computer and no registry has it, or it is private.
    ImageNotFound,
    /// The thing is gone: the list is refetched.
    NotFound,
    /// A running container or a used image is in the way: the UI offers to force.
    InUse,
    /// A field of the form is wrong; the message says which and why.
    Invalid,
    NoSpace,
    /// A restore would replace what is there: the UI asks whether to keep or to replace it.
    Exists,
    /// 401: a registry wants to know who the person is, or does not accept whom they say they are.
    Unauthorized,
    /// 403: it knows them and says no.
    Forbidden,
    /// 429: a registry allows no more for now.
    RateLimited,
    /// 5xx, or no answer that makes sense: it is worth trying again.
    RegistryTrouble,
    Cancelled,
    /// Our own mistake: the UI offers a report to copy.
    Panic,
    /// Everything that only needs to be read.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Action {
    StartEngine,
    /// Publish on `instead`, which is free.
    UsePort {
        taken: u16,
        instead: u16,
    },
    Retry,
    SignIn {
        registry: String,
    },
    /// Let the engine ask this registry without encryption.
    AllowInsecure {
        registry: String,
    },
    /// Give the engine the certificate of whoever vouches for this registry.
    TrustRegistry {
        registry: String,
    },
    /// Remove although it runs or is used.
    Force,
    /// A command for the person's terminal: `sudo apt install qemu-system-x86`.
    RunInTerminal {
        command: String,
    },
}

impl Problem {
    pub(crate) fn cancelled() -> Problem {
        Problem::plain(Code::Cancelled, "It was cancelled")
    }

    pub fn plain(code: Code, message: impl Into<String>) -> Problem {
        Problem {
            code,
            message: message.into(),
            hint: None,
            why: None,
            causes: Vec::new(),
            action: None,
        }
    }

    /// Says what was being done when this happened: "Could not start web". What was the message becomes the reason. Where there is no engine at all, that stays the message: it is not about web.
    pub(crate) fn during(mut self, doing: impl Into<String>) -> Problem {
        if !matches!(self.code, Code::EngineUnreachable | Code::Cancelled) {
            let happened = std::mem::replace(&mut self.message, doing.into());
            if let Some(reason) = self.why.replace(happened) {
                self.causes.insert(0, reason);
            }
        }
        self
    }
}

/// Every kind of error an engine can make, in the words and with the remedy a person needs.
impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Problem {
        Problem::from(&error)
    }
}

impl From<&EngineError> for Problem {
    fn from(error: &EngineError) -> Problem {
        let mut problem = Problem {
            code: code_of(error),
            message: error.to_string(),
            hint: hint_for(error).map(str::to_owned),
            why: None,
            causes: causes(error),
            action: action_for(error),
        };
        match error {
            EngineError::Away(reason) => {
                return Problem {
                    code: Code::EngineUnreachable,
                    ..Problem::from(reason.as_ref())
                };
            }
            EngineError::Unreachable { .. } => {
                let address = std::mem::replace(&mut problem.message, "The engine does not answer".into());
                problem.causes.insert(0, address);
            }
            EngineError::PortTaken { port, source } => {
                problem.message = holder_in(&source.message).unwrap_or_else(|| ports::taken_sentence(*port, None));
            }
            EngineError::Refused { source } => {
                if let Some((message, hint)) = familiar_refusal(&source.message) {
                    problem.message = message;
                    problem.hint = Some(hint);
                    problem.code = registry_problem::code_in(&source.message).unwrap_or(problem.code);
                    problem.action = registry_problem::remedy_in(&source.message).or(problem.action);
                } else {
                    problem.message.clone_from(&source.message);
                    problem.causes.clear();
                }
            }
            EngineError::AtRest
            | EngineError::BadAddress { .. }
            | EngineError::UnsupportedAddress { .. }
            | EngineError::Silent { .. }
            | EngineError::BrokenOff { .. }
            | EngineError::Files { .. }
            | EngineError::LogFile { .. }
            | EngineError::Garbled { .. }
            | EngineError::TooOld { .. }
            | EngineError::NameTaken { .. }
            | EngineError::ImageNotFound { .. }
            | EngineError::PushDenied { .. }
            | EngineError::File { .. }
            | EngineError::NotFound { .. }
            | EngineError::InUse { .. }
            | EngineError::NoSpace { .. }
            | EngineError::Invalid(_)
            | EngineError::BadName { .. } => {}
            EngineError::Backup(error) => {
                if let BackupError::Exists { names } = error {
                    problem.causes.clone_from(names);
                }
            }
        }
        problem
    }
}

fn code_of(error: &EngineError) -> Code {
    match error {
        EngineError::Away(_)
        | EngineError::AtRest
        | EngineError::Unreachable { .. }
        | EngineError::Silent { .. }
        | EngineError::BrokenOff { .. } => Code::EngineUnreachable,
        EngineError::BadAddress { .. }
        | EngineError::UnsupportedAddress { .. }
        | EngineError::Invalid(_)
        | EngineError::BadName { .. } => Code::Invalid,
        EngineError::PortTaken { .. } => Code::PortTaken,
        EngineError::NameTaken { .. } => Code::NameTaken,
        EngineError::ImageNotFound { .. } => Code::ImageNotFound,
        EngineError::PushDenied { .. } => Code::Unauthorized,
        EngineError::File { source, .. } if source.kind() == ErrorKind::StorageFull => Code::NoSpace,
        EngineError::NotFound { .. } => Code::NotFound,
        EngineError::InUse { .. } => Code::InUse,
        EngineError::Files { source } | EngineError::LogFile { source } if source.kind() == ErrorKind::StorageFull => {
            Code::NoSpace
        }
        EngineError::NoSpace { .. } => Code::NoSpace,
        EngineError::Backup(error) => code_of_backup(error),
        EngineError::File { .. }
        | EngineError::Files { .. }
        | EngineError::LogFile { .. }
        | EngineError::Garbled { .. }
        | EngineError::TooOld { .. }
        | EngineError::Refused { .. } => Code::Other,
    }
}

fn hint_for(error: &EngineError) -> Option<&'static str> {
    Some(match error {
        EngineError::BadAddress { .. } => {
            "An address looks like unix:///var/run/docker.sock or tcp://192.168.1.20:2375."
        }
        EngineError::Unreachable { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "Your user may not open its socket. On Linux, join the group docker and log in again."
        }
        EngineError::AtRest => "It wakes when it is used.",
        EngineError::Unreachable { .. } => "Start it. Wherry connects by itself as soon as it answers.",
        EngineError::Silent { .. } => "It may be busy. Try again, or restart it.",
        EngineError::BrokenOff { .. } => {
            "It was stopped or restarted, perhaps. Wherry connects by itself when it is back."
        }
        EngineError::Files { .. } => "Try again. Nothing half-written was kept.",
        EngineError::LogFile { .. } => "Make room on the disk that has the folder for temporary files.",
        EngineError::Garbled { .. } => "Something else may listen at its address.",
        EngineError::TooOld { .. } => "Update it: Docker 20.10 or newer.",
        EngineError::PortTaken { .. } => "Use another port, or stop what uses it.",
        EngineError::NameTaken { .. } => "Give it another name, or remove the other container.",
        EngineError::ImageNotFound { .. } => {
            "See whether the name is spelled right. For a private image, sign in to its registry first."
        }
        EngineError::PushDenied { .. } => {
            "Sign in as somebody who may. The name says where it goes: your own are at registry/you/name."
        }
        EngineError::File { source, .. } if source.kind() == ErrorKind::StorageFull => "Choose a disk with more room.",
        EngineError::File { .. } => "See whether the path is right and the folder yours.",
        EngineError::NotFound { .. } => "It was removed meanwhile.",
        EngineError::InUse { .. } => "Stop what uses it first, or force it.",
        EngineError::NoSpace { .. } => "Remove images or containers that are not needed.",
        EngineError::Backup(error) => return hint_for_backup(error),
        EngineError::Away(_)
        | EngineError::UnsupportedAddress { .. }
        | EngineError::Invalid(_)
        | EngineError::BadName { .. }
        | EngineError::Refused { .. } => return None,
    })
}

fn action_for(error: &EngineError) -> Option<Action> {
    match error {
        EngineError::AtRest | EngineError::Unreachable { .. } => Some(Action::StartEngine),
        EngineError::Silent { .. }
        | EngineError::BrokenOff { .. }
        | EngineError::Files { .. }
        | EngineError::LogFile { .. }
        | EngineError::Garbled { .. } => Some(Action::Retry),
        EngineError::InUse { .. } => Some(Action::Force),
        EngineError::PushDenied { reference, .. } => registry_of(reference).map(|registry| Action::SignIn { registry }),
        // A name without a registry is misspelled more often than it is private.
        EngineError::ImageNotFound { reference, .. } => registry_of(reference)
            .filter(|_| reference.contains('/'))
            .map(|registry| Action::SignIn { registry }),
        EngineError::Away(_)
        | EngineError::BadAddress { .. }
        | EngineError::UnsupportedAddress { .. }
        | EngineError::TooOld { .. }
        | EngineError::PortTaken { .. }
        | EngineError::NameTaken { .. }
        | EngineError::File { .. }
        | EngineError::NotFound { .. }
        | EngineError::NoSpace { .. }
        | EngineError::Invalid(_)
        | EngineError::BadName { .. }
        | EngineError::Backup(_)
        | EngineError::Refused { .. } => None,
    }
}

fn code_of_backup(error: &BackupError) -> Code {
    match error {
        BackupError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => Code::NoSpace,
        BackupError::Io { source, .. } if source.kind() == ErrorKind::NotFound => Code::NotFound,
        BackupError::Exists { .. } => Code::Exists,
        BackupError::NotRestored { source, .. } => code_of(source),
        BackupError::GivenUp => Code::Cancelled,
        BackupError::Io { .. }
        | BackupError::NotABackup { .. }
        | BackupError::NotOurs { .. }
        | BackupError::Busy { .. }
        | BackupError::Damaged { .. }
        | BackupError::Newer { .. }
        | BackupError::Outside { .. }
        | BackupError::VolumeInUse { .. } => Code::Other,
    }
}

fn hint_for_backup(error: &BackupError) -> Option<&'static str> {
    Some(match error {
        BackupError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
            "Choose a disk with more room. The backup that was there before is as it was."
        }
        BackupError::Io { source, .. } if source.kind() == ErrorKind::NotFound => "See whether the path is right.",
        BackupError::Io { .. } => "See whether the path is right and the folder yours.",
        BackupError::NotABackup { .. } => "Choose a file that was made by wherry backup.",
        BackupError::NotOurs { .. } => "Choose another name for the backup.",
        BackupError::Busy { .. } => "Wait until it is done, or choose another name.",
        BackupError::Damaged { .. } => "Use another backup, or copy this one again from where it came.",
        BackupError::Newer { .. } => "Update Wherry first.",
        BackupError::Outside { .. } => "Somebody may have changed this file. It is not used.",
        BackupError::Exists { .. } => "Keep what is there and restore the rest (--keep), or replace it (--replace).",
        BackupError::VolumeInUse { .. } => "Remove that container first, or keep what is there.",
        BackupError::NotRestored { source, .. } => return hint_for(source),
        BackupError::GivenUp => return None,
    })
}

/// Refusals that beginners meet, in other words than the engine's, and what to do.
fn familiar_refusal(words: &str) -> Option<(String, String)> {
    if words.contains("executable file not found") || words.contains("no such file or directory: unknown") {
        // exec: "pythn": executable file not found in $PATH
        let program = words.split("exec: ").find_map(|rest| rest.strip_prefix('"'));
        let message = match program.and_then(|rest| rest.split('"').next()) {
            Some(program) => format!("The image has no program named {program}"),
            None => "The image has no such program".to_owned(),
        };
        return Some((message, "See whether the command is spelled right.".into()));
    }
    if words.to_lowercase().contains("no command specified") {
        return Some(("The image does not say what to run".into(), "Give a command.".into()));
    }
    if let Some(used) = memory_in_use(words) {
        return Some((
            format!("It uses {} now, more than it was to have", capacity(used)),
            "Give it more than that, or edit it and run it again: then it starts with the new limit.".into(),
        ));
    }
    if is_no_image(words) {
        let hint = "A tar of plain files, as docker export writes it, becomes an image when you type a name for it.";
        return Some(("No image is in this file".into(), hint.into()));
    }
    registry_trouble(words)
}

/// `unable to set memory limit to 8388608 (current usage: 30658560, peak usage: 33177600)`
fn memory_in_use(words: &str) -> Option<u64> {
    let (_, rest) = words.split_once("unable to set memory limit to ")?;
    let (_, used) = rest.split_once("current usage: ")?;
    used.split(|character: char| !character.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// A file that was to be loaded, in the words of several engines:
/// `open /var/lib/docker/tmp/docker-import-123/bin/json: no such file or directory`.
fn is_no_image(words: &str) -> bool {
    (words.contains("/docker-import-") && words.contains("no such file"))
        || words.contains("does not contain a manifest.json")
        || words.contains("unrecognized image format")
}

/// Why a registry could not be asked, from what the engine's HTTP client says:
/// `Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host`.
fn registry_trouble(words: &str) -> Option<(String, String)> {
    let lower = words.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|part| lower.contains(part));
    if says(&["toomanyrequests", "too many requests"]) {
        return Some((
            "The registry allows no more pulls for now".into(),
            "Sign in to it, which allows more, or try again later.".into(),
        ));
    }
    if says(&[
        "unexpected http status: 5",
        "unexpected status code 5",
        "500 internal server",
        "502 bad gateway",
        "503 service",
    ]) {
        return Some((
            "The registry is in trouble itself".into(),
            "Nothing is wrong here. Try again in a few minutes.".into(),
        ));
    }
    if let Some(host) = registry_problem::plain_http_in(words) {
        return Some((format!("{host} speaks plain HTTP"), registry_problem::PLAIN_HTTP.into()));
    }
    let host = registry_problem::host_in(words)
        .or_else(|| registry_problem::is_of_a_download(words).then_some("The registry"))?;
    let (message, hint) = if says(&[
        "no such host",
        "server misbehaving",
        "temporary failure in name resolution",
    ]) {
        (
            format!("{host} could not be found"),
            "See whether this computer is online. In a company's network the engine may need its proxy.",
        )
    } else if let Some(fault) = registry_problem::CertificateFault::in_words(words) {
        (format!("The certificate of {host} is not trusted"), fault.hint())
    } else if says(&["connection refused"]) {
        (
            format!("{host} refuses connections"),
            "See whether the name is right and the registry runs.",
        )
    } else if says(&[
        "timeout",
        "deadline exceeded",
        "network is unreachable",
        "no route to host",
    ]) {
        (
            format!("{host} does not answer"),
            "See whether this computer is online, then try again.",
        )
    } else if says(&["unexpected eof", "connection reset", "broken pipe"]) {
        (
            format!("{host} broke off"),
            "See whether this computer is online, then try again.",
        )
    } else {
        return None;
    };
    Some((message, hint.into()))
}

/// Wherry's machine tells through the engine who holds the port, behind the engine's own words.
fn holder_in(words: &str) -> Option<String> {
    let at = words.find(" is used by ")?;
    let start = words[..at]
        .rfind(|character: char| !character.is_ascii_digit())
        .map_or(0, |before| before + 1);
    (start < at).then(|| words[start..].trim_end_matches('.').to_owned())
}

impl From<MachineError> for Problem {
    fn from(error: MachineError) -> Problem {
        let hint = error.hint();
        let causes = error.causes();
        let (code, action) = match &error {
            MachineError::Failed(failure) => (code_of_failure(failure.code), remedy(failure)),
            MachineError::NoDataFolder { .. } | MachineError::RelativeHome { .. } => (Code::Invalid, None),
            MachineError::Io { .. }
            | MachineError::Spawn { .. }
            | MachineError::DaemonSilent { .. }
            | MachineError::DaemonLost { .. }
            | MachineError::Garbled { .. } => (Code::MachineFailed, Some(Action::Retry)),
            MachineError::OtherVersion { .. } => (Code::MachineFailed, None),
        };
        Problem {
            why: None,
            code,
            message: error.to_string(),
            hint,
            causes,
            action,
        }
    }
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Problem {
        let hint = match &error {
            ConfigError::NoFolder => "Set DOCKER_CONFIG to the folder that it uses.",
            ConfigError::Unreadable { .. } => "See to whom it belongs.",
            ConfigError::NotJson { .. } => {
                "Mend it in an editor, or move it away and log in again. Wherry does not write to a file that it does \
                 not understand."
            }
            ConfigError::Write { .. } => "See to whom its folder belongs and whether the disk is full.",
        };
        Problem {
            hint: Some(hint.to_owned()),
            causes: causes(&error),
            ..Problem::plain(Code::Other, error.to_string())
        }
    }
}

impl From<SocketError> for Problem {
    fn from(error: SocketError) -> Problem {
        let (hint, action) = match &error {
            SocketError::Taken { .. } => (
                "Wherry replaces nothing of another engine. Use the context instead, which needs no such place.",
                None,
            ),
            SocketError::Unavailable => ("Use the context instead.", None),
            SocketError::NotAllowed { command, .. } => (
                "Type the command in a terminal.",
                Some(Action::RunInTerminal {
                    command: command.clone(),
                }),
            ),
            SocketError::Io { .. } => ("Use the context instead, which needs no such place.", None),
        };
        Problem {
            hint: Some(hint.to_owned()),
            causes: causes(&error),
            action,
            ..Problem::plain(Code::Other, error.to_string())
        }
    }
}

fn code_of_failure(failure: FailureCode) -> Code {
    match failure {
        FailureCode::NoDiskSpace => Code::NoSpace,
        FailureCode::SpecRefused | FailureCode::FolderRefused => Code::Invalid,
        FailureCode::QemuMissing
        | FailureCode::ImageMissing
        | FailureCode::ImageDamaged
        | FailureCode::DataDiskCorrupt
        | FailureCode::NoAnswer
        | FailureCode::Died
        | FailureCode::EngineFailed
        | FailureCode::CannotSuspend
        | FailureCode::Io => Code::MachineFailed,
    }
}

/// What is one click away from a machine that failed.
fn remedy(failure: &Failure) -> Option<Action> {
    match failure.code {
        FailureCode::QemuMissing => command_in(&failure.hint).map(|command| Action::RunInTerminal { command }),
        FailureCode::NoAnswer | FailureCode::Died | FailureCode::EngineFailed | FailureCode::Io => Some(Action::Retry),
        FailureCode::ImageMissing
        | FailureCode::ImageDamaged
        | FailureCode::NoDiskSpace
        | FailureCode::DataDiskCorrupt
        | FailureCode::CannotSuspend
        | FailureCode::FolderRefused
        | FailureCode::SpecRefused => None,
    }
}

/// The command in a hint: "Install QEMU: sudo apt install qemu-system-x86".
pub(crate) fn command_in(hint: &str) -> Option<String> {
    const INSTALLERS: [&str; 5] = ["sudo ", "brew ", "winget ", "apt install ", "dnf install "];
    let at = INSTALLERS.iter().filter_map(|installer| hint.find(installer)).min()?;
    let command = hint[at..].split(['\n', '`', ';']).next().unwrap_or_default();
    let command = command
        .split(". ")
        .next()
        .unwrap_or_default()
        .trim()
        .trim_end_matches('.');
    (!command.is_empty()).then(|| command.to_owned())
}

pub(crate) fn causes(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(error.source(), |cause| cause.source())
        .map(ToString::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use wherry_engine::Reply;

    use super::*;

    fn reply(message: &str) -> Reply {
        Reply {
            status: 500,
            message: message.to_owned(),
        }
    }

    #[test]
    fn a_registry_that_cannot_be_asked_is_named() {
        for (words, message) in [
            (
                "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io on 10.0.2.3:53: no such host",
                "registry-1.docker.io could not be found",
            ),
            (
                "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
                "127.0.0.1:1 refuses connections",
            ),
            (
                "Get \"https://ghcr.io/v2/\": net/http: TLS handshake timeout",
                "ghcr.io does not answer",
            ),
            (
                "Get \"https://ghcr.io/v2/\": x509: certificate signed by unknown authority",
                "The certificate of ghcr.io is not trusted",
            ),
            (
                "dial tcp: lookup registry-1.docker.io on 10.0.2.3:53: no such host",
                "The registry could not be found",
            ),
            (
                "dial tcp 127.0.0.1:1: connect: connection refused",
                "The registry refuses connections",
            ),
            (
                "read tcp 10.0.2.15:41094->44.205.64.79:443: read: connection reset by peer",
                "The registry broke off",
            ),
            ("unexpected EOF", "The registry broke off"),
            (
                "toomanyrequests: You have reached your pull rate limit.",
                "The registry allows no more pulls for now",
            ),
            (
                "Cannot update container ab12: runc did not terminate successfully: unable to set memory limit to 8388608 \
                 (current usage: 30658560, peak usage: 33177600): unknown",
                "It uses 29.2 MB now, more than it was to have",
            ),
            (
                "open /var/lib/docker/tmp/docker-import-4196500422/bin/json: no such file or directory",
                "No image is in this file",
            ),
        ] {
            assert_eq!(familiar_refusal(words).map(|(said, _)| said).as_deref(), Some(message));
        }
        assert_eq!(familiar_refusal("invalid port specification"), None);
        let logging = "failed to initialize logging driver: dial tcp 127.0.0.1:24224: connect: connection refused";
        assert_eq!(familiar_refusal(logging), None, "not a registry's");
    }

    #[test]
    fn the_machine_s_own_words_about_a_port_are_kept() {
        let words = "driver failed programming external connectivity on endpoint web (ab12): \
                     Error starting userland proxy: 8080 is used by nginx (pid 4242)";
        let problem = Problem::from(EngineError::PortTaken {
            port: 8080,
            source: reply(words),
        });
        assert_eq!(problem.message, "8080 is used by nginx (pid 4242)");
        let problem = problem.during("Could not start web");
        assert_eq!(problem.why.as_deref(), Some("8080 is used by nginx (pid 4242)"));
        assert_eq!(problem.causes, [words], "the raw words come last");
    }

    #[test]
    fn a_refusal_that_beginners_meet_is_told_in_other_words() {
        let words = "OCI runtime create failed: container_linux.go:367: starting container process caused: \
                     exec: \"pythn\": executable file not found in $PATH: unknown";
        let problem = Problem::from(EngineError::Refused { source: reply(words) });
        assert_eq!(problem.message, "The image has no program named pythn");
        assert_eq!(problem.causes, [words]);
        let problem = Problem::from(EngineError::Refused {
            source: reply("something new"),
        });
        assert_eq!((problem.message.as_str(), problem.causes.len()), ("something new", 0));
    }

    #[test]
    fn an_engine_that_is_away_is_away_whatever_the_reason() {
        let reason = EngineError::TooOld {
            theirs: "1.24".into(),
            needed: "1.41".into(),
        };
        let problem = Problem::from(EngineError::Away(std::sync::Arc::new(reason)));
        assert_eq!(problem.code, Code::EngineUnreachable);
        assert!(problem.message.contains("1.24"));
        let about_web = problem.clone().during("Could not start web");
        assert_eq!(about_web.message, problem.message, "it is not about web");
    }

    #[test]
    fn a_missing_qemu_is_one_click_away() {
        for (hint, command) in [
            (
                "Install it: sudo apt install qemu-system-x86",
                Some("sudo apt install qemu-system-x86"),
            ),
            (
                "Install QEMU with `brew install qemu`, then start again.",
                Some("brew install qemu"),
            ),
            ("Install QEMU.", None),
        ] {
            assert_eq!(command_in(hint).as_deref(), command, "{hint}");
        }
    }
}
