//! The server under attack, in its own process and observed from outside.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use rustls::ClientConfig;
use tempfile::TempDir;

use super::client::{Client, status_of};

const SERVER: &str = env!("CARGO_BIN_EXE_http_server_conc");
/// The size of the large file.
pub(crate) const LARGE_BYTES: usize = 20_000_000;
/// The size of the file that is fetched repeatedly.
pub(crate) const MEDIUM_BYTES: usize = 256 * 1024;

/// A server with a temporary root; stopped when dropped.
pub(crate) struct Target {
    child: Child,
    port: u16,
    /// Further fields of the requests of [`Target::connect`], each with its line ending.
    pub(crate) fields: String,
    /// With this client the connections of [`Target::connect`] are over TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    _root: Option<TempDir>,
}

impl Target {
    pub(crate) fn start(arguments: &[&str]) -> io::Result<Self> {
        Self::start_under(&[], None, arguments)
    }

    /// Starts it with another command in front, such as prlimit(1), and as another user.
    pub(crate) fn start_under(
        before: &[&str],
        user: Option<u32>,
        arguments: &[&str],
    ) -> io::Result<Self> {
        let root = site()?;
        let mut words = before.to_vec();
        words.push(SERVER);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["-q", "-p", "0"]).args(arguments);
        if let Some(user) = user {
            command.uid(user);
        }
        command.arg("--root").arg(root.path());
        Self::launch(command, Some(root))
    }

    /// Starts it with these arguments only.
    pub(crate) fn start_as<A: AsRef<OsStr>>(arguments: &[A]) -> io::Result<Self> {
        let mut command = Command::new(SERVER);
        command.args(arguments);
        Self::launch(command, None)
    }

    fn launch(mut command: Command, root: Option<TempDir>) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let port = announced_port(&mut child)?;
        Ok(Self { child, port, fields: String::new(), tls: None, _root: root })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// A client that may have the files.
    pub(crate) fn connect(&self, host: [u8; 4]) -> io::Result<Client> {
        self.connect_to(host, self.address())
    }

    /// The same client to another server.
    pub(crate) fn connect_to(&self, host: [u8; 4], to: SocketAddr) -> io::Result<Client> {
        let mut client = Client::connect(host, to)?;
        client.fields.clone_from(&self.fields);
        match &self.tls {
            Some(tls) => client.over_tls(tls),
            None => Ok(client),
        }
    }

    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        cpu_time(&self.child)
    }

    /// Its share of one processor during this time, in percent.
    pub(crate) fn cpu_percent(&self, meanwhile: Duration) -> io::Result<f64> {
        let before = self.cpu_time()?;
        thread::sleep(meanwhile);
        let used = self.cpu_time()?.saturating_sub(before);
        Ok(100.0 * used.as_secs_f64() / meanwhile.as_secs_f64())
    }

    /// Resident memory, in MiB.
    pub(crate) fn memory(&self) -> io::Result<f64> {
        memory(&self.child)
    }

    pub(crate) fn descriptors(&self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// Sets the soft limit of its descriptors, and returns the old one.
    pub(crate) fn limit_descriptors(&self, soft: u64) -> io::Result<u64> {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let new = Rlimit { current: Some(soft), maximum };
        let old = prlimit(Some(Pid::from_child(&self.child)), Resource::Nofile, new)?;
        Ok(old.current.unwrap_or(u64::MAX))
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Waits for its exit; returns, for example, `status 0`.
    pub(crate) fn end(&mut self, patience: Duration) -> io::Result<String> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                return Ok(match (status.code(), status.signal()) {
                    (Some(code), _) => format!("status {code}"),
                    (None, signal) => format!("signal {signal:?}"),
                });
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok("it does not exit".to_owned())
    }

    /// True if exactly `limit` connections of one address are served at a time, so that no slot is lost
    /// or surplus. Slots may take a moment to be freed.
    pub(crate) fn has_all_slots(&self, host: [u8; 4], limit: usize) -> io::Result<bool> {
        let begun = Instant::now();
        loop {
            let mut held = Vec::new();
            let mut served = 0;
            for _ in 0..limit {
                let mut client = self.connect(host)?;
                let answer = client.get("/small");
                served += usize::from(answer.is_ok_and(|answer| status_of(&answer) == 200));
                held.push(client);
            }
            let mut beyond = self.connect(host)?;
            if served == limit && beyond.is_denied("/small", 429)? {
                return Ok(true);
            }
            if begun.elapsed() > Duration::from_secs(5) {
                return Ok(false);
            }
            drop(held);
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory with the files that are fetched.
pub(crate) fn site() -> io::Result<TempDir> {
    let root = TempDir::new()?;
    fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    fs::write(root.path().join("small"), "Hello, client\n")?;
    fs::write(root.path().join("medium"), vec![7; MEDIUM_BYTES])?;
    fs::write(root.path().join("large"), vec![7; LARGE_BYTES])?;
    Ok(root)
}

/// Processor time of a process so far (proc(5), `stat`: utime and stime).
pub(crate) fn cpu_time(child: &Child) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    Ok(Duration::from_millis(ticks.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10))
}

/// Resident memory of a process, in MiB.
pub(crate) fn memory(child: &Child) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.unwrap_or(f64::NAN) / 1024.0)
}

/// The port in the line that a server prints when it is ready.
pub(crate) fn announced_port(child: &mut Child) -> io::Result<u16> {
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let port = line.split_once("127.0.0.1:").and_then(|(_, rest)| rest.split_once('/'));
    port.and_then(|(port, _)| port.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no port in {line:?}")))
}
