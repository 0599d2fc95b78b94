//! What the machine is told of this computer: whom it trusts and which proxy it uses.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use wherry_link::{Authorities, Configuration, Error as LinkError, HostRequest, Session};

use crate::proxy::{self, ProxyInUse};
use crate::{Network, Settings, system, trust};

/// How often this computer's settings are looked at. Reading its authorities takes some 10 ms, and no system tells
/// of changes to all of it.
const LOOK: Duration = Duration::from_mins(1);
/// How long the guest may take to note it down.
const NOTED: Duration = Duration::from_secs(20);

/// This computer's side of it at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    configuration: Configuration,
    /// The certificates that the configuration announces.
    authorities: Vec<String>,
    proxy: ProxyInUse,
}

pub(crate) async fn look(settings: &Settings) -> Seen {
    let (trust, proxy) = tokio::join!(
        tokio::task::spawn_blocking(trust::read),
        proxy::resolve(&settings.proxy)
    );
    let trust = trust.unwrap_or_default();
    for trouble in trust.troubles {
        tracing::warn!(trouble, "something of whom this computer trusts could not be read");
    }
    Seen {
        configuration: Configuration {
            authorities: Authorities {
                count: trust.authorities.len(),
                complete: system::LISTS_EVERY_AUTHORITY,
            },
            proxy: proxy.told(),
            registry_files: trust.registry_files,
            insecure_registries: settings.insecure_registries.iter().map(ToString::to_string).collect(),
        },
        authorities: trust.authorities,
        proxy: proxy.shown(),
    }
}

impl Seen {
    pub(crate) async fn tell(&self, session: &Session) -> Result<(), LinkError> {
        let request = HostRequest::Configure {
            configuration: self.configuration.clone(),
        };
        let told = session.ask_with::<_, _, ()>(&request, &self.authorities);
        timeout(NOTED, told)
            .await
            .map_err(|_| LinkError::NoAnswer { after: NOTED })?
            .map(|((), _)| ())
    }

    pub(crate) fn shown(&self) -> Network {
        Network {
            proxy: self.proxy.clone(),
            authorities: self.authorities.len(),
            engine_outdated: false,
        }
    }
}

/// Tells the machine whatever changes, and whoever listens what it was told.
pub(crate) async fn follow(
    session: Session,
    mut settings: watch::Receiver<Settings>,
    mut told: Seen,
    news: mpsc::Sender<Network>,
) {
    loop {
        tokio::select! {
            () = sleep(LOOK) => {}
            changed = settings.changed() => if changed.is_err() { return },
        }
        let wanted = settings.borrow_and_update().clone();
        let seen = look(&wanted).await;
        if seen == told {
            continue;
        }
        match seen.tell(&session).await {
            Ok(()) => {
                tracing::info!(proxy = ?seen.proxy, authorities = seen.authorities.len(), "the machine was told");
                if news.send(seen.shown()).await.is_err() {
                    return;
                }
                told = seen;
            }
            // It is told again in a minute, or the link is gone and with it this task.
            Err(error) => tracing::warn!(%error, "the machine was not told what changed on this computer"),
        }
    }
}
