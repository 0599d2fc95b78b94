//! Tells when a socket of this network namespace begins or ceases to listen.
//!
//! Nothing in the kernel reports that, but it runs programs of ours at these very moments: at `listen` and at each
//! change of such a socket's state (TCP), after `bind` and when a socket is released (UDP). They are attached to the
//! root of all control groups and put an empty record into a ring, which wakes whoever waits for it. So an idle
//! machine is never woken to look.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use nix::libc;
use tokio::io::unix::AsyncFd;

use super::super::{mount::GROUPS, readiness::readable};

/// Room for some hundred records; what does not fit is lost, and those that are there wake as well.
const RING: u32 = 4096;
const PAGE: usize = 4096;

/// Which of the kernel's programs to run where (`linux/bpf.h`).
const PROGRAM_SOCK: u32 = 9;
const PROGRAM_SOCK_OPS: u32 = 13;
const AT_SOCK_OPS: u32 = 3;
const AT_BOUND_V4: u32 = 12;
const AT_BOUND_V6: u32 = 13;
const AT_RELEASED: u32 = 34;

pub(super) struct Changes {
    ring: AsyncFd<OwnedFd>,
    /// How far the records have been taken. Followed by a page that says how far they were put.
    taken: Mapping,
    put: Mapping,
}

impl Changes {
    pub(super) fn subscribe() -> io::Result<Self> {
        let ring = ring()?;
        let network = own_network()?;
        let groups = fs_err::File::open(GROUPS)?;
        let listens = listens(ring.as_raw_fd(), network);
        let datagrams = datagrams(ring.as_raw_fd(), network);
        for (kind, at, instructions) in [
            (PROGRAM_SOCK_OPS, AT_SOCK_OPS, &listens),
            (PROGRAM_SOCK, AT_BOUND_V4, &datagrams),
            (PROGRAM_SOCK, AT_BOUND_V6, &datagrams),
            (PROGRAM_SOCK, AT_RELEASED, &datagrams),
        ] {
            let program = load(kind, at, instructions)?;
            attach(&groups, &program, at)?;
        }
        Ok(Self {
            taken: Mapping::new(&ring, 0, libc::PROT_READ | libc::PROT_WRITE)?,
            put: Mapping::new(&ring, PAGE, libc::PROT_READ)?,
            ring: readable(ring)?,
        })
    }

    /// Waits for the next change. Several that come at once are one.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.ring.readable().await?;
            ready.clear_ready();
            let put = self.put.position().load(Ordering::Acquire);
            if self.taken.position().swap(put, Ordering::AcqRel) != put {
                return Ok(());
            }
        }
    }
}

/// One page of the ring, which begins with a position.
struct Mapping(NonNull<AtomicU64>);

// SAFETY: the page is shared with the kernel, and reached through an atomic only.
#[expect(unsafe_code, reason = "a task may move between threads, and what it holds with it")]
unsafe impl Send for Mapping {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "as above")]
unsafe impl Sync for Mapping {}

impl Mapping {
    #[expect(unsafe_code, reason = "the positions of a ring are in memory that the kernel shares")]
    fn new(ring: &OwnedFd, offset: usize, protection: libc::c_int) -> io::Result<Self> {
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: a new mapping, of a size that the kernel checks against the ring's.
        let page = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                PAGE,
                protection,
                libc::MAP_SHARED,
                ring.as_raw_fd(),
                offset,
            )
        };
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(page.cast())
            .map(Self)
            .ok_or(io::ErrorKind::InvalidData.into())
    }

    #[expect(unsafe_code, reason = "see `new`")]
    fn position(&self) -> &AtomicU64 {
        // SAFETY: the page is mapped until this is dropped, begins with eight aligned bytes, and is written to as
        // atomically by the kernel.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Mapping {
    #[expect(unsafe_code, reason = "see `new`")]
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, with this size, and nobody has a reference any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), PAGE) };
    }
}

