//! Lists of URLs, as various tools write them.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::support::client::{program, stderr, stdout};
use crate::support::fetching::names_in;
use crate::support::scripted::{Scripted, answer, ok};
use crate::support::wait_for_exit;

fn server() -> Scripted {
    Scripted::answering(|_| ok("Hello"))
}

/// Runs the client with this list on standard input, and expects this status.
#[track_caller]
fn run(directory: &Path, list: &[u8], options: &[&str], status: i32) -> Output {
    let mut child = program()
        .args(["-i", "-"])
        .args(options)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A client that refuses the list may not have read all of it.
    let _ = stdin.write_all(list);
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    output
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(order).collect()
}

#[test]
fn bad_lines_are_reported_and_skipped_only_with_the_option() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let url = |path: &str| server.url(path).into_bytes();
    let list = |long: usize| {
        let lines = [
            url("/1"),
            b"http://a/\xff".to_vec(),
            vec![b'x'; long],
            [url("/2"), b" ".to_vec(), url("/3")].concat(),
            url("/4 5"),
            url("/6 # 7"),
            url("/8\t9 # 10"),
        ];
        lines.join(&b"\n"[..])
    };
    let messages = [
        "line 2: \"http://a/\u{fffd}\" is not UTF-8",
        "line 3: \"xxx",
        "is longer than 65536 bytes",
        "line 4: \"http://127.0.0.1",
        "/3\" is more than one URL (write one URL per line)",
        "/4 …\" has a blank in it (write %20",
    ];
    let output = run(directory.path(), &list(70_000), &["--skip-bad-urls"], 1);
    for message in messages {
        assert_eq!(stderr(&output).matches(message).count(), 1, "{message}: {output:?}");
    }
    assert_eq!(stderr(&output).matches("skipping ").count(), 4, "{output:?}");
    assert_eq!(names_in(&directory.path().join("downloads")), ["1", "6", "9 # 10"]);

    let (connections, elsewhere) = (server.connections(), tempfile::tempdir().unwrap());
    let output = run(elsewhere.path(), &list(70_000), &[], 2);
    for message in &messages[..3] {
        assert!(stderr(&output).contains(message), "{message}: {output:?}");
    }
    let output = run(elsewhere.path(), &list(0), &[], 2);
    for line in ["line 2: ", "line 4: ", "line 5: "] {
        assert!(stderr(&output).contains(line), "{output:?}");
    }
    assert_eq!(stderr(&output).lines().count(), 4, "{output:?}");
    assert!(names_in(elsewhere.path()).is_empty());
    assert_eq!(server.connections(), connections);
}

#[test]
fn a_list_may_be_utf_16_and_have_any_line_ends() {
    let server = server();
    for end in ["\n", "\r\n", "\r"] {
        let list = format!("# grün{end}{}{end}{end}{}\tgrün", server.url("/a"), server.url("/b"));
        for list in [
            list.clone().into_bytes(),
            format!("\u{feff}{list}").into_bytes(),
            utf16(&list, u16::to_le_bytes),
            utf16(&list, u16::to_be_bytes),
        ] {
            let directory = tempfile::tempdir().unwrap();
            run(directory.path(), &list, &[], 0);
            assert_eq!(names_in(&directory.path().join("downloads")), ["a", "grün"]);
        }
    }
}

#[test]
fn a_list_that_is_not_text_is_reported_by_its_format() {
    let directory = tempfile::tempdir().unwrap();
    let list = format!("{}\n", server().url("/a"));
    let unmarked = utf16(&list, u16::to_le_bytes).split_off(2);
    for (list, expected) in [
        (&b"\x1f\x8b\x08\0\0\0"[..], "-: the list is compressed (gzip): decompress it first"),
        (&unmarked, "-: the list has NUL bytes: it is UTF-16 without a byte order mark"),
    ] {
        for options in [&[][..], &["--skip-bad-urls"]] {
            let output = run(directory.path(), list, options, 2);
            assert!(stderr(&output).contains(expected), "{output:?}");
        }
    }
    assert!(names_in(directory.path()).is_empty());
}

#[test]
fn an_endless_line_is_refused_without_waiting_for_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = program()
        .args(["-i", "-"])
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(&vec![b'x'; 70_000]);
    // The end of the list has not been sent.
    wait_for_exit(&mut child);
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("line 1: \"xxx"), "{output:?}");
}

#[test]
fn a_list_of_failures_is_read_as_it_was_written() {
    let server = Scripted::answering(|_| answer("404 Not Found", "", ""));
    let directory = tempfile::tempdir().unwrap();
    let urls: Vec<String> = [
        "/plain",
        "/%20a%20",
        "/a%20%23%20b",
        "/a?b%20%23c#d",
        "/a%09b%0A",
        "/%C2%A0a%C2%A0",
        "/%EF%BB%BFa",
        "/%23a",
        "/gr\u{fc}n",
        "/plain?x",
    ]
    .map(|path| server.url(path))
    .into();
    let list = urls.join("\n");
    run(directory.path(), list.as_bytes(), &["--failed-list", "failed"], 1);
    let failed = fs::read_to_string(directory.path().join("failed")).unwrap();
    assert_eq!(failed.matches('\n').count(), urls.len());
    let output = run(directory.path(), failed.as_bytes(), &["--failed-list", "-"], 1);
    assert_eq!(stdout(&output), failed);
}

#[test]
fn a_message_about_a_url_has_no_password() {
    let directory = tempfile::tempdir().unwrap();
    let list = b"http://user:secret@a/1 http://user:secret@b/2\nftp://user:secret@a/\n";
    let output = run(directory.path(), list, &[], 2);
    assert!(stderr(&output).contains("line 2: cannot fetch \"ftp://…@a/\""), "{output:?}");
    assert!(!stderr(&output).contains("secret"), "{output:?}");
}
