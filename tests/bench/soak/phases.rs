//! The phases: load from all kinds of clients at once, with rotations of the log and storms of signals, then
//! a rest. The server's resources are sampled throughout.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::log_files::LogFiles;
use super::server::{Sample, Server};
use super::visit::{Account, Visited, Visitor};
use super::{Schedule, disorderly, limits, orderly};

/// Time between two samples under load; at rest it is a second.
const SAMPLING: Duration = Duration::from_secs(5);

/// A kind of client: its name, its number, and the visit that each repeats.
type Kind = (&'static str, usize, fn(&Visitor<'_>) -> Visited);

const KINDS: [Kind; 11] = [
    ("kept connections", 2, orderly::kept),
    ("a connection for each", 2, orderly::closed),
    ("ranges", 1, orderly::ranges),
    ("listings", 1, orderly::listings),
    ("status page", 1, orderly::status),
    ("broken off", 2, disorderly::aborted),
    ("slow", 6, disorderly::slow),
    ("refused uploads", 1, disorderly::uploads),
    ("malformed", 1, disorderly::malformed),
    ("over their own limit", 1, limits::over_own),
    ("over the total", 1, limits::over_total),
];

/// A pause between two visits of one client, so that it leaves the processors to others.
const BREATH: Duration = Duration::from_millis(2);

/// The results of a phase.
pub(crate) struct Phase {
    /// Connections and requests that the server counted.
    pub(crate) connections: u64,
    pub(crate) requests: u64,
    pub(crate) dropped_lines: u64,
    /// The maximum of each figure under load.
    pub(crate) busiest: Sample,
    /// After the rest.
    pub(crate) idle: Sample,
    /// Connections counted by the server after the rest, without the one that asks.
    pub(crate) held: u64,
}

