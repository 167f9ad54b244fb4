//! Continuing partial files, within a run and from run to run, and never from one that does not match.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_concurrent::client::{
    FetchError, PartialFile, Retrieval, RetryPolicy, SaveSettings, Settings, Stop, StopReason,
};

use crate::support::fetching::{Fetched, fetch_into, fetch_stopping, fetch_with, settings};
use crate::support::parts::leave_part;
use crate::support::ranged::{pattern, range, ranged};
use crate::support::scripted::{Scripted, answer};

const TAG: &str = "\"v1\"";

fn patient(retries: u32) -> Settings {
    let first_wait = Duration::from_millis(1);
    let retry = RetryPolicy { retries, first_wait, ..RetryPolicy::default() };
    Settings { retry, ..settings(1) }
}

/// Serves `content`; the first connection is cut off after this number of bytes.
fn cut_once(content: Vec<u8>, after: usize) -> Scripted {
    Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            let bytes = ranged(&head, TAG, &content);
            if peer.connection == 0 {
                let body = bytes.len() - content.len();
                peer.send(&bytes[..body + after]);
                return;
            }
            peer.send(bytes);
        }
    })
}

fn continued_from(fetched: &Fetched) -> u64 {
    match fetched.run.outcomes[0].result.as_ref().unwrap().retrieval {
        Retrieval::Fetched { continued_from, .. } => continued_from,
        Retrieval::Skipped => panic!("it was fetched"),
    }
}

#[test]
fn a_retry_fetches_only_what_is_missing() {
    for after in [1, 100, 16_384, 500_000, 999_999] {
        let content = pattern(1_000_000);
        let server = cut_once(content.clone(), after);
        let fetched = fetch_with(&patient(1), &[server.url("/file")]);
        fetched.assert_success();
        assert!(fetched.content("file") == content, "{after}");
        assert_eq!(fetched.names(), ["file"], "{after}");
        assert_eq!(continued_from(&fetched), after as u64);
        let outcome = &fetched.run.outcomes[0];
        assert_eq!((outcome.attempts, outcome.received), (2, 1_000_000));
        let head = &server.heads()[1];
        assert!(head.contains(&format!("Range: bytes={after}-\r\nIf-Range: {TAG}\r\n")), "{head}");
    }
}

#[test]
fn a_run_continues_where_the_last_one_stopped() {
    let content = pattern(300_000);
    let server = cut_once(content.clone(), 200_000);
    let first = fetch_with(&settings(1), &[server.url("/file")]);
    assert_eq!(first.run.failures(), 1);
    assert_eq!(first.names(), ["file.part", "file.part.json"]);
    let second = fetch_into(first.directory, &settings(1), &[server.url("/file")]);
    second.assert_success();
    assert!(second.content("file") == content);
    assert_eq!((second.names(), continued_from(&second)), (vec!["file".into()], 200_000));
    assert_eq!(second.run.outcomes[0].received, 100_000);
}

#[test]
fn a_part_of_another_version_or_another_url_is_not_used() {
    let (old, new) = (pattern(300_000), vec![b'n'; 250_000]);
    let fresh = new.clone();
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            if peer.connection == 0 {
                peer.send(&ranged(&head, TAG, &old)[..200_000]);
                return;
            }
            peer.send(ranged(&head, "\"v2\"", &new));
        }
    });
    let first = fetch_with(&settings(1), &[server.url("/file")]);
    assert_eq!(first.run.failures(), 1);
    let second = fetch_into(first.directory, &settings(1), &[server.url("/file")]);
    second.assert_success();
    assert!(second.content("file") == fresh && continued_from(&second) == 0);

    let server = cut_once(pattern(300_000), 200_000);
    let first = fetch_with(&settings(1), &[server.url("/a/file")]);
    let second = fetch_into(first.directory, &settings(1), &[server.url("/b/file")]);
    second.assert_success();
    assert!(server.heads().iter().all(|head| range(head).is_none()), "{:?}", server.heads());
    assert_eq!(second.names(), ["file"]);
}

