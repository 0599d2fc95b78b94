//! The guest's half of a `Connect` to a port: reaches it and carries what comes and goes.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    net::{TcpStream, UdpSocket},
    time::{Instant, interval_at, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Error, Stream, batch,
    datagram::{Datagrams, FLOW_IDLE, FLOWS, Flow, Outbox, Run, named},
    splice::splice,
};

/// How long a port may take to answer a connection.
const DIAL: Duration = Duration::from_secs(10);

/// Takes the connection to the port and carries the bytes both ways.
pub async fn tcp(
    mut stream: Stream,
    address: SocketAddr,
    dial: impl Future<Output = io::Result<TcpStream>>,
) -> Result<(), Error> {
    let mut connection = match timeout(DIAL, dial).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return stream.refuse(&format!("{address} does not answer: {error}")).await,
        Err(_) => return stream.refuse(&format!("{address} does not answer")).await,
    };
    // Whatever is said goes out as soon as it is said.
    connection.set_nodelay(true)?;
    stream.accept(()).await?;
    if let Err(error) = splice(stream, &mut connection).await {
        let _ = connection.set_zero_linger();
        return Err(error.into());
    }
    Ok(())
}

/// A socket for a client towards this address; its name where it is not of the other side itself.
pub type MakeSocket<'a> = dyn Fn(Option<IpAddr>, SocketAddr) -> io::Result<UdpSocket> + Send + Sync + 'a;

/// A client like any other on this side.
pub fn any_socket(_client: Option<IpAddr>, address: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Carries datagrams between the port and its clients, each with a socket of its own, until the other side lets go.
/// Somebody listens at one of these addresses: a client who is refused at one goes on at the next.
pub async fn udp(mut stream: Stream, addresses: &[SocketAddr], make: &MakeSocket<'_>) -> Result<(), Error> {
    stream.accept(()).await?;
    let (reader, writer) = tokio::io::split(stream);
    let mut datagrams = Datagrams::new(reader);
    let outbox = Arc::new(Outbox::default());
    let mut flows = BTreeMap::new();
    let mut names = BTreeMap::new();
    let mut sweep = interval_at(Instant::now() + FLOW_IDLE, FLOW_IDLE);
    // A task of its own: both directions may be busy at once.
    let mut draining = AbortOnDropHandle::new(tokio::spawn({
        let outbox = Arc::clone(&outbox);
        async move { outbox.drain(writer).await }
    }));
    loop {
        tokio::select! {
            datagrams = datagrams.next() => {
                let Some((flow, run)) = datagrams? else { return Ok(()) };
                if let Some((flow, client)) = run.clone().next().and_then(|bytes| named(flow, bytes)) {
                    if names.len() >= FLOWS {
                        names.pop_first();
                    }
                    names.insert(flow, client);
                } else {
                    let make = |address| make(names.get(&flow).copied(), address);
                    deliver(&mut flows, flow, run, (addresses, &make), &outbox).await;
                }
            }
            broken = &mut draining => return Err(broken.unwrap_or_else(io::Error::other).into()),
            _ = sweep.tick() => flows.retain(|_, client: &mut Client| client.moved.swap(false, Ordering::Relaxed)),
        }
    }
}

/// A client of a published port, as the container sees it.
struct Client {
    socket: Arc<UdpSocket>,
    /// Something moved since this was last looked at.
    moved: Arc<AtomicBool>,
    /// Which of the addresses it is connected to.
    at: usize,
    /// Nobody listened there.
    refused: Arc<AtomicBool>,
    _answers: AbortOnDropHandle<()>,
}

async fn deliver(
    flows: &mut BTreeMap<Flow, Client>,
    flow: Flow,
    run: Run<'_>,
    (addresses, make): (&[SocketAddr], &(dyn Fn(SocketAddr) -> io::Result<UdpSocket> + Sync)),
    outbox: &Arc<Outbox>,
) {
    // With several addresses each datagram may find out which one is right.
    if addresses.len() > 1 {
        for datagram in run {
            try_each(flows, flow, datagram, (addresses, make), outbox).await;
        }
        return;
    }
    if let Some(client) = client(flows, flow, 0, (addresses, make), outbox).await {
        // That nobody listens there is no news: the network may drop any.
        let _ = batch::send(&client.socket, None, run).await;
    }
}

async fn try_each(
    flows: &mut BTreeMap<Flow, Client>,
    flow: Flow,
    datagram: &[u8],
    (addresses, make): (&[SocketAddr], &(dyn Fn(SocketAddr) -> io::Result<UdpSocket> + Sync)),
    outbox: &Arc<Outbox>,
) {
    let mut at = match flows.get(&flow) {
        Some(client) if client.refused.load(Ordering::Relaxed) => client.at + 1,
        Some(client) => client.at,
        None => 0,
    };
    // Each of them once: who is refused at the last begins with the first again.
    for _ in addresses {
        at %= addresses.len();
        let Some(client) = client(flows, flow, at, (addresses, make), outbox).await else {
            return;
        };
        // That nobody listens there is often known when the call returns, and otherwise told with the next datagram.
        let refused = match client.socket.send(datagram).await {
            Ok(_) => matches!(client.socket.take_error(), Ok(Some(error)) if is_refusal(&error)),
            Err(error) => is_refusal(&error),
        };
        if !refused {
            return;
        }
        at += 1;
    }
}

/// Who sends for this flow to the address with this number, and is made where nobody does.
async fn client<'a>(
    flows: &'a mut BTreeMap<Flow, Client>,
    flow: Flow,
    at: usize,
    (addresses, make): (&[SocketAddr], &(dyn Fn(SocketAddr) -> io::Result<UdpSocket> + Sync)),
    outbox: &Arc<Outbox>,
) -> Option<&'a Client> {
    if flows.get(&flow).is_none_or(|client| client.at != at) {
        let client = match Client::new(flow, at, (addresses, make), outbox).await {
            Ok(client) => client,
            Err(error) => {
                tracing::debug!(?addresses, %error, "datagrams were dropped");
                return None;
            }
        };
        if flows.len() >= FLOWS && !flows.contains_key(&flow) {
            flows.pop_first();
        }
        flows.insert(flow, client);
    }
    let client = flows.get(&flow)?;
    client.moved.store(true, Ordering::Relaxed);
    Some(client)
}

