//! A certificate authority of the test's own, which nobody trusts who is not told to.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate and its key, as files.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("signed").pem();
        Authority {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// Its own certificate, for whoever shall trust it.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Makes a server's certificate for this host in the folder.
    pub fn identify(&self, host: &str, folder: &Path) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([host.to_owned()]).expect("a host's name");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed").pem();
        let identity = Identity {
            certificate: folder.join(format!("{host}.crt")),
            key: folder.join(format!("{host}.key")),
        };
        fs_err::write(&identity.certificate, certificate).expect("written");
        fs_err::write(&identity.key, key.serialize_pem()).expect("written");
        identity
    }
}
