//! As much of QEMU and a guest as it takes to ask a server of files: memory, queues, and FUSE requests one by one.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost::vhost_user::{Frontend, VhostUserFrontend};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use vmm_sys_util::eventfd::EventFd;

/// The queue of urgent requests, which is left alone here, and that of all others.
const QUEUES: usize = 2;
const ASKS: usize = 1;
/// How many requests a queue holds.
const PLACES: u16 = 16;

/// The guest's memory: each queue's descriptors, requests and answers, then one request and one answer.
const QUEUE: u64 = 0x4000;
const ASKED: u64 = 0x1000;
const ANSWERED: u64 = 0x2000;
const REQUEST: u64 = 0x8000;
const ANSWER: u64 = 0xa000;
const LONGEST: u32 = 0x2000;
const MEMORY: u64 = 0x10000;
/// Where QEMU would have it in its own memory.
const AT: u64 = 0x7f00_0000_0000;

/// `struct virtq_desc`: another one follows; the device writes to it.
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const VERSION_1: u64 = 1 << 32;

/// linux/fuse.h
const LOOKUP: u32 = 1;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const INIT: u32 = 26;
const ROOT: u64 = 1;

/// What the server answers: what comes after the head, or the error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done(Vec<u8>),
    Error(i32),
}

pub(crate) struct Guest {
    memory: File,
    /// How the server hears of requests, and the guest of answers.
    kicks: Vec<EventFd>,
    _calls: Vec<EventFd>,
    asked: u16,
    _qemu: Frontend,
}

impl Guest {
    pub(crate) fn connect(device: &Path) -> io::Result<Self> {
        let memory = File::from(rustix::fs::memfd_create("guest", rustix::fs::MemfdFlags::CLOEXEC)?);
        memory.set_len(MEMORY)?;
        let mut qemu = crate::until("the keeper to listen", || Frontend::connect(device, QUEUES as u64).ok());
        let failed = |error| io::Error::other(format!("{error}"));
        let user_failed = |error| io::Error::other(format!("{error}"));
        qemu.set_owner().map_err(failed)?;
        let offered = qemu.get_features().map_err(failed)?;
        let protocol = VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();
        qemu.set_features(offered & (VERSION_1 | protocol)).map_err(failed)?;
        qemu.get_protocol_features().map_err(user_failed)?;
        qemu.set_protocol_features(VhostUserProtocolFeatures::MQ)
            .map_err(user_failed)?;
        let region = VhostUserMemoryRegionInfo {
            guest_phys_addr: 0,
            memory_size: MEMORY,
            userspace_addr: AT,
            mmap_offset: 0,
            mmap_handle: memory.as_raw_fd(),
        };
        qemu.set_mem_table(&[region]).map_err(failed)?;
        let events = || (0..QUEUES).map(|_| EventFd::new(0)).collect::<io::Result<Vec<_>>>();
        let (kicks, calls) = (events()?, events()?);
        for queue in 0..QUEUES {
            let at = AT + QUEUE * queue as u64;
            let rings = VringConfigData {
                queue_max_size: PLACES,
                queue_size: PLACES,
                flags: 0,
                desc_table_addr: at,
                used_ring_addr: at + ANSWERED,
                avail_ring_addr: at + ASKED,
                log_addr: None,
            };
            qemu.set_vring_num(queue, PLACES).map_err(failed)?;
            qemu.set_vring_addr(queue, &rings).map_err(failed)?;
            qemu.set_vring_base(queue, 0).map_err(failed)?;
            qemu.set_vring_call(queue, &calls[queue]).map_err(failed)?;
            qemu.set_vring_kick(queue, &kicks[queue]).map_err(failed)?;
            qemu.set_vring_enable(queue, true).map_err(user_failed)?;
        }
        Ok(Self {
            memory,
            kicks,
            _calls: calls,
            asked: 0,
            _qemu: qemu,
        })
    }

    pub(crate) fn mount(&mut self) -> io::Result<()> {
        // Version 7.38, a page read ahead, no features, of both kinds.
        let mut body = numbers(&[7, 38, 4096, 0]);
        body.extend([0; 48]);
        self.ask_surely(INIT, 0, &body).map(|_| ())
    }

