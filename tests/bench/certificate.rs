//! A certificate for the servers that are measured over TLS, and clients that trust it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;

/// For `localhost`, with a key on the curve P-256, signed by an authority of its own.
pub(crate) struct Certificate {
    directory: TempDir,
    roots: Arc<RootCertStore>,
}

impl Certificate {
    pub(crate) fn new() -> io::Result<Self> {
        let directory = TempDir::with_prefix("certificate-")?;
        // Some servers run as another user.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        let of_names = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            CertificateParams::new(names).map_err(io::Error::other)
        };
        let mut authority = of_names(&["authority"])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let [root_key, key] = [KeyPair::generate(), KeyPair::generate()];
        let (root_key, key) = (root_key.map_err(io::Error::other)?, key.map_err(io::Error::other)?);
        let root = authority.self_signed(&root_key).map_err(io::Error::other)?;
        let issuer = Issuer::from_params(&authority, &root_key);
        let leaf = of_names(&["localhost"])?.signed_by(&key, &issuer).map_err(io::Error::other)?;
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).map_err(io::Error::other)?;
        fs::write(directory.path().join("certificate.pem"), leaf.pem())?;
        fs::write(directory.path().join("key.pem"), key.serialize_pem())?;
        Ok(Self { directory, roots: Arc::new(roots) })
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    /// A client that trusts this certificate alone, and speaks this version.
    pub(crate) fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        resumption: Resumption,
    ) -> io::Result<Arc<ClientConfig>> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .map_err(io::Error::other)?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.resumption = resumption;
        Ok(Arc::new(config))
    }
}
