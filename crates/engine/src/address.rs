//! Where an engine listens, as `DOCKER_HOST` writes it.

use std::fmt;
use std::path::PathBuf;

use crate::Error;
use crate::transport::system;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A unix socket, or a named pipe on Windows.
    Local(PathBuf),
    /// HTTP without encryption. `host:port`.
    Tcp(String),
}

/// What `tcp://host` without a port means.
const DEFAULT_PORT: &str = "2375";

impl Address {
    pub fn parse(text: &str) -> Result<Address, Error> {
        let unsupported = |reason| Error::UnsupportedAddress {
            address: text.to_owned(),
            reason,
        };
        let Some((scheme, rest)) = text.trim().split_once("://") else {
            return Err(Error::BadAddress {
                address: text.to_owned(),
            });
        };
        if rest.is_empty() {
            return Err(Error::BadAddress {
                address: text.to_owned(),
            });
        }
        match scheme {
            _ if scheme == system::SCHEME => Ok(Address::Local(system::path(rest))),
            "unix" => Err(unsupported("Unix sockets are not available on this system.")),
            "npipe" => Err(unsupported("Named pipes exist on Windows only.")),
            "tcp" | "http" => {
                let host = rest.trim_end_matches('/');
                if host.contains('/') {
                    return Err(Error::BadAddress {
                        address: text.to_owned(),
                    });
                }
                let has_port = host
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
                Ok(Address::Tcp(if has_port {
                    host.to_owned()
                } else {
                    format!("{host}:{DEFAULT_PORT}")
                }))
            }
            "https" => Err(unsupported("Encrypted connections to an engine are not supported yet.")),
            "ssh" => Err(unsupported(
                "Engines over SSH are not supported yet. Forward its socket: ssh -L /tmp/docker.sock:/var/run/docker.sock.",
            )),
            _ => Err(Error::BadAddress {
                address: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Local(path) => formatter.write_str(&system::address(path)),
            Address::Tcp(host) => write!(formatter, "tcp://{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_it_is_written() {
        for text in ["tcp://127.0.0.1:2375", "tcp://[::1]:2375"] {
            assert_eq!(Address::parse(text).expect(text).to_string(), text);
        }
        assert_eq!(
            Address::parse("tcp://box").expect("a port is not needed").to_string(),
            "tcp://box:2375"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_s_address_reads_as_it_is_written() {
        let text = "unix:///var/run/docker.sock";
        assert_eq!(Address::parse(text).expect(text).to_string(), text);
    }

    #[test]
    fn what_cannot_be_followed_is_said_in_a_sentence() {
        let said: Vec<String> = [
            "ssh://me@box",
            "https://box:2376",
            "/var/run/docker.sock",
            "unix://",
            "fd://",
            "",
        ]
        .into_iter()
        .map(|text| Address::parse(text).expect_err(text).to_string())
        .collect();
        insta::assert_snapshot!(said.join("\n"));
    }
}
