//! Debian's docker-registry on loopback: what Docker Hub is to a person.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::authority::Identity;
use crate::fetch::{free_port, get};
use crate::process::{Running, until};

pub struct Registry {
    port: u16,
    _process: Running,
    _folder: TempDir,
}

impl Registry {
    /// Serves what `storage` holds, and keeps there what is pushed.
    pub fn serve(storage: &Path) -> Registry {
        Self::start(storage, None)
    }

    /// The same over TLS, as this host.
    pub fn serve_as(storage: &Path, identity: &Identity) -> Registry {
        Self::start(storage, Some(identity))
    }

    fn start(storage: &Path, identity: Option<&Identity>) -> Registry {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let configuration = folder.path().join("registry.yml");
        let tls = identity.map_or_else(String::new, |identity| {
            format!(
                "  tls:\n    certificate: {}\n    key: {}\n",
                identity.certificate.display(),
                identity.key.display()
            )
        });
        fs_err::write(
            &configuration,
            format!(
                "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n{tls}",
                storage.display()
            ),
        )
        .expect("the configuration can be written");
        let process = Running::start(
            Command::new("docker-registry").arg("serve").arg(&configuration),
            &folder.path().join("registry.log"),
        );
        // One with TLS answers this too: that it wants TLS.
        until("the registry", || get(&format!("127.0.0.1:{port}")));
        Registry {
            port,
            _process: process,
            _folder: folder,
        }
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
