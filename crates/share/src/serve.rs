//! The server's process: two sockets, one for QEMU and one for the daemon. Between it and QEMU is [`crate::keep`].

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::fs::MemfdFlags;
use vhost::vhost_user::Listener;
use vhost_user_backend::VhostUserDaemon;
use virtiofsd::limits::setup_rlimit_nofile;
use virtiofsd::passthrough::{CachePolicy, Config, MigrationOnError, PassthroughFs};
use virtiofsd::vhost_user::VhostUserFsBackendBuilder;
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};
use wherry_link::FilesAnswer;

use crate::control::{self, Daemon};
use crate::folders::Folders;
use crate::owner::Person;
use crate::watch::Watch;

/// How long the guest may believe what it heard of a name or of attributes. What the host changes meanwhile is told
/// sooner where a container uses the folder.
const FRESH: Duration = Duration::from_secs(1);

/// Of the descriptors this process may have, those that are not the guest's files: memory, sockets, watched folders.
const OWN_DESCRIPTORS: u64 = 1024;

/// How long to wait for QEMU, or for whoever passes on what it says.
pub(crate) const CONNECT: Duration = Duration::from_mins(1);

/// How often it is looked whether the guest knows too many files. One that looks at new ones as fast as it can needs
/// longer for half of them.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(200);
/// How long the guest is given to forget files.
const FORGETTING: Duration = Duration::from_secs(1);

/// What was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// Nothing: the machine starts.
    First,
    /// Another one has served the same machine, and died.
    Follows,
    /// Several have, and died one after another. It refuses everything for so long, and ends.
    Refuses { lasts: Duration },
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The files of this computer are no longer served")]
    Server { source: io::Error },
    #[error("Could not take over from the server before this one")]
    TakeOver { source: io::Error },
    #[error("Could not wait for the server before this one")]
    Turn { source: io::Error },
    #[error("Could not listen on {}", path.display())]
    Listen { path: PathBuf, source: io::Error },
    #[error("Could not allow enough open files: {why}")]
    OpenFiles { why: String },
    #[error("Could not open the root of the file system")]
    Root { source: io::Error },
    #[error("Could not prepare the connection to the machine: {why}")]
    Device { why: String },
    #[error("The machine did not connect within {} s", CONNECT.as_secs())]
    NobodyCame,
}

/// Serves files to the one machine that connects to `device`, and does what the daemon says on `control`, until the
/// machine ends.
pub fn serve(device: &Path, control: &Path, begins: Begins) -> Result<(), Error> {
    // It would go on with one thread less, and the guest would wait for that one.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("{panic}");
        std::process::exit(1);
    }));
    // Nobody else could give it anything to do.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|error| Error::Server { source: error.into() })?;
    // The one of a keeper that was killed may still be on its way out.
    let _turn = turn(device).map_err(|source| Error::Turn { source })?;
    let mut listener = listen(device, |path| Listener::new(path, true).map_err(io::Error::other))?;
    let descriptors = setup_rlimit_nofile(None).map_err(|why| Error::OpenFiles { why })?;
    let config = Config {
        entry_timeout: FRESH,
        attr_timeout: FRESH,
        cache_policy: CachePolicy::Auto,
        xattr: true,
        // Without it the guest would ask for a program's privileges before each write.
        killpriv_v2: true,
        // What cannot be found again is lost to the guest, and the rest is not.
        migration_on_error: MigrationOnError::GuestError,
        guest_fd_limit: descriptors.saturating_sub(OWN_DESCRIPTORS),
        ..Config::default()
    };
    let files = PassthroughFs::new(config).map_err(|source| Error::Root { source })?;
    let ledger = ledger().map_err(|source| Error::TakeOver { source })?;
    let folders = match begins {
        Begins::First => Folders::new(files, Person::here(), ledger),
        Begins::Follows => Folders::following(files, Person::here(), ledger, false),
        Begins::Refuses { .. } => Folders::following(files, Person::here(), ledger, true),
    };
    let folders = folders.map_err(|source| Error::TakeOver { source })?;
    let unusable = |error: &dyn std::fmt::Debug| Error::Device {
        why: format!("{error:?}"),
    };
    let backend = VhostUserFsBackendBuilder::default()
        .build(folders.clone())
        .map_err(|error| unusable(&error))?;
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
    let mut daemon =
        VhostUserDaemon::new("wherry-share".into(), Arc::new(backend), memory).map_err(|error| unusable(&error))?;
    // Last, because the daemon starts QEMU once it can connect here.
    let listening = listen(control, |path| std::os::unix::net::UnixListener::bind(path))?;
    let present = control::Daemon::default();
    let changes = present.clone();
    let watch = Watch::begin(move |changed| changes.tell(&FilesAnswer::Changed { changes: changed }))
        .inspect_err(|error| tracing::warn!(%error, "containers are not told of changes on this computer"))
        .ok();
    if let Begins::Refuses { lasts } = begins {
        control::refuse(listening);
        std::thread::spawn(move || {
            std::thread::sleep(lasts);
            std::process::exit(0);
        });
    } else {
        watch_room(folders.clone(), present.clone(), descriptors);
        control::answer(listening, folders, watch, present);
    }

    let (connected, came) = mpsc::channel();
    std::thread::spawn(move || {
        if let Err(mpsc::RecvTimeoutError::Timeout) = came.recv_timeout(CONNECT) {
            tracing::error!("{}", Error::NobodyCame);
            std::process::exit(1);
        }
    });
    daemon.start(&mut listener).map_err(|error| unusable(&error))?;
    let _ = connected.send(());
    // It ends with the machine, whichever way that ends.
    let _ = daemon.wait();
    Ok(())
}

/// What the keeper has given as standard input: a file in memory, written by the server before this one.
fn ledger() -> io::Result<File> {
    let given = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    if given.metadata()?.is_file() {
        return Ok(given);
    }
    new_ledger()
}

pub(crate) fn new_ledger() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("wherry-files", MemfdFlags::CLOEXEC)?.into())
}

/// Waits until nobody else uses this socket; the next one waits until this file, and each that is the same, is closed.
/// What served a machine that was killed may still be on its way out, and would remove the sockets of this one.
pub(crate) fn turn(device: &Path) -> io::Result<OwnedFd> {
    let mut name = device.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let turn = fs_err::File::create(device.with_file_name(name))?.into_parts().0;
    turn.lock()?;
    Ok(turn.into())
}

/// The guest forgets a file only when its own memory runs short, and each that it knows is open here.
fn watch_room(folders: Folders, present: Daemon, descriptors: u64) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(LOOK_FOR_ROOM);
            if folders.known() as u64 > descriptors / 2 {
                present.tell(&FilesAnswer::Crowded);
                std::thread::sleep(FORGETTING);
            }
        }
    });
}

/// Listens where only the person may connect; what an earlier server left there is replaced.
pub(crate) fn listen<T>(path: &Path, bind: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, Error> {
    let failed = |source| Error::Listen {
        path: path.into(),
        source,
    };
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    // Its folder is open to nobody else, so nobody can be quicker.
    let listener = bind(path).map_err(failed)?;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}
