//! Signals during the start of both programs.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::certificates::{leaf, self_signed};
use crate::support::client::program_under;
use crate::support::program::SERVER;
use crate::support::{wait_for_exit, wait_until};

/// A running program; killed when dropped.
struct Started(Child);

impl Started {
    /// Starts it with the signal disposition that `setting` of env(1) asks for, whatever the tests
    /// inherited.
    fn new(setting: &str, program: &Path, arguments: &[&str], directory: &Path) -> Self {
        let mut command = Command::new("env");
        command.arg(setting).arg(program).args(arguments).current_dir(directory);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.env_remove("RUST_LOG").spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Whether the signal has a handler (`SigCgt` in proc(5)).
    fn catches(&self, signal: Signal) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        caught >> (signal.as_raw() - 1) & 1 == 1
    }

    fn wait_until_it_catches(&self, signal: Signal) {
        wait_until(&format!("{signal:?} is caught"), || self.catches(signal));
    }

    /// Its exit status, or the number of the signal that ended it, negated; and its output.
    fn end(mut self) -> (i32, String) {
        let status = wait_for_exit(&mut self.0);
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (status.code().unwrap_or_else(|| -status.signal().unwrap()), text)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes env(1) reset SIGHUP to its default action: the tests may run under nohup(1).
const HEEDED: &str = "--default-signal=HUP";

/// strace(1) delays the server before it makes a socket.
#[test]
#[ignore = "needs strace"]
fn a_signal_before_the_server_serves_ends_it_with_status_0() {
    let directory = tempfile::tempdir().unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let mut command = Command::new("strace");
        command.args(["-D", "-f", "-qq", "-o", "trace", "-e", "trace=socket"]);
        command.args(["-e", "inject=socket:delay_enter=4000000", SERVER, "-p", "0"]);
        command.current_dir(directory.path());
        let server = Started::of(command);
        let trace = directory.path().join("trace");
        wait_until("it is about to make a socket", || {
            fs::read_to_string(&trace).is_ok_and(|trace| trace.contains("socket("))
        });
        server.signal(signal);
        let (status, text) = server.end();
        assert_eq!(status, 0, "{signal:?}: {text}");
        assert!(!text.contains("Serving"), "{signal:?}: {text}");
        fs::remove_file(trace).unwrap();
    }
}

#[test]
fn a_signal_to_reopen_a_log_that_is_not_open_yet_ends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["-p", "0", "--access-log", "log"];
    let mut server = Started::new(HEEDED, SERVER.as_ref(), &arguments, directory.path());
    for signal in [Signal::HUP, Signal::USR1] {
        server.wait_until_it_catches(signal);
        server.signal(signal);
    }
    let mut announcement = [0; 8];
    server.0.stdout.as_mut().unwrap().read_exact(&mut announcement).unwrap();
    assert_eq!(&announcement, b"Serving ");
    server.signal(Signal::TERM);
    assert_eq!(server.end().0, 0);
}

#[test]
fn certificates_that_are_not_read_yet_are_read_again_after_sighup() {
    let directory = tempfile::tempdir().unwrap();
    let identity = self_signed(&leaf(&["a.example"]));
    fs::write(directory.path().join("a.pem"), identity.0.pem() + &identity.1.serialize_pem())
        .unwrap();
    let arguments = ["-p", "0", "--tls-cert", "a.pem", "--tls-key", "a.pem"];
    let mut server = Started::new(HEEDED, SERVER.as_ref(), &arguments, directory.path());
    server.wait_until_it_catches(Signal::HUP);
    server.signal(Signal::HUP);
    server.0.stdout.as_mut().unwrap().read_exact(&mut [0; 8]).unwrap();
    server.signal(Signal::TERM);
    let (status, log) = server.end();
    assert_eq!(status, 0, "{log}");
    assert!(log.contains("read the certificates again: a.example until "), "{log}");
}

#[test]
fn without_an_access_log_sighup_ends_the_server_unless_it_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    for early in [true, false] {
        let mut server = Started::new(HEEDED, SERVER.as_ref(), &["-p", "0"], directory.path());
        if early {
            server.wait_until_it_catches(Signal::HUP);
        } else {
            server.0.stdout.as_mut().unwrap().read_exact(&mut [0; 8]).unwrap();
        }
        server.signal(Signal::HUP);
        assert_eq!(server.end().0, -Signal::HUP.as_raw(), "{early}");
    }
    let ignored = "--ignore-signal=HUP";
    let mut server = Started::new(ignored, SERVER.as_ref(), &["-p", "0"], directory.path());
    server.0.stdout.as_mut().unwrap().read_exact(&mut [0; 8]).unwrap();
    server.signal(Signal::HUP);
    server.signal(Signal::TERM);
    assert_eq!(server.end().0, 0);
}

