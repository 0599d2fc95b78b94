//! Registries as the person sees them: whom they know, where that is kept, what the engine was told about them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use wherry_engine::{
    EngineOrigin, Greeting, HelperError, Kept, Login, Logins, RegistryClient, RegistrySettings, SystemKeychain,
    certificate_files, is_on_this_computer, registry_address,
};
use wherry_machine::{Home, InsecureRegistry, SettingsChange};

use crate::{App, Code, Problem, Topic};

/// How long the engine may take to read its settings anew, and how often it is asked whether it has.
const OBEYED: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

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

/// Whether the engine of Wherry's own machine may ask a registry without encryption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RegistryInsecure {
    pub registry: String,
    pub allowed: bool,
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

    /// Lets the engine of Wherry's own machine ask a registry without encryption, or no longer.
    pub(crate) async fn set_insecure(&self, registry: &str, allowed: bool) -> Result<(), Problem> {
        let unusable = |error: wherry_machine::NoRegistry| Problem::plain(Code::Invalid, error.to_string());
        let named: InsecureRegistry = registry.parse().map_err(unusable)?;
        let mut registries = self.parts.machine.settings().await?.insecure_registries;
        registries.retain(|known| *known != named);
        if allowed {
            registries.push(named);
        }
        self.set_insecure_registries(registries).await
    }

    /// Lets the engine of Wherry's own machine ask these without encryption, and no others. Returns when the engine does so,
    /// where it runs.
    pub async fn set_insecure_registries(&self, registries: Vec<InsecureRegistry>) -> Result<(), Problem> {
        let names = |registries: &[InsecureRegistry]| registries.iter().map(ToString::to_string).collect();
        let before: BTreeSet<String> = names(&self.parts.machine.settings().await?.insecure_registries);
        let wanted: BTreeSet<String> = names(&registries);
        let change = SettingsChange::InsecureRegistries { registries };
        self.parts.machine.change_settings(change).await?;
        let obeyed = async {
            while let Some(settings) = self.registry_settings().await {
                let mut changed = before.symmetric_difference(&wanted);
                if changed.all(|name| settings.insecure.contains(name) == wanted.contains(name)) {
                    return;
                }
                // It reads its settings anew, and nothing tells when it has.
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if self.uses_own_engine().await && tokio::time::timeout(OBEYED, obeyed).await.is_err() {
            tracing::warn!(?wanted, "the engine does not take over its registries");
        }
        self.parts.events.changed(Topic::Registries);
        Ok(())
    }

    pub(crate) async fn uses_own_engine(&self) -> bool {
        let used = self.parts.engines.current().await.used;
        used.is_some_and(|used| used.origin == EngineOrigin::Machine)
    }

    /// `None` while the engine cannot be asked, which is no reason not to ask a registry.
    pub(crate) async fn registry_settings(&self) -> Option<RegistrySettings> {
        let engine = self.engine().await.ok()?;
        engine.registry_settings().await.ok()
    }
}

/// What the person is signed in to, as this home remembers it.
pub(crate) fn logins(home: &Home) -> Logins {
    Logins::new(home.root().join("registries.json"), Arc::new(SystemKeychain))
}

/// Answers the docker command, which asks for a login that is in this computer's keychain.
pub async fn answer_docker(home: &Home, question: &str, input: &str) -> Result<String, HelperError> {
    logins(home).as_helper(question, input).await
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
