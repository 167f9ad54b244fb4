//! One address is at its limit and asks on, a connection for each request, while another address is served.
//!
//! First the flood is as fast as the server rejects, which gives the rate and the processor time of a
//! rejection. Then the flood has a fixed rate, the same for all servers, beside a client of another address.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::connection::{Connection, request};
use super::rounds::interleaved;
use super::row::{Figure, Measured, Setting};
use super::servers::{self, Server, nginx, ours};

pub(crate) const REJECTIONS: &str = "rejections/s";
pub(crate) const CPU: &str = "CPU µs/rejection";
pub(crate) const ADMITTED: &str = "admitted requests/s";
pub(crate) const BROKEN: &str = "broken rejections";

/// The limit of an address.
const LIMIT: usize = 12;
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// The threads of the flood, each with one connection at a time.
const THREADS: u32 = 32;
/// The fixed rate of the flood, in connections per second: less than the servers can reject.
const FIXED_RATE: f64 = 4000.0;

/// What the flood received.
#[derive(Clone, Copy, Default)]
struct Rejections {
    /// Status 429 with its whole body, then the end of the stream.
    whole: u32,
    /// Anything else.
    broken: u32,
}

pub(crate) fn measure(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    let root = setting.site.root();
    let http = format!(
        "limit_conn_zone $binary_remote_addr zone=addresses:1m;\n\
         limit_conn addresses {LIMIT}; limit_conn_status 429;"
    );
    let limit = LIMIT.to_string();
    let options = ["-maxclient", &limit, "-maxtotal", "8000", "-keep-alive-requests", "1000000000"];
    let lines = nginx::Lines { http: &http, ..nginx::Lines::default() };
    let mut servers = servers::installed([
        ours::start_with(root, &options),
        nginx::start_with(nginx::NAME, root, lines),
    ])?;
    let length = Duration::from_secs(setting.seconds.into());
    let mut notes = Vec::new();
    let run = |server: &mut Server| {
        let _held = hold(server.address())?;
        let (cpu, begun) = (server.cpu_time(), Instant::now());
        let fastest = flood(server.address(), None, length);
        let (cpu, elapsed) = (server.cpu_time().saturating_sub(cpu), begun.elapsed());
        let (beside, admitted) = serve_another(server.address(), length)?;
        let rate = f64::from(beside.whole) / length.as_secs_f64();
        if rate < 0.95 * FIXED_RATE {
            notes.push(format!("{}: {rate:.0} instead of {FIXED_RATE} rejections/s", server.name));
        }
        let whole = f64::from(fastest.whole);
        Ok(vec![
            whole / elapsed.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / whole,
            admitted,
            f64::from(fastest.broken + beside.broken),
        ])
    };
    let name = |server: &Server| server.name;
    let contenders = interleaved(&mut servers, setting.rounds, &setting.interrupted, name, run)?;
    let figures = &[
        Figure { name: REJECTIONS, digits: 0 },
        Figure { name: CPU, digits: 1 },
        Figure { name: ADMITTED, digits: 0 },
        Figure { name: BROKEN, digits: 0 },
    ];
    Ok(Measured { figures, contenders, notes })
}

/// Uses up the attacker's connections with responses that are not read, because nginx does not count a
/// connection that waits for a request.
fn hold(to: SocketAddr) -> anyhow::Result<Vec<Connection>> {
    let mut held = Vec::new();
    for _ in 0..LIMIT {
        let mut connection = Connection::open(ATTACKER, to)?;
        let status = connection.begin("10m.txt")?;
        ensure!(status == 200, "status {status} below the limit");
        held.push(connection);
    }
    Ok(held)
}

/// Asks on, with a connection for each request, at a rate or as fast as the server answers.
fn flood(to: SocketAddr, rate: Option<f64>, length: Duration) -> Rejections {
    let begun = Instant::now();
    let attack = || {
        let mut rejections = Rejections::default();
        while begun.elapsed() < length {
            if let Some(rate) = rate {
                let count = f64::from(rejections.whole + rejections.broken);
                let due = Duration::from_secs_f64(count * f64::from(THREADS) / rate);
                thread::sleep(due.saturating_sub(begun.elapsed()));
            }
            if is_rejected(to) {
                rejections.whole += 1;
            } else {
                rejections.broken += 1;
            }
        }
        rejections
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(attack)).collect();
        let counts = threads.into_iter().map(|thread| thread.join().expect("no thread panics"));
        counts.fold(Rejections::default(), |sum, one| Rejections {
            whole: sum.whole + one.whole,
            broken: sum.broken + one.broken,
        })
    })
}

/// True if a request gets a whole rejection.
fn is_rejected(to: SocketAddr) -> bool {
    let ask = || {
        let mut connection = Connection::open(ATTACKER, to)?;
        connection.send(&request("14b.txt", "Connection: close\r\n"))?;
        let status = connection.response()?;
        connection.expect_end()?;
        std::io::Result::Ok(status)
    };
    ask().is_ok_and(|status| status == 429)
}

/// The flood at its fixed rate, and the requests per second of another address over a kept connection.
fn serve_another(to: SocketAddr, length: Duration) -> anyhow::Result<(Rejections, f64)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut connection = Connection::open(OTHER, to)?;
            let (mut requests, begun) = (0, Instant::now());
            while !is_over.load(Ordering::Relaxed) {
                let status = connection.get("14b.txt")?;
                ensure!(status == 200, "status {status} for the admitted address");
                requests += 1;
            }
            Ok(f64::from(requests) / begun.elapsed().as_secs_f64())
        });
        let rejections = flood(to, Some(FIXED_RATE), length);
        is_over.store(true, Ordering::Relaxed);
        let rate = other.join().expect("no thread panics")?;
        Ok((rejections, rate))
    })
}
