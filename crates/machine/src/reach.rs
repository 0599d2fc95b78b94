//! What listens on this computer's loopback, for the machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wherry_link::{Reply, Stream};

/// A program on the same computer takes a connection at once, or has stopped taking any.
const CONNECT: Duration = Duration::from_secs(5);

/// How many ports the machine may send datagrams to at the same time. Each client at each of them costs a socket.
const PORTS_FOR_UDP: usize = 64;

/// Connects to this port and carries bytes both ways, or says why it cannot.
pub(crate) async fn serve(mut stream: Stream, port: u16) {
    match connect(port).await {
        Ok(connection) => {
            let _ = connection.set_nodelay(true);
            if stream.write_message(&Reply::Ok { value: () }).await.is_ok() {
                let _ = wherry_link::splice(stream, connection).await;
            }
        }
        Err(error) => {
            tracing::debug!(port, %error, "nobody is reached");
            let message = format!("Nobody listens at port {port} of the host: {error}");
            let _ = stream.write_message(&Reply::<()>::Refused { message }).await;
        }
    }
}

/// Carries datagrams to this port, each client's from a port of its own.
pub(crate) async fn serve_udp(mut stream: Stream, port: u16) {
    static ROOM: Semaphore = Semaphore::const_new(PORTS_FOR_UDP);
    let Ok(_permit) = ROOM.try_acquire() else {
        let message = format!("Datagrams go to {PORTS_FOR_UDP} ports of the host already");
        let _ = stream.write_message(&Reply::<()>::Refused { message }).await;
        return;
    };
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let addresses = loopback.map(|address| SocketAddr::new(address, port));
    if let Err(error) = wherry_link::reach::udp(stream, &addresses, &wherry_link::reach::any_socket).await {
        tracing::debug!(port, %error, "datagrams are not carried any more");
    }
}

/// Programs that listen on `localhost` listen on one of the two, or on both.
async fn connect(port: u16) -> io::Result<TcpStream> {
    let connect = |address: IpAddr| async move {
        let connection = timeout(CONNECT, TcpStream::connect((address, port))).await??;
        if met_itself(&connection)? {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(connection)
    };
    match connect(Ipv4Addr::LOCALHOST.into()).await {
        Ok(connection) => Ok(connection),
        Err(first) => connect(Ipv6Addr::LOCALHOST.into()).await.map_err(|_| first),
    }
}

/// Where nobody listens, a connection may by chance be given the very port that it goes to, and then it stands.
fn met_itself(connection: &TcpStream) -> io::Result<bool> {
    Ok(connection.local_addr()? == connection.peer_addr()?)
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket, UdpSocket};
    use wherry_link::{Datagrams, Error as LinkError, GuestRequest, Outbox, Session};

    use super::*;
    use crate::forward::Forwards;

    /// A guest's session with a host that answers it.
    async fn guest() -> Session {
        let (host, guest) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            let (session, incoming) = Session::host(host, Duration::from_mins(1)).await.expect("a guest");
            Forwards::new(session).serve(incoming).await;
        });
        let (session, mut incoming) = Session::guest(guest).await.expect("a host");
        tokio::spawn(async move { while incoming.next().await.is_some() {} });
        session
    }

    #[tokio::test]
    async fn what_listens_on_either_loopback_is_reached_with_half_close() -> io::Result<()> {
        let session = guest().await;
        for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let Ok(listener) = TcpListener::bind((address, 0)).await else {
                continue;
            };
            let port = listener.local_addr()?.port();
            let service = tokio::spawn(async move {
                let (mut connection, _) = listener.accept().await?;
                let mut all = Vec::new();
                connection.read_to_end(&mut all).await?;
                connection.write_all(&all).await
            });
            let reached = session.ask::<_, ()>(&GuestRequest::Reach { port }).await;
            let ((), mut stream) = reached.expect("somebody listens");
            stream.write_all(b"through the link").await?;
            stream.shutdown().await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            assert_eq!(answer, "through the link");
            service.await??;
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_refused() -> io::Result<()> {
        let session = guest().await;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port();
        let refused = session.ask::<_, ()>(&GuestRequest::Reach { port }).await;
        assert!(matches!(refused, Err(LinkError::Refused { message }) if message.contains(&port.to_string())));
        Ok(())
    }

    #[tokio::test]
    async fn datagrams_reach_whatever_listens_on_either_loopback() -> io::Result<()> {
        let session = guest().await;
        for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let Ok(service) = UdpSocket::bind((address, 0)).await else {
                continue;
            };
            let port = service.local_addr()?.port();
            let service = tokio::spawn(async move {
                let mut heard = [0; 64];
                while let Ok((length, client)) = service.recv_from(&mut heard).await {
                    let _ = service.send_to(&heard[..length], client).await;
                }
            });
            let reached = session.ask::<_, ()>(&GuestRequest::ReachUdp { port }).await;
            let ((), stream) = reached.expect("there is room");
            let (reader, writer) = tokio::io::split(stream);
            let outbox = Arc::new(Outbox::default());
            let draining = tokio::spawn({
                let outbox = Arc::clone(&outbox);
                async move { outbox.drain(writer).await }
            });
            let mut answers = Datagrams::new(reader);
            let mut again = tokio::time::interval(Duration::from_millis(10));
            // The first ones may find nobody at the other address.
            let answer = loop {
                tokio::select! {
                    answer = answers.next() => break answer?.map(|(flow, mut run)| (flow, run.next().map(<[u8]>::to_vec))),
                    _ = again.tick() => {
                        outbox.push(7, b"through the link");
                        outbox.send();
                    }
                }
            };
            assert_eq!(answer, Some((7, Some(b"through the link".to_vec()))));
            draining.abort();
            service.abort();
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_connection_to_itself_reaches_nobody() -> io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let itself = socket.local_addr()?;
        assert!(met_itself(&socket.connect(itself).await?)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let other = TcpStream::connect(listener.local_addr()?).await?;
        assert!(!met_itself(&other)?);
        Ok(())
    }
}
