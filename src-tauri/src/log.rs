//! The window's own log, in the home.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use fs_err as fs;
use tracing_subscriber::EnvFilter;

/// When the log is this long at a start it is set aside, so that at most twice this is ever kept.
const LIMIT: u64 = 2 * 1024 * 1024;

pub(crate) fn begin(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let path = folder.join("desktop.log");
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LIMIT) {
        fs::rename(&path, folder.join("desktop.old.log"))?;
    }
    let file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_ansi(false)
        .with_writer(Mutex::new(file.into_file()))
        .init();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "started");
    Ok(())
}
