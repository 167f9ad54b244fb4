//! What can go wrong when the server starts.

use std::net::SocketAddr;
use std::{error, fmt, io};

use super::site::error::SiteError;

/// The server cannot start.
#[derive(Debug)]
pub enum StartError {
    /// What is to be served cannot be.
    Site(SiteError),
    /// Nothing can listen on this address.
    Listen { address: SocketAddr, source: io::Error },
    /// A pipe that the server needs from the start cannot be made.
    Pipe(io::Error),
    /// A thread that the server needs from the start cannot be made.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(error) => error.fmt(f),
            Self::Listen { address, .. } => write!(f, "cannot listen on {address}"),
            Self::Pipe(_) => f.write_str("cannot make a pipe"),
            Self::Thread(_) => f.write_str("cannot make a thread"),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Site(error) => error.source(),
            Self::Listen { source, .. } | Self::Pipe(source) | Self::Thread(source) => Some(source),
        }
    }
}
