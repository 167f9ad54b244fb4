//! TLS of the server (RFC 8446, RFC 5246): its certificates, and the state of one connection.
//!
//! rustls implements the protocol. The files, lowest first:
//!
//! ```text
//! error         why files cannot be used
//! pem_file      a file in, its certificates or its key out
//! validity      when a certificate is valid, and when its end is near
//! certificate   a pair of files in, a checked chain and its key out
//! certificates  which one a client gets, and warnings when one ends
//! acceptor      what all connections share: certificates, session tickets; read again on request
//! session       one connection: bytes of the socket in, bytes of HTTP out, and back
//! ```

pub(super) mod acceptor;
pub(super) mod certificate;
pub(super) mod certificates;
pub(super) mod error;
mod pem_file;
pub(super) mod session;
#[cfg(test)]
pub(super) mod test_certificates;
#[cfg(test)]
pub(super) mod test_configs;
pub(super) mod validity;
