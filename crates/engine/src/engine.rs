//! One engine: a task that keeps the connection, and the handle everybody else holds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::ends::Ends;
use crate::error::Subject;
use crate::last_use::LastUse;
use crate::transport::{ApiVersion, Call, Client};
use crate::{Address, EngineInfo, Error, Happening, happening, wire};

/// The newest version whose answers were looked at, and the oldest that has everything we ask for (Docker 20.10).
const NEWEST: ApiVersion = ApiVersion { major: 1, minor: 53 };
const OLDEST: ApiVersion = ApiVersion { major: 1, minor: 41 };

/// How long to wait before trying again, growing while nothing answers. One failed attempt on a local socket costs
/// some microseconds.
const RETRY: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(1);

/// How long an engine may take to say who it is.
const GREETING: Duration = Duration::from_secs(10);

/// How long events are collected before the UI is told. Starting one container makes five.
const COALESCE: Duration = Duration::from_millis(100);

/// Docker tells that a container ended before it writes that down, and its list knows only what is written down: on a
/// busy disk it says "running" for a while. So long after an end the list is asked again.
const LATE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// How many changes may wait for a slow receiver. Later ones say the same.
const CHANGES: usize = 16;

/// How many happenings may wait. A compose project that starts makes dozens at once.
const HAPPENINGS: usize = 256;

/// Nothing that an engine sends as one event is longer, though all labels come with every event.
pub(crate) const LONGEST_EVENT: usize = 1 << 20;

/// Which events are of interest, as the engine's API filters them.
pub(crate) const EVENTS: &str = r#"{"type":["container","image"]}"#;

/// What became old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Containers,
    Images,
}

impl Change {
    pub const ALL: [Change; 2] = [Change::Containers, Change::Images];
}

#[derive(Clone, Debug)]
pub enum Link {
    /// The first attempt is under way.
    Connecting,
    /// Nothing answers; it is tried again by itself.
    Away {
        reason: Arc<Error>,
    },
    Connected {
        info: Arc<EngineInfo>,
        client: Client,
    },
}

/// A Docker-compatible engine. Cheap to clone; the connection is kept until the last one is dropped.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: Address,
    link: watch::Receiver<Link>,
    changes: broadcast::Sender<Change>,
    happenings: broadcast::Sender<Happening>,
    /// Try now instead of after the pause.
    now: Arc<Notify>,
    rest: watch::Sender<bool>,
    ends: Arc<Ends>,
    last_use: Arc<LastUse>,
    _end: DropGuard,
}

impl Engine {
    /// Returns at once; the connection is made, and made again, in the background. Needs a tokio runtime.
    pub fn connect(address: Address) -> Engine {
        Self::begin(address, false)
    }

    /// Makes no connection until it is told to, or somebody calls: see [`Engine::rest`].
    pub fn at_rest(address: Address) -> Engine {
        Self::begin(address, true)
    }

    fn begin(address: Address, at_rest: bool) -> Engine {
        let first = if at_rest { resting() } else { Link::Connecting };
        let (link_sender, link) = watch::channel(first);
        let (rest, rests) = watch::channel(at_rest);
        let changes = broadcast::Sender::new(CHANGES);
        let happenings = broadcast::Sender::new(HAPPENINGS);
        let now = Arc::new(Notify::new());
        let end = CancellationToken::new();
        let ends = Arc::new(Ends::default());
        let keeper = Keeper {
            address: address.clone(),
            link: link_sender,
            changes: changes.clone(),
            happenings: happenings.clone(),
            now: now.clone(),
            rests,
            ends: ends.clone(),
        };
        tokio::spawn(end.clone().run_until_cancelled_owned(keeper.run()));
        Engine {
            shared: Arc::new(Shared {
                address,
                link,
                changes,
                happenings,
                now,
                rest,
                ends,
                last_use: Arc::default(),
                _end: end.drop_guard(),
            }),
        }
    }

    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    pub fn link(&self) -> watch::Receiver<Link> {
        self.shared.link.clone()
    }

    /// What changes from now on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// What happens from now on.
    pub(crate) fn happenings(&self) -> broadcast::Receiver<Happening> {
        self.shared.happenings.subscribe()
    }

