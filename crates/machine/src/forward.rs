//! Ports of containers on this host: bound when the guest asks, unbound when it asks or is gone.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use wherry_link::{
    Error as LinkError, GuestRequest, HostRequest, Incoming, Protocol, Publication, Reply, Session, Target,
};

use crate::names::Names;
use crate::{Forward, ports, reach};

/// How long the guest may take to reach a container's port. Within the guest it is there or refuses at once.
const CONNECT: Duration = Duration::from_secs(30);
/// How long accepting pauses when this computer has no more file descriptors to give.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);
/// How many connections may wait to be accepted, as the engine's own proxy has it.
const BACKLOG: i32 = 1024;

/// The forwards of one machine. Dropping the last handle unbinds them all.
#[derive(Clone)]
pub(crate) struct Forwards {
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
    Dead { reason: String },
}

/// A bound port. Dropping it unbinds; [`Bound::unbind`] returns when that is done.
struct Bound {
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Bound {
    async fn unbind(self) {
        drop(self.stop);
        let _ = self.task.await;
    }
}

impl Forwards {
    pub(crate) fn new(session: Session) -> Self {
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
                    Ok(Some(GuestRequest::Publish { publication })) => match forwards.publish(publication).await {
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
                        reach::serve(stream, port).await;
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
    pub(crate) async fn publish(&self, publication: Publication) -> Result<(), String> {
        if matches!(self.entries().get(&publication), Some(Entry::Bound(_))) {
            return Ok(());
        }
        let host = SocketAddr::new(publication.host_address, publication.host_port);
        match publication.protocol {
            Protocol::Tcp => {}
            Protocol::Udp => return Err(format!("{host}: publishing UDP ports is not possible yet")),
            Protocol::Sctp => return Err(format!("{host}: SCTP ports cannot be published")),
        }
        let listener = match bind(host) {
            Ok(listener) => listener,
            Err(error) if skips(publication.host_address, &error) => {
                tracing::debug!(%host, "this computer has no IPv6");
                return Ok(());
            }
            Err(error) => {
                let reason = tokio::task::spawn_blocking(move || refusal(host, &error)).await;
                let reason = reason.unwrap_or_else(|_| format!("{host} could not be bound"));
                tracing::info!(%host, reason, "a port was not published");
                return Err(reason);
            }
        };
        tracing::info!(%host, container = %publication.container, "published");
        let token = CancellationToken::new();
        let accepting = accept(
            listener,
            publication.container,
            self.inner.session.clone(),
            token.clone(),
        );
        let bound = Bound {
            stop: token.drop_guard(),
            task: tokio::spawn(accepting),
        };
        self.entries().insert(publication, Entry::Bound(bound));
        self.inner.changed.notify_one();
        Ok(())
    }

    /// Binds a port that was published before this daemon lived. Failing is no reason to take the container down:
    /// the forward is shown as dead.
    pub(crate) async fn take_up(&self, publication: Publication) {
        if let Err(reason) = self.publish(publication.clone()).await {
            self.entries().insert(publication, Entry::Dead { reason });
            self.inner.changed.notify_one();
        }
    }

    /// Returns when the port is free again.
    pub(crate) async fn release(&self, publication: &Publication) {
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
                protocol: match publication.protocol {
                    Protocol::Tcp => "tcp".into(),
                    Protocol::Udp => "udp".into(),
                    Protocol::Sctp => "sctp".into(),
                },
                dead: match entry {
                    Entry::Bound(_) => None,
                    Entry::Dead { reason } => Some(reason.clone()),
                },
            })
            .collect()
    }

    /// Returns when the list may differ from what it was before.
    pub(crate) async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<Publication, Entry>> {
        // Every change is one insertion or removal, so a panic elsewhere leaves nothing half done.
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bind(host: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(host), Type::STREAM, None)?;
    if host.is_ipv6() {
        // The engine publishes on both families, each with a bind of its own.
        socket.set_only_v6(true)?;
    }
    // On Windows this option would let two programs have the same port.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&host.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// `-p 80:80` means every address this computer has; one without IPv6 has published all of it with IPv4, as a
/// native engine does.
fn skips(address: IpAddr, error: &io::Error) -> bool {
    address == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        && !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

/// Looks at every process of this computer for the one that holds the port, so it may take some milliseconds.
fn refusal(host: SocketAddr, error: &io::Error) -> String {
    let port = host.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => ports::taken_sentence(port, ports::holder(host.ip(), port).as_ref()),
        io::ErrorKind::PermissionDenied => {
            format!("{port} may only be opened by the administrator; ports from 1024 on are free for everyone")
        }
        io::ErrorKind::AddrNotAvailable => format!("{} is no address of this computer", host.ip()),
        _ => format!("{host} could not be bound: {error}"),
    }
}

async fn accept(listener: TcpListener, container: SocketAddr, session: Session, token: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((connection, _)) => {
                let carried = carry(connection, container, session.clone());
                let token = token.clone();
                tokio::spawn(async move {
                    // The engine's own proxy takes its connections along when it ends; so do we.
                    tokio::select! {
                        () = token.cancelled() => {}
                        () = carried => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            }
        }
    }
}

async fn carry(connection: TcpStream, container: SocketAddr, session: Session) {
    let request = HostRequest::Connect {
        target: Target::Tcp { address: container },
    };
    let answer = tokio::time::timeout(CONNECT, session.ask::<_, ()>(&request)).await;
    match answer.unwrap_or(Err(LinkError::NoAnswer { after: CONNECT })) {
        Ok(((), stream)) => {
            // Whatever the container says goes out as soon as it says it.
            let _ = connection.set_nodelay(true);
            let _ = wherry_link::splice(connection, stream).await;
        }
        Err(error) => {
            tracing::debug!(%container, %error, "a connection was refused");
            // What a client meets at a port where nobody listens: a reset, not an empty answer.
            let _ = connection.set_zero_linger();
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
        forwards.take_up(publication.clone()).await;
        let dead = forwards.list()[0].dead.clone();
        assert!(dead.is_some_and(|dead| dead.starts_with(&format!("{port} is used by "))));
        drop(holder);
        forwards.publish(publication).await.expect("free now");
        assert_eq!(forwards.list()[0].dead, None);
        Ok(())
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
