//! The client as a program: command line, report, exit status.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use crate::support::client::{program, run, stderr, stdout};
use crate::support::scripted::{Scripted, answer, ok, redirect};

fn server() -> Scripted {
    Scripted::answering(|target| match target {
        "/dir/file1.txt" => ok("Hello, world!\n"),
        "/dir/file2.txt" => ok("x".repeat(262_144)),
        _ => answer("404 Not Found", "", ""),
    })
}

#[test]
fn files_are_downloaded_and_the_speedup_is_reported() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let (one, two) = (server.url("/dir/file1.txt"), server.url("/dir/file2.txt"));
    let output = run(&["-urls", &one, &two, "-o", "deep/downloads", "-c", "10"], directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stderr(&output), "");
    let files = directory.path().join("deep/downloads");
    assert_eq!(fs::read(files.join("file1.txt")).unwrap(), b"Hello, world!\n");
    assert_eq!(fs::metadata(files.join("file2.txt")).unwrap().len(), 262_144);
    let report = stdout(&output);
    let lines: Vec<&str> = report.lines().collect();
    assert!(lines[0].starts_with("     14 B "), "{report}");
    assert!(lines[0].ends_with(&format!("  {one} -> deep/downloads/file1.txt")), "{report}");
    assert!(lines[1].starts_with("  256 KiB "), "{report}");
    assert!(lines[1].ends_with(&format!("  {two} -> deep/downloads/file2.txt")), "{report}");
    assert_eq!(lines[2..4], ["", "Downloaded       2 of 2 files, 256 KiB"], "{report}");
    assert!(lines[4].starts_with("Concurrent time  "), "{report}");
    assert!(lines[4].contains(" with 2 connections ("), "{report}");
    assert!(lines[5].starts_with("Sequential time  "), "{report}");
    assert!(lines[5].ends_with(" at most: the sum of the 2 fetches"), "{report}");
    assert!(lines[6].starts_with("Speedup          "), "{report}");
    assert!(lines[7].starts_with("Times            half within "), "{report}");
    assert_eq!(lines.len(), 8, "{report}");
}

#[test]
fn one_connection_gives_the_sequential_time_itself() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let (one, two) = (server.url("/dir/file1.txt"), server.url("/dir/file2.txt"));
    let output = run(&["-urls", &one, &two, "-c1"], directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = stdout(&output);
    assert!(report.contains("\nSequential time  "), "{report}");
    assert!(report.contains(" with 1 connection ("), "{report}");
    assert!(!report.contains("Speedup"), "{report}");
    assert!(directory.path().join("downloads/file2.txt").is_file());
}

#[test]
fn a_failure_names_its_url_and_reason_and_the_others_are_saved() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let (gone, one) = (server.url("/gone"), server.url("/dir/file1.txt"));
    let output = run(&["-urls", &gone, &one], directory.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let failure = format!("{gone}: the server answered 404 Not Found");
    assert!(stdout(&output).lines().next().unwrap().ends_with(&failure), "{output:?}");
    assert!(stderr(&output).contains(&failure), "{output:?}");
    assert!(stdout(&output).contains("Downloaded       1 of 2 files, 14 B"), "{output:?}");
    assert!(directory.path().join("downloads/file1.txt").is_file());
    assert!(!directory.path().join("downloads/gone").exists());
}

#[test]
fn quiet_prints_only_failures() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let (gone, one) = (server.url("/gone"), server.url("/dir/file1.txt"));
    let output = run(&["-q", "-urls", &one], directory.path());
    assert_eq!(
        (output.status.code(), stdout(&output), stderr(&output)),
        (Some(0), String::new(), String::new())
    );
    let output = run(&["-q", "-urls", &gone], directory.path());
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    assert!(stderr(&output).contains(&gone), "{output:?}");
}

#[test]
fn text_from_a_server_is_escaped_before_it_is_printed() {
    let server = Scripted::answering(|_| redirect(302, "http://[\u{9b}31m"));
    let directory = tempfile::tempdir().unwrap();
    let output = run(&["-urls", &server.url("/file")], directory.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("http://[%C2%9B31m"), "{output:?}");
}

#[test]
fn unusable_arguments_are_reported_with_a_remedy_and_nothing_is_fetched() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let good = server.url("/dir/file1.txt");
    fs::write(directory.path().join("file"), "").unwrap();
    for (arguments, expected) in [
        (&[][..], &["--urls <URL>...", "--input-file <FILE>"][..]),
        (&["-urls"], &["--urls <URL>..."]),
        (&["-urls", &good, "-c", "0"], &["'0'", "--concurrency", "it must be at least 1"]),
        (&["-urls", &good, "-c", "ten"], &["'ten'", "--concurrency", "whole number"]),
        (&["-urls", &good, "-timeout", "1d"], &["'1d'", "--timeout", "1.5s"]),
        (&["-urls", &good, "-unknown"], &["unexpected argument"]),
        (
            &["-urls", &good, "file1.txt"],
            &[
                "http_client_concurrent: \"file1.txt\" is not a URL",
                "http://localhost:20001/file1.txt",
            ],
        ),
        (&["-urls", &good, "ftp://host/x"], &["\"ftp://host/x\"", "scheme ftp", "http://"]),
        (&["-urls", &good, "-o", "file"], &["directory file is not a directory", "with -o"]),
        (&["-urls", &good, "-o", "file/below"], &["file/below", "with -o"]),
    ] {
        let output = run(arguments, directory.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        for text in expected {
            assert!(stderr(&output).contains(text), "{arguments:?}: {}", stderr(&output));
        }
    }
    assert_eq!(server.connections(), 0);
    assert!(!directory.path().join("downloads").exists());
}

#[test]
fn help_and_version_are_asked_for_with_one_dash_or_two() {
    let directory = tempfile::tempdir().unwrap();
    for (argument, expected) in [
        ("--help", "-o, --output <DIR>"),
        ("-help", "-c, --concurrency <N>"),
        ("--version", concat!("http_client_concurrent ", env!("CARGO_PKG_VERSION"))),
        ("-version", concat!("http_client_concurrent ", env!("CARGO_PKG_VERSION"))),
    ] {
        let output = run(&[argument], directory.path());
        assert_eq!(output.status.code(), Some(0), "{argument}");
        assert!(stdout(&output).contains(expected), "{argument}: {output:?}");
    }
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_failure() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let mut child = program()
        .args(["-urls", &server.url("/dir/file1.txt")])
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut messages = String::new();
    child.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
    assert_eq!((child.wait().unwrap().code(), messages.as_str()), (Some(0), ""));
}

#[test]
fn verbose_logs_more() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let url = server.url("/dir/file1.txt");
    let line = format!("{url}: done");
    assert!(stderr(&run(&["-v", "-urls", &url], directory.path())).contains(&line));
    let output =
        program().args(["-urls", &url]).env("RUST_LOG", "info").current_dir(&directory).output();
    assert!(stderr(&output.unwrap()).contains(&line), "RUST_LOG wins");
}
