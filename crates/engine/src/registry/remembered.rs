//! Wherry's own list of registries: which were added, and which the keychain has a login for. No secrets.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::docker_command::{ConfigError, write_whole};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct List {
    registries: BTreeMap<String, Remembered>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Remembered {
    pub(super) added: bool,
    /// The keychain has a login of this user's. It cannot be asked for everything it has.
    pub(super) keychain_user: Option<String>,
}

/// The file with it. The window, the command line and the docker command's helper are processes of their own, and each
/// may change it.
#[derive(Clone)]
pub(super) struct ListFile(PathBuf);

impl ListFile {
    pub(super) fn new(path: PathBuf) -> ListFile {
        ListFile(path)
    }

    pub(super) fn of(&self, registry: &str) -> Remembered {
        self.all().remove(registry).unwrap_or_default()
    }

    pub(super) fn all(&self) -> BTreeMap<String, Remembered> {
        match self.read() {
            Ok(all) => all,
            Err(error) => {
                tracing::warn!(%error, "the list of registries cannot be read");
                BTreeMap::new()
            }
        }
    }

    /// Changes what is remembered of one registry; one of which nothing is worth remembering goes.
    pub(super) async fn change(
        &self,
        registry: &str,
        change: impl FnOnce(&mut Remembered) + Send + 'static,
    ) -> Result<(), ConfigError> {
        let (file, registry) = (self.clone(), registry.to_owned());
        let changed = tokio::task::spawn_blocking(move || file.change_now(&registry, change)).await;
        changed.unwrap_or_else(|error| Err(self.not_written(io::Error::other(error))))
    }

    fn change_now(&self, registry: &str, change: impl FnOnce(&mut Remembered)) -> Result<(), ConfigError> {
        // Between reading and writing nobody else may write. Closing the file lets go, also when the process is killed.
        let turn = self.turn().map_err(|error| self.not_written(error))?;
        let mut all = match self.read() {
            Ok(all) => all,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.set_aside().map_err(|error| self.not_written(error))?;
                BTreeMap::new()
            }
            Err(error) => return Err(self.not_written(error)),
        };
        let known = all.entry(registry.to_owned()).or_default();
        change(known);
        if *known == Remembered::default() {
            all.remove(registry);
        }
        // Maps with text for keys cannot fail to be JSON.
        let text = serde_json::to_vec_pretty(&List { registries: all }).unwrap_or_default();
        let written = write_whole(&self.0, &text);
        drop(turn);
        written
    }

    /// The list itself is replaced when it is written, so whose turn it is stands in a file beside it.
    fn turn(&self) -> io::Result<fs_err::File> {
        crate::folder::make_private(self.0.parent().unwrap_or(Path::new(".")))?;
        let turn = fs_err::File::create(self.0.with_extension("lock"))?;
        turn.file().lock()?;
        Ok(turn)
    }

    fn read(&self) -> io::Result<BTreeMap<String, Remembered>> {
        match fs_err::read(&self.0) {
            Ok(text) => match serde_json::from_slice::<List>(&text) {
                Ok(list) => Ok(list.registries),
                Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }

    /// Keeps what cannot be read beside its place: the person may want to see it.
    fn set_aside(&self) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let aside = self.0.with_extension(format!("json.bad-{}", now.as_secs()));
        tracing::warn!(file = %aside.display(), "the list of registries could not be read and was set aside");
        fs_err::rename(&self.0, aside)
    }

    fn not_written(&self, source: io::Error) -> ConfigError {
        ConfigError::Write {
            file: self.0.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tells this test's own second process which list it is to add to, and what.
    const ADDS: &str = "WHERRY_TEST_ADDS";
    const EACH: usize = 50;

    fn added(known: &mut Remembered) {
        known.added = true;
    }

    /// Does nothing in an ordinary run.
    #[test]
    fn adds_in_a_process_of_its_own() {
        let Some(path) = std::env::var_os(ADDS) else { return };
        let file = ListFile::new(path.into());
        for number in 0..EACH {
            let name = format!("{}-{number}.test", std::process::id());
            file.change_now(&name, added).expect("written");
        }
    }

    #[test]
    fn two_processes_that_change_it_at_once_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("registries.json");
        let program = std::env::current_exe().expect("this test");
        let mut processes: Vec<_> = (0..3)
            .map(|_| {
                std::process::Command::new(&program)
                    .args(["--exact", "registry::remembered::tests::adds_in_a_process_of_its_own"])
                    .env(ADDS, &path)
                    .stdout(std::process::Stdio::null())
                    .spawn()
                    .expect("started")
            })
            .collect();
        let file = ListFile::new(path);
        for number in 0..EACH {
            file.change_now(&format!("here-{number}.test"), added).expect("written");
        }
        for process in &mut processes {
            assert!(process.wait().expect("ended").success());
        }
        assert_eq!(file.all().len(), 4 * EACH, "each of them is there");
    }

    #[test]
    fn what_cannot_be_read_is_set_aside_and_not_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("registries.json");
        fs_err::write(&path, "{\"registries\":").expect("written");
        let file = ListFile::new(path);
        assert!(file.all().is_empty());
        file.change_now("box:5000", added).expect("written");
        assert!(file.of("box:5000").added);
        let names = fs_err::read_dir(folder.path()).expect("a list").flatten();
        let aside = names
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().contains(".bad-"))
            .expect("the old list");
        assert_eq!(fs_err::read_to_string(aside).expect("it is there"), "{\"registries\":");
    }
}
