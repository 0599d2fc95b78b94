//! What QEMU has told its file server, kept so that the next server can be told the same.
//!
//! The queues themselves are in the guest's memory, which outlives a server. Requests are answered in their order, so
//! those that a server has taken and not answered begin where the queue of answers ends.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;

use vhost::vhost_user::message::FrontendReq;

use crate::message::Message;

/// In the order in which it was said first.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    said: Vec<Message>,
}

impl Handed {
    pub(crate) fn keep(&mut self, message: Message) {
        let Some(request) = message.request() else {
            return;
        };
        match request {
            FrontendReq::GET_FEATURES
            | FrontendReq::SET_FEATURES
            | FrontendReq::SET_OWNER
            | FrontendReq::GET_PROTOCOL_FEATURES
            | FrontendReq::SET_PROTOCOL_FEATURES
            | FrontendReq::SET_BACKEND_REQ_FD
            | FrontendReq::SET_MEM_TABLE
            | FrontendReq::SET_LOG_BASE
            | FrontendReq::SET_LOG_FD => self.replace(message, |before| before.request() == Some(request)),
            FrontendReq::SET_VRING_NUM
            | FrontendReq::SET_VRING_ADDR
            | FrontendReq::SET_VRING_BASE
            | FrontendReq::SET_VRING_KICK
            | FrontendReq::SET_VRING_CALL
            | FrontendReq::SET_VRING_ERR
            | FrontendReq::SET_VRING_ENABLE => {
                let queue = message.queue();
                self.replace(message, |before| {
                    before.request() == Some(request) && before.queue() == queue
                });
            }
            FrontendReq::ADD_MEM_REG => self.said.push(message),
            FrontendReq::REM_MEM_REG => {
                let region = region(&message);
                self.said.retain(|before| {
                    before.request() != Some(FrontendReq::ADD_MEM_REG) || self::region(before) != region
                });
            }
            // The queue stops, until it is given a way to be woken again.
            FrontendReq::GET_VRING_BASE => {
                let queue = message.queue();
                self.said.retain(|before| !(wakes(before) && before.queue() == queue));
            }
            FrontendReq::RESET_DEVICE | FrontendReq::RESET_OWNER => self.said.retain(|before| !is_of_queue(before)),
            _ => {}
        }
    }

    fn replace(&mut self, message: Message, same: impl Fn(&Message) -> bool) {
        match self.said.iter_mut().find(|before| same(before)) {
            Some(before) => *before = message,
            None => self.said.push(message),
        }
    }

    /// All of it, for whoever is to keep it too.
    pub(crate) fn said(&self) -> impl Iterator<Item = &Message> {
        self.said.iter()
    }

