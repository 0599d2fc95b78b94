//! Whose certificates are accepted at a registry for which the person keeps some: those that the system trusts, those
//! made by one that is kept, and the kept ones themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use crate::registry::RegistryError;

/// The certificates that the person keeps for one registry, where docker keeps them.
pub fn certificate_files(registry: &str) -> Vec<PathBuf> {
    let own = etcetera::home_dir().map(|home| home.join(".docker/certs.d")).ok();
    let folders = [PathBuf::from("/etc/docker/certs.d")].into_iter().chain(own);
    let mut files: Vec<PathBuf> = folders
        .filter_map(|folder| fs_err::read_dir(folder.join(registry)).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.extension() == Some("crt".as_ref()) && Path::is_file(path))
        .collect();
    files.sort();
    files
}

/// How to talk to a registry for which certificates are kept. Nothing where there are none.
pub(super) fn of(registry: &str) -> Result<Option<ClientConfig>, RegistryError> {
    let mut kept = Vec::new();
    for file in certificate_files(registry) {
        let text = fs_err::read(&file).unwrap_or_default();
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        kept.extend(certificates.map_err(|source| RegistryError::BadCertificate { file, source })?);
    }
    if kept.is_empty() {
        return Ok(None);
    }
    trusting(kept).map(Some).map_err(|source| RegistryError::BadTrust {
        registry: registry.to_owned(),
        source,
    })
}

fn trusting(kept: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let provider = CryptoProvider::get_default().map_or_else(|| Arc::new(aws_lc_rs::default_provider()), Arc::clone);
    let ordinary = Verifier::new_with_extra_roots(kept.iter().cloned(), provider.clone())?;
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(KeptVerifier { kept, ordinary }))
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

/// `openssl req -x509` makes a certificate that says of itself that it is an authority's. As a server's own, rustls
/// refuses such a one, whoever trusts it; docker's engine, written in Go, does not. It is accepted here where the very
/// same stands in the registry's folder.
#[derive(Debug)]
struct KeptVerifier {
    kept: Vec<CertificateDer<'static>>,
    /// The system's authorities and what is kept.
    ordinary: Verifier,
}

impl ServerCertVerifier for KeptVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // Asked before the ordinary one, which writes an error into the log for each that it refuses.
        if self.kept.contains(end_entity)
            && let Ok(certificate) = ParsedCertificate::try_from(end_entity)
            && is_current_authority(&certificate, now)
        {
            verify_server_name(&certificate, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.ordinary
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.ordinary.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.ordinary.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.ordinary.supported_verify_schemes()
    }
}

/// Whether being an authority's is all that speaks against it. webpki looks at a certificate's time first, then at what
/// it is for, and only then at who made it, so that it needs nobody to trust for this.
fn is_current_authority(certificate: &ParsedCertificate<'_>, now: UnixTime) -> bool {
    let verdict = verify_server_cert_signed_by_trust_anchor(certificate, &RootCertStore::empty(), &[], now, &[]);
    matches!(
        verdict,
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(reason))))
            if reason.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
    )
}
