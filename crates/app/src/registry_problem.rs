//! What went wrong at a registry or with a login, in the words and with the remedy a person needs.

use jiff::Timestamp;
use wherry_engine::{LoginError, RegistryError};

use crate::problem::causes;
use crate::{Action, Code, Problem};

pub(crate) const PLAIN_HTTP: &str = "What goes there can be read and changed on the way, a login as well. An engine asks \
                                     such a registry only when it was told that it may.";

/// Why a certificate is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateFault {
    Expired,
    OtherName,
    Unknown,
}

impl CertificateFault {
    /// In the words of the engine's client (`x509: …`), or of ours (`invalid peer certificate: UnknownIssuer`).
    pub(crate) fn in_words(words: &str) -> Option<CertificateFault> {
        let lower = words.to_lowercase();
        let says = |any: &[&str]| any.iter().any(|part| lower.contains(part));
        if !says(&["x509:", "certificate"]) {
            None
        } else if says(&["expired", "not yet valid", "notvalidyet"]) {
            Some(CertificateFault::Expired)
        } else if says(&["is valid for", "notvalidforname", "not valid for name", "ip sans"]) {
            Some(CertificateFault::OtherName)
        } else {
            Some(CertificateFault::Unknown)
        }
    }

    fn of(error: &RegistryError) -> CertificateFault {
        CertificateFault::in_words(&causes(error).join(" ")).unwrap_or(CertificateFault::Unknown)
    }

    pub(crate) fn hint(self) -> &'static str {
        match self {
            CertificateFault::Expired => {
                "Its time is over, or has not begun. See whether this computer's clock is right. If it is, only whoever runs \
                 it can help: they have to renew it."
            }
            CertificateFault::OtherName => {
                "It is for another address. See whether yours is spelled as whoever runs it has given it to you."
            }
            CertificateFault::Unknown => {
                "It is the registry's own, or a network that inspects traffic has put another in place of it. The engine has \
                 to be given the certificate of who made it."
            }
        }
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Problem {
        let mut problem = Problem {
            hint: hint_for(&error),
            action: action_for(&error),
            ..Problem::plain(code_of(&error), error.to_string())
        };
        problem.causes = causes(&error);
        if let Some(said) = said(&error) {
            problem.causes.push(said.to_owned());
        }
        problem
    }
}

fn code_of(error: &RegistryError) -> Code {
    match error {
        RegistryError::BadAddress { .. } | RegistryError::BadCertificate { .. } | RegistryError::BadTrust { .. } => {
            Code::Invalid
        }
        RegistryError::Unauthorized { .. } => Code::Unauthorized,
        RegistryError::Forbidden { .. } => Code::Forbidden,
        RegistryError::Missing { .. } => Code::ImageNotFound,
        RegistryError::TooMany { .. } => Code::RateLimited,
        RegistryError::Silent { .. }
        | RegistryError::BrokenOff { .. }
        | RegistryError::Redirects { .. }
        | RegistryError::Failing { .. }
        | RegistryError::Odd { .. }
        | RegistryError::Garbled { .. }
        | RegistryError::Endless { .. }
        | RegistryError::NoSuchHost { .. }
        | RegistryError::Unreachable { .. } => Code::RegistryTrouble,
        RegistryError::NotTrusted { .. }
        | RegistryError::PlainHttp { .. }
        | RegistryError::Client { .. }
        | RegistryError::UnsafeRealm { .. } => Code::Other,
    }
}

fn hint_for(error: &RegistryError) -> Option<String> {
    Some(match error {
        RegistryError::BadAddress { .. } => "An address looks like ghcr.io or registry.example.com:5000.".into(),
        RegistryError::NoSuchHost { .. } => {
            "See whether the address is spelled right and this computer is online, or in the company's network.".into()
        }
        RegistryError::Unreachable { .. } => "See whether the address and the port are right and it is running.".into(),
        RegistryError::Silent { .. } => "See whether this computer is online, then try again.".into(),
        RegistryError::NotTrusted { .. } => CertificateFault::of(error).hint().into(),
        RegistryError::PlainHttp { .. } => PLAIN_HTTP.into(),
        RegistryError::BrokenOff { .. } | RegistryError::Garbled { .. } | RegistryError::Endless { .. } => {
            "Try again. If it stays so, something between you and the registry may be answering instead.".into()
        }
        RegistryError::Redirects { .. } | RegistryError::Odd { .. } => {
            "See whether the address is right, and whether this network asks you to sign in, in a browser.".into()
        }
        RegistryError::BadCertificate { .. } => "Replace it by a file in PEM form, or remove it.".into(),
        RegistryError::BadTrust { .. } => "Replace them by files in PEM form, or remove them.".into(),
        RegistryError::Client { .. } => return None,
        RegistryError::Unauthorized { login: true, .. } => {
            "See whether user and secret are right. Many registries want a token in place of the password, and tokens end."
                .into()
        }
        RegistryError::Unauthorized { login: false, .. } => {
            "The image is private, or does not exist. Sign in to see which.".into()
        }
        RegistryError::Forbidden { login: true, .. } => {
            "Your login is known there and may not do this. A token may lack a right, such as reading packages.".into()
        }
        RegistryError::Forbidden { login: false, .. } => "Sign in first, as somebody who may.".into(),
        RegistryError::Missing { .. } => "See whether name and tag are spelled right.".into(),
        RegistryError::TooMany { login, until, .. } => {
            let when = until.map_or_else(
                || "Try again later".to_owned(),
                |until| format!("Full again {}", in_words(until, Timestamp::now())),
            );
            if *login {
                format!("{when}.")
            } else {
                format!("{when}. Those who sign in are allowed more.")
            }
        }
        RegistryError::Failing { status, .. } => {
            format!("Nothing is wrong here: it answered {status}. Try again in a few minutes.")
        }
        RegistryError::UnsafeRealm { .. } => "Nothing was sent. Ask whoever runs it to use https there.".into(),
    })
}

