//! What all TLS connections share: the certificates and the session tickets.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, ProducesTickets};

use super::certificate::CertificateFiles;
use super::certificates::{CertificateSummary, Certificates};
use super::error::TlsError;
use crate::lock::lock;

/// The protocols that clients may ask for (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// The files of the server's certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The first one is for clients that name no server, or one that no certificate is for.
    pub pairs: Vec<CertificateFiles>,
}

/// Has the settings of rustls that hold for new connections.
#[derive(Debug)]
pub(crate) struct TlsAcceptor {
    settings: TlsSettings,
    current: Mutex<Current>,
}

#[derive(Clone, Debug)]
struct Current {
    certificates: Arc<Certificates>,
    config: Arc<ServerConfig>,
}

impl TlsAcceptor {
    /// Reads the certificates and keys, and logs a warning for each that clients refuse for its dates.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(crate) fn new(settings: TlsSettings) -> Result<Self, TlsError> {
        let certificates = Arc::new(Certificates::read(&settings.pairs)?);
        let tickets = ring::Ticketer::new().map_err(TlsError::Setup)?;
        let config = Arc::new(config(Arc::clone(&certificates), tickets)?);
        let acceptor = Self { settings, current: Mutex::new(Current { certificates, config }) };
        acceptor.log_warnings(Timestamp::now());
        Ok(acceptor)
    }

    /// The settings for a new connection.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&lock(&self.current).config)
    }

    /// Reads all certificates and keys again, for the connections that follow.
    ///
    /// A resumed session shows the client no certificate. So tickets are valid for as long as the certificates are
    /// the same: after a change all clients see the new ones, which may replace a key that is no longer secret.
    ///
    /// # Errors
    /// One of them cannot be used. All former ones remain in force.
    pub(crate) fn reload(&self) -> Result<Vec<CertificateSummary>, TlsError> {
        let certificates = Arc::new(Certificates::read(&self.settings.pairs)?);
        let former = lock(&self.current).clone();
        let tickets = if certificates.equal(&former.certificates) {
            Arc::clone(&former.config.ticketer)
        } else {
            ring::Ticketer::new().map_err(TlsError::Setup)?
        };
        let config = Arc::new(config(Arc::clone(&certificates), tickets)?);
        *lock(&self.current) = Current { certificates, config };
        let now = Timestamp::now();
        self.log_warnings(now);
        Ok(self.certificates(now))
    }

    /// What the operator sees of the certificates in force, in the order of the settings.
    pub(crate) fn certificates(&self, now: Timestamp) -> Vec<CertificateSummary> {
        lock(&self.current).certificates.summaries(now)
    }

    /// Logs a warning for each certificate that has become invalid, or is about to, since the last call.
    pub(crate) fn log_warnings(&self, now: Timestamp) {
        let certificates = Arc::clone(&lock(&self.current).certificates);
        for warning in certificates.new_warnings(now) {
            log::warn!("{warning}");
        }
    }
}

/// TLS 1.2 and 1.3 without early data and certificates of clients. Sessions are resumed by tickets alone, which
/// take no memory here.
///
/// The client's order of cipher suites decides: all are strong, and the client knows whether its processor has
/// instructions for AES.
fn config(
    certificates: Arc<Certificates>,
    tickets: Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = tickets;
    Ok(config)
}

#[cfg(test)]
mod tests;