    /// Tells a new server everything, and has it and the guest look at the queues.
    pub(crate) fn tell(&self, server: &UnixStream) -> io::Result<()> {
        for message in &self.said {
            let answered = (message.request() == Some(FrontendReq::SET_VRING_BASE))
                .then(|| self.answered(message.queue()))
                .flatten();
            match answered {
                Some(answered) => message.with_number(4, answered.into()).send(server)?,
                None => message.send(server)?,
            }
            if message.wants_reply() && Message::receive(server)?.is_none() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        for event in self
            .said
            .iter()
            .filter(|message| wakes(message))
            .flat_map(|message| &message.files)
        {
            // One that is there already is enough.
            let _ = rustix::io::write(event, &1_u64.to_ne_bytes());
        }
        Ok(())
    }

    /// How many requests of this queue have been answered, as the queue of answers in the guest's memory counts them.
    fn answered(&self, queue: u32) -> Option<u16> {
        /// `struct vhost_vring_addr`: index, flags, descriptors, used, available, log.
        const USED: usize = 16;
        /// `struct virtq_used`: flags, then the index.
        const INDEX: u64 = 2;
        let of_queue =
            |message: &&Message| message.request() == Some(FrontendReq::SET_VRING_ADDR) && message.queue() == queue;
        let at = self.said.iter().find(of_queue)?.long(USED) + INDEX;
        let (file, offset) = self.memory_at(at)?;
        let mut index = [0; 2];
        File::from(file).read_exact_at(&mut index, offset).ok()?;
        Some(u16::from_le_bytes(index))
    }

    /// The file with this address of QEMU's, and where it is in that.
    fn memory_at(&self, address: u64) -> Option<(OwnedFd, u64)> {
        const REGION: usize = 32;
        // Of a region: the guest's address, size, QEMU's address, offset in the file.
        let find = |message: &Message, at: usize, file: usize| {
            let (size, start, offset) = (message.long(at + 8), message.long(at + 16), message.long(at + 24));
            let inside = address.checked_sub(start).filter(|inside| *inside < size)?;
            let file = message.files.get(file)?.as_fd().try_clone_to_owned().ok()?;
            Some((file, offset + inside))
        };
        self.said.iter().find_map(|message| match message.request()? {
            FrontendReq::ADD_MEM_REG => find(message, 8, 0),
            FrontendReq::SET_MEM_TABLE => {
                let mut regions = 0..message.number(0) as usize;
                regions.find_map(|region| find(message, 8 + region * REGION, region))
            }
            _ => None,
        })
    }
}

/// The guest's address, size and QEMU's address of a region that comes or goes.
fn region(message: &Message) -> [u64; 3] {
    [8, 16, 24].map(|at| message.long(at))
}

fn wakes(message: &Message) -> bool {
    matches!(
        message.request(),
        Some(FrontendReq::SET_VRING_KICK | FrontendReq::SET_VRING_CALL)
    )
}

fn is_of_queue(message: &Message) -> bool {
    matches!(
        message.request(),
        Some(
            FrontendReq::SET_VRING_NUM
                | FrontendReq::SET_VRING_ADDR
                | FrontendReq::SET_VRING_BASE
                | FrontendReq::SET_VRING_KICK
                | FrontendReq::SET_VRING_CALL
                | FrontendReq::SET_VRING_ERR
                | FrontendReq::SET_VRING_ENABLE
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
    }

    fn longs(numbers: &[u64]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
    }

    fn plain(request: FrontendReq, payload: &[u8]) -> Message {
        Message::of(request, 1, payload, Vec::new())
    }

    fn event() -> io::Result<OwnedFd> {
        Ok(rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK)?)
    }

    /// What the next server hears.
    fn told(handed: &Handed) -> io::Result<Vec<Message>> {
        let (here, there) = UnixStream::pair()?;
        handed.tell(&here)?;
        drop(here);
        let mut all = Vec::new();
        while let Some(message) = Message::receive(&there)? {
            all.push(message);
        }
        Ok(all)
    }

    #[test]
    fn the_next_server_goes_on_where_the_answers_end_and_both_sides_are_woken() -> io::Result<()> {
        let memory = tempfile::tempfile()?;
        // 100 bytes of it are elsewhere; 42 requests are answered.
        memory.write_all_at(&42_u16.to_le_bytes(), 100 + 0x2002)?;
        let (kick, call) = (event()?, event()?);
        let mut handed = Handed::default();
        handed.keep(plain(FrontendReq::SET_OWNER, &[]));
        handed.keep(Message::of(
            FrontendReq::ADD_MEM_REG,
            1,
            &longs(&[0, 0, 0x10000, 0x7000_0000, 100]),
            vec![memory.into()],
        ));
        handed.keep(plain(FrontendReq::SET_VRING_BASE, &numbers(&[1, 0])));
        let addresses = [longs(&[1, 0x7000_0000, 0x7000_2000, 0x7000_1000, 0])].concat();
        handed.keep(plain(FrontendReq::SET_VRING_ADDR, &addresses));
        handed.keep(Message::of(
            FrontendReq::SET_VRING_KICK,
            1,
            &longs(&[1]),
            vec![kick.try_clone()?],
        ));
        handed.keep(Message::of(
            FrontendReq::SET_VRING_CALL,
            1,
            &longs(&[1]),
            vec![call.try_clone()?],
        ));
        let told = told(&handed)?;
        let base = told
            .iter()
            .find(|message| message.request() == Some(FrontendReq::SET_VRING_BASE));
        assert_eq!(base.map(|base| (base.queue(), base.number(4))), Some((1, 42)));
        for event in [kick, call] {
            let mut count = [0; 8];
            rustix::io::read(event, &mut count)?;
            assert_eq!(u64::from_ne_bytes(count), 1);
        }
        Ok(())
    }

    #[test]
    fn what_was_replaced_stopped_or_taken_back_is_not_said_again() -> io::Result<()> {
        let mut handed = Handed::default();
        let requests =
            |handed: &Handed| -> io::Result<Vec<_>> { Ok(told(handed)?.iter().filter_map(Message::request).collect()) };
        handed.keep(plain(FrontendReq::SET_FEATURES, &longs(&[1])));
        handed.keep(plain(FrontendReq::SET_VRING_NUM, &numbers(&[0, 128])));
        handed.keep(plain(FrontendReq::SET_FEATURES, &longs(&[2])));
        handed.keep(Message::of(
            FrontendReq::SET_VRING_KICK,
            1,
            &longs(&[0]),
            vec![event()?],
        ));
        assert_eq!(told(&handed)?[0].long(0), 2, "the last one");
        handed.keep(plain(FrontendReq::GET_VRING_BASE, &numbers(&[0, 0])));
        assert_eq!(
            requests(&handed)?,
            [FrontendReq::SET_FEATURES, FrontendReq::SET_VRING_NUM]
        );
        let region = longs(&[0, 4096, 4096, 8192, 0]);
        handed.keep(Message::of(
            FrontendReq::ADD_MEM_REG,
            1,
            &region,
            vec![tempfile::tempfile()?.into()],
        ));
        handed.keep(plain(FrontendReq::REM_MEM_REG, &region));
        handed.keep(plain(FrontendReq::RESET_DEVICE, &[]));
        assert_eq!(requests(&handed)?, [FrontendReq::SET_FEATURES]);
        Ok(())
    }
}