fn action_for(error: &RegistryError) -> Option<Action> {
    match error {
        RegistryError::Unauthorized { registry, .. }
        | RegistryError::Forbidden { registry, .. }
        | RegistryError::TooMany {
            registry, login: false, ..
        } => Some(Action::SignIn {
            registry: registry.clone(),
        }),
        RegistryError::PlainHttp { registry, .. } => Some(Action::AllowInsecure {
            registry: registry.clone(),
        }),
        RegistryError::NotTrusted { registry, .. } => {
            (CertificateFault::of(error) == CertificateFault::Unknown).then(|| Action::TrustRegistry {
                registry: registry.clone(),
            })
        }
        RegistryError::Silent { .. }
        | RegistryError::Unreachable { .. }
        | RegistryError::NoSuchHost { .. }
        | RegistryError::BrokenOff { .. }
        | RegistryError::Garbled { .. }
        | RegistryError::Endless { .. }
        | RegistryError::Failing { .. }
        | RegistryError::TooMany { login: true, .. } => Some(Action::Retry),
        RegistryError::BadAddress { .. }
        | RegistryError::Redirects { .. }
        | RegistryError::BadCertificate { .. }
        | RegistryError::BadTrust { .. }
        | RegistryError::Client { .. }
        | RegistryError::Missing { .. }
        | RegistryError::Odd { .. }
        | RegistryError::UnsafeRealm { .. } => None,
    }
}

/// The registry's own words.
fn said(error: &RegistryError) -> Option<&str> {
    match error {
        RegistryError::Unauthorized { said, .. }
        | RegistryError::Forbidden { said, .. }
        | RegistryError::Missing { said, .. }
        | RegistryError::TooMany { said, .. }
        | RegistryError::Failing { said, .. }
        | RegistryError::Odd { said, .. } => Some(said),
        RegistryError::BadAddress { .. }
        | RegistryError::NoSuchHost { .. }
        | RegistryError::Unreachable { .. }
        | RegistryError::Silent { .. }
        | RegistryError::NotTrusted { .. }
        | RegistryError::PlainHttp { .. }
        | RegistryError::BrokenOff { .. }
        | RegistryError::Redirects { .. }
        | RegistryError::BadCertificate { .. }
        | RegistryError::BadTrust { .. }
        | RegistryError::Client { .. }
        | RegistryError::Garbled { .. }
        | RegistryError::Endless { .. }
        | RegistryError::UnsafeRealm { .. } => None,
    }
}

/// "in 40 s", "in 12 min", "in 5 h"
fn in_words(until: Timestamp, now: Timestamp) -> String {
    let seconds = until.duration_since(now).as_secs().max(1);
    match seconds {
        0..90 => format!("in {seconds} s"),
        90..5400 => format!("in {} min", (seconds + 59) / 60),
        _ => format!("in {} h", (seconds + 3599) / 3600),
    }
}

/// The registry that the engine's HTTP client speaks of: `Get "https://registry-1.docker.io/v2/": …`.
pub(crate) fn host_in(words: &str) -> Option<&str> {
    let (_, address) = words.split_once("://")?;
    address.split(['/', '"', ' ']).next().filter(|host| !host.is_empty())
}

/// In the middle of a download the engine's client leaves out of whom it speaks.
pub(crate) fn is_of_a_download(words: &str) -> bool {
    words.starts_with("dial tcp") || words.starts_with("read tcp") || words == "unexpected EOF"
}

/// The registry that answers the engine without encryption, in its client's words.
pub(crate) fn plain_http_in(words: &str) -> Option<String> {
    let says = words.contains("server gave HTTP response to HTTPS client");
    host_in(words).filter(|_| says).map(str::to_owned)
}