/// The results of the whole run.
pub(crate) struct Record {
    pub(crate) before: Sample,
    pub(crate) phases: Vec<Phase>,
    pub(crate) accounts: Vec<(&'static str, Account)>,
    pub(crate) log: LogFiles,
    pub(crate) signals: u64,
    /// The last status, which counts all requests but its own.
    pub(crate) status: Value,
    pub(crate) has_ended_well: bool,
    pub(crate) diagnostics: String,
    pub(crate) took: Duration,
}

pub(crate) fn run(schedule: Schedule) -> io::Result<Record> {
    let begun = Instant::now();
    let mut server = Server::start()?;
    // The first request creates the first thread and fills the caches.
    let mut status = server.status()?;
    thread::sleep(schedule.rest.min(Duration::from_secs(10)));
    let before = server.sample()?;
    let accounts: Vec<_> = KINDS.iter().map(|kind| (kind.0, Account::default())).collect();
    let (mut log, signals, mut phases) = (LogFiles::default(), AtomicU64::new(0), Vec::new());
    println!(
        "| phase | connections | requests | lines dropped | busiest: MB | descriptors | threads | idle: kB | of it anonymous | descriptors | threads |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    print_row("before", None, &before);
    for number in 1..=schedule.phases {
        let busiest = load(&server, schedule.load, &accounts, &mut log, &signals)?;
        let idle = rest(&server, schedule.rest)?;
        let after = server.status()?;
        let grown = |pointer: &str| count(&after, pointer) - count(&status, pointer);
        let phase = Phase {
            connections: grown("/counters/connections"),
            requests: grown("/counters/requests"),
            dropped_lines: grown("/counters/log_lines_dropped"),
            busiest,
            idle,
            held: count(&after, "/held").saturating_sub(1),
        };
        print_row(&number.to_string(), Some(&phase), &idle);
        phases.push(phase);
        status = after;
    }
    let has_ended_well = server.end()?.is_some();
    log.count(&server.log_path)?;
    Ok(Record {
        before,
        phases,
        accounts,
        log,
        signals: signals.into_inner(),
        status,
        has_ended_well,
        diagnostics: server.diagnostics()?,
        took: begun.elapsed(),
    })
}

/// A number of the status as JSON.
pub(crate) fn count(status: &Value, pointer: &str) -> u64 {
    status.pointer(pointer).and_then(Value::as_u64).unwrap_or(u64::MAX)
}

fn print_row(name: &str, phase: Option<&Phase>, idle: &Sample) {
    let busy = phase.map_or_else(
        || " | | | | | ".to_owned(),
        |phase| {
            let Phase { connections, requests, dropped_lines, busiest, .. } = phase;
            format!(
                "{connections} | {requests} | {dropped_lines} | {:.1} | {} | {}",
                busiest.rss_kb as f64 / 1024.0,
                busiest.descriptors,
                busiest.threads
            )
        },
    );
    let Sample { rss_kb, anonymous_kb, descriptors, threads } = idle;
    println!("| {name} | {busy} | {rss_kb} | {anonymous_kb} | {descriptors} | {threads} |");
}

/// Runs all clients for this long; returns the maximum of the server's figures.
fn load(
    server: &Server,
    time: Duration,
    accounts: &[(&str, Account)],
    log: &mut LogFiles,
    signals: &AtomicU64,
) -> io::Result<Sample> {
    let stop = AtomicBool::new(false);
    let goes_on = || !stop.load(Ordering::Relaxed);
    thread::scope(|scope| {
        for ((_, copies, visit), (_, account)) in KINDS.iter().zip(accounts) {
            for _ in 0..*copies {
                scope.spawn(move || {
                    let first = fastrand::usize(..);
                    for number in (0..).take_while(|_| goes_on()) {
                        let number = first.wrapping_add(number);
                        let visitor = Visitor { server: server.address, account, visit: number };
                        account.enter(visit(&visitor));
                        thread::sleep(BREATH);
                    }
                });
            }
        }
        scope.spawn(|| {
            while goes_on() {
                for _ in 0..200 {
                    // It fails only if the server has ended, which all others report.
                    signals.fetch_add(
                        u64::from(server.signal(Signal::HUP).is_ok()),
                        Ordering::Relaxed,
                    );
                    thread::sleep(Duration::from_micros(500));
                }
                pause(Duration::from_secs(4), goes_on);
            }
        });
        let watched = watch(server, time, log);
        stop.store(true, Ordering::Relaxed);
        watched
    })
}

/// Samples the server and rotates its log while the clients run.
fn watch(server: &Server, time: Duration, log: &mut LogFiles) -> io::Result<Sample> {
    let begun = Instant::now();
    let mut busiest = Sample::default();
    while begun.elapsed() < time {
        let left = time.saturating_sub(begun.elapsed());
        thread::sleep(left.min(SAMPLING));
        let sample = server.sample()?;
        busiest.rss_kb = busiest.rss_kb.max(sample.rss_kb);
        busiest.anonymous_kb = busiest.anonymous_kb.max(sample.anonymous_kb);
        busiest.descriptors = busiest.descriptors.max(sample.descriptors);
        busiest.threads = busiest.threads.max(sample.threads);
        log.rotate(server)?;
    }
    Ok(busiest)
}

/// Lets the server rest; returns the medians of the last samples.
fn rest(server: &Server, time: Duration) -> io::Result<Sample> {
    let begun = Instant::now();
    let mut samples = Vec::new();
    while begun.elapsed() < time {
        thread::sleep(Duration::from_secs(1));
        samples.push(server.sample()?);
    }
    let last = &samples[samples.len().saturating_sub(3)..];
    let middle = |figure: fn(&Sample) -> usize| {
        let mut figures: Vec<usize> = last.iter().map(figure).collect();
        figures.sort_unstable();
        figures[figures.len() / 2]
    };
    Ok(Sample {
        rss_kb: middle(|sample| sample.rss_kb),
        anonymous_kb: middle(|sample| sample.anonymous_kb),
        ..*last.last().unwrap_or(&Sample::default())
    })
}

fn pause(time: Duration, goes_on: impl Fn() -> bool) {
    let begun = Instant::now();
    while goes_on() && begun.elapsed() < time {
        thread::sleep(Duration::from_millis(50));
    }
}
