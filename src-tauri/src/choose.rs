//! The system's own dialog for a file or a folder of this computer. The page asks for it by a command of ours, so it
//! needs none of the dialog plugin's own.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use tauri::{Manager as _, WebviewWindow};
use tauri_plugin_dialog::{DialogExt as _, FilePath};
use tokio::sync::oneshot;
use wherry_app::{Code, Problem};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wanted {
    what: What,
    title: String,
    /// What the field holds now: the dialog opens there.
    path: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum What {
    Folder,
    File,
    /// One that will be written.
    NewFile,
}

/// The whole path, or `None` when the person chose nothing.
#[tauri::command]
pub(crate) async fn choose(window: WebviewWindow, wanted: Wanted) -> Result<Option<String>, Problem> {
    let mut start = Start::at(wanted.path.trim());
    if start.folder.is_none() && matches!(wanted.what, What::NewFile) {
        start.folder = window.path().download_dir().ok();
    }
    let mut dialog = window.dialog().file().set_parent(&window).set_title(wanted.title);
    if let Some(folder) = start.folder {
        dialog = dialog.set_directory(folder);
    }
    let (tell, told) = oneshot::channel();
    // A page that was closed meanwhile takes no answer.
    let tell = move |chosen: Option<FilePath>| drop(tell.send(chosen));
    match wanted.what {
        What::Folder => dialog.pick_folder(tell),
        What::File => dialog.pick_file(tell),
        What::NewFile => match start.name {
            Some(name) => dialog.set_file_name(name).save_file(tell),
            None => dialog.save_file(tell),
        },
    }
    let Some(path) = told.await.ok().flatten().and_then(|path| path.into_path().ok()) else {
        return Ok(None);
    };
    match path.to_str() {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Problem::plain(
            Code::Invalid,
            format!(
                "The path {} has characters that are no text, so an engine cannot be told of it",
                path.display()
            ),
        )),
    }
}

/// Where a dialog begins: at the nearest folder that is there, with the name of what is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
struct Start {
    folder: Option<PathBuf>,
    name: Option<String>,
}

impl Start {
    fn at(path: &str) -> Start {
        let path = Path::new(path);
        if !path.is_absolute() {
            // A name to be offered; of a longer path nobody knows where it begins.
            let is_name = matches!(path.components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
            return Start {
                folder: None,
                name: is_name.then(|| path.to_string_lossy().into_owned()),
            };
        }
        let folder = path.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned);
        let name = path.file_name().filter(|_| !path.is_dir());
        Start {
            folder,
            name: name.map(|name| name.to_string_lossy().into_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_begins_where_the_field_is() {
        let home = tempfile::tempdir().expect("a folder");
        let there = home.path().to_owned();
        let at = |path: PathBuf| Start::at(path.to_str().expect("text"));
        let folder = Some(there.clone());
        assert_eq!(
            at(there.clone()),
            Start {
                folder: folder.clone(),
                name: None
            }
        );
        assert_eq!(
            at(there.join("new/images.tar")),
            Start {
                folder,
                name: Some("images.tar".into())
            },
            "the folder above is not there yet"
        );
        assert_eq!(
            at(PathBuf::from("web.log")),
            Start {
                folder: None,
                name: Some("web.log".into())
            }
        );
        for nowhere in ["", "~/site", "../web.log"] {
            assert_eq!(Start::at(nowhere), Start::default(), "{nowhere}");
        }
    }
}
