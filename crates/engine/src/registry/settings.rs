//! What an engine was told about registries when it was started.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::Subject;
use crate::transport::Call;
use crate::{Engine, Error, wire};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RegistrySettings {
    /// Asked without TLS, or without looking at the certificate. Without those that every engine has: this computer's.
    pub insecure: Vec<String>,
    /// Asked before Docker Hub, as addresses with a scheme.
    pub mirrors: Vec<String>,
}

impl Engine {
    /// Where it keeps everything, on the computer that it runs on.
    pub async fn data_folder(&self) -> Result<String, Error> {
        let call = Call::get("/info", Subject::Engine, "describe itself");
        let info: wire::RegistryInfo = self.client().await?.value(call).await?;
        Ok(info.docker_root_dir)
    }

    pub async fn registry_settings(&self) -> Result<RegistrySettings, Error> {
        let call = Call::get("/info", Subject::Engine, "describe itself");
        let info: wire::RegistryInfo = self.client().await?.value(call).await?;
        Ok(settings(info.registry_config))
    }
}

fn settings(config: wire::RegistryConfig) -> RegistrySettings {
    let single = config.index_configs.into_iter().filter(|(_, index)| !index.secure);
    let networks = config.insecure_networks.into_iter();
    let own = |network: &String| network.starts_with("127.") || network.starts_with("::1");
    let mut insecure: Vec<String> = single.map(|(name, _)| name).collect();
    insecure.extend(networks.filter(|network| !own(network)));
    RegistrySettings {
        insecure,
        mirrors: config.mirrors,
    }
}

impl RegistrySettings {
    pub fn is_insecure(&self, registry: &str) -> bool {
        self.insecure.iter().any(|name| name == registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_engine_has_is_left_out() {
        let info: wire::RegistryInfo = serde_json::from_str(
            r#"{"RegistryConfig":{"InsecureRegistryCIDRs":["127.0.0.0/8","10.0.0.0/8","::1/128"],
            "IndexConfigs":{"docker.io":{"Name":"docker.io","Secure":true},"box:5000":{"Secure":false,"Mirrors":null}},
            "Mirrors":["http://127.0.0.1:5000/"]}}"#,
        )
        .expect("information");
        let settings = settings(info.registry_config);
        assert_eq!(settings.insecure, ["box:5000", "10.0.0.0/8"]);
        assert_eq!(settings.mirrors, ["http://127.0.0.1:5000/"]);
        let podman: wire::RegistryInfo = serde_json::from_str(r#"{"RegistryConfig":null}"#).expect("information");
        assert_eq!(super::settings(podman.registry_config), RegistrySettings::default());
    }
}
