//! Which engine Wherry works with: what the person chose, else the first that answers, else its own machine.

use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use wherry_engine::{Address, Change, Engine, EngineOrigin, Link};
use wherry_machine::{State, Status};

use crate::events::Events;
use crate::{Action, Code, EngineChoice, Problem, Topic};

/// How often another engine is looked for while the one in use is away. Looking costs a few failing connects.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How long a choice may take until it is known whether an engine answers there.
pub(crate) const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// What is in use.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) choice: EngineChoice,
    pub(crate) used: Option<Used>,
    /// Why there is none: an address that cannot be used.
    pub(crate) refused: Option<String>,
}

impl Current {
    fn is_like(&self, other: &Current) -> bool {
        let place = |current: &Current| {
            current
                .used
                .as_ref()
                .map(|used| (used.origin.clone(), used.address.clone()))
        };
        self.choice == other.choice && self.refused == other.refused && place(self) == place(other)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub(crate) origin: EngineOrigin,
    /// As `DOCKER_HOST` writes it.
    pub(crate) address: String,
    pub(crate) engine: Engine,
}

/// The handle. The work is done by a [`Chooser`].
pub(crate) struct Engines {
    choice: watch::Sender<EngineChoice>,
    /// `None` until the first look around is over.
    current: watch::Receiver<Option<Current>>,
}

impl Engines {
    pub(crate) fn begin(
        choice: EngineChoice,
        machine_address: String,
        machine: watch::Receiver<Status>,
        events: Events,
        end: &CancellationToken,
    ) -> Engines {
        let (choice_sender, choice) = watch::channel(choice);
        let (current_sender, current) = watch::channel(None);
        let chooser = Chooser {
            choice,
            machine,
            machine_address,
            current: current_sender,
            events,
        };
        tokio::spawn(end.clone().run_until_cancelled_owned(chooser.run()));
        Engines {
            choice: choice_sender,
            current,
        }
    }

    /// What is in use, once that is known.
    pub(crate) async fn current(&self) -> Current {
        let mut current = self.current.clone();
        let found = current
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|current| current.clone());
        found.unwrap_or_else(|| Current {
            choice: self.choice.borrow().clone(),
            used: None,
            refused: None,
        })
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<Current>> {
        self.current.clone()
    }

    /// Changes the choice and waits until it is known whether an engine answers there.
    pub(crate) async fn choose(&self, choice: EngineChoice) {
        self.choice.send_replace(choice.clone());
        let mut current = self.current.clone();
        let settled = async {
            let used = match current
                .wait_for(|current| current.as_ref().is_some_and(|now| now.choice == choice))
                .await
            {
                Ok(current) => current.as_ref().and_then(|current| current.used.clone()),
                Err(_) => None,
            };
            if let Some(used) = used {
                let _ = used
                    .engine
                    .link()
                    .wait_for(|link| !matches!(link, Link::Connecting))
                    .await;
            }
        };
        // One that does not answer in time is shown as away, which it is.
        let _ = tokio::time::timeout(FIRST_ANSWER, settled).await;
    }

    pub(crate) async fn engine(&self) -> Result<Engine, Problem> {
        let current = self.current().await;
        match current.used {
            Some(used) => Ok(used.engine),
            None => Err(Problem {
                code: Code::EngineUnreachable,
                message: "There is no engine".into(),
                hint: Some("Choose one, or start Wherry's own.".into()),
                why: None,
                causes: current.refused.into_iter().collect(),
                action: Some(Action::StartEngine),
            }),
        }
    }

    /// Tries to connect now: something is known to have started.
    pub(crate) fn retry(&self) {
        if let Some(used) = self.current.borrow().as_ref().and_then(|current| current.used.as_ref()) {
            used.engine.retry();
        }
    }
}

/// A docker context, or the link at `/var/run/docker.sock`, may lead to our own machine.
pub(crate) fn is_same_place(address: &str, own: &str) -> bool {
    let path = |address: &str| address.strip_prefix("unix://").map(std::path::PathBuf::from);
    address == own
        || path(address)
            .and_then(|path| fs_err::read_link(path).ok())
            .is_some_and(|target| Some(target) == path(own))
}

struct Chooser {
    choice: watch::Receiver<EngineChoice>,
    machine: watch::Receiver<Status>,
    machine_address: String,
    current: watch::Sender<Option<Current>>,
    events: Events,
}

impl Chooser {
    async fn run(mut self) {
        loop {
            let choice = self.choice.borrow_and_update().clone();
            let now = self.decide(choice).await;
            let used = now.used.clone();
            let is_news = self
                .current
                .borrow()
                .as_ref()
                .is_none_or(|before| !before.is_like(&now));
            self.current.send_replace(Some(now));
            if is_news {
                self.tell_all();
            }
            match used {
                Some(used) => self.follow(&used).await,
                None => self.something_else().await,
            }
        }
    }

