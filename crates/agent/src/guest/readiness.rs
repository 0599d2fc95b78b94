//! Descriptors that tokio has no type of its own for.

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Waits for reading only: all that the descriptors here can do.
#[expect(
    unsafe_code,
    reason = "tokio wants a promise that an owned descriptor keeps by itself"
)]
pub(super) fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, stays the same and is closed only when it is dropped, which the `AsyncFd` that
    // owns it from here on does last.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    Ok(registered?)
}
