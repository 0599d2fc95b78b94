//! Who holds a port: a program of this computer, or a container of the engine.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use wherry_engine::{Address, ContainerState, ContainerSummary, Engine, Protocol};
use wherry_machine::ports::{self, PortHolder};

use crate::PortAnswer;

/// Why a port cannot be published.
enum Taken {
    Container(String),
    Program(Option<PortHolder>),
}

const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The ports that containers publish now, each with the container's name.
pub(crate) struct Published(Vec<(u16, Protocol, String)>);

impl Published {
    pub(crate) fn of(containers: &[ContainerSummary]) -> Published {
        let alive = |container: &&ContainerSummary| {
            matches!(
                container.state,
                ContainerState::Running | ContainerState::Paused | ContainerState::Restarting
            )
        };
        Published(
            containers
                .iter()
                .filter(alive)
                .flat_map(|container| {
                    container
                        .ports
                        .iter()
                        .filter_map(|port| Some((port.host.as_ref()?.port, port.protocol, container.name.clone())))
                })
                .collect(),
        )
    }

    fn by(&self, port: u16, protocol: Protocol) -> Option<&str> {
        self.0
            .iter()
            .find(|(held, with, _)| (*held, *with) == (port, protocol))
            .map(|(_, _, container)| container.as_str())
    }
}

/// Whether this engine's ports are ports of this computer.
pub(crate) fn is_local(engine: &Engine) -> bool {
    match engine.address() {
        Address::Local(_) => true,
        Address::Tcp(host) => {
            let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
            name == "localhost"
                || name
                    .trim_matches(['[', ']'])
                    .parse::<IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
}

/// Looks at one port. Reads the tables of every process: call it where blocking is allowed.
pub(crate) fn look(
    address: Option<IpAddr>,
    port: u16,
    protocol: Protocol,
    published: &Published,
    local: bool,
) -> PortAnswer {
    let address = address.unwrap_or(ANY);
    let taken = match published.by(port, protocol) {
        Some(container) => Some(Taken::Container(container.to_owned())),
        None if local => taken_here(address, port, protocol).map(Taken::Program),
        None => None,
    };
    let next_free = taken
        .as_ref()
        .and_then(|_| next_free(address, port, protocol, published, local));
    let sentence = match &taken {
        None => format!("{port} is free"),
        Some(Taken::Container(container)) => format!("{port} is used by the container {container}"),
        Some(Taken::Program(holder)) => ports::taken_sentence(port, holder.as_ref()),
    };
    let (container, holder) = match taken {
        None => (None, None),
        Some(Taken::Container(container)) => (Some(container), None),
        Some(Taken::Program(holder)) => (None, holder),
    };
    PortAnswer {
        free: container.is_none() && holder.is_none() && next_free.is_none(),
        holder,
        container,
        sentence,
        next_free,
    }
}

fn next_free(address: IpAddr, after: u16, protocol: Protocol, published: &Published, local: bool) -> Option<u16> {
    (after..=u16::MAX)
        .skip(1)
        .find(|port| published.by(*port, protocol).is_none() && !(local && bind(address, *port, protocol).is_err()))
}

/// `Some` when a program holds it, with the program where it can be told.
#[expect(
    clippy::option_option,
    reason = "taken by nobody, by somebody, by somebody we may not see"
)]
fn taken_here(address: IpAddr, port: u16, protocol: Protocol) -> Option<Option<PortHolder>> {
    let error = bind(address, port, protocol).err()?;
    let holder = match protocol {
        Protocol::Tcp => ports::holder(ports::Protocol::Tcp, address, port),
        Protocol::Udp => ports::holder(ports::Protocol::Udp, address, port),
        Protocol::Sctp => None,
    };
    match error {
        ErrorKind::AddrInUse => Some(holder),
        // Low ports are only for root, which the engine is; then a holder is what counts.
        _ => holder.map(Some),
    }
}

fn bind(address: IpAddr, port: u16, protocol: Protocol) -> Result<(), ErrorKind> {
    let address = SocketAddr::new(address, port);
    match protocol {
        Protocol::Tcp => TcpListener::bind(address).map(drop).map_err(|error| error.kind()),
        Protocol::Udp => UdpSocket::bind(address).map(drop).map_err(|error| error.kind()),
        // Nothing here opens SCTP; the engine will say.
        Protocol::Sctp => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use wherry_engine::{HostPort, Port};

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn nothing() -> Published {
        Published(Vec::new())
    }

    #[test]
    fn a_program_that_listens_is_named_and_the_next_free_port_offered() {
        let listener = TcpListener::bind((LOOPBACK, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let answer = look(Some(LOOPBACK), port, Protocol::Tcp, &nothing(), true);
        assert!(!answer.free);
        let holder = answer.holder.expect("this test");
        assert_eq!(holder.pid, std::process::id());
        assert_eq!(
            answer.sentence,
            format!("{port} is used by {} (pid {})", holder.program, holder.pid)
        );
        assert!(answer.next_free.expect("another") > port);
        drop(listener);
        let answer = look(Some(LOOPBACK), port, Protocol::Tcp, &nothing(), true);
        assert_eq!(
            (answer.free, answer.sentence, answer.next_free),
            (true, format!("{port} is free"), None)
        );
    }

    #[test]
    fn a_container_is_named_although_a_proxy_listens_for_it() {
        let listener = TcpListener::bind((LOOPBACK, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let published = Published(vec![
            (port, Protocol::Tcp, "web".into()),
            (port + 1, Protocol::Tcp, "api".into()),
        ]);
        let answer = look(Some(LOOPBACK), port, Protocol::Tcp, &published, true);
        assert_eq!(answer.sentence, format!("{port} is used by the container web"));
        assert!(
            answer.next_free.expect("another") > port + 1,
            "the neighbour is taken by a container too"
        );
        let udp = look(Some(LOOPBACK), port, Protocol::Udp, &published, true);
        assert!(udp.free, "the other protocol's port is another port");
    }

    #[test]
    fn on_another_computer_only_containers_count() {
        let listener = TcpListener::bind((LOOPBACK, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        assert!(look(Some(LOOPBACK), port, Protocol::Tcp, &nothing(), false).free);
    }

    #[test]
    fn a_stopped_container_holds_nothing() {
        let mut container = ContainerSummary {
            id: String::new(),
            name: "web".into(),
            image: String::new(),
            image_id: String::new(),
            command: String::new(),
            state: ContainerState::Running,
            status: String::new(),
            exit_code: None,
            out_of_memory: false,
            health: None,
            ports: vec![Port {
                container: 80,
                protocol: Protocol::Tcp,
                host: Some(HostPort {
                    address: "0.0.0.0".into(),
                    port: 8080,
                }),
            }],
            created: 0,
            labels: std::collections::BTreeMap::default(),
            project: None,
            networks: Vec::new(),
        };
        assert_eq!(Published::of(&[container.clone()]).by(8080, Protocol::Tcp), Some("web"));
        container.state = ContainerState::Exited;
        assert_eq!(Published::of(&[container]).by(8080, Protocol::Tcp), None);
    }
}
