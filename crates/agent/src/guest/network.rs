//! The machine's own network: which addresses it has, the card, the loopback device, name servers.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Serialize;

use super::{
    mount::RUN,
    netlink::{self, ACKNOWLEDGE, CREATE, EXCLUSIVE, Message, REQUEST},
};

/// What the host says about the network, on the kernel's command line: a network of at least 256 addresses, and
/// where networks for containers are taken from (`BASE/PREFIX-SIZE,…`).
const NETWORK: &str = "wherry.network=";
const POOLS: &str = "wherry.pools=";
/// The longest packet that the host can send.
const MTU: &str = "wherry.mtu=";

/// Where the kernel says the card's index, and is told its longest packet.
const CARDS_INDEX: &str = "/sys/class/net/eth0/ifindex";
const CARDS_MTU: &str = "/sys/class/net/eth0/mtu";

const USUAL_MTU: u16 = 1500;

/// The loopback device has this index in every network namespace.
pub(super) const LOOPBACK: u32 = 1;

/// The device that has the agent's own addresses, and where the kernel says its index.
const DEVICE: &str = "wherry";
const DEVICES_INDEX: &str = "/sys/class/net/wherry/ifindex";

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("The kernel's command line names no network: {command_line}")]
    NoNetwork { command_line: String },
    #[error("Could not bring up the loopback device")]
    Loopback {
        #[source]
        source: io::Error,
    },
    #[error("Could not bring up the network card")]
    Card {
        #[source]
        source: io::Error,
    },
    #[error("Could not make a device for addresses of its own")]
    Device {
        #[source]
        source: io::Error,
    },
    #[error("Could not set the longest packet to {mtu} bytes")]
    Mtu {
        mtu: u16,
        #[source]
        source: io::Error,
    },
    #[error("Could not take the address {address}")]
    Address {
        address: Ipv4Addr,
        #[source]
        source: io::Error,
    },
    #[error("Could not close the way to {address}")]
    Prohibit {
        address: Ipv4Addr,
        #[source]
        source: io::Error,
    },
    #[error("Could not write the name servers")]
    NameServers {
        #[source]
        source: io::Error,
    },
}

/// Who is who in the machine's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    /// Where the card leads to, and the name server there: QEMU's user network. What listens on the host's loopback
    /// is reachable at both.
    gateways: [Ipv4Addr; 2],
    /// The card's own, which that network always gives; asking for it would take a second.
    card: Ipv4Net,
    /// Where the agent answers DNS.
    pub(super) name_server: Ipv4Addr,
    /// What stands for the host's loopback.
    pub(super) host: Ipv4Addr,
}

impl Addresses {
    fn of(network: Ipv4Net) -> Self {
        let at = |offset: u32| Ipv4Addr::from_bits(network.network().to_bits() + offset);
        Self {
            gateways: [at(2), at(3)],
            card: Ipv4Net::new_assert(at(15), network.prefix_len()),
            name_server: at(53),
            host: at(254),
        }
    }
}

/// As the host has said it to the kernel.
pub(super) fn addresses() -> Result<Addresses, Error> {
    let command_line = fs_err::read_to_string("/proc/cmdline").unwrap_or_default();
    match network(&command_line) {
        Some(network) => Ok(Addresses::of(network)),
        None => Err(Error::NoNetwork { command_line }),
    }
}

/// Where the engine takes a network for containers from, and how large each is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Pool {
    base: IpNet,
    size: u8,
}

/// As the host has said it to the kernel, and one for IPv6, which clashes with nobody's (RFC 4193).
pub(super) fn pools() -> Vec<Pool> {
    let command_line = fs_err::read_to_string("/proc/cmdline").unwrap_or_default();
    let mut pools = listed(&command_line);
    // Without any of the others the engine's own are better than IPv6 alone.
    if !pools.is_empty() {
        let base = Ipv6Net::new_assert(Ipv6Addr::new(0xfd57, 0x6865, 0x7272, 0x7900, 0, 0, 0, 0), 56);
        pools.push(Pool {
            base: base.into(),
            size: 64,
        });
    }
    pools
}

