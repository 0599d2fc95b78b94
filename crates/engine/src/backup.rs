//! Everything a person has in an engine, in one file: volumes, images, networks and containers' settings.
//!
//! Made and brought back through the engine's API alone, so it works with every engine. Nothing is held in memory or
//! written twice. `docs/backup.md` describes the file.

mod archive;
mod helper;
mod restore;
mod save;

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Error;
use archive::Reader;

pub(crate) use helper::OWNER;
pub use restore::{Existing, RestoreReport, RestoreRequest};
pub use save::{BackupReport, BackupRequest};

/// What this Wherry writes and the newest that it reads.
const FORMAT: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("Could not {doing} {}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} is not a backup made by Wherry", .path.display())]
    NotABackup { path: PathBuf },
    /// A backup was to be written over something else.
    #[error("{} is there already and is not a backup", .path.display())]
    NotOurs { path: PathBuf },
    #[error("Another backup is being written to {}", .path.display())]
    Busy { path: PathBuf },
    #[error("{} is damaged: {what}", .path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("{} was made by a newer Wherry", .path.display())]
    Newer { path: PathBuf, format: u32 },
    /// An entry that would leave the volume it belongs to.
    #[error("{} holds a file that would be written outside of its volume: {entry}", .path.display())]
    Outside { path: PathBuf, entry: String },
    /// What a restore would replace without having been told to.
    #[error("{} there already", match .names.as_slice() { [one] => format!("{one} is"), many => format!("{} things are", many.len()) })]
    Exists { names: Vec<String> },
    /// What a restore was told to replace and must not.
    #[error("{volume} is used by {}, which the backup does not have", .by.join(", "))]
    VolumeInUse { volume: String, by: Vec<String> },
    #[error("Could not restore {what}")]
    NotRestored { what: String, source: Box<Error> },
    #[error("It was cancelled")]
    GivenUp,
}

