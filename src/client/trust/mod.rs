//! Whose certificates are accepted on an `https` connection.
//!
//! The system's certificates are read when the first handshake needs them, since that takes longer than
//! many a download over `http`.

mod verifier;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

use super::redact::redacted_path;
use verifier::ServerVerifier;

/// Whose certificates are accepted; clones share what was read.
#[derive(Clone, Debug)]
pub struct Trust {
    anchors: Anchors,
    config: Arc<OnceLock<Result<Arc<ClientConfig>, Arc<TrustError>>>>,
}

#[derive(Clone, Debug)]
enum Anchors {
    System,
    These(Arc<[CertificateDer<'static>]>),
    Anybody,
}

/// Why there are no certificates to verify servers with.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The file cannot be read, or is not PEM.
    #[error("cannot read certificates from {}", redacted_path(path))]
    File {
        path: PathBuf,
        #[source]
        error: rustls::pki_types::pem::Error,
    },
    /// The file has no usable certificate.
    #[error("no certificate is in {}", redacted_path(path))]
    Empty { path: PathBuf },
    /// The system has no certificates, or none that can be read.
    #[error("the system has no certificates to trust")]
    System,
}

impl Trust {
    /// The certificates that the system trusts, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Anchors::System)
    }

    /// The certificates in this PEM file, and no others: authorities, and servers themselves.
    ///
    /// # Errors
    /// It cannot be read, or has none in it.
    pub fn from_file(path: &Path) -> Result<Self, TrustError> {
        let failure = |error| TrustError::File { path: path.to_owned(), error };
        let certificates = CertificateDer::pem_file_iter(path).map_err(failure)?;
        let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(failure)?;
        let usable =
            RootCertStore::empty().add_parsable_certificates(certificates.iter().cloned()).0;
        if usable == 0 {
            return Err(TrustError::Empty { path: path.to_owned() });
        }
        Ok(Self::new(Anchors::These(certificates.into())))
    }

    /// Whoever answers: the connection is kept from listeners, but nobody vouches for its other end.
    #[must_use]
    pub fn any_certificate() -> Self {
        Self::new(Anchors::Anybody)
    }

    fn new(anchors: Anchors) -> Self {
        Self { anchors, config: Arc::default() }
    }

    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, Arc<TrustError>> {
        self.config.get_or_init(|| self.load().map(Arc::new).map_err(Arc::new)).clone()
    }

    fn load(&self) -> Result<ClientConfig, TrustError> {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let verifier = match &self.anchors {
            Anchors::System => ServerVerifier::trusting(system_certificates()?, algorithms),
            Anchors::These(these) => ServerVerifier::trusting(these.to_vec(), algorithms),
            Anchors::Anybody => ServerVerifier::accepting_all(algorithms),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3");
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// That of the system.
impl Default for Trust {
    fn default() -> Self {
        Self::system()
    }
}

fn system_certificates() -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        log::warn!("a certificate of the system cannot be read: {error}");
    }
    if found.certs.is_empty() { Err(TrustError::System) } else { Ok(found.certs) }
}
