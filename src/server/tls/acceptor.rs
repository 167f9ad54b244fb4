//! What all TLS connections share: the certificates and the session tickets.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsError;
use crate::lock::lock;

/// The files of the server's certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The first one is for clients that name no server, or one that no certificate is for.
    pub pairs: Vec<CertificateFiles>,
}

/// The files of one certificate and its key, both PEM (RFC 7468). They may be the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those of the authorities between it and a root.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Has the settings of rustls that hold for new connections.
#[derive(Debug)]
pub(crate) struct TlsAcceptor {
    settings: TlsSettings,
    config: Mutex<Arc<ServerConfig>>,
}

impl TlsAcceptor {
    /// Reads the certificates and keys.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(crate) fn new(settings: TlsSettings) -> Result<Self, TlsError> {
        let config = Mutex::new(read(&settings)?);
        Ok(Self { settings, config })
    }

    /// The settings for a new connection.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&lock(&self.config))
    }

    /// Reads the certificates and keys again, for the connections that follow.
    ///
    /// # Errors
    /// One of them cannot be used. The former ones remain in force.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        *lock(&self.config) = read(&self.settings)?;
        Ok(())
    }
}

fn read(settings: &TlsSettings) -> Result<Arc<ServerConfig>, TlsError> {
    let CertificateFiles { certificate, key } = &settings.pairs[0];
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|source| TlsError::File { path: certificate.clone(), source })?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|source| TlsError::File { path: key.clone(), source })?;
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|source| TlsError::Certificate { certificate: certificate.clone(), source })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    Ok(Arc::new(config))
}
