//! Unix sockets.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

pub(crate) const SCHEME: &str = "unix";

pub(crate) fn path(rest: &str) -> PathBuf {
    PathBuf::from(rest)
}

pub(crate) fn address(path: &Path) -> String {
    format!("{SCHEME}://{}", path.display())
}

pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}
