//! The data disk: everything the person owns. Formatted when it is blank, checked when it says that it needs it,
//! grown when it has become larger, and left exactly as it is when it holds something else.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use fs_err::File;
use rustix::{
    fs::{stat, statvfs, syncfs},
    ioctl,
    mount::MountFlags,
};
use wherry_link::{Fill, GuestFailure};

use super::{Guest, children::Output, failure, log::say};

pub(super) const DATA: &str = "/data";

const LABEL: &str = "wherry-data";

/// Where the host puts it when it names none.
const DEVICE: &str = "/dev/vdb";

/// The serial number by which the host may name it instead.
const SERIAL: &str = "data";

/// The kernel finds its disks before it starts us, but not necessarily all of them.
const APPEARS: Duration = Duration::from_secs(2);

/// This much of a new disk must be zero. The host makes it as a file with nothing in it, so all of it is.
const BEGINNING: usize = 1024 * 1024;

/// Filling a disk from 90 % on takes longer, and a look costs nothing.
const LOOK: Duration = Duration::from_secs(10);

/// A disk that is larger than its file system by less is not worth a resize: the last group may not take it.
const WORTH_GROWING: u64 = 16 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
#[error("Could not run {program}")]
struct Run {
    program: &'static str,
    #[source]
    source: io::Error,
}

#[derive(Debug, thiserror::Error)]
#[error("Could not read {}", device.display())]
struct Unreadable {
    device: PathBuf,
    #[source]
    source: io::Error,
}

/// What the beginning of a disk says.
#[derive(Debug, PartialEq, Eq)]
enum Contents {
    Blank,
    Ours {
        /// How many blocks the file system has, and of how many bytes.
        blocks: u64,
        block: u64,
        /// Unmounting it or replaying its journal is not enough to trust it.
        suspect: bool,
    },
    /// Something of somebody else's, in words.
    Foreign(String),
}

pub(super) async fn mount(guest: &Guest) -> Result<(), GuestFailure> {
    let device = find().await.ok_or(GuestFailure::DiskMissing)?;
    let path = device.clone();
    let (contents, capacity) = tokio::task::spawn_blocking(move || look_at(&path))
        .await
        .map_err(|error| failure(&error))?
        .map_err(|source| {
            failure(&Unreadable {
                device: device.clone(),
                source,
            })
        })?;
    match contents {
        Contents::Foreign(output) => return Err(GuestFailure::DiskCorrupt { output }),
        Contents::Blank => format(guest, &device).await?,
        Contents::Ours { blocks, block, .. } if blocks.saturating_mul(block) > capacity => {
            let needed = blocks.saturating_mul(block) >> 20;
            let output = format!(
                "The disk has {} MiB, but what is on it needs {needed} MiB.",
                capacity >> 20
            );
            return Err(GuestFailure::DiskCorrupt { output });
        }
        Contents::Ours { suspect, .. } => {
            if suspect {
                repair(guest, &device).await?;
            }
        }
    }
    if let Err(error) = mount_at_data(&device).await {
        // Its superblock looked well and the kernel still cannot take it.
        say!("mounting the data disk: {error}");
        repair(guest, &device).await?;
        mount_at_data(&device)
            .await
            .map_err(|error| GuestFailure::DiskCorrupt {
                output: error.to_string(),
            })?;
    }
    if let Contents::Ours { blocks, block, .. } = contents
        && capacity - blocks * block >= WORTH_GROWING
    {
        say!("growing the data disk");
        let grown = tokio::task::spawn_blocking(move || grow(capacity / block)).await;
        if let Err(error) = grown.map_err(io::Error::from).flatten() {
            // A disk that cannot be grown is still a disk.
            guest.status.note(format!("The data disk could not be grown: {error}"));
        }
    }
    Ok(())
}