/// What the host has said, when it is less than what every network has by default.
pub(super) fn short_mtu() -> Option<u16> {
    let command_line = fs_err::read_to_string("/proc/cmdline").unwrap_or_default();
    let mtu: u16 = word(&command_line, MTU)?.parse().ok()?;
    (mtu < USUAL_MTU).then_some(mtu)
}

fn word<'a>(command_line: &'a str, name: &str) -> Option<&'a str> {
    command_line
        .split_ascii_whitespace()
        .find_map(|word| word.strip_prefix(name))
}

fn listed(command_line: &str) -> Vec<Pool> {
    let list = word(command_line, POOLS);
    let pool = |text: &str| {
        let (base, size) = text.rsplit_once('-')?;
        Some(Pool {
            base: base.parse().ok()?,
            size: size.parse().ok()?,
        })
    };
    list.unwrap_or_default().split(',').filter_map(pool).collect()
}

/// Brings the network up as far as it needs nobody's help.
pub(super) fn up(addresses: Addresses) -> Result<(), Error> {
    loopback().map_err(|source| Error::Loopback { source })?;
    card(addresses).map_err(|source| Error::Card { source })?;
    if let Some(mtu) = short_mtu() {
        fs_err::write(CARDS_MTU, mtu.to_string()).map_err(|source| Error::Mtu { mtu, source })?;
    }
    // Wherever a packet comes from, a container's network, a build, the machine itself: they are the machine's own. Not
    // on the loopback device, where a swarm would have to choose among them and the card's.
    let device = device().map_err(|source| Error::Device { source })?;
    for address in [addresses.name_server, addresses.host] {
        own(address.into(), device).map_err(|source| Error::Address { address, source })?;
    }
    // It stays the way out to everybody else, as which it was looked at when the card was brought up.
    for address in addresses.gateways {
        prohibit(address).map_err(|source| Error::Prohibit { address, source })?;
    }
    let resolver = format!("nameserver {}\n", addresses.name_server);
    fs_err::write(format!("{RUN}/resolv.conf"), resolver).map_err(|source| Error::NameServers { source })
}

fn network(command_line: &str) -> Option<Ipv4Net> {
    let network: Ipv4Net = word(command_line, NETWORK)?.parse().ok()?;
    (network.prefix_len() <= 24).then_some(network)
}

fn loopback() -> io::Result<()> {
    netlink::ask(netlink::route()?, &link_up(LOOPBACK, REQUEST | ACKNOWLEDGE))
}

/// Its address, and the way out.
fn card(addresses: Addresses) -> io::Result<()> {
    let index = index(CARDS_INDEX)?;
    netlink::ask(netlink::route()?, &link_up(index, REQUEST | ACKNOWLEDGE))?;
    own(addresses.card, index)?;
    way_out(addresses.gateways[0], index)
}

fn index(file: &str) -> io::Result<u32> {
    fs_err::read_to_string(file)?.trim().parse().map_err(io::Error::other)
}

/// Makes one that leads nowhere, and returns its index.
fn device() -> io::Result<u32> {
    const IFLA_IFNAME: u16 = 3;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_KIND: u16 = 1;
    // An attribute within one: its length, its type, its value.
    let kind = [&9_u16.to_ne_bytes()[..], &IFLA_INFO_KIND.to_ne_bytes(), b"dummy"].concat();
    let message = link_up(0, REQUEST | ACKNOWLEDGE | CREATE | EXCLUSIVE)
        .attribute(IFLA_IFNAME, DEVICE.as_bytes())
        .attribute(IFLA_LINKINFO, &kind);
    netlink::ask(netlink::route()?, &message)?;
    index(DEVICES_INDEX)
}