/// What helps against what the engine's client says of a registry.
pub(crate) fn remedy_in(words: &str) -> Option<Action> {
    if let Some(registry) = plain_http_in(words) {
        return Some(Action::AllowInsecure { registry });
    }
    let unknown = CertificateFault::in_words(words) == Some(CertificateFault::Unknown);
    host_in(words).filter(|_| unknown).map(|host| Action::TrustRegistry {
        registry: host.to_owned(),
    })
}

/// What the engine's own words about a registry mean.
pub(crate) fn code_in(words: &str) -> Option<Code> {
    let lower = words.to_lowercase();
    if lower.contains("toomanyrequests") || lower.contains("too many requests") {
        Some(Code::RateLimited)
    } else if lower.contains("://") || lower.contains("unexpected http status") || is_of_a_download(words) {
        Some(Code::RegistryTrouble)
    } else {
        None
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Problem {
        let causes = causes(&error);
        let message = error.to_string();
        let (hint, more) = match error {
            LoginError::Config(error) => return Problem::from(error),
            LoginError::NoKeychain { said } => ("Keep the login for this session only.", Some(said)),
            LoginError::Keychain { .. } | LoginError::KeychainSilent => (
                "Unlock it and try again, or keep the login for this session only.",
                None,
            ),
            LoginError::NoHelper => ("Choose another place for the login.", None),
            LoginError::Helper { said, .. } => (
                "It is the program that the docker command keeps logins with. Try docker login in a terminal, or choose \
                 another place.",
                Some(said),
            ),
        };
        Problem {
            hint: Some(hint.to_owned()),
            causes: causes.into_iter().chain(more).collect(),
            ..Problem::plain(Code::Other, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn too_many(login: bool, seconds: i64) -> Problem {
        let now = Timestamp::now();
        Problem::from(RegistryError::TooMany {
            registry: "docker.io".into(),
            login,
            until: now.checked_add(jiff::SignedDuration::from_secs(seconds)).ok(),
            said: "You have reached your pull rate limit.".into(),
        })
    }

    #[test]
    fn somebody_who_asked_too_often_is_told_until_when() {
        let problem = too_many(false, 719);
        assert_eq!(problem.code, Code::RateLimited);
        assert_eq!(
            problem.hint.as_deref(),
            Some("Full again in 12 min. Those who sign in are allowed more.")
        );
        assert!(matches!(problem.action, Some(Action::SignIn { .. })));
        let problem = too_many(true, 18_000);
        assert_eq!(problem.hint.as_deref(), Some("Full again in 5 h."));
        assert_eq!(problem.action, Some(Action::Retry));
    }

    #[test]
    fn a_certificate_is_refused_for_a_reason() {
        let engine = |words: &str| format!("Get \"https://10.0.0.7:5000/v2/\": {words}");
        let trust = Some(Action::TrustRegistry {
            registry: "10.0.0.7:5000".into(),
        });
        for (words, fault, remedy) in [
            (
                engine("x509: certificate signed by unknown authority"),
                Some(CertificateFault::Unknown),
                trust,
            ),
            (
                engine("x509: certificate has expired or is not yet valid: current time 2026-11-22"),
                Some(CertificateFault::Expired),
                None,
            ),
            (
                engine("x509: certificate is valid for 10.0.0.8, not 10.0.0.7"),
                Some(CertificateFault::OtherName),
                None,
            ),
            (
                "invalid peer certificate: UnknownIssuer".to_owned(),
                Some(CertificateFault::Unknown),
                None,
            ),
            (
                "invalid peer certificate: certificate expired: verification time 1795347900 (UNIX), but certificate is not \
                 valid after 1609459200 (UNIX) (185888700 seconds ago)"
                    .to_owned(),
                Some(CertificateFault::Expired),
                None,
            ),
            (
                "invalid peer certificate: certificate not valid for name \"other.test\"; certificate is only valid for \
                 DnsName(\"registry.test\")"
                    .to_owned(),
                Some(CertificateFault::OtherName),
                None,
            ),
            ("connection refused".to_owned(), None, None),
        ] {
            assert_eq!(CertificateFault::in_words(&words), fault, "{words}");
            assert_eq!(remedy_in(&words), remedy, "{words}");
        }
    }

    #[test]
    fn the_engine_s_words_about_a_registry_have_a_code() {
        assert_eq!(code_in("toomanyrequests: You have reached"), Some(Code::RateLimited));
        assert_eq!(
            code_in("received unexpected HTTP status: 503 Service Unavailable"),
            Some(Code::RegistryTrouble)
        );
        assert_eq!(code_in("unexpected EOF"), Some(Code::RegistryTrouble));
        assert_eq!(code_in("exec: \"pythn\": executable file not found"), None);
        let plain = "Get \"https://10.0.0.7:5000/v2/\": http: server gave HTTP response to HTTPS client";
        assert_eq!(plain_http_in(plain).as_deref(), Some("10.0.0.7:5000"));
        assert_eq!(plain_http_in("Get \"https://10.0.0.7:5000/v2/\": no such host"), None);
    }
}