async fn find() -> Option<PathBuf> {
    let found = async {
        loop {
            let named = named_by_serial();
            if let Some(device) = named.or_else(|| Some(PathBuf::from(DEVICE)).filter(|device| device.exists())) {
                return device;
            }
            // The kernel tells about new devices only through a socket of its own; this happens next to never.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(APPEARS, found).await.ok()
}

fn named_by_serial() -> Option<PathBuf> {
    let devices = fs_err::read_dir("/sys/block").ok()?;
    devices.filter_map(Result::ok).find_map(|device| {
        let serial = fs_err::read_to_string(device.path().join("serial")).ok()?;
        (serial.trim() == SERIAL).then(|| Path::new("/dev").join(device.file_name()))
    })
}

/// What is on it and how many bytes it has.
fn look_at(device: &Path) -> io::Result<(Contents, u64)> {
    let mut file = File::open(device)?;
    let capacity = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut beginning = Vec::with_capacity(BEGINNING);
    file.take(BEGINNING as u64).read_to_end(&mut beginning)?;
    Ok((contents(&beginning), capacity))
}

/// Offsets and meanings: "The Super Block" in the kernel's documentation of ext4.
fn contents(beginning: &[u8]) -> Contents {
    const VALID: u16 = 1;
    const ERRORS: u16 = 2;
    const CHECKSUMS: u32 = 0x400;
    const WIDE: u32 = 0x80;

    if beginning.iter().all(|byte| *byte == 0) {
        return Contents::Blank;
    }
    let Some(block) = beginning.get(1024..2048) else {
        return Contents::Foreign("The disk is too small to be a data disk.".into());
    };
    let u16_at = |offset: usize| u16::from_le_bytes([block[offset], block[offset + 1]]);
    let u32_at = |offset: usize| u32::from(u16_at(offset)) | u32::from(u16_at(offset + 2)) << 16;
    if u16_at(0x38) != 0xEF53 {
        return Contents::Foreign("The disk is not empty and holds no data of this machine.".into());
    }
    let label = block[0x78..0x88].split(|byte| *byte == 0).next().unwrap_or_default();
    if label != LABEL.as_bytes() {
        let label = String::from_utf8_lossy(label);
        return Contents::Foreign(format!("The disk holds another file system, named \"{label}\"."));
    }
    let high = if u32_at(0x60) & WIDE != 0 {
        u64::from(u32_at(0x150))
    } else {
        0
    };
    let blocks = u64::from(u32_at(0x4)) | high << 32;
    let block_size = 1024_u64.checked_shl(u32_at(0x18)).unwrap_or(u64::MAX);
    let state = u16_at(0x3A);
    let damaged = u32_at(0x64) & CHECKSUMS != 0 && checksum(&block[..0x3FC]) != u32_at(0x3FC);
    // After a crash the state is still valid and the journal is replayed by mounting: nothing to be suspicious of.
    Contents::Ours {
        blocks,
        block: block_size,
        suspect: state & VALID == 0 || state & ERRORS != 0 || damaged,
    }
}

/// CRC-32C as ext4 uses it: seeded with ones and not inverted at the end.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0x82F6_3B78 } else { sum >> 1 }
        })
    })
}

async fn run(guest: &Guest, program: &'static str, arguments: &[&str], device: &Path) -> Result<Output, GuestFailure> {
    let mut command = Command::new(program);
    command.args(arguments).arg(device);
    guest
        .children
        .run(&mut command)
        .await
        .map_err(|source| failure(&Run { program, source }))
}

async fn format(guest: &Guest, device: &Path) -> Result<(), GuestFailure> {
    say!("formatting the data disk");
    // Prezeroed: nothing is written for inode tables and journal, now or later, so the host's file stays small.
    let prezeroed = "nodiscard,assume_storage_prezeroed=1";
    // Some is kept for whoever may exceed limits, as the engine may and an ordinary container may not: so that with a
    // full disk things can still be removed. Whom it is kept for, mounting says.
    let arguments = ["-q", "-F", "-L", LABEL, "-m", "0.5", "-E", prezeroed];
    let output = run(guest, "mkfs.ext4", &arguments, device).await?;
    if output.code == Some(0) {
        return Ok(());
    }
    Err(GuestFailure::System {
        message: format!("The data disk could not be formatted: {}", output.text),
    })
}

