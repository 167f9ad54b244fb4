//! Three servers behind `HAProxy`, one of which is stopped or killed under load.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::client::{Client, status_of};
use super::cluster::Cluster;
use super::target::LARGE_BYTES;
use super::{Finding, Options};

const CLIENTS: u8 = 16;
/// Each instance in turn, so often.
const ROUNDS: usize = 2;
/// Between an instance that is back and the end of the next one.
const PAUSE: Duration = Duration::from_secs(2);
const FILES: usize = 36;

/// What clients received that ask for a small file all the time.
#[derive(Default)]
struct Answers {
    right: u64,
    wrong: u64,
    longest: Duration,
}

impl Answers {
    fn add(&mut self, other: &Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.longest = self.longest.max(other.longest);
    }

    fn text(&self, took: Duration) -> String {
        format!(
            "{} of {} requests answered with the file, {:.0} a second, the longest after {:.0} ms",
            self.right,
            self.right + self.wrong,
            self.right as f64 / took.as_secs_f64(),
            self.longest.as_secs_f64() * 1e3
        )
    }
}

/// Asks until it is told to end: over kept connections, or over one for each request.
fn ask(to: SocketAddr, host: u8, ended: &AtomicBool) -> Answers {
    let mut answers = Answers::default();
    let mut kept = None;
    while !ended.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let connected = kept.take().map_or_else(|| Client::connect([127, 0, 16, host], to), Ok);
        let answered = connected.and_then(|mut client| Ok((client.get("/small")?, client)));
        match answered {
            Ok((answer, client)) if status_of(&answer) == 200 => {
                answers.right += 1;
                kept = (host.is_multiple_of(2)).then_some(client);
            }
            _ => answers.wrong += 1,
        }
        answers.longest = answers.longest.max(begun.elapsed());
    }
    answers
}

/// The answers to all clients while something happens, and how long it took.
fn meanwhile<T>(
    to: SocketAddr,
    event: impl FnOnce() -> io::Result<T>,
) -> io::Result<(Answers, Duration, T)> {
    let ended = AtomicBool::new(false);
    let begun = Instant::now();
    thread::scope(|scope| {
        let ended = &ended;
        let clients: Vec<_> =
            (1..=CLIENTS).map(|host| scope.spawn(move || ask(to, host, ended))).collect();
        let result = event();
        ended.store(true, Ordering::Relaxed);
        let mut answers = Answers::default();
        for client in clients {
            answers.add(&client.join().expect("none panics"));
        }
        Ok((answers, begun.elapsed(), result?))
    })
}

fn not_installed() -> Vec<Finding> {
    println!("skipped: HAProxy is not installed");
    Vec::new()
}

pub(crate) fn stopped(_: &Options) -> io::Result<Vec<Finding>> {
    let Some(mut cluster) = Cluster::start(&[], &[])? else { return Ok(not_installed()) };
    let to = cluster.address();
    let (answers, took, ()) = meanwhile(to, || {
        for index in (0..3).cycle().take(ROUNDS * 3) {
            thread::sleep(PAUSE);
            cluster.replace(index, Signal::TERM)?;
        }
        Ok(())
    })?;
    Ok(vec![Finding {
        attack: "three instances behind HAProxy are stopped with SIGTERM and started again in turns, twice \
                 each, while 16 clients ask",
        must_hold: "no request is lost",
        measured: answers.text(took),
        holds: answers.wrong == 0 && answers.right > 0,
    }])
}

pub(crate) fn killed(_: &Options) -> io::Result<Vec<Finding>> {
    let Some(mut cluster) = Cluster::start(&["--limit-rate", "3M"], &[])? else {
        return Ok(not_installed());
    };
    let to = cluster.address();
    let (answers, took, (downloads, sending)) = meanwhile(to, || {
        thread::scope(|scope| {
            let downloads = scope.spawn(move || Downloads::fetch(to));
            let mut sending = 0;
            for index in 0..3 {
                thread::sleep(PAUSE);
                sending += cluster.active(index, "127.0.0.1")?;
                cluster.replace(index, Signal::KILL)?;
            }
            Ok((downloads.join().expect("it does not panic")?, sending))
        })
    })?;
    Ok(vec![
        Finding {
            attack: "each is killed with SIGKILL and started again, while 16 clients ask",
            must_hold: "no request is lost that was not being answered",
            measured: answers.text(took),
            holds: answers.wrong == 0 && answers.right > 0,
        },
        Finding {
            attack: "meanwhile `http_client_concurrent -c 12` fetches 36 files of 20 MB, each at 3 MiB/s",
            must_hold: "only what the killed ones were sending is cut; every file has its SHA-256, status 0",
            measured: format!(
                "{} of 36 verified, {}; {} cut of the {sending} that were being sent, {} of them continued",
                downloads.verified, downloads.status, downloads.cut, downloads.continued
            ),
            holds: downloads.is_whole && downloads.cut > 0 && downloads.cut <= sending,
        },
    ])
}

/// What our client made of its run.
struct Downloads {
    verified: usize,
    cut: u64,
    continued: u64,
    status: String,
    is_whole: bool,
}

impl Downloads {
    fn fetch(to: SocketAddr) -> io::Result<Self> {
        let directory = TempDir::new()?;
        let mut expected = String::new();
        for byte in Sha256::digest(vec![7; LARGE_BYTES]) {
            write!(expected, "{byte:02x}").expect("memory takes all that is written");
        }
        let status = Command::new(env!("CARGO_BIN_EXE_http_client_concurrent"))
            .args(["-q", "-c", "12", "--sha256", "--json", "run.json", "--urls"])
            .args((0..FILES).map(|number| format!("http://{to}/large?{number}")))
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        let run: Value = serde_json::from_slice(&fs::read(directory.path().join("run.json"))?)?;
        let fetches = run["fetches"].as_array().map_or(&[][..], Vec::as_slice);
        let count = |is: &dyn Fn(&Value) -> bool| fetches.iter().filter(|fetch| is(fetch)).count();
        let verified = count(&|fetch| fetch["sha256"] == expected.as_str());
        let cut = count(&|fetch| fetch["attempts"].as_u64() > Some(1)) as u64;
        Ok(Self {
            verified,
            cut,
            continued: run["continued"].as_u64().unwrap_or(0),
            status: status.to_string(),
            is_whole: status.success() && verified == FILES,
        })
    }
}
