//! The commands of what is done to a container's files.

use super::{Click, name};
use crate::{App, FileDownload, FileNew, FileRef, FileRename, FileSave};

pub(crate) async fn make_folder(app: &App, new: &FileNew) -> Click {
    let name = name(app, &new.container).await;
    let path = format!("{}/{}", new.folder.trim_end_matches('/'), new.name);
    Click::new(
        format!("Made the folder {path} in {name}"),
        format!("Could not make {}", new.name),
        &["docker", "exec", "-u", "0", &name, "mkdir", &path],
    )
}

pub(crate) async fn delete_file(app: &App, file: &FileRef) -> Click {
    let name = name(app, &file.container).await;
    Click::new(
        format!("Deleted {} in {name}", file.path),
        format!("Could not delete {}", file.path),
        &["docker", "exec", "-u", "0", &name, "rm", "-rf", "--", &file.path],
    )
}

pub(crate) async fn rename_file(app: &App, rename: &FileRename) -> Click {
    let name = name(app, &rename.container).await;
    let folder = rename.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let to = format!("{folder}/{}", rename.name);
    Click::new(
        format!("Renamed {} in {name} to {}", rename.path, rename.name),
        format!("Could not rename {}", rename.path),
        &["docker", "exec", "-u", "0", &name, "mv", "--", &rename.path, &to],
    )
}

pub(crate) async fn upload(app: &App, file: &FileNew) -> Click {
    let name = name(app, &file.container).await;
    let path = format!("{}/{}", file.folder.trim_end_matches('/'), file.name);
    Click::new(
        format!("Uploaded {path} into {name}"),
        format!("Could not write {}", file.name),
        &["docker", "cp", &file.name, &format!("{name}:{path}")],
    )
}

pub(crate) async fn save_file(app: &App, save: &FileSave) -> Click {
    let name = name(app, &save.container).await;
    let file = save.path.rsplit_once('/').map_or(save.path.as_str(), |(_, file)| file);
    Click::new(
        format!("Saved {} in {name}", save.path),
        format!("Could not save {}", save.path),
        &["docker", "cp", file, &format!("{name}:{}", save.path)],
    )
}

pub(crate) async fn download(app: &App, file: &FileDownload) -> Click {
    let name = name(app, &file.container).await;
    Click::new(
        format!("Downloaded {} of {name}", file.path),
        format!("Could not save {}", file.path),
        &["docker", "cp", &format!("{name}:{}", file.path), "."],
    )
}
