//! One certificate of the server: a pair of files in, a checked chain and its key out.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use webpki::EndEntityCert;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry as oid;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::error::{CertificateError, KeyKind, TlsError};
use super::pem_file::{read_certificates, read_key};
use super::validity::Validity;
use crate::printable::escape_text;

/// Bits of the RSA keys that ring signs with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Most bytes of a chain: rustls accepts no larger message of a handshake, and OpenSSL hardly more.
const MAX_CHAIN_BYTES: usize = 60_000;

/// The files of one certificate and its key, both PEM (RFC 7468). They may be the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those of the authorities between it and a root.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A certificate that the server presents, with its chain and its key.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) file: PathBuf,
    pub(super) key: Arc<CertifiedKey>,
    /// Whom it is for, in printable characters; IP addresses as well. May be empty.
    pub(super) names: Vec<String>,
    /// Of the whole chain, its own first.
    pub(super) validity: Vec<Validity>,
}

impl Certificate {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// They cannot be read, the server cannot use them, or they do not fit each other.
    pub(super) fn read(files: &CertificateFiles) -> Result<Self, TlsError> {
        let chain = read_certificates(&files.certificate)?;
        let bytes = chain.iter().map(|certificate| certificate.len()).sum();
        if bytes > MAX_CHAIN_BYTES {
            return Err(TlsError::ChainTooLong { path: files.certificate.clone(), bytes });
        }
        let (mut names, mut validity) = (Vec::new(), Vec::new());
        for (certificate, number) in chain.iter().zip(1..) {
            let failed = |source| {
                let path = files.certificate.clone();
                TlsError::Certificate { path, number, source }
            };
            let (_, parsed) = X509Certificate::from_der(certificate)
                .map_err(|_| failed(CertificateError::Damaged))?;
            let times = parsed.validity();
            let (begin, end) = (times.not_before.timestamp(), times.not_after.timestamp());
            validity.push(Validity::new(begin, end));
            if number == 1 {
                check(&parsed).map_err(failed)?;
                EndEntityCert::try_from(certificate)
                    .map_err(|error| failed(CertificateError::Refused(error)))?;
                names = names_of(&parsed);
            }
        }
        let key = fit(files, chain, &read_key(&files.key)?)?;
        Ok(Self { file: files.certificate.clone(), key: Arc::new(key), names, validity })
    }
}

/// Checks that clients accept a certificate of this kind, and that the server can sign with its key.
fn check(certificate: &X509Certificate<'_>) -> Result<(), CertificateError> {
    let version = certificate.version().0.saturating_add(1);
    if version != 3 {
        return Err(CertificateError::Version(version));
    }
    unusable_kind(certificate.public_key())
        .map_or(Ok(()), |kind| Err(CertificateError::KeyKind(kind)))
}

/// The kind of a key that ring cannot sign with.
fn unusable_kind(key: &SubjectPublicKeyInfo<'_>) -> Option<KeyKind> {
    let algorithm = &key.algorithm.algorithm;
    if *algorithm == oid::OID_PKCS1_RSAENCRYPTION {
        let bits = key.parsed().as_ref().map_or(0, PublicKey::key_size);
        return (!RSA_BITS.contains(&bits)).then_some(KeyKind::Rsa { bits });
    }
    if *algorithm == oid::OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = key.algorithm.parameters.as_ref().and_then(|it| it.as_oid().ok());
        let usable = [oid::OID_EC_P256, oid::OID_NIST_EC_P384];
        return match curve {
            Some(curve) if usable.contains(&curve) => None,
            Some(curve) => Some(KeyKind::EllipticCurve { curve: name_of(&curve) }),
            None => Some(KeyKind::EllipticCurve { curve: "without a name".to_owned() }),
        };
    }
    (*algorithm != oid::OID_SIG_ED25519).then(|| KeyKind::Other { algorithm: name_of(algorithm) })
}

/// Such as `secp521r1`, or else in numbers.
fn name_of(oid: &oid::Oid<'_>) -> String {
    let registry = oid::OidRegistry::default().with_crypto().with_x962();
    registry.get(oid).map_or_else(|| oid.to_id_string(), |entry| entry.sn().to_owned())
}

/// Whom a certificate is for: its subject alternative names (RFC 5280 §4.2.1.6).
fn names_of(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(escape_text(name)),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(|bytes| Ipv4Addr::from(bytes).to_string())
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(|it| Ipv6Addr::from(it).to_string()))
            .ok(),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

/// Puts a chain and a key together, if the key is that of the chain's first certificate.
fn fit(
    files: &CertificateFiles,
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    let key = ring::sign::any_supported_type(key)
        .map_err(|_| TlsError::Key { path: files.key.clone() })?;
    let pair = CertifiedKey::new(chain, key);
    if pair.keys_match().is_ok() {
        return Ok(pair);
    }
    let CertificateFiles { certificate, key } = files.clone();
    Err(match position(&pair.cert, &pair.key) {
        Some(number) => TlsError::NotFirst { certificate, key, number },
        None => TlsError::Mismatch { certificate, key },
    })
}