/// What a backup holds. It is its own table of contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackupManifest {
    pub format: u32,
    /// The version of Wherry that made it.
    pub wherry: String,
    /// Unix milliseconds.
    pub made_millis: u64,
    /// The processor of the engine, in its own word: `x86_64`.
    pub architecture: String,
    pub engine: String,
    /// Bytes of volumes and images before compression.
    pub content_bytes: u64,
    pub settings: bool,
    pub networks: Vec<BackupNetwork>,
    pub images: Vec<BackupImage>,
    pub volumes: Vec<BackupVolume>,
    pub containers: Vec<BackupContainer>,
    /// What the person should know of it: things that could not be had whole.
    pub notes: Vec<String>,
    /// All members before the manifest, in order.
    pub members: Vec<BackupMember>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackupMember {
    pub name: String,
    pub size: u64,
    /// Of its bytes in the file, in hexadecimal digits.
    pub sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackupNetwork {
    pub name: String,
    pub member: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackupImage {
    pub id: String,
    pub references: Vec<String>,
    pub size: u64,
    pub architecture: String,
    /// Images with common layers are in one.
    pub member: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackupVolume {
    pub name: String,
    pub driver: String,
    pub labels: BTreeMap<String, String>,
    pub options: BTreeMap<String, String>,
    /// `None` for one whose content is elsewhere: on a server, in a folder of the host.
    pub member: Option<String>,
    pub content_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackupContainer {
    pub name: String,
    pub image: String,
    pub running: bool,
    pub member: String,
}

/// How far a backup, a check or a restore is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupStep {
    /// "Volume pgdata"
    pub doing: String,
    pub done_bytes: u64,
    /// As far as it is known.
    pub total_bytes: u64,
}

pub type BackupProgress = Arc<dyn Fn(BackupStep) + Send + Sync>;

/// Counts bytes for whoever wants to know. Its copies count together.
#[derive(Clone)]
struct Counter {
    tell: BackupProgress,
    /// Locked to add and to copy.
    step: Arc<Mutex<BackupStep>>,
}

impl Counter {
    fn new(tell: &BackupProgress, total_bytes: u64) -> Counter {
        Counter {
            tell: tell.clone(),
            step: Arc::new(Mutex::new(BackupStep {
                total_bytes,
                ..BackupStep::default()
            })),
        }
    }

    fn doing(&self, doing: impl Into<String>) {
        self.change(|step| step.doing = doing.into());
    }

    fn add(&self, bytes: u64) {
        self.change(|step| {
            step.done_bytes += bytes;
            step.total_bytes = step.total_bytes.max(step.done_bytes);
        });
    }

    fn change(&self, change: impl FnOnce(&mut BackupStep)) {
        let step = {
            let mut step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut step);
            step.clone()
        };
        (self.tell)(step);
    }
}

/// What is in a backup. Reads the table of contents only.
pub async fn backup_contents(file: &Path) -> Result<BackupManifest, Error> {
    let file = file.to_owned();
    in_background(move || Ok(Reader::open(&file)?.contents()?.0)).await
}

/// Reads all of a backup: whether it is what was written, can be unpacked, and stays where it belongs.
pub async fn verify_backup(file: &Path, tell: BackupProgress) -> Result<BackupManifest, Error> {
    let file = file.to_owned();
    // Dropping the future does not end a blocking task; the counter does.
    let wanted = Arc::new(());
    let here = Arc::downgrade(&wanted);
    let tell: BackupProgress = Arc::new(move |step| {
        if here.strong_count() > 0 {
            tell(step);
        }
    });
    let weak = Arc::downgrade(&wanted);
    let verified = in_background(move || verify(&file, &tell, &|| weak.strong_count() > 0)).await;
    drop(wanted);
    verified
}

fn verify(path: &Path, tell: &BackupProgress, wanted: &dyn Fn() -> bool) -> Result<BackupManifest, BackupError> {
    let mut reader = Reader::open(path)?;
    let (manifest, members) = reader.contents()?;
    let counter = Counter::new(tell, members.iter().map(|member| member.size).sum());
    let volumes: HashSet<&str> = manifest
        .volumes
        .iter()
        .filter_map(|volume| volume.member.as_deref())
        .collect();
    for (found, said) in members.iter().zip(&manifest.members) {
        if !wanted() {
            return Err(BackupError::GivenUp);
        }
        counter.doing(format!("Checking {}", found.name));
        let checked = reader.checked(found, said, |content| {
            let passing = Counted {
                inner: content,
                counter: &counter,
                wanted,
            };
            if Path::new(&found.name).extension().is_some_and(|ending| ending == "zst") {
                look_into(path, passing, volumes.contains(found.name.as_str()))
            } else {
                Ok(())
            }
        });
        // However it was told on its way here.
        checked.map_err(|error| if wanted() { error } else { BackupError::GivenUp })?;
    }
    let named = |member: &str| manifest.members.iter().any(|found| found.name == member);
    let all_there = manifest.networks.iter().all(|network| named(&network.member))
        && manifest.images.iter().all(|image| named(&image.member))
        && manifest
            .volumes
            .iter()
            .filter_map(|volume| volume.member.as_deref())
            .all(named)
        && manifest.containers.iter().all(|container| named(&container.member))
        && (!manifest.settings || named(SETTINGS));
    if !all_there {
        return Err(BackupError::Damaged {
            path: path.to_owned(),
            what: "the manifest names what is not there".into(),
        });
    }
    Ok(manifest)
}

const SETTINGS: &str = "settings.json";

struct Counted<'a> {
    inner: &'a mut dyn Read,
    counter: &'a Counter,
    wanted: &'a dyn Fn() -> bool,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !(self.wanted)() {
            return Err(io::Error::other(BackupError::GivenUp));
        }
        let read = self.inner.read(buffer)?;
        self.counter.add(read as u64);
        Ok(read)
    }
}

