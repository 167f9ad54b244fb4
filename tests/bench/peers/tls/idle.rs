//! The memory of idle connections over TLS.

use anyhow::Context as _;
use rustls::client::Resumption;
use rustls::version::TLS13;

use super::super::certificate::Certificate;
use super::super::machine;
use super::super::rounds::interleaved;
use super::super::row::{Figure, Measured, Setting};
use super::super::servers::{Server, StartError, nginx, ours};
use super::FILE;
use super::connection::Connection;

pub(crate) const MEMORY: &str = "PSS KiB/connection";

/// The clients are in this process, and need more memory than the servers.
const CONNECTIONS: u32 = 2000;

/// Starts a server that keeps idle connections.
type Start = fn(&Setting<'_>, &Certificate) -> Result<Server, StartError>;

pub(crate) fn measure(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    machine::raise_descriptor_limit()?;
    let certificate = Certificate::new()?;
    let mut contenders: Vec<(&'static str, Start)> = vec![(ours::NAME, start_ours)];
    if nginx::PROGRAM.find().is_ok() {
        contenders.push((nginx::NAME, start_nginx));
    }
    let run = |(_, start): &mut (_, Start)| {
        // A new one each time: memory that was used once is not always given back.
        idle(&start(setting, &certificate)?, &certificate)
    };
    let name = |(name, _): &(_, _)| *name;
    let contenders = interleaved(&mut contenders, setting.rounds, &setting.interrupted, name, run)?;
    Ok(Measured { figures: &[Figure { name: MEMORY, digits: 2 }], contenders, notes: Vec::new() })
}

fn start_ours(setting: &Setting<'_>, certificate: &Certificate) -> Result<Server, StartError> {
    let limits = ["-maxclient", "4000", "-maxtotal", "4000", "-keep-alive-timeout", "600s"];
    let (file, key) = (certificate.file(), certificate.key_file());
    ours::start_over_tls(setting.site.root(), &file, &key, &limits)
}

fn start_nginx(setting: &Setting<'_>, certificate: &Certificate) -> Result<Server, StartError> {
    let lines = nginx::Lines { http: "keepalive_timeout 600s;", ..nginx::Lines::default() };
    let (file, key) = (certificate.file(), certificate.key_file());
    nginx::start_over_tls(setting.site.root(), &file, &key, lines)
}

/// The memory of each connection after a request, in KiB.
fn idle(server: &Server, certificate: &Certificate) -> anyhow::Result<Vec<f64>> {
    let client = certificate.client(&TLS13, Resumption::disabled())?;
    let open = || {
        let mut connection = Connection::open(server.address(), &client)?;
        connection.get(FILE)?;
        Ok(connection)
    };
    // What the server allocates once.
    open().with_context(|| server.name)?;
    let before = server.pss_kibibytes();
    let held = (0..CONNECTIONS)
        .map(|_| open())
        .collect::<anyhow::Result<Vec<Connection>>>()
        .with_context(|| server.name)?;
    let memory = (server.pss_kibibytes() - before) / f64::from(CONNECTIONS);
    drop(held);
    Ok(vec![memory])
}
