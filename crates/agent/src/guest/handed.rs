//! A file that a program which is just starting is handed once there is something to hand.
//!
//! The engine's programs take seconds under emulation until they look at their settings. Started before the disk is there
//! and the host has said what it wants, they are through with that when both are.

use std::{
    io::{self, Write},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::{CWD, FileType, Mode, inotify, mknodat};
use tokio::io::unix::AsyncFd;

use super::readiness::readable;

/// In the file's place is a pipe, so that whoever opens the file waits for what it will say.
pub(super) struct Handed {
    path: PathBuf,
    pipe: fs_err::File,
    watch: AsyncFd<OwnedFd>,
}

impl Handed {
    /// To be called before the program starts.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        match fs_err::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        // Both ends, so that neither opening it here nor there waits.
        let pipe = fs_err::OpenOptions::new().read(true).write(true).open(path)?;
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        inotify::add_watch(&watch, path, inotify::WatchFlags::OPEN)?;
        Ok(Self {
            path: path.to_owned(),
            pipe,
            watch: readable(watch)?,
        })
    }

    /// Waits until the program has opened the file and hands it the text, of a few kilobytes. Whoever opens it later finds
    /// an ordinary file, which only its owner reads.
    pub(super) async fn over(mut self, text: &str) -> io::Result<()> {
        // What is in a pipe goes with its last end, so it is held until there is another one.
        self.opened().await?;
        let beside = self.path.with_extension("new");
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&beside)?.write_all(text.as_bytes())?;
        fs_err::rename(&beside, &self.path)?;
        self.pipe.write_all(text.as_bytes())
    }

    async fn opened(&self) -> io::Result<()> {
        loop {
            let mut ready = self.watch.readable().await?;
            let mut buffer = [MaybeUninit::uninit(); 1024];
            let mut events = inotify::Reader::new(self.watch.get_ref(), &mut buffer);
            if events.next().is_ok() {
                return Ok(());
            }
            ready.clear_ready();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, time::Duration};

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn who_reads_early_waits_and_who_reads_again_finds_a_file() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("daemon.json");
        for said in ["{\"first\":1}", "{\"second\":2}"] {
            let handed = Handed::at(&path)?;
            let read = {
                let path = path.clone();
                tokio::task::spawn_blocking(move || fs_err::read_to_string(path))
            };
            timeout(Duration::from_secs(10), handed.over(said)).await??;
            assert_eq!(timeout(Duration::from_secs(10), read).await???, said);
            assert_eq!(fs_err::read_to_string(&path)?, said);
            assert_eq!(fs_err::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        }
        Ok(())
    }

    #[tokio::test]
    async fn one_that_never_reads_is_waited_for_and_can_be_given_up() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("containerd.toml");
        tokio::select! {
            biased;
            handed = Handed::at(&path)?.over("text") => panic!("nobody has opened it: {handed:?}"),
            () = tokio::task::yield_now() => {}
        }
        Handed::at(&path)?;
        Ok(())
    }
}
