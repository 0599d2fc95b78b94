use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use wherry_engine::{BackupManifest, BackupProgress, PullProgress};

use crate::tasks::Progress;
use crate::{App, BackupMake, BackupRef, BackupRestore, BackupSuggestion, Code, Problem, TaskId, Work};

/// In the person's own folder, which outlives Wherry's.
pub(crate) async fn suggest(app: &App) -> Result<BackupSuggestion, Problem> {
    let folder = etcetera::home_dir().unwrap_or_else(|_| app.parts.home.root().to_owned());
    let name = Timestamp::now().strftime("wherry-%Y-%m-%d.tar").to_string();
    Ok(BackupSuggestion {
        file: folder.join(name).display().to_string(),
    })
}

pub(crate) async fn contents(app: &App, backup: BackupRef) -> Result<BackupManifest, Problem> {
    app.backup_contents(&path(&backup.file)?).await
}

pub(crate) async fn make(app: &App, make: BackupMake) -> Result<TaskId, Problem> {
    path(&make.file)?;
    let about = Work::Backup {
        file: make.file.clone(),
    };
    let app_too = app.clone();
    Ok(app.parts.tasks.start(about, |progress, cancel| async move {
        let report = app_too.back_up(&make, &tell(&progress), &cancel).await?;
        for note in report.manifest.notes {
            progress.note(note);
        }
        Ok(None)
    }))
}

pub(crate) async fn verify(app: &App, backup: BackupRef) -> Result<TaskId, Problem> {
    let file = path(&backup.file)?;
    let app_too = app.clone();
    let about = Work::VerifyBackup { file: backup.file };
    Ok(app.parts.tasks.start(about, |progress, cancel| async move {
        let verified = app_too.verify_backup(&file, tell(&progress));
        match cancel.run_until_cancelled(verified).await {
            Some(verified) => verified.map(|_| None),
            None => Err(Problem::cancelled()),
        }
    }))
}

pub(crate) async fn restore(app: &App, restore: BackupRestore) -> Result<TaskId, Problem> {
    path(&restore.file)?;
    let about = Work::Restore {
        file: restore.file.clone(),
    };
    let app_too = app.clone();
    Ok(app.parts.tasks.start(about, |progress, cancel| async move {
        let report = app_too.restore(&restore, &tell(&progress), &cancel).await?;
        for note in report.notes {
            progress.note(note);
        }
        for kept in report.kept {
            progress.note(format!("{kept} was there and is as it was."));
        }
        Ok(None)
    }))
}

/// The window has no folder of its own that a short name could be in.
fn path(file: &str) -> Result<PathBuf, Problem> {
    let file = Path::new(file.trim());
    if file.is_absolute() {
        Ok(file.to_owned())
    } else {
        Err(Problem::plain(
            Code::Invalid,
            "The path of a backup begins at the root of the file system",
        ))
    }
}

fn tell(progress: &Progress) -> BackupProgress {
    let progress = progress.clone();
    Arc::new(move |step| {
        progress.step(step.doing);
        progress.set(PullProgress {
            done_bytes: step.done_bytes,
            total_bytes: step.total_bytes,
            ..PullProgress::default()
        });
    })
}
