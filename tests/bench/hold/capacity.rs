//! What a server and `HAProxy` before it use for a request, a byte and a connection; and what several servers bear
//! by these figures.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, status_of};
use super::cluster::Cluster;
use super::target::{LARGE_BYTES, Target};
use super::{Finding, Options};

const TIME: Duration = Duration::from_secs(5);
const CLIENTS: u8 = 8;
/// Idle connections whose memory is measured.
const IDLE: usize = 1_000;
/// Processors of each server.
const PROCESSORS: f64 = 2.0;

/// What is measured of a load, for one unit of it: a request or a MiB.
#[derive(Clone, Copy)]
struct Cost {
    /// Processor seconds of the server.
    server: f64,
    /// Processor seconds of `HAProxy`.
    haproxy: f64,
    per_second: f64,
    /// Requests without the right answer.
    lost: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Load {
    Kept,
    ConnectionEach,
    Large,
}

impl Load {
    fn name(self) -> &'static str {
        match self {
            Self::Kept => "request for 14 B, kept connection",
            Self::ConnectionEach => "request for 14 B, a connection each",
            Self::Large => "MiB of a file of 20 MB",
        }
    }

    fn unit(self) -> &'static str {
        if self == Self::Large { "MiB" } else { "requests" }
    }

    fn connect(self, host: u8, to: SocketAddr) -> io::Result<Client> {
        let mut client = Client::connect([127, 0, 17, host], to)?;
        if self == Self::ConnectionEach {
            "Connection: close\r\n".clone_into(&mut client.fields);
        }
        Ok(client)
    }

    /// Puts this load on a server for some time; returns how many units it was, and how many requests were lost.
    fn apply(self, to: SocketAddr) -> (f64, u64) {
        let (requests, lost) = (AtomicU64::new(0), AtomicU64::new(0));
        let target = if self == Self::Large { "/large" } else { "/small" };
        let begun = Instant::now();
        let client = |host: u8| {
            let mut kept = None;
            while begun.elapsed() < TIME {
                let connected = kept.take().map_or_else(|| self.connect(host, to), Ok);
                match connected.and_then(|mut client| Ok((client.get(target)?, client))) {
                    Ok((answer, mut client)) if status_of(&answer) == 200 => {
                        requests.fetch_add(1, Ordering::Relaxed);
                        kept = if is_last(&answer) {
                            // Whoever closes first keeps the ports for a minute, and clients run short of them.
                            client.is_closed();
                            None
                        } else {
                            Some(client)
                        };
                    }
                    _ => {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        };
        thread::scope(|scope| {
            for host in 1..=CLIENTS {
                let client = &client;
                scope.spawn(move || client(host));
            }
        });
        let unit = if self == Self::Large { LARGE_BYTES as f64 / f64::from(1 << 20) } else { 1.0 };
        (requests.into_inner() as f64 * unit, lost.into_inner())
    }
}

/// True if the server closes after this response.
fn is_last(answer: &[u8]) -> bool {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(0);
    let head = answer[..head].to_ascii_lowercase();
    head.windows(17).any(|window| window == b"connection: close")
}

/// Options that let the load through.
const LIMITS: [&str; 6] =
    ["-maxclient", "2000", "-maxtotal", "6000", "--keep-alive-requests", "1000000000"];
const HAPROXY_LIMITS: [(&str, &str); 4] = [
    ("setenv PER_CLIENT 12", "setenv PER_CLIENT 2000"),
    ("setenv TOTAL 60", "setenv TOTAL 6000"),
    ("setenv OPEN 100", "setenv OPEN 4000"),
    ("  maxconn 4000\n", "  maxconn 8000\n"),
];

fn alone(load: Load, server: &Target) -> io::Result<Cost> {
    let (before, begun) = (server.cpu_time()?, Instant::now());
    let (units, lost) = load.apply(server.address());
    let took = begun.elapsed().as_secs_f64();
    let used = server.cpu_time()?.saturating_sub(before).as_secs_f64();
    Ok(Cost { server: used / units, haproxy: 0.0, per_second: units / took, lost })
}

fn behind(load: Load, cluster: &Cluster) -> io::Result<Cost> {
    let servers =
        || (0..3).map(|index| cluster.server(index).cpu_time()).sum::<io::Result<Duration>>();
    let (before, haproxy, begun) = (servers()?, cluster.haproxy().cpu_time()?, Instant::now());
    let (units, lost) = load.apply(cluster.address());
    let took = begun.elapsed().as_secs_f64();
    let server = servers()?.saturating_sub(before).as_secs_f64();
    let haproxy = cluster.haproxy().cpu_time()?.saturating_sub(haproxy).as_secs_f64();
    Ok(Cost { server: server / units, haproxy: haproxy / units, per_second: units / took, lost })
}

/// Memory of an idle connection that was used, in KiB: in `HAProxy`, and in the servers.
fn memory_of_idle(cluster: &Cluster) -> io::Result<(f64, f64)> {
    let servers = || (0..3).map(|index| cluster.server(index).memory()).sum::<io::Result<f64>>();
    let (before, haproxy) = (servers()?, cluster.haproxy().memory()?);
    let mut idle = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        let mut client = Client::connect([127, 0, 18, 1], cluster.address())?;
        client.get("/small")?;
        idle.push(client);
    }
    let each = |now: f64, before: f64| (now - before) * 1024.0 / IDLE as f64;
    Ok((each(cluster.haproxy().memory()?, haproxy), each(servers()?, before)))
}

pub(crate) fn capacity(_: &Options) -> io::Result<Vec<Finding>> {
    let Some(cluster) = Cluster::start(&LIMITS, &HAPROXY_LIMITS)? else {
        println!("skipped: HAProxy is not installed");
        return Ok(Vec::new());
    };
    let single = Target::start(&LIMITS)?;
    // First, as memory that a load has used is used again.
    let mut findings = vec![idle(&cluster)?];
    let mut rows = Vec::new();
    for load in [Load::Kept, Load::ConnectionEach, Load::Large] {
        let (alone, behind) = (alone(load, &single)?, behind(load, &cluster)?);
        let (unit, lost) = (load.unit(), alone.lost + behind.lost);
        findings.push(Finding {
            attack: load.name(),
            must_hold: "no request is lost, through HAProxy or without it",
            measured: format!(
                "{:.0} {unit}/s alone, {:.0} behind HAProxy; {lost} lost",
                alone.per_second, behind.per_second
            ),
            holds: lost == 0 && alone.per_second > 0.0 && behind.per_second > 0.0,
        });
        rows.push((load, alone, behind));
    }
    print_tables(&rows);
    Ok(findings)
}

fn idle(cluster: &Cluster) -> io::Result<Finding> {
    let (haproxy, server) = memory_of_idle(cluster)?;
    Ok(Finding {
        attack: "1,000 idle kept connections",
        must_hold: "each holds less than 128 KiB in both together",
        measured: format!("{haproxy:.1} KiB each in HAProxy, {server:.1} KiB in the servers"),
        holds: haproxy + server < 128.0,
    })
}

/// Servers on machines of their own, and the processors of `HAProxy` on another one.
const MACHINES: [(f64, f64); 3] = [(1.0, 2.0), (3.0, 8.0), (10.0, 16.0)];

/// The tables of README's "What several servers bear".
fn print_tables(rows: &[(Load, Cost, Cost)]) {
    println!("\n| for each | server alone | server behind HAProxy | HAProxy |\n|---|---|---|---|");
    for (load, alone, behind) in rows {
        let [alone, server, haproxy] =
            [alone.server, behind.server, behind.haproxy].map(|seconds| seconds * 1e6);
        println!("| {} | {alone:.1} µs | {server:.1} µs | {haproxy:.1} µs |", load.name());
    }
    let names: Vec<&str> = rows.iter().map(|(load, ..)| load.name()).collect();
    println!(
        "\n| servers | processors of HAProxy | {} |\n|---|---|---|---|---|",
        names.join(" | ")
    );
    for (servers, processors) in MACHINES {
        // In a second, if nothing else limits them.
        let bear = |cost: &Cost| {
            (servers * PROCESSORS / cost.server).min(processors / cost.haproxy).round()
        };
        let cells: Vec<String> =
            rows.iter().map(|(_, _, behind)| bear(behind).to_string()).collect();
        println!("| {servers} | {processors} | {} |", cells.join(" | "));
    }
    println!();
}
