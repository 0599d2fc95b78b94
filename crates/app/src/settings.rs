//! What the person decided, in one file that is never half written and never thrown away.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Code, Problem, Settings};

pub(crate) struct SettingsFile {
    path: PathBuf,
    /// Held while the file is written, so that two windows do not write at once.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    settings: Settings,
    /// Everything in the file, with what a newer Wherry wrote there and this one does not know.
    all: Map<String, Value>,
}

impl SettingsFile {
    /// The settings, and what to tell the person when their file could not be used. An `Err` is a file that is there
    /// and cannot be read nor set aside: then nothing may be written over it.
    pub(crate) fn open(path: PathBuf) -> Result<(SettingsFile, Option<Problem>), Problem> {
        let (kept, notice) = match fs_err::read(&path) {
            Ok(text) => match parse(&text) {
                Ok(kept) => (kept, None),
                Err(error) => {
                    let aside = set_aside(&path).map_err(|error| unusable(&path, &error))?;
                    (Kept::default(), Some(was_broken(&aside, &error)))
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Kept::default(), None),
            Err(error) => return Err(unusable(&path, &error)),
        };
        Ok((
            SettingsFile {
                path,
                kept: Mutex::new(kept),
            },
            notice,
        ))
    }

    pub(crate) fn get(&self) -> Settings {
        self.kept.lock().map(|kept| kept.settings.clone()).unwrap_or_default()
    }

    /// Changes the settings and writes them; on an error they stay as they were.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings, Problem> {
        let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut settings = kept.settings.clone();
        change(&mut settings);
        let mut all = kept.all.clone();
        if let Ok(Value::Object(known)) = serde_json::to_value(&settings) {
            all.extend(known);
        }
        write(&self.path, &all).map_err(|error| Problem {
            code: if error.kind() == io::ErrorKind::StorageFull {
                Code::NoSpace
            } else {
                Code::Other
            },
            message: "Could not save the settings".into(),
            hint: Some("They are as before. See whether the disk is full or the file belongs to somebody else.".into()),
            why: None,
            causes: vec![error.to_string()],
            action: None,
        })?;
        *kept = Kept {
            settings: settings.clone(),
            all,
        };
        Ok(settings)
    }
}

fn parse(text: &[u8]) -> serde_json::Result<Kept> {
    let all: Map<String, Value> = serde_json::from_slice(text)?;
    let settings = serde_json::from_value(Value::Object(all.clone()))?;
    Ok(Kept { settings, all })
}

/// Replaces a file of the home in one step.
pub(crate) fn write(path: &Path, all: &impl Serialize) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    wherry_machine::Home::at(folder).create_root()?;
    // Beside the file, so that the rename stays in one file system. Nobody else may read it.
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    let mut text = serde_json::to_vec_pretty(all)?;
    text.push(b'\n');
    new.write_all(&text)?;
    new.as_file().sync_all()?;
    new.persist(path)?;
    Ok(())
}

fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let aside = path.with_extension(format!("json.bad-{now}"));
    fs_err::rename(path, &aside)?;
    Ok(aside)
}

fn was_broken(aside: &Path, error: &serde_json::Error) -> Problem {
    Problem {
        code: Code::Other,
        message: "The settings could not be read, so Wherry starts with fresh ones".into(),
        hint: Some(format!("Nothing is lost: the old file is {}.", aside.display())),
        why: None,
        causes: vec![error.to_string()],
        action: None,
    }
}

fn unusable(path: &Path, error: &io::Error) -> Problem {
    Problem {
        code: Code::Other,
        message: "Could not open the settings".into(),
        hint: Some(format!("See to whom {} belongs.", path.display())),
        why: None,
        causes: vec![error.to_string()],
        action: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Theme;

    #[test]
    fn what_a_newer_wherry_wrote_is_kept() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("settings.json");
        fs_err::write(&path, r#"{"theme":"dark","sails":3}"#)?;
        let (file, notice) = SettingsFile::open(path.clone()).expect("readable");
        assert_eq!((file.get().theme, notice), (Theme::Dark, None));
        file.change(|settings| settings.welcomed = true).expect("writable");
        let written: Value = serde_json::from_slice(&fs_err::read(&path)?)?;
        assert_eq!(written["sails"], 3);
        assert_eq!(written["theme"], "dark");
        assert_eq!(written["welcomed"], true);
        let (again, _) = SettingsFile::open(path).expect("readable");
        assert!(again.get().welcomed);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_them() -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("home/settings.json");
        let (file, _) = SettingsFile::open(path.clone()).expect("absent");
        file.change(|settings| settings.welcomed = true).expect("writable");
        let mode = |path: &Path| fs_err::metadata(path).map(|metadata| metadata.permissions().mode() & 0o777);
        assert_eq!(
            (mode(&path)?, mode(&folder.path().join("home"))?),
            (0o600, 0o700),
            "the file, and the home that was made for it"
        );
        Ok(())
    }

    #[test]
    fn a_broken_file_is_set_aside_and_told() -> io::Result<()> {
        for broken in ["{\"theme\":", "[]", r#"{"theme":"plaid"}"#, ""] {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("settings.json");
            fs_err::write(&path, broken)?;
            let (file, notice) = SettingsFile::open(path).expect("set aside");
            assert_eq!(file.get(), Settings::default());
            assert!(notice.is_some_and(|notice| notice.hint.is_some_and(|hint| hint.contains(".bad-"))));
            file.change(|_| {}).expect("writable");
            let names: Vec<_> = fs_err::read_dir(folder.path())?
                .map(|entry| entry.map(|entry| entry.file_name()))
                .collect::<Result<_, _>>()?;
            let aside = names
                .iter()
                .find(|name| name.to_string_lossy().contains(".bad-"))
                .expect("the old file");
            assert_eq!(fs_err::read_to_string(folder.path().join(aside))?, broken);
            assert_eq!(names.len(), 2, "no leftovers: {names:?}");
        }
        Ok(())
    }

    #[test]
    fn settings_that_cannot_be_written_stay_as_they_were() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (file, _) = SettingsFile::open(folder.path().join("home").join("settings.json")).expect("absent");
        fs_err::write(folder.path().join("home"), "a file where the folder should be")?;
        assert!(file.change(|settings| settings.welcomed = true).is_err());
        assert!(!file.get().welcomed);
        Ok(())
    }
}
