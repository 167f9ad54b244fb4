//! The signals that end a run of the client: SIGINT, SIGTERM, and SIGHUP when a terminal closes.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::support::client::{program_under, stdout};
use crate::support::fetching::names_in;
use crate::support::parts::part_bytes;
use crate::support::ranged::pattern;
use crate::support::scripted::{Scripted, answer, ok};
use crate::support::{holds_in_time, wait_for_exit, wait_until};

const LENGTH: usize = 300_000;

/// Makes env(1) reset the signal to its default action: the tests may run under nohup(1).
const HEEDED: &str = "--default-signal=HUP";

/// Sends `/done` at once, and the last third of `/slow` after `may_end`.
fn server(may_end: &Arc<AtomicBool>) -> Scripted {
    let may_end = Arc::clone(may_end);
    Scripted::start(move |peer| {
        while let Some(target) = peer.read_request() {
            if target == "/done" {
                peer.send(ok("Hello"));
                continue;
            }
            let whole = answer("200 OK", "ETag: \"v1\"\r\n", pattern(LENGTH));
            let (begin, rest) = whole.split_at(whole.len() - LENGTH / 3);
            peer.send(begin);
            holds_in_time(|| may_end.load(Ordering::SeqCst));
            peer.send(rest);
        }
    })
}

/// Fetches both with the command, and waits until everything sent so far is saved.
fn started(mut command: Command, server: &Scripted, directory: &Path) -> Child {
    let child = command
        .args(["-urls", &server.url("/done"), &server.url("/slow"), "-c", "2"])
        .args(["--json", "run.json"])
        .current_dir(directory)
        .spawn()
        .unwrap();
    let out = directory.join("downloads");
    wait_until("one file is saved and the other in progress", || {
        out.join("done").exists() && part_bytes(&out, "slow").is_some_and(|bytes| bytes > 100_000)
    });
    child
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn assert_parts_are_kept(directory: &Path) {
    assert_eq!(names_in(&directory.join("downloads")), ["done", "slow.part", "slow.part.json"]);
    let json = fs::read_to_string(directory.join("run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&run["interrupted"], &run["fetched"]), (&true.into(), &1.into()), "{json}");
}

#[test]
fn each_signal_ends_the_run_in_order() {
    for first in [Signal::INT, Signal::TERM, Signal::HUP] {
        let may_end = Arc::new(AtomicBool::new(false));
        let (server, directory) = (server(&may_end), tempfile::tempdir().unwrap());
        let mut command = program_under("env", &[HEEDED]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = started(command, &server, directory.path());
        signal(&child, first);
        let output = child.wait_with_output().unwrap();
        may_end.store(true, Ordering::SeqCst);
        assert_eq!(output.status.code(), Some(130), "{first:?} {output:?}");
        assert!(stdout(&output).contains("Downloaded       1 of 2 files"), "{first:?} {output:?}");
        assert_parts_are_kept(directory.path());
    }
}

#[test]
fn under_nohup_sighup_is_ignored() {
    let may_end = Arc::new(AtomicBool::new(false));
    let (server, directory) = (server(&may_end), tempfile::tempdir().unwrap());
    let mut command = program_under("nohup", &[]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = started(command, &server, directory.path());
    signal(&child, Signal::HUP);
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    assert_eq!(ignored & 1, 1, "SIGHUP is the first: {status}");
    may_end.store(true, Ordering::SeqCst);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(fs::read(directory.path().join("downloads/slow")).unwrap() == pattern(LENGTH));
}

/// A controlling terminal; the process has `other_side` as standard input and output.
fn terminal() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let side = openpt(flags).unwrap();
    grantpt(&side).unwrap();
    unlockpt(&side).unwrap();
    let other_side = ioctl_tiocgptpeer(&side, flags).unwrap();
    (side, other_side)
}

#[test]
fn a_terminal_that_closes_ends_the_run_as_a_signal_does() {
    let may_end = Arc::new(AtomicBool::new(false));
    let (server, directory) = (server(&may_end), tempfile::tempdir().unwrap());
    let (side, other_side) = terminal();
    let mut command = program_under("env", &[HEEDED, "setsid", "--ctty"]);
    command.stdin(other_side.try_clone().unwrap());
    command.stdout(other_side.try_clone().unwrap()).stderr(other_side);
    let mut child = started(command, &server, directory.path());
    // The command, which held the other side too, has been dropped.
    drop(side);
    let status = wait_for_exit(&mut child);
    may_end.store(true, Ordering::SeqCst);
    assert_eq!(status.code(), Some(130), "{status:?}");
    assert_parts_are_kept(directory.path());
}
