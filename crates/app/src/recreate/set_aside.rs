//! A container that was set aside for another one. It is written down until that one runs and the old one is gone, so
//! that a Wherry that is killed in between leaves nothing behind: the next one takes it back, or ends what was begun.

use std::fs::TryLockError;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use fs_err::{File, OpenOptions};
use serde::{Deserialize, Serialize};
use wherry_engine::{ContainerState, Engine, Error, Link, Removal, RunSpec, TrashId};

use crate::commands::container;
use crate::{App, Code, ContainerRemove, Problem, private_file};

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Stage {
    /// The new one is made; nothing has happened to the old one.
    Making,
    /// The old one is stopped, and the new one tries.
    Replacing,
    /// The new one is good: all that is left to do is to remove the old one.
    Replaced,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetAside {
    /// The engine's address.
    pub(super) engine: String,
    /// Of the old one.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) running: bool,
    /// What the old one was made of, when the engine removes it as soon as it stops.
    pub(super) made_of: Option<RunSpec>,
    /// What the new one is called until it takes the old one's name.
    pub(super) temporary: String,
    /// The id of the new one, once it is made.
    pub(super) new: Option<String>,
    pub(super) stage: Stage,
}

/// Something that was done, and the command that does it.
pub(super) type Done = (String, Vec<String>);

impl SetAside {
    /// The old one as it was.
    pub(super) async fn restore(&self, engine: &Engine) -> Result<Vec<Done>, Error> {
        let mut done = Vec::new();
        let mut did = |title: String, words: &[&str]| {
            done.push((title, words.iter().map(|word| (*word).to_owned()).collect()));
        };
        let old = match engine.container_name(&self.id).await {
            Ok(called) => Ok(called),
            // What its engine has removed is made once more, and only by this.
            Err(error @ Error::NotFound { .. }) => Err((self.made_of.as_ref().ok_or(error)?).clone()),
            Err(error) => return Err(error),
        };
        // It may have the name that the old one is to get back.
        self.discard_new(engine).await?;
        let id = match old {
            Ok(called) => {
                if called != self.name {
                    engine.rename(&self.id, &self.name).await?;
                    let title = format!("Renamed {called} to {}", self.name);
                    did(title, &["docker", "rename", &called, &self.name]);
                }
                self.id.clone()
            }
            Err(spec) => {
                let words = wherry_engine::command_words(&spec, false);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                did(format!("Made {} again", self.name), &words);
                engine.create(&spec).await?
            }
        };
        if self.running {
            engine.start(&id).await?;
            did(format!("Started {}", self.name), &["docker", "start", &self.name]);
        }
        Ok(done)
    }

    pub(super) async fn discard_new(&self, engine: &Engine) -> Result<(), Error> {
        for new in self.new.iter().chain([&self.temporary]) {
            match engine.remove(new, Removal::FORCED).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What a Wherry that was killed has left. The words say how it ended.
    async fn take_back(&self, app: &App, engine: &Engine) -> Result<String, Problem> {
        let name = &self.name;
        match self.stage {
            Stage::Making => {
                self.discard_new(engine).await?;
                Ok(format!("{name} is as it was: Wherry ended before the new one was made"))
            }
            Stage::Replacing => {
                // The engine may still be at it: what it is to stop would end after it was started.
                if self.running
                    && let Ok(old) = engine.container(&self.id).await
                {
                    if old.state == ContainerState::Running {
                        engine.stop(&self.id).await?;
                    }
                    self.gone(engine).await?;
                }
                self.restore(engine).await?;
                Ok(format!(
                    "{name} is as it was before: Wherry ended while it made it anew"
                ))
            }
            Stage::Replaced => {
                let old = TrashId::Container(self.id.clone());
                let in_trash = engine.trash(false).await?.iter().any(|item| item.id == old);
                if !in_trash {
                    let old = ContainerRemove {
                        id: self.id.clone(),
                        force: false,
                        volumes: false,
                        forever: false,
                    };
                    container::remove(app, old).await?;
                }
                Ok(format!(
                    "{name} runs with its new settings; the one before is in the trash"
                ))
            }
        }
    }

    /// Until the engine has removed the old one, where it is to.
    pub(super) async fn gone(&self, engine: &Engine) -> Result<(), Error> {
        if self.made_of.is_none() {
            return Ok(());
        }
        engine.gone(&self.id).await
    }
}

/// What is written down of one. Locked for as long as somebody works on it.
pub(super) struct Entry {
    path: PathBuf,
    file: File,
}

impl Entry {
    pub(super) fn write(folder: &Path, set_aside: &SetAside) -> io::Result<Entry> {
        fs_err::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", set_aside.id));
        let mut options = private_file::options();
        options.create(true).read(true).write(true).truncate(false);
        let file = options.open(&path)?;
        if let Err(TryLockError::WouldBlock) = file.file().try_lock() {
            return Err(io::Error::other("it is being made anew already"));
        }
        let mut entry = Entry { path, file };
        entry.update(set_aside)?;
        Ok(entry)
    }

    /// One line for each state it was in; the last whole one counts. What is there is never written over: being killed
    /// in the middle would lose it.
    pub(super) fn update(&mut self, set_aside: &SetAside) -> io::Result<()> {
        let mut line = serde_json::to_vec(set_aside)?;
        line.push(b'\n');
        self.file.seek(io::SeekFrom::End(0))?;
        self.file.write_all(&line)?;
        self.file.sync_all()
    }

    /// Those nobody works on.
    fn left(folder: &Path) -> Vec<(Entry, SetAside)> {
        let entries = fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.filter_map(|entry| Entry::read(entry.path())).collect()
    }

    fn read(path: PathBuf) -> Option<(Entry, SetAside)> {
        let mut file = OpenOptions::new().read(true).write(true).open(&path).ok()?;
        file.file().try_lock().ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        let entry = Entry { path, file };
        let Some(set_aside) = text.lines().rev().find_map(|line| serde_json::from_str(line).ok()) else {
            if text.contains('\n') {
                tracing::warn!(path = %entry.path.display(), "a note of another Wherry is not understood, and stays");
            } else {
                // Killed while it was written: nothing had happened to the container yet.
                entry.done();
            }
            return None;
        };
        Some((entry, set_aside))
    }

    pub(super) fn done(self) {
        if let Err(error) = fs_err::remove_file(&self.path) {
            tracing::warn!(%error, "a note about a container that was made anew stays");
        }
    }
}

impl App {
    pub(super) fn set_aside_folder(&self) -> PathBuf {
        self.parts.home.root().join("set-aside")
    }

    /// Once an engine answers, containers that a killed Wherry has set aside are as they were.
    pub(crate) async fn take_back(self) {
        let folder = self.set_aside_folder();
        if !folder.exists() {
            return;
        }
        let Ok(engine) = self.engine().await else { return };
        let mut link = engine.link();
        if link
            .wait_for(|link| matches!(link, Link::Connected { .. }))
            .await
            .is_err()
        {
            return;
        }
        for (entry, set_aside) in Entry::left(&folder) {
            if set_aside.engine != engine.address().to_string() {
                continue;
            }
            match set_aside.take_back(&self, &engine).await {
                Ok(message) => {
                    entry.done();
                    self.parts.events.notice(Problem::plain(Code::Other, message));
                }
                // Somebody has removed it.
                Err(problem) if problem.code == Code::NotFound && set_aside.made_of.is_none() => entry.done(),
                Err(problem) => {
                    let name = &set_aside.name;
                    tracing::warn!(
                        problem = problem.message,
                        name,
                        "a container that was set aside is not back yet"
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_aside() -> SetAside {
        SetAside {
            engine: "unix:///run/docker.sock".into(),
            id: "a".repeat(64),
            name: "api".into(),
            running: true,
            made_of: None,
            temporary: "api.next-aaaaaaaaaaaa".into(),
            new: None,
            stage: Stage::Making,
        }
    }

    #[test]
    fn what_is_worked_on_is_not_taken_back_and_half_a_note_is_none() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let set_aside = set_aside();
        let entry = Entry::write(folder.path(), &set_aside)?;
        assert!(Entry::left(folder.path()).is_empty(), "somebody works on it");
        assert!(Entry::write(folder.path(), &set_aside).is_err(), "once at a time");
        drop(entry);
        let left: Vec<SetAside> = Entry::left(folder.path()).into_iter().map(|(_, left)| left).collect();
        assert_eq!(left, [set_aside]);
        for (entry, _) in Entry::left(folder.path()) {
            entry.done();
        }
        fs_err::write(folder.path().join("half.json"), "{\"engine\":")?;
        assert!(Entry::left(folder.path()).is_empty());
        assert_eq!(fs_err::read_dir(folder.path())?.count(), 0);
        Ok(())
    }

    #[test]
    fn a_whole_note_that_is_not_understood_stays() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.json");
        fs_err::write(&path, "{\"of\":\"another Wherry\"}\n")?;
        assert!(Entry::left(folder.path()).is_empty());
        assert!(path.exists(), "whoever can read it finds it");
        Ok(())
    }

    #[test]
    fn the_last_whole_line_of_a_note_counts() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let first = set_aside();
        let made = SetAside {
            new: Some("b".repeat(64)),
            ..first.clone()
        };
        let mut entry = Entry::write(folder.path(), &first)?;
        entry.update(&made)?;
        entry.file.write_all(b"{\"engine\":\"unix")?;
        drop(entry);
        let left: Vec<SetAside> = Entry::left(folder.path()).into_iter().map(|(_, left)| left).collect();
        assert_eq!(left, [made]);
        Ok(())
    }
}
