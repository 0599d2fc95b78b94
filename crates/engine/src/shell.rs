//! Which shells a container has, who may use them, and a shell for containers that have none.

use std::io::Read as _;

use futures::StreamExt as _;
use http_body_util::BodyDataStream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use ts_rs::TS;

use crate::error::Subject;
use crate::transport::Call;
use crate::{Attached, Engine, Error, TerminalSize, name, wire};

/// On the container of a debug shell, with the id of the container it looks into.
pub const DEBUG_LABEL: &str = "app.wherry.debug";

/// In the order in which a person would rather have them, with the places where they are.
const SHELLS: [(&str, &[&str]); 4] = [
    ("bash", &["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"]),
    ("zsh", &["/bin/zsh", "/usr/bin/zsh", "/usr/local/bin/zsh"]),
    ("ash", &["/bin/ash", "/usr/bin/ash"]),
    ("sh", &["/bin/sh", "/usr/bin/sh", "/busybox/sh"]),
];

/// A list of users is short; what is longer is none.
const LONGEST_PASSWD: usize = 256 << 10;

/// What a terminal in a container can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Shells {
    /// Paths, the best first; none in an image without a shell.
    pub shells: Vec<String>,
    /// Those of the container's own list of users who can have a shell.
    pub users: Vec<ShellUser>,
    /// Whom the container's own program runs as, as the image or the person wrote it; `None` is root.
    pub user: Option<String>,
    /// The container's own program has a terminal to attach to.
    pub terminal: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ShellUser {
    pub name: String,
    pub id: u32,
}

/// A container that looks into another one.
pub struct DebugShell {
    /// Of the helper, which the engine removes when its shell ends.
    pub id: String,
    /// Where the other container's files are in it.
    pub root: String,
    pub attached: Attached,
}

impl Engine {
    pub async fn shells(&self, container: &str) -> Result<Shells, Error> {
        let inspect = self.inspect_container(container).await?;
        let found =
            futures::future::try_join_all(SHELLS.map(|(_, paths)| self.first_there(&inspect.id, paths))).await?;
        let passwd = self.small_file(&inspect.id, "/etc/passwd", LONGEST_PASSWD).await?;
        Ok(Shells {
            shells: found.into_iter().flatten().map(str::to_owned).collect(),
            users: passwd.as_deref().map(users).unwrap_or_default(),
            user: Some(inspect.config.user).filter(|user| !user.is_empty()),
            terminal: inspect.config.tty && inspect.config.open_stdin,
        })
    }

    async fn first_there<'a>(&self, container: &str, paths: &[&'a str]) -> Result<Option<&'a str>, Error> {
        for path in paths {
            let call = Call::head(
                format!("/containers/{}/archive", name::container(container)?),
                Subject::Container(container),
                "look for a shell",
            );
            match self.client().await?.done(call.query("path", path)).await {
                Ok(()) => return Ok(Some(path)),
                // 404 is "no such file"; other refusals are of odd files, which are no shells.
                Err(Error::NotFound { .. } | Error::Refused { .. } | Error::InUse { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// A file of a container, when there is one and it is small.
    pub(crate) async fn small_file(&self, container: &str, path: &str, limit: usize) -> Result<Option<Vec<u8>>, Error> {
        let call = Call::get(
            format!("/containers/{}/archive", name::container(container)?),
            Subject::Container(container),
            "read a file of the container",
        );
        let body = match self.client().await?.open(call.query("path", path)).await {
            Ok(answer) => answer.into_body(),
            Err(Error::NotFound { .. } | Error::Refused { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut body = BodyDataStream::new(body);
        let mut archive = Vec::new();
        while let Some(bytes) = body.next().await {
            archive.extend_from_slice(&bytes.map_err(|source| Error::BrokenOff { source: source.into() })?);
            if archive.len() > limit + (4 << 10) {
                return Ok(None);
            }
        }
        let read = || -> std::io::Result<Option<Vec<u8>>> {
            let mut archive = tar::Archive::new(archive.as_slice());
            let Some(entry) = archive.entries()?.next() else {
                return Ok(None);
            };
            let mut entry = entry?;
            if !entry.header().entry_type().is_file() {
                return Ok(None);
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            Ok(Some(content))
        };
        read().map_err(|source| Error::Garbled { source: source.into() })
    }

    /// Starts a shell of `image` in the processes and the network of a container that runs.
    pub async fn debug_shell(&self, container: &str, image: &str, size: TerminalSize) -> Result<DebugShell, Error> {
        let inspect = self.inspect_container(container).await?;
        let shared = format!("container:{}", inspect.id);
        // Where processes are those of the whole computer, number 1 is not the container's.
        let root = if inspect.host_config.pid_mode == "host" {
            format!("/proc/{}/root", inspect.state.pid)
        } else {
            "/proc/1/root".to_owned()
        };
        let body = json!({
            "Image": image,
            "Entrypoint": ["sh"],
            "Cmd": [],
            "User": "0",
            "Tty": true, "OpenStdin": true, "StdinOnce": true,
            "AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
            "Env": ["TERM=xterm-256color"],
            "Labels": { DEBUG_LABEL: inspect.id },
            "HostConfig": {
                "AutoRemove": true,
                "PidMode": if inspect.host_config.pid_mode == "host" { "host" } else { &shared },
                "NetworkMode": shared,
                "CapAdd": ["SYS_PTRACE"],
            },
        });
        let client = self.client().await?;
        let call = Call::post("/containers/create", Subject::Image(image), "create the debug shell").json(&body);
        let created: wire::Created = client.value(call).await?;
        let attached = async {
            // Attached before it starts, so that its first prompt is not missed.
            let attached = self.attach(&created.id, size).await?;
            self.start(&created.id).await?;
            Ok::<Attached, Error>(attached)
        };
        match attached.await {
            Ok(attached) => {
                if let Err(error) = self.resize_container(&created.id, size).await {
                    tracing::debug!(%error, "the terminal has not got its size");
                }
                Ok(DebugShell {
                    id: created.id,
                    root,
                    attached,
                })
            }
            Err(error) => {
                if let Err(error) = self.remove(&created.id, crate::Removal::FORCED).await {
                    tracing::debug!(%error, "the helper that did not start stays");
                }
                Err(error)
            }
        }
    }
}

/// `name:password:id:group:comment:home:shell`
fn users(passwd: &[u8]) -> Vec<ShellUser> {
    let mut users: Vec<ShellUser> = String::from_utf8_lossy(passwd)
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [user, _, id, _, _, _, shell] = fields.as_slice() else {
                return None;
            };
            let never = ["nologin", "false", "sync", "halt", "shutdown"];
            if user.is_empty() || never.iter().any(|no| shell.ends_with(no)) {
                return None;
            }
            Some(ShellUser {
                name: (*user).to_owned(),
                id: id.parse().ok()?,
            })
        })
        .collect();
    users.sort_by_key(|user| user.id);
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_have_a_shell_is_listed() {
        let passwd = b"root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\nsync:x:4:65534:sync:/bin:/bin/sync\napp:x:1000:1000::/app:/bin/sh\nodd line\n:x:5:5::/:/bin/sh\n";
        let found = users(passwd);
        let names: Vec<(&str, u32)> = found.iter().map(|user| (user.name.as_str(), user.id)).collect();
        assert_eq!(names, [("root", 0), ("app", 1000)]);
    }
}
