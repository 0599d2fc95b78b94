//! Who holds a port of this host, and which one is free.

use std::net::{IpAddr, SocketAddr, TcpListener};

use listeners::SocketState;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
pub use wherry_link::Protocol;

/// The program that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PortHolder {
    pub program: String,
    pub pid: u32,
}

/// Who listens on this port in a way that keeps others from binding the address. `None` when nobody does, or when
/// this user may not see whose it is.
pub fn holder(protocol: Protocol, address: IpAddr, port: u16) -> Option<PortHolder> {
    let holds = |listener: &listeners::Listener| match protocol {
        Protocol::Tcp => listener.protocol == listeners::Protocol::TCP && listener.state == SocketState::Listen,
        Protocol::Udp => listener.protocol == listeners::Protocol::UDP,
        Protocol::Sctp => false,
    };
    let mut all: Vec<_> = listeners::get_all()
        .ok()?
        .into_iter()
        .filter(|listener| holds(listener) && listener.socket.port() == port && collide(listener.socket.ip(), address))
        .collect();
    // The exact address is the likelier culprit than a wildcard of the other family.
    all.sort_by_key(|listener| listener.socket.ip() != address);
    all.into_iter().next().map(|listener| PortHolder {
        program: listener.process.name,
        pid: listener.process.pid,
    })
}

/// Whether two listeners of the same port get in each other's way.
fn collide(held: IpAddr, wanted: IpAddr) -> bool {
    // An unspecified IPv6 listener usually takes the port of IPv4 too.
    held == wanted
        || (held.is_ipv4() == wanted.is_ipv4() && (held.is_unspecified() || wanted.is_unspecified()))
        || (held.is_ipv6() && held.is_unspecified())
}

/// Whether the port could be bound now.
pub fn is_free(address: IpAddr, port: u16) -> bool {
    TcpListener::bind(SocketAddr::new(address, port)).is_ok()
}

/// The first free port above `after`.
pub fn next_free(address: IpAddr, after: u16) -> Option<u16> {
    (after..=u16::MAX).skip(1).find(|port| is_free(address, *port))
}

/// "8080 is used by nginx (pid 4242)"
pub fn taken_sentence(port: u16, holder: Option<&PortHolder>) -> String {
    match holder {
        Some(PortHolder { program, pid }) => format!("{port} is used by {program} (pid {pid})"),
        None => format!("{port} is used by another program"),
    }
}
