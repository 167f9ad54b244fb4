//! All certificates of the server: which one a client gets, and warnings when one ends.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rustls::SignatureScheme;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

use super::certificate::{Certificate, CertificateFiles};
use super::error::TlsError;
use super::validity::{Validity, ValidityState};
use crate::lock::lock;
use crate::printable::escape_text;

/// Most names in a title.
const MAX_TITLE_NAMES: usize = 3;

/// The certificates that the server presents.
#[derive(Debug)]
pub(super) struct Certificates {
    /// Never empty.
    all: Vec<Certificate>,
    /// What the log has said of each certificate of each chain.
    reported: Mutex<Vec<Vec<ValidityState>>>,
}

/// What the operator sees of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSummary {
    pub file: PathBuf,
    /// Whom it is for, in printable characters. May be empty.
    pub names: Vec<String>,
    pub validity: Validity,
    pub state: ValidityState,
}

impl CertificateSummary {
    /// The first names, or else the file, in printable characters.
    #[must_use]
    pub fn title(&self) -> String {
        if self.names.is_empty() {
            return escape_text(&self.file.to_string_lossy());
        }
        let shown = self.names.len().min(MAX_TITLE_NAMES);
        let names = self.names[..shown].join(", ");
        match self.names.len() - shown {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    }
}

/// A certificate that clients refuse, or will soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ValidityWarning {
    file: PathBuf,
    /// In the chain.
    number: usize,
    state: ValidityState,
    validity: Validity,
}

impl Certificates {
    /// Reads all pairs of files.
    ///
    /// # Errors
    /// A pair cannot be used, or its certificate is given twice.
    pub(super) fn read(pairs: &[CertificateFiles]) -> Result<Self, TlsError> {
        let mut seen = HashSet::new();
        if let Some(pair) = pairs.iter().find(|pair| !seen.insert(&pair.certificate)) {
            return Err(TlsError::Repeated { path: pair.certificate.clone() });
        }
        let all = pairs.iter().map(Certificate::read).collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() {
            return Err(TlsError::NoFiles);
        }
        let unreported = |it: &Certificate| vec![ValidityState::Valid; it.validity.len()];
        let reported = Mutex::new(all.iter().map(unreported).collect());
        Ok(Self { all, reported })
    }

    /// Whether both have the same chains in the same order, and so the same keys.
    pub(super) fn equal(&self, other: &Self) -> bool {
        self.all.iter().map(|it| &it.key.cert).eq(other.all.iter().map(|it| &it.key.cert))
    }

    pub(super) fn summaries(&self, now: Timestamp) -> Vec<CertificateSummary> {
        let summary = |it: &Certificate| CertificateSummary {
            file: it.file.clone(),
            names: it.names.clone(),
            validity: it.validity[0],
            state: it.validity[0].state(now),
        };
        self.all.iter().map(summary).collect()
    }

    /// The certificates that have become invalid, or are about to, since the last call.
    pub(super) fn new_warnings(&self, now: Timestamp) -> Vec<ValidityWarning> {
        let mut warnings = Vec::new();
        for (certificate, reported) in self.all.iter().zip(lock(&self.reported).iter_mut()) {
            for ((validity, reported), number) in certificate.validity.iter().zip(reported).zip(1..)
            {
                let state = validity.state(now);
                if std::mem::replace(reported, state) != state && state != ValidityState::Valid {
                    let file = certificate.file.clone();
                    warnings.push(ValidityWarning { file, number, state, validity: *validity });
                }
            }
        }
        warnings
    }

    /// The first certificate that is for the name and whose key can sign as the client accepts; else the first
    /// whose key can, as there is a chance that the client accepts another name. A handshake with the very
    /// first fails if none can.
    ///
    /// Without a name, or if no certificate is for it, that is the first, as with nginx and Apache.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> &Arc<CertifiedKey> {
        let can_sign = |it: &&Certificate| it.key.key.choose_scheme(schemes).is_some();
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        let is_for_name = |it: &&Certificate| name.as_ref().is_some_and(|name| it.is_for(name));
        let usable = || self.all.iter().filter(can_sign);
        let chosen = usable().find(is_for_name).or_else(|| usable().next());
        &chosen.unwrap_or(&self.all[0]).key
    }
}

