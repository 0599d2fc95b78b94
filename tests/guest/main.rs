//! The real machine: the guest image booted under QEMU, used through `wherry` and the docker command.

mod data;
mod faults;
mod giveback;
mod lost;
mod names;
mod ports;
mod reach;
mod shares;
mod shares_by_qemu;
mod soak;
mod start;
mod suspend;
mod trust;
