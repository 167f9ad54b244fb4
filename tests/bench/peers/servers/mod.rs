//! The servers that are measured side by side: each with a configuration of its own file, in its own
//! processes, on its own loopback port, stopped when dropped.
//!
//! All are configured for speed and alike: no access log, `sendfile`, two workers, kept connections without a
//! limit of requests.

pub(crate) mod apache;
pub(crate) mod lighttpd;
pub(crate) mod nginx;
pub(crate) mod ours;
mod process;
pub(crate) mod program;
pub(crate) mod python;
pub(crate) mod static_web_server;

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use process::Process;
use program::{Missing, Program};
use tempfile::TempDir;

/// The number of worker processes or threads of a server that has a fixed number.
const WORKERS: usize = 2;

/// Longer than any server takes to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a server that starts is asked.
const POLL: Duration = Duration::from_micros(100);

/// The programs of the peers.
pub(crate) const PROGRAMS: [&Program; 5] = [
    &nginx::PROGRAM,
    &lighttpd::PROGRAM,
    &apache::PROGRAM,
    &static_web_server::PROGRAM,
    &python::PROGRAM,
];

/// Why a server was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error("cannot start {name}")]
    Spawn { name: &'static str, source: io::Error },
    #[error("{name} does not answer within 10 s")]
    Silent { name: &'static str },
}

/// A running server.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    scheme: &'static str,
    address: SocketAddr,
    process: Process,
    ready_after: Duration,
    /// Holds its configuration.
    _directory: TempDir,
}

/// Starts a server that serves a directory.
pub(crate) type Start = fn(&Path) -> Result<Server, StartError>;

/// What a server needs before it is started: a port and a directory for its configuration.
struct Place {
    port: u16,
    directory: TempDir,
}

impl Place {
    fn new(name: &'static str) -> Result<Self, StartError> {
        let spawn = |source| StartError::Spawn { name, source };
        // The peers do not report a port that they chose.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(spawn)?;
        let port = listener.local_addr().map_err(spawn)?.port();
        let directory = TempDir::with_prefix("peers-").map_err(spawn)?;
        Ok(Self { port, directory })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &'static str, text: &str) -> Result<PathBuf, StartError> {
        let path = self.path().join("configuration");
        std::fs::write(&path, text).map_err(|source| StartError::Spawn { name, source })?;
        Ok(path)
    }
}

impl Server {
    /// Spawns it, and waits for its first answer.
    fn start(name: &'static str, place: Place, command: &mut Command) -> Result<Self, StartError> {
        let begun = Instant::now();
        let process =
            Process::spawn(command).map_err(|source| StartError::Spawn { name, source })?;
        let address = (Ipv4Addr::LOCALHOST, place.port).into();
        while answer(address).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(StartError::Silent { name });
            }
            thread::sleep(POLL);
        }
        let ready_after = begun.elapsed();
        let scheme = "http";
        Ok(Self { name, scheme, address, process, ready_after, _directory: place.directory })
    }

    /// Under another name in the report.
    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// With URLs of a server that was configured for TLS.
    pub(crate) fn over_tls(self) -> Self {
        Self { scheme: "https", ..self }
    }

    /// The time from its spawning to its first answer.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}/{path}", self.scheme, self.address)
    }

    /// Processor time of all its processes so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.process.cpu_time()
    }

    /// Memory of all its processes, shared pages in proportion.
    pub(crate) fn pss_kibibytes(&self) -> f64 {
        self.process.pss_kibibytes()
    }
}

/// Asks a server until it closes; fails if it does not answer. One that expects TLS says so.
fn answer(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /14b.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.") { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Leaves out the servers that are not installed.
pub(crate) fn installed(
    started: impl IntoIterator<Item = Result<Server, StartError>>,
) -> Result<Vec<Server>, StartError> {
    let is_installed =
        |server: &Result<_, _>| !matches!(server, Err(StartError::Missing(Missing { .. })));
    started.into_iter().filter(is_installed).collect()
}
