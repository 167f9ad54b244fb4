//! Files of certificates and keys in PEM (RFC 7468).
//!
//! Blocks other than those asked for are skipped, such as the parameters of an elliptic curve. So certificates
//! and their key may be in one file.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::{PemError, TlsError, TlsFile};
use crate::printable::Escaped;

/// Most bytes of a file; far more than any chain has.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Most blocks named in an error.
const MAX_LABELS: usize = 5;

/// Reads the certificates in a file.
///
/// # Errors
/// It cannot be read, or has none.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    decode(path, TlsFile::Certificate, |bytes| {
        CertificateDer::pem_slice_iter(bytes)
            .collect::<Result<Vec<_>, _>>()
            .map(|certificates| Some(certificates).filter(|certificates| !certificates.is_empty()))
    })
}

/// Reads the first private key in a file.
///
/// # Errors
/// It cannot be read, or has none.
pub(super) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    decode(path, TlsFile::Key, |bytes| PrivateKeyDer::pem_slice_iter(bytes).next().transpose())
}

/// Reads a file and decodes what it is read for.
fn decode<T>(
    path: &Path,
    file: TlsFile,
    blocks: impl Fn(&[u8]) -> Result<Option<T>, pem::Error>,
) -> Result<T, TlsError> {
    let bytes = read(path, file)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let failed = |source| TlsError::Pem { file, path: path.to_owned(), source };
    match blocks(bytes) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(failed(missing(bytes, file))),
        // An old form of encryption begins with fields, which are no base64.
        Err(_) if is_encrypted(bytes) => Err(failed(PemError::Encrypted)),
        Err(pem::Error::MissingSectionEnd { .. }) => Err(failed(PemError::NoEnd)),
        Err(pem::Error::IllegalSectionStart { .. }) => Err(failed(PemError::Begin)),
        Err(_) => Err(failed(PemError::Base64)),
    }
}

fn read(path: &Path, file: TlsFile) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { file, path: path.to_owned(), source };
    // Opening a FIFO would wait for its writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(TlsError::NotRegular { file, path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    let opened = fs::File::open(path).map_err(failed)?;
    let length = opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if length as u64 > MAX_FILE_BYTES {
        return Err(TlsError::TooLarge { file, path: path.to_owned() });
    }
    Ok(bytes)
}

/// Why there is nothing of what the file is read for.
fn missing(bytes: &[u8], file: TlsFile) -> PemError {
    let found = labels(bytes);
    if file == TlsFile::Key && is_encrypted(bytes) {
        PemError::Encrypted
    } else if !found.is_empty() {
        let found: Vec<String> =
            found[..found.len().min(MAX_LABELS)].iter().map(|it| Escaped(it).to_string()).collect();
        PemError::Missing { file, found: found.join(", ") }
    } else if bytes.trim_ascii().is_empty() {
        PemError::Empty
    } else {
        binary_format(bytes)
    }
}

/// The labels of the blocks, each once.
fn labels(bytes: &[u8]) -> Vec<&[u8]> {
    let mut labels = Vec::new();
    for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let label = line.strip_prefix(b"-----BEGIN ").map(<[u8]>::trim_ascii_end);
        if let Some(label) = label.and_then(|label| label.strip_suffix(b"-----"))
            && !labels.contains(&label)
        {
            labels.push(label);
        }
    }
    labels
}

/// Whether there is an encrypted key, of PKCS #8 or of the older form of OpenSSL (RFC 1421 §4.6.1.1).
fn is_encrypted(bytes: &[u8]) -> bool {
    labels(bytes).contains(&&b"ENCRYPTED PRIVATE KEY"[..])
        || bytes
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"Proc-Type: 4,ENCRYPTED"))
}

