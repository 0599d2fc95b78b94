//! A hosts file.

use std::collections::HashMap;
use std::net::IpAddr;

use hickory_proto::rr::Name;

#[derive(Debug, Default)]
pub(super) struct Hosts {
    addresses: HashMap<String, Vec<IpAddr>>,
    /// The first name of each line.
    names: HashMap<IpAddr, String>,
}

impl Hosts {
    /// Lines that say nothing are passed over, as the system does.
    pub(super) fn parse(text: &str) -> Self {
        let mut hosts = Self::default();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else {
                continue;
            };
            for word in words {
                hosts.names.entry(address).or_insert_with(|| word.to_owned());
                hosts.addresses.entry(key(word)).or_default().push(address);
            }
        }
        hosts
    }

    /// Every address of this name, of either kind; None when the name is not in the file.
    pub(super) fn addresses_of(&self, name: &Name) -> Option<Vec<IpAddr>> {
        self.addresses.get(&key(&name.to_ascii())).cloned()
    }

    /// The name that this question for an address (`1.0.0.10.in-addr.arpa`) is about.
    pub(super) fn name_of(&self, name: &Name) -> Option<Name> {
        let network = name.parse_arpa_name().ok()?;
        let address = network.addr();
        if network.prefix_len() != network.max_prefix_len() || address.is_loopback() {
            return None;
        }
        Name::from_utf8(self.names.get(&address)?).ok().map(|mut name| {
            name.set_fqdn(true);
            name
        })
    }
}

fn key(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whether the name means whoever asks (RFC 6761).
pub(super) fn is_localhost(name: &Name) -> bool {
    let name = key(&name.to_ascii());
    name == "localhost" || name.ends_with(".localhost")
}
