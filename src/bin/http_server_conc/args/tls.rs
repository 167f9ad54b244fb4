//! Options for TLS.

use std::path::PathBuf;

use super::port::parse_port;
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

    /// A second port, on the same address and under the same limits, where requests over plain HTTP are redirected to
    /// https; 0 lets the system choose
    #[arg(long, value_name = "PORT", requires = "tls_cert", value_parser = parse_port)]
    redirect_http: Option<u16>,
}

impl TlsArgs {
    /// # Errors
    /// There are not as many keys as certificates, or both ports are the same.
    pub(super) fn apply(self, config: &mut ServerConfig) -> Result<(), String> {
        let Self { tls_cert, tls_key, redirect_http } = self;
        if redirect_http == Some(config.port) && config.port != 0 {
            let port = config.port;
            return Err(format!(
                "'--redirect-http <PORT>' needs a port of its own: {port} is that of '--port <PORT>', for https"
            ));
        }
        config.redirect_port = redirect_http;
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
