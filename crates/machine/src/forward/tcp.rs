//! TCP: each connection is one stream to the container.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use wherry_link::{HostRequest, Session, Target};

/// How long accepting pauses when this computer has no more file descriptors to give.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);
/// How many connections may wait to be accepted, as the engine's own proxy has it.
const BACKLOG: i32 = 1024;

pub(super) fn bind(host: SocketAddr) -> io::Result<TcpListener> {
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

pub(super) async fn serve(listener: TcpListener, container: SocketAddr, session: Session, token: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((connection, client)) => {
                let target = Target::Tcp {
                    address: container,
                    client: Some(client.ip().to_canonical()).filter(|client| !client.is_loopback()),
                };
                let carried = carry(connection, target, session.clone());
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

async fn carry(mut connection: TcpStream, target: Target, session: Session) {
    // Whatever the container says goes out as soon as it says it.
    let _ = connection.set_nodelay(true);
    let request = HostRequest::Connect { target };
    let carried = match session.begin(&request).await {
        Ok(stream) => wherry_link::splice(&mut connection, stream).await.map(drop),
        Err(error) => Err(io::Error::other(error)),
    };
    if let Err(error) = carried {
        tracing::debug!(?request, %error, "a connection was cut off");
        // What a client meets at a port where nobody listens, or when a server dies: a reset, not an end.
        let _ = connection.set_zero_linger();
    }
}
