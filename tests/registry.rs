//! Debian's docker-registry on loopback: what Docker Hub is to a person.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::authority::Identity;
use crate::fetch::{free_port, get};
use crate::process::{Running, until};
use crate::token::TokenServer;

/// `ada` with the password `s:cret`, as `htpasswd -B` writes it.
const USERS: &str = "ada:$2b$04$DXSKudHxfnebMENm0nAdn.JToNlv01R1KCeJA.u6xlEyU/mO29WRG\n";

/// Whom a registry lets in.
pub enum Guests<'a> {
    Everybody,
    /// `ada` with the password `s:cret`.
    Ada,
    /// Whoever has a token of this server's.
    WithToken(&'a TokenServer),
}

pub struct Registry {
    port: u16,
    _process: Running,
    _folder: TempDir,
}

impl Registry {
    /// Serves what `storage` holds, and keeps there what is pushed.
    pub fn serve(storage: &Path) -> Registry {
        Self::start(storage, None, &Guests::Everybody)
    }

    /// The same for some only.
    pub fn serve_for(storage: &Path, guests: &Guests<'_>) -> Registry {
        Self::start(storage, None, guests)
    }

    /// For some only, and over TLS.
    pub fn serve_as_for(storage: &Path, identity: &Identity, guests: &Guests<'_>) -> Registry {
        Self::start(storage, Some(identity), guests)
    }

    /// The same over TLS, as this host.
    pub fn serve_as(storage: &Path, identity: &Identity) -> Registry {
        Self::start(storage, Some(identity), &Guests::Everybody)
    }

    fn start(storage: &Path, identity: Option<&Identity>, guests: &Guests<'_>) -> Registry {
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
        let auth = match guests {
            Guests::Everybody => String::new(),
            Guests::Ada => {
                let users = folder.path().join("users");
                fs_err::write(&users, USERS).expect("the users can be written");
                format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", users.display())
            }
            Guests::WithToken(server) => {
                let certificate = folder.path().join("token.crt");
                fs_err::write(&certificate, server.certificate()).expect("the certificate can be written");
                format!(
                    "auth:\n  token:\n    realm: {}\n    service: {}\n    issuer: {}\n    rootcertbundle: {}\n",
                    server.realm(),
                    TokenServer::SERVICE,
                    TokenServer::ISSUER,
                    certificate.display()
                )
            }
        };
        fs_err::write(
            &configuration,
            format!(
                "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n{tls}{auth}",
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

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
