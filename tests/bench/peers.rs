//! Servers to measure side by side: this package's and Debian's, each in its own process on its own port,
//! stopped when dropped.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// One server.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    port: u16,
    child: Child,
    /// Keeps its configuration alive.
    _directory: Option<TempDir>,
}

impl Peer {
    /// Ours, with limits that are never reached.
    pub(crate) fn ours(root: &Path) -> Result<Self, String> {
        let limits = ["-maxclient", "4000", "-maxtotal", "8000"];
        Self::ours_with(root, &[&limits[..], &["-keep-alive-requests", "1000000000"]].concat())
    }

    /// Ours, with the default limits.
    pub(crate) fn ours_stock(root: &Path) -> Result<Self, String> {
        Self::ours_with(root, &["-maxclient", "12", "-maxtotal", "60"])
    }

    fn ours_with(root: &Path, options: &[&str]) -> Result<Self, String> {
        let port = free_port();
        let child = Command::new(env!("CARGO_BIN_EXE_http_server_conc"))
            .args(["-q", "--bind", "127.0.0.1", "-p", &port.to_string()])
            .args(options)
            .arg("--root")
            .arg(root)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        Self::ready("http_server_conc", port, child, None)
    }

    pub(crate) fn nginx(root: &Path) -> Result<Self, String> {
        let program = find("nginx")?;
        let (port, directory) = (free_port(), TempDir::new().map_err(|error| error.to_string())?);
        let configuration = format!(
            "daemon off; worker_processes auto; error_log stderr crit; pid {dir}/pid;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n\
             types {{ text/plain txt; }} client_body_temp_path {dir}/a; proxy_temp_path {dir}/b;\n\
             fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;\n\
             server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }} }}\n\
             user root;\n",
            dir = directory.path().display(),
            root = root.display(),
        );
        let path = directory.path().join("nginx.conf");
        fs::write(&path, configuration).map_err(|error| error.to_string())?;
        let child = Command::new(program)
            .arg("-c")
            .arg(&path)
            .spawn()
            .map_err(|error| error.to_string())?;
        Self::ready("nginx", port, child, Some(directory))
    }

    pub(crate) fn apache(root: &Path) -> Result<Self, String> {
        Self::apache_with(root, "")
    }

    /// Apache with further lines of configuration; `{modules}` in them is the directory of its modules.
    pub(crate) fn apache_with(root: &Path, further: &str) -> Result<Self, String> {
        let program = find("apache2")?;
        let (port, directory) = (free_port(), TempDir::new().map_err(|error| error.to_string())?);
        let modules = "/usr/lib/apache2/modules";
        let configuration = format!(
            "ServerName localhost\nServerRoot {dir}\nPidFile {dir}/pid\nDefaultRuntimeDir {dir}\n\
             Mutex posixsem\nErrorLog {dir}/error.log\nLogLevel crit\nListen 127.0.0.1:{port}\n\
             LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
             LoadModule authz_core_module {modules}/mod_authz_core.so\n\
             LoadModule mime_module {modules}/mod_mime.so\nTypesConfig /etc/mime.types\n\
             User www-data\nGroup www-data\nMaxKeepAliveRequests 0\nEnableSendfile On\n\
             DocumentRoot {root}\n<Directory {root}>\nRequire all granted\n</Directory>\n{further}\n",
            dir = directory.path().display(),
            root = root.display(),
            further = further.replace("{modules}", modules),
        );
        let path = directory.path().join("apache2.conf");
        fs::write(&path, configuration).map_err(|error| error.to_string())?;
        let child = Command::new(program)
            .arg("-DFOREGROUND")
            .arg("-f")
            .arg(&path)
            .spawn()
            .map_err(|error| error.to_string())?;
        Self::ready("Apache (event)", port, child, Some(directory))
    }

    /// Python's server, which speaks HTTP/1.0 and closes every connection after its response.
    pub(crate) fn python(root: &Path) -> Result<Self, String> {
        let port = free_port();
        let child = Command::new(find("python3")?)
            .args(["-m", "http.server", &port.to_string(), "--bind", "127.0.0.1", "--directory"])
            .arg(root)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        Self::ready("python3 -m http.server", port, child, None)
    }

    fn ready(
        name: &'static str,
        port: u16,
        child: Child,
        directory: Option<TempDir>,
    ) -> Result<Self, String> {
        let peer = Self { name, port, child, _directory: directory };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(format!("{name} does not listen"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(peer)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Processor time of all its processes so far (proc(5), `stat`: utime and stime).
    pub(crate) fn cpu_time(&self) -> Duration {
        let mut ticks = 0;
        let mut processes = vec![self.child.id()];
        while let Some(process) = processes.pop() {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let fields: Vec<u64> = stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .map(|field| field.parse().unwrap_or(0))
                .collect();
            // The fields after the name begin with the third; utime is the 14th, stime the 15th.
            ticks += fields.get(11).unwrap_or(&0) + fields.get(12).unwrap_or(&0);
            let children = format!("/proc/{process}/task/{process}/children");
            let children = fs::read_to_string(children).unwrap_or_default();
            processes.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // SIGTERM makes nginx and Apache end their workers.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(5) {
                let _ = self.child.kill();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A free port: the peers do not report a port that they chose.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

pub(crate) fn is_installed(name: &str) -> bool {
    find(name).is_ok()
}

fn find(name: &str) -> Result<PathBuf, String> {
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"]
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.exists())
        .ok_or_else(|| format!("{name} is not installed"))
}

/// The median of some figures, and their range.
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let median = figures[figures.len() / 2];
        Self { median, least: figures[0], most: figures[figures.len() - 1] }
    }

    pub(crate) fn to_text(&self, digits: usize) -> String {
        format!("{:.digits$} [{:.digits$} to {:.digits$}]", self.median, self.least, self.most)
    }
}
