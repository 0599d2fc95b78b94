//! Who the person is to a registry, as `docker login` has stored it: in the docker command's configuration or behind
//! a credential helper. Nothing is kept here, and a helper that fails only means that the pull goes without.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::name::HUB;

/// How Docker Hub is named in the configuration, since its first version.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A helper may have to unlock a key ring, which asks the person.
const HELPER: Duration = Duration::from_secs(30);

/// A helper answers this for an identity token instead of a password.
const TOKEN_USER: &str = "<token>";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DockerConfig {
    auths: HashMap<String, StoredAuth>,
    creds_store: Option<String>,
    cred_helpers: HashMap<String, String>,
    pub(crate) current_context: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StoredAuth {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// The body of the `X-Registry-Auth` header.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Auth {
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    password: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    identitytoken: Option<String>,
    serveraddress: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// `DOCKER_CONFIG`, else `~/.docker`.
pub(crate) fn docker_folder() -> Option<PathBuf> {
    match std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => etcetera::home_dir().ok().map(|home| home.join(".docker")),
    }
}

/// Empty when there is none, or when it cannot be read.
pub(crate) fn docker_config() -> DockerConfig {
    let Some(file) = docker_folder().map(|folder| folder.join("config.json")) else {
        return DockerConfig::default();
    };
    let Ok(text) = fs_err::read(&file) else {
        return DockerConfig::default();
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::warn!(file = %file.display(), %error, "the docker configuration cannot be read");
        DockerConfig::default()
    })
}

/// What to send along with a pull from this registry; `None` for nobody in particular.
pub(crate) async fn header(registry: &str) -> Option<String> {
    let config = docker_config();
    let key = if registry == HUB { HUB_KEY } else { registry };
    let helper = config
        .cred_helpers
        .get(key)
        .or_else(|| config.cred_helpers.get(registry))
        .or(config.creds_store.as_ref());
    let auth = match helper {
        Some(helper) => match tokio::time::timeout(HELPER, ask(helper, key)).await {
            Ok(Ok(auth)) => auth,
            Ok(Err(error)) => {
                tracing::warn!(helper, %error, "the credential helper did not answer");
                None
            }
            Err(_) => {
                tracing::warn!(helper, "the credential helper did not answer in time");
                None
            }
        },
        None => None,
    };
    let auth = auth.or_else(|| stored(&config, registry, key))?;
    let json = serde_json::to_vec(&auth).ok()?;
    Some(URL_SAFE.encode(json))
}

fn stored(config: &DockerConfig, registry: &str, key: &str) -> Option<Auth> {
    // Older versions wrote addresses with a scheme.
    let found = [
        key.to_owned(),
        registry.to_owned(),
        format!("https://{registry}"),
        format!("https://{registry}/v1/"),
    ]
    .iter()
    .find_map(|key| config.auths.get(key).cloned())?;
    let mut auth = Auth {
        identitytoken: found.identitytoken.filter(|token| !token.is_empty()),
        ..Auth::default()
    };
    if let Some(plain) = found.auth.and_then(|auth| STANDARD.decode(auth.trim()).ok()) {
        let plain = String::from_utf8(plain).ok()?;
        let (user, password) = plain.split_once(':')?;
        user.clone_into(&mut auth.username);
        password.trim_end_matches('\0').clone_into(&mut auth.password);
    }
    if auth == Auth::default() {
        // With a helper the entry is there and empty.
        return None;
    }
    key.clone_into(&mut auth.serveraddress);
    Some(auth)
}

/// The protocol of `github.com/docker/docker-credential-helpers`: the address on standard input, JSON back.
async fn ask(helper: &str, key: &str) -> std::io::Result<Option<Auth>> {
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(key.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        // "credentials not found in native keychain": the person is not logged in there.
        return Ok(None);
    }
    let answer: HelperAnswer = serde_json::from_slice(&output.stdout)?;
    let mut auth = Auth {
        serveraddress: key.to_owned(),
        ..Auth::default()
    };
    if answer.username == TOKEN_USER {
        auth.identitytoken = Some(answer.secret);
    } else {
        auth.username = answer.username;
        auth.password = answer.secret;
    }
    Ok(Some(auth))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(config: &str, registry: &str) -> Option<Auth> {
        let config: DockerConfig = serde_json::from_str(config).expect("a configuration");
        let key = if registry == HUB { HUB_KEY } else { registry };
        stored(&config, registry, key)
    }

    #[test]
    fn a_stored_login_is_found_under_every_name_it_may_have() {
        let login = STANDARD.encode("ada:s:cret");
        for (key, registry) in [
            (HUB_KEY, HUB),
            ("localhost:5000", "localhost:5000"),
            ("https://ghcr.io", "ghcr.io"),
        ] {
            let config = format!(r#"{{"auths":{{"{key}":{{"auth":"{login}"}}}}}}"#);
            let auth = find(&config, registry).expect(registry);
            assert_eq!(
                (auth.username.as_str(), auth.password.as_str()),
                ("ada", "s:cret"),
                "{registry}"
            );
        }
        assert_eq!(
            find(r#"{"auths":{"ghcr.io":{}}}"#, "ghcr.io"),
            None,
            "the helper has it"
        );
        assert_eq!(
            find(r#"{"auths":{"ghcr.io":{"auth":"%"}}}"#, "ghcr.io"),
            None,
            "not base64"
        );
        assert_eq!(find("{}", HUB), None);
    }
}
