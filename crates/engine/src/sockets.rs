//! Who listens inside a container, read from the container's own socket table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Engine, Error, Protocol};

/// Some thousand connections.
const TABLE: usize = 2 << 20;

/// `TCP_LISTEN` and `TCP_CLOSE` of Linux, which is what a socket of UDP that waits has.
const LISTEN: u8 = 0x0a;
const WAITS: u8 = 0x07;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// `0.0.0.0` and `::` are every address, `127.0.0.1` and `::1` only the container itself.
    pub address: IpAddr,
    pub port: u16,
    pub protocol: Protocol,
}

impl Engine {
    /// Who listens in a container that runs. `None` when it has no program to read its own table with.
    pub async fn listeners(&self, container: &str) -> Result<Option<Vec<Listener>>, Error> {
        let files = ["/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6"];
        let command = [&["cat"][..], &files].concat();
        let output = match self.output(container, &command, None, TABLE).await {
            Ok(output) => output,
            Err(Error::Refused { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let table = String::from_utf8_lossy(&output.stdout);
        Ok(table.contains("local_address").then(|| listeners(&table)))
    }
}

/// The tables one after another, each with its heading: see proc(5).
fn listeners(tables: &str) -> Vec<Listener> {
    let mut protocol = Protocol::Tcp;
    let mut found: Vec<Listener> = Vec::new();
    for line in tables.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields.get(1) == Some(&"local_address") {
            // UDP's tables have a column more. Where a kernel has no IPv6 its tables are missing: counting is not enough.
            protocol = if line.contains("drops") {
                Protocol::Udp
            } else {
                Protocol::Tcp
            };
            continue;
        }
        let [_, local, _, state, ..] = fields.as_slice() else {
            continue;
        };
        let wanted = match protocol {
            Protocol::Tcp | Protocol::Sctp => LISTEN,
            Protocol::Udp => WAITS,
        };
        if u8::from_str_radix(state, 16) != Ok(wanted) {
            continue;
        }
        if let Some((address, port)) = local.split_once(':')
            && let (Some(address), Ok(port)) = (address_of(address), u16::from_str_radix(port, 16))
        {
            found.push(Listener {
                address,
                port,
                protocol,
            });
        }
    }
    found.sort();
    found.dedup();
    found
}

/// `0100007F` is 127.0.0.1: four bytes each in the computer's own order, which is little endian wherever engines run.
fn address_of(hexadecimal: &str) -> Option<IpAddr> {
    let words: Vec<u8> = (0..hexadecimal.len() / 8)
        .map(|at| u32::from_str_radix(hexadecimal.get(at * 8..at * 8 + 8)?, 16).ok())
        .collect::<Option<Vec<u32>>>()?
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    match words.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(words).ok()?).into()),
        16 => {
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?);
            // `::ffff:127.0.0.1` is what a program that speaks both says.
            Some(address.to_ipv4_mapped().map_or(address.into(), IpAddr::from))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_table_says_who_listens_where() {
        let tables = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 020011AC:C350 010011AC:01BB 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  9: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4 2 0 0
";
        let found = listeners(tables);
        let words: Vec<String> = found
            .iter()
            .map(|one| format!("{:?} {}:{}", one.protocol, one.address, one.port))
            .collect();
        assert_eq!(words, ["Udp 0.0.0.0:53", "Tcp 127.0.0.1:8000", "Tcp :::80"]);
    }
}
