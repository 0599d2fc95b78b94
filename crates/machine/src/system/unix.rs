use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};

use super::Makes;

pub(crate) type Stream = UnixStream;

pub(crate) const ENDPOINTS_ARE_FILES: bool = true;

/// `sockaddr_un` has 104 bytes on macOS (108 on Linux), the ending NUL among them.
const LONGEST_SOCKET_PATH: usize = 103;

/// Where a local socket of this home is: in the home, or in a folder with a short path when the home's is too long.
pub(crate) fn endpoint(root: &Path, name: &str) -> PathBuf {
    let path = root.join(name);
    if path.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return path;
    }
    let file = Path::new(name).file_name().unwrap_or_default();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute());
    let folder = runtime.unwrap_or_else(|| PathBuf::from("/tmp"));
    let user = rustix::process::getuid().as_raw();
    folder
        .join(format!("wherry-{user}-{:016x}", super::digest(root)))
        .join(file)
}

pub(crate) fn docker_host(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

/// How QEMU is told to serve one of our endpoints.
pub(crate) fn chardev(id: &str, endpoint: &Path) -> String {
    format!(
        "socket,id={id},path={},server=on,wait=off",
        crate::backend::qemu::quoted(endpoint)
    )
}

/// Makes the folder, open to its owner only. One that is somebody else's is refused: in `/tmp` anyone could have
/// made it first.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| named(path, "create the folder", &source))?;
    let metadata = fs_err::symlink_metadata(path)?;
    if metadata.is_dir() && metadata.uid() != rustix::process::getuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} belongs to another user", path.display()),
        ));
    }
    if metadata.is_dir() && metadata.mode() & 0o077 != 0 {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Makes an empty file that only its owner may read.
pub(crate) fn create_private_file(path: &Path) -> io::Result<()> {
    use fs_err::os::unix::fs::OpenOptionsExt;
    fs_err::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(|_| ())
}

/// What was renamed in this folder stays renamed whenever the computer stops.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    fs_err::File::open(path)?.sync_all()
}

fn named(path: &Path, doing: &str, source: &io::Error) -> io::Error {
    io::Error::new(source.kind(), format!("could not {doing} {}: {source}", path.display()))
}

/// A local socket that only this user may connect to.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: UnixListener,
}

/// Where a listener is found. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    inode: u64,
}

impl Listener {
    /// Replaces what a killed process left at this path. The caller makes sure that nobody serves it.
    pub(crate) fn bind(path: &Path) -> io::Result<(Self, Place)> {
        // Bound under another name and moved into place, so that the path never refuses or is open to others.
        let temporary = path.with_extension("new");
        for leftover in [path, &temporary] {
            match fs_err::remove_file(leftover) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        let socket = UnixListener::bind(&temporary).map_err(|source| named(path, "listen on", &source))?;
        fs_err::set_permissions(&temporary, std::fs::Permissions::from_mode(0o600))?;
        let inode = fs_err::metadata(&temporary)?.ino();
        fs_err::rename(&temporary, path)?;
        let place = Place {
            path: path.to_owned(),
            inode,
        };
        Ok((Self { socket }, place))
    }

    pub(crate) async fn accept(&mut self) -> io::Result<Stream> {
        self.socket.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What stands there may be another's by now: a home can be removed and made again under a daemon that leaves.
        if fs_err::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            let _ = fs_err::remove_file(&self.path);
        }
    }
}

pub(crate) async fn connect(path: &Path) -> io::Result<Stream> {
    UnixStream::connect(path).await
}

/// A connection as a child's input, with all that was said and nobody has read.
pub(crate) fn as_input(stream: Stream) -> io::Result<Stdio> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(OwnedFd::from(stream).into())
}

/// Gives the child a session of its own: no terminal's Ctrl-C reaches it and no parent's end takes it along. Should
/// it crash, its memory, which may be a whole machine's with all its secrets, is not written to disk.
pub(crate) fn detach(command: &mut Command, makes: Makes) {
    let umask = match makes {
        Makes::Anything => 0o077,
        Makes::PlainFiles => 0o177,
    };
    let start_session = move || {
        rustix::process::setsid()?;
        let none = rustix::process::Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        rustix::process::setrlimit(rustix::process::Resource::Core, none)?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
        Ok(())
    };
    #[expect(unsafe_code, reason = "there is no safe way yet to give a child its own session")]
    // SAFETY: the closure runs between fork and exec and makes three system calls; it takes no lock and allocates
    // nothing.
    unsafe {
        command.pre_exec(start_session);
    }
}

/// Returns when this process is asked to end.
pub(crate) async fn asked_to_end() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// Where the next byte of a file is that is in no hole, from `at` on; `None` where there is none.
pub(crate) fn next_data(file: &fs_err::File, at: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file.file(), rustix::fs::SeekFrom::Data(at)) {
        Ok(data) => Ok(Some(data)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        // A file system that knows of no holes.
        Err(rustix::io::Errno::INVAL) => Ok(Some(at)),
        Err(error) => Err(error.into()),
    }
}

/// Bytes that the file occupies, which for a sparse file is less than its length.
pub(crate) fn occupied(metadata: &std::fs::Metadata) -> u64 {
    metadata.blocks() * 512
}

pub(crate) fn executable(name: &str) -> String {
    name.to_owned()
}

/// Every connection to a container takes two descriptors; the usual limit of 256 or 1024 is soon reached.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // macOS refuses what is above its own, lower bound, whatever the limit says.
    let wanted = limit
        .maximum
        .unwrap_or(u64::MAX)
        .min(if cfg!(target_os = "macos") { 10_240 } else { 1 << 20 });
    if limit.current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(wanted),
                maximum: limit.maximum,
            },
        )
    {
        tracing::debug!(%error, "the number of open files stays limited");
    }
}
