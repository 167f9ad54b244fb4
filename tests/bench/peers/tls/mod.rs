//! The rows over TLS: this package's server beside nginx and Apache with the same certificate, protocol version and
//! cipher suite, all with session tickets.

mod connection;
mod handshakes;
mod idle;

use anyhow::{Context as _, ensure};
use rustls::client::Resumption;
use rustls::version::TLS13;

use super::certificate::Certificate;
use super::row::{Measured, Setting};
use super::servers::{self, Server, StartError, apache, nginx, ours};
use super::throughput;
use connection::Connection;
pub(crate) use handshakes::{FULL, RESUMED, measure as handshakes};
pub(crate) use idle::{MEMORY, measure as idle};

const FILE: &str = "14b.txt";

/// Four kept connections ask for a file of 10 MiB: over TLS, and without it.
pub(crate) fn large(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    let certificate = Certificate::new()?;
    let root = setting.site.root();
    let plain = servers::installed([
        ours::start(root).map(|server| server.named("http_server_conc, plain")),
        nginx::start(root).map(|server| server.named("nginx, plain")),
    ])?;
    let encrypted = start(setting, &certificate)?;
    let suite = common_suite(&encrypted, &certificate)?;
    let servers = encrypted.into_iter().chain(plain).collect();
    Ok(throughput::large_from(setting, servers)?.with_note(suite))
}

/// 32 kept connections ask for 14 bytes.
pub(crate) fn kept(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    let certificate = Certificate::new()?;
    let servers = start(setting, &certificate)?;
    let suite = common_suite(&servers, &certificate)?;
    Ok(throughput::kept_from(setting, FILE, servers)?.with_note(suite))
}

fn start(setting: &Setting<'_>, certificate: &Certificate) -> Result<Vec<Server>, StartError> {
    let root = setting.site.root();
    let (file, key) = (certificate.file(), certificate.key_file());
    servers::installed([
        ours::start_over_tls(root, &file, &key, &ours::UNLIMITED),
        nginx::start_over_tls(root, &file, &key, nginx::Lines::default()),
        apache::start_over_tls(root, &file, &key),
    ])
}

/// The version and the cipher suite that all servers agree on with a client that prefers what `wrk` prefers.
///
/// # Errors
/// They do not agree on the same.
fn common_suite(servers: &[Server], certificate: &Certificate) -> anyhow::Result<String> {
    let client = certificate.client(&TLS13, Resumption::disabled())?;
    let mut suites = Vec::new();
    for server in servers {
        let mut connection = Connection::open(server.address(), &client)?;
        connection.get(FILE).with_context(|| server.name)?;
        suites.push(connection.suite());
    }
    let first = suites.first().context("no server was started")?;
    ensure!(suites.iter().all(|suite| suite == first), "different cipher suites: {suites:?}");
    Ok(first.clone())
}
