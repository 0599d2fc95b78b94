//! The host's folders, each at the path that it has there.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustix::{
    fs::{AtFlags, CWD, StatxFlags, statx},
    mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount},
};
use tokio::{sync::watch, time::timeout};
use wherry_link::{Folder, SHARES_TAG};

use super::log::say;

/// The whole tree that the host shows; containers cannot reach it here.
pub(super) const TREE: &str = "/run/wherry/shares";

/// How long the engine waits for the host to say what it shares. It says so as soon as it knows us.
const TOLD: Duration = Duration::from_secs(20);

/// What the virtio specification calls a file system device.
const FILE_SYSTEM: &str = "0x001a";

#[derive(Default)]
pub(super) struct Shares {
    /// Where each folder is, with its place in the tree. Locked while they change, so that two never mix.
    placed: Mutex<Placed>,
    told: watch::Sender<bool>,
}

#[derive(Default)]
struct Placed {
    tree: bool,
    folders: BTreeMap<PathBuf, PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the host's files cannot be mounted: {0}")]
    Tree(#[source] io::Error),
    #[error("{} has no place in the machine: its own system is there", .0.display())]
    Taken(PathBuf),
    #[error("{} has no place in the machine: {source}", path.display())]
    Place { path: PathBuf, source: io::Error },
}

impl Shares {
    /// Has these folders from now on. Those that stay are not touched, because containers may be using them, unless
    /// their server is a new one: then none of them leads anywhere.
    pub(super) fn set(&self, folders: &[Folder], anew: bool) -> Result<(), String> {
        let done = self.replace(folders, anew);
        self.told.send_replace(true);
        done
    }

    fn replace(&self, folders: &[Folder], anew: bool) -> Result<(), String> {
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        if !placed.tree && !folders.is_empty() {
            mount_tree().map_err(|error| sentence(&error))?;
            placed.tree = true;
        }
        let wanted: BTreeMap<_, _> = folders
            .iter()
            .map(|folder| (folder.path.clone(), folder.source.clone()))
            .collect();
        // The innermost first: an outer one cannot go while another is mounted in it.
        let gone: Vec<PathBuf> = placed
            .folders
            .iter()
            .rev()
            .filter(|(path, source)| anew || wanted.get(*path) != Some(*source))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            // Containers that have it keep it; new ones find the empty folder, and are told.
            if let Err(error) = unmount(&path, UnmountFlags::DETACH) {
                say!("{}: {error}", path.display());
            }
            placed.folders.remove(&path);
        }
        let mut failed = None;
        for (path, source) in wanted {
            if placed.folders.contains_key(&path) {
                continue;
            }
            match place(&path, &source) {
                Ok(()) => {
                    placed.folders.insert(path, source);
                }
                Err(error) => failed = Some(sentence(&error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Whether the path is in a folder of the host.
    pub(super) fn has(&self, path: &Path) -> bool {
        let placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        placed.folders.keys().any(|folder| path.starts_with(folder))
    }

    /// Waits until the host has said what it shares, when it can share anything.
    pub(super) async fn told(&self) {
        if !has_device(Path::new("/sys/bus/virtio/devices")) {
            return;
        }
        let mut told = self.told.subscribe();
        if timeout(TOLD, told.wait_for(|told| *told)).await.is_err() {
            say!("the host did not say which folders it shares");
        }
    }
}

/// Names and files that nobody uses are forgotten, and the host closes them.
pub(super) fn forget_files() {
    if let Err(error) = fs_err::write("/proc/sys/vm/drop_caches", "2") {
        say!("{error}");
    }
}

fn sentence(error: &Error) -> String {
    format!("The machine could not take a shared folder: {error}")
}

fn has_device(devices: &Path) -> bool {
    let Ok(entries) = fs_err::read_dir(devices) else {
        return false;
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|device| fs_err::read_to_string(device.path().join("device")).ok())
        .any(|kind| kind.trim() == FILE_SYSTEM)
}

fn mount_tree() -> Result<(), Error> {
    fs_err::create_dir_all(TREE).map_err(Error::Tree)?;
    // No program on the host's disk gets rights here by its mode, and no device file there is a device.
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount(SHARES_TAG, TREE, "virtiofs", flags, None).map_err(|error| Error::Tree(error.into()))
}

/// Mounts one folder of the tree at its path.
fn place(path: &Path, source: &Path) -> Result<(), Error> {
    let failed = |source: io::Error| Error::Place {
        path: path.into(),
        source,
    };
    if !Folder::has_place_at(path) {
        return Err(Error::Taken(path.into()));
    }
    fs_err::create_dir_all(path).map_err(failed)?;
    let from = Path::new(TREE).join(source.strip_prefix("/").unwrap_or(source));
    // Asks the server, so that a folder of one before it is found anew and not mounted as it was.
    statx(CWD, &from, AtFlags::STATX_FORCE_SYNC, StatxFlags::TYPE).map_err(|error| failed(error.into()))?;
    mount_bind(&from, path).map_err(|error| failed(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_the_device_waits_for_nobody() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        assert!(!has_device(folder.path()));
        for (device, kind) in [("virtio0", "0x0002"), ("virtio1", "0x001a")] {
            fs_err::create_dir(folder.path().join(device))?;
            fs_err::write(folder.path().join(device).join("device"), format!("{kind}\n"))?;
        }
        assert!(has_device(folder.path()));
        Ok(())
    }
}
