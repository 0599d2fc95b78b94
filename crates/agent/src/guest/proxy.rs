//! What dockerd starts for each published port, in the place of its own proxy: asks the agent to publish the
//! port, says on descriptor 3 how that went, and lives as long as the port is published.
//!
//! Nothing is forwarded here: the host connects through the link. There may be hundreds of these processes, so
//! there is no runtime in them and no second thread.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{IpAddr, SocketAddr},
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
    process::ExitCode,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};
use wherry_link::{GuestRequest, Protocol, Publication, Reply};

use super::publish::SOCKET;

/// Where dockerd waits for `0` and a newline, or `1`, a newline and the sentence that the person will read.
const STATUS: &str = "/proc/self/fd/3";

/// For tests of this process on a host.
const SOCKET_VARIABLE: &str = "WHERRY_AGENT_SOCKET";

/// Whether these are the arguments of a userland proxy.
pub(super) fn wanted(arguments: &[String]) -> bool {
    arguments
        .iter()
        .any(|argument| argument.trim_start_matches('-').split('=').next() == Some("proto"))
}

pub(super) fn main(arguments: &[String]) -> ExitCode {
    // Before anything else, so that a signal that comes early ends us in the same way.
    let mut ends = SigSet::empty();
    ends.add(Signal::SIGINT);
    ends.add(Signal::SIGTERM);
    let asked_to_end = ends
        .thread_block()
        .and_then(|()| SignalFd::with_flags(&ends, SfdFlags::SFD_CLOEXEC));
    let socket = std::env::var(SOCKET_VARIABLE).unwrap_or_else(|_| SOCKET.into());
    let published = asked_to_end
        .map_err(|error| error.to_string())
        .and_then(|asked_to_end| {
            let publication = parse(arguments)?;
            Ok((asked_to_end, publish(Path::new(&socket), publication)?))
        });
    match published {
        Ok((asked_to_end, agent)) => {
            report("0\n");
            // The agent says nothing more. Without it nothing is published.
            let mut first = [&asked_to_end.as_fd(), &agent.as_fd()].map(|end| PollFd::new(*end, PollFlags::POLLIN));
            let waited = poll(&mut first, PollTimeout::NONE);
            // The connection is closed by our end, and that releases the port.
            if waited.is_ok() && first[0].any() == Some(true) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(message) => {
            report(&format!("1\n{message}"));
            ExitCode::FAILURE
        }
    }
}

fn report(status: &str) {
    let told = fs_err::OpenOptions::new()
        .write(true)
        .open(STATUS)
        .and_then(|mut pipe| pipe.write_all(status.as_bytes()));
    if let Err(error) = told {
        let _ = writeln!(io::stderr(), "wherry-agent: {error}: {status}");
    }
}

/// The arguments are `-name value` or `-name=value`; ones that later versions of dockerd add are passed over.
fn parse(arguments: &[String]) -> Result<Publication, String> {
    let value = |name: &str| {
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.trim_start_matches('-').split_once('=') {
                Some((key, value)) if key == name => return Ok(value),
                None if argument.trim_start_matches('-') == name => {
                    return rest.next().map(String::as_str).ok_or(format!("-{name} has no value"));
                }
                _ => {}
            }
        }
        Err(format!("-{name} is missing"))
    };
    let address = |name| {
        let value = value(name)?;
        value
            .parse::<IpAddr>()
            .map_err(|_| format!("-{name} is not an address: {value}"))
    };
    let port = |name| {
        let value = value(name)?;
        value
            .parse::<u16>()
            .map_err(|_| format!("-{name} is not a port: {value}"))
    };
    Ok(Publication {
        protocol: match value("proto")? {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            other => return Err(format!("-proto is not known: {other}")),
        },
        host_address: address("host-ip")?,
        host_port: port("host-port")?,
        container: SocketAddr::new(address("container-ip")?, port("container-port")?),
        owner: None,
    })
}

fn publish(socket: &Path, publication: Publication) -> Result<UnixStream, String> {
    let asked = || {
        let mut agent = UnixStream::connect(socket)?;
        let mut line = serde_json::to_vec(&GuestRequest::Publish {
            publication,
            must: true,
        })?;
        line.push(b'\n');
        agent.write_all(&line)?;
        let mut reply = String::new();
        // The agent bounds the wait and says nothing after the line, so the reader takes nothing too much.
        BufReader::new(&agent).read_line(&mut reply)?;
        Ok::<_, io::Error>((agent, serde_json::from_str(&reply)?))
    };
    match asked() {
        Ok((agent, Reply::Ok { value: () })) => Ok(agent),
        Ok((_, Reply::Refused { message })) => Err(message),
        Err(error) => Err(format!("The machine's agent does not answer: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn arguments_as_dockerd_gives_them() {
        let line = "-proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80";
        let expected = Publication {
            protocol: Protocol::Tcp,
            host_address: IpAddr::from([0, 0, 0, 0]),
            host_port: 8080,
            container: SocketAddr::from(([172, 17, 0, 2], 80)),
            owner: None,
        };
        assert!(wanted(&arguments(line)));
        assert_eq!(parse(&arguments(line)), Ok(expected.clone()));
        // As Moby 28 does.
        let line = format!("{line} -use-listen-fd");
        assert_eq!(parse(&arguments(&line)), Ok(expected));
    }

    #[test]
    fn both_address_families_and_protocols() {
        let line = "--proto=udp --host-ip=:: --host-port=53 --container-ip=fd00::2 --container-port=5353";
        let publication = parse(&arguments(line));
        assert!(publication.is_ok_and(|publication| {
            publication.protocol == Protocol::Udp
                && publication.host_address == IpAddr::from([0; 16])
                && publication.container.to_string() == "[fd00::2]:5353"
        }));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(!wanted(&arguments("--help")));
        assert_eq!(parse(&arguments("-proto")), Err("-proto has no value".into()));
        assert_eq!(parse(&arguments("-proto tcp")), Err("-host-ip is missing".into()));
        let line = "-proto tcp -host-ip 0.0.0.0 -host-port 99999 -container-ip 172.17.0.2 -container-port 80";
        assert_eq!(parse(&arguments(line)), Err("-host-port is not a port: 99999".into()));
    }
}
