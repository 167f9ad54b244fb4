//! Both testcases with this package's server and others, near and 20 ms away: one connection against ten,
//! measured by `lab`.
//!
//! `cargo bench --bench testcases` prints a table; `-- --runs N` makes more pairs of runs, and `--report
//! FILE.html` writes a page about all of them. A relay adds the distance, the same for all servers.

#[path = "relay.rs"]
mod relay;
#[path = "peers/servers/mod.rs"]
#[allow(dead_code, reason = "the servers are shared with a bench that measures more of them")]
mod servers;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use http_concurrent::client::{
    ExistingFile, InputEntry, Job, Layout, OutputDirectory, Settings, Stop, plan,
};
use http_concurrent::lab::DownloadExecutor;
use http_concurrent::lab::experiment::conduct;
use http_concurrent::lab::findings::{Conditions, Findings};
use http_concurrent::lab::report::{Chapter, Series};
use http_concurrent::lab::schedule::Schedule;
use relay::Relay;
use servers::{apache, nginx, ours, python};
use tempfile::TempDir;

const CONCURRENCY: usize = 10;

/// The delay of one direction; a round trip takes twice as long.
const DISTANCE: Duration = Duration::from_millis(10);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1))
    };
    let runs = value("--runs").and_then(|runs| runs.parse().ok()).unwrap_or(12);
    let schedule = Schedule::compare(CONCURRENCY).with_rounds(runs);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let peers =
        [ours::start_stock(root), nginx::start(root), apache::start(root), python::start(root)];
    let peers: Vec<_> = peers
        .into_iter()
        .filter_map(|peer| peer.map_err(|missing| println!("skipped: {missing}")).ok())
        .collect();
    let mut experiments = Vec::new();
    for (distance, place) in [(None, "near"), (Some(DISTANCE), "20 ms away")] {
        for (number, directory) in [(1, "testfiles1"), (2, "testfiles2")] {
            for peer in &peers {
                let relay = distance.map(|one_way| Relay::start(peer.port(), one_way));
                let relay = relay.map(|relay| relay.expect("loopback has a free port"));
                let port = relay.as_ref().map_or(peer.port(), Relay::port);
                let findings = measure(port, directory, &schedule);
                let title = format!("{number}, {place}, {}", peer.name);
                experiments.push(Chapter { title, findings });
            }
        }
    }
    let introduction = format!(
        "Both testcases, one connection against {CONCURRENCY}, {} pairs of runs each. 20 ms away: a \
         relay delays every byte by 10 ms each way, and the opening of a connection by a round trip.",
        schedule.rounds()
    );
    let series = Series { title: "The testcases".to_owned(), introduction, experiments };
    println!("{}", series.table());
    for Chapter { title, findings } in &series.experiments {
        println!("{title}: {}", findings.headline);
        for sentence in
            findings.bottleneck.iter().map(|limit| &limit.sentence).chain(&findings.notes)
        {
            println!("    {sentence}");
        }
    }
    if let Some(path) = value("--report") {
        std::fs::write(path, series.html()).expect("the report can be written");
    }
}

fn measure(port: u16, directory: &str, schedule: &Schedule) -> Findings {
    let files = TempDir::new().expect("there is room for files");
    let output = OutputDirectory::prepare(files.path()).expect("a new directory takes files");
    let url = |number| format!("http://127.0.0.1:{port}/{directory}/file{number}.txt");
    let urls = (1..=10).map(|number| InputEntry::url(url(number)));
    let jobs: Vec<Job> = plan(urls, Layout::Flat, ExistingFile::Replace, output.path()).jobs;
    let (stop, clock) = (Stop::default(), Instant::now());
    let mut downloads = DownloadExecutor::new(&jobs, &output, Settings::default(), &stop);
    let trial = conduct(schedule.clone(), &mut downloads, &clock);
    let conditions = Conditions {
        servers: downloads.servers(),
        processors: thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
        ..Conditions::default()
    };
    Findings::new(trial, conditions)
}
