//! A certificate for a server of this package, in files, and clients that trust it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_concurrent::server::{CertificateFiles, TlsSettings};
use rcgen::{
    CertificateParams, CrlDistributionPoint, ExtendedKeyUsagePurpose, KeyUsagePurpose,
    PublicKeyData as _, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::certificates::{authority, leaf, self_signed, signed};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Both versions of TLS.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A certificate for this machine, signed by an authority of its own.
pub(crate) struct SiteCertificate {
    directory: TempDir,
    roots: Arc<RootCertStore>,
    public_key: Vec<u8>,
}

impl SiteCertificate {
    /// For `localhost` and 127.0.0.1.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let parameters = authority(&["authority"]);
        let root = self_signed(&parameters);
        let (certificate, key) = signed(&usual_leaf(), &parameters, &root.1);
        let mut roots = RootCertStore::empty();
        roots.add(root.0.der().clone()).unwrap();
        for (name, pem) in [
            ("authority.pem", root.0.pem()),
            ("certificate.pem", certificate.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            fs::write(directory.path().join(name), pem).unwrap();
        }
        let of_owner = Permissions::from_mode(0o600);
        fs::set_permissions(directory.path().join("key.pem"), of_owner).unwrap();
        Self { directory, roots: Arc::new(roots), public_key: key.subject_public_key_info() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The file with the certificate to trust.
    pub(crate) fn authority(&self) -> PathBuf {
        self.path("authority.pem")
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.path("certificate.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.path("key.pem")
    }

    /// The SHA-256 of the public key with its algorithm, by which browsers may be told to trust it.
    pub(crate) fn public_key_hash(&self) -> String {
        STANDARD.encode(Sha256::digest(&self.public_key))
    }

    pub(crate) fn settings(&self) -> TlsSettings {
        let pair = CertificateFiles { certificate: self.certificate(), key: self.key() };
        TlsSettings { pairs: vec![pair] }
    }

    /// For the server as a program.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let files = [text(self.certificate()), text(self.key())];
        let [certificate, key] = files;
        ["--tls-cert".to_owned(), certificate, "--tls-key".to_owned(), key].to_vec()
    }

    /// A client that trusts this certificate alone; its connections may resume one another's sessions.
    pub(crate) fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        Arc::new(self.client_config(versions))
    }

    /// The same, to be changed.
    pub(crate) fn client_config(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth()
    }
}

/// What authorities put into their certificates: some months, and where to ask whether it was revoked.
fn usual_leaf() -> CertificateParams {
    let mut parameters = leaf(&["localhost", "127.0.0.1"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = date_time_ymd(1970, 1, 1) + now;
    parameters.not_before = now - DAY;
    parameters.not_after = now + 90 * DAY;
    let uris = vec!["http://localhost/revoked".to_owned()];
    parameters.crl_distribution_points = vec![CrlDistributionPoint { uris }];
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters
}
