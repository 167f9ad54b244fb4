//! Whether a server's certificate is accepted: a trusted one issued it, or it is itself one of those.
//!
//! Users trust a self-signed certificate by its file, as curl and OpenSSL take it. `rustls-webpki` takes
//! certificates for authorities alone: it refuses a server that presents one which may sign others (as
//! `openssl req -x509` makes them), or one whose own issuer is not trusted. Such a certificate is accepted
//! here for its own names, while it is valid, and vouches for no other.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Accepts what the trusted certificates issued, and those certificates themselves.
#[derive(Debug)]
pub(super) struct TrustVerifier {
    issued: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl TrustVerifier {
    /// `issued` verifies chains up to the same certificates.
    pub(super) fn new(
        issued: Arc<WebPkiServerVerifier>,
        trusted: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self { issued, trusted }
    }
}

impl ServerCertVerifier for TrustVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |intermediates| {
            let issued = &self.issued;
            issued.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let verified = verify(intermediates);
        if verified.is_ok() || !self.trusted.contains(end_entity) {
            return verified;
        }
        // Without intermediates, an error is about this certificate.
        match verify(&[]) {
            Err(Error::InvalidCertificate(error)) if is_about_issuer(&error) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.issued.supported_verify_schemes()
    }
}

/// Nothing is wrong but who issued the certificate and how. `rustls-webpki` finds these errors last, after
/// it has checked the period of validity.
fn is_about_issuer(error: &CertificateError) -> bool {
    match error {
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => true,
        CertificateError::Other(error) => {
            matches!(error.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}
