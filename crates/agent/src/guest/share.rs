//! The host's folders, each at the path that it has there.

mod devices;

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
use wherry_link::{Folder, SHARES_TAG, Source};

use self::devices::Devices;
use super::log::say;

/// The whole tree that the host shows; containers cannot reach it here.
pub(super) const TREE: &str = "/run/wherry/shares";

/// How long the engine waits for the host to say what it shares. It says so as soon as it knows us.
const TOLD: Duration = Duration::from_secs(20);

/// What the virtio specification calls a 9p transport and a file system device.
const FILE_SYSTEMS: [&str; 2] = ["0x0009", "0x001a"];

#[derive(Default)]
pub(super) struct Shares {
    /// Where each folder is, and where it is from. Locked while they change, so that two never mix.
    placed: Mutex<Placed>,
    told: watch::Sender<bool>,
}

#[derive(Default)]
struct Placed {
    tree: bool,
    devices: Devices,
    folders: BTreeMap<PathBuf, Source>,
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
        let served = |folder: &Folder| matches!(folder.source, Source::Server { .. });
        if !placed.tree && folders.iter().any(served) {
            mount_tree().map_err(|error| sentence(&error))?;
            placed.tree = true;
        }
        let wanted: BTreeMap<_, _> = folders
            .iter()
            .map(|folder| (folder.path.clone(), folder.source.clone()))
            .collect();
        for path in to_unmount(&placed.folders, &wanted, anew) {
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
            match place(&path, &source, &mut placed.devices) {
                Ok(()) => {
                    placed.folders.insert(path, source);
                }
                Err(error) => failed = Some(sentence(&error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Lets go of the folders that are devices, or says why not.
    pub(super) fn let_go(&self) -> Result<(), String> {
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = placed.folders.keys().cloned().collect();
        if placed.devices.are_used(&paths).map_err(|error| error.to_string())? {
            return Err("A container that runs uses a shared folder, which QEMU itself shares and cannot save".into());
        }
        for path in to_unmount(&placed.folders, &BTreeMap::new(), true) {
            unmount(&path, UnmountFlags::DETACH).map_err(|error| format!("{}: {error}", path.display()))?;
            placed.folders.remove(&path);
        }
        placed.devices.unmount().map_err(|error| error.to_string())
    }

    /// Whether the path is in a folder of the host.
    pub(super) fn has(&self, path: &Path) -> bool {
        let placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        placed.folders.keys().any(|folder| path.starts_with(folder))
    }

    /// Whether the machine came with anything that folders of the host are shared by.
    pub(super) fn can_be() -> bool {
        has_device(Path::new("/sys/bus/virtio/devices"))
    }

    /// Waits until the host has said what it shares, when it can share anything.
    pub(super) async fn told(&self) {
        if !Self::can_be() {
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

/// Those that are to go, or to be placed once more: what lies in a folder that goes would go with it, and what lies in
/// one that comes would be hidden by it. The innermost first.
fn to_unmount(placed: &BTreeMap<PathBuf, Source>, wanted: &BTreeMap<PathBuf, Source>, anew: bool) -> Vec<PathBuf> {
    let goes = |path: &PathBuf| anew || wanted.get(path) != placed.get(path);
    let changed: Vec<&PathBuf> = placed.keys().chain(wanted.keys()).filter(|path| goes(path)).collect();
    let touched = |path: &&PathBuf| changed.iter().any(|changed| path.starts_with(changed));
    placed.keys().rev().filter(touched).cloned().collect()
}

fn has_device(devices: &Path) -> bool {
    let Ok(entries) = fs_err::read_dir(devices) else {
        return false;
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|device| fs_err::read_to_string(device.path().join("device")).ok())
        .any(|kind| FILE_SYSTEMS.contains(&kind.trim()))
}

fn mount_tree() -> Result<(), Error> {
    fs_err::create_dir_all(TREE).map_err(Error::Tree)?;
    // No program on the host's disk gets rights here by its mode, and no device file there is a device.
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount(SHARES_TAG, TREE, "virtiofs", flags, None).map_err(|error| Error::Tree(error.into()))
}

/// Mounts one folder at its path.
fn place(path: &Path, source: &Source, devices: &mut Devices) -> Result<(), Error> {
    let failed = |source: io::Error| Error::Place {
        path: path.into(),
        source,
    };
    if !Folder::has_place_at(path) {
        return Err(Error::Taken(path.into()));
    }
    fs_err::create_dir_all(path).map_err(failed)?;
    let placed = match source {
        Source::Server { path: source } => place_from_tree(path, source).map_err(Into::into),
        Source::Device { tag, hidden } => devices.place(path, tag, hidden),
    };
    placed.map_err(failed)
}

fn place_from_tree(path: &Path, source: &Path) -> rustix::io::Result<()> {
    let from = Path::new(TREE).join(source.strip_prefix("/").unwrap_or(source));
    // Asks the server, so that a folder of one before it is found anew and not mounted as it was.
    statx(CWD, &from, AtFlags::STATX_FORCE_SYNC, StatxFlags::TYPE)?;
    mount_bind(&from, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_one_that_comes_or_goes_is_placed_once_more() {
        let folders = |paths: &[&str]| -> BTreeMap<PathBuf, Source> {
            let source = |path: &&str| Source::Server { path: path.into() };
            paths.iter().map(|path| (path.into(), source(path))).collect()
        };
        let (inner, other) = ("/home/ada/work", "/srv");
        let (few, all) = (folders(&[inner, other]), folders(&["/home/ada", inner, other]));
        let paths = |paths: &[&str]| -> Vec<PathBuf> { paths.iter().map(PathBuf::from).collect() };
        assert_eq!(to_unmount(&few, &few, false), paths(&[]));
        assert_eq!(to_unmount(&few, &all, false), paths(&[inner]));
        assert_eq!(to_unmount(&all, &few, false), paths(&[inner, "/home/ada"]));
        assert_eq!(to_unmount(&few, &folders(&[inner]), false), paths(&[other]));
        assert_eq!(to_unmount(&few, &few, true), paths(&[other, inner]));
    }

    #[test]
    fn a_machine_without_the_device_waits_for_nobody() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        assert!(!has_device(folder.path()));
        let add = |device: &str, kind: &str| {
            fs_err::create_dir_all(folder.path().join(device))?;
            fs_err::write(folder.path().join(device).join("device"), format!("{kind}\n"))
        };
        add("virtio0", "0x0002")?;
        assert!(!has_device(folder.path()));
        for kind in FILE_SYSTEMS {
            add("virtio1", kind)?;
            assert!(has_device(folder.path()));
        }
        Ok(())
    }
}
