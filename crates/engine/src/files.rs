//! The files of a container: of one that runs through a program of its own, of any other through the engine's
//! archives, which give a folder only with all that is under it.

mod download;
mod listing;
mod packed;

use std::io;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http_body_util::BodyDataStream;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;
use tokio_util::io::{StreamReader, SyncIoBridge};
use ts_rs::TS;

pub use download::Download;
use listing::what_is_shared;
use packed::{header, pack_header, read_content};

use crate::error::{Reply, Subject};
use crate::transport::Call;
use crate::{Engine, Error, name, wire};

/// How long an archive may take of which only a part is looked at.
const ARCHIVE_TIME: Duration = Duration::from_secs(20);

/// What a listing program may print.
const LISTING: usize = 4 << 20;

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
}