/// What a file without blocks is: a structure of ASN.1 in DER begins with the tag of a sequence and its length.
fn binary_format(bytes: &[u8]) -> PemError {
    let ([0x30, 0x82, _, _, content @ ..]
    | [0x30, 0x81, _, content @ ..]
    | [0x30, 0x00..=0x7f, content @ ..]) = bytes
    else {
        return PemError::NotPem;
    };
    // PFX has version 3 (RFC 7292 §4); versions of keys are lower, and certificates begin with a sequence.
    if content.starts_with(&[2, 1, 3]) { PemError::Pkcs12 } else { PemError::Der }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tls::test_certificates::{leaf, self_signed};

    #[test]
    fn each_way_in_which_a_file_is_none_of_its_kind_has_an_error_of_its_own() {
        let (certificate, key) = self_signed(&leaf(&["a.example"]));
        let (certificate, key) = (certificate.pem(), key.serialize_pem());
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIH=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let old_encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
             DEK-Info: AES-128-CBC,00\n\nMIH=\n-----END RSA PRIVATE KEY-----\n";
        let truncated = &certificate[..certificate.len() / 2];
        let other =
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
        let missing = |file, found: &str| Some(PemError::Missing { file, found: found.to_owned() });
        let (no_certificate, no_key) = (TlsFile::Certificate, TlsFile::Key);
        for (text, of_certificate, of_key) in [
            (certificate.as_bytes(), None, missing(no_key, "CERTIFICATE")),
            (key.as_bytes(), missing(no_certificate, "PRIVATE KEY"), None),
            (format!("{key}{certificate}").as_bytes(), None, None),
            (format!("\u{feff}text\r\n{certificate}{key}").as_bytes(), None, None),
            (certificate.replace('\n', "\r\n").as_bytes(), None, missing(no_key, "CERTIFICATE")),
            (b"", Some(PemError::Empty), Some(PemError::Empty)),
            (b" \n", Some(PemError::Empty), Some(PemError::Empty)),
            (b"certificate", Some(PemError::NotPem), Some(PemError::NotPem)),
            (b"0\x82\x01\x02\x30\x82", Some(PemError::Der), Some(PemError::Der)),
            (b"0\x81\x99\x02\x01\x00", Some(PemError::Der), Some(PemError::Der)),
            (b"0\x2e\x02\x01\x00", Some(PemError::Der), Some(PemError::Der)),
            (b"0\x82\x01\x02\x02\x01\x03", Some(PemError::Pkcs12), Some(PemError::Pkcs12)),
            (
                encrypted.as_bytes(),
                missing(no_certificate, "ENCRYPTED PRIVATE KEY"),
                Some(PemError::Encrypted),
            ),
            (old_encrypted.as_bytes(), Some(PemError::Encrypted), Some(PemError::Encrypted)),
            (truncated.as_bytes(), Some(PemError::NoEnd), Some(PemError::NoEnd)),
            (
                &certificate.as_bytes()[..certificate.len() - 9],
                Some(PemError::NoEnd),
                Some(PemError::NoEnd),
            ),
            (
                certificate.replacen("MII", "M!I", 1).as_bytes(),
                Some(PemError::Base64),
                Some(PemError::Base64),
            ),
            (
                certificate
                    .replacen("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE---", 1)
                    .as_bytes(),
                Some(PemError::Begin),
                Some(PemError::Begin),
            ),
            (
                format!("{other}{other}").as_bytes(),
                missing(no_certificate, "CERTIFICATE REQUEST"),
                missing(no_key, "CERTIFICATE REQUEST"),
            ),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("file.pem");
            fs::write(&path, text).unwrap();
            let shown = String::from_utf8_lossy(text);
            let problem = |error: TlsError| match error {
                TlsError::Pem { source, .. } => source,
                error => panic!("{error}: {shown}"),
            };
            assert_eq!(read_certificates(&path).err().map(problem), of_certificate, "{shown}");
            assert_eq!(read_key(&path).err().map(problem), of_key, "{shown}");
        }
    }

    #[test]
    fn parameters_of_a_curve_before_the_key_are_skipped() {
        let (_, key) = self_signed(&leaf(&["a.example"]));
        let text = format!(
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}",
            key.serialize_pem()
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        fs::write(&path, text).unwrap();
        assert_eq!(read_key(&path).unwrap().secret_der(), key.serialized_der());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_with_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("directory")).unwrap();
        fs::File::create(path("large")).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        for (name, part) in [
            ("none", "cannot read the"),
            ("directory", "is not a regular file"),
            ("large", "is larger than 1 MiB"),
        ] {
            for (file, error) in [
                ("certificate file", read_certificates(&path(name)).unwrap_err().to_string()),
                ("key file", read_key(&path(name)).unwrap_err().to_string()),
            ] {
                for part in [part, file, &path(name).to_string_lossy()] {
                    assert!(error.contains(part), "{name}: {error}");
                }
            }
        }
    }
}
