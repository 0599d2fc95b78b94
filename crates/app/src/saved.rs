//! What is saved from an engine into the person's own folder.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use ts_rs::TS;

use crate::{Code, Problem};

/// A file of this computer that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    pub path: String,
    pub bytes: u64,
}

/// Where a person looks for what was saved.
pub(crate) fn downloads() -> PathBuf {
    let home = etcetera::home_dir().unwrap_or_else(|_| std::env::temp_dir());
    let downloads = home.join("Downloads");
    if downloads.is_dir() { downloads } else { home }
}

/// Which name a file gets.
enum Name {
    /// Somebody chose it, and was asked whether what is there may go.
    Chosen(PathBuf),
    /// This one, or with a number behind it, so that nothing is replaced.
    Free(String),
}

/// A file that is there only once it is whole.
pub(crate) struct Saving {
    folder: PathBuf,
    name: Name,
    file: NamedTempFile,
}

impl Saving {
    /// In the person's downloads, unless they chose the file themselves: then `to` is its whole path.
    pub(crate) fn begin(name: &str, to: Option<&str>) -> Result<Saving, Problem> {
        let (folder, name) = match to {
            None => (downloads(), Name::Free(plain(name))),
            Some(path) => {
                let path = whole_path(path)?;
                (path.parent().map_or_else(downloads, Path::to_owned), Name::Chosen(path))
            }
        };
        let file = NamedTempFile::new_in(&folder).map_err(|error| not_saved(&folder, &error))?;
        Ok(Saving { folder, name, file })
    }

    pub(crate) fn file(&self) -> Result<std::fs::File, Problem> {
        self.file
            .as_file()
            .try_clone()
            .map_err(|error| not_saved(&self.folder, &error))
    }

    pub(crate) fn write(&mut self, content: &[u8]) -> Result<(), Problem> {
        self.file
            .write_all(content)
            .map_err(|error| not_saved(&self.folder, &error))
    }

    pub(crate) fn done(mut self) -> Result<Saved, Problem> {
        let bytes = self.file.as_file().metadata().map_or(0, |data| data.len());
        let saved = |path: &Path| Saved {
            path: path.display().to_string(),
            bytes,
        };
        let name = match self.name {
            Name::Chosen(path) => {
                return match self.file.persist(&path) {
                    Ok(_) => Ok(saved(&path)),
                    Err(error) => Err(not_saved(&path, &error.error)),
                };
            }
            Name::Free(name) => name,
        };
        for number in 1.. {
            let path = self.folder.join(numbered(&name, number));
            match self.file.persist_noclobber(&path) {
                Ok(_) => return Ok(saved(&path)),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => self.file = error.file,
                Err(error) => return Err(not_saved(&path, &error.error)),
            }
        }
        Err(Problem::plain(Code::Other, "There are too many files of this name"))
    }
}

/// The window has no folder of its own that a short name could be in.
pub(crate) fn whole_path(file: &str) -> Result<PathBuf, Problem> {
    let path = PathBuf::from(file.trim());
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Problem {
        hint: Some("Write the whole path, from the root of the disk on.".into()),
        ..Problem::plain(Code::Invalid, format!("{file:?} is not the path of a file"))
    })
}

fn not_saved(path: &Path, error: &io::Error) -> Problem {
    Problem {
        why: Some(error.to_string()),
        ..Problem::plain(
            if error.kind() == io::ErrorKind::StorageFull {
                Code::NoSpace
            } else {
                Code::Other
            },
            format!("Could not write {}", path.display()),
        )
    }
}

/// A name that every system takes and that stays in its folder, whatever a container calls its files.
fn plain(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|character| {
            if character.is_control() || "/\\:*?\"<>|".contains(character) {
                '_'
            } else {
                character
            }
        })
        .take(120)
        .collect();
    let plain = plain.trim_matches([' ', '.']).to_owned();
    if plain.is_empty() { "file".to_owned() } else { plain }
}

/// `main.py`, `main (2).py`
fn numbered(name: &str, number: u32) -> String {
    if number == 1 {
        return name.to_owned();
    }
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => format!("{stem} ({number}).{ending}"),
        Some(_) | None => format!("{name} ({number})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_chosen_is_replaced_once_the_new_one_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.log");
        fs_err::write(&path, "before").expect("a file");
        let to = path.to_str();
        let mut saving = Saving::begin("another name", to).expect("a folder to write to");
        saving.write(b"after").expect("room");
        assert_eq!(fs_err::read_to_string(&path).expect("a file"), "before");
        let saved = saving.done().expect("a name");
        assert_eq!((Some(saved.path.as_str()), saved.bytes), (to, 5));
        assert_eq!(fs_err::read_to_string(&path).expect("a file"), "after");
        let nowhere = folder.path().join("gone/web.log");
        assert!(Saving::begin("web.log", nowhere.to_str()).is_err());
        assert!(Saving::begin("web.log", Some("web.log")).is_err());
    }

    #[test]
    fn a_name_stays_in_its_folder() {
        for (name, safe) in [
            ("main.py", "main.py"),
            ("..", "file"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("C:\\x", "C__x"),
            ("a\u{1b}[31mb", "a_[31mb"),
            (".env", "env"),
        ] {
            assert_eq!(plain(name), safe, "{name:?}");
        }
        assert_eq!(numbered("main.py", 2), "main (2).py");
        assert_eq!(numbered("data", 3), "data (3)");
    }
}
