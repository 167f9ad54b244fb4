//! Servers over TLS, and what their clients send.

use std::sync::Arc;

use http_concurrent::server::ServerConfig;
use rustls::ClientConfig;

use crate::support::server::TestServer;
use crate::support::site_certificate::VERSIONS;

pub(super) const REQUEST: &str = "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server over TLS with one small file.
pub(super) fn server(configure: impl FnOnce(&mut ServerConfig)) -> TestServer {
    let server = TestServer::over_tls(configure);
    server.file("a.txt", "Hello");
    server
}

/// A client that supports TLS 1.2 alone, and one that supports TLS 1.3 alone.
pub(super) fn clients(server: &TestServer) -> [Arc<ClientConfig>; 2] {
    VERSIONS.map(|version| server.certificate().client(&[version]))
}
