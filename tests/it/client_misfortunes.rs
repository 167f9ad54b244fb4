//! What befalls a download from outside: a server that drips, a directory that goes, an impatient user.

use std::fs;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::client::{program, stderr, stdout};
use crate::support::scripted::{Scripted, ok};
use crate::support::wait_until;

#[test]
fn content_that_comes_a_byte_at_a_time_is_waited_for() {
    let server = Scripted::start(|peer| {
        while peer.read_request().is_some() {
            for byte in ok("dripping") {
                peer.send([byte]);
            }
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let output = program()
        .args(["-urls", &server.url("/drip"), "--timeout", "10s", "--retries", "0"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read(directory.path().join("downloads/drip")).unwrap(), b"dripping");
}

#[test]
fn a_directory_that_vanishes_fails_what_was_to_go_there_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let nested = directory.path().join("downloads");
    let vanishing = nested.clone();
    let server = Scripted::start(move |peer| {
        while let Some(target) = peer.read_request() {
            if target == "/first" {
                fs::remove_dir_all(&vanishing).unwrap();
            }
            peer.send(ok("content"));
        }
    });
    let output = program()
        .args(["-urls", &server.url("/first"), &server.url("/second"), "-c", "1", "--retries", "0"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = stdout(&output);
    assert!(report.contains("Downloaded       0 of 2 files"), "{report}");
    for target in ["/first", "/second"] {
        let line = report.lines().find(|line| line.contains(target)).unwrap();
        assert!(line.contains("No such file or directory"), "{line}");
    }
    assert!(!nested.exists(), "it is not made anew behind the user's back");
}

#[test]
fn two_interrupts_in_a_row_have_the_status_of_one() {
    let server = Scripted::start(|peer| {
        while peer.read_request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            peer.wait_for_close();
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let child = program()
        .args(["-urls", &server.url("/a"), "--timeout", "60s"])
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the download has begun", || directory.path().join("downloads/a.part").exists());
    for _ in 0..2 {
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{} {}", stdout(&output), stderr(&output));
    assert!(!directory.path().join("downloads/a").exists());
}
