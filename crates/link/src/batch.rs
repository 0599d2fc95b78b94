//! Many datagrams with few calls of the system, where it has such calls: Linux takes as many as have come with one, and
//! sends many of the same length with one, which then go through its network as one packet. Elsewhere one goes after
//! the other.
//!
//! `quinn-udp` has this for more systems, for QUIC: its sockets never send what has to be cut into fragments, and a
//! container's datagrams may be of any length.

use std::{io, net::SocketAddr};

use tokio::net::UdpSocket;

use crate::datagram::Run;

/// What a socket may hold that nobody has read yet: some milliseconds of a fast sender.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Makes room for what comes while nobody reads. The system may allow less; Linux 0.2 MB where it was not told
/// otherwise (`net.core.rmem_max`), unless to who administers its network, as the guest's agent does.
pub fn make_room(socket: &socket2::SockRef<'_>) {
    if !system::make_room_by_force(socket) {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
}

/// Hands over what has come and who sent it: at most [`BURST`] datagrams, maybe none. After an error there may be more.
pub fn receive(socket: &UdpSocket, each: impl FnMut(SocketAddr, &[u8])) -> io::Result<()> {
    match system::receive(socket, each) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        received => received,
    }
}

/// Sends them in this order, to where the socket is connected if nowhere else. Waits while the system has no room. The
/// error is of the last one that was not sent: the others went.
pub async fn send(socket: &UdpSocket, to: Option<SocketAddr>, datagrams: Run<'_>) -> io::Result<()> {
    let mut sent = Ok(());
    let mut left = datagrams.peekable();
    while left.peek().is_some() {
        let alike = system::alike(&mut left);
        if alike.len() > 1 && system::send_as_one(socket, to, &alike).await.is_ok() {
            continue;
        }
        for datagram in alike {
            let one = match to {
                Some(to) => socket.send_to(datagram, to).await,
                None => socket.send(datagram).await,
            };
            sent = one.map(drop).and(sent);
        }
    }
    sent
}

#[cfg(target_os = "linux")]
mod system {
    use std::{
        cell::RefCell,
        io::{self, IoSlice, IoSliceMut},
        iter::Peekable,
        net::{SocketAddr, SocketAddrV4, SocketAddrV6},
        os::fd::AsRawFd,
    };

    use nix::sys::socket::{
        ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmsg, setsockopt, sockopt::RcvBufForce,
    };
    use socket2::SockRef;
    use tokio::{io::Interest, net::UdpSocket};

    use super::RECEIVE_BUFFER;
    use crate::datagram::{BURST, LONGEST_DATAGRAM, Run};

    /// What an Ethernet takes without cutting it. Longer ones are not sent as one, because they may have to be cut.
    const UNCUT: usize = 1452;

    /// How many can be sent as one, by the system's own limits: `UDP_MAX_SEGMENTS`, and what a packet's length can say.
    const AS_ONE: usize = 64;
    const BYTES_AS_ONE: usize = 65_000;

