use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};
use tokio::io::unix::AsyncFd;

use super::NoAccelerator;

/// The hardware accelerator of this system, in QEMU's word.
pub(crate) const ACCELERATOR: &str = "kvm";

/// The store that programs share here lists every authority that is trusted.
pub(crate) const LISTS_EVERY_AUTHORITY: bool = true;

/// Keeps a QEMU that a guest has broken out into from starting programs or gaining rights.
pub(crate) const SANDBOX: &[&str] = &[
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
];

/// QEMU takes folders from a process of ours.
pub(crate) const SERVES_FILES: bool = true;

pub(crate) fn accelerator_missing() -> Option<NoAccelerator> {
    let opened = std::fs::File::options().read(true).write(true).open("/dev/kvm");
    opened.err().map(|error| no_kvm(&error))
}

fn no_kvm(error: &io::Error) -> NoAccelerator {
    const SWITCH_ON: &str =
        "Switch virtualization on in this computer's firmware settings, or allow it for this virtual machine.";
    match error.kind() {
        io::ErrorKind::NotFound => (
            "This computer offers no hardware virtualization (there is no /dev/kvm).".into(),
            SWITCH_ON,
        ),
        io::ErrorKind::PermissionDenied => (
            "This user may not use hardware virtualization; being in the group kvm allows it.".into(),
            "Join that group, then sign out of this computer and in again: sudo usermod -aG kvm \"$USER\"",
        ),
        _ => (
            format!("Hardware virtualization cannot be used: /dev/kvm: {error}."),
            SWITCH_ON,
        ),
    }
}

/// How to get QEMU here.
pub(crate) fn install_hint(program: &str) -> String {
    let arm = program.ends_with("aarch64");
    let package = if arm { "qemu-system-arm" } else { "qemu-system-x86" };
    let managers = [
        ("apt-get", format!("sudo apt install {package}")),
        ("dnf", format!("sudo dnf install {package}-core")),
        ("pacman", format!("sudo pacman -S {package}")),
        (
            "zypper",
            format!("sudo zypper install {}", if arm { "qemu-arm" } else { "qemu-x86" }),
        ),
    ];
    managers
        .into_iter()
        .find(|(manager, _)| {
            ["/usr/bin", "/bin"]
                .iter()
                .any(|folder| std::path::Path::new(folder).join(manager).exists())
        })
        .map_or_else(
            || format!("Install {program} with the system's package manager."),
            |(_, command)| format!("Install it with: {command}"),
        )
}

/// Why a port may not be opened, and the command that allows it.
pub(crate) fn port_denied(host: SocketAddr) -> String {
    let port = host.port();
    format!(
        "{port} may only be opened by the administrator. This allows ports from {port} on, until this computer \
         restarts: sudo sysctl -w net.ipv4.ip_unprivileged_port_start={port}"
    )
}

/// Which ports programs of this user cannot have although nobody holds them, in a sentence.
pub(crate) fn reserved_ports() -> Option<String> {
    let read = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    read("ip_local_reserved_ports").map(|ports| {
        format!("This computer's administrator keeps the ports {ports} from being given out by chance; name them to use them.")
    })
}

/// Differs after every start of this computer.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// A running process, ours or not, held so that its number cannot come to mean another one.
#[derive(Debug)]
pub(crate) struct Process {
    descriptor: AsyncFd<OwnedFd>,
}

impl Process {
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a process id"))?;
        let descriptor = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        #[expect(unsafe_code, reason = "tokio must be promised that the descriptor stays the same")]
        // SAFETY: an `OwnedFd` is one and the same open descriptor for as long as it lives, and `AsyncFd` owns it.
        let descriptor = unsafe { AsyncFd::register_with_interest(descriptor, tokio::io::Interest::READABLE)? };
        Ok(Self { descriptor })
    }

    /// Returns when the process has ended, and reaps it when it is a child of ours.
    pub(crate) async fn ended(&self) {
        let _ = self.descriptor.readable().await;
        let _ = waitid(
            WaitId::PidFd(std::os::fd::AsFd::as_fd(self.descriptor.get_ref())),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
        );
    }

    pub(crate) fn kill(&self) {
        // It may have ended by itself a moment ago, which is what was wanted.
        let _ = pidfd_send_signal(self.descriptor.get_ref(), Signal::KILL);
    }
}

/// Whether one list of servers does not say whom this system asks for a name.
pub(crate) const RESOLVES_BY_DOMAIN: bool = false;

/// Whom to ask for names when no file says it: resolv.conf(5).
pub(crate) fn name_servers() -> Vec<IpAddr> {
    vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]
}

/// The number of the network device with this name.
pub(crate) fn interface(name: &str) -> Option<u32> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None);
    rustix::net::netdevice::name_to_index(socket.ok()?, name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_use_kvm_is_told_how_to_be_allowed_and_nothing_of_firmware() {
        let (_, advice) = no_kvm(&io::ErrorKind::PermissionDenied.into());
        assert!(advice.ends_with("sudo usermod -aG kvm \"$USER\""), "{advice}");
        let (_, advice) = no_kvm(&io::ErrorKind::NotFound.into());
        assert!(advice.contains("firmware"), "{advice}");
    }
}
