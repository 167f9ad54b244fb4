//! From a URL to a connection with its server: name look-up, dialling, proxy, TLS.

pub(super) mod connect;
mod dial;
mod resolve;
mod socket;
mod tls;
mod tls_error;