async fn repair(guest: &Guest, device: &Path) -> Result<(), GuestFailure> {
    say!("checking the data disk");
    let output = run(guest, "e2fsck", &["-p"], device).await?;
    match verdict(output.code) {
        Verdict::Clean => Ok(()),
        Verdict::Repaired => {
            say!("e2fsck: {}", output.text);
            guest
                .status
                .note("The data disk was damaged and has been repaired.".into());
            Ok(())
        }
        Verdict::Corrupt => Err(GuestFailure::DiskCorrupt { output: output.text }),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Clean,
    Repaired,
    Corrupt,
}

/// The exit codes of e2fsck(8); 2 asks for a reboot, which only a file system in use needs.
fn verdict(code: Option<i32>) -> Verdict {
    match code {
        Some(0) => Verdict::Clean,
        Some(1..=3) => Verdict::Repaired,
        Some(_) | None => Verdict::Corrupt,
    }
}

async fn mount_at_data(device: &Path) -> io::Result<()> {
    let device = device.to_owned();
    // Replaying a journal takes a while, and the link is served by the same threads.
    tokio::task::spawn_blocking(move || {
        // No `discard`: what is deleted is given back to the host from time to time and not file by file.
        //
        // `nodelalloc`, because dockerd syncs the list of images and not the layers: with it, whatever was written
        // before reaches the disk together with the next file that is synced. Otherwise an image that was pulled half
        // a minute before a power cut can be there with empty files in it.
        rustix::mount::mount(
            device.as_path(),
            DATA,
            "ext4",
            MountFlags::NOATIME,
            // The reserve is for nobody by name: by default it is root's, which programs in containers are, too.
            c"errors=remount-ro,nodelalloc,resuid=4294967294",
        )
    })
    .await??;
    Ok(())
}

/// Grows the mounted file system to a disk that has become larger.
pub(super) async fn grow_to(bytes: u64) -> io::Result<()> {
    let device = find()
        .await
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no data disk"))?;
    // The kernel learns of it by an interrupt of its own, which may come after the host's words to us.
    let larger = async {
        while capacity(&device)? < bytes {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    };
    tokio::time::timeout(APPEARS, larger)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the kernel does not see that it is larger"))
        .flatten()?;
    tokio::task::spawn_blocking(move || {
        let block = statvfs(DATA)?.f_bsize;
        say!("growing the data disk to {} MiB", bytes >> 20);
        grow(capacity(&device)? / block)
    })
    .await?
}

fn capacity(device: &Path) -> io::Result<u64> {
    File::open(device)?.seek(SeekFrom::End(0))
}

/// Looks now and then how full the data disk is, and tells the host.
pub(super) async fn watch(guest: std::sync::Arc<Guest>) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Some((free, all)) = room() {
            guest.status.filled(fill(guest.status.fill(), free, all));
        }
    }
}

/// What is free to everybody, and of how much. What is kept for the engine is neither.
fn room() -> Option<(u64, u64)> {
    let disk = statvfs(DATA).ok()?;
    let used = disk.f_blocks.saturating_sub(disk.f_bfree);
    Some((disk.f_bavail, used + disk.f_bavail)).filter(|(_, all)| *all > 0)
}

/// The next level. It goes up at once and down with a distance, so that a disk at a limit is not told of all the time.
fn fill(before: Fill, free: u64, all: u64) -> Fill {
    let used = 100 - free.saturating_mul(100).div_ceil(all).min(100);
    let at = |more: u64| match used + more {
        97.. => Fill::Full,
        90.. => Fill::NearlyFull,
        _ => Fill::Roomy,
    };
    let (up, down) = (at(0), at(2));
    if up > before { up } else { down.min(before) }
}

/// Grows the mounted file system. This is all that resize2fs(8) does with one, and it would have to open the device
/// for writing, which a kernel may refuse while it is mounted.
#[expect(unsafe_code, reason = "there is no safe wrapper for this call")]
fn grow(blocks: u64) -> io::Result<()> {
    /// `EXT4_IOC_RESIZE_FS` of the kernel's fs/ext4/ext4.h.
    const RESIZE: ioctl::Opcode = ioctl::opcode::write::<u64>(b'f', 16);

    let folder = File::open(DATA)?;
    // SAFETY: the call reads one u64, which is what is passed, and writes nothing to our memory.
    unsafe { ioctl::ioctl(folder.file(), ioctl::Setter::<RESIZE, u64>::new(blocks)) }?;
    Ok(())
}

/// Writes to the disk what is not there yet.
pub(super) fn sync() -> io::Result<()> {
    Ok(syncfs(File::open(DATA)?)?)
}

