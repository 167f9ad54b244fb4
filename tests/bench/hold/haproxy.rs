//! `HAProxy` before servers.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::target;

/// A running `HAProxy`; ended when dropped.
pub(crate) struct HaProxy {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl HaProxy {
    /// At most 60 requests at a time are passed on to `server`; others wait up to 30 s. `None` if it is not
    /// installed.
    pub(crate) fn start(server: SocketAddr) -> io::Result<Option<Self>> {
        Self::run(|address| {
            format!(
                "defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  \
                 timeout queue 30s\nlisten relay\n  bind {address}\n  server files {server} maxconn 60\n"
            )
        })
    }

    /// Runs the configuration that is made for this address. `None` if it is not installed.
    pub(crate) fn run(
        configuration: impl FnOnce(SocketAddr) -> String,
    ) -> io::Result<Option<Self>> {
        let directory = TempDir::new()?;
        // HAProxy does not report a port that it chose.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let path = directory.path().join("haproxy.cfg");
        fs::write(&path, configuration(address))?;
        let started = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match started {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            started => started?,
        };
        let haproxy = Self { child, address, _directory: directory };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::other("HAProxy does not listen"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(Some(haproxy))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Processor time so far.
    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        target::cpu_time(&self.child)
    }

    /// Resident memory, in MiB.
    pub(crate) fn memory(&self) -> io::Result<f64> {
        target::memory(&self.child)
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