/// The number of the certificate in a chain that a key belongs to.
fn position(chain: &[CertificateDer<'static>], key: &Arc<dyn SigningKey>) -> Option<usize> {
    let fits = |certificate: &CertificateDer<'static>| {
        CertifiedKey::new(vec![certificate.clone()], Arc::clone(key)).keys_match().is_ok()
    };
    chain.iter().position(fits).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rcgen::{
        CustomExtension, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType, date_time_ymd,
        string::Ia5String,
    };
    use x509_parser::pem::parse_x509_pem;

    use super::*;
    use crate::server::tls::test_certificates::{
        Identity, leaf, self_signed, self_signed_with, signed, write,
    };

    fn read(identity: &Identity) -> Result<Certificate, TlsError> {
        let directory = tempfile::tempdir().unwrap();
        Certificate::read(&write(directory.path(), "a", identity))
    }

    #[test]
    fn a_certificate_has_its_names_and_times() {
        let mut parameters = leaf(&["a.example", "*.b.example", "192.0.2.1", "2001:db8::1"]);
        parameters.not_before = date_time_ymd(2024, 1, 1);
        parameters.not_after = date_time_ymd(2051, 2, 3);
        let mail = SanType::Rfc822Name(Ia5String::try_from("a@b.example").unwrap());
        parameters.subject_alt_names.push(mail);
        let odd = SanType::DnsName(Ia5String::try_from("a\nb").unwrap());
        parameters.subject_alt_names.push(odd);
        for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let certificate = read(&self_signed_with(&parameters, algorithm)).unwrap();
            let names = ["a.example", "*.b.example", "192.0.2.1", "2001:db8::1", "a\\u{a}b"];
            assert_eq!(certificate.names, names);
            let [Validity { not_before, not_after }] = certificate.validity[..] else { panic!() };
            assert_eq!(not_before.to_string(), "2024-01-01T00:00:00Z");
            assert_eq!(not_after.to_string(), "2051-02-03T00:00:00Z");
        }
    }

    #[test]
    fn a_key_must_be_that_of_the_first_certificate() {
        let authority = (leaf(&["authority"]), self_signed(&leaf(&["authority"])));
        let (certificate, key) = signed(&leaf(&["a.example"]), &authority.0, &authority.1.1);
        let (own, above) = (certificate.pem(), authority.1.0.pem());
        let other = self_signed(&leaf(&["a.example"])).1;
        let directory = tempfile::tempdir().unwrap();
        let files = write(directory.path(), "a", &(certificate, key));
        let (path, key_path) = (files.certificate.display(), files.key.display());
        let key = fs::read_to_string(&files.key).unwrap();
        for (chain, key, expected) in [
            (format!("{own}{above}"), key.clone(), String::new()),
            (
                format!("{above}{own}"),
                key.clone(),
                format!(
                    "the key in {key_path} is that of certificate 2 in {path}, which must be the first"
                ),
            ),
            (
                format!("{own}{above}"),
                other.serialize_pem(),
                format!("the key in {key_path} is not that of the certificate in {path}"),
            ),
            (
                own.clone(),
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(),
                format!(
                    "the key in {key_path} is damaged or not supported: it must be RSA of 2048 to 4096 bits, \
                     P-256, P-384 or Ed25519"
                ),
            ),
        ] {
            fs::write(&files.certificate, chain).unwrap();
            fs::write(&files.key, key).unwrap();
            let error = Certificate::read(&files).err().map_or(String::new(), |it| it.to_string());
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn each_certificate_of_a_chain_is_checked() {
        let identity = self_signed(&leaf(&["a.example"]));
        let own = identity.0.pem();
        let damaged = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
        let mut parameters = leaf(&["a.example"]);
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99], vec![5, 0]);
        extension.set_criticality(true);
        parameters.custom_extensions.push(extension);
        let critical = self_signed(&parameters).0.pem();
        let directory = tempfile::tempdir().unwrap();
        let files = write(directory.path(), "a", &identity);
        for (chain, number, reason) in [
            (damaged.to_owned(), 1, "it is damaged"),
            (format!("{own}{damaged}"), 2, "it is damaged"),
            (critical, 1, "it is not as RFC 5280 requires"),
        ] {
            fs::write(&files.certificate, chain).unwrap();
            let TlsError::Certificate { path, number: found, source } =
                Certificate::read(&files).unwrap_err()
            else {
                panic!()
            };
            assert_eq!((&*path, found), (Path::new(&files.certificate), number));
            assert!(source.to_string().starts_with(reason), "{source}");
        }
    }

    #[test]
    fn a_chain_is_no_longer_than_clients_accept() {
        let identity = self_signed(&leaf(&["a.example"]));
        let directory = tempfile::tempdir().unwrap();
        let files = write(directory.path(), "a", &identity);
        let length = identity.0.der().len();
        let most = MAX_CHAIN_BYTES / length;
        fs::write(&files.certificate, identity.0.pem().repeat(most)).unwrap();
        assert_eq!(Certificate::read(&files).unwrap().validity.len(), most);
        fs::write(&files.certificate, identity.0.pem().repeat(most + 1)).unwrap();
        let error = Certificate::read(&files).unwrap_err();
        let TlsError::ChainTooLong { bytes, .. } = error else { panic!("{error}") };
        assert_eq!(bytes, (most + 1) * length);
    }

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/fixtures/certificates/",
                $name,
                ".pem"
            ))
        };
    }

    /// OpenSSL has made these certificates: rcgen makes none of these kinds.
    #[test]
    fn a_certificate_that_clients_or_the_server_cannot_use_says_why() {
        for (pem, reason) in [
            (fixture!("version1"), "it is X.509 version 1, and clients accept only version 3"),
            (fixture!("rsa1024"), "its key is RSA of 1024 bits, and the server can use only RSA"),
            (fixture!("p521"), "its key is on the elliptic curve secp521r1, and"),
            (fixture!("ed448"), "its key is of the algorithm 1.3.101.113, and"),
        ] {
            let (_, block) = parse_x509_pem(pem.as_bytes()).unwrap();
            let error = check(&block.parse_x509().unwrap()).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
