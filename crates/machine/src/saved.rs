//! The saved memory of a suspended machine: one file, used at most once.
//!
//! A file under its final name means that nothing has run on the data disk since that memory was saved. So it gets the
//! name only when it is whole and the machine stands still, and loses it before a machine made from it takes its first
//! step ([`Saved::spend`]). What does not fit is set aside under a name that the person is told.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::control::RELEASE;
use crate::record::Ready;
use crate::subnet::Plan;
use crate::{Home, Spec, file, system};

/// Where the memory begins in the file; before it stands what it is of.
pub(crate) const MEMORY_AT: u64 = 64 << 10;

const MAGIC: &str = "wherry saved machine 1";

/// How much is read at once for the checksum, and left out where it is zero.
const PIECE: usize = 256 << 10;

/// What the memory is of. A machine can go on only as exactly this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Saved {
    /// The Wherry that saved it.
    pub(crate) release: String,
    /// What the backend and the system image were made of.
    pub(crate) fingerprint: String,
    /// QEMU's version, for people.
    pub(crate) backend_version: String,
    pub(crate) backend: String,
    pub(crate) accelerator: String,
    pub(crate) spec: Spec,
    /// The guest has its addresses in memory, so it keeps them.
    pub(crate) network: Plan,
    /// As in its record.
    #[serde(default)]
    pub(crate) own_folders: Option<Vec<PathBuf>>,
    /// The guest's, which it keeps.
    pub(crate) boot_id: String,
    pub(crate) ready: Option<Ready>,
    pub(crate) data_disk: DiskState,
    /// Unix milliseconds.
    pub(crate) since_millis: u64,
    /// Whether the first request at the engine's socket wakes it.
    pub(crate) wakes: bool,
    pub(crate) memory: Memory,
}

/// What stands in the file after its head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    /// With its holes: as large as the machine's memory or larger.
    length: u64,
    /// What is not zero, in whole pieces.
    pub(crate) bytes: u64,
    /// CRC-32 of the pieces that are not zero, each after its place.
    sum: u32,
}

/// The data disk when the machine stood still. Another one, or one that was written to since, does not go with the
/// memory: the file system that the guest knows would not be the one on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiskState {
    bytes: u64,
    modified_nanos: u64,
}

impl DiskState {
    pub(crate) fn of(disk: &Path) -> io::Result<Self> {
        let metadata = fs_err::metadata(disk)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            bytes: metadata.len(),
            modified_nanos: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
        })
    }
}

/// What there is in a home.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    Memory(Box<Saved>),
    /// There is a file, and this is what is wrong with it.
    Unusable(String),
}

/// Where the memory is written until it is whole. Made here, so that it is nobody else's from the first byte on.
pub(crate) fn begin(home: &Home) -> io::Result<PathBuf> {
    let path = home.saved_unfinished();
    file::remove(&path)?;
    system::create_private_file(&path)?;
    Ok(path)
}

impl Saved {
    /// Completes the file with what it is of and gives it its name. From here on it is what the machine is made from.
    pub(crate) fn seal(mut self, home: &Home) -> io::Result<Self> {
        let path = home.saved_unfinished();
        let mut whole = fs_err::OpenOptions::new().read(true).write(true).open(&path)?;
        self.memory = Memory::of(&mut whole)?;
        let about = serde_json::to_string(&self)?;
        let head = format!("{MAGIC}\n{:08x}\n{about}\n", crc32fast::hash(about.as_bytes()));
        if head.len() as u64 > MEMORY_AT {
            return Err(io::Error::other("what is to be written about the machine is too long"));
        }
        whole.seek(SeekFrom::Start(0))?;
        whole.write_all(head.as_bytes())?;
        whole.sync_all()?;
        drop(whole);
        fs_err::rename(&path, home.saved())?;
        system::sync_folder(&home.machine())?;
        Ok(self)
    }

