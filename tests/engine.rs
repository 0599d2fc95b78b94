//! A native dockerd of the test's own: own data, own socket, one at a time on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Running, run, until};
use crate::tools;

/// Runs dockerd in another root (`$0`) that has this computer's devices and temporary files. With `chroot` alone what is
/// executed in a container would see this computer's root.
const CHANGED_ROOT: &str = r#"
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"
mount --rbind /sys "$0/sys"
mount --rbind /dev "$0/dev"
mount --rbind /tmp "$0/tmp"
mount -t tmpfs tmpfs "$0/run"
cd "$0"
pivot_root . mnt
umount -l mnt
exec dockerd "$@"
"#;

pub struct Engine {
    process: Running,
    folder: TempDir,
    // Daemons share the host's docker0 bridge and its packet filter, so a second one waits for the first.
    _turn: fs_err::File,
}

impl Engine {
    /// Starts it, with `mirror` (`127.0.0.1:PORT`) in place of Docker Hub when given.
    pub fn start(mirror: Option<&str>) -> Engine {
        let mut command = Command::new("dockerd");
        if let Some(mirror) = mirror {
            command.arg("--registry-mirror").arg(format!("http://{mirror}"));
        }
        Engine::run(command)
    }

    /// The same with a GPU's toolkit that gives containers nothing, in `folder`: what the engine is asked of GPUs can be
    /// seen where there is none.
    pub fn with_toolkit(mirror: &str, folder: &Path) -> Engine {
        let hook = folder.join("nvidia-container-runtime-hook");
        fs_err::write(&hook, "#!/bin/sh\nexit 0\n").expect("the toolkit can be written");
        run(Command::new("chmod").arg("+x").arg(&hook));
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("dockerd");
        command
            .env("PATH", format!("{}:{path}", folder.display()))
            .arg("--registry-mirror")
            .arg(format!("http://{mirror}"));
        Engine::run(command)
    }

    /// The engine that is in the machine's image too, from Debian 13, with these environment variables.
    pub fn of_debian_13(environment: &[(&str, &str)]) -> Engine {
        let root = tools::debian_with_engine();
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-e", "-c", CHANGED_ROOT])
            .arg(&root)
            // Those of other networks on this computer are left alone.
            .args(["--default-address-pool", "base=10.199.0.0/16,size=24"])
            .envs(environment.iter().copied());
        Engine::run(command)
    }

    /// Runs it by a command that lacks the settings that each has of its own.
    fn run(mut command: Command) -> Engine {
        let turn = fs_err::File::create(std::env::temp_dir().join("wherry-test-engine.lock")).expect("a lock file");
        turn.file().lock().expect("the lock");
        // Short: the path of a socket has at most 104 bytes.
        let folder = tempfile::Builder::new()
            .prefix("we")
            .tempdir_in("/tmp")
            .expect("a temporary folder");
        let at = folder.path();
        command
            .arg("--data-root")
            .arg(at.join("data"))
            .arg("--exec-root")
            .arg(at.join("exec"))
            .arg("--pidfile")
            .arg(at.join("dockerd.pid"))
            .arg("--host")
            .arg(format!("unix://{}", at.join("docker.sock").display()))
            // What breaks off is tried again after 5 s, then after 10 s, 15 s and so on.
            .args(["--max-download-attempts", "2"])
            .args(["--log-level", "warn"]);
        let mut process = Running::start(&mut command, &at.join("dockerd.log"));
        let socket = at.join("docker.sock");
        until("the engine to answer", || {
            assert!(
                crate::process::alive(process.pid()),
                "dockerd ended: {}",
                fs_err::read_to_string(at.join("dockerd.log")).unwrap_or_default()
            );
            let answer = Command::new("docker")
                .arg("--host")
                .arg(host(&socket))
                .arg("version")
                .output()
                .ok()?;
            answer.status.success().then_some(())
        });
        let _ = &mut process;
        Engine {
            process,
            folder,
            _turn: turn,
        }
    }

    /// A folder of its own, at the same path for its containers' mounts.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// As `DOCKER_HOST` writes it.
    pub fn address(&self) -> String {
        host(&self.socket())
    }

    /// This computer as its containers see it. An engine asks what is there as it asks anybody.
    pub fn bridge(&self) -> String {
        let format = "{{(index .IPAM.Config 0).Subnet}}";
        let subnet = run(self.docker().args(["network", "inspect", "bridge", "--format", format]));
        // An engine says its bridge's gateway only when the bridge was there before it. It is the first address.
        let (network, _) = subnet.trim().rsplit_once('.').expect("a subnet");
        format!("{network}.1")
    }

    /// The docker command against this engine.
    pub fn docker(&self) -> Command {
        docker(&self.socket())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let containers = run(self.docker().args(["ps", "--all", "--quiet"]));
        for container in containers.lines() {
            let _ = crate::process::output(self.docker().args(["rm", "--force", container]));
        }
        // Their bridges would stay on this computer for ever, and the next engines find no address that is free.
        let _ = crate::process::output(self.docker().args(["network", "prune", "--force"]));
        self.process.stop();
    }
}

/// The docker command against a socket, untouched by the person's own configuration.
pub fn docker(socket: &Path) -> Command {
    let mut command = Command::new("docker");
    command.arg("--host").arg(host(socket));
    command
        .env_remove("DOCKER_HOST")
        .env_remove("DOCKER_CONTEXT")
        .env("DOCKER_CONFIG", "/nonexistent/wherry-test");
    command
}

fn host(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}