/// One instruction: operation, destination and source register, offset, immediate value.
fn instruction(operation: u8, to: u8, from: u8, offset: i16, value: i32) -> u64 {
    let [offset_low, offset_high] = offset.to_le_bytes();
    let [a, b, c, d] = value.to_le_bytes();
    u64::from_ne_bytes([operation, from << 4 | to, offset_low, offset_high, a, b, c, d])
}

/// A 64-bit value takes two. With 1 as the source it is the descriptor of a map.
fn wide(to: u8, from: u8, value: u64) -> [u64; 2] {
    let halves = value.to_le_bytes();
    let half = |at: usize| i32::from_le_bytes([halves[at], halves[at + 1], halves[at + 2], halves[at + 3]]);
    [
        instruction(0x18, to, from, 0, half(0)),
        instruction(0, 0, 0, 0, half(4)),
    ]
}

const LOAD_WORD: u8 = 0x61;
const STORE_DOUBLE: u8 = 0x7a;
const MOVE: u8 = 0xbf;
const MOVE_VALUE: u8 = 0xb7;
const ADD_VALUE: u8 = 0x07;
const JUMP_IF_VALUE: u8 = 0x15;
const JUMP_UNLESS_VALUE: u8 = 0x55;
const JUMP_UNLESS: u8 = 0x5d;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

const WATCH_SOCKET: i32 = 59;
const NETWORK_OF: i32 = 122;
const RING_OUTPUT: i32 = 130;

/// Puts a record of eight zero bytes and ends.
fn tell(ring: RawFd) -> Vec<u64> {
    let mut program = vec![instruction(STORE_DOUBLE, 10, 0, -8, 0)];
    program.extend(wide(1, 1, u64::from(ring.cast_unsigned())));
    program.extend([
        instruction(MOVE, 2, 10, 0, 0),
        instruction(ADD_VALUE, 2, 0, 0, -8),
        instruction(MOVE_VALUE, 3, 0, 0, 8),
        instruction(MOVE_VALUE, 4, 0, 0, 0),
        instruction(CALL, 0, 0, 0, RING_OUTPUT),
        instruction(MOVE_VALUE, 0, 0, 0, 1),
        instruction(EXIT, 0, 0, 0, 0),
    ]);
    program
}

/// `bpf_sock_ops`: the operation at 0, its first argument at 4.
fn listens(ring: RawFd, network: u64) -> Vec<u64> {
    const STATE_CHANGES: i32 = 10;
    const BEGINS_TO_LISTEN: i32 = 11;
    const STATE_FLAG: i32 = 4;
    const LISTEN: i32 = 10;

    let mut program = vec![
        instruction(MOVE, 6, 1, 0, 0),
        instruction(LOAD_WORD, 2, 6, 0, 0),
        instruction(JUMP_IF_VALUE, 2, 0, 5, BEGINS_TO_LISTEN),
        instruction(JUMP_UNLESS_VALUE, 2, 0, 2, STATE_CHANGES),
        instruction(LOAD_WORD, 2, 6, 4, 0),
        // It ceases to listen.
        instruction(JUMP_IF_VALUE, 2, 0, 10, LISTEN),
        instruction(MOVE_VALUE, 0, 0, 0, 1),
        instruction(EXIT, 0, 0, 0, 0),
        // Only a socket of our network, and from now on its states too.
        instruction(MOVE, 1, 6, 0, 0),
        instruction(CALL, 0, 0, 0, NETWORK_OF),
    ];
    program.extend(wide(2, 0, network));
    program.extend([
        instruction(JUMP_UNLESS, 0, 2, -7, 0),
        instruction(MOVE, 1, 6, 0, 0),
        instruction(MOVE_VALUE, 2, 0, 0, STATE_FLAG),
        instruction(CALL, 0, 0, 0, WATCH_SOCKET),
    ]);
    program.extend(tell(ring));
    program
}

