//! Packets that wait in a queue of the packet filter until we have decided about them, as
//! `linux/netfilter/nfnetlink_queue.h` describes it. Numbers in it are big-endian.

use std::{io, os::fd::OwnedFd};

use rustix::net::{RecvFlags, SendFlags, netlink::NETFILTER, recv, send, sockopt::set_socket_recv_buffer_size};
use tokio::io::unix::AsyncFd;

use super::{
    netlink::{self, ACKNOWLEDGE, Message, REQUEST},
    readiness::readable,
};

const PACKET: u16 = 3 << 8;
const VERDICT: u16 = 3 << 8 | 1;
const CONFIG: u16 = 3 << 8 | 2;

const CONFIG_COMMAND: u16 = 1;
const CONFIG_COPY: u16 = 2;

const PACKET_HEADER: u16 = 1;
const VERDICT_HEADER: u16 = 2;
const MARK: u16 = 3;
const PAYLOAD: u16 = 10;

const BIND: u8 = 1;
const COPY_PACKET: u8 = 2;

/// What may wait to be read.
const BACKLOG: usize = 4 << 20;

pub(super) struct Queue {
    number: u16,
    socket: AsyncFd<OwnedFd>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Drop,
    Accept { mark: u32 },
}

impl Queue {
    /// The queue with this number, and how much of each packet is to be seen.
    pub(super) fn open(number: u16, copied: u16) -> io::Result<Self> {
        let socket = netlink::open(Some(NETFILTER))?;
        // The system may allow less.
        let _ = set_socket_recv_buffer_size(&socket, BACKLOG);
        let configure = |attribute, value: &[u8]| {
            netlink::ask(
                &socket,
                &Message::new(CONFIG, REQUEST | ACKNOWLEDGE, &family(number)).attribute(attribute, value),
            )
        };
        configure(CONFIG_COMMAND, &[BIND, 0, 0, 0])?;
        let mut copy = u32::from(copied).to_be_bytes().to_vec();
        copy.push(COPY_PACKET);
        configure(CONFIG_COPY, &copy)?;
        Ok(Self {
            number,
            socket: readable(socket)?,
        })
    }

    /// What one read gives, for [`packets`].
    pub(super) async fn read<'buffer>(&self, buffer: &'buffer mut [u8]) -> io::Result<&'buffer [u8]> {
        loop {
            let mut ready = self.socket.readable().await?;
            match recv(self.socket.get_ref(), &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => return Ok(&buffer[..length]),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                // More packets than fit: those that did not are repeated by their senders.
                Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn decide(&self, id: u32, verdict: Verdict) {
        // A packet that the queue has forgotten is repeated by its sender.
        let message = verdict.message(self.number, id);
        let _ = send(self.socket.get_ref(), message.bytes(), SendFlags::empty());
    }
}

/// nfgenmsg: any family, version 0, the queue.
fn family(number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [0, 0, high, low]
}

impl Verdict {
    fn message(self, number: u16, id: u32) -> Message {
        let verdict: u32 = match self {
            Self::Drop => 0,
            Self::Accept { .. } => 1,
        };
        let header = [verdict.to_be_bytes(), id.to_be_bytes()].concat();
        let message = Message::new(VERDICT, REQUEST, &family(number)).attribute(VERDICT_HEADER, &header);
        match self {
            Self::Drop => message,
            Self::Accept { mark } => message.attribute(MARK, &mark.to_be_bytes()),
        }
    }
}

/// The packets in what one read of the queue gave: the number to decide about, and the packet from its IP header on.
pub(super) fn packets(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    netlink::messages(bytes).filter_map(|(kind, message)| {
        let attributes = message.get(family(0).len()..).filter(|_| kind == PACKET)?;
        let value =
            |wanted| netlink::attributes(attributes).find_map(|(kind, value)| (kind == wanted).then_some(value));
        let id = value(PACKET_HEADER)?.first_chunk()?;
        Some((u32::from_be_bytes(*id), value(PAYLOAD).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_from_the_queue_and_verdicts_go_there() {
        let mut header = 7_u32.to_be_bytes().to_vec();
        header.extend([8, 0, 0]);
        let message = Message::new(PACKET, 0, &family(1))
            .attribute(PACKET_HEADER, &header)
            .attribute(PAYLOAD, b"a packet");
        let other = Message::new(CONFIG, 0, &family(1));
        let bytes = [other.bytes(), message.bytes(), message.bytes()].concat();
        let packet = (7, &b"a packet"[..]);
        assert_eq!(packets(&bytes).collect::<Vec<_>>(), [packet, packet]);

        let verdict = Verdict::Accept { mark: 0x5748_0001 }.message(1, 7);
        let (kind, message) = netlink::messages(verdict.bytes()).next().expect("a message");
        assert_eq!(kind, VERDICT);
        assert_eq!(message[..4], [0, 0, 0, 1]);
        let attributes: Vec<_> = netlink::attributes(&message[4..]).collect();
        assert_eq!(
            attributes,
            [
                (VERDICT_HEADER, &[0, 0, 0, 1, 0, 0, 0, 7][..]),
                (MARK, &[0x57, 0x48, 0, 1]),
            ]
        );
    }
}