    async fn decide(&self, choice: EngineChoice) -> Current {
        let (origin, address) = match &choice {
            EngineChoice::Auto => self.look_around().await,
            EngineChoice::Machine => (EngineOrigin::Machine, self.machine_address.clone()),
            EngineChoice::Address { address } => (EngineOrigin::Chosen, address.clone()),
        };
        let before = self.current.borrow().as_ref().and_then(|current| current.used.clone());
        if let Some(before) = before.filter(|before| before.address == address) {
            return Current {
                choice,
                used: Some(Used { origin, ..before }),
                refused: None,
            };
        }
        let origin_is_asleep = origin == EngineOrigin::Machine && self.machine_sleeps();
        match Address::parse(&address) {
            Ok(parsed) => {
                let used = Used {
                    origin,
                    address,
                    engine: if origin_is_asleep {
                        Engine::at_rest(parsed)
                    } else {
                        Engine::connect(parsed)
                    },
                };
                Current {
                    choice,
                    used: Some(used),
                    refused: None,
                }
            }
            Err(error) => Current {
                choice,
                used: None,
                refused: Some(error.to_string()),
            },
        }
    }

    /// The first engine that answers, else the one in use, else the machine.
    async fn look_around(&self) -> (EngineOrigin, String) {
        let asleep = self.machine_sleeps().then_some(self.machine_address.as_str());
        let answering = wherry_engine::candidates(asleep)
            .await
            .into_iter()
            .find(|candidate| candidate.answer.is_ok());
        if let Some(candidate) = answering {
            let place = candidate.place;
            if is_same_place(&place.address, &self.machine_address) {
                return (EngineOrigin::Machine, self.machine_address.clone());
            }
            return (place.origin, place.address);
        }
        let before = self.current.borrow().as_ref().and_then(|current| current.used.clone());
        match before {
            // Docker is being restarted, perhaps, and nothing else is there meanwhile.
            Some(before) if !self.machine_runs() && before.origin != EngineOrigin::Chosen => {
                (before.origin, before.address)
            }
            Some(_) | None => (EngineOrigin::Machine, self.machine_address.clone()),
        }
    }

    fn machine_runs(&self) -> bool {
        matches!(self.machine.borrow().state, State::Running { .. })
    }

    /// Its memory is saved or being saved. It wakes when it is used, and looking after it is no use.
    fn machine_sleeps(&self) -> bool {
        match self.machine.borrow().state {
            State::Suspending | State::Suspended { .. } => true,
            State::Stopped
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping
            | State::Failed { .. } => false,
        }
    }

    /// Passes on what the engine says, until there may be a better one.
    async fn follow(&mut self, used: &Used) {
        let mut link = used.engine.link();
        let mut engine = used.engine.changes();
        // What it said before we listened was told with the engine itself.
        let mut known = LinkSeen::of(&link.borrow_and_update());
        let mut machine_ran = self.machine_runs();
        let is_machine = used.origin == EngineOrigin::Machine;
        let look_again = tokio::time::sleep(LOOK_AGAIN);
        let mut look_again = std::pin::pin!(look_again);
        loop {
            let auto = matches!(*self.choice.borrow(), EngineChoice::Auto);
            let away = matches!(known, LinkSeen::Away(_));
            let asleep = is_machine && self.machine_sleeps();
            used.engine.rest(asleep);
            tokio::select! {
                alive = self.choice.changed() => return until_dropped(alive).await,
                alive = self.machine.changed() => {
                    until_dropped(alive).await;
                    let runs = self.machine_runs();
                    if runs != machine_ran {
                        machine_ran = runs;
                        if is_machine && self.machine_sleeps() {
                            continue;
                        }
                        used.engine.retry();
                        if auto && away {
                            return;
                        }
                    }
                }
                alive = link.changed() => {
                    until_dropped(alive).await;
                    let seen = LinkSeen::of(&link.borrow_and_update());
                    // Each failing attempt is a change of the link, and none for people.
                    if seen != known {
                        known = seen;
                        self.tell_all();
                    }
                }
                change = engine.recv() => match change {
                    Ok(Change::Containers) => self.events.changed(Topic::Containers),
                    Ok(Change::Images) => self.events.changed(Topic::Images),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.tell_all(),
                    Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
                },
                () = &mut look_again, if auto && away && !asleep => return,
            }
        }
    }

    /// No engine at all: until the person chooses another.
    async fn something_else(&mut self) {
        let alive = self.choice.changed().await;
        until_dropped(alive).await;
    }

    fn tell_all(&self) {
        for topic in [Topic::Engine, Topic::Containers, Topic::Images] {
            self.events.changed(topic);
        }
    }
}

/// What of a link is worth telling.
#[derive(PartialEq, Eq)]
enum LinkSeen {
    Connecting,
    Connected,
    Away(String),
}

impl LinkSeen {
    fn of(link: &Link) -> LinkSeen {
        match link {
            Link::Connecting => LinkSeen::Connecting,
            Link::Connected { .. } => LinkSeen::Connected,
            Link::Away { reason } => LinkSeen::Away(reason.to_string()),
        }
    }
}

/// A sender that is gone means that the app is: then there is nothing to do until this task is dropped too.
async fn until_dropped(alive: Result<(), watch::error::RecvError>) {
    if alive.is_err() {
        std::future::pending::<()>().await;
    }
}