    pub(crate) fn ends(&self) -> &Ends {
        &self.shared.ends
    }

    pub(crate) fn last_use(&self) -> &Arc<LastUse> {
        &self.shared.last_use
    }

    /// Remembers in this file when its images and volumes were used last.
    pub fn keep_last_use(&self, file: &Path) {
        self.shared.last_use.keep(file);
    }

    pub(crate) fn rests(&self) -> watch::Receiver<bool> {
        self.shared.rest.subscribe()
    }

    /// The same connection, not only the same address.
    pub fn is(&self, other: &Engine) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The connection and the engine's memory, when it is there and not about to sleep. Never makes one.
    pub(crate) fn connected(&self) -> Option<(Client, u64)> {
        let rests = *self.shared.rest.borrow();
        match &*self.shared.link.borrow() {
            Link::Connected { info, client } if !rests => Some((client.clone(), info.memory)),
            Link::Connected { .. } | Link::Connecting | Link::Away { .. } => None,
        }
    }

    /// Why it does not answer, when it does not; asks nothing and wakes nobody. Waits for an attempt that is under way.
    pub async fn answers(&self) -> Result<(), Error> {
        let mut link = self.link();
        let settled = link.wait_for(|link| !matches!(link, Link::Connecting));
        // A copy: what is borrowed from a watch must not be held while it is borrowed again.
        let settled = tokio::time::timeout(GREETING, settled)
            .await
            .ok()
            .and_then(Result::ok)
            .map(|link| link.clone());
        match settled {
            Some(Link::Away { reason }) => Err(Error::Away(reason)),
            Some(Link::Connecting | Link::Connected { .. }) if self.connected().is_some() => Ok(()),
            Some(Link::Connecting | Link::Connected { .. }) => Err(Error::AtRest),
            None => Err(Error::Silent {
                doing: "say its version",
                after: GREETING,
            }),
        }
    }

    /// Tries to connect now, when the pause between two attempts would be in the way.
    pub fn retry(&self) {
        self.shared.now.notify_one();
    }

    /// While it rests, a connection that ended is not made again by itself, because connecting would wake what is
    /// behind it. A call makes it, and so wakes it.
    pub fn rest(&self, rest: bool) {
        let turned = |rests: &mut bool| std::mem::replace(rests, rest) != rest;
        if self.shared.rest.send_if_modified(turned) && rest {
            // What was wanted before it came to rest is not what wakes it.
            let _ = futures::FutureExt::now_or_never(self.shared.now.notified());
        }
    }

    /// The connection, or why there is none. When there is none, one more attempt is made now, so that a call right
    /// after the engine came back does not fail for a pause.
    pub(crate) async fn client(&self) -> Result<Client, Error> {
        let mut link = self.link();
        let was_away = match &*link.borrow_and_update() {
            Link::Connected { client, .. } => return Ok(client.clone()),
            Link::Connecting => false,
            Link::Away { .. } => true,
        };
        if was_away {
            self.retry();
        }
        let attempt = async {
            while link.changed().await.is_ok() {
                match &*link.borrow_and_update() {
                    Link::Connected { client, .. } => return Some(Ok(client.clone())),
                    Link::Connecting => {}
                    Link::Away { reason } => return Some(Err(Error::Away(reason.clone()))),
                }
            }
            None
        };
        match tokio::time::timeout(GREETING, attempt).await {
            Ok(Some(result)) => result,
            // The engine took the connection and says nothing.
            Ok(None) | Err(_) => Err(Error::Silent {
                doing: "say its version",
                after: GREETING,
            }),
        }
    }
}

fn resting() -> Link {
    Link::Away {
        reason: Arc::new(Error::AtRest),
    }
}

/// Asks once who answers there.
pub(crate) async fn ask(address: &Address, within: Duration) -> Result<EngineInfo, Error> {
    tokio::time::timeout(within, greet(address))
        .await
        .map_err(|_| Error::Silent {
            doing: "say its version",
            after: within,
        })?
        .map(|(info, _)| info)
}

