//! Named pipes.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient};

pub(crate) const SCHEME: &str = "npipe";

/// Every instance of the pipe is taken for the moment (`ERROR_PIPE_BUSY`).
const BUSY: i32 = 231;

/// The engine makes the next instance right after it took one.
const NEXT_INSTANCE: Duration = Duration::from_millis(10);

/// `//./pipe/docker_engine` is how Docker writes `\\.\pipe\docker_engine`.
pub(crate) fn path(rest: &str) -> PathBuf {
    PathBuf::from(rest.replace('/', "\\"))
}

pub(crate) fn address(path: &Path) -> String {
    format!("{SCHEME}://{}", path.display().to_string().replace('\\', "/"))
}

/// The caller sets the bound.
pub(crate) async fn connect(path: &Path) -> io::Result<NamedPipeClient> {
    loop {
        match ClientOptions::new().open(path) {
            Err(error) if error.raw_os_error() == Some(BUSY) => tokio::time::sleep(NEXT_INSTANCE).await,
            result => return result,
        }
    }
}
