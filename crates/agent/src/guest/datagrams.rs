//! Datagrams to the host's loopback: those to one address of ours, at whatever port, go there through the link.
//!
//! Each of them waits in a queue of the packet filter, is taken from there with all that it carries, and goes no
//! further inside the machine. An answer is sent with the port that it comes from on the host. No socket of the machine
//! is bound to any of these ports, so containers on the machine's own network may have them.
//!
//! Who listens on the host cannot be known, so nobody is told that nobody does.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::task::AbortOnDropHandle;
use wherry_link::{Clients, Datagrams, FLOW_IDLE, GuestRequest, LONGEST_DATAGRAM, Outbox};

use super::{
    Guest,
    log::say,
    mark::ANSWER,
    queue::{Queue, Verdict, packets},
};

/// The number is ours to choose.
pub(super) const QUEUE: u16 = 2;

/// How many ports of the host are sent to at the same time. With more, the one that was not used for longest is
/// forgotten, and who goes on there is new.
const PORTS: usize = 32;

/// How long the host may take to open the way to a port.
const OPEN: Duration = Duration::from_secs(10);

/// A datagram and the header of the packet that brings it.
const LONGEST_PACKET: usize = LONGEST_DATAGRAM + 256;

const UDP_HEADER: usize = 8;

/// Returns when datagrams may come.
pub(super) fn serve(guest: &Arc<Guest>, host: Ipv4Addr) -> io::Result<()> {
    let queue = Queue::open(QUEUE, u16::MAX)?;
    let answers = Arc::new(answers(host)?);
    tokio::spawn(carry(Arc::clone(guest), queue, answers));
    Ok(())
}

/// A raw socket: it sends from any port, and what it sends is cut into packets as usual.
fn answers(host: Ipv4Addr) -> io::Result<Socket> {
    const RETURN: u16 = 0x06;
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP))?;
    // It would get a copy of every datagram that comes to the address: a filter that keeps none of any.
    socket.attach_filter(&[socket2::SockFilter::new(RETURN, 0, 0, 0)])?;
    socket.set_mark(ANSWER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(host, 0).into())?;
    Ok(socket)
}

async fn carry(guest: Arc<Guest>, queue: Queue, answers: Arc<Socket>) {
    let mut buffer = vec![0; LONGEST_PACKET];
    let mut ways: BTreeMap<u16, Way> = BTreeMap::new();
    loop {
        let read = match queue.read(&mut buffer).await {
            Ok(read) => read,
            Err(error) => return say!("datagrams to the host are not seen any more: {error}"),
        };
        for (id, packet) in packets(read) {
            queue.decide(id, Verdict::Drop);
            let Some((client, port, datagram)) = parts(packet) else {
                continue;
            };
            if ways.get(&port).is_none_or(|way| way.task.is_finished()) {
                ways.retain(|_, way| !way.task.is_finished());
                if ways.len() >= PORTS
                    && let Some(oldest) = ways.iter().min_by_key(|(_, way)| way.used).map(|(port, _)| *port)
                {
                    ways.remove(&oldest);
                }
                ways.insert(port, Way::open(&guest, port, &answers));
            }
            if let Some(way) = ways.get_mut(&port) {
                way.used = Instant::now();
                way.outbox.push(lock(&way.clients).flow(client.into()), datagram);
                way.outbox.send();
            }
        }
    }
}

/// The way to one port of the host, for all clients of that port.
struct Way {
    outbox: Arc<Outbox>,
    clients: Arc<Mutex<Clients>>,
    used: Instant,
    task: AbortOnDropHandle<()>,
}

impl Way {
    fn open(guest: &Arc<Guest>, port: u16, answers: &Arc<Socket>) -> Self {
        let (outbox, clients) = (Arc::default(), Arc::default());
        let task = tokio::spawn({
            let (guest, answers) = (Arc::clone(guest), Arc::clone(answers));
            let (outbox, clients) = (Arc::clone(&outbox), Arc::clone(&clients));
            async move {
                // Whatever ends it: the next datagram opens another.
                let _ = bring(&guest, port, &outbox, &clients, &answers).await;
            }
        });
        Self {
            outbox,
            clients,
            used: Instant::now(),
            task: AbortOnDropHandle::new(task),
        }
    }
}

