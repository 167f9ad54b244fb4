//! Why the server's certificates and keys cannot be used.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The keys that the server can sign with.
const USABLE_KEYS: &str = "RSA of 2048 to 4096 bits, P-256, P-384 or Ed25519";

/// What a file is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    Certificate,
    Key,
}

impl fmt::Display for TlsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Key => "key",
        })
    }
}

/// The server's certificates and keys cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The settings name no files.
    #[error("TLS needs a certificate and its key")]
    NoFiles,
    #[error("the certificate file {} is given twice", path.display())]
    Repeated { path: PathBuf },
    #[error("cannot read the {file} file {}", path.display())]
    Read { file: TlsFile, path: PathBuf, source: io::Error },
    /// Such as a directory or a FIFO, which could not be read again.
    #[error("the {file} file {} is not a regular file", path.display())]
    NotRegular { file: TlsFile, path: PathBuf },
    #[error("the {file} file {} is larger than 1 MiB", path.display())]
    TooLarge { file: TlsFile, path: PathBuf },
    #[error("the {file} file {} cannot be used", path.display())]
    Pem { file: TlsFile, path: PathBuf, source: PemError },
    #[error("certificate {number} in {} cannot be used", path.display())]
    Certificate { path: PathBuf, number: usize, source: CertificateError },
    #[error("the certificates in {} have {bytes} bytes, more than clients accept", path.display())]
    ChainTooLong { path: PathBuf, bytes: usize },
    /// The reason of the library beneath says no more than that it is none that it knows.
    #[error("the key in {} is damaged or not supported: it must be {USABLE_KEYS}", path.display())]
    Key { path: PathBuf },
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error(
        "the key in {} is that of certificate {number} in {}, which must be the first",
        key.display(),
        certificate.display()
    )]
    NotFirst { certificate: PathBuf, key: PathBuf, number: usize },
    /// The system gives no random numbers.
    #[error("cannot set up TLS")]
    Setup(#[source] rustls::Error),
}

/// Why a file has no certificate or key in PEM (RFC 7468).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PemError {
    #[error("it is empty")]
    Empty,
    #[error("it is PKCS#12, not PEM")]
    Pkcs12,
    #[error("it is DER, not PEM")]
    Der,
    #[error("it is not PEM")]
    NotPem,
    /// It has other blocks, with these labels.
    #[error("it has no {file}, only {found}")]
    Missing { file: TlsFile, found: String },
    #[error("its key is encrypted")]
    Encrypted,
    /// As of a file that is being written.
    #[error("its last block does not end")]
    NoEnd,
    #[error("a block is not valid base64")]
    Base64,
    #[error("a line that begins a block is damaged")]
    Begin,
}

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum CertificateError {
    #[error("it is damaged")]
    Damaged,
    #[error("it is X.509 version {0}, and clients accept only version 3")]
    Version(u32),
    #[error("its key is {0}, and the server can use only {USABLE_KEYS}")]
    KeyKind(KeyKind),
    #[error("it is not as RFC 5280 requires")]
    Refused(#[source] webpki::Error),
}

/// A kind of key that the server cannot sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Rsa { bits: usize },
    EllipticCurve { curve: String },
    Other { algorithm: String },
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA of {bits} bits"),
            Self::EllipticCurve { curve } => write!(f, "on the elliptic curve {curve}"),
            Self::Other { algorithm } => write!(f, "of the algorithm {algorithm}"),
        }
    }
}
