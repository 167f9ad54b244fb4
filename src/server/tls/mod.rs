//! TLS of the server (RFC 8446, RFC 5246): its certificates, and the state of one connection.
//!
//! rustls implements the protocol. The files, lowest first:
//!
//! ```text
//! error        why files cannot be used
//! acceptor     what all connections share: certificates, session tickets; read again on request
//! session      one connection: bytes of the socket in, bytes of HTTP out, and back
//! ```

pub(super) mod acceptor;
pub(super) mod error;
pub(super) mod session;
