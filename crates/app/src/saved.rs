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

/// A file of a name that nobody has, which is there only once it is whole.
pub(crate) struct Saving {
    folder: PathBuf,
    name: String,
    file: NamedTempFile,
}

impl Saving {
    pub(crate) fn begin(name: &str) -> Result<Saving, Problem> {
        let folder = downloads();
        let file = NamedTempFile::new_in(&folder).map_err(|error| not_saved(&folder, &error))?;
        Ok(Saving {
            folder,
            name: plain(name),
            file,
        })
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
        for number in 1.. {
            let path = self.folder.join(numbered(&self.name, number));
            match self.file.persist_noclobber(&path) {
                Ok(_) => {
                    return Ok(Saved {
                        path: path.display().to_string(),
                        bytes,
                    });
                }
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => self.file = error.file,
                Err(error) => return Err(not_saved(&path, &error.error)),
            }
        }
        Err(Problem::plain(Code::Other, "There are too many files of this name"))
    }
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
