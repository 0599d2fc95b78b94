//! Changes that somebody other than the guest makes, told as they happen.
//!
//! fanotify says which process made a change, and to whom may not know all processes it still says which were its own.
//! So what the guest changed through this server is left out for certain, with nothing to remember and no time in which
//! a change of the person's would be taken for the guest's. Watching costs a mark for each folder and nothing for the
//! files in it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::libc;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};
use wherry_link::{Change, ChangeKind};

/// fanotify(7): each event is told with the folder it happened in and the name in it. nix has no names for these.
const FOLDER_AND_NAME: u32 = libc::FAN_REPORT_DFID_NAME;

/// fanotify(7), "event info": the kinds of records that have a folder's handle and a name: of what happened, and of
/// where something was moved from and to.
const RECORD_FOLDER_AND_NAME: u8 = 2;
const RECORD_OLD_NAME: u8 = libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME;
const RECORD_NEW_NAME: u8 = libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME;

/// Something was moved, told as one event with both names. Since Linux 5.17; before, it is two events that nothing
/// connects.
const MOVED: MaskFlags = MaskFlags::from_bits_retain(libc::FAN_RENAME);
const MOVED_IN_TWO: MaskFlags = MaskFlags::FAN_MOVED_FROM.union(MaskFlags::FAN_MOVED_TO);

const LARGEST_READ: usize = 64 * 1024;

/// `open_by_handle_at(2)`: a handle has at most that many bytes.
const LONGEST_HANDLE: u8 = 128;

/// With more changes at once than this, nobody follows them one by one.
const LONGEST_BATCH: usize = 4096;

/// Watches for as long as the process lives.
#[derive(Clone)]
pub(crate) struct Watch {
    group: Arc<Fanotify>,
    /// Locked while folders are added, and to look one up.
    watched: Arc<Mutex<Watched>>,
}

#[derive(Default)]
struct Watched {
    roots: BTreeSet<PathBuf>,
    hidden: Vec<PathBuf>,
    folders: HashMap<FolderHandle, Place>,
}

/// What the kernel calls a folder, whatever its path is now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FolderHandle {
    kind: i32,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Place {
    path: PathBuf,
    /// Only these names in it, when single files are watched.
    only: Option<HashSet<OsString>>,
}

