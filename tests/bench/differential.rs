//! The server against nginx and Apache: reactions to the same bytes.
//!
//! `cargo bench --bench differential` sends generated requests, valid and invalid, to all three, and prints
//! where ours differs from both others, or reads different messages from the bytes than one of them. `--
//! --seed S --cases N` select the requests: equal seeds and numbers make equal requests. A difference is
//! reduced to its smallest form, counted in its cluster, and looked up in a table of intended ones; the exit
//! status is 1 if one is not in the table, and 2 if a server is missing. The servers are Debian's (`apt-get
//! install nginx-light apache2`).

#[path = "differential/cluster.rs"]
mod cluster;
#[path = "differential/exchange.rs"]
mod exchange;
#[path = "differential/generator.rs"]
mod generator;
#[path = "differential/known.rs"]
mod known;
#[path = "differential/message.rs"]
mod message;
#[path = "differential/pieces.rs"]
mod pieces;
#[path = "peers/servers/mod.rs"]
#[allow(dead_code, reason = "the servers are shared with benches that measure them")]
mod servers;
#[path = "differential/site.rs"]
mod site;
#[path = "differential/verdict.rs"]
mod verdict;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use cluster::{Clusters, Smallest, smallest};
use exchange::exchange;
use message::Case;
use servers::{Server, apache, nginx, ours};
use site::{LAST_REQUEST, Site};
use verdict::{Reactions, is_apart, verdict};

/// Cases at a time: some wait for a lingering close.
const THREADS: usize = 8;

/// The three servers, with one root.
struct Servers {
    site: Site,
    _running: [Server; 3],
    addresses: [SocketAddr; 3],
    /// The entity tag that each gives `/a.txt`.
    etags: [Vec<u8>; 3],
}

impl Servers {
    fn start() -> anyhow::Result<Self> {
        let site = Site::create()?;
        let root = site.directory.path();
        let directories = "LoadModule dir_module {modules}/mod_dir.so\nDirectoryIndex index.html";
        let running =
            [ours::start(root)?, nginx::start(root)?, apache::start_with(root, directories)?];
        let addresses = [0, 1, 2].map(|at: usize| running[at].address());
        let mut etags = [const { Vec::new() }; 3];
        for (etag, address) in etags.iter_mut().zip(addresses) {
            *etag = exchange::etag(address)?;
        }
        Ok(Self { site, _running: running, addresses, etags })
    }

    /// The reaction of each to a case, followed by the same request.
    fn ask(&self, case: &Case) -> io::Result<Reactions> {
        let bytes = [&case.bytes(), LAST_REQUEST].concat();
        let mut reactions = Reactions::default();
        for (at, reaction) in reactions.iter_mut().enumerate() {
            let bytes = replace(&bytes, b"{etag}", &self.etags[at]);
            *reaction = exchange(self.addresses[at], &bytes, &self.site)?;
        }
        Ok(reactions)
    }
}

fn replace(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let Some(at) = bytes.windows(what.len()).position(|part| part == what) else {
        return bytes.to_vec();
    };
    [&bytes[..at], with, &bytes[at + what.len()..]].concat()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (seed, cases) = (option("--seed", 1), option("--cases", 5_000));
    let servers = match Servers::start() {
        Ok(servers) => servers,
        Err(reason) => {
            println!("nothing was compared: {reason:#}");
            return ExitCode::from(2);
        }
    };
    let (next, clusters) = (AtomicU64::new(0), Mutex::new(Clusters::default()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= cases {
                        return;
                    }
                    compare(&servers, &generator::case(seed, number), &clusters)
                        .expect("the servers take connections");
                }
            });
        }
    });
    let clusters = clusters.into_inner().expect("no thread panicked");
    println!("seed {seed}, {cases} cases");
    if clusters.report() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one case, and repeats it on a difference, which counts only if it persists.
fn compare(servers: &Servers, case: &Case, clusters: &Mutex<Clusters>) -> io::Result<()> {
    let reactions = servers.ask(case)?;
    let lock = || clusters.lock().expect("no thread panicked");
    let Some(difference) = verdict(&reactions) else {
        lock().count_alike(&reactions);
        return Ok(());
    };
    if lock().count_again(difference, case, &reactions) {
        return Ok(());
    }
    if verdict(&servers.ask(case)?) != Some(difference) {
        lock().unsteady += 1;
        return Ok(());
    }
    let small = smallest(case, |case| Ok(verdict(&servers.ask(case)?) == Some(difference)))?;
    let smallest = Smallest {
        reactions: servers.ask(&small)?,
        is_combined: is_combined(servers, &small)?,
        case: small,
    };
    lock().insert(difference, (case, &reactions), smallest);
    Ok(())
}

/// True if each of the others differs from ours for its own reason: without one piece one of them still
/// differs, without another piece the other one.
fn is_combined(servers: &Servers, smallest: &Case) -> io::Result<bool> {
    let mut apart = [false; 2];
    for simpler in smallest.simpler() {
        let [ours, nginx, apache] = servers.ask(&simpler)?;
        apart[0] |= is_apart(&ours, &nginx);
        apart[1] |= is_apart(&ours, &apache);
    }
    Ok(apart == [true; 2])
}
