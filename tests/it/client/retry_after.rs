//! `Retry-After` shorter and longer than `--max-wait`.

use std::time::{Duration, Instant, SystemTime};

use http_concurrent::client::{FetchError, RetryPolicy, Settings};
use http_concurrent::http::date;

use crate::support::client::{run, stdout};
use crate::support::fetching::{fetch_with, settings};
use crate::support::scripted::{Scripted, answer, ok, redirect};

/// Retries soon, and waits at most a minute for a server.
fn trying(concurrency: usize) -> Settings {
    let first_wait = Duration::from_millis(1);
    Settings {
        retry: RetryPolicy { first_wait, ..RetryPolicy::default() },
        ..settings(concurrency)
    }
}

fn in_an_hour() -> String {
    date::format(SystemTime::now() + Duration::from_secs(3600)).unwrap().to_string()
}

#[test]
fn a_url_told_to_wait_longer_fails_at_once_and_says_when_to_come_back() {
    for status in [
        "429 Too Many Requests",
        "503 Busy",
        "500 Oops",
        "502 Bad",
        "504 Late",
        "408 Slow",
        "403 No",
    ] {
        for wait in ["3600".to_owned(), in_an_hour(), "61".to_owned(), "9".repeat(30)] {
            let fields = format!("Retry-After: {wait}\r\n");
            let server = Scripted::answering(move |_| answer(status, &fields, ""));
            let begun = SystemTime::now();
            let fetched = fetch_with(&trying(1), &[server.url("/file")]);
            let error = fetched.into_failure();
            assert_eq!(server.heads().len(), 1, "{status} {wait}");
            let FetchError::RetryLater { status: told, at, was_asked: true } = error else {
                panic!("{status} {wait}: {error}")
            };
            assert_eq!(told.code().to_string(), status[..3], "{wait}");
            assert!(at > begun + Duration::from_secs(60), "{status} {wait}");
        }
    }
}

#[test]
fn the_message_has_the_seconds_and_the_date() {
    let date = in_an_hour();
    let fields = format!("Retry-After: {date}\r\n");
    let server = Scripted::answering(move |_| answer("503 Service Unavailable", &fields, ""));
    let directory = tempfile::tempdir().unwrap();
    let output = run(&["-urls", &server.url("/file")], directory.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = stdout(&output);
    let start = "the server answered 503 Service Unavailable and asks to come back in 3";
    assert!(report.contains(start) && report.contains(&date[..22]), "{report}");
    // It would have been waited for with a longer limit.
    let output = run(&["-urls", &server.url("/file"), "--max-wait", "1m"], directory.path());
    assert_eq!((output.status.code(), server.heads().len()), (Some(1), 2), "{output:?}");
}

#[test]
fn after_a_429_other_urls_of_the_host_are_not_requested_and_those_of_other_hosts_are() {
    let busy = Scripted::answering(|_| {
        answer("429 Too Many Requests", "Retry-After: 3600\r\n", "come back")
    });
    let target = busy.url("/redirected");
    let other = Scripted::answering(move |path| match path {
        "/moved" => redirect(302, &target),
        _ => ok("Hello"),
    });
    let mut urls: Vec<_> = (0..1000).map(|number| busy.url(&format!("/{number}"))).collect();
    urls.push(other.url("/file"));
    urls.push(other.url("/moved"));
    let fetched = fetch_with(&trying(4), &urls);
    assert!((1..=4).contains(&busy.heads().len()), "{}", busy.heads().len());
    let outcomes = &fetched.run.outcomes;
    let asked = |index: usize| match &outcomes[index].result {
        Err(FetchError::RetryLater { was_asked, .. }) => *was_asked,
        result => panic!("{index}: {result:?}"),
    };
    let number_asked = (0..1000).filter(|index| asked(*index)).count();
    assert_eq!(number_asked, busy.heads().len());
    assert!(outcomes[1000].result.is_ok(), "{:?}", outcomes[1000]);
    assert!(!asked(1001));
    let message = outcomes[999].result.as_ref().unwrap_err().to_string();
    assert!(message.contains("answered another request with 429"), "{message}");
}

#[test]
fn any_other_failure_affects_only_its_url() {
    for status in ["502 Bad Gateway", "503 Service Unavailable"] {
        for concurrency in [1, 4] {
            let server = Scripted::answering(move |path| match path {
                "/bad" => answer(status, "Retry-After: 3600\r\n", ""),
                _ => ok("Hello"),
            });
            let mut urls = vec![server.url("/bad")];
            urls.extend((0..20).map(|number| server.url(&format!("/{number}"))));
            let fetched = fetch_with(&trying(concurrency), &urls);
            assert_eq!((fetched.run.failures(), server.heads().len()), (1, 21), "{status}");
        }
    }
}

#[test]
fn connections_that_are_accepted_go_on_while_another_is_refused() {
    let server = Scripted::start(|peer| {
        while peer.read_request().is_some() {
            if peer.connection == 1 {
                peer.send(answer("429 Too Many Requests", "Retry-After: 3600\r\n", ""));
                return;
            }
            peer.send(ok("Hello"));
        }
    });
    let urls: Vec<_> = (0..50).map(|number| server.url(&format!("/{number}"))).collect();
    let fetched = fetch_with(&trying(2), &urls);
    assert!(fetched.run.failures() <= 1, "{}", fetched.run.failures());
}

#[test]
fn a_short_retry_after_is_honoured_for_other_statuses_as_well() {
    let server = Scripted::start(|peer| {
        while let Some(path) = peer.read_request() {
            if peer.first_time(&path) {
                peer.send(answer("502 Bad Gateway", "Retry-After: 1\r\n", ""));
            } else {
                peer.send(ok("Hello"));
            }
        }
    });
    let begun = Instant::now();
    fetch_with(&trying(1), &[server.url("/file")]).assert_success();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.heads().len(), 2);
}

#[test]
fn retry_after_is_ignored_with_a_redirect_or_if_malformed() {
    let server = Scripted::start(|peer| {
        while let Some(path) = peer.read_request() {
            let wait = |value: &str| format!("Retry-After: {value}\r\n");
            peer.send(match &*path {
                "/moved" => {
                    answer("302 Found", &format!("Location: /file\r\n{}", wait("3600")), "")
                }
                "/soon" | "/-1" if peer.first_time(&path) => {
                    let value = if path == "/-1" { "-1" } else { "soon" };
                    answer("503 Service Unavailable", &wait(value), "")
                }
                _ => ok("Hello"),
            });
        }
    });
    let urls = ["/moved", "/soon", "/-1"].map(|path| server.url(path));
    fetch_with(&trying(1), &urls).assert_success();
    assert_eq!(server.heads().len(), 6);
}
