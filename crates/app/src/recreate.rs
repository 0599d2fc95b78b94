//! A container made anew with other settings. The old one stays until the new one runs, and comes back when it does
//! not.

mod set_aside;

use std::io;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wherry_engine::{ContainerState, ContainerSummary, Engine, Error, Health, MadeOf, RunSpec};

use crate::clicked::Click;
use crate::commands::container;
use crate::explain::failed;
use crate::tasks::Progress;
use crate::{App, Code, ContainerRemove, Problem};
use set_aside::{Entry, SetAside, Stage};

/// Without a check, one that still runs after this is taken to have started. Programs that cannot start end sooner.
const SETTLED: Duration = Duration::from_secs(3);

/// What is kept of the log of one that is taken away again.
const LAST_LINES: u32 = 10;

/// How much of an id makes a name nobody else has.
const SHORT_ID: usize = 12;

pub(crate) struct Recreate {
    pub(crate) app: App,
    pub(crate) engine: Engine,
    pub(crate) old: MadeOf,
    pub(crate) spec: RunSpec,
    pub(crate) progress: Progress,
    pub(crate) cancel: CancellationToken,
}

impl Recreate {
    /// The id of the new one.
    pub(crate) async fn run(self) -> Result<Option<String>, Problem> {
        let name = self.wanted().to_owned();
        let mut set_aside = SetAside {
            engine: self.engine.address().to_string(),
            id: self.old.id.clone(),
            name: self.old.name.clone(),
            running: self.old.running,
            made_of: self.goes_by_itself().then(|| self.old.spec.clone()),
            temporary: format!("{name}.next-{}", self.short_id()),
            new: None,
            stage: Stage::Making,
        };
        let mut entry =
            Entry::write(&self.app.set_aside_folder(), &set_aside).map_err(|error| self.untouched(&error))?;
        let new = match self.create(&set_aside).await {
            Ok(new) => new,
            Err(problem) => {
                entry.done();
                return Err(problem);
            }
        };
        set_aside.new = Some(new.clone());
        set_aside.stage = Stage::Replacing;
        let begun = if self.cancel.is_cancelled() {
            Err(Problem::cancelled())
        } else {
            entry.update(&set_aside).map_err(|error| self.untouched(&error))
        };
        if let Err(problem) = begun {
            match set_aside.discard_new(&self.engine).await {
                Ok(()) => entry.done(),
                // The next start of Wherry removes it.
                Err(error) => self.progress.note(format!("The new one could not be removed: {error}")),
            }
            return Err(problem);
        }
        match self.replace(&set_aside, &new, &name).await {
            Ok(()) => {}
            Err(problem) => return Err(self.back(entry, &set_aside, problem).await),
        }
        // From here on the new one is the container.
        set_aside.stage = Stage::Replaced;
        if let Err(error) = entry.update(&set_aside) {
            tracing::warn!(%error, "that a container was replaced could not be written down");
        }
        if set_aside.made_of.is_none() {
            self.remove_old(&name).await;
        }
        entry.done();
        Ok(Some(new))
    }

    /// As soon as it is stopped; then it has no way to the trash.
    fn goes_by_itself(&self) -> bool {
        self.old.spec.remove_when_stopped && self.old.running
    }

    fn untouched(&self, error: &io::Error) -> Problem {
        Problem {
            why: Some(error.to_string()),
            ..Problem::plain(Code::Other, format!("{} was not touched", self.old.name))
        }
    }

    async fn remove_old(&self, name: &str) {
        self.progress.step(format!("Removing the old {}", self.old.name));
        let aside = self.aside();
        let removed = container::remove(
            &self.app,
            ContainerRemove {
                id: self.old.id.clone(),
                force: false,
                volumes: false,
                forever: false,
            },
        )
        .await;
        match removed {
            Ok(_) => self.clicked(&format!("Removed {aside}"), &["docker", "rm", &aside], None),
            Err(problem) => {
                let called = if name == self.old.name { &aside } else { &self.old.name };
                self.progress
                    .note(format!("The old one is still there as {called}: {}", problem.message));
            }
        }
    }

