//! What is in a folder of a container, and what of it is not as the image has it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use tokio_util::io::SyncIoBridge;

use super::{ARCHIVE_TIME, FileChange, FileEntry, FileKind, FileOwner, LISTING};
use crate::error::Subject;
use crate::transport::Call;
use crate::{Engine, Error, name, wire};

/// More entries of one folder are not shown: nobody reads them, and the window would stand still.
const MOST_ENTRIES: usize = 10_000;

/// How much of a folder is read to list a container that does not run.
const ARCHIVE: u64 = 2 << 30;

impl Engine {
    /// `None` when the container has no programs for it.
    pub(super) async fn list_by_program(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<(FileOwner, Vec<FileEntry>, bool)>, Error> {
        // A word that no name can have foreseen begins each entry, for names may contain line ends.
        let word = format!("{:016x}", rand::random::<u64>());
        let script = format!("cd -- \"$0\" && find . -maxdepth 1 -exec stat -c '{word}|%f|%s|%Y|%u|%g|%n' {{}} +");
        let output = match self
            .output(container, &["sh", "-c", &script, path], Some("0"), LISTING)
            .await
        {
            Ok(output) => output,
            Err(Error::Refused { .. } | Error::InUse { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let mut owner = None;
        let mut entries = Vec::new();
        for record in text.split(&format!("{word}|")).skip(1) {
            let Some((entry, name)) = read_record(record) else {
                continue;
            };
            if name == "." {
                owner = Some(entry.owner);
            } else {
                entries.push(entry);
            }
        }
        let Some(owner) = owner else { return Ok(None) };
        let cut = output.cut || entries.len() > MOST_ENTRIES;
        entries.truncate(MOST_ENTRIES);
        Ok(Some((owner, entries, cut)))
    }

    pub(super) async fn list_by_archive(
        &self,
        container: &str,
        path: &str,
    ) -> Result<(FileOwner, Vec<FileEntry>, bool), Error> {
        let reader = SyncIoBridge::new(Box::pin(self.archive(container, path).await?));
        let read = tokio::task::spawn_blocking(move || list_archive(reader));
        match tokio::time::timeout(ARCHIVE_TIME, read).await {
            Ok(Ok(listed)) => listed.map_err(|source| Error::Files { source }),
            Ok(Err(broken)) => Err(Error::Garbled { source: broken.into() }),
            Err(_) => Err(Error::Silent {
                doing: "list the folder",
                after: ARCHIVE_TIME,
            }),
        }
    }

    pub(super) async fn mark_changes(
        &self,
        container: &str,
        folder: &str,
        entries: &mut Vec<FileEntry>,
    ) -> Result<(), Error> {
        let path = format!("/containers/{}/changes", name::container(container)?);
        let call = Call::get(path, Subject::Container(container), "compare with the image");
        let changes: Option<Vec<wire::PathChange>> = match self.client().await?.value(call).await {
            Ok(changes) => changes,
            // Marks are an extra; some storage drivers cannot tell.
            Err(Error::Refused { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut here: BTreeMap<&str, FileChange> = BTreeMap::new();
        let changes = changes.unwrap_or_default();
        let before = if folder == "/" {
            "/".to_owned()
        } else {
            format!("{folder}/")
        };
        for change in &changes {
            let Some(name) = change.path.strip_prefix(&before).filter(|name| !name.contains('/')) else {
                continue;
            };
            let kind = match change.kind {
                1 => FileChange::Added,
                2 => FileChange::Deleted,
                _ => FileChange::Changed,
            };
            here.insert(name, kind);
        }
        for entry in entries.iter_mut() {
            entry.change = here.remove(entry.name.as_str());
        }
        let gone = here.into_iter().filter(|(_, change)| *change == FileChange::Deleted);
        entries.extend(gone.map(|(name, change)| FileEntry {
            name: name.to_owned(),
            kind: FileKind::File,
            size: 0,
            modified: 0,
            mode: 0,
            owner: FileOwner::default(),
            change: Some(change),
            shared: None,
        }));
        Ok(())
    }
}

pub(super) fn what_is_shared(mount: &wire::Mount) -> String {
    match mount.kind.as_str() {
        "volume" => format!("volume {}", mount.name),
        "bind" => mount.source.clone(),
        kind => kind.to_owned(),
    }
}

/// `mode in hexadecimal|size|modified|user|group|./name`
fn read_record(record: &str) -> Option<(FileEntry, &str)> {
    let record = record.strip_suffix('\n').unwrap_or(record);
    let mut fields = record.splitn(6, '|');
    let mode = u32::from_str_radix(fields.next()?, 16).ok()?;
    let size = fields.next()?.parse().ok()?;
    let modified = fields.next()?.parse().ok()?;
    let user = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let name = fields.next()?;
    let name = name.strip_prefix("./").unwrap_or(name);
    // See inode(7).
    let kind = match mode & 0o170_000 {
        0o040_000 => FileKind::Folder,
        0o100_000 => FileKind::File,
        0o120_000 => FileKind::Link,
        _ => FileKind::Other,
    };
    let entry = FileEntry {
        name: name.to_owned(),
        kind,
        size,
        modified,
        mode: mode & 0o7777,
        owner: FileOwner { user, group },
        change: None,
        shared: None,
    };
    Some((entry, name))
}

/// The entries right under the folder that the archive is of.
fn list_archive(reader: impl io::Read) -> io::Result<(FileOwner, Vec<FileEntry>, bool)> {
    let mut archive = tar::Archive::new(io::Read::take(reader, ARCHIVE));
    let mut owner = FileOwner::default();
    let mut entries = Vec::new();
    let mut cut = false;
    for entry in archive.entries()? {
        let Ok(entry) = entry else {
            // The bound was reached in the middle of something.
            cut = true;
            break;
        };
        let header = entry.header();
        let path = entry.path_bytes();
        let path = String::from_utf8_lossy(&path).into_owned();
        let parts: Vec<&str> = Path::new(&path)
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => name.to_str(),
                Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
            })
            .collect();
        let who = FileOwner {
            user: u32::try_from(header.uid()?).unwrap_or_default(),
            group: u32::try_from(header.gid()?).unwrap_or_default(),
        };
        // The archive of `/` begins with `/`, every other one with the folder's own name.
        let name = match (parts.as_slice(), path.starts_with('/')) {
            ([], _) | ([_], false) => {
                owner = who;
                continue;
            }
            ([name], true) | ([_, name], false) => *name,
            _ => continue,
        };
        let kind = match header.entry_type() {
            tar::EntryType::Directory => FileKind::Folder,
            tar::EntryType::Regular | tar::EntryType::Link | tar::EntryType::GNUSparse => FileKind::File,
            tar::EntryType::Symlink => FileKind::Link,
            _ => FileKind::Other,
        };
        entries.push(FileEntry {
            name: name.to_owned(),
            kind,
            size: header.size()?,
            modified: i64::try_from(header.mtime()?).unwrap_or_default(),
            mode: header.mode()? & 0o7777,
            owner: who,
            change: None,
            shared: None,
        });
        if entries.len() >= MOST_ENTRIES {
            cut = true;
            break;
        }
    }
    Ok((owner, entries, cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_whatever_a_name_contains() {
        let (entry, name) = read_record("41ed|4096|1700000000|0|5|./a|b\nc\n").expect("a record");
        assert_eq!(name, "a|b\nc");
        assert_eq!(
            (entry.kind, entry.mode, entry.owner.group),
            (FileKind::Folder, 0o755, 5)
        );
        assert!(read_record("what?").is_none());
    }

    #[test]
    fn an_archive_is_listed_one_level_deep_and_its_tricks_are_left_out() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |path: &str, kind: tar::EntryType, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o640);
            header.set_uid(7);
            header.set_gid(8);
            header.set_mtime(9);
            // Not through `set_path`, which refuses what a hostile archive may have.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, content).expect("added");
        };
        add("app/", tar::EntryType::Directory, b"");
        add("app/../../etc/passwd", tar::EntryType::Regular, b"x");
        add("app/main.py", tar::EntryType::Regular, b"print()");
        add("app/lib/", tar::EntryType::Directory, b"");
        add("app/lib/deep.py", tar::EntryType::Regular, b"");
        let archive = builder.into_inner().expect("an archive");
        let (owner, entries, cut) = list_archive(archive.as_slice()).expect("a list");
        assert_eq!((owner, cut), (FileOwner { user: 7, group: 8 }, false));
        let names: Vec<(&str, FileKind)> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
        assert_eq!(names, [("main.py", FileKind::File), ("lib", FileKind::Folder)]);
    }
}
