//! Errors of starting the server.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use super::access::password_file::PasswordFileError;
use super::site::error::SiteError;
use super::tls::error::TlsError;

/// An address cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    pub address: SocketAddr,
    pub source: io::Error,
}

/// The server cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The root directory cannot be served.
    #[error(transparent)]
    Site(SiteError),
    /// The password file cannot be used.
    #[error(transparent)]
    Passwords(PasswordFileError),
    /// A certificate or its key cannot be used.
    #[error(transparent)]
    Tls(TlsError),
    #[error(transparent)]
    Listen(ListenError),
    /// The port for redirects to the other one.
    #[error(transparent)]
    ListenForRedirects(ListenError),
    /// No pipe for the lingering close.
    #[error("cannot make a pipe")]
    Pipe(#[source] io::Error),
    /// No thread for the housekeeping.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}
