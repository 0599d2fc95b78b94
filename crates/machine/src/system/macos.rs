use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent, kqueue};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, test_kill_process, waitpid};

use super::NoAccelerator;

/// The hardware accelerator of this system, in QEMU's word.
pub(crate) const ACCELERATOR: &str = "hvf";

/// The keychains list every authority that is trusted.
pub(crate) const LISTS_EVERY_AUTHORITY: bool = true;

pub(crate) const SANDBOX: &[&str] = &[];

pub(crate) const SERVES_FILES: bool = false;

/// Every Mac that runs a supported macOS has it.
pub(crate) fn accelerator_missing() -> Option<NoAccelerator> {
    None
}

/// How to get QEMU here.
pub(crate) fn install_hint(_program: &str) -> String {
    "Install it with: brew install qemu".into()
}

/// Why a port may not be opened, and what allows it.
pub(crate) fn port_denied(host: SocketAddr) -> String {
    format!(
        "{} may only be opened by the administrator on {}; on every address it is free for everyone",
        host.port(),
        host.ip()
    )
}

/// macOS keeps no ports for itself.
pub(crate) fn reserved_ports() -> Option<String> {
    None
}

/// Differs after every start of this computer.
pub(crate) fn boot_id() -> String {
    sysinfo::System::boot_time().unwrap_or_default().to_string()
}

/// A running process, ours or not.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
}

impl Process {
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a process id"))?;
        test_kill_process(pid)?;
        Ok(Self { pid })
    }

    /// Returns when the process has ended, and reaps it when it is a child of ours.
    pub(crate) async fn ended(&self) {
        let pid = self.pid;
        // Watching for an exit takes a thread here: tokio does not offer kqueue's process filter.
        let _ = tokio::task::spawn_blocking(move || wait_for_exit(pid)).await;
        let _ = waitpid(Some(self.pid), WaitOptions::NOHANG);
    }

    pub(crate) fn kill(&self) {
        // It may have ended by itself a moment ago, which is what was wanted.
        let _ = kill_process(self.pid, Signal::KILL);
    }
}

fn wait_for_exit(pid: Pid) -> io::Result<()> {
    let queue = kqueue()?;
    let filter = EventFilter::Proc {
        pid,
        flags: ProcessEvents::EXIT,
    };
    let interest = [Event::new(
        filter,
        EventFlags::ADD | EventFlags::ONESHOT,
        std::ptr::null_mut(),
    )];
    let mut happened = Vec::with_capacity(1);
    #[expect(unsafe_code, reason = "kevent takes raw descriptors")]
    // SAFETY: the only filter names a process, no descriptor.
    unsafe {
        kevent(
            &queue,
            &interest,
            rustix::buffer::spare_capacity(&mut happened),
            None::<Duration>,
        )?;
    }
    Ok(())
}

/// The system chooses among its servers by the name's domain. `/etc/resolv.conf` has the main ones.
pub(crate) const RESOLVES_BY_DOMAIN: bool = true;

/// Whom to ask for names when no file says it.
pub(crate) fn name_servers() -> Vec<IpAddr> {
    Vec::new()
}

/// Scopes of addresses are of no use for the few questions that these servers are asked.
pub(crate) fn interface(_name: &str) -> Option<u32> {
    None
}
