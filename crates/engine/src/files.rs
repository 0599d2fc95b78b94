//! The files of a container: of one that runs through a program of its own, of any other through the engine's
//! archives, which give a folder only with all that is under it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http_body_util::BodyDataStream;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;
use tokio_util::io::{StreamReader, SyncIoBridge};
use ts_rs::TS;

use crate::error::{Reply, Subject};
use crate::transport::{CHANGE, Call};
use crate::{Engine, Error, name, wire};

/// More entries of one folder are not shown: nobody reads them, and the window would stand still.
const MOST_ENTRIES: usize = 10_000;

/// What a listing program may print.
const LISTING: usize = 4 << 20;

/// How much of a folder is read to list a container that does not run, and for how long.
const ARCHIVE: u64 = 2 << 30;
const ARCHIVE_TIME: Duration = Duration::from_secs(20);

/// What is shown and edited as text.
const LONGEST_TEXT: u64 = 1 << 20;

/// What Go, in which engines are written, says of a folder.
const GO_FOLDER: u32 = 1 << 31;

/// More links in a row lead in a circle.
const MOST_LINKS: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileList {
    /// Whole, without links at its end.
    pub path: String,
    /// Folders first, then by name.
    pub entries: Vec<FileEntry>,
    /// There are more than are listed.
    pub cut: bool,
    /// Whose folder it is, so that new files can be theirs.
    pub owner: FileOwner,
    /// The volume or the folder of this computer that this is in.
    pub shared: Option<String>,
    /// Something runs in the container that can rename and delete.
    pub changeable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileEntry {
    pub name: String,
    pub kind: FileKind,
    pub size: u64,
    /// Unix seconds.
    pub modified: i64,
    /// The permission bits.
    pub mode: u32,
    pub owner: FileOwner,
    pub change: Option<FileChange>,
    /// It is a volume, or a folder of this computer.
    pub shared: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileOwner {
    pub user: u32,
    pub group: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum FileKind {
    Folder,
    File,
    Link,
    /// A device, a socket, a pipe.
    Other,
}

/// Since the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum FileChange {
    Added,
    Changed,
    Deleted,
}

/// A file to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileContent {
    /// Where it really is, behind links.
    pub path: String,
    pub size: u64,
    pub modified: i64,
    pub mode: u32,
    pub owner: FileOwner,
    /// `None` when it is no text, or too long for one.
    pub text: Option<String>,
}

/// A file or a folder that is written into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// The folder it goes into.
    pub folder: String,
    pub name: String,
    pub mode: u32,
    pub owner: FileOwner,
    pub modified: i64,
}

/// A whole path without `.`, `..` and what is no path.
fn clean_path(path: &str) -> Result<String, Error> {
    let bad = || Error::BadName {
        kind: "a path in a container",
        name: path.to_owned(),
    };
    if !path.starts_with('/') || path.contains('\0') {
        return Err(bad());
    }
    let mut clean: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    Ok(format!("/{}", clean.join("/")))
}

fn file_name(name: &str) -> Result<&str, Error> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) || name.len() > 255 {
        return Err(Error::BadName {
            kind: "a file",
            name: name.to_owned(),
        });
    }
    Ok(name)
}

fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

