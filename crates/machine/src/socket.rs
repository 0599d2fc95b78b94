//! The engine's socket on this host: each connection is one stream to the engine's socket in the guest.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use wherry_link::{HostRequest, Session, Target};

use crate::activity::{Activity, Watched};
use crate::doze::Doze;
use crate::system;

/// How long a client is kept waiting for a machine that sleeps: it wakes in seconds, or has to start anew.
const WAKE: Duration = Duration::from_mins(3);
/// How long accepting pauses when this computer has no more file descriptors to give.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// Dropping it takes the socket away; conversations that go on are left to end with the machine.
pub(crate) struct EngineSocket {
    /// The way to the machine. There is none while it sleeps: then clients knock and wait.
    way: watch::Sender<Option<Session>>,
    _stop: DropGuard,
    _place: system::Place,
}

impl EngineSocket {
    pub(crate) fn serve(path: &Path, activity: Activity, doze: Doze) -> io::Result<Self> {
        let carrier = wherry_link::carrier();
        let _beside_the_session = carrier.enter();
        let (mut listener, place) = system::Listener::bind(path)?;
        let token = CancellationToken::new();
        let stop = token.clone().drop_guard();
        let (way, found) = watch::channel(None);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = token.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok(client) => {
                        activity.touch();
                        tokio::spawn(converse(client, found.clone(), activity.clone(), doze.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "could not accept a client of the engine");
                        tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
                    }
                }
            }
        });
        Ok(Self {
            way,
            _stop: stop,
            _place: place,
        })
    }

    /// Leads clients to this machine, those that wait first.
    pub(crate) fn lead_to(&self, session: Session) {
        self.way.send_replace(Some(session));
    }

    /// Keeps clients waiting from now on.
    pub(crate) fn hold(&self) {
        self.way.send_replace(None);
    }
}

async fn converse(client: system::Stream, mut way: watch::Receiver<Option<Session>>, activity: Activity, doze: Doze) {
    if way.borrow_and_update().is_none() {
        activity.knock();
    }
    // A machine that could not be woken takes its socket away, and the sender with it.
    let session = match tokio::time::timeout(WAKE, way.wait_for(Option::is_some)).await {
        Ok(Ok(session)) => session.clone(),
        Ok(Err(_)) | Err(_) => return,
    };
    let Some(session) = session else { return };
    let _held = doze.hold().await;
    let request = HostRequest::Connect { target: Target::Engine };
    let carried = match session.begin(&request).await {
        // Half-close matters here: `docker attach` and `docker exec` end their input and go on reading.
        Ok(stream) => wherry_link::splice(Watched::new(client, activity), stream).await,
        Err(error) => return tracing::debug!(%error, "the engine was not asked for a client"),
    };
    if let Err(error) = carried {
        tracing::debug!(%error, "a client of the engine was cut off");
    }
}
