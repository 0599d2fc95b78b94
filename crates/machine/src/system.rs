//! Everything that differs between operating systems, in one place, under the same names for each.
//!
//! What a module here offers: local sockets (`Listener`, `Stream`, `connect`, `endpoint`), detached processes
//! (`detach`, `Process`), and facts about the host (`boot_id`, `ACCELERATOR`, `port_denied`, `name_servers`).

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

use std::path::Path;

/// Why the accelerator is not worth a try, and what would change that, in sentences. Only Linux tells.
pub(crate) type NoAccelerator = (String, &'static str);

/// A short name for a home, the same in every process (FNV-1a; the standard hasher promises no stability).
fn digest(root: &Path) -> u64 {
    root.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// What a process of ours may make for itself. All of it is this user's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Makes {
    Anything,
    /// Nothing that is run or entered: QEMU makes its sockets as if they were programs.
    PlainFiles,
}