impl Engine {
    pub async fn files(&self, container: &str, path: &str) -> Result<FileList, Error> {
        let inspect = self.inspect_container(container).await?;
        let path = self.behind_links(&inspect.id, &clean_path(path)?).await?;
        let live = inspect.state.running && !inspect.state.paused;
        let listed = if live {
            self.list_by_program(&inspect.id, &path).await?
        } else {
            None
        };
        let changeable = listed.is_some();
        let (owner, mut entries, cut) = match listed {
            Some(listed) => listed,
            None => self.list_by_archive(&inspect.id, &path).await?,
        };
        let mount = |path: &str| {
            inspect
                .mounts
                .iter()
                .find(|mount| mount.destination == path)
                .map(what_is_shared)
        };
        let shared = Path::new(&path)
            .ancestors()
            .find_map(|folder| mount(&folder.to_string_lossy()));
        if shared.is_none() {
            self.mark_changes(&inspect.id, &path, &mut entries).await?;
        }
        for entry in &mut entries {
            entry.shared = mount(&join(&path, &entry.name));
        }
        entries.sort_by(|one, other| {
            let place = |entry: &FileEntry| (entry.kind != FileKind::Folder, entry.name.to_lowercase());
            place(one).cmp(&place(other))
        });
        Ok(FileList {
            path,
            entries,
            cut,
            owner,
            shared,
            changeable,
        })
    }

    /// `None` when the container has no programs for it.
    async fn list_by_program(
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

    async fn list_by_archive(&self, container: &str, path: &str) -> Result<(FileOwner, Vec<FileEntry>, bool), Error> {
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

    /// A file or a folder with all that is in it, as a tar.
    pub async fn archive(&self, container: &str, path: &str) -> Result<impl AsyncRead + Send + Unpin + use<>, Error> {
        let call = Call::get(
            format!("/containers/{}/archive", name::container(container)?),
            Subject::File(path),
            "read the container's files",
        );
        let body = self.client().await?.open(call.query("path", path)).await?.into_body();
        Ok(StreamReader::new(BodyDataStream::new(body).map_err(io::Error::other)))
    }

    /// What a link at the end of the path leads to, in the container.
    async fn behind_links(&self, container: &str, path: &str) -> Result<String, Error> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            match self.stat(container, &path).await? {
                Some(wire::PathStat { link_target, .. }) if !link_target.is_empty() => {
                    // Docker resolves it inside the container; Podman and others say what the link says.
                    let target = if link_target.starts_with('/') {
                        link_target
                    } else {
                        format!("{path}/../{link_target}")
                    };
                    let target = clean_path(&target)?;
                    if target == path {
                        return Ok(path);
                    }
                    path = target;
                }
                Some(_) | None => return Ok(path),
            }
        }
        Err(Error::Refused {
            source: Reply {
                status: 400,
                message: "This link leads in a circle".to_owned(),
            },
        })
    }

    /// What the engine says of a path in a header. `None` when it says nothing.
    async fn stat(&self, container: &str, path: &str) -> Result<Option<wire::PathStat>, Error> {
        let call = Call::head(
            format!("/containers/{}/archive", name::container(container)?),
            Subject::File(path),
            "look at the file",
        );
        let answer = match self.client().await?.open(call.query("path", path)).await {
            // An answer to this question has no words; the same refusal of the other one has.
            Err(Error::Refused { .. }) => return self.archive(container, path).await.map(|_| None),
            answer => answer?,
        };
        let Some(header) = answer.headers().get("X-Docker-Container-Path-Stat") else {
            return Ok(None);
        };
        let json = base64::engine::general_purpose::STANDARD
            .decode(header)
            .map_err(|source| Error::Garbled { source: source.into() })?;
        serde_json::from_slice(&json)
            .map(Some)
            .map_err(|source| Error::Garbled { source: source.into() })
    }