    fn wanted(&self) -> &str {
        let given = self.spec.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        given.unwrap_or(&self.old.name)
    }

    fn short_id(&self) -> &str {
        self.old.id.get(..SHORT_ID).unwrap_or(&self.old.id)
    }

    /// What the old one is called while the new one tries.
    fn aside(&self) -> String {
        if self.wanted() == self.old.name {
            format!("{}.before-{}", self.old.name, self.short_id())
        } else {
            self.old.name.clone()
        }
    }

    /// Under a name of its own: what is wrong with the settings shows before anything has happened to the old one.
    async fn create(&self, set_aside: &SetAside) -> Result<String, Problem> {
        self.progress.step("Making the new one".to_owned());
        // One that an earlier attempt has left, which never ran.
        set_aside.discard_new(&self.engine).await?;
        let spec = RunSpec {
            name: Some(set_aside.temporary.clone()),
            ..self.spec.clone()
        };
        container::create(
            &self.app,
            &self.engine,
            &spec,
            self.wanted(),
            &self.progress,
            &self.cancel,
        )
        .await
    }

    async fn replace(&self, set_aside: &SetAside, new: &str, name: &str) -> Result<(), Problem> {
        let old = &self.old;
        if old.running {
            self.progress.step(format!("Stopping the old {}", old.name));
            let stopped = self.engine.stop(&old.id).await;
            self.did(
                &["docker", "stop", &old.name],
                "stop",
                stopped,
                &format!("Stopped {}", old.name),
            )
            .await?;
            set_aside.gone(&self.engine).await?;
        }
        if name == old.name && set_aside.made_of.is_none() {
            let aside = self.aside();
            self.rename(&old.id, &old.name, &aside).await?;
        }
        let renamed = self.engine.rename(new, name).await;
        if let Err(error) = renamed {
            return Err(failed(&self.engine, "rename", name, error, &[]).await);
        }
        self.progress.step(format!("Starting the new {name}"));
        // One that is removed when it stops leaves nothing else that could be asked.
        let end = if self.spec.remove_when_stopped {
            Some(self.engine.next_end(new).await?.boxed())
        } else {
            None
        };
        let started = self.engine.start(new).await;
        let words = wherry_engine::command_words(&self.spec, false);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let outcome = match started {
            Ok(()) => self.settle(new, name, end).await,
            Err(error) => Err(failed(&self.engine, "start", name, error, &self.spec.ports).await),
        };
        self.clicked(&format!("Ran {name}"), &words, outcome.as_ref().err());
        outcome
    }

    /// Until it is healthy, or has run long enough where nobody checks.
    async fn settle(
        &self,
        new: &str,
        name: &str,
        mut end: Option<BoxFuture<'static, Option<i64>>>,
    ) -> Result<(), Problem> {
        let mut changes = self.engine.changes();
        let check = match self.engine.health_time(new).await {
            Ok(check) => check,
            Err(Error::NotFound { .. }) if end.is_some() => None,
            Err(error) => return Err(error.into()),
        };
        let time = check.unwrap_or(SETTLED);
        self.progress.step(match check {
            Some(_) => format!("Waiting until {name} is healthy"),
            None => format!("Seeing whether {name} still runs after {} s", time.as_secs()),
        });
        let until = Instant::now() + time;
        loop {
            let verdict = match (self.engine.container(new).await, end) {
                (Ok(found), still) => {
                    end = still;
                    verdict(&found, check.is_some())
                }
                (Err(Error::NotFound { .. }), Some(end)) => {
                    let code = tokio::time::timeout(SETTLED, end).await.ok().flatten();
                    return match code.map_or(Verdict::Good, ended) {
                        Verdict::Good | Verdict::Open => Ok(()),
                        Verdict::Bad(how) => Err(Problem::plain(
                            Code::Other,
                            format!("The new {name} {how} and was removed"),
                        )),
                    };
                }
                (Err(error), _) => return Err(error.into()),
            };
            let trouble = match verdict {
                Verdict::Good => return Ok(()),
                Verdict::Open if Instant::now() < until => None,
                Verdict::Open if check.is_none() => return Ok(()),
                Verdict::Open => Some(format!("{name} did not become healthy within {} s", time.as_secs())),
                Verdict::Bad(how) => Some(format!("The new {name} {how}")),
            };
            if let Some(message) = trouble {
                return Err(Problem {
                    causes: self.last_lines(new).await,
                    ..Problem::plain(Code::Other, message)
                });
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Err(Problem::cancelled()),
                () = tokio::time::sleep_until(until) => {}
                // Too many changes to count them are changes too.
                _ = changes.recv() => {}
            }
        }
    }

