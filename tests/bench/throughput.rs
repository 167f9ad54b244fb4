//! The server against nginx and Apache: requests per second and processor time per request with `wrk`, in
//! interleaved runs.
//!
//! `cargo bench --bench throughput` prints a table; `-- --runs N --seconds N` run longer. Servers and `wrk`
//! come from Debian's packages; a missing one is skipped and reported. The processor time is that of all
//! processes of a server, divided by the requests: it is steadier if other work shares the machine.

#[path = "peers.rs"]
#[allow(dead_code, reason = "the servers are shared with a bench that measures others")]
mod peers;

use std::path::Path;
use std::process::Command;

use peers::{Peer, Spread};

/// A kind of load: its name, the file, and whether each request has its own connection.
struct Load {
    name: &'static str,
    path: &'static str,
    connections: u32,
    closes: bool,
}

const LOADS: [Load; 4] = [
    Load { name: "14 B, kept", path: "testfiles1/file1.txt", connections: 32, closes: false },
    Load { name: "14 B, closed", path: "testfiles1/file1.txt", connections: 32, closes: true },
    Load { name: "256 KiB, kept", path: "testfiles2/file1.txt", connections: 32, closes: false },
    Load {
        name: "14 B, 1 connection",
        path: "testfiles1/file1.txt",
        connections: 1,
        closes: false,
    },
];

/// One run of `wrk`.
struct Measured {
    requests_per_second: f64,
    cpu_microseconds: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: u32| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (runs, seconds) = (option("--runs", 5), option("--seconds", 2));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !peers::is_installed("wrk") {
        println!("wrk is not installed: nothing was measured");
        return;
    }
    let peers: Vec<Peer> = [Peer::ours(root), Peer::nginx(root), Peer::apache(root)]
        .into_iter()
        .filter_map(|peer| peer.map_err(|missing| println!("skipped: {missing}")).ok())
        .collect();
    println!("{runs} interleaved runs of {seconds} s each; median [least to most]");
    println!(
        "{:<20} {:<18} {:>28} {:>24} {:>8}",
        "load", "server", "requests/s", "CPU µs/request", "ratio"
    );
    for load in &LOADS {
        let mut measured: Vec<Vec<Measured>> = peers.iter().map(|_| Vec::new()).collect();
        for run in 0..runs {
            // In alternating order, so that a drift of the machine affects all alike.
            let mut order: Vec<usize> = (0..peers.len()).collect();
            if run % 2 == 1 {
                order.reverse();
            }
            for index in order {
                measured[index].push(measure(&peers[index], load, seconds));
            }
        }
        report(load, &peers, &measured);
    }
}

fn measure(peer: &Peer, load: &Load, seconds: u32) -> Measured {
    let cpu_before = peer.cpu_time();
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c", &load.connections.to_string(), "-d", &format!("{seconds}s")]);
    if load.closes {
        wrk.args(["-H", "Connection: close"]);
    }
    let output = wrk.arg(peer.url(load.path)).output().expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Non-2xx"), "{}: {text}", peer.name);
    let cpu = peer.cpu_time().saturating_sub(cpu_before);
    let requests: f64 = word_before(&text, "requests in").expect("wrk counts requests");
    Measured {
        requests_per_second: word_after(&text, "Requests/sec:").expect("wrk says a rate"),
        cpu_microseconds: cpu.as_secs_f64() * 1e6 / requests,
    }
}

fn word_before(text: &str, mark: &str) -> Option<f64> {
    text[..text.find(mark)?].split_whitespace().next_back()?.parse().ok()
}

fn word_after(text: &str, mark: &str) -> Option<f64> {
    text[text.find(mark)? + mark.len()..].split_whitespace().next()?.parse().ok()
}

fn report(load: &Load, peers: &[Peer], measured: &[Vec<Measured>]) {
    let rates = |index: usize| measured[index].iter().map(|one| one.requests_per_second);
    for (index, peer) in peers.iter().enumerate() {
        let rate = Spread::of(rates(index));
        let cpu = Spread::of(measured[index].iter().map(|one| one.cpu_microseconds));
        // Ours over the peer's, run by run.
        let ratio = Spread::of(rates(0).zip(rates(index)).map(|(ours, theirs)| ours / theirs));
        println!(
            "{:<20} {:<18} {:>28} {:>24} {:>8.2}",
            load.name,
            peer.name,
            rate.to_text(0),
            cpu.to_text(1),
            ratio.median,
        );
    }
}
