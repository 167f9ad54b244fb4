//! TLS over a connected socket: the handshake, reads and writes (RFC 8446, RFC 5246).

use std::error;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::socket::Socket;
use super::tls_error;
use crate::client::trust::{Trust, TrustError};
use crate::net::Deadline;

/// A TLS connection.
#[derive(Debug)]
pub(crate) struct TlsStream {
    stream: StreamOwned<ClientConnection, Socket>,
    /// The failure to return once all decrypted data has been read.
    failure: Option<io::Error>,
}

impl TlsStream {
    /// Sets the timeout of each read of the socket.
    pub(super) fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.stream.sock.set_read_timeout(timeout)
    }
}

/// Data that was received before a refused record is read first, even if both were received together.
impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failure.is_none() {
            match self.stream.read(buffer) {
                Err(error) => self.failure = Some(tls_error::in_content(error)),
                read => return read,
            }
        }
        match (self.stream.conn.reader().read(buffer), self.failure.take()) {
            (Ok(length @ 1..), failure) => {
                self.failure = failure;
                Ok(length)
            }
            (_, Some(failure)) => Err(failure),
            (read, None) => read,
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The response could not be read.
        if self.failure.is_some() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Why a handshake failed.
#[derive(Debug)]
pub(super) enum HandshakeError {
    Trust(Arc<TrustError>),
    /// The connection failed, or the server or its certificate was refused.
    Io(io::Error),
}

/// Performs the handshake with the server `host`, within `timeout` in all.
pub(super) fn handshake(
    trust: &Trust,
    host: &str,
    mut socket: Socket,
    timeout: Duration,
) -> Result<TlsStream, HandshakeError> {
    let config = trust.config().map_err(HandshakeError::Trust)?;
    // Only in a URL does an IPv6 address have brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let refused = |error: Box<dyn error::Error + Send + Sync>| {
        HandshakeError::Io(io::Error::new(io::ErrorKind::InvalidData, error))
    };
    let name = ServerName::try_from(host).map_err(|error| refused(error.into()))?;
    let mut connection =
        ClientConnection::new(config, name).map_err(|error| refused(error.into()))?;
    let deadline = Deadline::after(timeout);
    while connection.is_handshaking() {
        connection
            .complete_io(&mut socket.until(deadline))
            .map_err(|error| HandshakeError::Io(tls_error::in_handshake(error)))?;
    }
    Ok(TlsStream { stream: StreamOwned::new(connection, socket), failure: None })
}
