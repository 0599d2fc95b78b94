//! Ports of containers that share the machine's own network (`--network host`), and of swarm's ingress.
//!
//! dockerd publishes nothing for the first and forwards the second with rules that end in the machine. So the agent
//! looks at the sockets that listen in its own network, and publishes those of containers under the same address.
//! Nothing of the agent's or the engine's own is ever published: which socket is whose is told by its control group.

mod changes;
mod diag;

use std::{
    collections::{BTreeSet, HashMap},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::MetadataExt,
    path::Path,
    process::Command,
    sync::Arc,
    time::Duration,
};

use wherry_link::{Protocol, Publication};

use super::{
    Guest,
    log::say,
    mount::{AGENT_GROUP, ENGINE_GROUP, GROUPS},
    publish,
};
use changes::Changes;
use diag::Listening;

/// A socket tells that it closes a moment before it is gone, and a program that starts opens several.
const SETTLE: Duration = Duration::from_millis(20);

/// Watches for as long as the machine runs.
pub(super) async fn keep(guest: Arc<Guest>) {
    let mut changes = match Changes::subscribe() {
        Ok(changes) => changes,
        Err(error) => return say!("ports of the machine's own network are not published: {error}"),
    };
    let mut published = BTreeSet::new();
    loop {
        if let Err(error) = changes.next().await {
            return say!("ports of the machine's own network are no longer looked at: {error}");
        }
        tokio::time::sleep(SETTLE).await;
        let wanted = match wanted(&guest).await {
            Ok(wanted) => wanted,
            Err(error) => {
                say!("could not look at the listening sockets: {error}");
                continue;
            }
        };
        for publication in published.difference(&wanted) {
            publish::withdraw(&guest, publication).await;
        }
        for publication in wanted.difference(&published) {
            publish::offer(&guest, publication).await;
        }
        published = wanted;
    }
}

async fn wanted(guest: &Guest) -> io::Result<BTreeSet<Publication>> {
    let sockets = diag::listening()?;
    if sockets.is_empty() {
        return Ok(BTreeSet::new());
    }
    let groups = Groups::read();
    let ephemeral = ephemeral(&fs_err::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default());
    let mut wanted: BTreeSet<_> = sockets
        .iter()
        // A client's socket looks like a server's here; its port is one that the kernel chose.
        .filter(|socket| socket.protocol == Protocol::Tcp || !ephemeral.contains(&socket.address.port()))
        .filter_map(|socket| Some((socket, groups.containers.get(&socket.group)?)))
        .flat_map(|(socket, owner)| publications(socket, owner))
        .collect();
    if sockets.iter().any(|socket| Some(socket.group) == groups.engine) {
        wanted.extend(ingress(guest).await?);
    }
    Ok(wanted)
}

/// Which control group is whose, by the number that the kernel knows it by.
struct Groups {
    /// Each with the container's id.
    containers: HashMap<u64, String>,
    engine: Option<u64>,
}

impl Groups {
    fn read() -> Self {
        let mut groups = Self {
            containers: HashMap::new(),
            engine: number(&Path::new(GROUPS).join(ENGINE_GROUP)),
        };
        groups.walk(Path::new(GROUPS), None);
        groups
    }

    fn walk(&mut self, folder: &Path, owner: Option<&str>) {
        let Ok(entries) = fs_err::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let ours = owner.is_none() && (name == AGENT_GROUP || name == ENGINE_GROUP);
            if ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            // Below its own group a container may have made others.
            let owner = owner.or_else(|| is_id(&name).then_some(&*name));
            if let (Some(owner), Some(number)) = (owner, number(&entry.path())) {
                self.containers.insert(number, owner.to_owned());
            }
            self.walk(&entry.path(), owner);
        }
    }
}

fn number(group: &Path) -> Option<u64> {
    fs_err::metadata(group).ok().map(|metadata| metadata.ino())
}

