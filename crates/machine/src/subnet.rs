//! Which networks the machine and its containers have: none that this computer has a route to, or what is there could
//! not be reached from a container, nor a container from here.
//!
//! What was chosen once stays chosen for as long as nothing clashes with it: networks of containers are made from it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ts_rs::TS;

use crate::{Home, file};

/// Routes that are wider than this are ways to everywhere: a VPN that takes all traffic has two halves of the world.
const WIDEST: u8 = 8;

/// Networks for the machine, the best first. The first is Docker Desktop's, so that what people have noted somewhere
/// goes on working; the last is for measurements (RFC 2544) and routed nowhere.
const MACHINE: [Ipv4Net; 6] = [
    net([192, 168, 65, 0], 24),
    net([192, 168, 127, 0], 24),
    net([10, 211, 65, 0], 24),
    net([172, 31, 65, 0], 24),
    net([100, 127, 65, 0], 24),
    net([198, 18, 65, 0], 24),
];

/// Networks for containers, as the engine has them by default, each with the size of one network.
const CONTAINERS: [(Ipv4Net, u8); 4] = [
    (net([172, 17, 0, 0], 16), 16),
    (net([172, 18, 0, 0], 15), 16),
    (net([172, 20, 0, 0], 14), 16),
    (net([172, 24, 0, 0], 13), 16),
];
const MORE: (Ipv4Net, u8) = (net([192, 168, 0, 0], 16), 20);
/// When this computer has routes to most of them: the first that is free.
const INSTEAD: [(Ipv4Net, u8); 4] = [
    (net([10, 201, 0, 0], 16), 24),
    (net([10, 147, 0, 0], 16), 24),
    (net([100, 96, 0, 0], 16), 24),
    (net([198, 18, 128, 0], 17), 24),
];
/// Fewer networks than this for containers are too few: each project of compose takes one or more.
const ENOUGH: usize = 16;

/// What the machine has where nothing asks for less.
const USUAL_MTU: u16 = 1500;
/// The least that IPv6 works with.
const LEAST_MTU: u16 = 1280;

const fn net(address: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = address;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// An address of the wide world.
const SOMEWHERE: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(1, 1, 1, 1), 53));

/// A network that the person wants the machine and its containers to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TS)]
#[ts(type = "string")]
pub struct Subnet(Ipv4Net);

