//! Why the files of certificates and keys cannot be used.

use std::path::PathBuf;

use rustls::pki_types::pem;
use thiserror::Error;

/// A certificate or its key cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read, or has no certificate or key.
    #[error("cannot read {}", path.display())]
    File { path: PathBuf, source: pem::Error },
    /// rustls refuses the certificate or its key.
    #[error("cannot use the certificate {}", certificate.display())]
    Certificate { certificate: PathBuf, source: rustls::Error },
}