fn is_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// What the socket looks like from the host. One that listens on an address of the machine alone is none of the
/// host's business.
fn publications(socket: &Listening, owner: &str) -> Vec<Publication> {
    let port = socket.address.port();
    let publication = |host_address, container| Publication {
        protocol: socket.protocol,
        host_address,
        host_port: port,
        container: SocketAddr::new(container, port),
        owner: Some(owner.to_owned()),
    };
    let every4 = publication(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into());
    let every6 = publication(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into());
    match socket.address.ip().to_canonical() {
        IpAddr::V4(address) if address.is_unspecified() => vec![every4],
        IpAddr::V6(address) if address.is_unspecified() && socket.only_v6 => vec![every6],
        IpAddr::V6(address) if address.is_unspecified() => vec![every4, every6],
        address if address.is_loopback() => vec![publication(address, address)],
        _ => Vec::new(),
    }
}

/// The ports that the kernel chooses from.
fn ephemeral(range: &str) -> std::ops::RangeInclusive<u16> {
    let mut ends = range.split_whitespace().map_while(|end| end.parse().ok());
    ends.next().unwrap_or(32768)..=ends.next().unwrap_or(60999)
}

/// What swarm publishes: dockerd listens at each such port to keep it from others, and packets take another way.
async fn ingress(guest: &Guest) -> io::Result<Vec<Publication>> {
    let mut list = Command::new("iptables");
    list.args(["--wait", "--table", "nat", "--list-rules", "DOCKER-INGRESS"]);
    let rules = guest.children.run(&mut list).await?;
    // Without a swarm there is no such chain.
    Ok(if rules.code == Some(0) {
        rules.text.lines().filter_map(ingress_rule).collect()
    } else {
        Vec::new()
    })
}

/// `-A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:8080`
fn ingress_rule(rule: &str) -> Option<Publication> {
    let after = |name: &str| {
        let mut words = rule.split_whitespace();
        words.find(|word| *word == name)?;
        words.next()
    };
    Some(Publication {
        protocol: match after("-p")? {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return None,
        },
        host_address: Ipv4Addr::UNSPECIFIED.into(),
        host_port: after("--dport")?.parse().ok()?,
        container: after("--to-destination")?.parse().ok()?,
        owner: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(address: &str, only_v6: bool) -> Vec<String> {
        let socket = Listening {
            protocol: Protocol::Tcp,
            address: address.parse().expect("an address"),
            only_v6,
            group: 1,
        };
        publications(&socket, "web")
            .iter()
            .map(|publication| {
                let host = SocketAddr::new(publication.host_address, publication.host_port);
                format!("{host} -> {}", publication.container)
            })
            .collect()
    }

    #[test]
    fn a_socket_is_published_under_the_address_it_listens_on() {
        assert_eq!(published("0.0.0.0:80", false), ["0.0.0.0:80 -> 127.0.0.1:80"]);
        assert_eq!(
            published("[::]:80", false),
            ["0.0.0.0:80 -> 127.0.0.1:80", "[::]:80 -> [::1]:80"]
        );
        assert_eq!(published("[::]:80", true), ["[::]:80 -> [::1]:80"]);
        assert_eq!(published("127.0.0.1:80", false), ["127.0.0.1:80 -> 127.0.0.1:80"]);
        assert_eq!(
            published("[::ffff:127.0.0.1]:80", false),
            ["127.0.0.1:80 -> 127.0.0.1:80"]
        );
        assert!(
            published("172.17.0.1:80", false).is_empty(),
            "the machine's own address"
        );
    }

    #[test]
    fn swarm_says_in_a_rule_where_packets_go() {
        let rule = "-A DOCKER-INGRESS -p udp -m udp --dport 53 -j DNAT --to-destination 172.18.0.2:5353";
        let publication = ingress_rule(rule).expect("a published port");
        assert_eq!((publication.protocol, publication.host_port), (Protocol::Udp, 53));
        assert_eq!(publication.container.to_string(), "172.18.0.2:5353");
        assert_eq!(ingress_rule("-A DOCKER-INGRESS -j RETURN"), None);
        assert_eq!(ingress_rule("-N DOCKER-INGRESS"), None);
    }

    #[test]
    fn the_ports_that_the_kernel_chooses_from() {
        assert_eq!(ephemeral("32768\t60999\n"), 32768..=60999);
        assert_eq!(ephemeral(""), 32768..=60999);
    }

    #[test]
    fn a_containers_group_is_known_by_its_id() {
        assert!(is_id(&"0f".repeat(32)));
        assert!(!is_id("engine"));
        assert!(!is_id(&"zz".repeat(32)));
    }
}
