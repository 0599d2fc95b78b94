//! The host's loopback inside the machine: every TCP connection to one address of ours leads there, through the link.
//! Datagrams to it are [`datagrams`].
//!
//! Whether somebody listens is known on the host only. So the first packet of each connection waits in a queue of the
//! packet filter until the host has connected or was refused, and a client meets what it would meet on the host: a
//! connection that stands, or "connection refused" at once. Taking every connection and closing it again would make
//! `nc -z` and whatever waits for a service see one at every port.
//!
//! Containers get there by their default route, the machine's own programs and builds by the loopback device; both
//! pass the same rules.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::sys::socket::{getsockopt, sockopt::OriginalDst};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use wherry_link::{GuestRequest, Stream, splice};

use super::{
    Guest, client, datagrams,
    log::say,
    mark::{OPEN, REFUSED},
    mount::RUN,
    network::Addresses,
    queue::{Queue, Verdict, packets},
};

/// Where the packet filter sends what may pass. It is as good as any other: a connection to this port comes here in
/// the same way.
const PORT: u16 = 1;

/// The queue's number is ours to choose.
const QUEUE: u16 = 1;

/// As much of a packet as has the ports in it, whatever options its header has.
const COPIED: u16 = 64;

/// How long the host may take to connect. What listens on its loopback answers at once or is stuck.
const REACH: Duration = Duration::from_secs(10);

/// How long a client may take to go on once the host has connected. It is in the same machine.
const TAKEN: Duration = Duration::from_secs(10);

/// How many connections the host may be busy with at the same time. A client repeats what finds no room.
const ASKING: usize = 256;

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("Could not listen for connections to the host")]
    Listen {
        #[source]
        source: io::Error,
    },
    #[error("Could not watch for connections to the host")]
    Queue {
        #[source]
        source: io::Error,
    },
    #[error("Could not set the packet filter's rules: {output}")]
    Rules { output: String },
}

/// Who wants to connect, and to which port of the host.
type Wanted = (SocketAddrV4, u16);

enum Answer {
    /// The host was asked and has not answered yet.
    Awaited,
    /// It is connected; the client's own connection is about to come.
    Connected(Stream),
}

struct Host {
    guest: Arc<Guest>,
    queue: Queue,
    /// Locked for single look-ups and changes.
    answers: Mutex<HashMap<Wanted, Answer>>,
    room: Arc<Semaphore>,
}

/// Returns when connections may come.
pub(super) async fn serve(guest: &Arc<Guest>, addresses: Addresses) -> Result<(), Error> {
    let listener = TcpListener::bind((addresses.host, PORT))
        .await
        .map_err(|source| Error::Listen { source })?;
    let host = Arc::new(Host {
        guest: Arc::clone(guest),
        queue: Queue::open(QUEUE, COPIED).map_err(|source| Error::Queue { source })?,
        answers: Mutex::default(),
        room: Arc::new(Semaphore::new(ASKING)),
    });
    tokio::spawn(Arc::clone(&host).watch());
    wherry_link::carrier().spawn(host.accept(listener));
    datagrams::serve(guest, addresses.host).map_err(|source| Error::Queue { source })?;
    set_rules(guest, "iptables", &rules(addresses)).await?;
    guest.clients.ready();
    Ok(())
}

/// Set before dockerd sets its own, which would lead connections to a port that a container has published past us.
fn rules(addresses: Addresses) -> String {
    let (host, name_server) = (addresses.host, addresses.name_server);
    let everywhere = |rules: &str| -> String {
        let chains = ["PREROUTING", "OUTPUT"];
        chains.iter().map(|chain| rules.replace("CHAIN", chain)).collect()
    };
    let ask = everywhere(&format!(
        "-A CHAIN -d {host} -p tcp --syn -m mark --mark 0 -j NFQUEUE --queue-num {QUEUE}\n\
         -A CHAIN -d {host} -p udp -m mark --mark 0 -j NFQUEUE --queue-num {}\n",
        datagrams::QUEUE
    ));
    let lead = everywhere(&format!(
        "-A CHAIN -d {host} -p tcp -m mark --mark {OPEN} -j DNAT --to-destination {host}:{PORT}\n\
         -A CHAIN -d {host} -j ACCEPT\n\
         -A CHAIN -d {name_server} -j ACCEPT\n"
    ));
    // What the host refused, and never what a container on the machine's own network happens to listen at.
    let refuse = format!("-A INPUT -d {host} -p tcp --syn -m mark ! --mark {OPEN} -j REJECT --reject-with tcp-reset\n");
    let clients = client::rules();
    format!("*mangle\n{ask}{clients}COMMIT\n*nat\n{lead}COMMIT\n*filter\n{refuse}COMMIT\n")
}

