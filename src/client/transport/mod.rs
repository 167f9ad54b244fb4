//! Connections to the servers of URLs: name look-up, dialling, proxy, TLS.

pub(super) mod connect;
mod dial;
mod resolve;
mod socket;
mod tls;
mod tls_error;