    async fn mark_changes(&self, container: &str, folder: &str, entries: &mut Vec<FileEntry>) -> Result<(), Error> {
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

    /// A file to be looked at: its text when it is one.
    pub async fn file(&self, container: &str, path: &str) -> Result<FileContent, Error> {
        let path = self.behind_links(container, &clean_path(path)?).await?;
        let reader = SyncIoBridge::new(Box::pin(self.archive(container, &path).await?));
        let read = tokio::task::spawn_blocking(move || read_content(reader));
        let content = tokio::time::timeout(ARCHIVE_TIME, read)
            .await
            .map_err(|_| Error::Silent {
                doing: "read the file",
                after: ARCHIVE_TIME,
            })?
            .map_err(|source| Error::Garbled { source: source.into() })?
            .map_err(|source| Error::Garbled { source: source.into() })?;
        match content {
            Some(content) => Ok(FileContent { path, ..content }),
            None => Err(Error::Refused {
                source: Reply {
                    status: 400,
                    message: format!("{path} is not a file"),
                },
            }),
        }
    }

    /// Writes a file of `size` bytes into a folder, in place of one of that name.
    pub async fn write_file(
        &self,
        container: &str,
        file: &NewFile,
        size: u64,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), Error> {
        let mut header = header(file, tar::EntryType::Regular, size)?;
        let head = pack_header(&mut header, &file.name)?;
        let rest = usize::try_from((512 - size % 512) % 512).unwrap_or_default() + 1024;
        let pieces = stream::iter([Ok(head)])
            .chain(content)
            .chain(stream::iter([Ok(Bytes::from(vec![0; rest]))]));
        self.put_archive(container, &file.folder, pieces).await
    }

    pub async fn make_folder(&self, container: &str, folder: &NewFile) -> Result<(), Error> {
        let mut header = header(folder, tar::EntryType::Directory, 0)?;
        let head = pack_header(&mut header, &folder.name)?;
        let pieces = stream::iter([Ok(head), Ok(Bytes::from_static(&[0; 1024]))]);
        self.put_archive(container, &folder.folder, pieces).await
    }

    async fn put_archive(
        &self,
        container: &str,
        folder: &str,
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), Error> {
        let folder = clean_path(folder)?;
        let call = Call::put(
            format!("/containers/{}/archive", name::container(container)?),
            Subject::File(&folder),
            "write into the container",
        )
        .query("path", &folder)
        .query("noOverwriteDirNonDir", "true")
        .tar(pieces);
        self.client().await?.done(call).await
    }

    /// Removes a file, or a folder with all that is in it. The container has to run and have `rm`.
    pub async fn delete_file(&self, container: &str, path: &str) -> Result<(), Error> {
        let path = clean_path(path)?;
        if path == "/" {
            return Err(Error::BadName {
                kind: "something that can be deleted",
                name: path,
            });
        }
        self.change_files(container, &["rm", "-rf", "--", &path]).await
    }

    /// Gives a file another name in its folder, unless there is one of that name.
    pub async fn rename_file(&self, container: &str, path: &str, name: &str) -> Result<(), Error> {
        let path = clean_path(path)?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let target = join(folder, file_name(name)?);
        if self.stat(container, &target).await.is_ok() {
            return Err(Error::Refused {
                source: Reply {
                    status: 409,
                    message: format!("There is something named {name} already"),
                },
            });
        }
        self.change_files(container, &["mv", "--", &path, &target]).await
    }

    async fn change_files(&self, container: &str, command: &[&str]) -> Result<(), Error> {
        let output = self.output(container, command, Some("0"), LISTING).await?;
        if output.code == Some(0) {
            return Ok(());
        }
        let words = [output.stderr, output.stdout].concat();
        Err(Error::Refused {
            source: Reply {
                status: 500,
                message: String::from_utf8_lossy(&words).trim().to_owned(),
            },
        })
    }
}

/// A file or a folder on its way out of a container.
pub struct Download {
    /// What it is called outside: a folder is a tar.
    pub name: String,
    folder: bool,
    archive: Box<dyn AsyncRead + Send + Unpin>,
}

impl Engine {
    pub async fn download(&self, container: &str, path: &str) -> Result<Download, Error> {
        let path = self.behind_links(container, &clean_path(path)?).await?;
        let folder = self
            .stat(container, &path)
            .await?
            .is_some_and(|stat| stat.mode & GO_FOLDER != 0);
        let name = match path.rsplit_once('/') {
            Some((_, name)) if !name.is_empty() => name,
            Some(_) | None => "files",
        };
        Ok(Download {
            name: if folder { format!("{name}.tar") } else { name.to_owned() },
            folder,
            archive: Box::new(self.archive(container, &path).await?),
        })
    }