async fn greet(address: &Address) -> Result<(EngineInfo, Client), Error> {
    let client = Client::new(address.clone());
    let version: wire::Version = client
        .value(Call::get("/version", Subject::Engine, "say its version").within(GREETING))
        .await?;
    let (client, api) = negotiate(client, &version)?;
    let info: wire::Info = client
        .value(Call::get("/info", Subject::Engine, "describe itself").within(GREETING))
        .await?;
    let podman = version
        .components
        .iter()
        .any(|component| component.name.contains("Podman"));
    Ok((
        EngineInfo {
            product: if podman { "Podman" } else { "Docker" }.to_owned(),
            version: version.engine,
            api_version: api.to_string(),
            operating_system: info.operating_system,
            kernel: version.kernel,
            architecture: version.arch,
            cpus: info.cpus,
            memory: info.mem_total,
        },
        client,
    ))
}

/// The newest version that both sides speak.
fn negotiate(client: Client, version: &wire::Version) -> Result<(Client, ApiVersion), Error> {
    let not_a_version = || Error::Garbled {
        source: format!("API version {:?}", version.api).into(),
    };
    let theirs = ApiVersion::parse(&version.api).ok_or_else(not_a_version)?;
    if theirs < OLDEST {
        return Err(Error::TooOld {
            theirs: theirs.to_string(),
            needed: OLDEST.to_string(),
        });
    }
    // An engine that no longer speaks our newest is asked in its own oldest: most of it will still fit.
    let least = version.min_api.as_deref().and_then(ApiVersion::parse).unwrap_or(OLDEST);
    let common = theirs.min(NEWEST).max(least);
    Ok((client.with_version(common), common))
}

/// The task behind an [`Engine`].
struct Keeper {
    address: Address,
    link: watch::Sender<Link>,
    changes: broadcast::Sender<Change>,
    happenings: broadcast::Sender<Happening>,
    now: Arc<Notify>,
    rests: watch::Receiver<bool>,
    ends: Arc<Ends>,
}

impl Keeper {
    async fn run(mut self) {
        let mut pause = *RETRY.start();
        loop {
            self.while_it_rests().await;
            match self.connect().await {
                Ok(events) => {
                    pause = *RETRY.start();
                    self.forward(events).await;
                    // The engine is going, or gone. Which of both the next attempt tells.
                }
                Err(error) => {
                    tracing::debug!(address = %self.address, %error, "the engine does not answer");
                    self.link.send_replace(Link::Away {
                        reason: Arc::new(error),
                    });
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(*RETRY.end()),
                () = self.now.notified() => {}
            }
        }
    }

    async fn while_it_rests(&mut self) {
        if !*self.rests.borrow_and_update() {
            return;
        }
        // Said once: whoever has just called waits for what comes next.
        self.link.send_if_modified(|link| {
            let told = matches!(link, Link::Away { reason } if matches!(**reason, Error::AtRest));
            if !told {
                *link = resting();
            }
            !told
        });
        let now = self.now.clone();
        tokio::select! {
            _ = self.rests.wait_for(|rests| !rests) => {}
            () = now.notified() => {}
        }
    }

    /// Events are subscribed before anybody learns that the engine is here, so that no change falls between.
    async fn connect(&self) -> Result<hyper::body::Incoming, Error> {
        let (info, client) = greet(&self.address).await?;
        let call = Call::get("/events", Subject::Engine, "tell its events")
            .query("filters", EVENTS)
            .within(GREETING);
        let events = client.open(call).await?.into_body();
        self.ends.forget_all();
        self.link.send_replace(Link::Connected {
            info: Arc::new(info),
            client,
        });
        for change in Change::ALL {
            let _ = self.changes.send(change);
        }
        Ok(events)
    }

    /// Until the engine lets go.
    async fn forward(&self, events: hyper::body::Incoming) {
        let bytes = http_body_util::BodyDataStream::new(events).map_err(std::io::Error::other);
        let lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(LONGEST_EVENT));
        let mut lines = std::pin::pin!(lines.fuse());
        let mut waiting: Vec<Change> = Vec::new();
        let mut reader = happening::Reader::default();
        let mut flush: Option<Instant> = None;
        let mut late: [Option<Instant>; 2] = [None; 2];
        loop {
            let next = late.iter().chain([&flush]).flatten().min().copied();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                line = lines.next() => match line {
                    Some(Ok(line)) => {
                        let event = serde_json::from_str::<wire::Event>(&line).unwrap_or_default();
                        if is_another_end(&event) {
                            self.ends.forget(&event.actor.id);
                        }
                        if is_end(&event) {
                            late = LATE.map(|after| Some(Instant::now() + after));
                        }
                        if let Some(happening) = reader.read(&event) {
                            let _ = self.happenings.send(happening);
                        }
                        for change in changed_by(&event) {
                            if !waiting.contains(change) {
                                waiting.push(*change);
                                flush.get_or_insert_with(|| Instant::now() + COALESCE);
                            }
                        }
                    }
                    // A reader that lost its place starts anew, which tells every change.
                    Some(Err(_)) | None => return,
                },
                () = due => {
                    let now = Instant::now();
                    if late.iter().any(|at| at.is_some_and(|at| at <= now)) && !waiting.contains(&Change::Containers) {
                        waiting.push(Change::Containers);
                    }
                    late = late.map(|at| at.filter(|at| *at > now));
                    flush = None;
                    for change in waiting.drain(..) {
                        let _ = self.changes.send(change);
                    }
                }
            }
        }
    }
}

