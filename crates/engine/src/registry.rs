//! Registries, asked directly: who the person is there, and what they have. What is pulled and pushed goes through
//! the engine; this looks beforehand, and gives better reasons.

mod challenge;
mod client;
mod error;
mod helper;
mod holdings;
mod hub;
mod keychain;
mod logins;
mod remembered;
mod settings;
mod trust;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde::{Deserialize, Serialize};

pub use crate::name::HUB;
pub use client::{Greeting, RegistryClient, Wants};
pub use error::RegistryError;
pub use helper::HelperError;
pub use holdings::{Limit, RemoteImage, RemoteLayer};
pub use hub::{FoundImage, HUB_SITE, Hub, RemoteTag};
pub use keychain::{Keychain, SystemKeychain};
pub use logins::{Kept, KnownRegistry, LoginError, Logins};
pub use settings::RegistrySettings;
pub use trust::certificate_files;

/// Who the person is to a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    pub user: String,
    pub secret: Secret,
    /// The secret is an identity token that the registry has given, and no password.
    #[serde(default)]
    pub is_token: bool,
}

/// Shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl Login {
    /// The value of the `X-Registry-Auth` header, with which the engine pulls and pushes as this person.
    pub(crate) fn header(&self, registry: &str) -> String {
        #[derive(Serialize)]
        struct Auth<'a> {
            #[serde(skip_serializing_if = "str::is_empty")]
            username: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            password: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            identitytoken: &'a str,
            serveraddress: &'a str,
        }
        let secret = self.secret.0.as_str();
        let (password, identitytoken) = if self.is_token { ("", secret) } else { (secret, "") };
        let auth = Auth {
            username: &self.user,
            password,
            identitytoken,
            serveraddress: crate::docker_command::docker_key(registry),
        };
        // Text in a struct cannot fail to be JSON.
        URL_SAFE.encode(serde_json::to_vec(&auth).unwrap_or_default())
    }
}

/// The registry that a person means: a name of Docker Hub's, an address with a scheme, `localhost:5000`.
pub fn registry_address(text: &str) -> Result<String, RegistryError> {
    let bare = text.trim().trim_start_matches("https://").trim_start_matches("http://");
    let host = bare.split('/').next().unwrap_or_default().to_ascii_lowercase();
    if matches!(
        host.as_str(),
        "docker.io" | "index.docker.io" | "registry-1.docker.io" | "hub.docker.com" | "registry.hub.docker.com"
    ) {
        return Ok(HUB.to_owned());
    }
    let fits = host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
        && host
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || ".-:[]_".contains(character))
        && reqwest::Url::parse(&format!("https://{host}/")).is_ok_and(|url| url.host_str().is_some());
    if fits {
        Ok(host)
    } else {
        Err(RegistryError::BadAddress {
            address: text.trim().to_owned(),
        })
    }
}

/// The registry of an image's name.
pub fn registry_of(reference: &str) -> Option<String> {
    let reference = crate::name::Reference::parse(reference).ok()?;
    registry_address(reference.registry).ok()
}

/// An image's name in its parts, as a registry wants them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    pub registry: String,
    /// Below the registry; what Docker Hub makes itself is below `library`.
    pub path: String,
    /// The tag, or the digest with its algorithm.
    pub version: String,
    familiar: String,
}

impl ImageName {
    pub fn parse(reference: &str) -> Result<ImageName, crate::Error> {
        let parsed = crate::name::Reference::parse(reference)?;
        let registry = registry_address(parsed.registry).unwrap_or_else(|_| parsed.registry.to_owned());
        let bare = parsed
            .repository
            .strip_prefix(parsed.registry)
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or(parsed.repository);
        let path = if registry == HUB && !bare.contains('/') {
            format!("library/{bare}")
        } else {
            bare.to_owned()
        };
        Ok(ImageName {
            familiar: crate::name::familiar(&format!("{registry}/{path}:{}", parsed.version)),
            registry,
            path,
            version: parsed.version.to_owned(),
        })
    }

    pub fn is_on_hub(&self) -> bool {
        self.registry == HUB
    }

    pub fn is_digest(&self) -> bool {
        self.version.contains(':')
    }

    /// Whether an engine means this image by one of its names.
    pub fn is(&self, reference: &str) -> bool {
        self.familiar == crate::name::familiar(reference)
    }
}

/// Nothing leaves this computer on the way there, so docker's engine takes such a registry without TLS.
pub fn is_on_this_computer(registry: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(&format!("https://{registry}/")) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_understood_as_people_write_it() {
        for (text, registry) in [
            ("docker.io", "docker.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("hub.docker.com", "docker.io"),
            (" GHCR.io ", "ghcr.io"),
            ("https://harbor.example.edu/", "harbor.example.edu"),
            ("localhost:5000", "localhost:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("ghcr.io/ada/app", "ghcr.io"),
        ] {
            assert_eq!(registry_address(text).expect(text), registry, "{text}");
        }
        for text in [
            "",
            "https://",
            "a b",
            "host:port",
            "<script>",
            "host:99999",
            "../x",
            "ünï.example",
        ] {
            assert!(registry_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_what_its_registry_calls_it() {
        for (reference, registry, path, version) in [
            ("python:3.13", "docker.io", "library/python", "3.13"),
            ("docker.io/library/python", "docker.io", "library/python", "latest"),
            ("bitnami/redis", "docker.io", "bitnami/redis", "latest"),
            ("localhost:5000/a/b:1", "localhost:5000", "a/b", "1"),
        ] {
            let name = ImageName::parse(reference).expect(reference);
            assert_eq!(
                (name.registry.as_str(), name.path.as_str(), name.version.as_str()),
                (registry, path, version)
            );
        }
        let name = ImageName::parse("docker.io/library/python:3.13").expect("a name");
        assert!(name.is("python:3.13") && !name.is("python:3.12"));
    }

    #[test]
    fn a_secret_is_in_no_log() {
        let login = Login {
            user: "ada".into(),
            secret: Secret("s:cret".into()),
            is_token: false,
        };
        assert!(!format!("{login:?}").contains("s:cret"));
    }

    #[test]
    fn only_loopback_is_on_this_computer() {
        for (registry, is) in [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.8.0.1", true),
            ("[::1]:5000", true),
            ("10.0.0.1:5000", false),
            ("localhost.example.com", false),
        ] {
            assert_eq!(is_on_this_computer(registry), is, "{registry}");
        }
    }
}
