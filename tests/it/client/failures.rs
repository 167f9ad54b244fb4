//! Outside failures: a server that drips, a directory that vanishes, an impatient user.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::client::{program, stderr, stdout};
use crate::support::fetching::names_in;
use crate::support::parts::{part_bytes, part_path};
use crate::support::ranged::{pattern, range, ranged};
use crate::support::scripted::{Scripted, ok};
use crate::support::{wait_for_exit, wait_until};

#[test]
fn content_that_arrives_a_byte_at_a_time_is_accepted() {
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
fn a_directory_that_vanishes_fails_only_the_urls_saved_there() {
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
fn a_second_interrupt_ends_the_program_at_once() {
    let has_begun = Arc::new(AtomicBool::new(false));
    let begun = Arc::clone(&has_begun);
    let server = Scripted::start(move |peer| {
        while peer.read_request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            begun.store(true, Ordering::SeqCst);
            peer.wait_for_close();
        }
    });
    let directory = tempfile::tempdir().unwrap();
    // More than a pipe holds.
    let list: String =
        (0..1000).map(|number| server.url(&format!("/{}{number}\n", "x".repeat(100)))).collect();
    fs::write(directory.path().join("list"), list).unwrap();
    let mut child = program()
        .args(["-i", "list", "--timeout", "60s"])
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("a download has begun", || has_begun.load(Ordering::SeqCst));
    let pid = Pid::from_child(&child);
    let interrupt = || kill_process(pid, Signal::INT).unwrap();
    interrupt();
    // The report is not read, so that writing it never ends.
    let report = child.stdout.take().unwrap();
    wait_until("the report is being written", || ioctl_fionread(&report).unwrap() > 0);
    interrupt();
    assert_eq!(wait_for_exit(&mut child).code(), Some(130));
}

#[test]
fn a_second_run_for_the_same_file_does_not_damage_the_first() {
    let may_end = Arc::new(AtomicBool::new(false));
    let released = Arc::clone(&may_end);
    let server = Scripted::start(move |peer| {
        while peer.read_request().is_some() {
            let whole = ok("Hello, world!\n".repeat(10_000));
            let (begin, rest) = whole.split_at(whole.len() / 2);
            peer.send(begin);
            wait_until("the response may continue", || released.load(Ordering::SeqCst));
            peer.send(rest);
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = program();
        command.args(["-urls", &server.url("/a")]).current_dir(directory.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let first = start();
    let out = directory.path().join("downloads");
    wait_until("the first has begun", || part_bytes(&out, "a").is_some_and(|bytes| bytes > 0));
    let second = start().wait_with_output().unwrap();
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(stderr(&second).contains(".part: another download is writing it"), "{second:?}");
    may_end.store(true, Ordering::SeqCst);
    let first = first.wait_with_output().unwrap();
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    assert_eq!(fs::read(out.join("a")).unwrap().len(), 140_000);
    assert_eq!(names_in(&out), ["a"]);
}

#[test]
fn runs_that_save_small_files_of_one_name_at_once_leave_each_whole() {
    let server = Scripted::answering_heads(|head| {
        let target = head.split(' ').nth(1).unwrap();
        ok(target[1..2].repeat(2000))
    });
    let directory = tempfile::tempdir().unwrap();
    let numbers = 0..50;
    for letter in ["a", "b"] {
        let line = |number| format!("{}\t{number}\n", server.url(&format!("/{letter}/{number}")));
        fs::write(directory.path().join(letter), numbers.clone().map(line).collect::<String>())
            .unwrap();
    }
    // New files at first, and then files that are replaced.
    for _ in 0..2 {
        let start = |letter: &str| {
            let mut command = program();
            command.args(["-q", "-c", "8", "-i", letter]).current_dir(directory.path());
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        for run in ["a", "b", "a"].map(start) {
            let output = run.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        }
        let out = directory.path().join("downloads");
        assert_eq!(names_in(&out).len(), numbers.len());
        for number in numbers.clone() {
            let content = fs::read_to_string(out.join(number.to_string())).unwrap();
            assert_eq!(content, content[..1].repeat(2000));
        }
    }
}

/// Responds with this content: its range or the whole, in one piece or in chunks, depending on the target.
fn spool(content: Vec<u8>) -> Scripted {
    Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            if head.contains("/small ") {
                peer.send(ok("small"));
            } else if head.contains("/chunked ") && range(&head).is_none() {
                peer.send("HTTP/1.1 200 OK\r\nETag: \"v\"\r\nTransfer-Encoding: chunked\r\n\r\n");
                for chunk in content.chunks(1000) {
                    peer.send(
                        [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat(),
                    );
                }
                peer.send("0\r\n\r\n");
            } else {
                peer.send(ranged(&head, "\"v\"", &content));
            }
        }
    })
}

#[test]
fn a_file_that_cannot_be_written_further_fails_and_is_continued_later() {
    let content = pattern(400_000);
    let server = spool(content.clone());
    let directory = tempfile::tempdir().unwrap();
    let urls = ["/large", "/chunked", "/small"].map(|path| server.url(path));
    let client = env!("CARGO_BIN_EXE_http_client_concurrent");
    let mut command = limited(&["--fsize=100000", client]);
    let output = command.arg("-urls").args(&urls).current_dir(&directory).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = stdout(&output);
    for url in &urls[..2] {
        let line = report.lines().find(|line| line.contains(url)).unwrap();
        assert!(line.contains("File too large"), "{line}");
    }
    let out = directory.path().join("downloads");
    assert_eq!(fs::read(out.join("small")).unwrap(), b"small");
    let names = ["chunked.part", "chunked.part.json", "large.part", "large.part.json", "small"];
    assert_eq!(names_in(&out), names);
    let output = program().arg("-urls").args(&urls).current_dir(&directory).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for name in ["large", "chunked"] {
        assert!(fs::read(out.join(name)).unwrap() == content, "{name}");
    }
    let heads = server.heads();
    let continued = heads.iter().filter(|head| range(head) == Some((100_000, None)));
    assert_eq!(continued.count(), 2, "{heads:?}");
}

#[test]
fn a_file_in_memory_that_cannot_be_written_is_continued_later() {
    let content = pattern(40_000);
    for (options, has_older_part) in [(&[][..], false), (&["--fsync"], false), (&[], true)] {
        let server = spool(content.clone());
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("downloads");
        let url = server.url("/large");
        if has_older_part {
            fs::create_dir(&out).unwrap();
            fs::write(part_path(&out, "large"), "without notes").unwrap();
        }
        let client = env!("CARGO_BIN_EXE_http_client_concurrent");
        let mut command = limited(&["--fsize=20000", client]);
        command.args(options).args(["-urls", &url]).current_dir(&directory);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stdout(&output).contains("File too large"), "{output:?}");
        assert_eq!(names_in(&out), ["large.part", "large.part.json"], "{options:?}");
        assert_eq!(part_bytes(&out, "large"), Some(20_000), "{options:?}");
        let output = program().args(["-urls", &url]).current_dir(&directory).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(fs::read(out.join("large")).unwrap() == content, "{options:?}");
        assert_eq!(names_in(&out), ["large"], "{options:?}");
    }
}

#[test]
fn a_split_file_beyond_the_file_size_limit_leaves_nothing() {
    let server = spool(pattern(4 << 20));
    let directory = tempfile::tempdir().unwrap();
    let client = env!("CARGO_BIN_EXE_http_client_concurrent");
    let output = limited(&["--fsize=1000000", client])
        .args(["--split", "2", "-urls", &server.url("/large")])
        .current_dir(&directory)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(&output).contains("File too large"), "{output:?}");
    assert_eq!(names_in(&directory.path().join("downloads")), [""; 0]);
}

/// A program under a limit of prlimit(1), with the client's environment.
fn limited(arguments: &[&str]) -> Command {
    let mut command = Command::new("prlimit");
    command.args(arguments);
    for (name, _) in program().get_envs() {
        command.env_remove(name);
    }
    command
}

#[test]
fn with_few_descriptors_fewer_connections_fetch_everything() {
    let server = Scripted::start(|peer| {
        while peer.read_request().is_some() {
            // Long enough for many requests to overlap.
            thread::sleep(Duration::from_millis(20));
            peer.send(ok("content"));
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let list: String = (0..300).map(|number| server.url(&format!("/{number}\n"))).collect();
    fs::write(directory.path().join("list"), list).unwrap();
    let client = env!("CARGO_BIN_EXE_http_client_concurrent");
    for (limit, warning) in [
        ("--nofile=64:64", "only 6 of 100 connections at a time: 64 files may be open"),
        ("--nofile=64:4096", ""),
    ] {
        let output = limited(&[limit, client])
            .args(["-i", "list", "-c", "100", "--retries", "0"])
            .current_dir(&directory)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{limit}: {output:?}");
        let messages = stderr(&output);
        assert!(
            messages.contains(warning) && messages.is_empty() == warning.is_empty(),
            "{messages}"
        );
    }
}

#[test]
fn a_name_too_long_for_the_system_is_cut() {
    let server = spool(pattern(1));
    let directory = tempfile::tempdir().unwrap();
    let long = "x".repeat(300);
    let list = format!(
        "{}\n{}\t{long}/{long}.txt\n",
        server.url(&format!("/{long}.tar")),
        server.url("/small")
    );
    fs::write(directory.path().join("list"), list).unwrap();
    let output = program().args(["-i", "list"]).current_dir(&directory).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let out = directory.path().join("downloads");
    let cut = |length: usize| "x".repeat(length);
    assert_eq!(names_in(&out), [cut(236) + ".tar", cut(240)]);
    assert_eq!(names_in(&out.join(cut(240))), [cut(236) + ".txt"]);
}