/// Unpacks a tar into nothing. The paths of a volume's must lead nowhere else: no root, no `..`, nothing behind a
/// link. (The engine unpacks below a root of its own as well; a file that tries is refused whole.)
fn look_into(path: &Path, content: impl Read, is_volume: bool) -> Result<(), BackupError> {
    let unreadable = |error: io::Error| match error.downcast::<BackupError>() {
        Ok(ours) => ours,
        Err(error) => BackupError::Damaged {
            path: path.to_owned(),
            what: error.to_string(),
        },
    };
    let decoder = zstd::Decoder::new(content).map_err(unreadable)?;
    let mut tar = tar::Archive::new(decoder);
    let mut links: HashSet<PathBuf> = HashSet::new();
    for entry in tar.entries().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.path().map_err(unreadable)?.into_owned();
        let outside = || BackupError::Outside {
            path: path.to_owned(),
            entry: name.display().to_string(),
        };
        let inside = |name: &Path| -> Option<PathBuf> {
            let mut clean = PathBuf::new();
            for component in name.components() {
                match component {
                    Component::Normal(part) => clean.push(part),
                    Component::CurDir => {}
                    Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
                }
            }
            Some(clean)
        };
        let clean = inside(&name).ok_or_else(outside)?;
        if !is_volume {
            continue;
        }
        if !clean.starts_with(helper::VOLUME.trim_start_matches('/')) {
            return Err(outside());
        }
        let through = |clean: &Path| clean.ancestors().skip(1).any(|above| links.contains(above));
        if through(&clean) {
            return Err(outside());
        }
        if entry.header().entry_type().is_hard_link() {
            let target = entry.link_name().map_err(unreadable)?.ok_or_else(outside)?;
            let target = inside(&target).ok_or_else(outside)?;
            if through(&target) {
                return Err(outside());
            }
        }
        // What replaces a link is none.
        if entry.header().entry_type().is_symlink() {
            links.insert(clean);
        } else {
            links.remove(&clean);
        }
    }
    // The rest of the stream belongs to its checksum.
    io::copy(&mut tar.into_inner(), &mut io::sink())
        .map(drop)
        .map_err(unreadable)
}

/// Files are read where waiting for them holds up nobody.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Error::Backup),
        Err(error) => Err(Error::Garbled { source: error.into() }),
    }
}