    /// All files of a container as one tar.
    pub async fn export(&self, container: &str) -> Result<Download, Error> {
        let called = self.container_name(container).await?;
        let call = Call::get(
            format!("/containers/{}/export", name::container(container)?),
            Subject::Container(container),
            "export the container",
        );
        let body = self.client().await?.open(call.within(CHANGE)).await?.into_body();
        Ok(Download {
            name: format!("{called}.tar"),
            folder: true,
            archive: Box::new(StreamReader::new(BodyDataStream::new(body).map_err(io::Error::other))),
        })
    }
}

impl Download {
    /// Nothing is unpacked: a folder stays the tar that it is, and of a file only the content is taken.
    pub async fn into_file(self, mut file: std::fs::File) -> Result<(), Error> {
        let mut reader = SyncIoBridge::new(self.archive);
        let copy = tokio::task::spawn_blocking(move || {
            if self.folder {
                return io::copy(&mut reader, &mut file).map(drop);
            }
            let mut archive = tar::Archive::new(reader);
            let mut entry = archive.entries()?.next().ok_or(io::ErrorKind::UnexpectedEof)??;
            if !entry.header().entry_type().is_file() {
                return Err(io::Error::other("it is not a file"));
            }
            io::copy(&mut entry, &mut file).map(drop)
        });
        copy.await
            .unwrap_or_else(|broken| Err(io::Error::other(broken)))
            .map_err(|source| Error::Files { source })
    }
}

fn what_is_shared(mount: &wire::Mount) -> String {
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

fn read_content(reader: impl io::Read) -> io::Result<Option<FileContent>> {
    let mut archive = tar::Archive::new(reader);
    let Some(entry) = archive.entries()?.next() else {
        return Ok(None);
    };
    let entry = entry?;
    let header = entry.header();
    if !header.entry_type().is_file() {
        return Ok(None);
    }
    let mut content = FileContent {
        path: String::new(),
        size: entry.size(),
        modified: i64::try_from(header.mtime()?).unwrap_or_default(),
        mode: header.mode()? & 0o7777,
        owner: FileOwner {
            user: u32::try_from(header.uid()?).unwrap_or_default(),
            group: u32::try_from(header.gid()?).unwrap_or_default(),
        },
        text: None,
    };
    if content.size <= LONGEST_TEXT {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(entry, LONGEST_TEXT), &mut bytes)?;
        content.text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    }
    Ok(Some(content))
}

fn header(file: &NewFile, kind: tar::EntryType, size: u64) -> Result<tar::Header, Error> {
    file_name(&file.name)?;
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(file.mode & 0o7777);
    header.set_uid(file.owner.user.into());
    header.set_gid(file.owner.group.into());
    header.set_mtime(u64::try_from(file.modified).unwrap_or_default());
    Ok(header)
}

/// The header as bytes, with another one before it when the name is long.
fn pack_header(header: &mut tar::Header, name: &str) -> Result<Bytes, Error> {
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_data(header, name, io::empty())
        .map_err(|source| Error::Garbled { source: source.into() })?;
    Ok(Bytes::from(builder.get_ref().clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_its_container() {
        for (path, clean) in [
            ("/", "/"),
            ("/etc/", "/etc"),
            ("//etc/./x", "/etc/x"),
            ("/../../etc", "/etc"),
            ("/a/../../b", "/b"),
        ] {
            assert_eq!(clean_path(path).expect(path), clean);
        }
        for odd in ["", "etc", "../etc", "/a\0b"] {
            assert!(clean_path(odd).is_err(), "{odd:?}");
        }
        for odd in ["", ".", "..", "a/b", "/a", "../../x", "a\0"] {
            assert!(file_name(odd).is_err(), "{odd:?}");
        }
    }

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