impl Subnet {
    /// The machine has the first 256 addresses, containers have the second half.
    fn plan(self) -> Plan {
        let Self(network) = self;
        let half = Ipv4Addr::from_bits(network.network().to_bits() + (1 << (31 - network.prefix_len())));
        let machine = Ipv4Net::new(network.network(), 24).unwrap_or(MACHINE[0]);
        let pools = Ipv4Net::new(half, network.prefix_len() + 1)
            .map(|base| Pool { base, size: 24 })
            .into_iter()
            .collect();
        Plan {
            machine,
            pools,
            mtu: USUAL_MTU,
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Why a text is no subnet for the machine.
#[derive(Debug, thiserror::Error)]
pub enum NoSubnet {
    #[error("{text} is no network; write one like 10.99.0.0/16")]
    Unreadable { text: String },
    #[error("{network} has to have between 8 and 22 in the place of {}: the machine takes 256 addresses of it, and \
             each network of containers as many", network.prefix_len())]
    Size { network: Ipv4Net },
    #[error("{network} is not for private use; 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 are")]
    Public { network: Ipv4Net },
}

impl FromStr for Subnet {
    type Err = NoSubnet;

    fn from_str(text: &str) -> Result<Self, NoSubnet> {
        let network: Ipv4Net = text
            .parse()
            .map_err(|_| NoSubnet::Unreadable { text: text.to_owned() })?;
        let network = network.trunc();
        if !(8..=22).contains(&network.prefix_len()) {
            return Err(NoSubnet::Size { network });
        }
        let private = network.network().is_private() && network.broadcast().is_private();
        let shared = net([100, 64, 0, 0], 10).contains(&network) || net([198, 18, 0, 0], 15).contains(&network);
        if private || shared {
            Ok(Self(network))
        } else {
            Err(NoSubnet::Public { network })
        }
    }
}

impl Serialize for Subnet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subnet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Where the engine takes a network for containers from, and how large each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pool {
    base: Ipv4Net,
    size: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) machine: Ipv4Net,
    pub(crate) pools: Vec<Pool>,
    /// The longest packet: what this computer itself can send, which in a VPN is less than usual.
    #[serde(default = "usual_mtu")]
    pub(crate) mtu: u16,
}

fn usual_mtu() -> u16 {
    USUAL_MTU
}

impl Plan {
    /// The plan for a machine that starts: the one before, or another one when that cannot be, with a note that says
    /// why.
    pub(crate) fn make(home: &Home, wanted: Option<Subnet>) -> io::Result<(Self, Option<String>)> {
        let taken = match routes() {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(%error, "this computer's routes could not be read");
                Vec::new()
            }
        };
        let before = fs_err::read(home.network())
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        let (mut plan, note) = decide(wanted, before.as_ref(), &taken);
        plan.mtu = mtu();
        if before.as_ref() != Some(&plan) {
            file::write_whole(&home.network(), &serde_json::to_vec_pretty(&plan)?)?;
        }
        Ok((plan, note))
    }

    #[cfg(test)]
    pub(crate) fn imagined() -> Self {
        Self {
            machine: MACHINE[0],
            pools: Vec::new(),
            mtu: USUAL_MTU,
        }
    }

    /// As words for the kernel's command line, where the agent reads them.
    pub(crate) fn words(&self) -> String {
        let pools: Vec<String> = self
            .pools
            .iter()
            .map(|Pool { base, size }| format!("{base}-{size}"))
            .collect();
        format!(
            "wherry.network={} wherry.pools={} wherry.mtu={}",
            self.machine,
            pools.join(","),
            self.mtu
        )
    }

    /// What the person should know of a machine that goes on with it.
    pub(crate) fn warning(&self) -> Option<String> {
        let route = self.clash(&routes().unwrap_or_default())?;
        Some(format!(
            "The machine or its containers have addresses in {route}, to which this computer has a route now. Start \
             the machine anew to move it: wherry restart"
        ))
    }

    /// What of this computer's is in the way, if anything is.
    fn clash(&self, taken: &[Ipv4Net]) -> Option<Ipv4Net> {
        let ours = self.pools.iter().map(|pool| pool.base).chain([self.machine]);
        let ours: Vec<Ipv4Net> = ours.collect();
        let clashes = |route: &&Ipv4Net| ours.iter().any(|ours| overlap(*ours, **route));
        taken.iter().find(clashes).copied()
    }
}

fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// What the way to the rest of the world can carry.
fn mtu() -> u16 {
    // Nothing is sent: connecting a datagram socket chooses the way alone.
    let local = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect(SOMEWHERE)?;
        socket.local_addr()
    });
    let Ok(local) = local else {
        return USUAL_MTU;
    };
    let interfaces = netdev::get_interfaces();
    let way = interfaces.iter().find(|interface| {
        let addresses = interface.ipv4.iter().map(|network| IpAddr::V4(network.addr()));
        addresses.into_iter().any(|address| address == local.ip())
    });
    within_limits(way.and_then(|interface| interface.mtu))
}

fn within_limits(mtu: Option<u32>) -> u16 {
    mtu.and_then(|mtu| u16::try_from(mtu).ok())
        .map_or(USUAL_MTU, |mtu| mtu.clamp(LEAST_MTU, USUAL_MTU))
}