    thread_local! {
        /// One for all sockets: there may be thousands, each idle most of the time. What was never written to takes no
        /// memory.
        static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; BURST * LONGEST_DATAGRAM]);
    }

    pub(super) fn make_room_by_force(socket: &SockRef<'_>) -> bool {
        setsockopt(&**socket, RcvBufForce, &RECEIVE_BUFFER).is_ok()
    }

    pub(super) fn receive(socket: &UdpSocket, mut each: impl FnMut(SocketAddr, &[u8])) -> io::Result<()> {
        ROOM.with_borrow_mut(|room| {
            let places = room.chunks_mut(LONGEST_DATAGRAM);
            let mut places: Vec<_> = places.map(|place| [IoSliceMut::new(place)]).collect();
            // Made anew each time: the system writes into it how long an address is.
            let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BURST, None);
            let received = socket.try_io(Interest::READABLE, || {
                let flags = MsgFlags::MSG_DONTWAIT;
                Ok(recvmmsg(socket.as_raw_fd(), &mut headers, &mut places, flags, None)?)
            })?;
            for datagram in received {
                if let Some(from) = datagram.address.as_ref().and_then(standard) {
                    each(from, datagram.iovs().next().unwrap_or_default());
                }
            }
            Ok(())
        })
    }

    fn standard(address: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4).into());
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into()))
    }

    /// The next one, and those after it that can be sent with it: all as long as it is, the last one maybe shorter.
    pub(super) fn alike<'a>(datagrams: &mut Peekable<Run<'a>>) -> Vec<&'a [u8]> {
        let mut alike = Vec::new();
        let Some(first) = datagrams.next() else { return alike };
        alike.push(first);
        let longest = first.len();
        let many = AS_ONE.min(BYTES_AS_ONE / longest.max(1));
        let mut last = longest;
        while longest <= UNCUT && last == longest && last > 0 && alike.len() < many {
            let Some(next) = datagrams.next_if(|next| !next.is_empty() && next.len() <= longest) else {
                break;
            };
            last = next.len();
            alike.push(next);
        }
        alike
    }

    pub(super) async fn send_as_one(socket: &UdpSocket, to: Option<SocketAddr>, datagrams: &[&[u8]]) -> io::Result<()> {
        let length = datagrams.first().map_or(0, |first| first.len());
        let length = u16::try_from(length).map_err(io::Error::other)?;
        let parts: Vec<_> = datagrams.iter().map(|datagram| IoSlice::new(datagram)).collect();
        let to = to.map(SockaddrStorage::from);
        socket
            .async_io(Interest::WRITABLE, || {
                let how = [ControlMessage::UdpGsoSegments(&length)];
                sendmsg(socket.as_raw_fd(), &parts, &how, MsgFlags::MSG_DONTWAIT, to.as_ref())?;
                Ok(())
            })
            .await
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{cell::RefCell, io, iter::Peekable, net::SocketAddr};

    use socket2::SockRef;
    use tokio::net::UdpSocket;

    use crate::datagram::{BURST, LONGEST_DATAGRAM, Run};

    thread_local! {
        /// One for all sockets: there may be thousands, each idle most of the time.
        static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; LONGEST_DATAGRAM]);
    }

    pub(super) fn make_room_by_force(_socket: &SockRef<'_>) -> bool {
        false
    }

    pub(super) fn receive(socket: &UdpSocket, mut each: impl FnMut(SocketAddr, &[u8])) -> io::Result<()> {
        ROOM.with_borrow_mut(|room| {
            for _ in 0..BURST {
                let (length, from) = socket.try_recv_from(room)?;
                each(from, &room[..length]);
            }
            Ok(())
        })
    }

    pub(super) fn alike<'a>(datagrams: &mut Peekable<Run<'a>>) -> Vec<&'a [u8]> {
        datagrams.next().into_iter().collect()
    }

    pub(super) async fn send_as_one(_: &UdpSocket, _: Option<SocketAddr>, _: &[&[u8]]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::{Datagrams, Outbox};

    /// Sends datagrams of these lengths as they come from a stream, and says which came.
    async fn carried(to: bool, lengths: &[usize]) -> io::Result<Vec<usize>> {
        let loopback = (std::net::Ipv4Addr::LOCALHOST, 0);
        let (near, far) = (UdpSocket::bind(loopback).await?, UdpSocket::bind(loopback).await?);
        make_room(&socket2::SockRef::from(&far));
        let to = if to {
            Some(far.local_addr()?)
        } else {
            near.connect(far.local_addr()?).await?;
            None
        };
        let outbox = Outbox::default();
        for (number, length) in lengths.iter().enumerate() {
            outbox.push(1, &vec![u8::try_from(number).unwrap_or_default(); *length]);
        }
        outbox.send();
        let (writer, reader) = tokio::io::duplex(1 << 20);
        let mut datagrams = Datagrams::new(reader);
        let sending = async {
            tokio::select! {
                error = outbox.drain(writer) => Err(error),
                sent = async {
                    let mut sent = 0;
                    while sent < lengths.len() {
                        let Some((1, run)) = datagrams.next().await? else { break };
                        sent += run.clone().count();
                        send(&near, to, run).await?;
                    }
                    Ok(())
                } => sent,
            }
        };
        sending.await?;
        let mut came = Vec::new();
        while came.len() < lengths.len() {
            far.readable().await?;
            receive(&far, |from, datagram| {
                assert_eq!(from, near.local_addr().expect("bound"));
                let number = u8::try_from(came.len()).expect("few");
                assert!(
                    datagram.iter().all(|byte| *byte == number),
                    "each whole and in its turn"
                );
                came.push(datagram.len());
            })?;
        }
        Ok(came)
    }

    #[tokio::test]
    async fn datagrams_arrive_as_they_were_whatever_their_lengths() -> io::Result<()> {
        let alike = [1400; 150];
        let mixed = [
            1400, 1400, 700, 1400, 0, 0, 5, 5, 5, 1, 9000, 9000, 1452, 1453, 60_000, 3,
        ];
        for to in [true, false] {
            assert_eq!(carried(to, &alike).await?, alike);
            assert_eq!(carried(to, &mixed).await?, mixed);
        }
        Ok(())
    }
}
