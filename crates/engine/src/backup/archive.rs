//! The file of a backup: a tar that any tar opens, in which every byte is accounted for.
//!
//! The last two members are `manifest.json`, which has the length and SHA-256 of every member before it, and
//! `manifest.sha256`, which has that of the manifest. Headers have one possible form and padding is zero, so there is
//! no byte whose change would go unseen. A tar needs the length of a member before its bytes and we learn it after
//! them: the header is written last, into the room left for it.

use std::fs::TryLockError;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fs_err::File;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{BackupError, BackupManifest, BackupMember};

const BLOCK: u64 = 512;
const EMPTY: [u8; 512] = [0; 512];

pub(super) const README: &str = "README.txt";
pub(super) const MANIFEST: &str = "manifest.json";
const CHECKSUM: &str = "manifest.sha256";

/// The first member, for people who open the file with something else. Also what tells a backup from another tar.
const README_TEXT: &str = "\
This is a backup made by Wherry. It is a plain tar:

  images/*.tar.zst      zstd -dc FILE | docker load
  volumes/*.tar.zst     zstd -dc FILE | tar -x
  containers/*.json     what `docker inspect` says of each container
  networks/*.json       what `docker network inspect` says of each network
  settings.json         the settings of Wherry
  manifest.json         what is in here, with the SHA-256 of every member
  manifest.sha256       the SHA-256 of the manifest, as sha256sum -c reads it

wherry backup --verify FILE looks whether it is whole, wherry restore FILE brings it back.
";

/// Little is won by more, and much time lost.
const LEVEL: i32 = 3;

/// Larger than any list of members; no list of anything else.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// How much is read at once.
const PIECE: usize = 256 << 10;

/// A piece of a member, or its end. A channel that ends without one was given up.
pub(super) enum Piece {
    Data(Bytes),
    End,
}

/// A backup that is being written. It has its name only when it is whole; dropped before, it leaves nothing.
pub(super) struct Writer {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    members: Vec<BackupMember>,
    renamed: bool,
}

impl Writer {
    pub(super) fn create(path: &Path) -> Result<Writer, BackupError> {
        let failed = |source| BackupError::Io {
            doing: "write",
            path: path.to_owned(),
            source,
        };
        // A relative name has no folder to speak of.
        let path = &std::path::absolute(path).map_err(failed)?;
        let name = path
            .file_name()
            .ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
        // What is in the way is replaced only when it is a backup too.
        match File::open(path) {
            Ok(_) if path.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(file) => {
                Reader::begin(file, path).map_err(|_| BackupError::NotOurs { path: path.clone() })?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let mut part = std::ffi::OsString::from(".");
        part.push(name);
        part.push(".part");
        let temporary = path.with_file_name(part);
        let mut options = fs_err::OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        private(&mut options);
        // One that a killed process left is written over; one that another process writes is locked.
        let file = loop {
            let file = options.open(&temporary).map_err(failed)?;
            match file.file().try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(BackupError::Busy { path: path.clone() }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // Between our opening and locking it, it may have been finished and have got its name.
            if is_still(&file, &temporary) {
                break file;
            }
        };
        file.set_len(0).map_err(failed)?;
        let mut writer = Writer {
            file,
            temporary,
            path: path.clone(),
            members: Vec::new(),
            renamed: false,
        };
        writer.whole(README, README_TEXT.as_bytes())?;
        Ok(writer)
    }

    /// A member whose bytes are all here.
    pub(super) fn whole(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        self.member(name, |file| file.write_all(bytes))
    }

    /// A member compressed from pieces as they come.
    pub(super) fn compressed(&mut self, name: &str, mut pieces: mpsc::Receiver<Piece>) -> Result<(), BackupError> {
        self.member(name, |file| {
            let mut encoder = zstd::Encoder::new(file, LEVEL)?;
            // So that `zstd -t` finds damage without us.
            encoder.include_checksum(true)?;
            loop {
                match pieces.blocking_recv() {
                    Some(Piece::Data(bytes)) => encoder.write_all(&bytes)?,
                    Some(Piece::End) => break,
                    None => return Err(io::ErrorKind::Interrupted.into()),
                }
            }
            encoder.finish().map(drop)
        })
    }

    fn member(
        &mut self,
        name: &str,
        content: impl FnOnce(&mut Hashing<&mut io::BufWriter<&mut File>>) -> io::Result<()>,
    ) -> Result<(), BackupError> {
        let member = write_member(&mut self.file, name, content).map_err(|source| BackupError::Io {
            doing: "write",
            path: self.path.clone(),
            source,
        })?;
        self.members.push(member);
        Ok(())
    }

    /// Writes the manifest and gives the file its name. Returns its length.
    pub(super) fn finish(mut self, manifest: &mut BackupManifest) -> Result<u64, BackupError> {
        manifest.members = std::mem::take(&mut self.members);
        let path = self.path.clone();
        let failed = |source| BackupError::Io {
            doing: "write",
            path: path.clone(),
            source,
        };
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| failed(error.into()))?;
        self.whole(MANIFEST, &text)?;
        let sum = checksum_text(&text);
        self.whole(CHECKSUM, sum.as_bytes())?;
        let end = |file: &mut File| {
            file.write_all(&EMPTY)?;
            file.write_all(&EMPTY)?;
            file.sync_all()?;
            file.stream_position()
        };
        let length = end(&mut self.file).map_err(failed)?;
        fs_err::rename(&self.temporary, &self.path).map_err(failed)?;
        self.renamed = true;
        // The name is on the disk when the folder is. Not every system opens folders.
        if let Some(Ok(folder)) = self.path.parent().map(File::open) {
            let _ = folder.sync_all();
        }
        Ok(length)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs_err::remove_file(&self.temporary);
        }
    }
}

/// Only the person may read it: environments of containers hold passwords.
fn private(options: &mut fs_err::OpenOptions) {
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = options;
}

fn is_still(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let known = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
        matches!((file.metadata(), fs_err::metadata(path)), (Ok(here), Ok(there)) if known(&here) == known(&there))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

fn write_member(
    file: &mut File,
    name: &str,
    content: impl FnOnce(&mut Hashing<&mut io::BufWriter<&mut File>>) -> io::Result<()>,
) -> io::Result<BackupMember> {
    let start = file.stream_position()?;
    file.seek(SeekFrom::Start(start + BLOCK))?;
    let mut buffered = io::BufWriter::with_capacity(PIECE, &mut *file);
    let mut hashing = Hashing::new(&mut buffered);
    content(&mut hashing)?;
    let (size, sha256) = hashing.end();
    let padding = size.next_multiple_of(BLOCK) - size;
    buffered.write_all(&EMPTY[..usize::try_from(padding).unwrap_or(0)])?;
    buffered.flush()?;
    drop(buffered);
    let end = file.stream_position()?;
    file.seek(SeekFrom::Start(start))?;
    file.write_all(header(name, size)?.as_bytes())?;
    file.seek(SeekFrom::Start(end))?;
    Ok(BackupMember {
        name: name.to_owned(),
        size,
        sha256,
    })
}

/// The one form that the header of a member may have.
fn header(name: &str, size: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

/// What `sha256sum -c` reads.
fn checksum_text(manifest: &[u8]) -> String {
    format!("{:x}  {MANIFEST}\n", Sha256::digest(manifest))
}

/// Counts and sums what passes.
pub(super) struct Hashing<T> {
    inner: T,
    hash: Sha256,
    count: u64,
}

impl<T> Hashing<T> {
    fn new(inner: T) -> Hashing<T> {
        Hashing {
            inner,
            hash: Sha256::new(),
            count: 0,
        }
    }

    fn end(self) -> (u64, String) {
        (self.count, format!("{:x}", self.hash.finalize()))
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.count += bytes.len() as u64;
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.passed(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let (bytes, _) = buffer.split_at(read);
        self.hash.update(bytes);
        self.count += read as u64;
        Ok(read)
    }
}

/// What every version of the manifest says.
#[derive(serde::Deserialize)]
struct Format {
    format: u32,
}

/// A backup that is being read.
pub(super) struct Reader {
    file: File,
    path: PathBuf,
    /// Where the next header is.
    next: u64,
}

/// A member that was found: its name, and where its bytes are.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) size: u64,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Reader, BackupError> {
        let file = File::open(path).map_err(|source| BackupError::Io {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        Reader::begin(file, path)
    }

    fn begin(file: File, path: &Path) -> Result<Reader, BackupError> {
        let mut reader = Reader {
            file,
            path: path.to_owned(),
            next: 0,
        };
        let not_ours = || BackupError::NotABackup { path: path.to_owned() };
        match reader.step() {
            Ok(Some(found)) if found.name == README => {}
            Ok(_) | Err(BackupError::Damaged { .. }) => return Err(not_ours()),
            Err(other) => return Err(other),
        }
        reader.next = 0;
        Ok(reader)
    }

    fn damaged(&self, what: impl Into<String>) -> BackupError {
        damaged(&self.path, what)
    }

    fn io(&self, source: io::Error) -> BackupError {
        unreadable(&self.path, source)
    }

    /// The next member; `None` at the end, where nothing may follow.
    pub(super) fn step(&mut self) -> Result<Option<Found>, BackupError> {
        let mut block = EMPTY;
        self.file
            .seek(SeekFrom::Start(self.next))
            .and_then(|_| self.file.read_exact(&mut block))
            .map_err(|error| self.io(error))?;
        if block == EMPTY {
            let mut rest = Vec::new();
            (&mut self.file)
                .take(2 * BLOCK)
                .read_to_end(&mut rest)
                .map_err(|error| self.io(error))?;
            return if rest == EMPTY {
                Ok(None)
            } else {
                Err(self.damaged("it does not end where it should"))
            };
        }
        let read = tar::Header::from_byte_slice(&block);
        let parts = (|| {
            let name = read.path().ok()?.to_str()?.to_owned();
            let size = read.entry_size().ok()?;
            let same = header(&name, size).ok()?.as_bytes() == &block;
            same.then_some((name, size))
        })();
        let Some((name, size)) = parts else {
            return Err(self.damaged(format!("the header at byte {} is not one of a backup", self.next)));
        };
        let start = self.next + BLOCK;
        self.next = size
            .checked_next_multiple_of(BLOCK)
            .and_then(|room| start.checked_add(room))
            .ok_or_else(|| self.damaged(format!("{name} has an impossible length")))?;
        Ok(Some(Found { name, start, size }))
    }

    /// What the manifest says, and where each member is. Reads headers and the manifest only, so that a person can
    /// look into a large file at once; [`super::verify`] reads everything.
    pub(super) fn contents(&mut self) -> Result<(BackupManifest, Vec<Found>), BackupError> {
        let mut members = Vec::new();
        self.next = 0;
        while let Some(found) = self.step()? {
            members.push(found);
        }
        let (Some(checksum), Some(manifest)) = (members.pop(), members.pop()) else {
            return Err(self.damaged("the manifest is missing"));
        };
        if checksum.name != CHECKSUM || manifest.name != MANIFEST || manifest.size > LARGEST_MANIFEST {
            return Err(self.damaged("the manifest is missing"));
        }
        let text = self.all_of(&manifest)?;
        if self.all_of(&checksum)? != checksum_text(&text).as_bytes() {
            return Err(self.damaged("the manifest is not what it was"));
        }
        let Format { format } = serde_json::from_slice(&text).map_err(|error| self.damaged(error.to_string()))?;
        if format > super::FORMAT {
            return Err(BackupError::Newer {
                path: self.path.clone(),
                format,
            });
        }
        let manifest: BackupManifest =
            serde_json::from_slice(&text).map_err(|error| self.damaged(error.to_string()))?;
        let same = manifest.members.len() == members.len()
            && manifest
                .members
                .iter()
                .zip(&members)
                .all(|(said, found)| said.name == found.name && said.size == found.size);
        if !same {
            return Err(self.damaged("the manifest lists other members than there are"));
        }
        Ok((manifest, members))
    }

    fn all_of(&self, found: &Found) -> Result<Vec<u8>, BackupError> {
        if found.size > LARGEST_MANIFEST {
            return Err(self.damaged(format!("{} is too long", found.name)));
        }
        let mut bytes = Vec::new();
        let mut padded = padded(&self.path, found)?;
        padded.read_to_end(&mut bytes).map_err(|error| self.io(error))?;
        let size = usize::try_from(found.size).unwrap_or(usize::MAX);
        let room = usize::try_from(found.size.next_multiple_of(BLOCK)).unwrap_or(usize::MAX);
        if bytes.len() != room {
            return Err(self.damaged("it ends too early"));
        }
        if bytes.split_off(size).iter().any(|byte| *byte != 0) {
            return Err(self.damaged(format!("what follows {} is not empty", found.name)));
        }
        Ok(bytes)
    }

    /// A small member whole, if it is what the manifest says.
    pub(super) fn small(&self, found: &Found, said: &BackupMember) -> Result<Vec<u8>, BackupError> {
        let bytes = self.all_of(found)?;
        if format!("{:x}", Sha256::digest(&bytes)) == said.sha256 {
            Ok(bytes)
        } else {
            Err(self.damaged(format!("{} is not what it was", found.name)))
        }
    }

    /// Reads all of a member through `look`, which gets its bytes and may stop early, and compares it with what the
    /// manifest says of it.
    pub(super) fn checked(
        &self,
        found: &Found,
        said: &BackupMember,
        look: impl FnOnce(&mut dyn Read) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        checked(&self.path, found, said, look)
    }

    /// The pieces of a compressed member, as it was before compression. An `Err` is the last.
    pub(super) fn pieces(&self, found: &Found, said: &BackupMember) -> mpsc::Receiver<io::Result<Bytes>> {
        let (sender, pieces) = mpsc::channel(8);
        let (path, found, said) = (self.path.clone(), found.clone(), said.clone());
        tokio::task::spawn_blocking(move || {
            let result = checked(&path, &found, &said, |content| {
                let unreadable = |source| unreadable(&path, source);
                let mut decoder = zstd::Decoder::new(content).map_err(unreadable)?;
                loop {
                    let mut piece = Vec::with_capacity(PIECE);
                    (&mut decoder)
                        .take(PIECE as u64)
                        .read_to_end(&mut piece)
                        .map_err(unreadable)?;
                    if piece.is_empty() {
                        return Ok(());
                    }
                    if sender.blocking_send(Ok(piece.into())).is_err() {
                        return Err(BackupError::GivenUp);
                    }
                }
            });
            if let Err(error) = result {
                let _ = sender.blocking_send(Err(io::Error::other(error)));
            }
        });
        pieces
    }
}

fn damaged(path: &Path, what: impl Into<String>) -> BackupError {
    BackupError::Damaged {
        path: path.to_owned(),
        what: what.into(),
    }
}

fn unreadable(path: &Path, source: io::Error) -> BackupError {
    if source.kind() == io::ErrorKind::UnexpectedEof {
        return damaged(path, "it ends too early");
    }
    BackupError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    }
}

/// A member's bytes and the zeros behind it.
fn padded(path: &Path, found: &Found) -> Result<io::Take<File>, BackupError> {
    let mut file = File::open(path).map_err(|error| unreadable(path, error))?;
    file.seek(SeekFrom::Start(found.start))
        .map_err(|error| unreadable(path, error))?;
    Ok(file.take(found.size.next_multiple_of(BLOCK)))
}

fn checked(
    path: &Path,
    found: &Found,
    said: &BackupMember,
    look: impl FnOnce(&mut dyn Read) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut all = io::BufReader::with_capacity(PIECE, padded(path, found)?);
    let mut content = Hashing::new((&mut all).take(found.size));
    let looked = look(&mut content);
    // Whoever was given up does not want the rest.
    if matches!(looked, Err(BackupError::GivenUp)) {
        return looked;
    }
    io::copy(&mut content, &mut io::sink()).map_err(|error| unreadable(path, error))?;
    let (size, sha256) = content.end();
    let mut padding = Vec::new();
    all.read_to_end(&mut padding).map_err(|error| unreadable(path, error))?;
    if size != found.size || size + padding.len() as u64 != found.size.next_multiple_of(BLOCK) {
        return Err(damaged(path, "it ends too early"));
    }
    // Damage explains whatever else was found.
    if sha256 != said.sha256 {
        return Err(damaged(path, format!("{} is not what it was", found.name)));
    }
    if padding.iter().any(|byte| *byte != 0) {
        return Err(damaged(path, format!("what follows {} is not empty", found.name)));
    }
    looked
}
