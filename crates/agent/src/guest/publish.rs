//! Published ports: dockerd's proxy processes ask here, and the host is asked in their name.
//!
//! Each proxy process holds its connection for as long as the port is published, so that a process that was
//! killed releases its port like one that ended.

use std::{
    collections::BTreeMap,
    io,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    time::{Instant, timeout, timeout_at},
};
use wherry_link::{Error as LinkError, GuestRequest, Publication, Reply, Session};

use super::{Guest, log::say};

/// Where dockerd's proxy processes find the agent.
pub(super) const SOCKET: &str = "/run/wherry/agent.sock";

/// How long a port may take to be published. A host's daemon that is being restarted comes back within it, and
/// dockerd waits for its proxy for 16 seconds.
const PUBLISH: Duration = Duration::from_secs(10);

/// How long a proxy process may take to say what it wants.
const REQUEST: Duration = Duration::from_secs(10);

const LONGEST_REQUEST: u64 = 4096;

/// What is published now, and how many proxy processes hold each: dockerd may start the next one for a port
/// before the last one has ended.
#[derive(Default)]
pub(super) struct Publications {
    /// Locked for single insertions and removals, and to copy.
    held: Mutex<BTreeMap<Publication, usize>>,
}

#[derive(Debug, thiserror::Error)]
#[error("Could not listen at {SOCKET}")]
pub(super) struct Error(#[from] io::Error);

impl Publications {
    pub(super) fn list(&self) -> Vec<Publication> {
        self.held().keys().cloned().collect()
    }

    fn add(&self, publication: &Publication) {
        *self.held().entry(publication.clone()).or_default() += 1;
    }

    /// Whether nobody holds it any more.
    fn remove(&self, publication: &Publication) -> bool {
        let mut held = self.held();
        let Some(count) = held.get_mut(publication) else {
            return true;
        };
        *count -= 1;
        if *count > 0 {
            return false;
        }
        held.remove(publication);
        true
    }

    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<Publication, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn listen(guest: &Arc<Guest>) -> Result<(), Error> {
    let listener = UnixListener::bind(SOCKET)?;
    fs_err::set_permissions(SOCKET, std::fs::Permissions::from_mode(0o600))?;
    let guest = Arc::clone(guest);
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((proxy, _)) => {
                    tokio::spawn(hold(Arc::clone(&guest), proxy));
                }
                Err(error) => {
                    say!("{SOCKET}: {error}");
                    // No descriptors left: that does not change at once.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(())
}

/// Publishes what one proxy process asks for and holds it until that process ends.
async fn hold(guest: Arc<Guest>, proxy: UnixStream) {
    let mut proxy = BufReader::new(proxy);
    let Ok(Ok(publication)) = timeout(REQUEST, asked(&mut proxy)).await else {
        return;
    };
    let reply = match publish(&guest, &publication).await {
        Ok(()) => Reply::Ok { value: () },
        Err(message) => {
            say!("{message}");
            Reply::Refused { message }
        }
    };
    let published = matches!(reply, Reply::Ok { .. });
    if answer(&mut proxy, &reply).await.is_ok() && published {
        // It says nothing more; the read returns when it ends.
        let _ = proxy.read_u8().await;
    }
    if published && guest.publications.remove(&publication) {
        release(&guest, publication).await;
    }
}

async fn asked(proxy: &mut BufReader<UnixStream>) -> io::Result<Publication> {
    let mut line = Vec::new();
    proxy.take(LONGEST_REQUEST).read_until(b'\n', &mut line).await?;
    match serde_json::from_slice(&line)? {
        GuestRequest::Publish { publication, .. } => Ok(publication),
        // Closing the connection is the release, and the rest is not a proxy's business.
        GuestRequest::Release { .. }
        | GuestRequest::Resolve { .. }
        | GuestRequest::Reach { .. }
        | GuestRequest::ReachUdp { .. } => Err(io::ErrorKind::InvalidInput.into()),
    }
}

async fn answer(proxy: &mut BufReader<UnixStream>, reply: &Reply<()>) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    proxy.write_all(&line).await
}

/// Asks the host, and the next one when it leaves in between. The error is the sentence the person reads.
async fn publish(guest: &Guest, publication: &Publication) -> Result<(), String> {
    // Containers that are started with the engine have nobody who would start them again: better one whose port comes
    // to life as soon as it is free than one that does not run.
    let must = guest.status.ready();
    let deadline = Instant::now() + PUBLISH;
    let mut host = guest.host.subscribe();
    loop {
        let Ok(Ok(session)) = timeout_at(deadline, host.wait_for(Option::is_some))
            .await
            .map(|host| host.map(|host| host.clone()))
        else {
            return Err(format!(
                "Port {} could not be published: the host does not answer",
                publication.host_port
            ));
        };
        let Some(session) = session else { continue };
        let request = GuestRequest::Publish {
            publication: publication.clone(),
            must,
        };
        match timeout_at(deadline, session.ask::<_, ()>(&request)).await {
            Ok(Ok(_)) => {
                // Entered before it is known whether the host is still there: the next one asks for the list.
                guest.publications.add(publication);
                if is_current(guest, &session) {
                    return Ok(());
                }
                guest.publications.remove(publication);
            }
            Ok(Err(LinkError::Refused { message })) => return Err(message),
            Ok(Err(_)) | Err(_) => {
                // This host is gone or does not answer. Wait for the next one, not for the end of this one's session.
                if timeout_at(deadline, host.changed()).await.is_err() {
                    return Err(format!(
                        "Port {} could not be published: the host does not answer",
                        publication.host_port
                    ));
                }
            }
        }
    }
}

fn is_current(guest: &Guest, session: &Session) -> bool {
    guest.host.borrow().as_ref().is_some_and(|current| current.is(session))
}

/// Publishes what listens already, whether the port is free now or not. A host that is not there takes it from the
/// list when it comes.
pub(super) async fn offer(guest: &Guest, publication: &Publication) {
    guest.publications.add(publication);
    let request = GuestRequest::Publish {
        publication: publication.clone(),
        must: false,
    };
    let session = guest.host.borrow().clone();
    if let Some(session) = session {
        let _ = timeout(PUBLISH, session.ask::<_, ()>(&request)).await;
    }
}

/// The end of what was offered.
pub(super) async fn withdraw(guest: &Guest, publication: &Publication) {
    if guest.publications.remove(publication) {
        release(guest, publication.clone()).await;
    }
}

/// A host that is not there has nothing bound: it asks for the list when it comes.
async fn release(guest: &Guest, publication: Publication) {
    let session = guest.host.borrow().clone();
    if let Some(session) = session {
        let _ = timeout(PUBLISH, session.ask::<_, ()>(&GuestRequest::Release { publication })).await;
    }
}
