use std::path::Path;

use wherry_engine::EnvFileView;

use crate::{App, Code, EnvFileRef, Problem};

/// Nobody writes variables by hand into a larger file.
const LARGEST: u64 = 1 << 20;

pub(crate) async fn look(_app: &App, file: EnvFileRef) -> Result<EnvFileView, Problem> {
    let path = file.path.trim();
    if !Path::new(path).is_absolute() {
        return Err(Problem::plain(
            Code::Invalid,
            format!("{path:?} is not the whole path of a file on this computer"),
        ));
    }
    let unread = |error: std::io::Error| Problem {
        causes: vec![error.to_string()],
        ..Problem::plain(Code::NotFound, format!("Could not read {path}"))
    };
    let metadata = fs_err::tokio::metadata(path).await.map_err(unread)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(Problem::plain(
            Code::Invalid,
            format!("{path} is not a file of variables"),
        ));
    }
    let bytes = fs_err::tokio::read(path).await.map_err(unread)?;
    Ok(wherry_engine::view_env_file(path, &bytes, &|name| {
        std::env::var(name).ok()
    }))
}