/// This computer's routes to somewhere.
fn routes() -> io::Result<Vec<Ipv4Net>> {
    let routes = route_manager::RouteManager::new()?.list()?;
    Ok(routes
        .iter()
        .filter_map(|route| match route.destination() {
            IpAddr::V4(address) => Ipv4Net::new(address, route.prefix()).ok(),
            IpAddr::V6(_) => None,
        })
        .filter(|network| network.prefix_len() >= WIDEST)
        .collect())
}

fn decide(wanted: Option<Subnet>, before: Option<&Plan>, taken: &[Ipv4Net]) -> (Plan, Option<String>) {
    if let Some(subnet) = wanted {
        let plan = subnet.plan();
        let note = plan.clash(taken).map(|route| {
            format!(
                "The machine's subnet {subnet} clashes with {route}, to which this computer has a route. Choose \
                 another one with: wherry set subnet auto"
            )
        });
        return (plan, note);
    }
    let Some(before) = before else {
        return (choose(taken, None), None);
    };
    let Some(route) = before.clash(taken) else {
        return (before.clone(), None);
    };
    let plan = choose(taken, Some(before.machine));
    if plan.machine == before.machine {
        // A computer that is carried around meets others' networks all the time, and nothing has to be done.
        tracing::info!(%route, pools = ?plan.pools, "new networks of containers keep away from another route");
        return (plan, None);
    }
    let note = format!(
        "This computer has a route to {route} now, so the machine moved: its network is {}. Networks of containers \
         that were made before stay where they are until they are made anew.",
        plan.machine
    );
    (plan, Some(note))
}

