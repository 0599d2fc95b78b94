//! The place where every docker client looks when nothing is set. A link there to the machine's socket serves clients
//! that know nothing of contexts.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// Where it is on Linux and macOS. Windows has a pipe of a fixed name instead, which nothing can be linked to.
pub const SYSTEM_SOCKET: &str = "/var/run/docker.sock";

/// The person may have to find their password first.
const PASSWORD: Duration = Duration::from_mins(3);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemSocket {
    Free,
    /// Our link stands there.
    Ours,
    /// Somebody else's, in words.
    Taken {
        by: String,
    },
    /// This system has no such place.
    Unavailable,
}

#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("{at} is {by}")]
    Taken { at: PathBuf, by: String },
    #[error("Windows has no place for a link that every docker client would find")]
    Unavailable,
    /// Neither by ourselves nor by a program that asks for the password.
    #[error("Only the administrator may change {at}")]
    NotAllowed { at: PathBuf, command: String },
    #[error("Could not change {at}")]
    Io { at: PathBuf, source: io::Error },
}

/// What asks for the administrator's password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `sudo`, in the person's terminal.
    Terminal,
    /// `pkexec`, in a window of the system.
    Window,
    Nobody,
}

impl Ask {
    fn program(self) -> Option<&'static str> {
        match self {
            Self::Terminal => Some("sudo"),
            Self::Window => Some("pkexec"),
            Self::Nobody => None,
        }
    }
}

/// Looks; changes nothing.
pub fn look(at: &Path, ours: &Path) -> SystemSocket {
    if cfg!(windows) {
        return SystemSocket::Unavailable;
    }
    match fs_err::symlink_metadata(at) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => SystemSocket::Free,
        Err(error) => SystemSocket::Taken {
            by: format!("not to be looked at: {error}"),
        },
        Ok(metadata) if metadata.is_symlink() => match fs_err::read_link(at) {
            Ok(target) if target == ours => SystemSocket::Ours,
            Ok(target) => SystemSocket::Taken {
                by: format!("a link to {}", target.display()),
            },
            Err(error) => SystemSocket::Taken {
                by: format!("a link that cannot be followed: {error}"),
            },
        },
        Ok(_) => SystemSocket::Taken {
            by: "the socket of another engine".into(),
        },
    }
}

/// Puts the link there. What stands there already is never replaced.
pub async fn link(at: &Path, ours: &Path, ask: Ask) -> Result<(), SocketError> {
    match look(at, ours) {
        SystemSocket::Ours => return Ok(()),
        SystemSocket::Taken { by } => return Err(SocketError::Taken { at: at.to_owned(), by }),
        SystemSocket::Unavailable => return Err(SocketError::Unavailable),
        SystemSocket::Free => {}
    }
    match make_link(at, ours) {
        Ok(()) => Ok(()),
        Err(error) if is_refusal(&error) => {
            with_rights(at, &["ln", "-s", &ours.to_string_lossy(), &at.to_string_lossy()], ask).await?;
            match look(at, ours) {
                SystemSocket::Ours => Ok(()),
                SystemSocket::Free | SystemSocket::Taken { .. } | SystemSocket::Unavailable => Err(not_allowed(
                    at,
                    &["ln", "-s", &ours.to_string_lossy(), &at.to_string_lossy()],
                )),
            }
        }
        Err(source) => Err(SocketError::Io {
            at: at.to_owned(),
            source,
        }),
    }
}

/// Takes the link away when it is ours; anything else stays.
pub async fn unlink(at: &Path, ours: &Path, ask: Ask) -> Result<(), SocketError> {
    match look(at, ours) {
        SystemSocket::Ours => {}
        SystemSocket::Free | SystemSocket::Taken { .. } | SystemSocket::Unavailable => return Ok(()),
    }
    match fs_err::remove_file(at) {
        Ok(()) => Ok(()),
        Err(error) if is_refusal(&error) => with_rights(at, &["rm", &at.to_string_lossy()], ask).await,
        Err(source) => Err(SocketError::Io {
            at: at.to_owned(),
            source,
        }),
    }
}

/// A folder of the administrator's, or one that nobody may write to.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

#[cfg(unix)]
fn make_link(at: &Path, ours: &Path) -> io::Result<()> {
    fs_err::os::unix::fs::symlink(ours, at)
}

#[cfg(not(unix))]
fn make_link(_at: &Path, _ours: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

async fn with_rights(at: &Path, arguments: &[&str], ask: Ask) -> Result<(), SocketError> {
    let refused = || not_allowed(at, arguments);
    let program = ask.program().ok_or_else(refused)?;
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    if ask == Ask::Window {
        command.stdin(Stdio::null());
    }
    match tokio::time::timeout(PASSWORD, command.status()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        // It is not installed, the person declined, or the password was wrong.
        Ok(Ok(_) | Err(_)) | Err(_) => Err(refused()),
    }
}

fn not_allowed(at: &Path, arguments: &[&str]) -> SocketError {
    let words = std::iter::once("sudo").chain(arguments.iter().copied());
    SocketError::NotAllowed {
        at: at.to_owned(),
        command: shlex::try_join(words).unwrap_or_default(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_free_place_takes_our_link_and_gives_it_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let (at, ours) = (folder.path().join("docker.sock"), folder.path().join("ours.sock"));
        assert_eq!(look(&at, &ours), SystemSocket::Free);
        link(&at, &ours, Ask::Nobody).await.expect("linked");
        // The machine is stopped, so the link leads nowhere yet. It is ours all the same.
        assert_eq!(look(&at, &ours), SystemSocket::Ours);
        link(&at, &ours, Ask::Nobody).await.expect("linked already");
        unlink(&at, &ours, Ask::Nobody).await.expect("removed");
        assert_eq!(look(&at, &ours), SystemSocket::Free);
    }

    #[tokio::test]
    async fn what_is_not_ours_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let (at, ours) = (folder.path().join("docker.sock"), folder.path().join("ours.sock"));
        fs_err::os::unix::fs::symlink("/elsewhere/docker.sock", &at).expect("linked");
        let error = link(&at, &ours, Ask::Nobody).await.expect_err("taken");
        assert!(
            error.to_string().ends_with("is a link to /elsewhere/docker.sock"),
            "{error}"
        );
        unlink(&at, &ours, Ask::Nobody).await.expect("nothing of ours");
        assert!(fs_err::symlink_metadata(&at).is_ok());
    }
}