    /// Looks what is saved in this home, without reading the memory.
    pub(crate) fn find(home: &Home) -> Found {
        match read_head(&home.saved()) {
            Ok(saved) => Found::Memory(Box::new(saved)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
            Err(error) => Found::Unusable(error.to_string()),
        }
    }

    /// Why a machine with this backend cannot go on from it here and now; the memory itself is not looked at.
    pub(crate) fn misfit(&self, home: &Home, fingerprint: &str) -> Option<String> {
        if self.release != RELEASE {
            return Some(format!("it is of Wherry {}, this is {RELEASE}", self.release));
        }
        if self.fingerprint != fingerprint {
            return Some("QEMU or the machine's system has changed since".into());
        }
        match DiskState::of(&home.data_disk()) {
            Ok(disk) if disk == self.data_disk => None,
            Ok(_) => Some("the data disk has changed since".into()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Reads all of the memory. The answer says what is wrong with it.
    pub(crate) fn verify(&self, home: &Home) -> Option<String> {
        let found = fs_err::File::open(home.saved()).and_then(|mut file| Memory::of(&mut file));
        match found {
            Ok(found) if found.length != self.memory.length => Some(format!(
                "it has {} bytes of memory instead of {}",
                found.length, self.memory.length
            )),
            Ok(found) if found != self.memory => Some("its checksum is wrong".into()),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }

    /// Takes its name away. From here on only the machine that has loaded it may go on from it.
    pub(crate) fn spend(home: &Home) -> io::Result<()> {
        fs_err::rename(home.saved(), home.saved_spent())?;
        system::sync_folder(&home.machine())
    }
}

/// Keeps memory that cannot be used beside its place, instead of any that was kept so before: it is large.
pub(crate) fn set_aside(home: &Home, why: &str) -> String {
    if let Err(error) = remove_set_aside(home) {
        tracing::warn!(%error, "older memory that could not be used stays");
    }
    match file::set_aside(&home.saved()) {
        Ok(aside) => format!(
            "The machine was started anew, because what it had in memory could not be used: {why}. That is kept as {}.",
            aside.display()
        ),
        // It must not stay under its name, whatever that costs.
        Err(error) => {
            let removed = file::remove(&home.saved());
            tracing::warn!(%error, ?removed, "unusable memory could not be kept");
            format!("The machine was started anew, because what it had in memory could not be used: {why}.")
        }
    }
}

fn remove_set_aside(home: &Home) -> io::Result<()> {
    let saved = home.saved();
    let name = saved.file_name().unwrap_or_default().to_string_lossy();
    let kept = format!("{name}.bad-");
    match fs_err::read_dir(home.machine()) {
        Ok(entries) => entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&kept))
            .try_for_each(|entry| file::remove(&entry.path())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes all that was ever kept of a machine's memory.
pub(crate) fn remove(home: &Home) -> io::Result<()> {
    remove_set_aside(home)?;
    [home.saved_unfinished(), home.saved_spent(), home.saved()]
        .iter()
        .try_for_each(|path| file::remove(path))
}

/// Removes what an interrupted suspension or resumption left. It is of no use: not whole, or used already.
pub(crate) fn clear_leftovers(home: &Home) {
    for leftover in [home.saved_unfinished(), home.saved_spent()] {
        if let Err(error) = file::remove(&leftover) {
            tracing::warn!(%error, "a leftover of the machine's memory stays");
        }
    }
}

fn read_head(path: &Path) -> io::Result<Saved> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{} {what}", path.display()));
    let mut head = Vec::new();
    fs_err::File::open(path)?.take(MEMORY_AT).read_to_end(&mut head)?;
    let text = head.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_| bad("does not begin as it should"))?;
    let mut lines = text.lines();
    if lines.next() != Some(MAGIC) {
        return Err(bad("does not begin as it should"));
    }
    let stated = lines.next().and_then(|sum| u32::from_str_radix(sum, 16).ok());
    let about = lines.next().unwrap_or_default();
    if stated != Some(crc32fast::hash(about.as_bytes())) {
        return Err(bad("has a wrong checksum at its beginning"));
    }
    serde_json::from_str(about).map_err(|error| bad(&format!("is not understood: {error}")))
}

impl Memory {
    /// Reads it. What is zero is left out, whether it stands in the file or is a hole.
    fn of(file: &mut fs_err::File) -> io::Result<Self> {
        let length = file.metadata()?.len().saturating_sub(MEMORY_AT);
        let (mut bytes, mut sum) = (0, crc32fast::Hasher::new());
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < length {
            let Some(data) = system::next_data(file, MEMORY_AT + at)? else {
                break;
            };
            at = (data - MEMORY_AT) / PIECE as u64 * PIECE as u64;
            let whole = usize::try_from(length - at).map_or(PIECE, |rest| rest.min(PIECE));
            let piece = &mut piece[..whole];
            file.seek(SeekFrom::Start(MEMORY_AT + at))?;
            file.read_exact(piece)?;
            if piece.iter().any(|byte| *byte != 0) {
                sum.update(&at.to_le_bytes());
                sum.update(piece);
                bytes += piece.len() as u64;
            }
            at += piece.len() as u64;
        }
        Ok(Self {
            length,
            bytes,
            sum: sum.finalize(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Accelerator;

    fn home() -> io::Result<(tempfile::TempDir, Home)> {
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path());
        home.create()?;
        fs_err::write(home.data_disk(), "disk")?;
        Ok((folder, home))
    }

    fn saved(home: &Home) -> io::Result<Saved> {
        let path = begin(home)?;
        let mut file = fs_err::OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(MEMORY_AT))?;
        file.write_all(&vec![7; 3 << 20])?;
        Saved {
            release: RELEASE.into(),
            fingerprint: "qemu 1".into(),
            backend_version: "10.0.2".into(),
            backend: "qemu".into(),
            accelerator: "tcg".into(),
            spec: Spec {
                cpus: 1,
                memory_mib: 512,
                disk_gib: 2,
                accelerator: Accelerator::Auto,
            },
            network: Plan::imagined(),
            own_folders: None,
            boot_id: "boot".into(),
            ready: None,
            data_disk: DiskState::of(&home.data_disk())?,
            since_millis: 1,
            wakes: true,
            memory: Memory::default(),
        }
        .seal(home)
    }

    fn found(home: &Home) -> Saved {
        match Saved::find(home) {
            Found::Memory(saved) => *saved,
            other => panic!("it is {other:?}"),
        }
    }

    #[test]
    fn what_is_sealed_is_found_whole_and_only_its_owner_may_read_it() -> io::Result<()> {
        let (_folder, home) = home()?;
        assert!(matches!(Saved::find(&home), Found::Nothing));
        let sealed = saved(&home)?;
        assert_eq!(found(&home), sealed);
        assert_eq!(sealed.memory.bytes, 3 << 20);
        assert_eq!(sealed.misfit(&home, "qemu 1"), None);
        assert_eq!(sealed.verify(&home), None);
        assert!(!home.saved_unfinished().exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs_err::metadata(home.saved())?.permissions().mode() & 0o777, 0o600);
        }
        Ok(())
    }

    #[test]
    fn what_is_zero_is_a_hole_or_not_and_a_bit_in_it_is_seen() -> io::Result<()> {
        let (_folder, home) = home()?;
        let sealed = saved(&home)?;
        let (zeros, end) = (MEMORY_AT + (3 << 20), MEMORY_AT + (64 << 20));
        let mut file = fs_err::OpenOptions::new().read(true).write(true).open(home.saved())?;
        file.set_len(end)?;
        let with_hole = Memory::of(&mut file)?;
        assert_eq!((with_hole.bytes, with_hole.length), (3 << 20, 64 << 20));
        assert_eq!(with_hole.sum, sealed.memory.sum);
        file.seek(SeekFrom::Start(zeros))?;
        file.write_all(&vec![0; 2 << 20])?;
        assert_eq!(Memory::of(&mut file)?, with_hole, "zeros are as a hole");
        for at in [zeros, zeros + 40_000_003, end - 1] {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&[4])?;
            assert_ne!(Memory::of(&mut file)?.sum, with_hole.sum, "byte {at}");
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&[0])?;
        }
        assert_eq!(Memory::of(&mut file)?, with_hole);
        Ok(())
    }

    #[test]
    fn a_flipped_bit_anywhere_is_seen() -> io::Result<()> {
        let (_folder, home) = home()?;
        let sealed = saved(&home)?;
        let whole = fs_err::read(home.saved())?;
        for at in [0, 30, 60, 200, 64 << 10, (64 << 10) + 1_234_567, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs_err::write(home.saved(), &flipped)?;
            match Saved::find(&home) {
                Found::Memory(saved) => assert!(at >= 64 << 10 && saved.verify(&home).is_some(), "byte {at}"),
                Found::Unusable(_) => assert!(at < 64 << 10, "byte {at}"),
                Found::Nothing => panic!("it is there"),
            }
        }
        fs_err::write(home.saved(), &whole)?;
        assert_eq!(sealed.verify(&home), None);
        Ok(())
    }

    #[test]
    fn a_truncated_file_is_seen() -> io::Result<()> {
        let (_folder, home) = home()?;
        saved(&home)?;
        let whole = fs_err::read(home.saved())?;
        for length in [0, 10, 100, 64 << 10, whole.len() - 1] {
            fs_err::write(home.saved(), &whole[..length])?;
            let usable = match Saved::find(&home) {
                Found::Memory(saved) => saved.verify(&home).is_none(),
                Found::Unusable(_) => false,
                Found::Nothing => panic!("it is there"),
            };
            assert!(!usable, "{length} bytes");
        }
        Ok(())
    }

    #[test]
    fn it_goes_with_one_wherry_one_qemu_and_one_state_of_the_disk() -> io::Result<()> {
        let (_folder, home) = home()?;
        let sealed = saved(&home)?;
        assert!(sealed.misfit(&home, "qemu 2").is_some_and(|why| why.contains("QEMU")));
        let other = Saved {
            release: "0.0.1".into(),
            ..sealed.clone()
        };
        assert!(other.misfit(&home, "qemu 1").is_some_and(|why| why.contains("0.0.1")));
        fs_err::write(home.data_disk(), "another disk")?;
        assert!(
            sealed
                .misfit(&home, "qemu 1")
                .is_some_and(|why| why.contains("data disk"))
        );
        Ok(())
    }

    #[test]
    fn what_is_spent_cannot_be_found_again_and_one_that_was_set_aside_is_kept() -> io::Result<()> {
        let (_folder, home) = home()?;
        saved(&home)?;
        Saved::spend(&home)?;
        assert!(matches!(Saved::find(&home), Found::Nothing));
        clear_leftovers(&home);
        assert!(!home.saved_spent().exists());

        let mut kept = Vec::new();
        for why in ["the first", "the second"] {
            saved(&home)?;
            let note = set_aside(&home, why);
            assert!(note.contains(why), "{note}");
            kept = fs_err::read_dir(home.machine())?
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .filter(|path| path.to_string_lossy().contains(".bad-"))
                .collect();
            assert_eq!(kept.len(), 1, "only one is kept");
            assert!(note.contains(&*kept[0].to_string_lossy()), "{note}");
        }
        assert!(matches!(Saved::find(&home), Found::Nothing));
        assert_eq!(fs_err::metadata(&kept[0])?.len(), (64 << 10) + (3 << 20));
        Ok(())
    }
}
