//! Registries that the engine asks without encryption, or without looking at their certificate, because the person has
//! said so.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ts_rs::TS;

/// `HOST`, `HOST:PORT` or a network of such hosts, in lower case. It is never anything else: an engine that is told what
/// it cannot read does not start.
#[derive(Clone, Debug, PartialEq, Eq, TS)]
#[ts(type = "string")]
pub struct InsecureRegistry(String);

/// Why a text is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} is no registry; write one like registry.example.com:5000, or a network like 10.0.0.0/8")]
pub struct NoRegistry {
    text: String,
}

impl FromStr for InsecureRegistry {
    type Err = NoRegistry;

    fn from_str(text: &str) -> Result<Self, NoRegistry> {
        let text = text.trim().to_ascii_lowercase();
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self(network.trunc().to_string()));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text.as_str(), None),
        };
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse() != Ok(0_u16);
        let port_fits = port.is_none_or(|port| is_port(port) && port.parse::<u16>().is_ok());
        if port_fits && is_host(host) {
            Ok(Self(text))
        } else {
            Err(NoRegistry { text })
        }
    }
}

/// A name of labels as DNS has them, which an address of IPv4 is as well, or one of IPv6 in brackets.
fn is_host(host: &str) -> bool {
    if let Some(inside) = host.strip_prefix('[') {
        return inside
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    }
    host.split('.').all(|label| {
        let inside = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    })
}

impl fmt::Display for InsecureRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for InsecureRegistry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InsecureRegistry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_engine_can_read_is_a_registry() {
        for (text, kept) in [
            ("registry.example.com:5000", "registry.example.com:5000"),
            (" Harbor.Example.edu ", "harbor.example.edu"),
            ("10.0.0.7:5000", "10.0.0.7:5000"),
            ("[fd00::7]:5000", "[fd00::7]:5000"),
            ("box", "box"),
            ("10.1.2.3/8", "10.0.0.0/8"),
        ] {
            let registry = text.parse::<InsecureRegistry>().map(|registry| registry.to_string());
            assert_eq!(registry.as_deref(), Ok(kept));
        }
        for text in [
            "",
            "http://box:5000",
            "box:5000/team",
            "box:",
            "box:0",
            "box:70000",
            "box:+5",
            "-box",
            "a..b",
            "b ox",
            "ähre:5000",
            "\"box\"",
            "10.0.0.0/99",
            "[fd00::7",
            "fd00::7",
        ] {
            assert!(text.parse::<InsecureRegistry>().is_err(), "{text}");
        }
    }
}