/// `before` is where the machine was, and stays if it can.
fn choose(taken: &[Ipv4Net], before: Option<Ipv4Net>) -> Plan {
    let free = |network: &Ipv4Net| !taken.iter().any(|taken| overlap(*taken, *network));
    let machine = before
        .into_iter()
        .chain(MACHINE)
        .find(free)
        .unwrap_or(MACHINE[MACHINE.len() - 1]);
    // The machine's own network may be in the last one: the engine passes over what it sees a route to.
    let mut pools: Vec<Pool> = CONTAINERS
        .into_iter()
        .chain([MORE])
        .flat_map(|(base, size)| {
            if free(&base) {
                vec![Pool { base, size }]
            } else {
                let parts = base.subnets(size).into_iter().flatten().filter(free);
                parts.map(|base| Pool { base, size }).collect()
            }
        })
        .collect();
    let networks = |pool: &Pool| 1_usize << (pool.size - pool.base.prefix_len());
    if pools.iter().map(networks).sum::<usize>() < ENOUGH {
        let instead = INSTEAD.into_iter().find(|(base, _)| free(base));
        let (base, size) = instead.unwrap_or(INSTEAD[INSTEAD.len() - 1]);
        pools.push(Pool { base, size });
    }
    Plan {
        machine,
        pools,
        mtu: USUAL_MTU,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(list: &[&str]) -> Vec<Ipv4Net> {
        list.iter().map(|text| text.parse().expect("a network")).collect()
    }

    #[test]
    fn what_the_engine_has_by_default_is_taken_where_nothing_clashes() {
        let plan = choose(&nets(&["127.0.0.0/8", "10.0.0.0/24", "192.0.2.7/32"]), None);
        assert_eq!(
            plan.words(),
            "wherry.network=192.168.65.0/24 wherry.pools=172.17.0.0/16-16,172.18.0.0/15-16,172.20.0.0/14-16,\
             172.24.0.0/13-16,192.168.0.0/16-20 wherry.mtu=1500"
        );
    }

    #[test]
    fn networks_keep_away_from_routes() {
        let taken = nets(&["192.168.0.0/16", "172.17.0.0/16", "172.18.5.0/24"]);
        let plan = choose(&taken, None);
        assert_eq!(plan.clash(&taken), None);
        assert_eq!(plan.machine, net([10, 211, 65, 0], 24));
        assert_eq!(plan.pools[0].base, net([172, 19, 0, 0], 16));

        let home_router = nets(&["192.168.64.0/22"]);
        let plan = choose(&home_router, None);
        assert_eq!(plan.clash(&home_router), None);
        assert_eq!(plan.machine, net([192, 168, 127, 0], 24));
        assert_eq!(plan.pools.iter().filter(|pool| pool.size == 20).count(), 15);

        let everything = nets(&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]);
        let plan = choose(&everything, None);
        assert_eq!(plan.clash(&everything), None);
        assert!(plan.words().len() < 1000, "the kernel's command line is short");
        assert_eq!(plan.pools[0].base, net([198, 18, 128, 0], 17));
    }

    #[test]
    fn what_little_is_left_of_the_usual_is_not_all() {
        // A computer whose own engine has made all the networks that it can.
        let engines = nets(&[
            "172.16.0.0/12",
            "192.168.0.0/17",
            "192.168.128.0/18",
            "192.168.192.0/19",
        ]);
        let plan = choose(&engines, None);
        assert_eq!(plan.clash(&engines), None);
        let bases: Vec<Ipv4Net> = plan.pools.iter().map(|pool| pool.base).collect();
        assert_eq!(bases, nets(&["192.168.224.0/20", "192.168.240.0/20", "10.201.0.0/16"]));
    }

    #[test]
    fn longest_packets_are_no_longer_than_this_computers_and_never_unusual() {
        assert_eq!(within_limits(None), 1500);
        assert_eq!(within_limits(Some(1420)), 1420);
        assert_eq!(within_limits(Some(9000)), 1500);
        assert_eq!(within_limits(Some(65536)), 1500);
        assert_eq!(within_limits(Some(576)), 1280);
    }

    #[test]
    fn a_choice_stays_until_something_clashes_and_then_says_so() {
        let first = choose(&nets(&["192.168.65.0/24"]), None);
        let (kept, note) = decide(None, Some(&first), &[]);
        assert_eq!((&kept, note), (&first, None));
        let (moved, note) = decide(None, Some(&first), &nets(&["192.168.127.0/24"]));
        assert_eq!(moved.machine, MACHINE[0]);
        assert!(note.is_some_and(|note| note.contains("192.168.127.0/24")));
        // Only what new networks of containers are made from clashes.
        let (kept, note) = decide(None, Some(&first), &nets(&["172.20.5.0/24"]));
        assert_eq!((kept.machine, note), (first.machine, None));
        assert_eq!(kept.clash(&nets(&["172.20.5.0/24"])), None);
    }

    #[test]
    fn the_persons_word_counts_and_a_clash_with_it_is_told() {
        let subnet: Subnet = "10.99.0.0/16".parse().expect("a subnet");
        let (plan, note) = decide(Some(subnet), None, &[]);
        assert_eq!(note, None);
        assert_eq!(
            plan.words(),
            "wherry.network=10.99.0.0/24 wherry.pools=10.99.128.0/17-24 wherry.mtu=1500"
        );
        let (_, note) = decide(Some(subnet), None, &nets(&["10.0.0.0/8"]));
        assert!(note.is_some_and(|note| note.contains("10.0.0.0/8")));
        let smallest: Subnet = "192.168.4.0/22".parse().expect("a subnet");
        assert_eq!(smallest.plan().pools[0].base, net([192, 168, 6, 0], 23));
        for wrong in [
            "",
            "10.0.0.0",
            "10.0.0.0/24",
            "10.0.0.0/7",
            "8.8.0.0/16",
            "fd00::/16",
            "172.16.0.0/11",
        ] {
            assert!(wrong.parse::<Subnet>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_plan_is_kept_in_the_home() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path());
        home.create()?;
        let (plan, _) = Plan::make(&home, None)?;
        assert_eq!(Plan::make(&home, None)?, (plan, None));
        fs_err::write(home.network(), "broken")?;
        Plan::make(&home, None)?;
        Ok(())
    }
}
