//! The engine's socket on this host: each connection is one stream to the engine's socket in the guest.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use wherry_link::{HostRequest, Session, Target};

use crate::system;

/// How long accepting pauses when this computer has no more file descriptors to give.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// Dropping it takes the socket away; conversations that go on are left to end with the machine.
pub(crate) struct EngineSocket {
    _stop: DropGuard,
}

impl EngineSocket {
    pub(crate) fn serve(path: &Path, session: Session) -> io::Result<Self> {
        let mut listener = system::Listener::bind(path)?;
        let token = CancellationToken::new();
        let stop = token.clone().drop_guard();
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = token.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok(client) => {
                        tokio::spawn(converse(client, session.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "could not accept a client of the engine");
                        tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
                    }
                }
            }
        });
        Ok(Self { _stop: stop })
    }
}

async fn converse(client: system::Stream, session: Session) {
    let request = HostRequest::Connect { target: Target::Engine };
    let carried = match session.begin(&request).await {
        // Half-close matters here: `docker attach` and `docker exec` end their input and go on reading.
        Ok(stream) => wherry_link::splice(client, stream).await,
        Err(error) => return tracing::debug!(%error, "the engine was not asked for a client"),
    };
    if let Err(error) = carried {
        tracing::debug!(%error, "a client of the engine was cut off");
    }
}
