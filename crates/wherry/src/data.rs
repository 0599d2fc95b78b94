//! `wherry backup`, `restore` and `reset`: what a person does with everything they have.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wherry_app::{App, BackupMake, BackupManifest, BackupProgress, BackupRestore, ERASE_WORD, Existing, Home, Problem};

use crate::arguments::{Backup, Reset, Restore};
use crate::{Ended, output};

pub(crate) struct Data {
    app: App,
    json: bool,
}

/// What a backup holds, for a script.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    file: &'a Path,
    made_millis: u64,
    images: usize,
    volumes: usize,
    networks: usize,
    containers: usize,
    content_bytes: u64,
    file_bytes: u64,
    notes: &'a [String],
}

impl Data {
    /// Must be called inside a tokio runtime.
    pub(crate) fn new(home: Home, program: PathBuf, json: bool) -> Result<Data, Problem> {
        Ok(Data {
            app: App::new(home, program)?,
            json,
        })
    }

    pub(crate) async fn backup(&self, backup: &Backup) -> Result<ExitCode, Ended> {
        let file = std::path::absolute(&backup.file)?;
        if backup.verify {
            return self.verify(&file).await;
        }
        let make = BackupMake {
            file: file.to_string_lossy().into_owned(),
            pause: !backup.no_pause,
        };
        let cancel = cancelled_by_signal();
        let report = self.app.back_up(&make, &steps(), &cancel).await?;
        self.tell(&file, &report.manifest, report.file_bytes, "Saved")
    }

    async fn verify(&self, file: &Path) -> Result<ExitCode, Ended> {
        let cancel = cancelled_by_signal();
        let verified = cancel.run_until_cancelled(self.app.verify_backup(file, steps())).await;
        let Some(manifest) = verified else {
            return Ok(ExitCode::FAILURE);
        };
        let manifest = manifest?;
        let length = file.metadata()?.len();
        self.tell(file, &manifest, length, "Whole:")
    }

    fn tell(&self, file: &Path, manifest: &BackupManifest, file_bytes: u64, verb: &str) -> Result<ExitCode, Ended> {
        if self.json {
            output::json(&Summary {
                file,
                made_millis: manifest.made_millis,
                images: manifest.images.len(),
                volumes: manifest.volumes.len(),
                networks: manifest.networks.len(),
                containers: manifest.containers.len(),
                content_bytes: manifest.content_bytes,
                file_bytes,
                notes: &manifest.notes,
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        let counts = [
            (manifest.images.len(), "image"),
            (manifest.volumes.len(), "volume"),
            (manifest.networks.len(), "network"),
            (manifest.containers.len(), "container"),
        ];
        output::line(&format!(
            "{verb} {} in {} ({}, {} before compression)",
            counted(&counts),
            file.display(),
            output::size(file_bytes),
            output::size(manifest.content_bytes),
        ))?;
        notes(&manifest.notes);
        Ok(ExitCode::SUCCESS)
    }

    pub(crate) async fn restore(&self, restore: &Restore) -> Result<ExitCode, Ended> {
        let file = std::path::absolute(&restore.file)?;
        let (existing, start) = (Existing::from(&restore.existing), restore.start);
        let restore = BackupRestore {
            file: file.to_string_lossy().into_owned(),
            existing,
            start,
        };
        let cancel = cancelled_by_signal();
        let report = self.app.restore(&restore, &steps(), &cancel).await?;
        if self.json {
            output::json(&report)?;
            return Ok(ExitCode::SUCCESS);
        }
        let counts = [
            (report.images, "image"),
            (report.volumes, "volume"),
            (report.networks, "network"),
            (report.containers, "container"),
        ];
        output::line(&format!("Restored {}", counted(&counts)))?;
        let kept = report
            .kept
            .iter()
            .map(|kept| format!("{kept} was there and is as it was."));
        notes(&kept.chain(report.notes.iter().cloned()).collect::<Vec<_>>());
        Ok(ExitCode::SUCCESS)
    }

    pub(crate) async fn reset(&self, reset: &Reset) -> Result<ExitCode, Ended> {
        // Asked before anything is changed.
        if reset.data && !reset.yes_delete_everything && !is_sure()? {
            return Ok(ExitCode::FAILURE);
        }
        if reset.settings {
            self.app.call("settings.reset", Value::Null).await?;
            output::line("The settings are what they were at first.")?;
        }
        if reset.data {
            self.app.call("machine.erase", json!({ "word": ERASE_WORD })).await?;
            output::line("Everything in the machine is removed. It starts empty the next time.")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks for the word. Without a person to ask the answer is no.
pub(crate) fn is_sure() -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        output::complain("Nothing was removed: there is nobody to ask. Scripts say --yes-delete-everything.");
        return Ok(false);
    }
    output::complain("This removes every image, container and volume in Wherry's machine. It cannot be undone.");
    output::complain("To keep them, stop here and make a backup first: wherry backup FILE");
    let mut terminal = io::stderr().lock();
    write!(terminal, "Type {ERASE_WORD} to remove everything: ")?;
    terminal.flush()?;
    let mut word = String::new();
    io::stdin().read_line(&mut word)?;
    let sure = word.trim() == ERASE_WORD;
    if !sure {
        output::complain("Nothing was removed.");
    }
    Ok(sure)
}

/// A line on standard error for each thing that is begun.
fn steps() -> BackupProgress {
    let told = Mutex::new(String::new());
    Arc::new(move |step| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if !step.doing.is_empty() && *told != step.doing {
            output::complain(&step.doing);
            *told = step.doing;
        }
    })
}

/// Ctrl-C and the system's request to end are heard, so that nothing is left half done.
fn cancelled_by_signal() -> CancellationToken {
    let cancel = CancellationToken::new();
    let cancelled = cancel.clone();
    tokio::spawn(async move {
        asked_to_end().await;
        cancelled.cancel();
    });
    cancel
}

#[cfg(unix)]
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn asked_to_end() {
    drop(tokio::signal::ctrl_c().await);
}

fn notes(notes: &[String]) {
    for note in notes {
        output::complain(&format!("  Note: {note}"));
    }
}

/// "3 images, 1 volume"
fn counted(counts: &[(usize, &str)]) -> String {
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    if parts.is_empty() {
        "nothing".into()
    } else {
        parts.join(", ")
    }
}
