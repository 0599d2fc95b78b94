//! Registries as the person sees them: whom they know, where that is kept, what the engine was told about them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use wherry_engine::{
    Greeting, Kept, Login, RegistryClient, RegistrySettings, certificate_files, is_on_this_computer, registry_address,
};

use crate::{App, Problem};

/// A registry by its address: `docker.io`, `ghcr.io`, `localhost:5000`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RegistryRef {
    pub registry: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RegistryEntry {
    pub address: String,
    /// The person has added it.
    pub added: bool,
    /// Whom it knows; empty for a token that names nobody.
    pub user: Option<String>,
    pub kept: Option<Kept>,
    /// The engine asks it without TLS, or does not look at its certificate.
    pub insecure: bool,
    /// Files with certificate authorities for it alone.
    pub certificates: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RegistryList {
    pub registries: Vec<RegistryEntry>,
    /// What the engine was told; `None` while it cannot be asked.
    pub engine: Option<RegistrySettings>,
    /// It is the one of Wherry's own machine, which takes certificates over from this computer.
    pub own_engine: bool,
}

/// What a sign-in needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RegistryLook {
    /// As it is kept.
    pub address: String,
    /// Where a login could be kept, the best first.
    pub places: Vec<Kept>,
    /// The docker command's configuration.
    pub config: String,
    pub greeting: Option<Greeting>,
    /// Why it does not answer.
    pub problem: Option<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RegistryLogin {
    pub registry: String,
    pub user: String,
    pub secret: String,
    pub place: Kept,
}

impl App {
    /// Asks this registry as this person, through the proxy that the engine goes through.
    pub(crate) async fn registry(&self, registry: &str, login: Option<Login>) -> Result<RegistryClient, Problem> {
        let settings = self.registry_settings().await.unwrap_or_default();
        self.registry_at(registry, settings.is_insecure(registry), login).await
    }

    pub(crate) async fn registry_at(
        &self,
        registry: &str,
        insecure: bool,
        login: Option<Login>,
    ) -> Result<RegistryClient, Problem> {
        let http = if is_on_this_computer(registry) {
            reqwest::Client::builder().no_proxy()
        } else {
            crate::doctor::client(&self.parts.machine.proxy().await)
        };
        Ok(RegistryClient::new(registry, insecure, login, http)?)
    }

    /// `None` while the engine cannot be asked, which is no reason not to ask a registry.
    pub(crate) async fn registry_settings(&self) -> Option<RegistrySettings> {
        let engine = self.engine().await.ok()?;
        engine.registry_settings().await.ok()
    }
}

pub(crate) fn entry(known: wherry_engine::KnownRegistry, settings: Option<&RegistrySettings>) -> RegistryEntry {
    let (user, kept) = known.login.unzip();
    RegistryEntry {
        insecure: settings.is_some_and(|settings| settings.is_insecure(&known.address)),
        certificates: certificate_files(&known.address)
            .iter()
            .map(|file| file.display().to_string())
            .collect(),
        address: known.address,
        added: known.added,
        user,
        kept,
    }
}

/// As it is kept, or why it is none.
pub(crate) fn address(registry: &RegistryRef) -> Result<String, Problem> {
    Ok(registry_address(&registry.registry)?)
}