#[test]
fn a_response_that_does_not_fit_the_part_restarts_the_fetch() {
    type Spoil = fn(&[u8]) -> Vec<u8>;
    let spoilt: [(&str, Spoil); 8] = [
        ("elsewhere", |content| {
            answer("206 Partial", "Content-Range: bytes 4-299999/300000\r\n", &content[4..])
        }),
        ("another total", |content| {
            answer(
                "206 Partial",
                "Content-Range: bytes 200000-299999/300001\r\n",
                &content[200_000..],
            )
        }),
        ("short of the end", |content| {
            answer(
                "206 Partial",
                "Content-Range: bytes 200000-299998/300000\r\n",
                &content[200_000..299_999],
            )
        }),
        ("no place", |content| answer("206 Partial", "", &content[200_000..])),
        ("a lying length", |content| {
            answer("206 Partial", "Content-Range: bytes 200000-299999/300000\r\n", &content[..5])
        }),
        ("another tag", |content| {
            let fields = "Content-Range: bytes 200000-299999/300000\r\nETag: \"v2\"\r\n";
            answer("206 Partial", fields, &content[200_000..])
        }),
        ("coded", |content| {
            let fields = "Content-Range: bytes 200000-299999/300000\r\nContent-Encoding: gzip\r\n";
            answer("206 Partial", fields, &content[200_000..])
        }),
        ("416 of another length", |_| {
            answer("416 Range Not Satisfiable", "Content-Range: bytes */100\r\n", "")
        }),
    ];
    for (name, spoil) in spoilt {
        let content = pattern(300_000);
        let copy = content.clone();
        let server = Scripted::start(move |peer| {
            while let Some(head) = peer.read_head() {
                let whole = ranged(&head, TAG, &copy);
                if peer.connection == 0 {
                    let body = whole.len() - copy.len();
                    peer.send(&whole[..body + 200_000]);
                    return;
                }
                peer.send(if range(&head).is_some() { spoil(&copy) } else { whole });
            }
        });
        let fetched = fetch_with(&patient(1), &[server.url("/file")]);
        fetched.assert_success();
        assert!(fetched.content("file") == content, "{name}");
        assert_eq!((fetched.names(), continued_from(&fetched)), (vec!["file".into()], 0), "{name}");
    }
}

#[test]
fn a_full_part_is_complete_when_the_server_says_so() {
    let content = pattern(50_000);
    let copy = content.clone();
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            peer.send(ranged(&head, TAG, &copy));
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let notes = r#""validator":{"tag":"\"v1\""},"length":50000"#;
    leave_part(directory.path(), ("file", &server.url("/file")), &content, notes);
    let fetched = fetch_into(directory, &settings(1), &[server.url("/file")]);
    fetched.assert_success();
    assert!(fetched.content("file") == content);
    assert_eq!((fetched.run.outcomes[0].received, fetched.names()), (0, vec!["file".to_owned()]));
}

#[test]
fn a_date_is_a_condition_where_there_is_no_strong_tag() {
    const DATES: &str = "ETag: W/\"weak\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Date: Sun, 06 Nov 1994 09:49:37 GMT\r\n";
    let server = Scripted::start(|peer| {
        while let Some(head) = peer.read_head() {
            if range(&head).is_some() {
                let fields = format!("{DATES}Content-Range: bytes 4-9/10\r\n");
                peer.send(answer("206 Partial Content", &fields, "456789"));
            } else {
                let whole = answer("200 OK", DATES, "0123456789");
                peer.send(&whole[..whole.len() - 6]);
                return;
            }
        }
    });
    let fetched = fetch_with(&patient(1), &[server.url("/file")]);
    fetched.assert_success();
    assert_eq!(fetched.content("file"), b"0123456789");
    let head = &server.heads()[1];
    assert!(head.contains("If-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), "{head}");
    let modified = fs::metadata(fetched.directory.path().join("file")).unwrap().modified().unwrap();
    assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(784_111_777));
    assert!(modified < SystemTime::now());
}

#[test]
fn parts_are_neither_kept_nor_used_with_no_continue() {
    let server = cut_once(pattern(300_000), 200_000);
    let saving = SaveSettings { partial: PartialFile::Discard, ..SaveSettings::default() };
    let error =
        fetch_with(&Settings { saving, ..settings(1) }, &[server.url("/file")]).into_failure();
    assert!(matches!(error, FetchError::Body(_)), "{error:?}");
}

#[test]
fn a_stop_keeps_the_part() {
    let content = pattern(300_000);
    let copy = content.clone();
    let stop = Stop::default();
    let stopping = stop.clone();
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            let bytes = ranged(&head, TAG, &copy);
            if peer.connection == 0 {
                peer.send(&bytes[..200_000]);
                stopping.stop(StopReason::Interrupted);
                peer.wait_for_close();
                return;
            }
            peer.send(bytes);
        }
    });
    let urls = [server.url("/file"), server.url("/never")];
    let first = fetch_stopping(tempfile::tempdir().unwrap(), &settings(1), &urls, &stop);
    for outcome in &first.run.outcomes {
        assert!(matches!(outcome.result, Err(FetchError::Stopped(_))), "{outcome:?}");
    }
    assert_eq!(first.run.outcomes[1].attempts, 0);
    let second = fetch_into(first.directory, &settings(1), &urls[..1]);
    second.assert_success();
    assert!(second.content("file") == content && continued_from(&second) > 0);
}
