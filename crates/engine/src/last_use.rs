//! When an image or a volume was in use last, as far as Wherry was there to see it: engines do not tell. It is kept over
//! restarts, because what nobody has used for months is what may go.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::wire;

/// What is kept may be this much older than what is known, in milliseconds: a container that runs is in use all the time.
const APART: u64 = 60 * 60 * 1000;

/// How many of a kind are kept, the latest ones.
const MOST: usize = 5000;

/// Milliseconds of Unix time, by the image's id and the volume's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Times {
    images: HashMap<String, u64>,
    volumes: HashMap<String, u64>,
}

/// What a container has in use while it runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Uses {
    image: String,
    volumes: Vec<String>,
}

impl Uses {
    pub(crate) fn of(image: &str, mounts: &[wire::Mount]) -> Uses {
        let volumes = mounts.iter().filter(|mount| mount.kind == "volume");
        Uses {
            image: image.to_owned(),
            volumes: volumes.map(|mount| mount.name.clone()).collect(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct LastUse {
    /// Locked for look-ups and additions only.
    known: Mutex<Known>,
    /// Held while the file is written.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    times: Times,
    kept: Times,
    file: Option<PathBuf>,
}

impl LastUse {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with what this file says, and keeps it there from now on.
    pub(crate) fn keep(&self, file: &Path) {
        let read = fs_err::read(file).map(|text| serde_json::from_slice::<Times>(&text));
        let times = match read {
            Ok(Ok(times)) => times,
            Ok(Err(error)) => {
                let aside = file.with_extension("damaged");
                tracing::warn!(file = %file.display(), %error, "when things were used last cannot be read");
                let _ = fs_err::rename(file, aside);
                Times::default()
            }
            // There is none yet.
            Err(_) => Times::default(),
        };
        let mut known = self.known();
        known.kept = times.clone();
        known.times = times;
        known.file = Some(file.to_owned());
    }

    /// They are in use at this moment. Returns whether that should be written down.
    pub(crate) fn saw(&self, uses: &[Uses], at: u64) -> bool {
        let mut known = self.known();
        let Known { times, kept, file } = &mut *known;
        let mut due = false;
        for each in uses {
            let image = (&mut times.images, &kept.images, &each.image);
            due |= note(image.0, image.1, image.2, at);
            for volume in &each.volumes {
                due |= note(&mut times.volumes, &kept.volumes, volume, at);
            }
        }
        due && file.is_some()
    }

    /// Writes a whole file or none.
    pub(crate) fn write(&self) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (times, file) = {
            let mut known = self.known();
            trim(&mut known.times.images);
            trim(&mut known.times.volumes);
            (known.times.clone(), known.file.clone())
        };
        let Some(file) = file else { return Ok(()) };
        let folder = file.parent().unwrap_or(Path::new("."));
        crate::folder::make_private(folder)?;
        let mut whole = tempfile::NamedTempFile::new_in(folder)?;
        whole.write_all(&serde_json::to_vec(&times)?)?;
        whole.persist(&file).map_err(|error| error.error)?;
        self.known().kept = times;
        Ok(())
    }

    /// In seconds of Unix time.
    pub(crate) fn image(&self, id: &str) -> Option<i64> {
        seconds(self.known().times.images.get(id))
    }

    /// In seconds of Unix time.
    pub(crate) fn volume(&self, name: &str) -> Option<i64> {
        seconds(self.known().times.volumes.get(name))
    }
}

fn note(times: &mut HashMap<String, u64>, kept: &HashMap<String, u64>, id: &str, at: u64) -> bool {
    match times.get_mut(id) {
        Some(time) => *time = at.max(*time),
        None => {
            times.insert(id.to_owned(), at);
        }
    }
    kept.get(id).is_none_or(|kept| at.saturating_sub(*kept) >= APART)
}

fn trim(times: &mut HashMap<String, u64>) {
    if times.len() > MOST {
        let mut all: Vec<u64> = times.values().copied().collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        let oldest = all[MOST - 1];
        times.retain(|_, time| *time >= oldest);
    }
}

fn seconds(millis: Option<&u64>) -> Option<i64> {
    millis.and_then(|millis| i64::try_from(millis / 1000).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(image: &str, volumes: &[&str]) -> Uses {
        Uses {
            image: image.to_owned(),
            volumes: volumes.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn it_is_known_after_a_restart_and_written_when_it_has_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("used/engine.json");
        let first = LastUse::default();
        assert!(!first.saw(&[uses("sha256:a", &[])], 1_000), "nobody keeps it");
        first.keep(&file);
        assert!(first.saw(&[uses("sha256:a", &["data"])], 7_200_000));
        first.write().expect("written");
        assert!(
            !first.saw(&[uses("sha256:a", &["data"])], 7_210_000),
            "as good as known"
        );
        assert!(first.saw(&[uses("sha256:a", &["data"])], 7_200_000 + APART));
        let second = LastUse::default();
        second.keep(&file);
        assert_eq!(
            (second.image("sha256:a"), second.volume("data")),
            (Some(7200), Some(7200))
        );
        assert_eq!((second.image("sha256:b"), second.volume("other")), (None, None));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("engine.json");
        fs_err::write(&file, "{\"images\":{\"a\":").expect("written");
        let used = LastUse::default();
        used.keep(&file);
        assert_eq!(used.image("a"), None);
        assert!(folder.path().join("engine.damaged").exists());
    }

    #[test]
    fn the_latest_are_kept() {
        let mut times: HashMap<String, u64> = (0..MOST as u64 + 10).map(|at| (at.to_string(), at)).collect();
        trim(&mut times);
        assert_eq!(times.len(), MOST);
        assert!(!times.contains_key("9") && times.contains_key("10"));
    }
}
