//! A connection for each request, over TLS: with a full handshake, and with one that resumes a session.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::version::TLS13;

use super::super::certificate::Certificate;
use super::super::rounds::interleaved;
use super::super::row::{Figure, Measured, Setting};
use super::super::servers::Server;
use super::connection::Connection;
use super::{FILE, common_suite, start};

pub(crate) const FULL: &str = "full/s";
pub(crate) const RESUMED: &str = "resumed/s";

/// The threads of the client, each with one connection at a time.
const THREADS: usize = 2;

pub(crate) fn measure(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    let certificate = Certificate::new()?;
    let mut servers = start(setting, &certificate)?;
    let suite = common_suite(&servers, &certificate)?;
    let length = Duration::from_secs(setting.seconds.into());
    let run = |server: &mut Server| {
        let clients = |resumption: fn() -> Resumption| {
            let client = |_| certificate.client(&TLS13, resumption());
            (0..THREADS).map(client).collect::<Result<Vec<_>, _>>()
        };
        let full = count(server, &clients(Resumption::disabled)?, length, false)?;
        let resuming = clients(|| Resumption::in_memory_sessions(8))?;
        for client in &resuming {
            Connection::open(server.address(), client)?.get_last(FILE)?;
        }
        let resumed = count(server, &resuming, length, true)?;
        Ok([full, resumed].concat())
    };
    let name = |server: &Server| server.name;
    let contenders = interleaved(&mut servers, setting.rounds, &setting.interrupted, name, run)?;
    let figures = &[
        Figure { name: FULL, digits: 0 },
        Figure { name: "CPU µs/full", digits: 1 },
        Figure { name: RESUMED, digits: 0 },
        Figure { name: "CPU µs/resumed", digits: 1 },
    ];
    Ok(Measured { figures, contenders, notes: vec![suite] })
}

/// Connections per second, and the server's processor time for each, in microseconds.
fn count(
    server: &Server,
    clients: &[Arc<ClientConfig>],
    length: Duration,
    resumes: bool,
) -> anyhow::Result<Vec<f64>> {
    let (cpu, begun) = (server.cpu_time(), Instant::now());
    let connections = thread::scope(|scope| {
        let connect =
            |client| scope.spawn(move || connect(server.address(), client, length, resumes));
        let threads: Vec<_> = clients.iter().map(connect).collect();
        let counts = threads.into_iter().map(|thread| thread.join().expect("no thread panics"));
        counts.sum::<anyhow::Result<u32>>()
    })?;
    let (cpu, elapsed) = (server.cpu_time().saturating_sub(cpu), begun.elapsed());
    let connections = f64::from(connections);
    Ok(vec![connections / elapsed.as_secs_f64(), cpu.as_secs_f64() * 1e6 / connections])
}

/// Opens connections one after the other; returns how many. All must resume a session, or none.
fn connect(
    to: SocketAddr,
    client: &Arc<ClientConfig>,
    length: Duration,
    resumes: bool,
) -> anyhow::Result<u32> {
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < length {
        let mut connection = Connection::open(to, client)?;
        connection.get_last(FILE)?;
        ensure!(connection.is_resumed() == resumes, "resumed instead of full, or the reverse");
        count += 1;
    }
    Ok(count)
}
