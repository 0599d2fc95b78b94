//! Terminals live here and not in a page: a page that goes away and comes back finds them as they were.

pub(crate) mod model;
mod scrollback;
mod session;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use wherry_engine::{Attached, ContainerState, ContainerSummary, Engine, Exec, TerminalSize};

use self::model::{Terminal, TerminalKind, TerminalOpen};
use self::session::{Inside, Session};
use crate::explain::{container_name, failed};
use crate::{Code, Problem};

/// What has ended stays until it is closed, and so does what is forgotten. Nobody has more open at once.
const MOST: usize = 64;

#[derive(Clone)]
pub(crate) struct Terminals {
    /// Held for single look-ups only.
    open: Arc<Mutex<Open>>,
    end: CancellationToken,
}

#[derive(Default)]
struct Open {
    next: u32,
    sessions: BTreeMap<u32, Arc<Session>>,
}

impl Terminals {
    pub(crate) fn new(end: CancellationToken) -> Terminals {
        Terminals {
            open: Arc::default(),
            end,
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Open) -> T) -> T {
        change(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `container` is a whole id.
    pub(crate) fn list(&self, container: &str) -> Vec<Terminal> {
        self.with(|open| {
            open.sessions
                .values()
                .map(|session| session.describe())
                .filter(|terminal| terminal.container == container)
                .collect()
        })
    }

    pub(crate) fn get(&self, id: u32) -> Result<Arc<Session>, Problem> {
        self.with(|open| open.sessions.get(&id).cloned())
            .ok_or_else(|| Problem::plain(Code::NotFound, "This terminal was closed"))
    }

    pub(crate) async fn open(&self, engine: Engine, wanted: TerminalOpen) -> Result<Terminal, Problem> {
        let size = TerminalSize {
            columns: wanted.columns.max(2),
            rows: wanted.rows.max(1),
        };
        let container = engine.container(&wanted.container).await?;
        refuse_at_rest(&container)?;
        if self.with(|open| open.sessions.len()) >= MOST {
            return Err(Problem {
                hint: Some("Close one that you do not need.".to_owned()),
                ..Problem::plain(Code::Other, format!("{MOST} terminals are open"))
            });
        }
        let began = begin(&engine, &container.id, &wanted.kind, size).await;
        let (inside, stream, root) = match began {
            Ok(began) => began,
            Err(error) => {
                let name = container_name(&engine, &container.id).await;
                return Err(failed(&engine, "open a terminal in", &name, error, &[]).await);
            }
        };
        let session = self.add(engine, container.id, wanted.kind, root, (inside, stream));
        Ok(session.describe())
    }

    /// Attaches to a container that is about to start, so that nothing its program says on its terminal is missed.
    pub(crate) async fn await_start(&self, engine: &Engine, container: &str) -> Result<u32, wherry_engine::Error> {
        let attached = engine.attach_to_created(container).await?;
        let session = self.add(
            engine.clone(),
            container.to_owned(),
            TerminalKind::Attach,
            None,
            (Inside::Container, attached),
        );
        Ok(session.describe().id)
    }

    fn add(
        &self,
        engine: Engine,
        container: String,
        kind: TerminalKind,
        root: Option<String>,
        (inside, stream): (Inside, Attached),
    ) -> Arc<Session> {
        self.with(|open| {
            let id = open.next;
            open.next += 1;
            let terminal = Terminal {
                id,
                container,
                kind,
                root,
                ended: false,
            };
            let session = Session::begin(terminal, engine, inside, stream, &self.end);
            open.sessions.insert(id, session.clone());
            session
        })
    }

    /// Ends what runs in it.
    pub(crate) async fn close(&self, id: u32) {
        if let Some(session) = self.with(|open| open.sessions.remove(&id)) {
            session.close().await;
        }
    }
}

/// The engine's own words for these are about the state of an id.
fn refuse_at_rest(container: &ContainerSummary) -> Result<(), Problem> {
    let (state, hint) = match container.state {
        ContainerState::Running => return Ok(()),
        ContainerState::Paused => ("is paused", "Resume it to open a terminal."),
        ContainerState::Created
        | ContainerState::Restarting
        | ContainerState::Removing
        | ContainerState::Exited
        | ContainerState::Dead => ("does not run", "Start it to open a terminal."),
    };
    Err(Problem {
        hint: Some(hint.to_owned()),
        ..Problem::plain(Code::Other, format!("{} {state}", container.name))
    })
}

/// Its stream, and where its container's files are, where that is not `/`.
type Began = (Inside, Attached, Option<String>);

async fn begin(
    engine: &Engine,
    container: &str,
    kind: &TerminalKind,
    size: TerminalSize,
) -> Result<Began, wherry_engine::Error> {
    match kind {
        TerminalKind::Shell { program, user } => {
            let exec = Exec {
                command: session::announcing(program),
                user: user.clone().filter(|user| !user.trim().is_empty()),
                environment: vec!["TERM=xterm-256color".to_owned()],
            };
            let attached = engine.exec(container, &exec, size).await?;
            let inside = Inside::Exec {
                id: attached.id.clone(),
                program: program.clone(),
                user: exec.user,
            };
            Ok((inside, attached, None))
        }
        TerminalKind::Attach => Ok((Inside::Container, engine.attach(container, size).await?, None)),
        TerminalKind::Debug { image } => {
            let debug = engine.debug_shell(container, image, size).await?;
            Ok((Inside::Helper { id: debug.id }, debug.attached, Some(debug.root)))
        }
    }
}
