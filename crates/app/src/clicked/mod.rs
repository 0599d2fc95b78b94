//! "What I clicked": every action that has a docker command, with it, kept on this computer.
//!
//! One action is one line of a file, written when the action has ended. What is secret never gets here: a spec is
//! written without its secrets before anything is kept.

mod containers;
mod files;
mod images;
mod trash;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use wherry_engine::{Shell, shell_line};

use crate::events::Events;
use crate::explain::container_name;
use crate::{App, Event, Outcome, Problem, TaskId, Topic, private_file};

pub(crate) use self::containers::{act, export, remove, restart, run, signal, start, stop};
pub(crate) use self::files::{delete_file, download, make_folder, rename_file, save_file, upload};
pub(crate) use self::images::{load, login, logout, pull, push, remove_image, save_images, tag};
pub(crate) use self::trash::{deleted, reclaim, restored};

/// How many actions are kept.
const MOST: usize = 1000;

/// How long, in milliseconds: 30 days.
const LONGEST: u64 = 30 * 24 * 60 * 60 * 1000;

/// One action, ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Clicked {
    /// Greater than that of every earlier one.
    pub id: u64,
    /// Unix milliseconds, when it began.
    pub at_millis: u64,
    pub took_millis: u64,
    /// "Started web", or "Could not start web: 8080 is used by nginx".
    pub title: String,
    pub failed: bool,
    /// Each command, word by word, without secrets.
    pub commands: Vec<Vec<String>>,
    /// The same for a POSIX shell.
    pub line: String,
}