impl Certificate {
    fn is_for(&self, name: &ServerName<'_>) -> bool {
        EndEntityCert::try_from(&self.key.cert[0])
            .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(name).is_ok())
    }
}

impl ResolvesServerCert for Certificates {
    /// rustls has put the name in lower case, and left out the schemes that the client's cipher suites rule out.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.choose(hello.server_name(), hello.signature_schemes())))
    }
}

impl fmt::Display for ValidityWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            1 => write!(f, "the certificate in {}", self.file.display())?,
            number => write!(f, "certificate {number} in {}", self.file.display())?,
        }
        let Validity { not_before, not_after } = self.validity;
        match self.state {
            ValidityState::Valid => write!(f, " ends on {not_after}"),
            ValidityState::NotYetValid => write!(
                f,
                " is not valid before {not_before}: clients refuse it until then (is this machine's clock right?)"
            ),
            ValidityState::EndsSoon => write!(f, " expires on {not_after}: renew it before"),
            ValidityState::Expired => {
                write!(f, " expired on {not_after}: clients refuse it until it is renewed")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, date_time_ymd};

    use super::*;
    use crate::server::tls::test_certificates::{
        leaf, self_signed, self_signed_with, signed, write,
    };

    #[test]
    fn a_client_gets_the_first_certificate_for_its_name_that_it_can_verify() {
        use SignatureScheme::{
            ECDSA_NISTP256_SHA256, ECDSA_NISTP384_SHA384, ED25519, RSA_PSS_SHA256,
        };
        const ALL: &[SignatureScheme] = &[ED25519, ECDSA_NISTP384_SHA384, ECDSA_NISTP256_SHA256];
        let directory = tempfile::tempdir().unwrap();
        let pairs = [
            ("default", &["default.example"][..], &PKCS_ECDSA_P256_SHA256),
            ("a", &["a.example", "www.a.example"], &PKCS_ECDSA_P256_SHA256),
            ("a-again", &["a.example"], &PKCS_ED25519),
            ("wildcard", &["*.b.example", "192.0.2.1"], &PKCS_ECDSA_P256_SHA256),
            ("b", &["c.b.example", "xn--bcher-kva.example"], &PKCS_ECDSA_P384_SHA384),
        ]
        .map(|(file, names, algorithm)| {
            write(directory.path(), file, &self_signed_with(&leaf(names), algorithm))
        });
        let certificates = Certificates::read(&pairs).unwrap();
        for (name, schemes, expected) in [
            (None, ALL, "default"),
            (Some("none.example"), ALL, "default"),
            (Some("a.example"), ALL, "a"),
            (Some("www.a.example"), ALL, "a"),
            (Some("A.eXample"), ALL, "a"),
            (Some("a.example."), ALL, "a"),
            (Some("b.a.example"), ALL, "default"),
            (Some("x.b.example"), ALL, "wildcard"),
            (Some("c.b.example"), ALL, "wildcard"),
            (Some("b.example"), ALL, "default"),
            (Some("x.x.b.example"), ALL, "default"),
            (Some("192.0.2.1"), ALL, "wildcard"),
            (Some("xn--bcher-kva.example"), ALL, "b"),
            (Some("b\u{fc}cher.example"), ALL, "default"),
            (Some(""), ALL, "default"),
            (Some("."), ALL, "default"),
            // Not all keys are for all clients.
            (Some("a.example"), &[ED25519], "a-again"),
            (Some("c.b.example"), &[ECDSA_NISTP384_SHA384], "b"),
            (None, &[ED25519], "a-again"),
            (Some("x.b.example"), &[ED25519], "a-again"),
            (Some("a.example"), &[ECDSA_NISTP384_SHA384], "b"),
            (Some("a.example"), &[RSA_PSS_SHA256], "default"),
            (None, &[], "default"),
        ] {
            let chosen = certificates.choose(name, schemes);
            let of = certificates.all.iter().find(|it| Arc::ptr_eq(&it.key, chosen)).unwrap();
            assert_eq!(of.file.file_stem().unwrap(), expected, "{name:?} {schemes:?}");
        }
    }

    #[test]
    fn each_warning_comes_once_also_for_a_certificate_above() {
        let directory = tempfile::tempdir().unwrap();
        let times = |begin, end| {
            let mut parameters = leaf(&["a.example"]);
            parameters.not_before = date_time_ymd(begin, 1, 1);
            parameters.not_after = date_time_ymd(end, 1, 1);
            parameters
        };
        let above = (times(2000, 2020), self_signed(&times(2000, 2020)));
        let own = signed(&times(2010, 2030), &above.0, &above.1.1);
        let chained = write(directory.path(), "chained", &own);
        let chain = format!("{}{}", own.0.pem(), above.1.0.pem());
        std::fs::write(&chained.certificate, chain).unwrap();
        let single = write(directory.path(), "single", &self_signed(&times(2020, 2040)));
        let certificates = Certificates::read(&[chained, single]).unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let (chained, single) = (path("chained.pem"), path("single.pem"));
        for (now, expected) in [
            (
                "2019-12-25T00:00:01Z",
                vec![
                    format!(
                        "certificate 2 in {chained} expires on 2020-01-01T00:00:00Z: renew it before"
                    ),
                    format!(
                        "the certificate in {single} is not valid before 2020-01-01T00:00:00Z: clients refuse it \
                         until then (is this machine's clock right?)"
                    ),
                ],
            ),
            ("2019-12-25T00:00:02Z", vec![]),
            (
                "2020-01-01T00:00:01Z",
                vec![format!(
                    "certificate 2 in {chained} expired on 2020-01-01T00:00:00Z: clients refuse it until it is renewed"
                )],
            ),
            ("2024-01-01T00:00:00Z", vec![]),
            (
                "2030-01-02T00:00:00Z",
                vec![format!(
                    "the certificate in {chained} expired on 2030-01-01T00:00:00Z: clients refuse it until it is renewed"
                )],
            ),
            (
                "2040-01-01T00:00:00Z",
                vec![format!(
                    "the certificate in {single} expires on 2040-01-01T00:00:00Z: renew it before"
                )],
            ),
        ] {
            let warnings = certificates.new_warnings(now.parse().unwrap());
            let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
            assert_eq!(warnings, expected, "{now}");
        }
    }

    #[test]
    fn certificates_are_equal_if_the_chains_are() {
        let directory = tempfile::tempdir().unwrap();
        let (a, b) = (self_signed(&leaf(&["a"])), self_signed(&leaf(&["b"])));
        let [a1, a2, b] = [("a1", &a), ("a2", &a), ("b", &b)]
            .map(|(file, identity)| write(directory.path(), file, identity));
        let read = |pairs: &[&CertificateFiles]| {
            let pairs: Vec<_> = pairs.iter().map(|it| (*it).clone()).collect();
            Certificates::read(&pairs).unwrap()
        };
        assert!(read(&[&a1, &b]).equal(&read(&[&a2, &b])));
        for other in [&[&a1][..], &[&b, &a1], &[&b], &[&a1, &a2], &[&a1, &b, &a2]] {
            assert!(!read(&[&a1, &b]).equal(&read(other)), "{other:?}");
        }
        let error = Certificates::read(&[a1.clone(), b, a1.clone()]).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the certificate file {} is given twice", a1.certificate.display())
        );
        assert!(matches!(Certificates::read(&[]).unwrap_err(), TlsError::NoFiles));
    }

    #[test]
    fn a_title_has_some_names_or_the_file() {
        for (names, expected) in [
            (&[][..], "/a/b.pem"),
            (&["a"], "a"),
            (&["a", "b", "c"], "a, b, c"),
            (&["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
        ] {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let validity = Validity::new(0, 0);
            let state = ValidityState::Valid;
            let summary = CertificateSummary { file: "/a/b.pem".into(), names, validity, state };
            assert_eq!(summary.title(), expected);
        }
    }
}
