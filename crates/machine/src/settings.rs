//! What the person decided about the machine that is no part of its spec: it takes effect at once, also on a machine
//! that runs.
//!
//! A further setting is a field with its default in [`Settings`], a variant of [`SettingsChange`], and their arm in
//! [`Settings::with`]; the compiler then asks for its words on the command line. Whoever acts on it follows
//! [`Store::watch`].

use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;
use ts_rs::TS;

use crate::{Failure, FailureCode, Home, InsecureRegistry, ProxyChoice, Subnet, file, shares};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
#[ts(rename = "MachineSettings")]
pub struct Settings {
    /// After how many minutes without running containers and without requests the machine is suspended; `None` is
    /// never.
    pub sleep_after_minutes: Option<NonZeroU32>,
    /// What the engine's own connections go through.
    pub proxy: ProxyChoice,
    /// Folders of this computer that the machine has, each at the path that it has here.
    pub folders: Vec<PathBuf>,
    /// Where the machine and its containers have their addresses, from its next start on; `None` is wherever this
    /// computer has no route to.
    pub subnet: Option<Subnet>,
    /// Registries that the engine asks without encryption.
    pub insecure_registries: Vec<InsecureRegistry>,
    /// What a newer Wherry keeps here and this one does not know: it is not to be lost by a change made here.
    #[serde(flatten)]
    #[ts(skip)]
    pub unknown: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sleep_after_minutes: NonZeroU32::new(5),
            proxy: ProxyChoice::default(),
            folders: shares::usual(),
            subnet: None,
            insecure_registries: Vec::new(),
            unknown: Map::new(),
        }
    }
}

/// One setting and what it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[ts(rename = "MachineSettingsChange")]
pub enum SettingsChange {
    /// `None` turns it off.
    SleepAfter { minutes: Option<NonZeroU32> },
    /// A masked password in it stands for the one that is kept.
    Proxy { proxy: ProxyChoice },
    /// `None` lets Wherry choose.
    Subnet { subnet: Option<Subnet> },
    /// All of them: who is not among them any more is asked with encryption again.
    InsecureRegistries { registries: Vec<InsecureRegistry> },
    /// Every setting: those of a backup, or the first ones again. Masked passwords stand for those that are kept.
    All { settings: Box<Settings> },
    /// Sharing what is shared already changes nothing.
    ShareFolder { path: PathBuf },
    /// Containers that run keep what they have of it until they end.
    UnshareFolder { path: PathBuf },
}

impl Settings {
    fn with(mut self, home: &Home, change: &SettingsChange) -> Result<Self, Failure> {
        match change {
            SettingsChange::SleepAfter { minutes } => self.sleep_after_minutes = *minutes,
            SettingsChange::Proxy { proxy } => self.proxy = proxy.unmasked(&self.proxy),
            SettingsChange::Subnet { subnet } => self.subnet = *subnet,
            SettingsChange::InsecureRegistries { registries } => self.insecure_registries.clone_from(registries),
            SettingsChange::All { settings } => {
                self = Self {
                    proxy: settings.proxy.unmasked(&self.proxy),
                    unknown: self.unknown,
                    ..settings.as_ref().clone()
                };
            }
            SettingsChange::ShareFolder { path } => {
                let path = shares::check(home, path)?;
                if !self.folders.contains(&path) {
                    self.folders.push(path);
                }
            }
            SettingsChange::UnshareFolder { path } => {
                let before = self.folders.len();
                self.folders.retain(|folder| folder != path);
                if self.folders.len() == before {
                    return Err(shares::is_not_shared(path, &self.folders));
                }
            }
        }
        Ok(self)
    }

    /// For showing: without passwords.
    #[must_use]
    pub(crate) fn masked(mut self) -> Self {
        self.proxy = self.proxy.masked();
        self
    }
}

/// The settings of a home, in the daemon, which alone writes them.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    home: Home,
    kept: Arc<watch::Sender<Settings>>,
    /// Held while the file is written, so that of two changes neither is lost.
    writing: Arc<Mutex<()>>,
}

impl Store {
    /// The settings, and a note when their file was there and could not be used. A broken file is moved aside, never
    /// overwritten; one that can be neither read nor moved is left, and the defaults hold.
    pub(crate) fn open(home: &Home) -> (Self, Option<String>) {
        let (settings, note) = match load(home) {
            Ok(loaded) => loaded,
            Err(error) => {
                let note = format!("The machine's settings could not be read, so the defaults are used: {error}");
                (Settings::default(), Some(note))
            }
        };
        let store = Self {
            home: home.clone(),
            kept: Arc::new(watch::Sender::new(settings)),
            writing: Arc::default(),
        };
        (store, note)
    }

    pub(crate) fn get(&self) -> Settings {
        self.kept.borrow().clone()
    }

    /// The present settings and every change of them.
    pub(crate) fn watch(&self) -> watch::Receiver<Settings> {
        self.kept.subscribe()
    }

    /// Writes the change down, then lets it take effect. When it cannot be written, all stays as it was.
    pub(crate) fn change(&self, change: &SettingsChange) -> Result<Settings, Failure> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = self.get().with(&self.home, change)?;
        save(&self.home, &settings).map_err(|error| not_kept(&error))?;
        self.kept.send_replace(settings.clone());
        Ok(settings)
    }
}