    /// Its log goes with it.
    async fn last_lines(&self, new: &str) -> Vec<String> {
        let Ok(log) = self.engine.logs(new, LAST_LINES, false).await else {
            return Vec::new();
        };
        let chunks: Vec<_> = log.collect().await;
        let lines = chunks.into_iter().filter_map(Result::ok).flat_map(|chunk| chunk.lines);
        lines.map(|line| line.text).collect()
    }

    /// The old one as it was, with what was wrong with the new one.
    async fn back(&self, entry: Entry, set_aside: &SetAside, mut problem: Problem) -> Problem {
        self.progress.step(format!("Going back to the old {}", self.old.name));
        let restored = set_aside.restore(&self.engine).await;
        let words = match restored {
            Ok(done) => {
                entry.done();
                for (title, words) in &done {
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    self.clicked(title, &words, None);
                }
                if self.goes_by_itself() {
                    format!("{} was made again as it was, and runs.", self.old.name)
                } else if self.old.running {
                    format!("The old {} runs again as it was.", self.old.name)
                } else {
                    format!("{} is as it was.", self.old.name)
                }
            }
            Err(error) => {
                problem.causes.push(error.to_string());
                if self.goes_by_itself() {
                    format!(
                        "{} could not be made again now. Wherry tries it when it starts.",
                        self.old.name
                    )
                } else {
                    format!(
                        "The old one could not be brought back by itself. It is there, with all its files: {}.",
                        self.short_id()
                    )
                }
            }
        };
        problem.hint = Some(match problem.hint.take() {
            Some(hint) => format!("{words} {hint}"),
            None => words,
        });
        problem
    }

    async fn rename(&self, id: &str, from: &str, to: &str) -> Result<(), Problem> {
        let renamed = self.engine.rename(id, to).await;
        let words = ["docker", "rename", from, to];
        self.did(&words, "rename", renamed, &format!("Renamed {from} to {to}"))
            .await
    }

    async fn did(&self, words: &[&str], verb: &str, result: Result<(), Error>, done: &str) -> Result<(), Problem> {
        let result = match result {
            Ok(()) => Ok(()),
            Err(error) => Err(failed(&self.engine, verb, &self.old.name, error, &[]).await),
        };
        self.clicked(done, words, result.as_ref().err());
        result
    }

    fn clicked(&self, done: &str, words: &[&str], problem: Option<&Problem>) {
        let click = Click::new(done.to_owned(), format!("Not done: {done}"), words);
        self.app.parts.clicked.add(&self.app, click, problem, None);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Nobody knows yet.
    Open,
    /// "ended with code 3"
    Bad(String),
}

fn verdict(found: &ContainerSummary, is_checked: bool) -> Verdict {
    match found.state {
        ContainerState::Running if is_checked => match found.health {
            Some(Health::Healthy) => Verdict::Good,
            Some(Health::Unhealthy) => Verdict::Bad("is not healthy".to_owned()),
            Some(Health::Starting) | None => Verdict::Open,
        },
        ContainerState::Running | ContainerState::Paused | ContainerState::Created | ContainerState::Removing => {
            Verdict::Open
        }
        ContainerState::Restarting | ContainerState::Exited | ContainerState::Dead => {
            found.exit_code.map_or(Verdict::Good, |code| ended(code.into()))
        }
    }
}

fn ended(code: i64) -> Verdict {
    if code == 0 {
        // It had something to do and has done it.
        Verdict::Good
    } else {
        Verdict::Bad(format!("ended with code {code}"))
    }
}
