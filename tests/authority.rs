//! A certificate authority of the test's own, which nobody trusts who is not told to.

use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::process::run;

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
        Identity::written(host, folder, &certificate, &key)
    }
}

impl Identity {
    /// What people make at home for their own server. The certificate says of itself that it is an authority's.
    pub fn self_signed(host: &str, folder: &Path) -> Identity {
        let identity = Identity::named(host, folder);
        run(Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
            .args(["-subj", &format!("/CN={host}")])
            .args(["-addext", &format!("subjectAltName=DNS:{host}")])
            .arg("-out")
            .arg(&identity.certificate)
            .arg("-keyout")
            .arg(&identity.key));
        identity
    }

    /// The same, made long ago: the openssl of many systems makes none whose time is over.
    pub fn self_signed_and_expired(host: &str, folder: &Path) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([host.to_owned()]).expect("a host's name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        let certificate = params.self_signed(&key).expect("signed").pem();
        Identity::written(host, folder, &certificate, &key)
    }

    fn named(host: &str, folder: &Path) -> Identity {
        Identity {
            certificate: folder.join(format!("{host}.crt")),
            key: folder.join(format!("{host}.key")),
        }
    }

    fn written(host: &str, folder: &Path, certificate: &str, key: &KeyPair) -> Identity {
        let identity = Identity::named(host, folder);
        fs_err::write(&identity.certificate, certificate).expect("written");
        fs_err::write(&identity.key, key.serialize_pem()).expect("written");
        identity
    }
}
