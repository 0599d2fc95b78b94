use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{self, SignalKind};

/// The lock of a home, and the signal with which later starts ask for the window.
pub(crate) struct Turn {
    asked: unix::Signal,
    /// Locked while it is open.
    _lock: std::fs::File,
}

impl Turn {
    /// Waits for the next start that asks for the window; `false` when none can come any more.
    pub(crate) async fn asked(&mut self) -> bool {
        self.asked.recv().await.is_some()
    }
}

/// `None`: another process has this home and was asked to show its window. Called inside the runtime.
pub(crate) fn claim(home: &Path) -> io::Result<Option<Turn>> {
    // Before the lock: who finds it taken sends the signal, which ends a process that does not listen yet.
    // The second user signal, since WebKit takes the first for its garbage collector.
    let asked = unix::signal(SignalKind::user_defined2())?;
    let folder = home.join("run");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let path = folder.join("desktop.lock");
    let mut file = fs_err::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match file.file().try_lock() {
        Ok(()) => {
            file.file().set_len(0)?;
            write!(file, "{}", std::process::id())?;
            file.flush()?;
            Ok(Some(Turn {
                asked,
                _lock: file.into_file(),
            }))
        }
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.rewind()?;
            file.read_to_string(&mut text)?;
            // Whoever holds the lock is alive, so the number is still its own. None yet: it is just starting, and
            // opens its window by itself.
            if let Some(holder) = text.trim().parse().ok().and_then(Pid::from_raw) {
                kill_process(holder, Signal::USR2)?;
            }
            Ok(None)
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_start_asks_the_first_and_another_home_does_not() {
        let home = tempfile::tempdir().expect("a folder");
        let other = tempfile::tempdir().expect("a folder");
        let mut first = claim(home.path()).expect("a claim").expect("nobody else has it");
        assert!(
            claim(other.path()).expect("a claim").is_some(),
            "two homes have two windows"
        );
        assert!(claim(home.path()).expect("a claim").is_none());
        assert!(first.asked().await);
        drop(first);
        assert!(
            claim(home.path()).expect("a claim").is_some(),
            "a lock ends with its holder"
        );
    }
}
