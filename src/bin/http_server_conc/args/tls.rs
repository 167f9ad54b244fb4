//! Options for TLS.

use std::path::PathBuf;

use http_concurrent::server::{CertificateFiles, ServerConfig, TlsSettings};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// The server's certificate and those between it and a root (PEM): all connections are encrypted. May be
    /// repeated, each time with a --tls-key: a client gets the one for the name that it asks for, or the first;
    /// SIGHUP reads all again
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Vec<PathBuf>,

    /// The key of the certificate (PEM, not encrypted); may be in the same file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Vec<PathBuf>,
}

impl TlsArgs {
    /// # Errors
    /// There are not as many keys as certificates.
    pub(super) fn apply(self, config: &mut ServerConfig) -> Result<(), String> {
        let Self { tls_cert, tls_key } = self;
        let (certificates, keys) = (tls_cert.len(), tls_key.len());
        if certificates != keys {
            return Err(format!(
                "each '--tls-cert <FILE>' needs a '--tls-key <FILE>': there are {certificates} of the former and \
                 {keys} of the latter"
            ));
        }
        let pairs: Vec<_> = tls_cert
            .into_iter()
            .zip(tls_key)
            .map(|(certificate, key)| CertificateFiles { certificate, key })
            .collect();
        config.tls = (!pairs.is_empty()).then_some(TlsSettings { pairs });
        Ok(())
    }
}
