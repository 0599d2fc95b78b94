//! Files of a container on their way to this computer.

use std::io;

use futures::TryStreamExt as _;
use http_body_util::BodyDataStream;
use tokio::io::AsyncRead;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{GO_FOLDER, clean_path};
use crate::error::Subject;
use crate::transport::{CHANGE, Call};
use crate::{Engine, Error, name};

/// A file or a folder on its way out of a container.
pub struct Download {
    /// What it is called outside: a folder is a tar.
    pub name: String,
    folder: bool,
    archive: Box<dyn AsyncRead + Send + Unpin>,
}

struct Downloadable {
    name: String,
    folder: bool,
    /// Without links at its end.
    path: String,
}

impl Engine {
    pub async fn download(&self, container: &str, path: &str) -> Result<Download, Error> {
        let Downloadable { name, folder, path } = self.downloadable(container, path).await?;
        Ok(Download {
            name,
            folder,
            archive: Box::new(self.archive(container, &path).await?),
        })
    }

    /// What a download of this is called outside, before anything of it comes.
    pub async fn download_name(&self, container: &str, path: &str) -> Result<String, Error> {
        Ok(self.downloadable(container, path).await?.name)
    }

    /// A link has its own name, and is a folder where it leads to one.
    async fn downloadable(&self, container: &str, path: &str) -> Result<Downloadable, Error> {
        let path = clean_path(path)?;
        let name = match path.rsplit_once('/') {
            Some((_, name)) if !name.is_empty() => name,
            Some(_) | None => "files",
        };
        let target = self.behind_links(container, &path).await?;
        let folder = self
            .stat(container, &target)
            .await?
            .is_some_and(|stat| stat.mode & GO_FOLDER != 0);
        Ok(Downloadable {
            name: if folder { format!("{name}.tar") } else { name.to_owned() },
            folder,
            path: target,
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
