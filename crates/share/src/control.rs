//! What the daemon says, answered one daemon after another.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};

use wherry_link::{FilesAnswer, FilesView};

use crate::folders::Folders;
use crate::watch::Watch;

/// The daemon that is connected now. Locked while a line is written, so that lines stay whole.
#[derive(Clone, Default)]
pub(crate) struct Daemon(Arc<Mutex<Option<UnixStream>>>);

impl Daemon {
    /// A daemon that is away hears nothing: whoever comes next asks anew.
    pub(crate) fn tell(&self, answer: &FilesAnswer) {
        let mut daemon = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = daemon.as_mut()
            && let Err(error) = tell(stream, answer)
        {
            tracing::debug!(%error, "the daemon is not told");
            *daemon = None;
        }
    }

    fn is(&self, stream: Option<UnixStream>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stream;
    }
}

/// Answers in the background for as long as the process lives.
pub(crate) fn answer(listener: UnixListener, folders: Folders, watch: Option<Watch>, present: Daemon) {
    std::thread::spawn(move || {
        for daemon in listener.incoming() {
            let served = daemon.and_then(|daemon| serve(daemon, &folders, watch.as_ref(), &present));
            present.is(None);
            if let Err(error) = served {
                tracing::warn!(%error, "the daemon left");
            }
        }
    });
}

/// Says to everything in the background that nothing is served.
pub(crate) fn refuse(listener: UnixListener) {
    std::thread::spawn(move || {
        for daemon in listener.incoming() {
            let refused = daemon.and_then(|daemon| {
                let mut answers = daemon.try_clone()?;
                for line in BufReader::new(daemon).lines() {
                    line?;
                    tell(&mut answers, &FilesAnswer::GivenUp)?;
                }
                Ok(())
            });
            if let Err(error) = refused {
                tracing::warn!(%error, "the daemon left");
            }
        }
    });
}

fn serve(daemon: UnixStream, folders: &Folders, watch: Option<&Watch>, present: &Daemon) -> io::Result<()> {
    present.is(Some(daemon.try_clone()?));
    for line in BufReader::new(daemon).lines() {
        let wanted: FilesView = serde_json::from_str(&line?)?;
        let refused = folders.show(&wanted);
        present.tell(&FilesAnswer::Served { refused });
        if let Some(watch) = watch {
            watch.set(&wanted.watched, &wanted.hidden);
        }
    }
    Ok(())
}

fn tell(daemon: &mut UnixStream, answer: &FilesAnswer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    daemon.write_all(&line)
}
