//! The statuses that make a file. All others are reported failures, and leave existing files unchanged.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use http_concurrent::client::{
    Destination, FailureKind, FetchError, PartialFile, RetryPolicy, SaveSettings, Settings,
};

use crate::support::client::{run, stdout};
use crate::support::fetching::{fetch, fetch_into, fetch_once, settings};
use crate::support::parts::leave_part;
use crate::support::ranged::{pattern, range};
use crate::support::scripted::{Scripted, answer, ok};

/// Successes without the representation, including unassigned ones, and statuses that are no success.
const EMPTY: [&str; 12] = [
    "201 Created",
    "202 Accepted",
    "204 No Content",
    "205 Reset Content",
    "207 Multi-Status",
    "208 Already Reported",
    "226 IM Used",
    "299 Whatever",
    "300 Multiple Choices",
    "304 Not Modified",
    "600 Unparseable",
    "999 Request denied",
];

/// Responses with this status: without length or content, with a length of zero, with content.
fn answers(status: &str) -> Vec<Vec<u8>> {
    let bare = format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n");
    vec![bare.into(), answer(status, "", ""), answer(status, "ETag: \"v1\"\r\n", "not the file")]
}

/// Every file of a directory, with its content.
fn contents(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut contents: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    contents.sort();
    contents
}

#[test]
fn a_response_without_the_representation_is_a_failure_that_names_its_status() {
    for status in EMPTY {
        for bytes in answers(status) {
            let error = fetch_once(bytes.clone()).into_failure();
            let code: u16 = status[..3].parse().unwrap();
            assert_eq!(error.kind(), FailureKind::Status(code), "{}", bytes.escape_ascii());
            assert!(error.to_string().contains(&status[..3]), "{error}");
        }
    }
    let accepted = fetch_once(answer("202 Accepted", "", "")).into_failure().to_string();
    assert_eq!(accepted, "the server answered 202 Accepted, which does not have the file");
    let denied = fetch_once(answer("999 Request denied", "", "")).into_failure().to_string();
    assert_eq!(denied, "the server answered 999, which is not a valid HTTP status");
}

#[test]
fn a_status_of_less_or_more_than_three_digits_is_malformed() {
    for status in ["099 No", "99 No", "000 No", "1000 No", "2000 OK"] {
        let error = fetch_once(answer(status, "", "content")).into_failure();
        assert!(matches!(error, FetchError::Malformed(_)), "{status}: {error:?}");
    }
}

#[test]
fn status_200_and_203_make_a_file() {
    for status in ["200 OK", "203 Non-Authoritative Information", "200"] {
        let fetched = fetch_once(answer(status, "", "content"));
        fetched.assert_success();
        assert_eq!(fetched.content("file"), b"content", "{status}");
    }
}

/// Fetches with each of the statuses, with an older file, a part and notes in place.
fn leaves_all_as_it_was(settings: &Settings, missing: Option<&str>) {
    for status in EMPTY {
        for bytes in answers(status) {
            let server = Scripted::start(move |peer| {
                peer.read_request();
                peer.send(&bytes);
            });
            let directory = tempfile::tempdir().unwrap();
            let notes = format!(
                r#""validator":{{"tag":"\"v1\""}},"length":20{}"#,
                missing.map(|list| format!(r#","missing":{list}"#)).unwrap_or_default()
            );
            let part = if missing.is_some() { "01234567890123456789" } else { "01234" };
            fs::write(directory.path().join("file"), "the older file").unwrap();
            leave_part(directory.path(), ("file", &server.url("/file")), part, &notes);
            let before = contents(directory.path());
            let fetched = fetch_into(directory, settings, &[server.url("/file")]);
            let outcome = &fetched.run.outcomes[0];
            let code: u16 = status[..3].parse().unwrap();
            let cause = outcome.result.as_ref().map_err(FetchError::kind);
            assert_eq!(cause, Err(FailureKind::Status(code)));
            assert_eq!(outcome.attempts, 1, "{status} is not worth a retry");
            assert_eq!(contents(fetched.directory.path()), before, "{status}");
        }
    }
}

#[test]
fn the_older_file_the_part_and_its_notes_stay() {
    let retry = RetryPolicy { retries: 3, ..RetryPolicy::default() };
    let one = Settings { retry, ..settings(1) };
    leaves_all_as_it_was(&one, None);
    // A part with several missing pieces, continued over one connection and over four.
    let four = Settings { split: NonZeroUsize::new(4).unwrap(), retry, ..settings(4) };
    leaves_all_as_it_was(&one, Some("[[3,4],[9,19]]"));
    leaves_all_as_it_was(&four, Some("[[3,4],[9,19]]"));
    let with = |saving| Settings { saving, ..one.clone() };
    leaves_all_as_it_was(
        &with(SaveSettings { partial: PartialFile::Discard, ..SaveSettings::default() }),
        None,
    );
    leaves_all_as_it_was(
        &with(SaveSettings { destination: Destination::Discard, ..SaveSettings::default() }),
        None,
    );
}

#[test]
fn a_split_file_whose_server_stops_keeps_its_part() {
    const LENGTH: usize = 8 << 20;
    let server = Scripted::start(|peer| {
        while let Some(head) = peer.read_head() {
            if range(&head).is_some() {
                peer.send(answer("202 Accepted", "", ""));
            } else {
                let whole = answer("200 OK", "ETag: \"v1\"\r\n", pattern(LENGTH));
                peer.send(&whole[..LENGTH / 2]);
                return;
            }
        }
    });
    let retry = RetryPolicy { first_wait: std::time::Duration::ZERO, ..RetryPolicy::default() };
    let four = Settings { split: NonZeroUsize::new(4).unwrap(), retry, ..settings(4) };
    let fetched = fetch_into(tempfile::tempdir().unwrap(), &four, &[server.url("/file")]);
    let error = fetched.run.outcomes[0].result.as_ref().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Status(202), "{error:?}");
    assert_eq!(fetched.names(), ["file.part", "file.part.json"]);
}

#[test]
fn an_unrequested_206_makes_no_file() {
    let bytes = answer("206 Partial Content", "Content-Range: bytes 0-4/10\r\n", "01234");
    let error = fetch_once(bytes).into_failure();
    assert!(error.to_string().contains("206"), "{error}");
}

#[test]
fn other_urls_of_the_connection_are_not_affected() {
    let server = Scripted::answering(|target| match target {
        "/ok" => ok("content"),
        _ => "HTTP/1.1 204 No Content\r\n\r\n".into(),
    });
    let fetched = fetch(1, &["/none", "/ok", "/nothing"].map(|path| server.url(path)));
    assert_eq!((fetched.names(), fetched.run.failures()), (vec!["ok".to_owned()], 2));
    assert_eq!(server.connections(), 1);
}

#[test]
fn without_a_file_the_program_fails_and_a_comparison_claims_nothing() {
    let server = Scripted::answering(|_| answer("202 Accepted", "", ""));
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("/file");
    for options in [&["-urls", &url][..], &["--compare", "-urls", &url]] {
        let output = run(options, directory.path());
        assert_eq!(output.status.code(), Some(1), "{options:?}: {output:?}");
        assert!(stdout(&output).contains("202 Accepted"), "{options:?}: {output:?}");
    }
}
