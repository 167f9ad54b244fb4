//! The whole experiment in one command: a server within this process, near and as if it were far, and the
//! two testcases fetched from both.
//!
//! The files are copied into a temporary directory and served from there, on loopback, so that nothing
//! else of the user's is ever served. Client and server share the processors.

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
use crate::interrupt::Interrupts;
use crate::lab::{Announced, Rendered, conditions, is_whole, limited};
use crate::{FAILURE, INTERRUPTED};

/// The files of each testcase.
const FILES: usize = 10;

/// The connections that are compared with one, and those that the curve has between them.
const CONCURRENCY: usize = 10;
const LEVELS: [usize; 4] = [1, 2, 5, 10];

/// What makes a distant server of a near one: a pause before each answer, and bytes a second for each
/// connection.
const DELAY: Duration = Duration::from_millis(20);
const RATE: u64 = 8 << 20;

/// No experiment begins a round that would probably go beyond this, so that all four are over within
/// half a minute on a slow machine as well.
const LONGEST: Duration = Duration::from_secs(6);

/// A workload: its directory, what it is called, and how long each of its files is.
struct Testcase {
    directory: &'static str,
    title: &'static str,
    file_bytes: usize,
}

const TESTCASES: [Testcase; 2] = [
    Testcase { directory: "testfiles1", title: "Testcase 1", file_bytes: 14 },
    Testcase { directory: "testfiles2", title: "Testcase 2", file_bytes: 256 * 1024 },
];

/// Runs it, and delivers the table and the page.
pub(crate) fn run(args: &Args, interrupts: &Interrupts) -> anyhow::Result<ExitCode> {
    let stop = Stop::default();
    interrupts.stop(&stop);
    let root = TempDir::new().context("cannot make a temporary directory")?;
    let downloads = TempDir::new().context("cannot make a temporary directory")?;
    let origin = provide_files(root.path(), Path::new("."))?;
    let near = Serving::start(root.path(), |_| {}).context("cannot start the server")?;
    let far = Serving::start(root.path(), |config| {
        config.policy.delay = DELAY;
        config.rates.maximum = Some(RATE);
    })
    .context("cannot start the server")?;
    let mut experiments = Vec::new();
    for (serving, place) in [(&near, "near"), (&far, "far")] {
        for testcase in &TESTCASES {
            if stop.reason().is_some() {
                break;
            }
            let title = format!("{}, {place}", testcase.title);
            let directory = OutputDirectory::prepare(downloads.path())?;
            let jobs = jobs(testcase, serving, &directory);
            let findings = measure(args, &title, (&jobs, &directory), place, &stop);
            experiments.push(Chapter { title, findings });
        }
    }
    let is_whole = experiments.iter().all(|chapter| is_whole(&chapter.findings));
    let title = "What concurrency buys".to_owned();
    let series = Series { title, introduction: introduction(origin), experiments };
    Rendered { text: series.text(), json: series.json(), html: series.html() }.deliver(args)?;
    Ok(match stop.reason() {
        Some(StopReason::Interrupted) => INTERRUPTED.into(),
        _ if !is_whole => FAILURE.into(),
        _ => ExitCode::SUCCESS,
    })
}

fn introduction(origin: Origin) -> String {
    let origin = match origin {
        Origin::Copied => "copies of the files in testfiles1 and testfiles2",
        Origin::Made => "files made for the purpose",
    };
    format!(
        "Testcase 1 is {FILES} files of 14 bytes, testcase 2 is {FILES} of 256 KiB ({origin}). They are \
         fetched from a server within this program, with one connection and with up to {CONCURRENCY}: near \
         is as it is, far is with {} ms before each answer and {} MiB a second for each connection.",
        DELAY.as_millis(),
        RATE >> 20
    )
}

/// One experiment; what goes wrong in it is among its findings.
fn measure(
    args: &Args,
    title: &str,
    (jobs, directory): (&[Job], &OutputDirectory),
    place: &str,
    stop: &Stop,
) -> Findings {
    let begun = SystemTime::now();
    let clock = Instant::now();
    let mut settings = Settings::default();
    settings.timeouts.total = args.max_time;
    let mut conditions = conditions(begun, &settings);
    conditions.servers = vec![format!(
        "http_server_conc {}, within the same process, {place}",
        env!("CARGO_PKG_VERSION")
    )];
    let schedule = limited(Schedule::sweep(&LEVELS, CONCURRENCY).with_max_time(LONGEST), args);
    let prefix = format!("{title}: ");
    let downloads = DownloadExecutor::new(jobs, directory, settings, stop);
    let mut executor = Announced::new(downloads, &schedule, &prefix, args.quiet);
    Findings::new(&conduct(schedule, &mut executor, &clock), conditions, args.lab.seed)
}

fn jobs(testcase: &Testcase, serving: &Serving, directory: &OutputDirectory) -> Vec<Job> {
    let urls = (1..=FILES).map(|number| {
        let (port, testcase) = (serving.port, testcase.directory);
        InputEntry::url(format!("http://127.0.0.1:{port}/{testcase}/file{number}.txt"))
    });
    plan(urls, Layout::Flat, ExistingFile::Replace, directory.path()).jobs
}

/// Where the files come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Copied,
    Made,
}

/// Puts the files of both testcases beneath `root`: copies of those beneath `source` where all are
/// there, else made ones of the same lengths.
fn provide_files(root: &Path, source: &Path) -> anyhow::Result<Origin> {
    let names: Vec<String> = TESTCASES
        .iter()
        .flat_map(|testcase| {
            (1..=FILES).map(|number| format!("{}/file{number}.txt", testcase.directory))
        })
        .collect();
    let are_there = names.iter().all(|name| source.join(name).is_file());
    for testcase in &TESTCASES {
        fs::create_dir(root.join(testcase.directory))?;
        for number in 1..=FILES {
            let name = format!("{}/file{number}.txt", testcase.directory);
            let target = root.join(&name);
            let provided = if are_there {
                fs::copy(source.join(&name), &target).map(drop)
            } else {
                fs::write(&target, content(number, testcase.file_bytes))
            };
            provided.with_context(|| format!("cannot provide {}", target.display()))?;
        }
    }
    Ok(if are_there { Origin::Copied } else { Origin::Made })
}

/// Text of so many bytes, another one for each file.
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
struct Serving {
    port: u16,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
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

impl Drop for Serving {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the server's was told by itself.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_copied_where_all_are_there_and_made_where_one_is_missing() {
        let (source, copied) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        assert_eq!(provide_files(source.path(), Path::new("/nowhere")).unwrap(), Origin::Made);
        let file = |root: &TempDir, name: &str| fs::read(root.path().join(name)).unwrap();
        assert_eq!(file(&source, "testfiles1/file10.txt").len(), 14);
        assert_eq!(file(&source, "testfiles2/file1.txt").len(), 256 * 1024);
        assert_ne!(file(&source, "testfiles2/file1.txt"), file(&source, "testfiles2/file2.txt"));
        fs::write(source.path().join("testfiles1/file3.txt"), "mine").unwrap();
        assert_eq!(provide_files(copied.path(), source.path()).unwrap(), Origin::Copied);
        assert_eq!(file(&copied, "testfiles1/file3.txt"), b"mine");
        fs::remove_file(source.path().join("testfiles2/file9.txt")).unwrap();
        let made = TempDir::new().unwrap();
        assert_eq!(provide_files(made.path(), source.path()).unwrap(), Origin::Made);
    }
}
