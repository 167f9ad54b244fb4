//! The server in its own process, observed from outside.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::answer::Connection;

pub(crate) const SMALL: &[u8] = b"Hello, client\n";
pub(crate) const MEDIUM_BYTES: usize = 256 * 1024;
pub(crate) const LARGE_BYTES: usize = 4 * 1024 * 1024;
/// More than the kernel buffers for a connection that is not read.
const HUGE_BYTES: u64 = 64 * 1024 * 1024;
/// Entries of the directory `many`.
pub(crate) const ENTRIES: usize = 3_000;
/// The `Host` that the clients send.
pub(crate) const HOST: &str = "soak";
pub(crate) const STATUS_PATH: &str = "/server-status";
pub(crate) const PER_CLIENT: usize = 8;
pub(crate) const TOTAL: usize = 64;

/// The byte at each offset of the larger files.
pub(crate) fn byte_at(place: usize) -> u8 {
    (place % 251).to_le_bytes()[0]
}

/// A server with a temporary root; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log_path: PathBuf,
    diagnostics: PathBuf,
    _directory: TempDir,
}

/// Figures of the process from the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Resident set, in kB.
    pub(crate) rss_kb: usize,
    /// The part that is not backed by files.
    pub(crate) anonymous_kb: usize,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

impl Server {
    pub(crate) fn start() -> io::Result<Self> {
        let directory = TempDir::new()?;
        let root = directory.path().join("root");
        fill(&root)?;
        let log_path = directory.path().join("access.log");
        let diagnostics = directory.path().join("diagnostics.log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_http_server_conc"))
            .args(["-p", "0", "--bind", "127.0.0.1", "--log-format", "json"])
            .args(["-maxclient", &PER_CLIENT.to_string(), "-maxtotal", &TOTAL.to_string()])
            .args(["--status-path", STATUS_PATH, "--status-allow", "127.0.0.0/8"])
            .args(["--status-host", HOST])
            .arg("--access-log")
            .arg(&log_path)
            .arg("--root")
            .arg(&root)
            .stdout(Stdio::piped())
            .stderr(File::create(&diagnostics)?)
            .spawn()?;
        let port = super::target::announced_port(&mut child)?;
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Ok(Self { child, address, log_path, diagnostics, _directory: directory })
    }

    pub(crate) fn sample(&self) -> io::Result<Sample> {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let rollup = fs::read_to_string(process.join("smaps_rollup"))?;
        let status = fs::read_to_string(process.join("status"))?;
        Ok(Sample {
            rss_kb: figure(&rollup, "Rss:"),
            anonymous_kb: figure(&rollup, "Anonymous:"),
            descriptors: fs::read_dir(process.join("fd"))?.count(),
            threads: figure(&status, "Threads:"),
        })
    }

    /// The status as JSON. It does not yet count the request for it.
    pub(crate) fn status(&self) -> io::Result<Value> {
        let mut connection = Connection::open([127, 0, 0, 1], self.address)?;
        connection.get(&format!("{STATUS_PATH}?format=json"))?;
        let answer = connection.answer()?;
        serde_json::from_slice(&answer.content).map_err(io::Error::other)
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Stops it in order; `None` if it does not exit with status 0 in time.
    pub(crate) fn end(&mut self) -> io::Result<Option<()>> {
        self.signal(Signal::TERM)?;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success().then_some(()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(None)
    }

    /// Its standard error.
    pub(crate) fn diagnostics(&self) -> io::Result<String> {
        fs::read_to_string(&self.diagnostics)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fill(root: &Path) -> io::Result<()> {
    fs::create_dir_all(root.join("many"))?;
    fs::write(root.join("small"), SMALL)?;
    for (name, length) in [("medium", MEDIUM_BYTES), ("large", LARGE_BYTES)] {
        fs::write(root.join(name), (0..length).map(byte_at).collect::<Vec<u8>>())?;
    }
    // A sparse file.
    File::create(root.join("huge"))?.set_len(HUGE_BYTES)?;
    for number in 0..ENTRIES {
        fs::write(root.join(format!("many/entry {number}.txt")), number.to_string())?;
    }
    Ok(())
}

/// The number behind a name, in a file of proc(5).
fn figure(text: &str, name: &str) -> usize {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
