//! The handshake of a connection, or a request that was meant for plain HTTP.

use std::io;

use super::transport::Transport;
use crate::net::{Deadline, Input};
use crate::server::tls::acceptor::TlsAcceptor;
use crate::server::tls::session::{HANDSHAKE, TlsSession};

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Tls,
    /// The peer has sent something else than a handshake, which is still in the input.
    Missing,
}

/// Performs the handshake until the deadline, unless the peer has begun with something else. `input` holds the first
/// bytes received after the PROXY header; those of the handshake are consumed.
///
/// # Errors
/// The peer has disconnected or is too slow, or the handshake fails.
pub(super) fn encrypt(
    acceptor: &TlsAcceptor,
    transport: &mut Transport<'_>,
    input: &mut Input,
    deadline: Deadline,
) -> io::Result<Encryption> {
    if input.data().first() != Some(&HANDSHAKE) {
        return Ok(Encryption::Missing);
    }
    transport.encrypt(TlsSession::new(acceptor.config())?, input, deadline)?;
    Ok(Encryption::Tls)
}
