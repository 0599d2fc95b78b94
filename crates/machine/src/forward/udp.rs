//! UDP: the datagrams of all clients of a port are one stream to the container, opened with the first of them.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use wherry_link::{Clients, Datagrams, FLOW_IDLE, FLOWS, Flow, HostRequest, Outbox, Session, Target, batch};

/// How long reading pauses after an error that is not one client's.
const BROKEN: Duration = Duration::from_millis(100);

pub(super) fn bind(host: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(host), Type::DGRAM, None)?;
    if host.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    batch::make_room(&SockRef::from(&socket));
    socket.bind(&host.into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

pub(super) async fn serve(socket: UdpSocket, container: SocketAddr, session: Session, token: CancellationToken) {
    let socket = Arc::new(socket);
    let clients = Arc::new(Mutex::new(Clients::default()));
    let mut link: Option<Link> = None;
    let mut sweep = interval_at(Instant::now() + FLOW_IDLE, FLOW_IDLE);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = token.cancelled() => {
                // It holds the socket too, and whoever waits for our end wants the port to be free.
                if let Some(link) = link {
                    link.task.abort();
                    let _ = link.task.await;
                }
                return;
            }
            // Without clients there is nothing to forget, and an idle port wakes nobody.
            _ = sweep.tick(), if link.is_some() => {
                if lock(&clients).forget_idle() {
                    link = None;
                }
                continue;
            }
            readable = socket.readable() => if let Err(error) = readable {
                tracing::error!(%error, "datagrams cannot be waited for");
                return;
            },
        }
        if link.as_ref().is_none_or(|link| link.task.is_finished()) {
            sweep.reset();
            link = None;
        }
        let link = link.get_or_insert_with(|| Link::open(&session, container, &socket, &clients));
        let received = {
            let mut clients = lock(&clients);
            batch::receive(&socket, |client, datagram| {
                let flow = clients.flow(client);
                link.name(flow, client.ip().to_canonical());
                link.outbox.push(flow, datagram);
            })
        };
        link.outbox.send();
        match received {
            Ok(()) => {}
            // Windows tells here that a client whom we answered is gone.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => {
                tracing::warn!(%error, "could not receive datagrams");
                tokio::time::sleep(BROKEN).await;
            }
        }
    }
}

fn lock(clients: &Mutex<Clients>) -> MutexGuard<'_, Clients> {
    // Whatever a panic left half done is at worst a client that has to be numbered anew.
    clients.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way to the container. Dropping it ends it, and the container's sockets with it.
struct Link {
    outbox: Arc<Outbox>,
    /// The flows of which it was told who is behind them.
    named: BTreeSet<Flow>,
    task: AbortOnDropHandle<()>,
}

impl Link {
    fn open(session: &Session, container: SocketAddr, socket: &Arc<UdpSocket>, clients: &Arc<Mutex<Clients>>) -> Self {
        let outbox = Arc::new(Outbox::default());
        let task = tokio::spawn({
            let (session, outbox) = (session.clone(), Arc::clone(&outbox));
            let (socket, clients) = (Arc::clone(socket), Arc::clone(clients));
            async move {
                if let Err(error) = carry(session, container, &outbox, &socket, &clients).await {
                    tracing::debug!(%container, %error, "datagrams were not carried");
                }
            }
        });
        Self {
            outbox,
            named: BTreeSet::new(),
            task: AbortOnDropHandle::new(task),
        }
    }
}

impl Link {
    /// Tells who is behind the flow, once, unless it is this computer itself.
    fn name(&mut self, flow: Flow, client: IpAddr) {
        if client.is_loopback() || !self.named.insert(flow) {
            return;
        }
        if self.named.len() > FLOWS {
            self.named.pop_first();
        }
        self.outbox.name(flow, client);
    }
}

async fn carry(
    session: Session,
    container: SocketAddr,
    outbox: &Arc<Outbox>,
    socket: &UdpSocket,
    clients: &Mutex<Clients>,
) -> io::Result<()> {
    let target = Target::Udp { address: container };
    let stream = session.begin(&HostRequest::Connect { target }).await;
    let (reader, writer) = tokio::io::split(stream.map_err(io::Error::other)?);
    // A task of its own: both directions may be busy at once.
    let _draining = AbortOnDropHandle::new(tokio::spawn({
        let outbox = Arc::clone(outbox);
        async move { outbox.drain(writer).await }
    }));
    let mut answers = Datagrams::new(reader);
    while let Some((flow, run)) = answers.next().await? {
        let client = lock(clients).of(flow);
        if let Some(client) = client {
            // A client who is gone or cannot be reached now is no reason to stop answering others.
            let _ = batch::send(socket, Some(client), run).await;
        }
    }
    Ok(())
}