impl Watch {
    /// Tells of batches of changes, from a thread of its own.
    pub(crate) fn begin(mut tell: impl FnMut(Vec<Change>) + Send + 'static) -> io::Result<Self> {
        let flags = InitFlags::FAN_CLASS_NOTIF | InitFlags::FAN_CLOEXEC | InitFlags::from_bits_retain(FOLDER_AND_NAME);
        let watch = Self {
            group: Arc::new(Fanotify::init(flags, EventFFlags::O_RDONLY)?),
            watched: Arc::default(),
        };
        let reader = watch.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; LARGEST_READ];
            loop {
                match rustix::io::read(reader.group.as_fd(), &mut buffer[..]) {
                    Ok(length) => {
                        let changes = reader.understand(&buffer[..length]);
                        if !changes.is_empty() {
                            tell(changes);
                        }
                    }
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => {
                        tracing::warn!(%error, "changes on this computer are no longer told to containers");
                        return;
                    }
                }
            }
        });
        Ok(watch)
    }

    /// Watches these folders with all that is below them, and these files, from now on.
    pub(crate) fn set(&self, roots: &[PathBuf], hidden: &[PathBuf]) {
        let mut watched = self.watched();
        let wanted: BTreeSet<PathBuf> = roots.iter().cloned().collect();
        if wanted == watched.roots && hidden == watched.hidden {
            return;
        }
        let mut new: Vec<PathBuf> = wanted.difference(&watched.roots).cloned().collect();
        if watched.roots.difference(&wanted).next().is_some() || hidden != watched.hidden {
            let none = None::<&Path>;
            let flushed = self
                .group
                .mark(MarkFlags::FAN_MARK_FLUSH, MaskFlags::empty(), rustix::fs::CWD, none);
            if let Err(error) = flushed {
                tracing::warn!(%error, "folders are watched that no container has any more");
            }
            watched.folders.clear();
            new = wanted.iter().cloned().collect();
        }
        watched.roots = wanted;
        watched.hidden = hidden.to_vec();
        for root in new {
            if let Err(error) = self.add(&mut watched, &root, &mut Vec::new()) {
                tracing::warn!(%error, path = %root.display(), "changes there are not told to containers");
            }
        }
    }

    /// Watches a folder with all that is below it, or a file; what is found there is added to the list.
    fn add(&self, watched: &mut Watched, root: &Path, found: &mut Vec<Change>) -> io::Result<()> {
        if !fs_err::symlink_metadata(root)?.is_dir() {
            if let (Some(folder), Some(name)) = (root.parent(), root.file_name()) {
                self.mark(watched, folder, Some(name))?;
            }
            return Ok(());
        }
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            if watched.hidden.contains(&folder) {
                continue;
            }
            // Marked before it is read, so that what is made meanwhile is told. One that goes away while we come is no
            // error.
            match self.mark(watched, &folder, None) {
                Err(error) if folder == root || error.kind() == io::ErrorKind::StorageFull => return Err(error),
                Ok(()) | Err(_) => {}
            }
            for entry in fs_err::read_dir(&folder).into_iter().flatten().flatten() {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder {
                    folders.push(entry.path());
                }
                if found.len() < LONGEST_BATCH {
                    found.push(Change {
                        path: entry.path(),
                        kind: ChangeKind::Created,
                        folder: is_folder,
                    });
                }
            }
        }
        Ok(())
    }

    fn mark(&self, watched: &mut Watched, folder: &Path, name: Option<&OsStr>) -> io::Result<()> {
        let wanted = MaskFlags::FAN_CREATE
            | MaskFlags::FAN_DELETE
            | MaskFlags::FAN_MODIFY
            | MaskFlags::FAN_ATTRIB
            | MaskFlags::FAN_EVENT_ON_CHILD
            | MaskFlags::FAN_ONDIR;
        let how = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_ONLYDIR | MarkFlags::FAN_MARK_DONT_FOLLOW;
        let marked = self.group.mark(how, wanted | MOVED, rustix::fs::CWD, Some(folder));
        if marked == Err(nix::Error::EINVAL) {
            self.group
                .mark(how, wanted | MOVED_IN_TWO, rustix::fs::CWD, Some(folder))?;
        } else {
            marked?;
        }
        let handle = FolderHandle::of(folder)?;
        let only = match (watched.folders.remove(&handle).map(|place| place.only), name) {
            // The whole folder is watched already, or is from now on.
            (Some(None), _) | (_, None) => None,
            (Some(Some(mut names)), Some(name)) => {
                names.insert(name.to_owned());
                Some(names)
            }
            (None, Some(name)) => Some(HashSet::from([name.to_owned()])),
        };
        let path = folder.to_owned();
        watched.folders.insert(handle, Place { path, only });
        Ok(())
    }

    fn understand(&self, mut events: &[u8]) -> Vec<Change> {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let mut changes = Changes::default();
        while let Some((event, rest)) = Event::first(events) {
            events = rest;
            if event.mask & libc::FAN_Q_OVERFLOW != 0 {
                tracing::warn!("so much changed at once that containers are not told of all of it");
            }
            if event.pid == own {
                continue;
            }
            let mut watched = self.watched();
            let at = |place: &Option<_>| place.as_ref().and_then(|place| watched.path(place));
            let (here, from, to) = (at(&event.place), at(&event.from), at(&event.to));
            let was_folder = event.mask & libc::FAN_ONDIR != 0;
            let appeared = event.mask & (libc::FAN_CREATE | libc::FAN_MOVED_TO) != 0;
            let mut seen = Vec::new();
            match (from, to) {
                (Some((from, _)), Some((to, whole))) if is_folder(&from).is_none() && is_folder(&to).is_some() => {
                    let folder = is_folder(&to).unwrap_or(was_folder);
                    let (kind, path) = (ChangeKind::Moved { from }, to);
                    seen.push((Change { path, kind, folder }, whole));
                }
                (from, to) => {
                    seen.extend(from.map(|(path, whole)| (state(path, false, was_folder), whole)));
                    seen.extend(to.map(|(path, whole)| (state(path, true, was_folder), whole)));
                }
            }
            seen.extend(here.map(|(path, whole)| (state(path, appeared, was_folder), whole)));
            for (change, whole) in seen {
                if change.folder && change.kind == ChangeKind::Modified {
                    continue;
                }
                let new = match change.kind {
                    ChangeKind::Created | ChangeKind::Moved { .. } => change.folder && whole,
                    ChangeKind::Modified | ChangeKind::Removed => false,
                };
                let (path, moved) = (change.path.clone(), change.kind != ChangeKind::Created);
                changes.add(change);
                if new {
                    let mut found = Vec::new();
                    if let Err(error) = self.add(&mut watched, &path, &mut found) {
                        tracing::debug!(%error, "a new folder is not watched");
                    }
                    // What is in one that was moved came with it.
                    found
                        .into_iter()
                        .filter(|_| !moved)
                        .for_each(|change| changes.add(change));
                }
            }
        }
        changes.list
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each change once, in the order in which they came.
#[derive(Default)]
struct Changes {
    list: Vec<Change>,
    seen: HashSet<Change>,
}

impl Changes {
    fn add(&mut self, change: Change) {
        if self.seen.insert(change.clone()) {
            self.list.push(change);
        }
    }
}

impl Watched {
    /// The path of a name in a folder, if that is watched, and whether its whole folder is. A change of the folder itself
    /// is told by the folder that it is in.
    fn path(&self, (handle, name): &(FolderHandle, OsString)) -> Option<(PathBuf, bool)> {
        let place = self.folders.get(handle).filter(|_| name.as_bytes() != b".")?;
        let told = place.only.as_ref().is_none_or(|names| names.contains(name));
        told.then(|| (place.path.join(name), place.only.is_none()))
    }
}

/// Whether there is a folder, or something else, or nothing.
fn is_folder(path: &Path) -> Option<bool> {
    fs_err::symlink_metadata(path).ok().map(|now| now.is_dir())
}

/// Several events come as one with all their kinds; what is there now tells which was the last.
fn state(path: PathBuf, appeared: bool, was_folder: bool) -> Change {
    let now = is_folder(&path);
    Change {
        kind: match now {
            Some(_) if appeared => ChangeKind::Created,
            Some(_) => ChangeKind::Modified,
            None => ChangeKind::Removed,
        },
        folder: now.unwrap_or(was_folder),
        path,
    }
}

impl FolderHandle {
    fn of(folder: &Path) -> io::Result<Self> {
        /// `struct file_handle`, with room for the longest.
        #[repr(C)]
        struct Raw {
            length: libc::c_uint,
            kind: libc::c_int,
            bytes: [u8; LONGEST_HANDLE as usize],
        }
        let path = CString::new(folder.as_os_str().as_bytes())?;
        let mut raw = Raw {
            length: LONGEST_HANDLE.into(),
            kind: 0,
            bytes: [0; LONGEST_HANDLE as usize],
        };
        let mut mount = 0;
        #[expect(unsafe_code, reason = "no library here has this call")]
        // SAFETY: the path ends with a zero, and `raw` has the layout of `struct file_handle` with the room that its
        // first field says; the kernel writes no more than that.
        let outcome = unsafe {
            libc::name_to_handle_at(
                rustix::fs::CWD.as_raw_fd(),
                path.as_ptr(),
                (&raw mut raw).cast(),
                &raw mut mount,
                0,
            )
        };
        if outcome != 0 {
            return Err(io::Error::last_os_error());
        }
        let length = usize::try_from(raw.length).unwrap_or_default().min(raw.bytes.len());
        Ok(Self {
            kind: raw.kind,
            bytes: raw.bytes[..length].to_vec(),
        })
    }
}

/// One of fanotify(7)'s events.
struct Event {
    mask: u64,
    pid: i32,
    place: Option<(FolderHandle, OsString)>,
    from: Option<(FolderHandle, OsString)>,
    to: Option<(FolderHandle, OsString)>,
}

impl Event {
    /// The first of a buffer that the kernel has filled, and the rest.
    fn first(events: &[u8]) -> Option<(Self, &[u8])> {
        let length = usize::try_from(u32_at(events, 0)?).ok()?;
        let event = events.get(..length)?;
        let records = usize::from(u16_at(event, 6)?);
        let mask = u64::from_ne_bytes(event.get(8..16)?.try_into().ok()?);
        let pid = u32_at(event, 20)?.cast_signed();
        let (mut place, mut from, mut to) = (None, None, None);
        let mut rest = event.get(records..)?;
        while let (Some(kind), Some(size)) = (rest.first(), u16_at(rest, 2)) {
            let size = usize::from(size);
            let Some(record) = rest.get(..size).filter(|_| size > 0) else {
                break;
            };
            match *kind {
                RECORD_FOLDER_AND_NAME => place = place_of(record),
                RECORD_OLD_NAME => from = place_of(record),
                RECORD_NEW_NAME => to = place_of(record),
                _ => {}
            }
            rest = &rest[size..];
        }
        let event = Self {
            mask,
            pid,
            place,
            from,
            to,
        };
        Some((event, &events[length..]))
    }
}

/// A record: its header, the file system's id, the handle, the name and zeros.
fn place_of(record: &[u8]) -> Option<(FolderHandle, OsString)> {
    const HANDLE: usize = 12;
    const BYTES: usize = HANDLE + 8;
    let length = usize::try_from(u32_at(record, HANDLE)?).ok()?;
    let kind = u32_at(record, HANDLE + 4)?.cast_signed();
    let bytes = record.get(BYTES..BYTES + length)?.to_vec();
    let name = record.get(BYTES + length..)?.split(|byte| *byte == 0).next()?;
    Some((FolderHandle { kind, bytes }, OsStr::from_bytes(name).to_owned()))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// By another process: what this one does is left out.
    fn sh(folder: &Path, script: &str) -> io::Result<()> {
        let status = Command::new("sh").args(["-ec", script]).current_dir(folder).status()?;
        assert!(status.success(), "{script}");
        Ok(())
    }

    fn watching(roots: &[PathBuf], hidden: &[PathBuf]) -> io::Result<mpsc::Receiver<Change>> {
        let (sender, changes) = mpsc::channel();
        let watch = Watch::begin(move |batch| batch.into_iter().for_each(|change| drop(sender.send(change))))?;
        watch.set(roots, hidden);
        Ok(changes)
    }

    fn until(changes: &mpsc::Receiver<Change>, path: &Path, kind: &ChangeKind) -> Vec<Change> {
        let mut before = Vec::new();
        loop {
            let change = changes
                .recv_timeout(Duration::from_secs(10))
                .unwrap_or_else(|_| panic!("{kind:?} {} after {before:?}", path.display()));
            if change.path == path && change.kind == *kind {
                return before;
            }
            before.push(change);
        }
    }

    #[test]
    fn what_others_change_is_told_and_what_this_process_changes_is_not() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let root = fs_err::canonicalize(folder.path())?;
        fs_err::create_dir_all(root.join("deep/er"))?;
        fs_err::create_dir(root.join("hidden"))?;
        let changes = watching(std::slice::from_ref(&root), &[root.join("hidden")])?;

        sh(&root, "echo 1 > deep/er/new")?;
        until(&changes, &root.join("deep/er/new"), &ChangeKind::Created);
        // Ours, and what is hidden: had they been told, they would have been told before the next one.
        fs_err::write(root.join("deep/ours"), "x")?;
        fs_err::remove_file(root.join("deep/ours"))?;
        sh(&root, "echo 1 > hidden/log; echo 2 >> deep/er/new")?;
        let before = until(&changes, &root.join("deep/er/new"), &ChangeKind::Modified);
        assert!(
            before.iter().all(|change| change.path == root.join("deep/er/new")),
            "{before:?}"
        );

        sh(&root, "mv deep/er/new deep/moved")?;
        let from = root.join("deep/er/new");
        until(&changes, &root.join("deep/moved"), &ChangeKind::Moved { from });
        // Where only one of its names is watched, it is made or removed.
        sh(&root, "mv deep/moved hidden/moved")?;
        until(&changes, &root.join("deep/moved"), &ChangeKind::Removed);
        sh(&root, "mv hidden/moved deep/moved")?;
        until(&changes, &root.join("deep/moved"), &ChangeKind::Created);
        sh(&root, "rm deep/moved; rmdir deep/er")?;
        until(&changes, &root.join("deep/moved"), &ChangeKind::Removed);
        until(&changes, &root.join("deep/er"), &ChangeKind::Removed);

        // A new folder is watched with all that is in it by the time it is seen.
        sh(&root, "mkdir -p a/b/c; echo 1 > a/b/c/file")?;
        until(&changes, &root.join("a/b/c/file"), &ChangeKind::Created);
        sh(&root, "echo 2 >> a/b/c/file")?;
        until(&changes, &root.join("a/b/c/file"), &ChangeKind::Modified);
        // One that is moved is watched where it is, with what came along.
        sh(&root, "mv a/b z")?;
        let from = root.join("a/b");
        until(&changes, &root.join("z"), &ChangeKind::Moved { from });
        sh(&root, "echo 3 >> z/c/file")?;
        until(&changes, &root.join("z/c/file"), &ChangeKind::Modified);
        Ok(())
    }

    #[test]
    fn of_a_single_file_its_neighbours_are_not_told() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let root = fs_err::canonicalize(folder.path())?;
        fs_err::write(root.join("one"), "1")?;
        fs_err::write(root.join("two"), "2")?;
        let changes = watching(&[root.join("one")], &[])?;
        sh(&root, "echo x >> two; echo x >> one")?;
        let before = until(&changes, &root.join("one"), &ChangeKind::Modified);
        assert_eq!(before, []);
        Ok(())
    }

    #[test]
    fn nonsense_is_no_event() {
        assert!(Event::first(&[]).is_none());
        assert!(Event::first(&[255; 24]).is_none());
        assert!(place_of(&[1; 20]).is_none());
    }
}
