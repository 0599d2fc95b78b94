//! Ports of containers on this host: bound when the guest asks, unbound when it asks or is gone.

mod tcp;
mod udp;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;
use wherry_link::{GuestRequest, Incoming, Protocol, Publication, Reply, Session};

use crate::names::Names;
use crate::{Forward, ports, reach, system};

/// How often a port that could not be bound is tried again. No system tells when a port becomes free; one attempt is
/// one system call, and only a dead port is tried.
const AGAIN: Duration = Duration::from_secs(1);

/// The forwards of one machine. Dropping the last handle unbinds them all.
#[derive(Clone)]
pub struct Forwards {
    inner: Arc<Inner>,
}

struct Inner {
    session: Session,
    /// Locked for single look-ups and changes only, never across an await.
    entries: Mutex<BTreeMap<Publication, Entry>>,
    changed: Notify,
}

enum Entry {
    Bound(Bound),
    Dead {
        reason: String,
        /// Binds it once that is possible.
        _again: AbortOnDropHandle<()>,
    },
}

/// A bound port. Dropping it unbinds; [`Bound::unbind`] returns when that is done.
struct Bound {
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Bound {
    fn bind(publication: &Publication, session: &Session) -> io::Result<Self> {
        let host = SocketAddr::new(publication.host_address, publication.host_port);
        let token = CancellationToken::new();
        let (container, session, stopped) = (publication.container, session.clone(), token.clone());
        let runtime = session.runtime().clone();
        let _beside_the_session = runtime.enter();
        let task = match publication.protocol {
            Protocol::Tcp => tokio::spawn(tcp::serve(tcp::bind(host)?, container, session, stopped)),
            Protocol::Udp => tokio::spawn(udp::serve(udp::bind(host)?, container, session, stopped)),
            Protocol::Sctp => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Self {
            stop: token.drop_guard(),
            task,
        })
    }

    async fn unbind(self) {
        drop(self.stop);
        let _ = self.task.await;
    }
}

impl Forwards {
    pub fn new(session: Session) -> Self {
        let inner = Inner {
            session,
            entries: Mutex::new(BTreeMap::new()),
            changed: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Answers what the guest asks until the session is over.
    pub(crate) async fn serve(&self, mut incoming: Incoming) {
        let names = Arc::new(Names::of_this_computer());
        while let Some(mut stream) = incoming.next().await {
            let (forwards, names) = (self.clone(), Arc::clone(&names));
            // A task for each: looking up who holds a port must not make other containers wait.
            tokio::spawn(async move {
                let reply = match stream.read_message().await {
                    Ok(Some(GuestRequest::Publish {
                        publication,
                        must: false,
                    })) => {
                        forwards.keep(publication).await;
                        Reply::Ok { value: () }
                    }
                    Ok(Some(GuestRequest::Publish {
                        publication,
                        must: true,
                    })) => match forwards.publish(publication).await {
                        Ok(()) => Reply::Ok { value: () },
                        Err(message) => Reply::Refused { message },
                    },
                    Ok(Some(GuestRequest::Release { publication })) => {
                        forwards.release(&publication).await;
                        Reply::Ok { value: () }
                    }
                    Ok(Some(GuestRequest::Resolve { host })) => {
                        if stream.write_message(&Reply::Ok { value: () }).await.is_ok() {
                            names.serve(stream, host).await;
                        }
                        return;
                    }
                    Ok(Some(GuestRequest::Reach { port })) => {
                        forwards.inner.session.runtime().spawn(reach::serve(stream, port));
                        return;
                    }
                    Ok(Some(GuestRequest::ReachUdp { port })) => {
                        forwards.inner.session.runtime().spawn(reach::serve_udp(stream, port));
                        return;
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(%error, "the guest asked for something that is not understood");
                        Reply::Refused {
                            message: "This Wherry does not know how to do that".into(),
                        }
                    }
                };
                if let Err(error) = stream.write_message(&reply).await {
                    tracing::debug!(%error, "the guest did not wait for the answer");
                }
            });
        }
    }

    /// Binds the port, or says in words for the person why not.
    pub async fn publish(&self, publication: Publication) -> Result<(), String> {
        if matches!(self.entries().get(&publication), Some(Entry::Bound(_))) {
            return Ok(());
        }
        let host = SocketAddr::new(publication.host_address, publication.host_port);
        match Bound::bind(&publication, &self.inner.session) {
            Ok(bound) => {
                tracing::info!(%host, protocol = %publication.protocol, container = %publication.container, "published");
                self.entries().insert(publication, Entry::Bound(bound));
                self.inner.changed.notify_one();
                Ok(())
            }
            Err(error) if skips(publication.host_address, &error) => {
                tracing::debug!(%host, "this computer has no IPv6");
                Ok(())
            }
            Err(error) => {
                let protocol = publication.protocol;
                // The engine knows the ports that it publishes. What it does not see are those of containers on the
                // machine's own network.
                if error.kind() == io::ErrorKind::AddrInUse && self.holds(protocol, host.port()) {
                    return Err(format!("{} is used by another container", host.port()));
                }
                let reason = tokio::task::spawn_blocking(move || refusal(protocol, host, &error)).await;
                let reason = reason.unwrap_or_else(|_| format!("{host} could not be bound"));
                tracing::info!(%host, %protocol, reason, "a port was not published");
                Err(reason)
            }
        }
    }

    /// Binds the port now, or as soon as that is possible: for a container that runs already, whom failing would not
    /// help. Until then the forward is shown as dead.
    pub async fn keep(&self, publication: Publication) {
        if let Err(reason) = self.publish(publication.clone()).await {
            let again = tokio::spawn(again(Arc::downgrade(&self.inner), publication.clone()));

            self.entries().insert(
                publication,
                Entry::Dead {
                    reason,
                    _again: AbortOnDropHandle::new(again),
                },
            );
            self.inner.changed.notify_one();
        }
    }

    /// Returns when the port is free again.
    pub async fn release(&self, publication: &Publication) {
        let entry = self.entries().remove(publication);
        if let Some(Entry::Bound(bound)) = entry {
            bound.unbind().await;
            tracing::info!(host = %publication.host_address, port = publication.host_port, "released");
        }
        self.inner.changed.notify_one();
    }

    pub(crate) async fn release_all(&self) {
        let entries = std::mem::take(&mut *self.entries());
        for entry in entries.into_values() {
            match entry {
                Entry::Bound(bound) => bound.unbind().await,
                Entry::Dead { .. } => {}
            }
        }
    }

    pub(crate) fn list(&self) -> Vec<Forward> {
        self.entries()
            .iter()
            .map(|(publication, entry)| Forward {
                host: SocketAddr::new(publication.host_address, publication.host_port),
                container: publication.container,
                protocol: publication.protocol.to_string(),
                owner: publication.owner.clone(),
                dead: match entry {
                    Entry::Bound(_) => None,
                    Entry::Dead { reason, .. } => Some(reason.clone()),
                },
            })
            .collect()
    }

    fn holds(&self, protocol: Protocol, port: u16) -> bool {
        self.entries().iter().any(|(publication, entry)| {
            (publication.protocol, publication.host_port) == (protocol, port) && matches!(entry, Entry::Bound(_))
        })
    }

    /// Returns when the list may differ from what it was before.
    pub(crate) async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<Publication, Entry>> {
        self.inner.entries()
    }
}

impl Inner {
    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<Publication, Entry>> {
        // Every change is one insertion or removal, so a panic elsewhere leaves nothing half done.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings a dead port to life. Ends with its entry.
async fn again(forwards: Weak<Inner>, publication: Publication) {
    loop {
        tokio::time::sleep(AGAIN).await;
        let Some(forwards) = forwards.upgrade() else { return };
        let Ok(bound) = Bound::bind(&publication, &forwards.session) else {
            continue;
        };
        let mut entries = forwards.entries();
        // The entry's removal ends this task, but only where it waits.
        if let Some(entry @ Entry::Dead { .. }) = entries.get_mut(&publication) {
            tracing::info!(host = %publication.host_address, port = publication.host_port, "published at last");
            *entry = Entry::Bound(bound);
            drop(entries);
            forwards.changed.notify_one();
        }
        return;
    }
}

/// `-p 80:80` means every address this computer has; one without IPv6 has published all of it with IPv4, as a
/// native engine does.
fn skips(address: IpAddr, error: &io::Error) -> bool {
    address == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        && !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

/// Looks at every process of this computer for the one that holds the port, so it may take some milliseconds.
fn refusal(protocol: Protocol, host: SocketAddr, error: &io::Error) -> String {
    let port = host.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => ports::taken_sentence(port, ports::holder(protocol, host.ip(), port).as_ref()),
        io::ErrorKind::PermissionDenied => system::port_denied(host),
        io::ErrorKind::AddrNotAvailable => format!("{} is no address of this computer", host.ip()),
        io::ErrorKind::Unsupported => format!("{host}: {protocol} ports cannot be published"),
        _ => format!("{host} could not be bound: {error}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;
    use crate::fake::Guest;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn free_port() -> u16 {
        let listener = std::net::TcpListener::bind((LOOPBACK, 0)).expect("bind");
        listener.local_addr().expect("address").port()
    }

    fn publication(host_port: u16, container: SocketAddr) -> Publication {
        Publication {
            protocol: Protocol::Tcp,
            host_address: LOOPBACK,
            host_port,
            container,
            owner: None,
        }
    }

    /// A container's service: sends back what it was sent, once the client has closed its half.
    async fn service() -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((LOOPBACK, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut all = Vec::new();
                    connection.read_to_end(&mut all).await?;
                    connection.write_all(&all).await
                });
            }
        });
        Ok(address)
    }

    #[tokio::test]
    async fn a_published_port_carries_bytes_both_ways_with_half_close() -> io::Result<()> {
        let (session, incoming) = Guest::new().connected().await;
        let forwards = Forwards::new(session);
        drop(incoming);
        let publication = publication(free_port(), service().await?);
        forwards.publish(publication.clone()).await.expect("free");
        forwards
            .publish(publication.clone())
            .await
            .expect("the same once more is no error");
        let mut connection = TcpStream::connect((LOOPBACK, publication.host_port)).await?;
        let sent = vec![7; 3 << 20];
        let (mut reader, mut writer) = connection.split();
        let mut received = Vec::new();
        let write = async {
            writer.write_all(&sent).await?;
            writer.shutdown().await
        };
        let (written, read) = tokio::join!(write, reader.read_to_end(&mut received));
        written?;
        read?;
        assert_eq!(received, sent);
        Ok(())
    }

    #[tokio::test]
    async fn releasing_frees_the_port_and_ends_its_connections() -> io::Result<()> {
        let (session, _incoming) = Guest::new().connected().await;
        let forwards = Forwards::new(session);
        let publication = publication(free_port(), service().await?);
        forwards.publish(publication.clone()).await.expect("free");
        let mut connection = TcpStream::connect((LOOPBACK, publication.host_port)).await?;
        connection.write_all(b"half a question").await?;
        forwards.release(&publication).await;
        assert!(ports::is_free(LOOPBACK, publication.host_port));
        assert!(forwards.list().is_empty());
        // The end or a reset: nothing was answered in any case.
        assert!(matches!(connection.read(&mut [0; 8]).await, Ok(0) | Err(_)));
        Ok(())
    }

    #[tokio::test]
    async fn a_taken_port_is_refused_with_its_holder_and_shown_dead_when_taken_up() -> io::Result<()> {
        let (session, _incoming) = Guest::new().connected().await;
        let forwards = Forwards::new(session);
        let holder = std::net::TcpListener::bind((LOOPBACK, 0))?;
        let port = holder.local_addr()?.port();
        let publication = publication(port, SocketAddr::new(LOOPBACK, 9));
        let refusal = forwards.publish(publication.clone()).await.expect_err("taken");
        assert!(refusal.starts_with(&format!("{port} is used by ")), "{refusal}");
        assert!(refusal.contains(" (pid "), "{refusal}");
        assert!(forwards.list().is_empty());
        forwards.keep(publication.clone()).await;
        let dead = forwards.list()[0].dead.clone();
        assert!(dead.is_some_and(|dead| dead.starts_with(&format!("{port} is used by "))));
        drop(holder);
        forwards.publish(publication).await.expect("free now");
        assert_eq!(forwards.list()[0].dead, None);
        Ok(())
    }

    #[tokio::test]
    async fn a_dead_port_comes_to_life_when_it_is_free() -> io::Result<()> {
        let (session, _incoming) = Guest::new().connected().await;
        let forwards = Forwards::new(session);
        let holder = std::net::TcpListener::bind((LOOPBACK, 0))?;
        let publication = publication(holder.local_addr()?.port(), service().await?);
        forwards.keep(publication.clone()).await;
        forwards.changed().await;
        assert!(forwards.list()[0].dead.is_some());
        drop(holder);
        forwards.changed().await;
        assert_eq!(forwards.list()[0].dead, None);
        let mut connection = TcpStream::connect((LOOPBACK, publication.host_port)).await?;
        connection.write_all(b"again").await?;
        connection.shutdown().await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        assert_eq!(answer, "again");
        Ok(())
    }

    #[tokio::test]
    async fn a_dead_port_that_is_released_is_left_alone() -> io::Result<()> {
        let (session, _incoming) = Guest::new().connected().await;
        let forwards = Forwards::new(session);
        let holder = std::net::TcpListener::bind((LOOPBACK, 0))?;
        let publication = publication(holder.local_addr()?.port(), SocketAddr::new(LOOPBACK, 9));
        forwards.keep(publication.clone()).await;
        forwards.release(&publication).await;
        assert!(forwards.list().is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn a_port_of_the_machines_own_network_is_told_from_another_program() -> io::Result<()> {
        let (session, _incoming) = Guest::new().connected().await;
        let forwards = Forwards::new(session);
        let own = publication(free_port(), SocketAddr::new(LOOPBACK, 9));
        forwards.keep(own.clone()).await;
        let refusal = forwards
            .publish(publication(own.host_port, SocketAddr::new(LOOPBACK, 10)))
            .await
            .expect_err("taken");
        assert_eq!(refusal, format!("{} is used by another container", own.host_port));
        Ok(())
    }

    /// A container's service: says each datagram back, with the address that it came from.
    async fn datagram_service(address: IpAddr) -> io::Result<SocketAddr> {
        let socket = UdpSocket::bind((address, 0)).await?;
        let at = socket.local_addr()?;
        tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let mut answer = format!("{client} ").into_bytes();
                answer.extend_from_slice(&buffer[..length]);
                if socket.send_to(&answer, client).await.is_err() {
                    let _ = socket.send_to(b"too long", client).await;
                }
            }
        });
        Ok(at)
    }

    #[tokio::test]
    async fn datagrams_reach_the_container_and_each_answer_its_own_client() -> io::Result<()> {
        for address in [LOOPBACK, IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let Ok(container) = datagram_service(address).await else {
                continue;
            };
            let (session, _incoming) = Guest::new().connected().await;
            let forwards = Forwards::new(session);
            let publication = Publication {
                protocol: Protocol::Udp,
                host_address: address,
                ..publication(free_port(), container)
            };
            forwards.publish(publication.clone()).await.expect("free");
            let mut seen = std::collections::BTreeSet::new();
            let mut clients = Vec::new();
            for client in 0..20 {
                let socket = UdpSocket::bind((address, 0)).await?;
                socket.connect((address, publication.host_port)).await?;
                // Nothing at all is a datagram too, and 9,000 bytes do not fit a common network's frame.
                for size in [0, 1400, 9000] {
                    socket.send(&vec![client; size]).await?;
                    let mut buffer = vec![0; 1 << 16];
                    let length = socket.recv(&mut buffer).await?;
                    let mut answer = buffer[..length].splitn(2, |byte| *byte == b' ');
                    let from = answer.next().unwrap_or_default().to_vec();
                    assert_eq!(answer.next(), Some(&vec![client; size][..]));
                    seen.insert(from);
                }
                clients.push(socket);
            }
            assert_eq!(seen.len(), clients.len(), "the container sees each client as one");
            forwards.release(&publication).await;
            assert!(std::net::UdpSocket::bind((address, publication.host_port)).is_ok());
        }
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hundred_ports_carry_a_thousand_connections_at_once() -> io::Result<()> {
        system::raise_open_files();
        let (session, _incoming) = Guest::new().connected().await;
        let forwards = Forwards::new(session);
        let container = service().await?;
        let mut connections = Vec::new();
        for _ in 0..100 {
            let publication = publication(free_port(), container);
            forwards.publish(publication.clone()).await.expect("free");
            for _ in 0..10 {
                connections.push(TcpStream::connect((LOOPBACK, publication.host_port)).await?);
            }
        }
        assert_eq!(forwards.list().len(), 100);
        // All of them are open and have said something before the first one is answered.
        for (number, connection) in connections.iter_mut().enumerate() {
            connection.write_all(&number.to_be_bytes()).await?;
        }
        for (number, mut connection) in connections.into_iter().enumerate() {
            connection.shutdown().await?;
            let mut answer = Vec::new();
            connection.read_to_end(&mut answer).await?;
            assert_eq!(answer, number.to_be_bytes());
        }
        Ok(())
    }

    #[test]
    fn what_needs_the_administrator_is_told_with_the_command_that_allows_it() {
        let host = SocketAddr::from(([0, 0, 0, 0], 80));
        let refusal = refusal(Protocol::Tcp, host, &io::ErrorKind::PermissionDenied.into());
        assert!(
            refusal.starts_with("80 may only be opened by the administrator"),
            "{refusal}"
        );
        if cfg!(target_os = "linux") {
            assert!(
                refusal.ends_with("sudo sysctl -w net.ipv4.ip_unprivileged_port_start=80"),
                "{refusal}"
            );
        }
    }

    #[tokio::test]
    async fn a_port_nobody_answers_in_the_guest_resets_the_connection() -> io::Result<()> {
        let (session, _incoming) = Guest::new().connected().await;
        let forwards = Forwards::new(session);
        let publication = publication(free_port(), SocketAddr::new(LOOPBACK, free_port()));
        forwards.publish(publication.clone()).await.expect("free");
        let mut connection = TcpStream::connect((LOOPBACK, publication.host_port)).await?;
        let error = connection.read(&mut [0; 8]).await.expect_err("reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        Ok(())
    }

    #[tokio::test]
    async fn an_address_that_is_not_ours_is_named() {
        let (session, _incoming) = Guest::new().connected().await;
        let forwards = Forwards::new(session);
        let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let publication = Publication {
            host_address: elsewhere,
            ..publication(8080, SocketAddr::new(LOOPBACK, 9))
        };
        let refusal = forwards.publish(publication).await.expect_err("not ours");
        assert_eq!(refusal, "192.0.2.1 is no address of this computer");
    }
}
