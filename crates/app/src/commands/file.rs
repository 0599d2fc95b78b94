use std::io;

use bytes::Bytes;
use futures::stream;
use wherry_engine::{Error, FileContent, FileList, FileOwner, NewFile};

use crate::saved::Saving;
use crate::{App, Code, FileDownload, FileNew, FileRef, FileRename, FileSave, Problem, Saved};

pub(crate) async fn list(app: &App, file: FileRef) -> Result<FileList, Problem> {
    let listed = app.engine().await?.files(&file.container, &file.path).await;
    listed.map_err(|error| about("open", &file.path, error))
}

pub(crate) async fn get(app: &App, file: FileRef) -> Result<FileContent, Problem> {
    let content = app.engine().await?.file(&file.container, &file.path).await;
    content.map_err(|error| about("open", &file.path, error))
}

/// Its mode and its owner stay.
pub(crate) async fn save(app: &App, save: FileSave) -> Result<FileContent, Problem> {
    let engine = app.engine().await?;
    let failed = |error| about("save", &save.path, error);
    let before = engine.file(&save.container, &save.path).await.map_err(failed)?;
    if !save.force && before.modified != save.modified {
        return Err(Problem {
            hint: Some("Save it all the same to replace what is there now, or read it anew.".to_owned()),
            ..Problem::plain(Code::Exists, format!("{} was changed meanwhile", save.path))
        });
    }
    let (folder, name) = parts(&before.path);
    let file = NewFile {
        folder,
        name,
        mode: before.mode,
        owner: before.owner,
        modified: now(),
    };
    let content = Bytes::from(save.text);
    let size = content.len() as u64;
    engine
        .write_file(
            &save.container,
            &file,
            size,
            stream::iter([Ok::<_, io::Error>(content)]),
        )
        .await
        .map_err(failed)?;
    engine.file(&save.container, &before.path).await.map_err(failed)
}

pub(crate) async fn folder(app: &App, new: FileNew) -> Result<(), Problem> {
    let made = app
        .engine()
        .await?
        .make_folder(&new.container, &new_file(&new, 0o755))
        .await;
    made.map_err(|error| about("make", &new.name, error))
}

pub(crate) async fn delete(app: &App, file: FileRef) -> Result<(), Problem> {
    let deleted = app.engine().await?.delete_file(&file.container, &file.path).await;
    deleted.map_err(|error| about("delete", &file.path, error))
}

pub(crate) async fn rename(app: &App, rename: FileRename) -> Result<(), Problem> {
    let renamed = app
        .engine()
        .await?
        .rename_file(&rename.container, &rename.path, &rename.name)
        .await;
    renamed.map_err(|error| about("rename", &rename.path, error))
}

pub(crate) async fn saved_name(app: &App, file: FileRef) -> Result<String, Problem> {
    let name = app.engine().await?.download_name(&file.container, &file.path).await;
    name.map_err(|error| about("save", &file.path, error))
}

/// A file as it is, a folder as a tar.
pub(crate) async fn download(app: &App, file: FileDownload) -> Result<Saved, Problem> {
    let engine = app.engine().await?;
    let failed = |error| about("save", &file.path, error);
    let download = engine.download(&file.container, &file.path).await.map_err(failed)?;
    let saving = Saving::begin(&download.name, file.to.as_deref())?;
    download.into_file(saving.file()?).await.map_err(failed)?;
    saving.done()
}

pub(crate) fn new_file(new: &FileNew, mode: u32) -> NewFile {
    NewFile {
        folder: new.folder.clone(),
        name: new.name.clone(),
        mode,
        owner: FileOwner {
            user: new.owner.user,
            group: new.owner.group,
        },
        modified: now(),
    }
}

/// "Could not open /app/main.py"
pub(crate) fn about(verb: &str, path: &str, error: Error) -> Problem {
    Problem::from(error).during(format!("Could not {verb} {path}"))
}

fn parts(path: &str) -> (String, String) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/".to_owned(), name.to_owned()),
        Some((folder, name)) => (folder.to_owned(), name.to_owned()),
        None => ("/".to_owned(), path.to_owned()),
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
