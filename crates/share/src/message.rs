//! One message of vhost-user, as it goes over the socket: a header, a payload and open files. What is in it is looked
//! at only as far as a server that takes over has to be told.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use vhost::vhost_user::message::FrontendReq;

const HEADER: usize = 12;
/// The longest of QEMU's messages has a few hundred bytes.
const LONGEST: usize = 4096;
/// The specification lets a message have eight.
const MOST_FILES: usize = 8;

/// Of a header's flags.
const VERSION: u32 = 0x1;
const REPLY: u32 = 0x4;
const NEED_REPLY: u32 = 0x8;

#[derive(Debug)]
pub(crate) struct Message {
    header: [u8; HEADER],
    payload: Vec<u8>,
    pub(crate) files: Vec<OwnedFd>,
}

impl Message {
    /// The next one, or none when the other side has closed.
    pub(crate) fn receive(mut from: &UnixStream) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = loop {
            match rustix::net::recvmsg(from, &mut [IoSliceMut::new(&mut header)], &mut control, flags) {
                Err(rustix::io::Errno::INTR) => {}
                received => break received?.bytes,
            }
        };
        if received == 0 {
            return Ok(None);
        }
        let mut files = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                files.extend(received);
            }
        }
        from.read_exact(&mut header[received..])?;
        let mut message = Self {
            header,
            payload: Vec::new(),
            files,
        };
        let length = message.header_field(8) as usize;
        if length > LONGEST {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a message of {length} bytes"),
            ));
        }
        message.payload.resize(length, 0);
        from.read_exact(&mut message.payload)?;
        Ok(Some(message))
    }

    pub(crate) fn send(&self, mut to: &UnixStream) -> io::Result<()> {
        let files: Vec<_> = self.files.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a message with too many files",
            ));
        }
        let bytes = [&self.header[..], &self.payload].concat();
        // The files go with the first byte.
        let sent = loop {
            match rustix::net::sendmsg(to, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                sent => break sent?,
            }
        };
        to.write_all(&bytes[sent..])
    }

    /// What it asks for; none when it is newer than this.
    pub(crate) fn request(&self) -> Option<FrontendReq> {
        FrontendReq::try_from(self.header_field(0)).ok()
    }

    /// Whether whoever sent it waits for an answer.
    pub(crate) fn wants_reply(&self) -> bool {
        let always = matches!(
            self.request(),
            Some(
                FrontendReq::GET_FEATURES
                    | FrontendReq::GET_PROTOCOL_FEATURES
                    | FrontendReq::GET_VRING_BASE
                    | FrontendReq::GET_QUEUE_NUM
                    | FrontendReq::GET_CONFIG
                    | FrontendReq::GET_MAX_MEM_SLOTS
                    | FrontendReq::SET_LOG_BASE
                    | FrontendReq::SET_DEVICE_STATE_FD
                    | FrontendReq::CHECK_DEVICE_STATE
            )
        );
        always || self.header_field(4) & NEED_REPLY != 0
    }

    /// Whether it is of a kind that comes with files.
    pub(crate) fn brings_files(&self) -> bool {
        matches!(
            self.request(),
            Some(
                FrontendReq::SET_MEM_TABLE
                    | FrontendReq::ADD_MEM_REG
                    | FrontendReq::SET_LOG_BASE
                    | FrontendReq::SET_LOG_FD
                    | FrontendReq::SET_VRING_KICK
                    | FrontendReq::SET_VRING_CALL
                    | FrontendReq::SET_VRING_ERR
                    | FrontendReq::SET_BACKEND_REQ_FD
                    | FrontendReq::SET_INFLIGHT_FD
                    | FrontendReq::SET_DEVICE_STATE_FD
            )
        )
    }

    /// Of a queue, where it is about one.
    pub(crate) fn queue(&self) -> u32 {
        self.number(0) & 0xff
    }

    /// The number at this place of the payload.
    pub(crate) fn number(&self, at: usize) -> u32 {
        let bytes = self.payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_ne_bytes(bytes.unwrap_or_default())
    }

    pub(crate) fn long(&self, at: usize) -> u64 {
        let bytes = self.payload.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_ne_bytes(bytes.unwrap_or_default())
    }

    /// The files of a transfer tell of its end by being closed, so that nobody but its two sides may have them.
    pub(crate) fn without_files(&self) -> Self {
        Self {
            header: self.header,
            payload: self.payload.clone(),
            files: Vec::new(),
        }
    }

    /// The answer that it was done.
    pub(crate) fn done(&self) -> Self {
        let payload = 0_u64.to_ne_bytes();
        let mut header = self.header;
        header[4..8].copy_from_slice(&(VERSION | REPLY).to_ne_bytes());
        header[8..].copy_from_slice(&8_u32.to_ne_bytes());
        Self {
            header,
            payload: payload.to_vec(),
            files: Vec::new(),
        }
    }

    /// The same with another number at this place.
    pub(crate) fn with_number(&self, at: usize, number: u32) -> Self {
        let mut payload = self.payload.clone();
        if let Some(place) = payload.get_mut(at..at + 4) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        Self {
            header: self.header,
            payload,
            files: Vec::new(),
        }
    }

    fn header_field(&self, at: usize) -> u32 {
        let bytes = self.header[at..at + 4].try_into();
        u32::from_ne_bytes(bytes.unwrap_or_default())
    }

    /// One of ours, which asks for nothing that QEMU could ask for.
    pub(crate) fn own(payload: &[u8], files: Vec<OwnedFd>) -> Self {
        let mut header = [0; HEADER];
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        header[8..].copy_from_slice(&length.to_ne_bytes());
        Self {
            header,
            payload: payload.to_vec(),
            files,
        }
    }

    pub(crate) fn is_own(&self) -> bool {
        self.header_field(0) == 0
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    #[cfg(test)]
    pub(crate) fn of(request: FrontendReq, flags: u32, payload: &[u8], files: Vec<OwnedFd>) -> Self {
        let mut message = Self::own(payload, files);
        message.header[..4].copy_from_slice(&u32::from(request).to_ne_bytes());
        message.header[4..8].copy_from_slice(&flags.to_ne_bytes());
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_whole_with_its_files() -> io::Result<()> {
        let (here, there) = UnixStream::pair()?;
        let file = tempfile::tempfile()?;
        let payload = [7_u32.to_ne_bytes(), 9_u32.to_ne_bytes()].concat();
        Message::of(FrontendReq::SET_VRING_BASE, 1 | NEED_REPLY, &payload, vec![file.into()]).send(&here)?;
        Message::of(FrontendReq::SET_OWNER, 1, &[], Vec::new()).send(&here)?;
        drop(here);
        let first = Message::receive(&there)?.expect("one");
        assert_eq!(first.request(), Some(FrontendReq::SET_VRING_BASE));
        assert_eq!((first.queue(), first.number(4), first.files.len()), (7, 9, 1));
        assert!(first.wants_reply());
        assert_eq!(first.with_number(4, 11).number(4), 11);
        let second = Message::receive(&there)?.expect("another");
        assert_eq!(
            (second.request(), second.wants_reply()),
            (Some(FrontendReq::SET_OWNER), false)
        );
        assert!(Message::receive(&there)?.is_none(), "closed");
        Ok(())
    }

    #[test]
    fn nonsense_and_half_a_message_are_errors() -> io::Result<()> {
        let (mut here, there) = UnixStream::pair()?;
        here.write_all(&[255; HEADER])?;
        assert!(Message::receive(&there).is_err());
        let (mut here, there) = UnixStream::pair()?;
        here.write_all(&[1; 5])?;
        drop(here);
        assert!(Message::receive(&there).is_err());
        Ok(())
    }
}