/// At any moment after the handler is installed.
#[test]
fn a_server_is_ended_in_order_at_every_moment_of_its_start() {
    let directory = tempfile::tempdir().unwrap();
    for start in 0..50 {
        let server = Started::new(HEEDED, SERVER.as_ref(), &["-q", "-p", "0"], directory.path());
        server.wait_until_it_catches(Signal::TERM);
        for _ in 0..start {
            std::thread::yield_now();
        }
        server.signal(Signal::TERM);
        assert_eq!(server.end().0, 0, "start {start}");
    }
}

/// strace(1) delays each program as soon as it has installed a handler.
#[test]
#[ignore = "needs strace"]
fn a_signal_during_the_installation_of_its_handler_is_not_lost() {
    let directory = tempfile::tempdir().unwrap();
    mkfifoat(CWD, directory.path().join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    let client = program_under("env", &[]).get_args().next().unwrap().to_owned();
    for (program, arguments, expected) in [
        (SERVER.as_ref(), &["-q", "-p", "0"][..], 0),
        // It blocks until the other end is opened.
        (&*client, &["-i", "fifo"], 130),
    ] {
        for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
            let mut command = Command::new("strace");
            command.args(["-D", "-f", "-qq", "-o", "trace", "-e", "trace=rt_sigaction"]);
            command.args(["-e", "signal=none", "-e", "inject=rt_sigaction:delay_exit=200000"]);
            command.arg(program).args(arguments).current_dir(directory.path());
            let started = Started::of(command);
            let trace = directory.path().join("trace");
            let handler = format!("rt_sigaction({name}, {{sa_handler=0x");
            wait_until("it is about to have a handler", || {
                fs::read_to_string(&trace).is_ok_and(|trace| trace.contains(&handler))
            });
            started.wait_until_it_catches(signal);
            started.signal(signal);
            let (status, text) = started.end();
            assert_eq!(status, expected, "{program:?} {name}: {text}");
            fs::remove_file(trace).unwrap();
        }
    }
}

#[test]
fn a_signal_before_the_first_fetch_ends_the_client_with_status_130() {
    let directory = tempfile::tempdir().unwrap();
    // The other end is never opened, so the client blocks.
    mkfifoat(CWD, directory.path().join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut command = program_under("env", &[HEEDED]);
        command.args(["-i", "fifo"]).current_dir(directory.path());
        let client = Started::of(command);
        client.wait_until_it_catches(signal);
        client.signal(signal);
        assert_eq!(client.end(), (130, String::new()), "{signal:?}");
    }
}

/// Only the loader and the language runtime come before.
#[test]
#[ignore = "needs strace"]
fn catching_the_signals_is_the_first_thing_that_each_program_does() {
    let directory = tempfile::tempdir().unwrap();
    let client = program_under("env", &[]).get_args().next().unwrap().to_owned();
    for (program, arguments) in [
        (SERVER.as_ref(), &["-p", "0", "--root", "/does/not/exist"][..]),
        (&*client, &["-i", "/does/not/exist"]),
    ] {
        let mut command = Command::new("strace");
        let calls = "trace=rt_sigaction,openat,openat2,stat,statx,socket,bind,clone,clone3,write";
        command.args(["-f", "-qq", "-o", "trace", "-e", calls]).arg(program).args(arguments);
        let output = command.current_dir(directory.path()).output().unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
        let trace = fs::read_to_string(directory.path().join("trace")).unwrap();
        let is_caught = |line: &str| line.contains("rt_sigaction(SIGTERM, {sa_handler=0x");
        let before: Vec<_> = trace.lines().take_while(|line| !is_caught(line)).collect();
        assert!(before.len() < trace.lines().count(), "it is never caught: {trace}");
        for line in before {
            let is_the_loaders = line.contains(".so") || line.contains("\"/proc/self/maps\"");
            assert!(line.contains("rt_sigaction(") || is_the_loaders, "{program:?}: {line}");
        }
    }
}
