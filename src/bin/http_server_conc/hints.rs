//! Advice about errors, in terms of the command line.

use std::error::Error;
use std::io;
use std::path::Path;

use http_concurrent::server::{
    CertificateError, ListenError, PasswordFileError, PasswordLineError, PemError, SiteError,
    StartError, TlsError, TlsFile,
};
use rustix::io::Errno;

/// Advice about an error of the start: in brackets after a space, or nothing.
pub(crate) fn hint(error: &StartError) -> String {
    let source = error.source().and_then(<dyn Error>::downcast_ref);
    if source.and_then(Errno::from_io_error) == Some(Errno::MFILE) {
        return " (raise the limit of descriptors with ulimit -n)".to_owned();
    }
    let hint = match error {
        StartError::Tls(error) => return tls_hint(error),
        StartError::Passwords(error) => passwords_hint(error),
        StartError::Site(SiteError::Denied { .. }) => {
            " (in a sandbox, allow openat2 in its system-call filter)"
        }
        StartError::Site(_) => " (choose another directory with --root)",
        StartError::Listen(error) => return listen_hint(error, "-p"),
        StartError::ListenForRedirects(error) => return listen_hint(error, "--redirect-http"),
        StartError::Pipe(_) => "",
        StartError::Thread(_) => " (raise the limit of threads with ulimit -u)",
    };
    hint.to_owned()
}

/// Advice about a port, which `option` chooses.
fn listen_hint(error: &ListenError, option: &str) -> String {
    match error.source.kind() {
        io::ErrorKind::AddrInUse => format!(" (another server? choose another port with {option})"),
        io::ErrorKind::PermissionDenied => {
            format!(" (ports below 1024 need privileges: choose a higher port with {option})")
        }
        io::ErrorKind::AddrNotAvailable => {
            " (no interface has this address: choose another address with --bind)".to_owned()
        }
        _ => String::new(),
    }
}

/// Advice about an error of the password file.
pub(crate) fn passwords_hint(error: &PasswordFileError) -> &'static str {
    match error {
        PasswordFileError::Line { source: PasswordLineError::Hash(_), .. } => {
            " (make one with htpasswd -nB USER)"
        }
        _ => " (choose another file with --auth)",
    }
}

/// Advice about an error of the certificates and keys.
pub(crate) fn tls_hint(error: &TlsError) -> String {
    let option = |file: &TlsFile| match file {
        TlsFile::Certificate => "--tls-cert",
        TlsFile::Key => "--tls-key",
    };
    let advice = match error {
        TlsError::NoFiles => "give them with --tls-cert and --tls-key".to_owned(),
        TlsError::Repeated { .. } => "give each --tls-cert once".to_owned(),
        TlsError::Read { file, source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            format!("let this user read it, or choose another file with {}", option(file))
        }
        TlsError::Read { file, .. }
        | TlsError::NotRegular { file, .. }
        | TlsError::TooLarge { file, .. } => {
            format!("choose another file with {}", option(file))
        }
        TlsError::Pem { file, path, source } => pem_advice(*file, path, source, option(file)),
        TlsError::Certificate { source: CertificateError::KeyKind(_), .. } => {
            "make a key with openssl ecparam -name prime256v1 -genkey -noout, and a certificate for it".to_owned()
        }
        TlsError::Certificate { source: CertificateError::Version(_), .. } => {
            "openssl makes version 3 with -addext subjectAltName=DNS:NAME".to_owned()
        }
        TlsError::Certificate { .. } => "choose another file with --tls-cert".to_owned(),
        TlsError::Key { path } => {
            let path = path.display();
            format!("openssl pkey -in {path} -noout -text shows what it is; choose another file with --tls-key")
        }
        TlsError::Mismatch { .. } => {
            "give --tls-cert and --tls-key in the same order, each key after its certificate".to_owned()
        }
        TlsError::ChainTooLong { .. } => {
            "leave only the server's own certificate and those between it and a root".to_owned()
        }
        TlsError::NotFirst { .. } => {
            "put the server's own certificate before those of the authorities".to_owned()
        }
        TlsError::Setup(_) => return String::new(),
    };
    format!(" ({advice})")
}

/// How to make a file of PEM from this one, or to choose another one with `option`.
fn pem_advice(file: TlsFile, path: &Path, error: &PemError, option: &str) -> String {
    let path = path.display();
    match (error, file) {
        (PemError::Encrypted, _) => format!("decrypt it: openssl pkey -in {path} -out FILE"),
        (PemError::Pkcs12, TlsFile::Certificate) => {
            format!("convert it: openssl pkcs12 -in {path} -nokeys -out FILE")
        }
        (PemError::Pkcs12, TlsFile::Key) => {
            format!("convert it: openssl pkcs12 -in {path} -nocerts -nodes -out FILE")
        }
        (PemError::Der, TlsFile::Certificate) => {
            format!("convert it: openssl x509 -inform der -in {path} -out FILE")
        }
        (PemError::Der, TlsFile::Key) => {
            format!("convert it: openssl pkey -inform der -in {path} -out FILE")
        }
        (PemError::NoEnd, _) => {
            format!("is it being written? or choose another file with {option}")
        }
        _ => format!("choose another file with {option}"),
    }
}
