//! The loopback device and name servers. The kernel has configured the card itself (`ip=` on its command line).

use std::io;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use super::mount::RUN;

/// The name server of QEMU's user network, for a kernel that was told none.
const FALLBACK: &str = "nameserver 10.0.2.3\n";

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("Could not bring up the loopback device")]
    Loopback {
        #[source]
        source: io::Error,
    },
    #[error("Could not write the name servers")]
    NameServers {
        #[source]
        source: io::Error,
    },
}

pub(super) fn up() -> Result<(), Error> {
    loopback().map_err(|source| Error::Loopback { source })?;
    let kernel = fs_err::read_to_string("/proc/net/pnp").unwrap_or_default();
    fs_err::write(format!("{RUN}/resolv.conf"), name_servers(&kernel)).map_err(|source| Error::NameServers { source })
}

/// The lines of a resolver's configuration in what the kernel learned when it configured the card.
fn name_servers(kernel: &str) -> String {
    let lines: String = kernel
        .lines()
        .filter(|line| {
            ["nameserver ", "domain ", "search "]
                .iter()
                .any(|word| line.starts_with(word))
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    if lines.contains("nameserver ") {
        lines
    } else {
        lines + FALLBACK
    }
}

/// The loopback device has index 1 in every network namespace.
fn loopback() -> io::Result<()> {
    let request = set_up(1);
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    send(&socket, &request, SendFlags::empty())?;
    let mut answer = [0; 64];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    // nlmsghdr, then the error as a negative number; zero is the acknowledgement.
    let error = answer
        .get(16..20)
        .filter(|_| length >= 20)
        .and_then(|bytes| bytes.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// `RTM_NEWLINK` that sets `IFF_UP`, as rtnetlink(7) describes it.
fn set_up(index: i32) -> [u8; 32] {
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    const UP: u32 = 1;

    let mut message = [0; 32];
    message[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message[8..12].copy_from_slice(&1_u32.to_ne_bytes());
    // ifinfomsg begins at 16: family, padding, type, index at 20, flags at 24, which flags change at 28.
    message[20..24].copy_from_slice(&index.to_ne_bytes());
    message[24..28].copy_from_slice(&UP.to_ne_bytes());
    message[28..32].copy_from_slice(&UP.to_ne_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_the_kernels_or_the_user_networks() {
        let kernel = "#MANUAL\nnameserver 10.0.2.3\ndomain example.org\nbootserver 0.0.0.0\n";
        assert_eq!(name_servers(kernel), "nameserver 10.0.2.3\ndomain example.org\n");
        assert_eq!(name_servers("#MANUAL\n"), FALLBACK);
    }
}
