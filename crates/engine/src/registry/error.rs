//! What can go wrong between us and a registry.

use std::path::PathBuf;

use jiff::Timestamp;
use rustls::pki_types::pem;

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("{address:?} is not the address of a registry")]
    BadAddress { address: String },
    #[error("{registry} could not be found")]
    NoSuchHost { registry: String, source: reqwest::Error },
    #[error("{registry} cannot be reached")]
    Unreachable { registry: String, source: reqwest::Error },
    #[error("{registry} does not answer")]
    Silent { registry: String, source: reqwest::Error },
    #[error("The certificate of {registry} is not trusted")]
    NotTrusted { registry: String, source: reqwest::Error },
    #[error("{registry} speaks plain HTTP")]
    PlainHttp { registry: String, source: reqwest::Error },
    #[error("The answer of {registry} broke off")]
    BrokenOff { registry: String, source: reqwest::Error },
    #[error("{registry} sends every question on to somewhere else")]
    Redirects { registry: String, source: reqwest::Error },
    /// A certificate that the person keeps for this registry cannot be used.
    #[error("{file} is not a certificate")]
    BadCertificate { file: PathBuf, source: pem::Error },
    /// The certificates that the person keeps for this registry cannot be used, whichever it is.
    #[error("The certificates kept for {registry} cannot be used")]
    BadTrust { registry: String, source: rustls::Error },
    #[error("{registry} cannot be asked")]
    Client { registry: String, source: reqwest::Error },
    /// 401. With a login it refuses that one.
    #[error("{}", if *.login { format!("{registry} does not accept this login") } else { format!("{registry} asks who you are") })]
    Unauthorized {
        registry: String,
        login: bool,
        said: String,
    },
    /// 403
    #[error("{registry} does not allow it")]
    Forbidden {
        registry: String,
        login: bool,
        said: String,
    },
    /// 404
    #[error("{registry} has no {what}")]
    Missing {
        registry: String,
        what: String,
        said: String,
    },
    /// 429
    #[error("{registry} allows no more requests for now")]
    TooMany {
        registry: String,
        login: bool,
        /// When it may be asked again, where it says so.
        until: Option<Timestamp>,
        said: String,
    },
    /// 5xx
    #[error("{registry} is in trouble itself")]
    Failing {
        registry: String,
        status: u16,
        said: String,
    },
    /// Any other answer that is none.
    #[error("{registry} answers as no registry does")]
    Odd {
        registry: String,
        status: u16,
        said: String,
    },
    #[error("{registry} answers what cannot be understood")]
    Garbled {
        registry: String,
        source: serde_json::Error,
    },
    #[error("The answer of {registry} has no end")]
    Endless { registry: String },
    /// It wants the password sent to somewhere that anybody on the way could read.
    #[error("{registry} wants your password sent to {realm}, which anybody on the way can read")]
    UnsafeRealm { registry: String, realm: String },
}
