//! The sockets that listen in this network namespace, as `sock_diag(7)` tells them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};
use wherry_link::Protocol;

const IPV4: u8 = 2;
const IPV6: u8 = 10;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The states of `net/tcp_states.h`. An unconnected UDP socket is in the second.
const LISTEN: u32 = 10;
const CLOSE: u32 = 7;

/// `nlmsghdr` and `inet_diag_req_v2`.
const REQUEST: u8 = 16 + 56;
/// `inet_diag_msg`.
const ANSWER: usize = 72;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listening {
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
    pub(super) only_v6: bool,
    /// The number of the control group it was opened in.
    pub(super) group: u64,
}

pub(super) fn listening() -> io::Result<Vec<Listening>> {
    let mut all = Vec::new();
    for (protocol, state) in [(TCP, LISTEN), (UDP, CLOSE)] {
        for family in [IPV4, IPV6] {
            dump(family, protocol, state, &mut all)?;
        }
    }
    Ok(all)
}

fn dump(family: u8, protocol: u8, state: u32, all: &mut Vec<Listening>) -> io::Result<()> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    send(&socket, &request(family, protocol, state), SendFlags::empty())?;
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (length, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        if messages(&buffer[..length.min(buffer.len())], protocol, all)? {
            return Ok(());
        }
    }
}

fn request(family: u8, protocol: u8, state: u32) -> [u8; REQUEST as usize] {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const REQUEST_AND_DUMP: u16 = 1 | 0x300;

    let mut request = [0; REQUEST as usize];
    request[0..4].copy_from_slice(&u32::from(REQUEST).to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&REQUEST_AND_DUMP.to_ne_bytes());
    // inet_diag_req_v2 begins at 16: family, protocol, extensions, padding, states.
    request[16] = family;
    request[17] = protocol;
    request[20..24].copy_from_slice(&(1_u32 << state).to_ne_bytes());
    request
}

/// Whether the last message was among these.
fn messages(mut bytes: &[u8], protocol: u8, all: &mut Vec<Listening>) -> io::Result<bool> {
    const ERROR: u16 = 2;
    const DONE: u16 = 3;

    while let (Some(length), Some(kind)) = (number(bytes, 0), short(bytes, 4)) {
        let length = length as usize;
        let Some(message) = bytes.get(16..length) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        match kind {
            DONE => return Ok(true),
            ERROR => return Err(number(message, 0).map_or(io::ErrorKind::InvalidData.into(), failed)),
            _ => all.extend(parse(message, protocol)),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn failed(code: u32) -> io::Error {
    io::Error::from_raw_os_error(code.cast_signed().wrapping_neg())
}

/// `inet_diag_msg`, then attributes. None is one that is not understood.
fn parse(message: &[u8], protocol: u8) -> Option<Listening> {
    const ONLY_V6: u16 = 11;
    const GROUP: u16 = 21;

    // Family, state, timer, retransmissions; then inet_diag_sockid: source port, destination port, source address.
    let family = *message.first()?;
    let port = u16::from_be_bytes(message.get(4..6)?.try_into().ok()?);
    let address = match family {
        IPV4 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(message.get(8..12)?).ok()?)),
        IPV6 => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(message.get(8..24)?).ok()?)),
        _ => return None,
    };
    let (mut only_v6, mut group) = (false, None);
    let mut attributes = message.get(ANSWER..)?;
    while let (Some(length), Some(kind)) = (short(attributes, 0), short(attributes, 2)) {
        let value = attributes.get(4..usize::from(length))?;
        match kind {
            ONLY_V6 => only_v6 = value.first() == Some(&1),
            GROUP => group = Some(u64::from_ne_bytes(value.try_into().ok()?)),
            _ => {}
        }
        attributes = attributes
            .get(usize::from(length).next_multiple_of(4)..)
            .unwrap_or_default();
    }
    Some(Listening {
        protocol: if protocol == TCP { Protocol::Tcp } else { Protocol::Udp },
        address: SocketAddr::new(address, port),
        only_v6,
        group: group?,
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    /// The kernel of whoever runs the tests tells these too.
    #[test]
    fn sockets_that_listen_are_listed_and_others_are_not() -> io::Result<()> {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let udp = UdpSocket::bind("0.0.0.0:0")?;
        let connected = UdpSocket::bind("127.0.0.1:0")?;
        connected.connect(udp.local_addr()?)?;
        let all = listening()?;
        let listed = |protocol, address| {
            all.iter()
                .any(|socket| (socket.protocol, socket.address) == (protocol, address))
        };
        assert!(listed(Protocol::Tcp, tcp.local_addr()?));
        assert!(listed(Protocol::Udp, udp.local_addr()?));
        assert!(!listed(Protocol::Udp, connected.local_addr()?));
        assert!(!listed(Protocol::Udp, tcp.local_addr()?));
        Ok(())
    }

    #[test]
    fn what_is_cut_or_strange_is_no_socket() {
        assert_eq!(parse(&[], TCP), None);
        assert_eq!(parse(&[IPV4; 80], TCP), None);
        let mut all = Vec::new();
        assert!(messages(&[200, 0, 0, 0, 20, 0, 0, 0], TCP, &mut all).is_err());
        assert!(messages(&[], TCP, &mut all).is_ok_and(|done| !done));
        assert!(all.is_empty());
    }
}
