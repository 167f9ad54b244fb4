//! Options for TLS.

use std::path::PathBuf;

use http_concurrent::server::{CertificateFiles, ServerConfig, TlsSettings};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// The server's certificate and those between it and a root (PEM): connections are encrypted. May be repeated,
    /// each time with a --tls-key: clients get the certificate of the name that they ask for
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Vec<PathBuf>,

    /// The key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Vec<PathBuf>,
}

impl TlsArgs {
    pub(super) fn apply(self, config: &mut ServerConfig) {
        let Self { tls_cert, tls_key } = self;
        let pairs: Vec<_> = tls_cert
            .into_iter()
            .zip(tls_key)
            .map(|(certificate, key)| CertificateFiles { certificate, key })
            .collect();
        config.tls = (!pairs.is_empty()).then_some(TlsSettings { pairs });
    }
}
