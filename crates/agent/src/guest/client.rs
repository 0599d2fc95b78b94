//! Connections to a container in the name of the client who connected to this computer, so that the container's log
//! says who that was.
//!
//! A transparent socket, as proxies have it, may have an address that is not the machine's own. The container answers
//! to that address: what belongs to such a socket gets a mark from the packet filter, and a table of routes of its own
//! leads it back into the machine.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use wherry_link::reach;

use super::{
    Guest, host,
    log::say,
    mark::CLIENT,
    netlink::{self, ACKNOWLEDGE, CREATE, EXCLUSIVE, Message, REQUEST},
    network::LOOPBACK,
};

/// The number of the table of routes is ours to choose.
const TABLE: u8 = 87;

/// For documentation (RFC 5737, RFC 3849): nobody's, so that the way there is the way out.
const OUT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// Whether answers to a client of this family find back.
#[derive(Default)]
pub(super) struct Clients {
    v4: AtomicBool,
    v6: AtomicBool,
}

/// For the `mangle` table.
pub(super) fn rules() -> String {
    format!("-A PREROUTING -m socket --transparent -j MARK --set-mark {CLIENT}\n")
}

impl Clients {
    /// The rules of [`rules`] are set for IPv4.
    pub(super) fn ready(&self) {
        match lead_back(INET) {
            Ok(()) => self.v4.store(true, Ordering::Release),
            Err(error) => say!("containers do not see who their clients are: {error}"),
        }
    }

    fn keep(&self, client: IpAddr) -> bool {
        let ready = match client {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        };
        ready.load(Ordering::Acquire)
    }

    /// Connects to the container, in the name of the client where that is possible.
    pub(super) async fn dial(&self, client: Option<IpAddr>, container: SocketAddr) -> io::Result<TcpStream> {
        match self.in_the_name_of(client, container, Type::STREAM) {
            Some(socket) => TcpSocket::from_std_stream(socket.into()).connect(container).await,
            None => TcpStream::connect(container).await,
        }
    }

    /// The same for datagrams.
    pub(super) fn socket(&self, client: Option<IpAddr>, container: SocketAddr) -> io::Result<UdpSocket> {
        match self.in_the_name_of(client, container, Type::DGRAM) {
            Some(socket) => UdpSocket::from_std(socket.into()),
            None => reach::any_socket(client, container),
        }
    }

    fn in_the_name_of(&self, client: Option<IpAddr>, container: SocketAddr, kind: Type) -> Option<Socket> {
        let client = client.filter(|client| {
            client.is_ipv4() == container.is_ipv4()
                && !container.ip().is_loopback()
                && self.keep(*client)
                && leads_out(*client)
        })?;
        in_the_name_of(client, kind)
            .inspect_err(|error| say!("{container} does not see who its client is: {error}"))
            .ok()
    }
}

/// IPv6 is not waited for: whoever comes before it is met as without it.
pub(super) async fn keep_v6(guest: Arc<Guest>) {
    let done = async {
        let rules = format!("*mangle\n{}COMMIT\n", rules());
        host::set_rules(&guest, "ip6tables", &rules)
            .await
            .map_err(io::Error::other)?;
        lead_back(INET6)
    };
    match done.await {
        Ok(()) => guest.clients.v6.store(true, Ordering::Release),
        Err(error) => say!("containers do not see who their clients of IPv6 are: {error}"),
    }
}

/// A client whose address is of a container's network here would be answered there, not to us.
fn leads_out(client: IpAddr) -> bool {
    let source = |to: IpAddr| {
        let any: IpAddr = match to {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
        // Nothing is sent: the kernel only chooses the way. Any port would do.
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let out = OUT.into_iter().find(|out| out.is_ipv4() == client.is_ipv4());
    out.is_some_and(|out| source(client) == source(out))
}

fn in_the_name_of(client: IpAddr, kind: Type) -> io::Result<Socket> {
    let address = SocketAddr::new(client, 0);
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_nonblocking(true)?;
    match client {
        IpAddr::V4(_) => socket.set_ip_transparent_v4(true)?,
        IpAddr::V6(_) => socket.set_ip_transparent_v6(true)?,
    }
    // The port is chosen at the connection, when the other end is known: one may be used towards many containers.
    setsockopt(&socket, IpBindAddressNoPort, &true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

const INET: u8 = 2;
const INET6: u8 = 10;

/// What has the mark is the machine's own, wherever it is for.
fn lead_back(family: u8) -> io::Result<()> {
    let flags = REQUEST | ACKNOWLEDGE | CREATE | EXCLUSIVE;
    netlink::ask(netlink::route()?, &route(family, flags))?;
    netlink::ask(netlink::route()?, &rule(family, flags))
}

/// `RTM_NEWROUTE`: everything is local.
fn route(family: u8, flags: u16) -> Message {
    const RTM_NEWROUTE: u16 = 24;
    const BOOT: u8 = 3;
    const HOST: u8 = 254;
    const LOCAL: u8 = 2;
    const RTA_OIF: u16 = 4;
    // rtmsg: family, lengths of the prefixes of destination and source, tos, table, protocol, scope, type; flags.
    let fixed = [family, 0, 0, 0, TABLE, BOOT, HOST, LOCAL, 0, 0, 0, 0];
    Message::new(RTM_NEWROUTE, flags, &fixed).attribute(RTA_OIF, &LOOPBACK.to_ne_bytes())
}

/// `RTM_NEWRULE`: what has the mark goes by our table.
fn rule(family: u8, flags: u16) -> Message {
    const RTM_NEWRULE: u16 = 32;
    const TO_TABLE: u8 = 1;
    const FRA_FWMARK: u16 = 10;
    // fib_rule_hdr: family, lengths of the prefixes of destination and source, tos, table, two unused, action; flags.
    let fixed = [family, 0, 0, 0, TABLE, 0, 0, TO_TABLE, 0, 0, 0, 0];
    Message::new(RTM_NEWRULE, flags, &fixed).attribute(FRA_FWMARK, &CLIENT.to_ne_bytes())
}