/// Which actions to write as a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ClickedScript {
    pub ids: Vec<u64>,
    pub shell: Shell,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ClickedSave {
    pub script: ClickedScript,
    /// The whole path that the person chose; `None` is a new file in their downloads.
    pub to: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Script {
    /// `wherry.sh`
    pub name: String,
    pub text: String,
}

/// An action that is about to begin.
pub(crate) struct Click {
    done: String,
    failed: String,
    commands: Vec<Vec<String>>,
    at: SystemTime,
    began: Instant,
}

impl Click {
    /// `done`: "Started web"; `failed`: "Could not start web".
    pub(crate) fn new(done: String, failed: String, words: &[&str]) -> Click {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Click::several(done, failed, vec![words])
    }

    /// What takes more than one command.
    pub(crate) fn several(done: String, failed: String, commands: Vec<Vec<String>>) -> Click {
        Click {
            done,
            failed,
            commands,
            at: SystemTime::now(),
            began: Instant::now(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct History {
    file: PathBuf,
    /// Locked to look, or to write the file.
    kept: Arc<Mutex<Vec<Clicked>>>,
    events: Events,
}

impl History {
    /// A line that cannot be read is left out: nothing depends on it.
    pub(crate) fn open(file: PathBuf, events: Events) -> History {
        let text = fs_err::read_to_string(&file).unwrap_or_default();
        let kept: Vec<Clicked> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let history = History {
            file,
            kept: Arc::new(Mutex::new(kept)),
            events,
        };
        history.shorten(&mut history.lock());
        history
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Clicked>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Newest first.
    pub(crate) fn list(&self) -> Vec<Clicked> {
        self.lock().iter().rev().cloned().collect()
    }

    pub(crate) fn forget(&self, ids: &[u64]) -> std::io::Result<()> {
        let mut kept = self.lock();
        kept.retain(|clicked| !ids.contains(&clicked.id));
        let written = self.write(&kept);
        drop(kept);
        self.events.changed(Topic::Clicked);
        written
    }

    /// Work that goes on is kept when it has ended.
    pub(crate) fn add(&self, app: &App, click: Click, problem: Option<&Problem>, task: Option<&TaskId>) {
        match task {
            Some(task) => {
                tokio::spawn(self.clone().follow(app.clone(), click, task.clone()));
            }
            None => self.keep(click, problem.map(|problem| problem.message.clone())),
        }
    }

    async fn follow(self, app: App, click: Click, id: TaskId) {
        let mut events = app.parts.events.subscribe();
        // It may have ended before its end could be heard.
        let known = app.parts.tasks.list().into_iter().find(|task| task.id == id);
        drop(app);
        let mut outcome = known.map(|task| task.outcome);
        loop {
            match outcome.take() {
                Some(Outcome::Done { .. }) => return self.keep(click, None),
                Some(Outcome::Failed { problem }) => return self.keep(click, Some(problem.message)),
                Some(Outcome::Cancelled) => return self.keep(click, Some("Cancelled".to_owned())),
                Some(Outcome::Working) | None => {}
            }
            match events.recv().await {
                Ok(Event::Task { task }) if task.id == id => outcome = Some(task.outcome),
                Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn keep(&self, click: Click, problem: Option<String>) {
        let failed = problem.is_some();
        let title = match problem {
            None => click.done,
            // "Could not start web: 8080 is used by nginx", and not twice that it could not.
            Some(why) if why.starts_with(&click.failed) => why,
            Some(why) => format!("{}: {why}", click.failed),
        };
        let mut kept = self.lock();
        let clicked = Clicked {
            id: kept.last().map_or(1, |last| last.id + 1),
            at_millis: millis(click.at),
            took_millis: u64::try_from(click.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            title,
            failed,
            line: lines(&click.commands, Shell::Posix).join(" && "),
            commands: click.commands,
        };
        let appended = self.append(&clicked);
        kept.push(clicked);
        self.shorten(&mut kept);
        drop(kept);
        if let Err(error) = appended {
            tracing::warn!(%error, "an action could not be kept");
        }
        self.events.changed(Topic::Clicked);
    }

    fn append(&self, clicked: &Clicked) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(clicked)?;
        line.push(b'\n');
        let mut file = private_file::options().create(true).append(true).open(&self.file)?;
        file.write_all(&line)
    }

    /// What is too old or too much goes, from the file too.
    fn shorten(&self, kept: &mut Vec<Clicked>) {
        let oldest = millis(SystemTime::now()).saturating_sub(LONGEST);
        let before = kept.len();
        kept.retain(|clicked| clicked.at_millis >= oldest);
        let too_many = kept.len().saturating_sub(MOST);
        // Not one at a time: each time the whole file is written.
        if too_many > MOST / 10 {
            kept.drain(..too_many);
        }
        if kept.len() < before
            && let Err(error) = self.write(kept)
        {
            tracing::warn!(%error, "what was clicked could not be shortened");
        }
    }

    fn write(&self, kept: &[Clicked]) -> std::io::Result<()> {
        let folder = self.file.parent().unwrap_or(std::path::Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        for clicked in kept {
            serde_json::to_writer(&mut new, clicked)?;
            new.write_all(b"\n")?;
        }
        new.persist(&self.file)?;
        Ok(())
    }

    /// Oldest first, without what failed.
    pub(crate) fn script(&self, wanted: &ClickedScript) -> Script {
        let chosen: Vec<Clicked> = self
            .lock()
            .iter()
            .filter(|clicked| wanted.ids.contains(&clicked.id) && !clicked.failed)
            .cloned()
            .collect();
        let (name, head) = match wanted.shell {
            Shell::Posix => (
                "wherry.sh",
                "#!/bin/sh\n# Made by Wherry. Secrets are left out: set them as variables first.\nset -eu\n",
            ),
            Shell::PowerShell => (
                "wherry.ps1",
                "# Made by Wherry. Secrets are left out: set them as variables first.\n$ErrorActionPreference = 'Stop'\n",
            ),
            Shell::Cmd => (
                "wherry.cmd",
                "@echo off\nrem Made by Wherry. Secrets are left out: set them as variables first.\n",
            ),
        };
        let (remark, end) = match wanted.shell {
            Shell::Posix | Shell::PowerShell => ("#", "\n"),
            Shell::Cmd => ("rem", "\r\n"),
        };
        let mut text = head.to_owned();
        for clicked in &chosen {
            // A title is one line whatever stands in the names it speaks of.
            let title: String = clicked
                .title
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            text.extend(["\n", remark, " ", &title, "\n"]);
            for line in lines(&clicked.commands, wanted.shell) {
                text.extend([line.as_str(), or_stop(wanted.shell), "\n"]);
            }
        }
        Script {
            name: name.to_owned(),
            text: text.replace('\n', end),
        }
    }
}

fn lines(commands: &[Vec<String>], shell: Shell) -> Vec<String> {
    commands.iter().map(|words| shell_line(words, shell)).collect()
}

/// What makes a script end where a command of it fails. PowerShell's own preference is not about programs.
fn or_stop(shell: Shell) -> &'static str {
    match shell {
        // `set -e`
        Shell::Posix => "",
        Shell::PowerShell => "\nif ($LASTEXITCODE) { exit $LASTEXITCODE }",
        Shell::Cmd => " || exit /b",
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

async fn name(app: &App, id: &str) -> String {
    match app.engine().await {
        Ok(engine) => container_name(&engine, id).await,
        Err(_) => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(folder: &std::path::Path) -> History {
        History::open(folder.join("clicked.jsonl"), Events::default())
    }

    fn click(name: &str) -> Click {
        Click::new(
            format!("Started {name}"),
            format!("Could not start {name}"),
            &["docker", "start", name],
        )
    }

    #[test]
    fn what_was_clicked_is_there_the_next_time_and_becomes_a_script() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = history(folder.path());
        first.keep(click("web"), None);
        first.keep(click("a b\nrm -rf /"), None);
        first.keep(click("db"), Some("Could not start db: 5432 is used by postgres".into()));
        first.keep(click("api"), Some("The engine does not answer".into()));
        fs_err::write(
            folder.path().join("clicked.jsonl"),
            fs_err::read_to_string(folder.path().join("clicked.jsonl")).expect("text") + "half a li",
        )
        .expect("written");
        let again = history(folder.path());
        let list = again.list();
        assert_eq!(list, first.list());
        let titles: Vec<&str> = list.iter().map(|clicked| clicked.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "Could not start api: The engine does not answer",
                "Could not start db: 5432 is used by postgres",
                "Started a b\nrm -rf /",
                "Started web",
            ]
        );
        let ids = list.iter().map(|clicked| clicked.id).collect();
        let script = again.script(&ClickedScript {
            ids,
            shell: Shell::Posix,
        });
        assert_eq!(
            script.text,
            "#!/bin/sh\n# Made by Wherry. Secrets are left out: set them as variables first.\nset -eu\n\n# Started web\n\
             docker start web\n\n# Started a b rm -rf /\ndocker start 'a b\nrm -rf /'\n"
        );
        let text = |shell| again.script(&ClickedScript { ids: vec![1], shell }).text;
        assert_eq!(
            text(Shell::PowerShell),
            "# Made by Wherry. Secrets are left out: set them as variables first.\n$ErrorActionPreference = 'Stop'\n\n\
             # Started web\ndocker start web\nif ($LASTEXITCODE) { exit $LASTEXITCODE }\n"
        );
        assert_eq!(
            text(Shell::Cmd),
            "@echo off\r\nrem Made by Wherry. Secrets are left out: set them as variables first.\r\n\r\n\
             rem Started web\r\ndocker start web || exit /b\r\n"
        );
        again.forget(&[1, 2, 3]).expect("forgotten");
        assert_eq!(history(folder.path()).list().len(), 1);
    }

    #[tokio::test]
    async fn a_login_is_kept_without_its_secret_and_docker_hub_without_an_address() {
        let folder = tempfile::tempdir().expect("a folder");
        let app = App::new(wherry_machine::Home::at(folder.path()), "no-program".into()).expect("an app");
        let login = |registry: &str| crate::RegistryLogin {
            registry: registry.into(),
            user: "ada".into(),
            secret: "s3cret".into(),
            place: wherry_engine::Kept::Session,
        };
        let hub = super::login(&app, &login("https://index.docker.io/v1/")).await;
        assert_eq!(hub.commands, [["docker", "login", "-u", "ada"]]);
        let other = super::login(&app, &login("ghcr.io")).await;
        assert_eq!(other.commands, [["docker", "login", "-u", "ada", "ghcr.io"]]);
    }

    #[test]
    fn only_so_many_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = history(folder.path());
        for nth in 0..MOST + MOST / 10 + 5 {
            history.keep(click(&nth.to_string()), None);
        }
        assert!(history.list().len() <= MOST + MOST / 10);
        let lines = fs_err::read_to_string(folder.path().join("clicked.jsonl"))
            .expect("text")
            .lines()
            .count();
        assert_eq!(lines, history.list().len());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let history = history(folder.path());
        history.keep(click("web"), None);
        let mode = || {
            fs_err::metadata(folder.path().join("clicked.jsonl"))
                .expect("there")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode(), 0o600);
        history.forget(&[]).expect("written");
        assert_eq!(mode(), 0o600);
    }
}
