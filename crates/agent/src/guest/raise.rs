//! Makes the kernel tell programs in containers of changes that were made on the host.
//!
//! The guest's kernel raises inotify events for what is done through it, and the host's changes are not. So they are
//! done here once more: made, written to, removed. The file server knows these calls by the thread that makes them
//! ([`wherry_link::Raise`]), answers them as if they had an effect, and does nothing. What the kernel believes of the
//! file it learns anew on the way, so that whoever is told also sees it.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    sync::mpsc,
};

use rustix::{
    fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags, fallocate, getxattr, mkdirat, openat, renameat, unlinkat},
    io::Errno,
};
use wherry_link::{Change, ChangeKind, Raise};

use super::log::say;

/// A thread of its own: it is known by its number, and each call waits for the host.
#[derive(Clone)]
pub(super) struct Raiser {
    batches: mpsc::Sender<Vec<Change>>,
    pub(super) thread: i32,
}

impl Raiser {
    /// Raises events for the files below the folder where the host's tree is.
    pub(super) fn begin(tree: &'static Path) -> Self {
        let (batches, received) = mpsc::channel::<Vec<Change>>();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let _ = tell.send(rustix::thread::gettid().as_raw_nonzero().get());
            for change in received.iter().flatten() {
                if let Err(error) = raise(tree, &change) {
                    // It may have changed again meanwhile, which is told as well.
                    let quiet = matches!(
                        error,
                        Errno::NOENT | Errno::EXIST | Errno::NOTDIR | Errno::NOTEMPTY | Errno::BUSY | Errno::TXTBSY
                    );
                    if !quiet {
                        say!("{}: {error}", change.path.display());
                    }
                }
            }
        });
        Self {
            batches,
            // There is no thread 0: without a number nothing is raised, and nothing else is taken for it.
            thread: told.recv().unwrap_or_default(),
        }
    }

    pub(super) fn raise(&self, changes: Vec<Change>) {
        // The thread ends with the machine only.
        let _ = self.batches.send(changes);
    }
}

fn raise(tree: &Path, change: &Change) -> Result<(), Errno> {
    let Some((folder, name)) = open_folder(tree, &change.path)? else {
        return Ok(());
    };
    let write = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match (&change.kind, change.folder) {
        (ChangeKind::Moved { from }, is_folder) => {
            let moved = raise_move(tree, from, &folder, name);
            if moved.is_err() {
                // What a container sees of it cannot be moved (something is mounted there): then it goes and comes.
                for (kind, path) in [(ChangeKind::Removed, from), (ChangeKind::Created, &change.path)] {
                    let part = Change {
                        path: path.clone(),
                        kind,
                        folder: is_folder,
                    };
                    raise(tree, &part)?;
                }
            }
            Ok(())
        }
        (ChangeKind::Created, true) => pretend(&folder, Raise::Created, || mkdirat(&folder, name, Mode::RWXU)),
        (ChangeKind::Created, false) => {
            let create = write | OFlags::CREATE | OFlags::EXCL;
            let made = pretend(&folder, Raise::Created, || openat(&folder, name, create, Mode::RUSR));
            match made {
                Ok(file) => touch(&file),
                // A container has seen it already: it is no news, but perhaps its content is.
                Err(Errno::EXIST) => touch(&openat(&folder, name, write, Mode::empty())?),
                Err(error) => Err(error),
            }
        }
        (ChangeKind::Modified, true) => Ok(()),
        (ChangeKind::Modified, false) => touch(&openat(&folder, name, write, Mode::empty())?),
        (ChangeKind::Removed, true) => pretend(&folder, Raise::RemovedFolder, || {
            unlinkat(&folder, name, AtFlags::REMOVEDIR)
        }),
        (ChangeKind::Removed, false) => pretend(&folder, Raise::RemovedFile, || {
            unlinkat(&folder, name, AtFlags::empty())
        }),
    }
}

/// The folder that a path of the host's is in, and its name there.
fn open_folder<'a>(tree: &Path, path: &'a Path) -> Result<Option<(OwnedFd, &'a Path)>, Errno> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(None);
    };
    let folder = tree.join(folder.strip_prefix("/").unwrap_or(folder));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Some((openat(CWD, folder, flags, Mode::empty())?, Path::new(name))))
}

/// Moves in the guest what the host has moved. The server has to know both names before the kernel asks for either, so
/// the new one is said first, by making a folder of that name, which is refused because there is something.
fn raise_move(tree: &Path, from: &Path, folder: &OwnedFd, name: &Path) -> Result<(), Errno> {
    let Some((old_folder, old_name)) = open_folder(tree, from)? else {
        return Ok(());
    };
    say_what(folder, Raise::MovedTo);
    let said = mkdirat(folder, name, Mode::RWXU);
    let moved = match said {
        Err(Errno::EXIST) => {
            say_what(&old_folder, Raise::MovedFrom);
            // A folder has one name. It has just got the new one, and while it is renamed it could not get the old one.
            let seen = openat(
                &old_folder,
                old_name,
                OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            );
            seen.and_then(|_| renameat(&old_folder, old_name, folder, name))
        }
        Ok(()) => Err(Errno::EXIST),
        Err(error) => Err(error),
    };
    say_what(folder, Raise::Nothing);
    moved
}

/// Makes a call that the file server only pretends to carry out in this folder.
fn pretend<T>(folder: &OwnedFd, what: Raise, call: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    say_what(folder, what);
    let outcome = call();
    say_what(folder, Raise::Nothing);
    outcome
}

fn say_what(folder: &OwnedFd, what: Raise) {
    // By its descriptor: on the way along a path this thread's own lookups would be taken for the pretended ones.
    let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
    let mut nothing = [0_u8; 1];
    // There is no such attribute; what counts is that the server was asked.
    let _ = getxattr(path, what.attribute(), &mut nothing[..]);
}

/// Tells of a change of content: of all calls that do, this is the one that the server can tell from any other.
fn touch(file: &OwnedFd) -> Result<(), Errno> {
    fallocate(file, FallocateFlags::KEEP_SIZE, Raise::OFFSET, 1)
}
