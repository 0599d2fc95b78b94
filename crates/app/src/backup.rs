//! Backups of the engine in use, with Wherry's own settings in them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wherry_engine::{
    BackupError, BackupManifest, BackupProgress, BackupReport, BackupRequest, Error, Existing, Link, RestoreReport,
    RestoreRequest,
};
use wherry_machine::SettingsChange;

use crate::{App, BackupMake, BackupRestore, Code, Problem, Settings, Theme, Topic, private_file};

/// One at a time works on an engine for this home, whichever process it is in.
struct Turn {
    _file: std::fs::File,
    /// Under which name the engine knows what is ours. Made up once for each home.
    owner: String,
}

fn lock_path(app: &App) -> PathBuf {
    app.parts.home.root().join("backup.lock")
}

/// `None` when another process is at it.
fn turn(path: &Path) -> io::Result<Option<Turn>> {
    if let Some(folder) = path.parent() {
        wherry_machine::Home::at(folder).create_root()?;
    }
    let mut file = private_file::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)?;
    match file.file().try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    let mut owner = String::new();
    (&mut file).take(64).read_to_string(&mut owner)?;
    if owner.len() != 16 || !owner.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        owner = format!("{:016x}", RandomState::new().build_hasher().finish());
        file.set_len(0)?;
        io::Seek::rewind(&mut file)?;
        file.write_all(owner.as_bytes())?;
    }
    Ok(Some(Turn {
        _file: file.into_parts().0,
        owner,
    }))
}

fn my_turn(app: &App) -> Result<Turn, Problem> {
    match turn(&lock_path(app)) {
        Ok(Some(turn)) => Ok(turn),
        Ok(None) => Err(Problem {
            hint: Some("Wait until it is done, or cancel it.".into()),
            ..Problem::plain(Code::Other, "Another backup or restore is under way")
        }),
        Err(error) => Err(Problem {
            causes: vec![error.to_string()],
            ..Problem::plain(Code::Other, "Could not lock Wherry's folder")
        }),
    }
}

impl App {
    /// What is in a backup, from its table of contents.
    pub async fn backup_contents(&self, file: &Path) -> Result<BackupManifest, Problem> {
        Ok(wherry_engine::backup_contents(file).await?)
    }

    /// Reads all of a backup and says whether it is whole.
    pub async fn verify_backup(&self, file: &Path, tell: BackupProgress) -> Result<BackupManifest, Problem> {
        Ok(wherry_engine::verify_backup(file, tell).await?)
    }

    /// Writes everything of the engine in use into one file.
    pub async fn back_up(
        &self,
        make: &BackupMake,
        tell: &BackupProgress,
        cancel: &CancellationToken,
    ) -> Result<BackupReport, Problem> {
        let engine = self.engine().await?;
        let _tidied = self.parts.tidied.lock().await;
        let turn = my_turn(self)?;
        let machine = self.parts.machine.settings().await?;
        let request = BackupRequest {
            file: make.file.clone().into(),
            settings: Some(json!({ "app": self.parts.settings.get(), "machine": machine })),
            pause: make.pause,
            owner: turn.owner.clone(),
        };
        let report = engine.back_up(&request, tell, cancel).await;
        report.map_err(|error| Problem::from(error).during("Could not make the backup"))
    }

    /// Brings everything in a file back into the engine in use.
    pub async fn restore(
        &self,
        restore: &BackupRestore,
        tell: &BackupProgress,
        cancel: &CancellationToken,
    ) -> Result<RestoreReport, Problem> {
        let engine = self.engine().await?;
        let _tidied = self.parts.tidied.lock().await;
        let turn = my_turn(self)?;
        let request = RestoreRequest {
            file: restore.file.clone().into(),
            existing: restore.existing,
            start: restore.start,
            owner: turn.owner.clone(),
        };
        let result = engine.restore(&request, tell, cancel).await;
        let mut report = result.map_err(|error| match error {
            // What went wrong is the sentence; that it was a restore is known.
            Error::Backup(BackupError::NotRestored { what, source }) => {
                Problem::from(*source).during(format!("Could not restore {what}"))
            }
            error => Problem::from(error).during("Nothing was restored"),
        })?;
        if let Some(settings) = report.settings.take() {
            let note = self.restore_settings(&settings, restore.existing).await?;
            report.notes.extend(note);
        }
        Ok(report)
    }

    /// Settings the person has changed here are theirs; they are replaced only when that was said.
    async fn restore_settings(&self, saved: &Value, existing: Existing) -> Result<Option<String>, Problem> {
        let read = |part: &str| saved.get(part).cloned().unwrap_or_default();
        let wanted = (
            serde_json::from_value::<Settings>(read("app")),
            serde_json::from_value::<wherry_machine::Settings>(read("machine")),
        );
        let (Ok(app), Ok(machine)) = wanted else {
            return Ok(Some(
                "The settings in the backup are of another Wherry and were not used.".into(),
            ));
        };
        let here = (self.parts.settings.get(), self.parts.machine.settings().await?);
        let untouched = here.0.theme == Theme::default() && here.1 == wherry_machine::Settings::default();
        if existing != Existing::Replace && !untouched {
            let same = here.0.theme == app.theme && here.1 == machine;
            return Ok(
                (!same).then(|| "The settings of this Wherry were changed before, so they stay as they are.".into())
            );
        }
        // Which engine to use is a matter of this computer, and whether the welcome was seen of this person.
        self.parts.settings.change(|settings| settings.theme = app.theme)?;
        self.parts.events.changed(Topic::Settings);
        if here.1 != machine {
            let change = SettingsChange::All {
                settings: Box::new(machine),
            };
            self.parts.machine.change_settings(change).await?;
        }
        Ok(None)
    }

    /// Once an engine answers, what a killed backup or restore left in it is taken back. Waits for its turn and not
    /// for that of another process, which does it itself.
    pub(crate) async fn tidy_backups(self) {
        // Without this file there never was one.
        let path = lock_path(&self);
        if !path.exists() {
            return;
        }
        let guard = self.parts.tidied.clone();
        let Ok(engine) = self.engine().await else { return };
        drop(self);
        let connected = async {
            let mut link = engine.link();
            let here = link.wait_for(|link| matches!(link, Link::Connected { .. })).await;
            here.is_ok()
        };
        if !connected.await {
            return;
        }
        let _tidied = guard.lock().await;
        if let Ok(Some(turn)) = turn(&path)
            && let Err(error) = engine.tidy_backups(&turn.owner).await
        {
            tracing::warn!(%error, "what a backup left in the engine is still there");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_always_the_same_name() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("new").join("backup.lock");
        let first = turn(&path)?.expect("free");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let home = fs_err::metadata(folder.path().join("new"))?;
            assert_eq!(
                home.permissions().mode() & 0o777,
                0o700,
                "a home that a backup makes is nobody else's"
            );
            assert_eq!(fs_err::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        }
        assert!(turn(&path)?.is_none(), "taken");
        let owner = first.owner.clone();
        drop(first);
        assert_eq!(turn(&path)?.expect("free again").owner, owner);
        fs_err::write(&path, "not a name")?;
        assert_ne!(turn(&path)?.expect("free").owner, "not a name");
        Ok(())
    }
}
