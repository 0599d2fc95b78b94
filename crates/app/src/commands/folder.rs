use std::path::Path;

use crate::{App, Code, FolderRef, Problem};

pub(crate) async fn make(_app: &App, folder: FolderRef) -> Result<(), Problem> {
    let path = folder.path.trim();
    if !Path::new(path).is_absolute() {
        return Err(Problem::plain(
            Code::Invalid,
            format!("{path:?} is not the whole path of a folder on this computer"),
        ));
    }
    fs_err::tokio::create_dir_all(path).await.map_err(|error| Problem {
        causes: vec![error.to_string()],
        ..Problem::plain(Code::Other, format!("Could not make the folder {path}"))
    })
}