/// Adds them to what there is.
pub(super) async fn set_rules(guest: &Guest, tables: &str, rules: &str) -> Result<(), Error> {
    let failed = |output: String| Error::Rules { output };
    let file = format!("{RUN}/{tables}.rules");
    fs_err::write(&file, rules).map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(format!("{tables}-restore"));
    let done = guest.children.run(command.args(["--wait", "--noflush", &file])).await;
    let done = done.map_err(|error| failed(error.to_string()))?;
    if done.code == Some(0) {
        Ok(())
    } else {
        Err(failed(done.text))
    }
}

impl Host {
    /// Looks at the first packet of every connection.
    async fn watch(self: Arc<Self>) {
        // One packet with its attributes; only the packet's beginning is asked for.
        let mut buffer = [0; 4096];
        loop {
            match self.queue.read(&mut buffer).await {
                Ok(read) => {
                    for (id, packet) in packets(read) {
                        self.packet(id, wanted(packet));
                    }
                }
                Err(error) => return say!("connections to the host are not seen any more: {error}"),
            }
        }
    }

    fn packet(self: &Arc<Self>, id: u32, wanted: Option<Wanted>) {
        let Some(wanted) = wanted else {
            return self.queue.decide(id, Verdict::Accept { mark: REFUSED });
        };
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            return self.queue.decide(id, Verdict::Drop);
        };
        match self.answers().entry(wanted) {
            Entry::Occupied(_) => return self.queue.decide(id, Verdict::Drop),
            Entry::Vacant(vacant) => vacant.insert(Answer::Awaited),
        };
        let host = Arc::clone(self);
        tokio::spawn(async move {
            let connected = host.reach(wanted.1).await;
            drop(permit);
            let Some(stream) = connected else {
                host.answers().remove(&wanted);
                return host.queue.decide(id, Verdict::Accept { mark: REFUSED });
            };
            host.answers().insert(wanted, Answer::Connected(stream));
            host.queue.decide(id, Verdict::Accept { mark: OPEN });
            // A client that went away in between leaves its stream here.
            sleep(TAKEN).await;
            host.answers().remove(&wanted);
        });
    }

    /// A stream to this port of the host.
    async fn reach(&self, port: u16) -> Option<Stream> {
        let reached = async {
            let session = self.guest.session().await?;
            let answer = session.ask::<_, ()>(&GuestRequest::Reach { port }).await;
            answer.ok().map(|((), stream)| stream)
        };
        timeout(REACH, reached).await.ok().flatten()
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((connection, SocketAddr::V4(client))) => {
                    tokio::spawn(Arc::clone(&self).carry(connection, client));
                }
                Ok((_, SocketAddr::V6(_))) => {}
                Err(error) => {
                    say!("a connection to the host: {error}");
                    // No descriptors left: that does not change at once.
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn carry(self: Arc<Self>, connection: TcpStream, client: SocketAddrV4) {
        let Ok(original) = getsockopt(&connection, OriginalDst) else {
            return;
        };
        let port = u16::from_be(original.sin_port);
        let answer = self.answers().remove(&(client, port));
        let stream = match answer {
            Some(Answer::Connected(stream)) => Some(stream),
            // The packet filter gives a client another port when it uses one for two connections to the host.
            Some(Answer::Awaited) | None => self.reach(port).await,
        };
        match stream {
            Some(stream) => {
                let _ = connection.set_nodelay(true);
                let _ = splice(connection, stream).await;
            }
            None => {
                let _ = connection.set_zero_linger();
            }
        }
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<Wanted, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who wants what, by the headers of IPv4 (RFC 791) and TCP.
fn wanted(packet: &[u8]) -> Option<Wanted> {
    const TCP: u8 = 6;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    if packet[0] >> 4 != 4 || *packet.get(9)? != TCP {
        return None;
    }
    let client: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let port = |at: usize| Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?));
    Some((
        SocketAddrV4::new(Ipv4Addr::from(client), port(header)?),
        port(header + 2)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SYN from 172.17.0.2:40000 to port 5432, with four bytes of options in the IP header.
    fn syn() -> Vec<u8> {
        let mut packet = vec![
            0x46, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0, 172, 17, 0, 2, 192, 168, 65, 254,
        ];
        packet.extend([1, 1, 1, 1]);
        packet.extend(40000_u16.to_be_bytes());
        packet.extend(5432_u16.to_be_bytes());
        packet.resize(44, 0);
        packet
    }

    #[test]
    fn a_packet_says_who_wants_to_reach_which_port() {
        let expected = (SocketAddrV4::new(Ipv4Addr::new(172, 17, 0, 2), 40000), 5432);
        assert_eq!(wanted(&syn()), Some(expected));
        let mut other = syn();
        other[9] = 17;
        assert_eq!(wanted(&other), None, "UDP");
        for length in 0..28 {
            assert_eq!(wanted(&syn()[..length]), None, "{length}");
        }
    }
}