/// The settings for showing them: touches nothing.
pub(crate) fn peek(home: &Home) -> Settings {
    fs_err::read(home.machine_settings())
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

fn load(home: &Home) -> io::Result<(Settings, Option<String>)> {
    let path = home.machine_settings();
    let text = match fs_err::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Settings::default(), None)),
        Err(error) => return Err(error),
    };
    match serde_json::from_slice(&text) {
        Ok(settings) => Ok((settings, None)),
        Err(error) => {
            let aside = file::set_aside(&path)?;
            let note = format!(
                "The machine's settings could not be read ({error}). The defaults are used; the file is kept as {}.",
                aside.display()
            );
            Ok((Settings::default(), Some(note)))
        }
    }
}

fn save(home: &Home, settings: &Settings) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(settings)?;
    text.push(b'\n');
    file::write_whole(&home.machine_settings(), &text)
}

fn not_kept(error: &io::Error) -> Failure {
    Failure {
        code: if error.kind() == io::ErrorKind::StorageFull {
            FailureCode::NoDiskSpace
        } else {
            FailureCode::Io
        },
        step: None,
        message: "Could not save the machine's settings".into(),
        causes: vec![error.to_string()],
        hint: "They are as before. See whether the disk is full or the file belongs to somebody else.".into(),
        console: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> io::Result<(tempfile::TempDir, Home)> {
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path());
        home.create()?;
        Ok((folder, home))
    }

    #[test]
    fn a_change_is_kept_and_told() -> io::Result<()> {
        let (_folder, home) = home()?;
        let (store, note) = Store::open(&home);
        assert_eq!((store.get(), note), (Settings::default(), None));
        let mut watch = store.watch();
        let off = SettingsChange::SleepAfter { minutes: None };
        store.change(&off).expect("kept");
        assert!(watch.has_changed().expect("the store is there"));
        assert_eq!(watch.borrow_and_update().sleep_after_minutes, None);
        assert_eq!(Store::open(&home).0.get().sleep_after_minutes, None);
        assert_eq!(peek(&home).sleep_after_minutes, None);
        Ok(())
    }

    #[test]
    fn what_a_newer_wherry_wrote_is_kept_and_what_an_older_one_left_out_has_its_default() -> io::Result<()> {
        let (_folder, home) = home()?;
        fs_err::write(home.machine_settings(), r#"{"sails":3}"#)?;
        let (store, note) = Store::open(&home);
        assert_eq!(note, None);
        assert_eq!(store.get().sleep_after_minutes, Settings::default().sleep_after_minutes);
        store
            .change(&SettingsChange::SleepAfter {
                minutes: NonZeroU32::new(10),
            })
            .expect("kept");
        let written: Value = serde_json::from_slice(&fs_err::read(home.machine_settings())?)?;
        assert_eq!(written["sails"], 3);
        assert_eq!(written["sleepAfterMinutes"], 10);
        Ok(())
    }

    #[test]
    fn a_proxys_password_is_kept_and_never_shown() -> io::Result<()> {
        let (_folder, home) = home()?;
        let (store, _) = Store::open(&home);
        let change = |http: &str| SettingsChange::Proxy {
            proxy: ProxyChoice::Manual {
                http: Some(http.parse().expect("an address")),
                https: None,
                except: String::new(),
            },
        };
        let with_secret = change("http://mira:s3cret@proxy:3128");
        assert!(!format!("{with_secret:?}").contains("s3cret"));
        let shown = store.change(&with_secret).expect("kept").masked();
        let shown = serde_json::to_string(&shown)?;
        assert!(shown.contains("mira:***@proxy"), "{shown}");
        store.change(&change("http://mira:***@proxy:3128")).expect("kept");
        let kept = fs_err::read_to_string(home.machine_settings())?;
        assert!(kept.contains("mira:s3cret@proxy"), "{kept}");
        Ok(())
    }

    #[test]
    fn a_broken_file_is_kept_aside_and_named() -> io::Result<()> {
        for broken in ["{\"sleepAfterMinutes\":", r#"{"sleepAfterMinutes":0}"#, "[]", ""] {
            let (_folder, home) = home()?;
            fs_err::write(home.machine_settings(), broken)?;
            let (store, note) = Store::open(&home);
            assert_eq!(store.get(), Settings::default());
            let note = note.expect("a note");
            let kept = fs_err::read_dir(home.machine())?
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .find(|path| path.to_string_lossy().contains(".bad-"))
                .expect("the file is kept");
            assert!(note.contains(&*kept.to_string_lossy()), "{note}");
            assert_eq!(fs_err::read_to_string(kept)?, broken);
        }
        Ok(())
    }

    #[test]
    fn settings_that_cannot_be_written_stay_as_they_were() -> io::Result<()> {
        let (_folder, home) = home()?;
        let (store, _) = Store::open(&home);
        fs_err::remove_dir(home.machine())?;
        fs_err::write(home.machine(), "a file where the folder should be")?;
        let failure = store
            .change(&SettingsChange::SleepAfter { minutes: None })
            .expect_err("cannot be kept");
        assert_eq!(failure.code, FailureCode::Io);
        assert_eq!(store.get(), Settings::default());
        Ok(())
    }
}