/// Carries what comes and goes until nothing did for a while.
async fn bring(
    guest: &Guest,
    port: u16,
    outbox: &Arc<Outbox>,
    clients: &Mutex<Clients>,
    answers: &Socket,
) -> Option<()> {
    let opened = async {
        let session = guest.session().await?;
        session.ask::<_, ()>(&GuestRequest::ReachUdp { port }).await.ok()
    };
    let ((), stream) = timeout(OPEN, opened).await.ok().flatten()?;
    let (reader, writer) = tokio::io::split(stream);
    let _draining = AbortOnDropHandle::new(tokio::spawn({
        let outbox = Arc::clone(outbox);
        async move { outbox.drain(writer).await }
    }));
    let mut datagrams = Datagrams::new(reader);
    let mut sweep = interval_at(Instant::now() + FLOW_IDLE, FLOW_IDLE);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            datagrams = datagrams.next() => {
                let (flow, run) = datagrams.ok()??;
                let client = lock(clients).of(flow);
                if let Some(client) = client {
                    run.for_each(|bytes| answer(answers, port, client, bytes));
                }
            }
            _ = sweep.tick() => if lock(clients).forget_idle() {
                return None;
            },
        }
    }
}

fn answer(answers: &Socket, port: u16, client: SocketAddr, bytes: &[u8]) {
    let Ok(length) = u16::try_from(UDP_HEADER + bytes.len()) else {
        return;
    };
    let mut packet = Vec::with_capacity(usize::from(length));
    for number in [port, client.port(), length] {
        packet.extend_from_slice(&number.to_be_bytes());
    }
    // No checksum, which in IPv4 is allowed (RFC 768): it goes no further than this machine.
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(bytes);
    // A client that is gone or slow loses it, as on any network.
    let _ = answers.send_to(&packet, &SocketAddr::new(client.ip(), 0).into());
}

fn lock(clients: &Mutex<Clients>) -> MutexGuard<'_, Clients> {
    // Whatever a panic left half done is at worst a client that has to be numbered anew.
    clients.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who sends what to which port, by the headers of IPv4 (RFC 791) and UDP (RFC 768).
fn parts(packet: &[u8]) -> Option<(SocketAddrV4, u16, &[u8])> {
    const UDP: u8 = 17;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    if packet[0] >> 4 != 4 || *packet.get(9)? != UDP {
        return None;
    }
    let from: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let udp = packet.get(header..)?;
    let number = |at: usize| Some(u16::from_be_bytes(udp.get(at..at + 2)?.try_into().ok()?));
    let datagram = udp.get(UDP_HEADER..usize::from(number(4)?))?;
    Some((
        SocketAddrV4::new(Ipv4Addr::from(from), number(0)?),
        number(2)?,
        datagram,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_says_who_sends_what_to_which_port() {
        let mut packet = vec![
            0x46, 0, 0, 44, 0, 0, 0x40, 0, 64, 17, 0, 0, 172, 17, 0, 2, 192, 168, 65, 254,
        ];
        packet.extend([1, 1, 1, 1]);
        packet.extend(40000_u16.to_be_bytes());
        packet.extend(53_u16.to_be_bytes());
        packet.extend(13_u16.to_be_bytes());
        packet.extend([0xab, 0xcd]);
        packet.extend(b"hello");
        let client = SocketAddrV4::new(Ipv4Addr::new(172, 17, 0, 2), 40000);
        // What comes after the datagram is not of it.
        packet.extend([0; 3]);
        assert_eq!(parts(&packet), Some((client, 53, &b"hello"[..])));
        for length in 0..packet.len() - 3 {
            assert_eq!(parts(&packet[..length]), None, "{length}");
        }
        packet[9] = 6;
        assert_eq!(parts(&packet), None, "TCP");
        packet[9] = 17;
        packet[28..30].copy_from_slice(&7_u16.to_be_bytes());
        assert_eq!(parts(&packet), None, "shorter than its own header");
    }
}
