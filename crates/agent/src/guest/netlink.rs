//! Messages to the kernel over netlink, as netlink(7) and rtnetlink(7) describe them: what is put together here is
//! sent once per boot, or once per connection to the host.

use std::io;

use rustix::{
    fd::{AsFd, OwnedFd},
    net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with},
};

pub(super) const REQUEST: u16 = 1;
pub(super) const ACKNOWLEDGE: u16 = 4;
/// With [`CREATE`]: what is there already stays and is an error.
pub(super) const EXCLUSIVE: u16 = 0x200;
pub(super) const CREATE: u16 = 0x400;

const HEADER: usize = 16;
const ERROR: u16 = 2;

/// One message: a header, the fixed part of its type, attributes.
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(fixed);
        Self(bytes).padded()
    }

    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.padded()
    }

    fn padded(mut self) -> Self {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(super) fn open(protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    Ok(socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        protocol,
    )?)
}

/// Sends a message that asks for an acknowledgement and waits for it.
pub(super) fn ask(socket: impl AsFd, message: &Message) -> io::Result<()> {
    send(&socket, message.bytes(), SendFlags::empty())?;
    let mut answer = [0; 1024];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    // The error as a negative number; zero is the acknowledgement.
    let answer = &answer[..length];
    match (number(answer, 4), word(answer, HEADER)) {
        (Some(ERROR), Some(0)) => Ok(()),
        (Some(ERROR), Some(error)) => Err(io::Error::from_raw_os_error(error.cast_signed().wrapping_neg())),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A socket for links, addresses and routes, whose protocol is number 0.
pub(super) fn route() -> io::Result<OwnedFd> {
    open(None)
}

/// The messages in what one read gave: type, and what follows the header.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::try_from(word(bytes, 0)?).ok()?;
        let kind = number(bytes, 4)?;
        let message = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, message))
    })
}

/// The attributes in these bytes.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(number(bytes, 0)?);
        let kind = number(bytes, 2)?;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_together_is_taken_apart_again() {
        let first = Message::new(16, REQUEST | ACKNOWLEDGE, &[1, 2, 3, 4])
            .attribute(1, &[9])
            .attribute(2, b"eth0\0");
        let second = Message::new(17, REQUEST, &[]);
        let both = [first.bytes(), second.bytes()].concat();
        let seen: Vec<_> = messages(&both).collect();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].0, 16);
        assert_eq!(seen[1], (17, &[][..]));
        let seen: Vec<_> = attributes(&seen[0].1[4..]).collect();
        assert_eq!(seen, [(1, &[9][..]), (2, b"eth0\0")]);
    }

    #[test]
    fn what_is_cut_short_is_left_out() {
        let whole = Message::new(16, 0, &[]).attribute(1, &[7; 8]);
        for length in 0..whole.bytes().len() {
            assert_eq!(messages(&whole.bytes()[..length]).count(), 0);
        }
        assert_eq!(attributes(&[0, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[255, 255, 1, 0, 1]).count(), 0);
    }

    #[test]
    fn the_kernel_says_no_with_a_reason() -> io::Result<()> {
        // RTM_NEWADDR for a device that does not exist, or without the right to.
        let message = Message::new(20, REQUEST | ACKNOWLEDGE, &[2, 32, 0, 0, 0xff, 0xff, 0xff, 0x7f])
            .attribute(2, &[192, 0, 2, 1]);
        let refused = ask(route()?, &message).expect_err("no such device");
        assert!(refused.raw_os_error().is_some_and(|error| error > 0), "{refused}");
        Ok(())
    }
}