/// `RTM_NEWLINK` with `IFF_UP`.
fn link_up(index: u32, flags: u16) -> Message {
    const RTM_NEWLINK: u16 = 16;
    const UP: u32 = 1;
    // ifinfomsg: family, padding, type; index; flags; which flags change.
    let words = [0, index, UP, UP];
    let fixed: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    Message::new(RTM_NEWLINK, flags, &fixed)
}

/// `RTM_NEWADDR`: one address of our own, in its network.
fn own(address: Ipv4Net, device: u32) -> io::Result<()> {
    const RTM_NEWADDR: u16 = 20;
    const INET: u8 = 2;
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    // ifaddrmsg: family, length of the prefix, flags, scope (0 is the whole world); index.
    let mut fixed = vec![INET, address.prefix_len(), 0, 0];
    fixed.extend_from_slice(&device.to_ne_bytes());
    let flags = REQUEST | ACKNOWLEDGE | CREATE | EXCLUSIVE;
    let message = Message::new(RTM_NEWADDR, flags, &fixed)
        .attribute(IFA_LOCAL, &address.addr().octets())
        .attribute(IFA_ADDRESS, &address.addr().octets());
    netlink::ask(netlink::route()?, &message)
}

/// To everybody, by the card.
fn way_out(gateway: Ipv4Addr, card: u32) -> io::Result<()> {
    const UNICAST: u8 = 1;
    const RTA_OIF: u16 = 4;
    const RTA_GATEWAY: u16 = 5;
    let message = route(0, UNICAST)
        .attribute(RTA_GATEWAY, &gateway.octets())
        .attribute(RTA_OIF, &card.to_ne_bytes());
    netlink::ask(netlink::route()?, &message)
}

/// Of the type that refuses at once.
fn prohibit(address: Ipv4Addr) -> io::Result<()> {
    const PROHIBIT: u8 = 8;
    const RTA_DST: u16 = 1;
    let message = route(32, PROHIBIT).attribute(RTA_DST, &address.octets());
    netlink::ask(netlink::route()?, &message)
}

/// `RTM_NEWROUTE`
fn route(prefix: u8, kind: u8) -> Message {
    const RTM_NEWROUTE: u16 = 24;
    const INET: u8 = 2;
    const MAIN_TABLE: u8 = 254;
    const BOOT: u8 = 3;
    // rtmsg: family, lengths of the prefixes of destination and source, tos, table, protocol, scope, type; flags.
    let fixed = [INET, prefix, 0, 0, MAIN_TABLE, BOOT, 0, kind, 0, 0, 0, 0];
    Message::new(RTM_NEWROUTE, REQUEST | ACKNOWLEDGE | CREATE | EXCLUSIVE, &fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_containers_come_from_there_too() {
        let pools = listed("quiet wherry.pools=172.17.0.0/16-16,192.168.0.0/16-20 panic=-1\n");
        assert_eq!(
            serde_json::to_string(&pools).expect("JSON"),
            r#"[{"base":"172.17.0.0/16","size":16},{"base":"192.168.0.0/16","size":20}]"#
        );
        assert_eq!(listed("quiet"), []);
        assert_eq!(listed("wherry.pools="), []);
    }

    #[test]
    fn the_network_comes_from_the_kernels_command_line() {
        let line = "console=ttyS0 wherry.network=192.168.65.0/24 panic=-1\n";
        let network = network(line).expect("a network");
        let addresses = Addresses::of(network);
        assert_eq!(addresses.host, Ipv4Addr::new(192, 168, 65, 254));
        assert_eq!(addresses.name_server, Ipv4Addr::new(192, 168, 65, 53));
        assert_eq!(addresses.gateways[0], Ipv4Addr::new(192, 168, 65, 2));
        assert_eq!(addresses.card.to_string(), "192.168.65.15/24");
        for line in [
            "",
            "wherry.network=",
            "wherry.network=10.0.0.0/25",
            "wherry.network=fd00::/8",
        ] {
            assert_eq!(super::network(line), None, "{line}");
        }
    }
}