    /// The node at this path from the root.
    pub(crate) fn find(&mut self, path: &Path) -> io::Result<u64> {
        let mut node = ROOT;
        for part in path.components().skip(1) {
            let name = [OsStr::as_bytes(part.as_os_str()), b"\0"].concat();
            node = long(&self.ask_surely(LOOKUP, node, &name)?, 0);
        }
        Ok(node)
    }

    /// The handle of this file, opened for reading.
    pub(crate) fn open(&mut self, node: u64) -> io::Result<u64> {
        Ok(long(&self.ask_surely(OPEN, node, &numbers(&[0, 0]))?, 0))
    }

    /// What the server says to it is of no interest to a guest.
    pub(crate) fn close(&mut self, node: u64, handle: u64) -> io::Result<()> {
        let mut body = handle.to_ne_bytes().to_vec();
        body.extend([0; 16]);
        self.ask(RELEASE, node, &body).map(|_| ())
    }

    pub(crate) fn attributes(&mut self, node: u64) -> io::Result<Answer> {
        self.ask(GETATTR, node, &[0; 16])
    }

    /// What is in it, up to a page.
    pub(crate) fn read(&mut self, node: u64, handle: u64) -> io::Result<Answer> {
        let mut body = handle.to_ne_bytes().to_vec();
        body.extend(0_u64.to_ne_bytes());
        body.extend(numbers(&[4096, 0, 0, 0, 0, 0]));
        self.ask(READ, node, &body)
    }

    fn ask_surely(&mut self, what: u32, node: u64, body: &[u8]) -> io::Result<Vec<u8>> {
        match self.ask(what, node, body)? {
            Answer::Done(answer) => Ok(answer),
            Answer::Error(error) => Err(io::Error::from_raw_os_error(-error)),
        }
    }

    fn ask(&mut self, what: u32, node: u64, body: &[u8]) -> io::Result<Answer> {
        /// `struct fuse_in_header`, and the head of an answer.
        const HEAD: usize = 40;
        const ANSWER_HEAD: usize = 16;
        let length = u32::try_from(HEAD + body.len()).unwrap_or(u32::MAX);
        // The whole length, what, a number that comes back, the node, who asks.
        let mut request = numbers(&[length, what]);
        request.extend(u64::from(self.asked).to_ne_bytes());
        request.extend(node.to_ne_bytes());
        request.extend(numbers(&[0, 0, 1, 0]));
        request.extend(body);
        self.memory.write_all_at(&request, REQUEST)?;

        let queue = QUEUE * ASKS as u64;
        let descriptor = |at: u64, length: u32, flags: u16, next: u16| {
            let parts = [&at.to_le_bytes()[..], &length.to_le_bytes()];
            [
                parts.concat(),
                flags.to_le_bytes().to_vec(),
                next.to_le_bytes().to_vec(),
            ]
            .concat()
        };
        let chain = [
            descriptor(REQUEST, length, NEXT, 1),
            descriptor(ANSWER, LONGEST, WRITE, 0),
        ];
        self.memory.write_all_at(&chain.concat(), queue)?;
        // The chain begins with descriptor 0; the index comes last.
        let place = u64::from(self.asked % PLACES) * 2;
        self.memory.write_all_at(&[0; 2], queue + ASKED + 4 + place)?;
        self.asked = self.asked.wrapping_add(1);
        self.memory.write_all_at(&self.asked.to_le_bytes(), queue + ASKED + 2)?;
        self.kicks[ASKS].write(1)?;
        self.until_answered(queue)?;

        let mut head = [0; ANSWER_HEAD];
        self.memory.read_exact_at(&mut head, ANSWER)?;
        let error = i32::from_ne_bytes([head[4], head[5], head[6], head[7]]);
        if error != 0 {
            return Ok(Answer::Error(error));
        }
        let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let mut answer = vec![0; length - ANSWER_HEAD];
        self.memory.read_exact_at(&mut answer, ANSWER + ANSWER_HEAD as u64)?;
        Ok(Answer::Done(answer))
    }

    fn until_answered(&self, queue: u64) -> io::Result<()> {
        crate::until("an answer to the guest", || {
            let mut answered = [0; 2];
            match self.memory.read_exact_at(&mut answered, queue + ANSWERED + 2) {
                Ok(()) => (u16::from_le_bytes(answered) == self.asked).then_some(Ok(())),
                Err(error) => Some(Err(error)),
            }
        })
    }
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let eight = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    u64::from_ne_bytes(eight.unwrap_or_default())
}
