//! The person's folders, served to the machine: a virtio-fs server over virtiofsd's library.
//!
//! It runs as the person, in three processes next to QEMU that end with it: one serves, one keeps the connection to
//! QEMU, so that a server that dies is followed by another, and one waits to follow the keeper. What the guest sees is one tree that
//! starts at `/` and holds nothing but the shared folders and the way to them. It knows nothing of machines: the daemon
//! tells it over a socket what to show.

#[cfg(target_os = "linux")]
mod control;
#[cfg(target_os = "linux")]
mod folders;
#[cfg(target_os = "linux")]
mod handed;
#[cfg(target_os = "linux")]
mod keep;
#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod message;
#[cfg(target_os = "linux")]
mod numbers;
#[cfg(target_os = "linux")]
mod owner;
#[cfg(target_os = "linux")]
mod raise;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod spare;
#[cfg(target_os = "linux")]
mod view;
#[cfg(target_os = "linux")]
mod watch;

#[cfg(target_os = "linux")]
pub use {
    keep::{WITHIN, keep, stand_by},
    serve::{Begins, Error, serve},
};
