//! The server as a program.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use super::conversation::Conversation;
use super::wait_for_exit;

pub(crate) const SERVER: &str = env!("CARGO_BIN_EXE_http_server_conc");

/// A running server program; killed when dropped.
pub(crate) struct ServerProgram {
    child: Child,
    /// The line it printed when it was ready.
    pub(crate) announcement: String,
}

impl ServerProgram {
    /// Starts it in `directory`, on a port chosen by the system unless the arguments name one, and waits
    /// until it is ready.
    pub(crate) fn start<A: AsRef<OsStr>>(directory: &Path, arguments: &[A]) -> Self {
        let mut command = Command::new(SERVER);
        command.args(arguments);
        Self::launch(command, directory)
    }

    /// [`ServerProgram::start`] under a limit of prlimit(1), such as `--nofile=64`, and as `user` if one
    /// is given, which requires root.
    pub(crate) fn start_under(
        limit: &str,
        user: Option<u32>,
        directory: &Path,
        arguments: &[&str],
    ) -> Self {
        let mut command = Command::new("prlimit");
        command.args([limit, SERVER]).args(arguments);
        if let Some(user) = user {
            command.uid(user);
        }
        Self::launch(command, directory)
    }

    pub(crate) fn launch(command: Command, directory: &Path) -> Self {
        let mut child = spawn(command, directory);
        let mut announcement = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut announcement).unwrap();
        assert!(!announcement.is_empty(), "it ended: {}", read_stderr(&mut child));
        Self { child, announcement }
    }

    /// Starts it with its access log on standard output, which is returned; the announcement is on
    /// standard error.
    pub(crate) fn start_with_log_on_stdout(
        directory: &Path,
        arguments: &[&str],
    ) -> (Self, ChildStdout) {
        let mut command = Command::new(SERVER);
        command.args(arguments).args(["-q", "--access-log", "-"]);
        let mut child = spawn(command, directory);
        let mut announcement = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut announcement).unwrap();
        let stdout = child.stdout.take().unwrap();
        (Self { child, announcement }, stdout)
    }

    pub(crate) fn port(&self) -> u16 {
        let (_, rest) = self.announcement.split_once("://127.0.0.1:").expect("an IPv4 URL");
        rest.split_once('/').unwrap().0.parse().unwrap()
    }

    pub(crate) fn connect_from(&self, host: u8) -> Conversation {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port()));
        Conversation::between(IpAddr::from([127, 0, 0, host]), address)
    }

    /// Processor time so far, user and system (proc(5), `stat`), to a hundredth of a second.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        // The fields after the name begin with the third; utime is the 14th, stime the 15th.
        let ticks = fields.split_whitespace().skip(11).take(2);
        Duration::from_millis(ticks.map(|field| field.parse::<u64>().unwrap() * 10).sum())
    }

    /// Bytes that it has read from files so far (proc(5), `io`: `rchar`).
    pub(crate) fn bytes_read(&self) -> u64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
    }

    /// Resident memory (proc(5), `VmRSS`).
    pub(crate) fn resident_bytes(&self) -> usize {
        self.status_bytes("VmRSS:")
    }

    /// Peak resident memory (proc(5), `VmHWM`).
    pub(crate) fn most_resident_bytes(&self) -> usize {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, field: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        let kibibytes = line.split_whitespace().nth(1).unwrap();
        kibibytes.parse::<usize>().unwrap() * 1024
    }

    /// Sets the soft limit of its descriptors (getrlimit(2), `RLIMIT_NOFILE`), and returns the old one.
    pub(crate) fn limit_descriptors(&self, soft: u64) -> u64 {
        let pid = Some(Pid::from_child(&self.child));
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let new = Rlimit { current: Some(soft), maximum };
        prlimit(pid, Resource::Nofile, new).unwrap().current.unwrap()
    }

    /// The number of its open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Its log, as it grows from now on.
    pub(crate) fn follow_log(&mut self) -> Arc<Mutex<String>> {
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(self.child.stderr.take().unwrap()).lines();
        let shared = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                shared.lock().unwrap().extend([&*line, "\n"]);
            }
        });
        log
    }

    /// As [`ServerProgram::wait`], but reads its log meanwhile.
    pub(crate) fn wait_reading_its_log(mut self) -> (ExitStatus, String) {
        let stderr = self.child.stderr.take().unwrap();
        let reader = thread::spawn(|| io::read_to_string(stderr).unwrap());
        let (status, _) = self.wait();
        (status, reader.join().unwrap())
    }

    /// Waits for its exit; returns its status and its log.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = wait_for_exit(&mut self.child);
        (status, read_stderr(&mut self.child))
    }
}

impl Drop for ServerProgram {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(mut command: Command, directory: &Path) -> Child {
    command
        .current_dir(directory)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn read_stderr(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut text).unwrap();
    }
    text
}

/// Runs the server with arguments that make it exit at once; returns its status and output.
pub(crate) fn run_server(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(SERVER).args(arguments).env_remove("RUST_LOG").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}
