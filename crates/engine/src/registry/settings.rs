//! What an engine was told about registries when it was started.

use std::net::IpAddr;

use ipnet::IpNet;
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
        let address = address_of(registry);
        self.insecure.iter().any(|known| {
            let network = known.parse::<IpNet>().ok();
            known == registry
                || network
                    .zip(address)
                    .is_some_and(|(network, address)| network.contains(&address))
        })
    }
}

/// Of a registry that is called by its address and not by a name.
fn address_of(registry: &str) -> Option<IpAddr> {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => registry,
    };
    host.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_stands_for_the_registries_in_it() {
        let settings = RegistrySettings {
            insecure: vec!["10.0.0.0/8".into(), "box:5000".into(), "fd00::/8".into()],
            mirrors: Vec::new(),
        };
        for insecure in ["10.1.2.3:5000", "10.1.2.3", "box:5000", "[fd00::7]:5000"] {
            assert!(settings.is_insecure(insecure), "{insecure}");
        }
        for other in ["11.1.2.3:5000", "box", "box:5001", "ghcr.io"] {
            assert!(!settings.is_insecure(other), "{other}");
        }
    }

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