/// How the container ended before counts no more.
fn is_another_end(event: &wire::Event) -> bool {
    event.kind == "container" && ["start", "die", "destroy", "remove"].contains(&event.action.as_str())
}

fn is_end(event: &wire::Event) -> bool {
    event.kind == "container" && event.action == "die"
}

fn changed_by(event: &wire::Event) -> &'static [Change] {
    match (event.kind.as_str(), event.action.as_str()) {
        // Health checks and terminals make these all the time, and no list shows them.
        ("container", action)
            if action.starts_with("exec_")
                || [
                    "top",
                    "attach",
                    "detach",
                    "resize",
                    "export",
                    "archive-path",
                    "extract-to-dir",
                    "copy",
                ]
                .contains(&action) =>
        {
            &[]
        }
        // The image list says who uses an image.
        ("container", "create" | "destroy" | "remove" | "rename") => &[Change::Containers, Change::Images],
        ("container", _) => &[Change::Containers],
        ("image", "push" | "save") => &[],
        ("image", _) => &[Change::Images],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(api: &str, min: Option<&str>) -> Result<String, Error> {
        let json = serde_json::json!({ "ApiVersion": api, "MinAPIVersion": min });
        let version: wire::Version = serde_json::from_value(json).expect("a version");
        let client = Client::new(Address::Tcp("localhost:1".into()));
        negotiate(client, &version).map(|(_, version)| version.to_string())
    }

    #[test]
    fn the_newest_version_that_both_speak_is_taken() {
        assert_eq!(version("1.41", Some("1.12")).expect("Docker 20.10"), "1.41");
        assert_eq!(version("1.51", Some("1.24")).expect("Docker 28"), "1.51");
        assert_eq!(version("1.70", Some("1.44")).expect("a later Docker"), "1.53");
        assert_eq!(version("1.70", Some("1.60")).expect("a much later Docker"), "1.60");
        assert!(matches!(version("1.40", None), Err(Error::TooOld { .. })));
        assert!(matches!(version("five", None), Err(Error::Garbled { .. })));
    }

    #[test]
    fn a_health_check_is_no_change() {
        let event = |kind: &str, action: &str| wire::Event {
            kind: kind.into(),
            action: action.into(),
            ..wire::Event::default()
        };
        assert_eq!(changed_by(&event("container", "exec_start: /bin/sh -c true")), &[]);
        assert_eq!(
            changed_by(&event("container", "health_status: healthy")),
            &[Change::Containers]
        );
        assert_eq!(
            changed_by(&event("container", "destroy")),
            &[Change::Containers, Change::Images]
        );
        assert_eq!(changed_by(&event("image", "tag")), &[Change::Images]);
    }
}