/// `bpf_sock`: the type at 8.
fn datagrams(ring: RawFd, network: u64) -> Vec<u64> {
    const DATAGRAM: i32 = 2;

    let mut program = vec![
        instruction(MOVE, 6, 1, 0, 0),
        instruction(LOAD_WORD, 2, 6, 8, 0),
        instruction(JUMP_IF_VALUE, 2, 0, 2, DATAGRAM),
        instruction(MOVE_VALUE, 0, 0, 0, 1),
        instruction(EXIT, 0, 0, 0, 0),
        instruction(MOVE, 1, 6, 0, 0),
        instruction(CALL, 0, 0, 0, NETWORK_OF),
    ];
    program.extend(wide(2, 0, network));
    program.push(instruction(JUMP_UNLESS, 0, 2, -7, 0));
    program.extend(tell(ring));
    program
}

fn ring() -> io::Result<OwnedFd> {
    const MAP_CREATE: libc::c_int = 0;
    const KIND: u32 = 27;

    #[repr(C)]
    struct Attributes {
        kind: u32,
        key_size: u32,
        value_size: u32,
        size: u32,
        flags: u32,
    }
    bpf(
        MAP_CREATE,
        &Attributes {
            kind: KIND,
            key_size: 0,
            value_size: 0,
            size: RING,
            flags: 0,
        },
    )
    .and_then(descriptor)
}

fn load(kind: u32, at: u32, instructions: &[u64]) -> io::Result<OwnedFd> {
    const PROGRAM_LOAD: libc::c_int = 5;

    #[repr(C)]
    struct Attributes {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log: u64,
        kernel: u32,
        flags: u32,
        name: [u8; 16],
        device: u32,
        at: u32,
    }
    let mut name = [0; 16];
    name[..6].copy_from_slice(b"wherry");
    bpf(
        PROGRAM_LOAD,
        &Attributes {
            kind,
            count: u32::try_from(instructions.len()).map_err(io::Error::other)?,
            instructions: instructions.as_ptr().addr() as u64,
            license: c"Apache-2.0".as_ptr().addr() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
            kernel: 0,
            flags: 0,
            name,
            device: 0,
            at,
        },
    )
    .and_then(descriptor)
}

/// The group keeps it from here on.
fn attach(groups: &impl AsRawFd, program: &OwnedFd, at: u32) -> io::Result<()> {
    const PROGRAM_ATTACH: libc::c_int = 8;
    const BESIDE_OTHERS: u32 = 2;

    #[repr(C)]
    struct Attributes {
        group: u32,
        program: u32,
        at: u32,
        flags: u32,
    }
    bpf(
        PROGRAM_ATTACH,
        &Attributes {
            group: groups.as_raw_fd().cast_unsigned(),
            program: program.as_raw_fd().cast_unsigned(),
            at,
            flags: BESIDE_OTHERS,
        },
    )
    .map(drop)
}

#[expect(unsafe_code, reason = "no library we use has bpf(2)")]
fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_long> {
    // SAFETY: each caller's attributes are what `linux/bpf.h` has for its command; the kernel takes what is missing
    // at their end for zero, and reads through the addresses in them only during the call.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer)
}

#[expect(unsafe_code, reason = "the kernel's new descriptors are numbers")]
fn descriptor(number: libc::c_long) -> io::Result<OwnedFd> {
    let number = RawFd::try_from(number).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// What the kernel knows our network namespace by.
#[expect(unsafe_code, reason = "no library we use has this option")]
fn own_network() -> io::Result<u64> {
    const NETWORK_COOKIE: libc::c_int = 71;

    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of::<u64>()).map_err(io::Error::other)?;
    // SAFETY: the option's value is eight bytes, which is what is given.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            NETWORK_COOKIE,
            std::ptr::from_mut(&mut cookie).cast(),
            &raw mut length,
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(cookie)
}
