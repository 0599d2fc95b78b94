//! Folders that QEMU itself shares: a 9p device for each, by its tag.
//!
//! A device can be mounted once, so each has a place of its own here, and is bound from it wherever it is wanted.

use std::{
    collections::BTreeSet,
    ffi::CStr,
    io,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind_recursive, unmount};

/// Containers cannot reach it here.
const DEVICES: &str = "/run/wherry/devices";

/// The dialect that knows Linux's own calls, in the largest pieces that the device takes. Without a cache a file could
/// not be mapped to be written to; one user for all, because QEMU serves all with its own rights.
const OPTIONS: &CStr = c"trans=virtio,version=9p2000.L,msize=512000,cache=mmap,access=any";

/// Nothing, and no way to put anything there.
const COVER: &CStr = c"size=4k,mode=0555";

#[derive(Default)]
pub(super) struct Devices {
    /// By their tags.
    mounted: BTreeSet<String>,
}

impl Devices {
    /// Puts the folder at a path. What is hidden is below it.
    pub(super) fn place(&mut self, path: &Path, tag: &str, hidden: &[PathBuf]) -> io::Result<()> {
        let place = Path::new(DEVICES).join(tag);
        if !self.mounted.contains(tag) {
            fs_err::create_dir_all(&place)?;
            mount_covered(&place, tag, hidden)?;
            self.mounted.insert(tag.into());
        }
        Ok(mount_bind_recursive(&place, path)?)
    }

    /// Whether any is mounted that a container has, too.
    pub(super) fn are_used(&self, placed: &BTreeSet<PathBuf>) -> io::Result<bool> {
        let mut ours = placed.clone();
        ours.extend(self.mounted.iter().map(|tag| Path::new(DEVICES).join(tag)));
        let namespace = |process: &str| fs_err::read_link(format!("/proc/{process}/ns/mnt"));
        let own = namespace("self")?;
        let mut seen = BTreeSet::new();
        for entry in fs_err::read_dir("/proc")? {
            let Ok(id) = entry?.file_name().into_string() else {
                continue;
            };
            if !id.bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            // One that ends meanwhile says nothing of its namespace, which others may be in.
            let Ok(its) = namespace(&id) else { continue };
            if seen.contains(&its) {
                continue;
            }
            let Ok(mounts) = fs_err::read_to_string(format!("/proc/{id}/mountinfo")) else {
                continue;
            };
            if places(&mounts).any(|place| its != own || !ours.contains(&place)) {
                return Ok(true);
            }
            seen.insert(its);
        }
        Ok(false)
    }

    /// Lets go of all of them, when nothing is bound from them any more.
    pub(super) fn unmount(&mut self) -> io::Result<()> {
        while let Some(tag) = self.mounted.first().cloned() {
            unmount(Path::new(DEVICES).join(&tag), UnmountFlags::DETACH)?;
            self.mounted.remove(&tag);
        }
        Ok(())
    }
}

fn mount_covered(place: &Path, tag: &str, hidden: &[PathBuf]) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount(tag, place, "9p", flags, OPTIONS)?;
    let covered = hidden.iter().try_for_each(|below| {
        let flags = flags | MountFlags::NOEXEC | MountFlags::RDONLY;
        mount("none", place.join(below), "tmpfs", flags, COVER)
    });
    if covered.is_err() {
        // What no container may reach could be reached through it.
        unmount(place, UnmountFlags::DETACH)?;
    }
    Ok(covered?)
}

/// Where 9p devices are mounted (`proc_pid_mountinfo(5)`). Spaces in paths are written as `\040` there.
fn places(mountinfo: &str) -> impl Iterator<Item = PathBuf> {
    mountinfo.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        file_system.starts_with("9p ").then_some(())?;
        let place = mount.split(' ').nth(4)?;
        Some(place.replace("\\040", " ").into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_of_9p_devices_are_found() {
        let mountinfo = "30 1 254:0 / / ro - erofs /dev/vda ro\n\
                         31 30 0:41 / /run/wherry/devices/folder0 rw,nosuid shared:3 - 9p folder0 rw,access=any\n\
                         32 30 0:41 /a\\040b /home/a\\040b rw - 9p folder0 rw,access=any\n\
                         33 30 0:42 / /9p rw - tmpfs none rw\n";
        let found: Vec<PathBuf> = places(mountinfo).collect();
        assert_eq!(
            found,
            [Path::new("/run/wherry/devices/folder0"), Path::new("/home/a b")]
        );
    }
}