/// Bytes in all and in use; nothing while no disk is mounted.
pub(super) fn usage() -> (u64, u64) {
    let device = |path| stat(path).map(|file| file.st_dev).ok();
    match statvfs(DATA) {
        Ok(disk) if device(DATA) != device("/") => (
            disk.f_blocks * disk.f_frsize,
            disk.f_blocks.saturating_sub(disk.f_bfree) * disk.f_frsize,
        ),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn disk(size: u64) -> io::Result<tempfile::NamedTempFile> {
        let file = tempfile::NamedTempFile::new()?;
        file.as_file().set_len(size)?;
        Ok(file)
    }

    fn mkfs(file: &tempfile::NamedTempFile, label: &str) -> io::Result<bool> {
        let _alone = super::super::children::tests::PROCESSES.blocking_lock();
        let status = Command::new("/sbin/mkfs.ext4")
            .args(["-q", "-F", "-L", label])
            .arg(file.path())
            .status()?;
        Ok(status.success())
    }

    fn change(file: &tempfile::NamedTempFile, offset: u64, bytes: &[u8]) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        file.as_file().write_all_at(bytes, offset)
    }

    #[test]
    fn a_new_disk_is_blank() -> Outcome {
        assert_eq!(look_at(disk(64 << 20)?.path())?, (Contents::Blank, 64 << 20));
        Ok(())
    }

    #[test]
    fn a_real_file_system_of_ours_is_recognized_with_its_size() -> Outcome {
        let file = disk(64 << 20)?;
        assert!(mkfs(&file, LABEL)?);
        file.as_file().set_len(80 << 20)?;
        let ours = Contents::Ours {
            blocks: 65536,
            block: 1024,
            suspect: false,
        };
        assert_eq!(look_at(file.path())?, (ours, 80 << 20));
        Ok(())
    }

    #[test]
    fn what_only_a_check_can_clear_is_suspect() -> Outcome {
        let suspect = Contents::Ours {
            blocks: 65536,
            block: 1024,
            suspect: true,
        };
        // Its state says so, or its checksum does (a byte of the mount count).
        for (offset, byte) in [(0x3A, 0), (0x3A, 3), (0x34, 77)] {
            let file = disk(64 << 20)?;
            assert!(mkfs(&file, LABEL)?);
            change(&file, 1024 + offset, &[byte])?;
            assert_eq!(look_at(file.path())?.0, suspect, "offset {offset:#x}");
        }
        Ok(())
    }

    #[test]
    fn what_is_not_ours_is_foreign() -> Outcome {
        let file = disk(64 << 20)?;
        assert!(mkfs(&file, "photos")?);
        assert_eq!(
            look_at(file.path())?.0,
            Contents::Foreign("The disk holds another file system, named \"photos\".".into())
        );
        let file = disk(64 << 20)?;
        change(&file, 500_000, b"x")?;
        assert!(matches!(look_at(file.path())?.0, Contents::Foreign(_)));
        let file = disk(600)?;
        change(&file, 0, b"x")?;
        assert!(matches!(look_at(file.path())?.0, Contents::Foreign(_)));
        Ok(())
    }

    #[test]
    fn a_level_is_left_only_with_a_distance() {
        let percent = |before, used: u64| fill(before, 1000 - used * 10, 1000);
        assert_eq!(percent(Fill::Roomy, 89), Fill::Roomy);
        assert_eq!(percent(Fill::Roomy, 90), Fill::NearlyFull);
        assert_eq!(percent(Fill::Roomy, 97), Fill::Full);
        assert_eq!(percent(Fill::Full, 96), Fill::Full);
        assert_eq!(percent(Fill::Full, 94), Fill::NearlyFull);
        assert_eq!(percent(Fill::NearlyFull, 88), Fill::NearlyFull);
        assert_eq!(percent(Fill::NearlyFull, 87), Fill::Roomy);
        assert_eq!(percent(Fill::Full, 0), Fill::Roomy);
    }

    #[test]
    fn exit_codes_of_e2fsck() {
        assert_eq!(verdict(Some(0)), Verdict::Clean);
        assert_eq!(verdict(Some(1)), Verdict::Repaired);
        assert_eq!(verdict(Some(4)), Verdict::Corrupt);
        assert_eq!(verdict(Some(8)), Verdict::Corrupt);
        assert_eq!(verdict(None), Verdict::Corrupt);
    }
}
