//! Verifies a server's certificate: a trusted authority issued it, or it is itself trusted.
//!
//! As with curl and OpenSSL, users can trust a self-signed certificate. `rustls-webpki` treats every trusted
//! certificate as an authority: it refuses servers that present a certificate which may sign others (as
//! `openssl req -x509` makes them) or whose issuer is not trusted, and accepts other certificates signed by a
//! trusted server's. Here a trusted certificate is accepted for its own names, and certifies others only if
//! it is an authority (RFC 5280 §4.2.1.9).

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Accepts trusted certificates, or all. The server must prove in either case that it has the private key.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    algorithms: WebPkiSupportedAlgorithms,
    /// `None` if all certificates are accepted.
    trusted: Option<Trusted>,
}

#[derive(Debug)]
struct Trusted {
    certificates: Vec<CertificateDer<'static>>,
    /// The certificates that may sign others.
    authorities: RootCertStore,
}

impl ServerVerifier {
    /// Accepts these certificates, and those issued by the authorities among them.
    pub(super) fn trusting(
        certificates: Vec<CertificateDer<'static>>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        let mut authorities = RootCertStore::empty();
        let may_sign = |certificate: &&CertificateDer<'_>| may_sign(certificate, algorithms);
        authorities.add_parsable_certificates(certificates.iter().filter(may_sign).cloned());
        Self { algorithms, trusted: Some(Trusted { certificates, authorities }) }
    }

    /// Accepts every certificate.
    pub(super) fn accepting_all(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { algorithms, trusted: None }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let issued = verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &trusted.authorities,
            intermediates,
            now,
            self.algorithms.all,
        );
        if let Err(error) = issued {
            if !trusted.certificates.contains(end_entity) {
                return Err(match kind(&error) {
                    Kind::IsAuthority => CertificateError::UnknownIssuer.into(),
                    Kind::UnknownIssuer | Kind::Other => error,
                });
            }
            verify_alone(&certificate, now, self.algorithms)?;
        }
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Why `rustls-webpki` refuses a certificate.
enum Kind {
    /// Its issuer is not trusted, and nothing else is wrong.
    UnknownIssuer,
    /// It may sign others. Its purpose and its issuer were not checked.
    IsAuthority,
    Other,
}

fn kind(error: &Error) -> Kind {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => Kind::UnknownIssuer,
        Error::InvalidCertificate(CertificateError::Other(error))
            if matches!(error.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)) =>
        {
            Kind::IsAuthority
        }
        _ => Kind::Other,
    }
}

/// Verifies a certificate except for its issuer. `rustls-webpki` checks the validity period first and the
/// issuer last.
fn verify_alone(
    certificate: &ParsedCertificate<'_>,
    now: UnixTime,
    algorithms: WebPkiSupportedAlgorithms,
) -> Result<(), Error> {
    let none = RootCertStore::empty();
    let verified =
        verify_server_cert_signed_by_trust_anchor(certificate, &none, &[], now, algorithms.all);
    verified.or_else(|error| match kind(&error) {
        Kind::UnknownIssuer | Kind::IsAuthority => Ok(()),
        Kind::Other => Err(error),
    })
}

/// True if a certificate is valid now and may sign others. Those of version 1 may, since `rustls-webpki`
/// accepts them only as authorities.
fn may_sign(certificate: &CertificateDer<'_>, algorithms: WebPkiSupportedAlgorithms) -> bool {
    let Ok(certificate) = ParsedCertificate::try_from(certificate) else { return true };
    let none = RootCertStore::empty();
    let now = UnixTime::now();
    verify_server_cert_signed_by_trust_anchor(&certificate, &none, &[], now, algorithms.all)
        .is_err_and(|error| matches!(kind(&error), Kind::IsAuthority))
}
