//! The server's limits under attack: each attack, its requirement, and whether it holds.
//!
//! `cargo bench --bench hold` prints a table in some minutes; `-- --million` makes the last attack a million
//! connections, `-- NAME` runs only the attacks whose names contain it. Attackers, clients and the server
//! share the processors of this machine, so that speeds are given beside those of the same attack on a
//! listener that only answers and closes.

#![expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]

#[path = "hold/attacks.rs"]
mod attacks;
#[path = "hold/balancer.rs"]
mod balancer;
#[path = "hold/capacity.rs"]
mod capacity;
mod certificate;
#[path = "hold/client.rs"]
mod client;
#[path = "hold/cluster.rs"]
mod cluster;
#[path = "hold/flood.rs"]
mod flood;
#[path = "hold/haproxy.rs"]
mod haproxy;
#[path = "hold/passwords.rs"]
mod passwords;
#[path = "../it/balancer/readme.rs"]
mod readme;
#[path = "hold/shortages.rs"]
mod shortages;
#[path = "hold/target.rs"]
mod target;
#[path = "hold/tls.rs"]
mod tls;
#[path = "hold/waiting.rs"]
mod waiting;

use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Longer than a program needs to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The result of an attack.
pub(crate) struct Finding {
    pub(crate) attack: &'static str,
    pub(crate) must_hold: &'static str,
    pub(crate) measured: String,
    pub(crate) holds: bool,
}

type Attack = fn(&Options) -> io::Result<Vec<Finding>>;

/// The command line.
pub(crate) struct Options {
    /// The number of connections of the longest attack.
    pub(crate) connections: u32,
}

const ATTACKS: [(&str, Attack); 19] = [
    ("flood", flood::flood),
    ("waiting-crowd", waiting::crowd),
    ("waiting-line", waiting::full_line),
    ("waiting-turns", waiting::turns),
    ("passwords", passwords::passwords),
    ("slowloris", attacks::slowloris),
    ("slow-readers", attacks::slow_readers),
    ("hostile-bytes", attacks::hostile_bytes),
    ("tls-silence", tls::silence),
    ("tls-stalls", tls::stalls),
    ("tls-renegotiation", tls::renegotiation),
    ("tls-rejections", tls::rejections),
    ("descriptors", shortages::descriptors),
    ("threads", shortages::threads),
    ("end", shortages::end),
    ("balancer-stopped", balancer::stopped),
    ("balancer-killed", balancer::killed),
    ("balancer-capacity", capacity::capacity),
    ("endurance", shortages::endurance),
];

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == flood::BARE_LISTENER) {
        return flood::bare_listener();
    }
    // The harness itself holds thousands of connections.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let million = arguments.iter().any(|argument| argument == "--million");
    let options = Options { connections: if million { 1_000_000 } else { 200_000 } };
    let wanted: Vec<&String> =
        arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    println!("| attack | must hold | measured | |\n|---|---|---|---|");
    let begun = Instant::now();
    for (name, attack) in ATTACKS {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            for Finding { attack, must_hold, measured, holds } in attack(&options)? {
                let verdict = if holds { "holds" } else { "**does not hold**" };
                println!("| {attack} | {must_hold} | {measured} | {verdict} |");
            }
        }
    }
    println!("\n{:.0} s in all", begun.elapsed().as_secs_f64());
    Ok(())
}