impl Client {
    async fn new(
        flow: Flow,
        at: usize,
        (addresses, make): (&[SocketAddr], &(dyn Fn(SocketAddr) -> io::Result<UdpSocket> + Sync)),
        outbox: &Arc<Outbox>,
    ) -> io::Result<Self> {
        let address = *addresses.get(at).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let socket = make(address)?;
        batch::make_room(&SockRef::from(&socket));
        socket.connect(address).await?;
        let socket = Arc::new(socket);
        let moved = Arc::new(AtomicBool::new(true));
        let refused = Arc::new(AtomicBool::new(false));
        let answers = tokio::spawn(answers(
            flow,
            Arc::clone(&socket),
            Arc::clone(&moved),
            Arc::clone(&refused),
            Arc::clone(outbox),
        ));
        Ok(Self {
            socket,
            moved,
            at,
            refused,
            _answers: AbortOnDropHandle::new(answers),
        })
    }
}

async fn answers(
    flow: Flow,
    socket: Arc<UdpSocket>,
    moved: Arc<AtomicBool>,
    refused: Arc<AtomicBool>,
    outbox: Arc<Outbox>,
) {
    while socket.readable().await.is_ok() {
        match batch::receive(&socket, |_, datagram| outbox.push(flow, datagram)) {
            Ok(()) => {}
            // Nobody listens at the port, now.
            Err(error) if is_refusal(&error) => refused.store(true, Ordering::Relaxed),
            Err(error) => return tracing::debug!(%error, "a flow of datagrams ended"),
        }
        moved.store(true, Ordering::Relaxed);
        outbox.send();
    }
}

/// Windows has the other word for it.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}
