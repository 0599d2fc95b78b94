use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::ERROR_PIPE_BUSY;
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, DETACHED_PROCESS, INFINITE, OpenProcess, PROCESS_SYNCHRONIZE,
    PROCESS_TERMINATE, TerminateProcess, WaitForSingleObject,
};

use super::Makes;

use super::NoAccelerator;

/// The hardware accelerator of this system, in QEMU's word.
pub(crate) const ACCELERATOR: &str = "whpx";

/// Windows fetches most authorities when they are first needed, so its store lists only some.
pub(crate) const LISTS_EVERY_AUTHORITY: bool = false;

pub(crate) const SANDBOX: &[&str] = &[];

pub(crate) const ENDPOINTS_ARE_FILES: bool = false;

pub(crate) const SERVES_FILES: bool = false;

/// Windows tells only when it is used.
pub(crate) fn accelerator_missing() -> Option<NoAccelerator> {
    None
}

/// How to get QEMU here.
pub(crate) fn install_hint(_program: &str) -> String {
    "Install it with: winget install SoftwareFreedomConservancy.QEMU".into()
}

/// Why a port may not be opened, and the command that shows it.
pub(crate) fn port_denied(host: SocketAddr) -> String {
    format!(
        "{} is kept by Windows for itself or by another program. This lists what Windows keeps: netsh interface ipv4 \
         show excludedportrange protocol=tcp",
        host.port()
    )
}

/// Which ports Windows keeps for itself, in a sentence: a container cannot publish one although nobody holds it.
pub(crate) fn reserved_ports() -> Option<String> {
    let output = Command::new("netsh")
        .args(["interface", "ipv4", "show", "excludedportrange", "protocol=tcp"])
        .creation_flags(CREATE_NO_WINDOW)
        .output()
        .ok()?;
    // Two numbers a line, below a heading in the language of the system.
    let text = String::from_utf8_lossy(&output.stdout);
    let ranges: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (from, to) = (words.next()?.parse::<u16>().ok()?, words.next()?.parse::<u16>().ok()?);
            Some(format!("{from}-{to}"))
        })
        .collect();
    (!ranges.is_empty()).then(|| {
        format!(
            "Windows keeps the ports {} for itself. Restarting the service winnat often frees some: net stop winnat, \
             then net start winnat.",
            ranges.join(", ")
        )
    })
}

/// Differs after every start of this computer.
pub(crate) fn boot_id() -> String {
    sysinfo::System::boot_time().unwrap_or_default().to_string()
}

/// The name of the pipe that stands for a local socket of this home.
pub(crate) fn endpoint(root: &Path, name: &str) -> PathBuf {
    let name = name.trim_start_matches("run/").trim_end_matches(".sock");
    PathBuf::from(format!(r"\\.\pipe\wherry-{:016x}-{name}", super::digest(root)))
}

pub(crate) fn docker_host(socket: &Path) -> String {
    format!("npipe://{}", socket.display().to_string().replace('\\', "/"))
}

/// How QEMU is told to serve one of our endpoints: it puts the pipe's prefix itself.
pub(crate) fn chardev(id: &str, endpoint: &Path) -> String {
    let name = endpoint.display().to_string();
    format!("pipe,id={id},path={}", name.trim_start_matches(r"\\.\pipe\"))
}

/// The person's data folder is theirs alone already.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    fs_err::create_dir_all(path)
}

/// Makes an empty file. Those of a home are its owner's only, as every folder in a profile is.
pub(crate) fn create_private_file(path: &Path) -> io::Result<()> {
    fs_err::File::create_new(path).map(|_| ())
}

/// Where the next byte of a file is that is in no hole: holes are read as the zeros that they are.
#[expect(
    clippy::unnecessary_wraps,
    reason = "a system with holes may have none left, or fail"
)]
pub(crate) fn next_data(_file: &fs_err::File, at: u64) -> io::Result<Option<u64>> {
    Ok(Some(at))
}

/// Renaming is written through here by itself.
#[expect(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
pub(crate) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// A named pipe. Its default access is the owner, administrators and the system.
#[derive(Debug)]
pub(crate) struct Listener {
    next: NamedPipeServer,
    name: OsString,
}

/// Where a listener is found: a pipe's name goes with the pipe.
pub(crate) struct Place;

