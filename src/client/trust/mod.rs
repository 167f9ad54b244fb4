//! The certificates that are trusted on `https` connections.
//!
//! The system's certificates are read at the first handshake: that can take longer than a download over
//! `http`, which does not need them.

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

/// The certificates that are trusted. Clones share those that were read.
#[derive(Clone, Debug)]
pub struct Trust {
    anchors: Anchors,
    config: Arc<OnceLock<Result<Arc<ClientConfig>, Arc<TrustError>>>>,
}

#[derive(Clone, Debug)]
enum Anchors {
    System,
    Only(Arc<[CertificateDer<'static>]>),
    Any,
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
    /// The system's certificates, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Anchors::System)
    }

    /// Only the certificates in this PEM file, of authorities or of servers.
    ///
    /// # Errors
    /// If the file cannot be read or has no usable certificate.
    pub fn from_file(path: &Path) -> Result<Self, TrustError> {
        let failure = |error| TrustError::File { path: path.to_owned(), error };
        let certificates = CertificateDer::pem_file_iter(path).map_err(failure)?;
        let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(failure)?;
        let usable =
            RootCertStore::empty().add_parsable_certificates(certificates.iter().cloned()).0;
        if usable == 0 {
            return Err(TrustError::Empty { path: path.to_owned() });
        }
        Ok(Self::new(Anchors::Only(certificates.into())))
    }

    /// Any certificate: the connection is encrypted, but the server is not authenticated.
    #[must_use]
    pub fn any_certificate() -> Self {
        Self::new(Anchors::Any)
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
            Anchors::Only(certificates) => {
                ServerVerifier::trusting(certificates.to_vec(), algorithms)
            }
            Anchors::Any => ServerVerifier::accepting_all(algorithms),
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

impl Default for Trust {
    fn default() -> Self {
        Self::system()
    }
}

fn system_certificates() -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        log::warn!("cannot read a certificate of the system: {error}");
    }
    if found.certs.is_empty() { Err(TrustError::System) } else { Ok(found.certs) }
}