/// The name of a member for this thing, which a person finds by its name where a tar can have it.
fn member_name(folder: &str, name: &str, number: usize, ending: &str) -> String {
    // The name in a tar's header has 100 bytes.
    if crate::name::is_container_name(name) && name.len() <= 80 {
        format!("{folder}/{name}.{ending}")
    } else {
        format!("{folder}/_{number}.{ending}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::archive::{Piece, Writer};
    use super::*;

    fn manifest(volume: &str) -> BackupManifest {
        BackupManifest {
            format: FORMAT,
            wherry: "0.1.0".into(),
            made_millis: 0,
            architecture: "x86_64".into(),
            engine: "Docker 1".into(),
            content_bytes: 0,
            settings: true,
            networks: Vec::new(),
            images: Vec::new(),
            volumes: vec![BackupVolume {
                name: "data".into(),
                driver: "local".into(),
                labels: BTreeMap::new(),
                options: BTreeMap::new(),
                member: Some(volume.into()),
                content_bytes: 0,
            }],
            containers: Vec::new(),
            notes: Vec::new(),
            members: Vec::new(),
        }
    }

    /// A volume's tar with these entries: type, path, target of a link.
    fn tar_of(entries: &[(tar::EntryType, &str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, path, target) in entries {
            let mut header = tar::Header::new_gnu();
            // Past the crate's own checks: this is what somebody else wrote.
            let fields = header.as_gnu_mut().expect("a header of that kind");
            fields.name[..path.len()].copy_from_slice(path.as_bytes());
            fields.linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_size(0);
            header.set_cksum();
            bytes.extend_from_slice(header.as_bytes());
        }
        bytes.extend_from_slice(&[0; 1024]);
        bytes
    }

    fn write(path: &Path, volume: &[u8]) -> Result<u64, BackupError> {
        let mut writer = Writer::create(path)?;
        writer.whole(SETTINGS, b"{}")?;
        let (sender, pieces) = mpsc::channel(4);
        for piece in [Piece::Data(volume.to_vec().into()), Piece::End] {
            sender.try_send(piece).unwrap_or_else(|_| panic!("there is room"));
        }
        writer.compressed("volumes/data.tar.zst", pieces)?;
        writer.finish(&mut manifest("volumes/data.tar.zst"))
    }

    fn check(path: &Path) -> Result<BackupManifest, BackupError> {
        let tell: BackupProgress = Arc::new(|_| ());
        verify(path, &tell, &|| true)
    }

    fn ordinary() -> Vec<u8> {
        tar_of(&[
            (tar::EntryType::Directory, "volume/", ""),
            (tar::EntryType::Regular, "volume/file", ""),
            (tar::EntryType::Link, "volume/again", "volume/file"),
            (tar::EntryType::Symlink, "volume/away", "../../etc"),
        ])
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("backup.tar");
        write(&path, &ordinary()).expect("written");
        check(&path).expect("whole");
        let whole = fs_err::read(&path)?;
        let other = folder.path().join("other.tar");
        // Each byte of a stretch of blocks that has every kind of block in it, and a part of the rest.
        for at in (0..whole.len()).step_by(5) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs_err::write(&other, bytes)?;
            assert!(check(&other).is_err(), "byte {at} of {}", whole.len());
        }
        Ok(())
    }

    #[test]
    fn a_file_that_is_too_short_or_too_long_is_found() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("backup.tar");
        write(&path, &ordinary()).expect("written");
        let whole = fs_err::read(&path)?;
        let other = folder.path().join("other.tar");
        let ends = (0..whole.len()).step_by(512).flat_map(|end| [end, end + 1, end + 511]);
        for end in ends {
            fs_err::write(&other, &whole[..end])?;
            assert!(check(&other).is_err(), "{end} of {}", whole.len());
        }
        for more in [&[0][..], &[0; 512], b"more"] {
            fs_err::write(&other, [&whole, more].concat())?;
            assert!(check(&other).is_err());
        }
        Ok(())
    }

    #[test]
    fn what_would_leave_its_volume_is_refused() -> io::Result<()> {
        use tar::EntryType::{Link, Regular, Symlink};
        let folder = tempfile::tempdir()?;
        for entries in [
            &[(Regular, "/etc/passwd", "")][..],
            &[(Regular, "volume/../../etc/passwd", "")],
            &[(Regular, "volume/..", "")],
            &[(Regular, "elsewhere", "")],
            &[(Regular, "volumes/file", "")],
            &[(Symlink, "volume/a", "/etc"), (Regular, "volume/a/passwd", "")],
            &[(Symlink, "volume", "/etc"), (Regular, "volume/passwd", "")],
            &[(Symlink, "./volume//a/.", "/etc"), (Regular, "volume/./a/b/c", "")],
            &[(Link, "volume/a", "../../etc/passwd")],
            &[(Link, "volume/a", "/etc/passwd")],
            &[(Symlink, "volume/a", "/etc"), (Link, "volume/b", "volume/a/passwd")],
        ] {
            let path = folder.path().join("backup.tar");
            write(&path, &tar_of(entries)).expect("written");
            assert!(matches!(check(&path), Err(BackupError::Outside { .. })), "{entries:?}");
        }
        Ok(())
    }

    #[test]
    fn what_is_given_up_leaves_what_was_there() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("backup.tar");
        write(&path, &ordinary()).expect("written");
        let before = fs_err::read(&path)?;
        let mut writer = Writer::create(&path).expect("begun");
        assert!(matches!(Writer::create(&path), Err(BackupError::Busy { .. })));
        let (sender, pieces) = mpsc::channel(4);
        sender
            .try_send(Piece::Data(vec![1; 1000].into()))
            .unwrap_or_else(|_| panic!("there is room"));
        drop(sender);
        assert!(writer.compressed("volumes/data.tar.zst", pieces).is_err());
        drop(writer);
        assert_eq!(fs_err::read(&path)?, before);
        assert_eq!(fs_err::read_dir(folder.path())?.count(), 1);
        // What a killed process left is in nobody's way.
        fs_err::write(folder.path().join(".backup.tar.part"), vec![7; 100_000])?;
        write(&path, &ordinary()).expect("written over");
        check(&path).expect("whole");
        assert_eq!(fs_err::read_dir(folder.path())?.count(), 1);
        Ok(())
    }

    #[test]
    fn a_newer_format_is_told_from_damage() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("backup.tar");
        let writer = Writer::create(&path).expect("begun");
        let newer = BackupManifest {
            format: FORMAT + 1,
            ..manifest("x")
        };
        writer.finish(&mut newer.clone()).expect("written");
        assert!(matches!(check(&path), Err(BackupError::Newer { .. })));
        let other = folder.path().join("other.tar");
        fs_err::write(&other, vec![0; 4096])?;
        assert!(matches!(check(&other), Err(BackupError::NotABackup { .. })));
        assert!(matches!(Writer::create(&other), Err(BackupError::NotOurs { .. })));
        Ok(())
    }

    proptest! {
        #[test]
        fn any_file_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("backup.tar");
            fs_err::write(&path, bytes).expect("written");
            prop_assert!(check(&path).is_err());
        }
    }
}
