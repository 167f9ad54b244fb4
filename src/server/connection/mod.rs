//! One connection, from its admission to its close.

pub(super) mod admit;
mod archive;
mod close_reason;
pub(super) mod dispatch;
mod file_pieces;
pub(super) mod lifecycle;
mod opening;
mod proxy_header;
mod rate;
mod request_reader;
mod requests;
mod response;
mod send;
mod send_encrypted;
pub(super) mod socket_options;
#[cfg(test)]
mod test_tls;
mod tls_handshake;
mod tls_rejection;
mod transport;
