//! A container that was set aside for another one. It is written down until that one runs, so that a Wherry that is
//! killed in between leaves nothing behind: the next one takes it back.

use std::fs::TryLockError;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use fs_err::{File, OpenOptions};
use serde::{Deserialize, Serialize};
use wherry_engine::{Engine, Error, Link, Removal};

use crate::{App, Code, Problem};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetAside {
    /// The engine's address.
    pub(super) engine: String,
    /// Of the old one.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) running: bool,
    /// The id of the one that is to take its place.
    pub(super) new: String,
}

impl SetAside {
    /// The old one as it was. What was done, and the commands that do it.
    pub(super) async fn restore(&self, engine: &Engine) -> Result<Vec<(String, Vec<String>)>, Error> {
        let mut done = Vec::new();
        let mut did = |title: String, words: &[&str]| {
            done.push((title, words.iter().map(|word| (*word).to_owned()).collect()));
        };
        let called = engine.container_name(&self.id).await?;
        // It may have the name that the old one is to get back.
        match engine.remove(&self.new, Removal::FORCED).await {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        if called != self.name {
            engine.rename(&self.id, &self.name).await?;
            let title = format!("Renamed {called} to {}", self.name);
            did(title, &["docker", "rename", &called, &self.name]);
        }
        if self.running {
            engine.start(&self.id).await?;
            did(format!("Started {}", self.name), &["docker", "start", &self.name]);
        }
        Ok(done)
    }
}

/// What is written down of one. Locked for as long as somebody works on it.
pub(super) struct Entry {
    path: PathBuf,
    _lock: File,
}

impl Entry {
    pub(super) fn write(folder: &Path, set_aside: &SetAside) -> io::Result<Entry> {
        fs_err::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", set_aside.id));
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false);
        #[cfg(unix)]
        {
            use fs_err::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&path)?;
        if let Err(TryLockError::WouldBlock) = file.file().try_lock() {
            return Err(io::Error::other("it is being made anew already"));
        }
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(set_aside)?)?;
        file.sync_all()?;
        Ok(Entry { path, _lock: file })
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
        let entry = Entry { path, _lock: file };
        let Ok(set_aside) = serde_json::from_str(&text) else {
            // Killed while it was written: nothing had happened to the container yet.
            entry.done();
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
            let name = &set_aside.name;
            match set_aside.restore(&engine).await {
                Ok(_) => {
                    entry.done();
                    let message = format!("{name} is as it was before: Wherry ended while it made it anew");
                    self.parts.events.notice(Problem::plain(Code::Other, message));
                }
                // Somebody has removed it.
                Err(Error::NotFound { .. }) => entry.done(),
                Err(error) => tracing::warn!(%error, name, "a container that was set aside is not back yet"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worked_on_is_not_taken_back_and_half_a_note_is_none() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let set_aside = SetAside {
            engine: "unix:///run/docker.sock".into(),
            id: "a".repeat(64),
            name: "api".into(),
            running: true,
            new: "b".repeat(64),
        };
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
}
