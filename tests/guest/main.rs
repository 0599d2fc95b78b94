//! The real machine: the guest image booted under QEMU, used through `wherry` and the docker command.

mod faults;
mod giveback;
mod ports;
mod start;
