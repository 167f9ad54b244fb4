//! `--demo`: the whole experiment in one command, with two servers inside this process, one near and one as
//! if far away, and both testcases fetched from each.
//!
//! The files are copied into a temporary directory and served on loopback, so that no other file of the user
//! is served. Client and server share the processors.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use http_concurrent::client::{
    ExistingFile, InputEntry, Job, Layout, OutputDirectory, Settings, Stop, StopReason, plan,
};
use http_concurrent::lab::DownloadExecutor;
use http_concurrent::lab::experiment::conduct;
use http_concurrent::lab::findings::Findings;
use http_concurrent::lab::report::{Chapter, Series};
use http_concurrent::lab::schedule::Schedule;
use http_concurrent::server::{AccessLog, Server, ServerConfig, Stopper};
use tempfile::TempDir;

use crate::args::Args;
use crate::exit_status::{FAILURE, INTERRUPTED};
use crate::interrupt::Interrupts;
use crate::lab::{Announced, Renderings, conditions, is_whole, limited};

/// Number of files in each testcase.
const FILES: usize = 10;

/// The number of connections compared with one, and the points of the curve.
const CONCURRENCY: usize = 10;
const LEVELS: [usize; 4] = [1, 2, 5, 10];

/// The far server pauses before each response and limits the bytes per second of each connection.
const DELAY: Duration = Duration::from_millis(20);
const RATE: u64 = 8 << 20;

/// Time limit of each experiment, so that all four end within a minute on a slow machine too.
const MAX_TIME: Duration = Duration::from_secs(12);

/// A workload: its directory, its title, and the length of each file.
struct Testcase {
    directory: &'static str,
    title: &'static str,
    file_bytes: usize,
}

const TESTCASES: [Testcase; 2] = [
    Testcase { directory: "testfiles1", title: "Testcase 1", file_bytes: 14 },
    Testcase { directory: "testfiles2", title: "Testcase 2", file_bytes: 256 * 1024 },
];

/// Runs the experiments, and writes the table and the page.
pub(crate) fn run(args: &Args, interrupts: &Interrupts) -> anyhow::Result<ExitCode> {
    let stop = Stop::default();
    interrupts.stop(&stop);
    let root = TempDir::new().context("cannot make a temporary directory")?;
    let downloads = TempDir::new().context("cannot make a temporary directory")?;
    let origin = provide_files(root.path(), Path::new("."))?;
    let near = RunningServer::start(root.path(), |_| {}).context("cannot start the server")?;
    let far = RunningServer::start(root.path(), |config| {
        config.policy.delay = DELAY;
        config.rates.maximum.connection = Some(RATE);
    })
    .context("cannot start the server")?;
    let mut experiments = Vec::new();
    for (server, distance) in [(&near, "near"), (&far, "far")] {
        for testcase in &TESTCASES {
            if stop.reason().is_some() {
                break;
            }
            let directory = OutputDirectory::prepare(downloads.path())?;
            let experiment = Experiment {
                title: format!("{}, {distance}", testcase.title),
                distance,
                jobs: jobs(testcase, server, &directory),
                directory,
            };
            let findings = experiment.measure(args, &stop);
            experiments.push(Chapter { title: experiment.title, findings });
        }
    }
    let is_whole = experiments.iter().all(|chapter| is_whole(&chapter.findings));
    let title = "What concurrency gains".to_owned();
    let series = Series { title, introduction: introduction(origin), experiments };
    let renderings =
        Renderings { text: &|| series.text(), json: &|| series.json(), html: &|| series.html() };
    renderings.deliver(args)?;
    Ok(match stop.reason() {
        Some(StopReason::Interrupted) => INTERRUPTED.into(),
        _ if !is_whole => FAILURE.into(),
        _ => ExitCode::SUCCESS,
    })
}

fn introduction(origin: Origin) -> String {
    let origin = match origin {
        Origin::Copied => "copies of the files in testfiles1 and testfiles2",
        Origin::Generated => "generated files",
    };
    format!(
        "Testcase 1 is {FILES} files of 14 bytes, testcase 2 is {FILES} of 256 KiB ({origin}). They are \
         fetched from a server inside this program, with one connection and with up to {CONCURRENCY}. The \
         far server waits {} ms before each response and sends {} MiB per second on each connection.",
        DELAY.as_millis(),
        RATE >> 20
    )
}

/// One testcase on one server.
struct Experiment {
    title: String,
    distance: &'static str,
    jobs: Vec<Job>,
    directory: OutputDirectory,
}