impl Listener {
    pub(crate) fn bind(path: &Path) -> io::Result<(Self, Place)> {
        let name = path.as_os_str().to_owned();
        let next = ServerOptions::new()
            .first_pipe_instance(true)
            .reject_remote_clients(true)
            .create(&name)?;
        Ok((Self { next, name }, Place))
    }

    pub(crate) async fn accept(&mut self) -> io::Result<Stream> {
        self.next.connect().await?;
        let following = ServerOptions::new().reject_remote_clients(true).create(&self.name)?;
        Ok(Stream::Server(std::mem::replace(&mut self.next, following)))
    }
}

/// Either end of a named pipe.
#[derive(Debug)]
pub(crate) enum Stream {
    Server(NamedPipeServer),
    Client(NamedPipeClient),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Server(pipe) => Pin::new(pipe).poll_read(context, buffer),
            Self::Client(pipe) => Pin::new(pipe).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Server(pipe) => Pin::new(pipe).poll_write(context, bytes),
            Self::Client(pipe) => Pin::new(pipe).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Server(pipe) => Pin::new(pipe).poll_flush(context),
            Self::Client(pipe) => Pin::new(pipe).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Server(pipe) => Pin::new(pipe).poll_shutdown(context),
            Self::Client(pipe) => Pin::new(pipe).poll_shutdown(context),
        }
    }
}

/// Only a server of files is handed a connection, and none runs here.
pub(crate) fn as_input(_stream: Stream) -> io::Result<Stdio> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) async fn connect(path: &Path) -> io::Result<Stream> {
    loop {
        match ClientOptions::new().open(path) {
            // All instances are taken; the server makes the next one at once.
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY.cast_signed()) => {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            other => return other.map(Stream::Client),
        }
    }
}

/// No console of the parent's, and not its Ctrl-C.
pub(crate) fn detach(command: &mut Command, _makes: Makes) {
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

/// Returns when this process is asked to end.
pub(crate) async fn asked_to_end() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Bytes that the file occupies. The length is the nearest that the standard library offers here.
pub(crate) fn occupied(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

pub(crate) fn executable(name: &str) -> String {
    format!("{name}.exe")
}

/// A running process, ours or not, held so that its number cannot come to mean another one.
#[derive(Debug)]
pub(crate) struct Process {
    handle: Arc<OwnedHandle>,
}

impl Process {
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        #[expect(unsafe_code, reason = "a call of the Windows API")]
        // SAFETY: plain values in; the handle that comes out is ours alone and checked before it is owned.
        let handle = unsafe {
            let raw = OpenProcess(PROCESS_SYNCHRONIZE | PROCESS_TERMINATE, 0, pid);
            if raw.is_null() {
                return Err(io::Error::last_os_error());
            }
            OwnedHandle::from_raw_handle(raw)
        };
        Ok(Self {
            handle: Arc::new(handle),
        })
    }

    pub(crate) async fn ended(&self) {
        let handle = Arc::clone(&self.handle);
        // A thread that waits: the wait itself cannot be cancelled, and holds nothing but this handle.
        let _ = tokio::task::spawn_blocking(move || {
            #[expect(unsafe_code, reason = "a call of the Windows API")]
            // SAFETY: the handle is open as long as `handle` lives.
            unsafe {
                WaitForSingleObject(handle.as_raw_handle(), INFINITE)
            }
        })
        .await;
    }

    pub(crate) fn kill(&self) {
        #[expect(unsafe_code, reason = "a call of the Windows API")]
        // SAFETY: the handle is open as long as `self` lives.
        unsafe {
            // It may have ended by itself a moment ago, which is what was wanted.
            TerminateProcess(self.handle.as_raw_handle(), 1);
        }
    }
}

/// There is no such limit here.
pub(crate) fn raise_open_files() {}

/// The system chooses among its servers by the name's domain and the device that leads there.
pub(crate) const RESOLVES_BY_DOMAIN: bool = true;

/// The servers of all devices that are up.
pub(crate) fn name_servers() -> Vec<IpAddr> {
    let adapters = ipconfig::get_adapters().unwrap_or_default();
    adapters
        .iter()
        .filter(|adapter| adapter.oper_status() == ipconfig::OperStatus::IfOperStatusUp)
        .flat_map(|adapter| adapter.dns_servers().iter().copied())
        .collect()
}

/// Only files of other systems name devices.
pub(crate) fn interface(_name: &str) -> Option<u32> {
    None
}
