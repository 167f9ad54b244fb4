//! 8,000 idle kept connections: their memory, and whether the server still answers as before.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::connection::Connection;
use super::machine;
use super::rounds::interleaved;
use super::row::{Figure, Measured, Setting};
use super::servers::{Server, Start, StartError, nginx, ours};
use super::statistics::Spread;

pub(crate) const MEMORY: &str = "PSS KiB/connection";
pub(crate) const UNANSWERED: &str = "unanswered";
pub(crate) const SLOWER: &str = "median latency, with / without";

const CONNECTIONS: u16 = 8000;
/// This package's server reserves two descriptors for a connection, and keeps connections up to three quarters
/// of those that it has descriptors for.
const DESCRIPTORS_EACH: u64 = 3;
/// New connections whose latency is measured.
const PROBES: usize = 500;

const FILE: &str = "14b.txt";

pub(crate) fn measure(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    let descriptors = machine::raise_descriptor_limit()?;
    let affordable = u16::try_from(descriptors / DESCRIPTORS_EACH).unwrap_or(u16::MAX);
    let count = CONNECTIONS.min(affordable);
    let mut notes = Vec::new();
    if count < CONNECTIONS {
        notes.push(format!(
            "{count} connections: this process may not have more than {descriptors} descriptors"
        ));
    }
    let mut contenders: Vec<(&'static str, Start)> = vec![(ours::NAME, start_ours)];
    if nginx::PROGRAM.find().is_ok() {
        contenders.push((nginx::NAME, start_nginx));
    }
    let run = |(_, start): &mut (_, Start)| {
        // A new one each time: memory that was used once is not always given back.
        let server = start(setting.site.root())?;
        idle(server, count)
    };
    let contenders =
        interleaved(&mut contenders, setting.rounds, &setting.interrupted, |(name, _)| name, run)?;
    let figures = &[
        Figure { name: MEMORY, digits: 2 },
        Figure { name: UNANSWERED, digits: 0 },
        Figure { name: "µs without", digits: 0 },
        Figure { name: "µs with", digits: 0 },
        Figure { name: SLOWER, digits: 2 },
    ];
    Ok(Measured { figures, contenders, notes })
}

/// Connections above three quarters of the total are not kept.
fn start_ours(root: &Path) -> Result<Server, StartError> {
    let limits = ["-maxclient", "12000", "-maxtotal", "12000", "-keep-alive-timeout", "600s"];
    ours::start_with(root, &limits)
}

fn start_nginx(root: &Path) -> Result<Server, StartError> {
    let lines = nginx::Lines { http: "keepalive_timeout 600s;", ..nginx::Lines::default() };
    nginx::start_with(nginx::NAME, root, lines)
}

fn idle(server: Server, count: u16) -> anyhow::Result<Vec<f64>> {
    let to = server.address();
    let without = latency(to)?;
    let before = server.pss_kibibytes();
    let mut idle = (0..count)
        .map(|number| {
            let mut connection = Connection::open(source(number), to)?;
            let status = connection.get(FILE)?;
            ensure!(status == 200, "status {status}");
            Ok(connection)
        })
        .collect::<anyhow::Result<Vec<Connection>>>()
        .with_context(|| format!("{} with {count} connections", server.name))?;
    let memory = (server.pss_kibibytes() - before) / f64::from(count);
    let with = latency(to)?;
    let is_answered =
        |connection: &mut Connection| connection.get(FILE).is_ok_and(|status| status == 200);
    let answered: u16 = idle.iter_mut().map(|idle| u16::from(is_answered(idle))).sum();
    let unanswered = f64::from(count - answered);
    // The server closes first, so that the ports of the client are free at once.
    drop(server);
    Ok(vec![memory, unanswered, without, with, with / without])
}

/// One of four addresses, each of which has ports for its part of the connections.
fn source(number: u16) -> Ipv4Addr {
    let last = number.to_le_bytes()[0] % 4;
    Ipv4Addr::new(127, 0, 0, 2 + last)
}

/// The median time from a new connection to its whole response, in microseconds.
fn latency(to: SocketAddr) -> anyhow::Result<f64> {
    let probe = |_| {
        let begun = Instant::now();
        let mut connection = Connection::open(Ipv4Addr::LOCALHOST, to)?;
        let status = connection.get(FILE)?;
        ensure!(status == 200, "status {status}");
        Ok(begun.elapsed().as_secs_f64() * 1e6)
    };
    let times = (0..PROBES).map(probe).collect::<anyhow::Result<Vec<f64>>>()?;
    Ok(Spread::of(&times).median)
}