impl Experiment {
    /// Runs it; failures are part of the findings.
    fn measure(&self, args: &Args, stop: &Stop) -> Findings {
        let started_at = SystemTime::now();
        let clock = Instant::now();
        let mut settings = Settings::default();
        settings.timeouts.total = args.max_time;
        let mut conditions = conditions(started_at, &settings);
        conditions.servers = vec![format!(
            "http_server_conc {}, within the same process, {}",
            env!("CARGO_PKG_VERSION"),
            self.distance
        )];
        let schedule = limited(Schedule::sweep(&LEVELS, CONCURRENCY).with_max_time(MAX_TIME), args);
        let prefix = format!("{}: ", self.title);
        let downloads = DownloadExecutor::new(&self.jobs, &self.directory, settings, stop);
        let mut executor = Announced::new(downloads, &schedule, &prefix, args.quiet);
        Findings::new(conduct(schedule, &mut executor, &clock), conditions)
    }
}

fn jobs(testcase: &Testcase, server: &RunningServer, directory: &OutputDirectory) -> Vec<Job> {
    let urls = (1..=FILES).map(|number| {
        let (port, testcase) = (server.port, testcase.directory);
        InputEntry::url(format!("http://127.0.0.1:{port}/{testcase}/file{number}.txt"))
    });
    plan(urls, Layout::Flat, ExistingFile::Replace, directory.path()).jobs
}

/// The origin of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Copied,
    Generated,
}

/// Puts the files of both testcases beneath `root`: copies of those beneath `source` if all exist, else
/// generated ones of the same lengths.
fn provide_files(root: &Path, source: &Path) -> anyhow::Result<Origin> {
    let names: Vec<String> = TESTCASES
        .iter()
        .flat_map(|testcase| {
            (1..=FILES).map(|number| format!("{}/file{number}.txt", testcase.directory))
        })
        .collect();
    let all_exist = names.iter().all(|name| source.join(name).is_file());
    for testcase in &TESTCASES {
        fs::create_dir(root.join(testcase.directory))?;
        for number in 1..=FILES {
            let name = format!("{}/file{number}.txt", testcase.directory);
            let target = root.join(&name);
            let provided = if all_exist {
                fs::copy(source.join(&name), &target).map(drop)
            } else {
                fs::write(&target, content(number, testcase.file_bytes))
            };
            provided.with_context(|| format!("cannot provide {}", target.display()))?;
        }
    }
    Ok(if all_exist { Origin::Copied } else { Origin::Generated })
}

/// Text of this length, different for each file.
fn content(number: usize, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    let mut line = 0;
    while text.len() < bytes {
        let _ = writeln!(text, "file {number:>2} {line}");
        line += 1;
    }
    text.truncate(bytes);
    text
}

/// A running server; it is stopped when dropped.
struct RunningServer {
    port: u16,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl RunningServer {
    fn start(root: &Path, configure: impl FnOnce(&mut ServerConfig)) -> anyhow::Result<Self> {
        let mut config = ServerConfig {
            address: Some(Ipv4Addr::LOCALHOST.into()),
            port: 0,
            root: root.to_owned(),
            access_log: AccessLog::Off,
            ..ServerConfig::default()
        };
        configure(&mut config);
        let server = Server::start(&config)?;
        let (port, stopper) = (server.address().port(), server.stopper());
        let thread = thread::Builder::new().name("server".to_owned()).spawn(move || {
            if let Err(error) = server.run() {
                log::error!("the server ended: {error}");
            }
        })?;
        Ok(Self { port, stopper, thread: Some(thread) })
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by its own hook.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_copied_if_all_exist_and_generated_if_one_is_missing() {
        let (source, copied) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        assert_eq!(provide_files(source.path(), Path::new("/nowhere")).unwrap(), Origin::Generated);
        let file = |root: &TempDir, name: &str| fs::read(root.path().join(name)).unwrap();
        assert_eq!(file(&source, "testfiles1/file10.txt").len(), 14);
        assert_eq!(file(&source, "testfiles2/file1.txt").len(), 256 * 1024);
        assert_ne!(file(&source, "testfiles2/file1.txt"), file(&source, "testfiles2/file2.txt"));
        fs::write(source.path().join("testfiles1/file3.txt"), "mine").unwrap();
        assert_eq!(provide_files(copied.path(), source.path()).unwrap(), Origin::Copied);
        assert_eq!(file(&copied, "testfiles1/file3.txt"), b"mine");
        fs::remove_file(source.path().join("testfiles2/file9.txt")).unwrap();
        let made = TempDir::new().unwrap();
        assert_eq!(provide_files(made.path(), source.path()).unwrap(), Origin::Generated);
    }
}
