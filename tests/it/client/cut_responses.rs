//! Servers that cut every response: a run continues while it makes progress, and then ends.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::write::GzEncoder;
use http_concurrent::client::{Compression, FetchError, RetryPolicy, Settings};

use crate::support::PATIENCE;
use crate::support::fetching::{Fetched, fetch_into, fetch_with, settings};
use crate::support::parts::leave_part;
use crate::support::ranged::{field, pattern, range, ranged};
use crate::support::scripted::{Scripted, answer, ok, redirect};

const TAG: &str = "\"v1\"";
const LENGTH: usize = 307_200;
const CUT: usize = 65_536;
const RETRIES: u32 = 2;

/// Two retries, and a time limit for runs that would not end.
fn patient(concurrency: usize) -> Settings {
    let retry = RetryPolicy {
        retries: RETRIES,
        first_wait: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    let mut settings = Settings { retry, ..settings(concurrency) };
    settings.timeouts.total = Some(PATIENCE);
    settings
}

fn splitting(connections: usize) -> Settings {
    Settings { split: NonZeroUsize::new(connections).unwrap(), ..patient(connections) }
}

/// The head, and the first bytes of the body.
fn cut(answer: &[u8], body_bytes: usize) -> &[u8] {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    &answer[..answer.len().min(head + body_bytes)]
}

/// A server that calls `answer` with the head and the number of earlier heads, sends the result up to `CUT`
/// bytes of the body, and closes.
fn cutting(answer: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> Scripted {
    let count = AtomicUsize::new(0);
    Scripted::start(move |peer| {
        if let Some(head) = peer.read_head() {
            let bytes = answer(&head, count.fetch_add(1, Ordering::SeqCst));
            peer.send(cut(&bytes, CUT));
        }
    })
}

/// The file, whatever range is asked for.
fn whole(tag: &str) -> Vec<u8> {
    answer("200 OK", &format!("ETag: {tag}\r\n"), pattern(LENGTH))
}

#[track_caller]
fn assert_incomplete(fetched: &Fetched, attempts: u32) {
    let outcome = &fetched.run.outcomes[0];
    assert!(matches!(outcome.result, Err(FetchError::Body(_))), "{:?}", outcome.result);
    assert_eq!(outcome.attempts, attempts);
}

#[test]
fn repeated_bytes_are_no_progress() {
    type Answer = fn(&str, usize) -> Vec<u8>;
    const DATES: &str = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Date: Sun, 06 Nov 1994 09:49:37 GMT\r\n";
    let cases: [(&str, Answer); 6] = [
        ("an ETag, and no ranges", |_, _| whole(TAG)),
        ("a new ETag each time", |_, number| whole(&format!("\"{number}\""))),
        ("no validator", |_, _| ok(pattern(LENGTH))),
        ("a date", |_, _| answer("200 OK", DATES, pattern(LENGTH))),
        ("If-Range never fits", |head, number| {
            ranged(head, &format!("\"{number}\""), &pattern(LENGTH))
        }),
        ("chunked", |_, _| {
            let head = format!("HTTP/1.1 200 OK\r\nETag: {TAG}\r\nTransfer-Encoding: chunked\r\n");
            [format!("{head}\r\n{LENGTH:x}\r\n").as_bytes(), &pattern(LENGTH)].concat()
        }),
    ];
    for (name, answer) in cases {
        let server = cutting(answer);
        let fetched = fetch_with(&patient(1), &[server.url("/file")]);
        assert_eq!(server.heads().len(), RETRIES as usize + 1, "{name}");
        assert_incomplete(&fetched, RETRIES + 1);
    }
}

#[test]
fn each_url_has_retries_of_its_own() {
    let server = cutting(|_, _| whole(TAG));
    let urls: Vec<_> = (0..4).map(|number| server.url(&format!("/{number}"))).collect();
    let fetched = fetch_with(&patient(2), &urls);
    assert_eq!(fetched.run.failures(), 4);
    assert_eq!(server.heads().len(), 4 * (RETRIES as usize + 1));
}

#[test]
fn ranges_that_are_honoured_once_are_one_step_forward() {
    // The second request continues; from the third on everything restarts.
    let server =
        cutting(
            |head, number| {
                if number == 1 { ranged(head, TAG, &pattern(LENGTH)) } else { whole(TAG) }
            },
        );
    let fetched = fetch_with(&patient(1), &[server.url("/file")]);
    assert_incomplete(&fetched, 2 + RETRIES);
    assert_eq!(server.heads().len(), 2 + RETRIES as usize);
}

#[test]
fn progress_counts_from_the_part_of_an_earlier_run() {
    let server = cutting(|_, number| if number % 2 == 0 { whole(TAG) } else { whole("\"new\"") });
    let directory = tempfile::tempdir().unwrap();
    let notes = format!(r#""validator":{{"tag":"\"v1\""}},"length":{LENGTH}"#);
    let part = &pattern(LENGTH)[..=CUT];
    leave_part(directory.path(), ("file", &server.url("/file")), part, &notes);
    let fetched = fetch_into(directory, &patient(1), &[server.url("/file")]);
    assert_incomplete(&fetched, RETRIES + 1);
}

#[test]
fn a_longer_part_of_an_older_version_is_replaced() {
    const OLDER: usize = 4 << 20;
    let content = pattern(3 << 20);
    // For a plain part, and for one of a split file.
    for missing in ["", r#","missing":[[4194300,4194303]]"#] {
        let copy = content.clone();
        let server = Scripted::start(move |peer| {
            if let Some(head) = peer.read_head() {
                peer.send(cut(&ranged(&head, TAG, &copy), 1 << 19));
            }
        });
        let directory = tempfile::tempdir().unwrap();
        let notes = format!(r#""validator":{{"tag":"\"v0\""}},"length":{OLDER}{missing}"#);
        leave_part(directory.path(), ("file", &server.url("/file")), pattern(OLDER), &notes);
        let fetched = fetch_into(directory, &patient(1), &[server.url("/file")]);
        fetched.assert_success();
        assert!(fetched.content("file") == content, "{missing}");
    }
}

#[test]
fn a_server_that_honours_ranges_and_cuts_each_answer_completes_a_file_of_any_length() {
    for step in [1000, 65_535, 65_536] {
        let content = pattern(200 * step.min(1000) + step);
        let copy = content.clone();
        let server = Scripted::start(move |peer| {
            if let Some(head) = peer.read_head() {
                peer.send(cut(&ranged(&head, TAG, &copy), step));
            }
        });
        let fetched = fetch_with(&patient(1), &[server.url("/file")]);
        fetched.assert_success();
        assert!(fetched.content("file") == content, "{step}");
        let expected = content.len().div_ceil(step);
        assert_eq!(fetched.run.outcomes[0].attempts as usize, expected, "{step}");
        assert_eq!(fetched.run.outcomes[0].received, content.len() as u64);
    }
}

/// A complete response with the first `CUT` bytes of the requested range, every other time chunked.
fn beginning_of_range(head: &str, number: usize, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let Some((first, last)) = range(head) else {
        return answer("200 OK", &format!("ETag: {TAG}\r\n"), content);
    };
    let last = last.unwrap_or(length - 1).min(first + CUT - 1).min(length - 1);
    let fields = format!("ETag: {TAG}\r\nContent-Range: bytes {first}-{last}/{length}\r\n");
    let body = &content[first..=last];
    if number.is_multiple_of(2) {
        return answer("206 Partial Content", &fields, body);
    }
    let head = format!("HTTP/1.1 206 Partial\r\n{fields}Transfer-Encoding: chunked\r\n\r\n");
    [format!("{head}{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}

#[test]
fn a_server_that_sends_less_than_the_range_that_was_asked_for_completes_a_file() {
    for (settings, length) in [(patient(1), LENGTH), (splitting(4), 4 << 20)] {
        let content = pattern(length);
        let copy = content.clone();
        let count = AtomicUsize::new(0);
        let server = Scripted::start(move |peer| {
            if let Some(head) = peer.read_head() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let bytes = beginning_of_range(&head, number, &copy);
                peer.send(if range(&head).is_some() { &bytes } else { cut(&bytes, CUT) });
            }
        });
        let fetched = fetch_with(&settings, &[server.url("/file")]);
        fetched.assert_success();
        assert!(fetched.content("file") == content);
        let whole = server.heads().iter().filter(|head| range(head).is_none()).count();
        assert_eq!(whole, 1, "nothing comes twice");
    }
}

#[test]
fn bytes_beyond_the_announced_range_are_not_kept() {
    let server = cutting(|head, _| {
        if range(head).is_none() {
            return whole(TAG);
        }
        let fields = format!(
            "HTTP/1.1 206 Partial\r\nETag: {TAG}\r\nTransfer-Encoding: chunked\r\n\
             Content-Range: bytes {CUT}-{}/{LENGTH}\r\n\r\n",
            CUT + 9
        );
        [&*fields, "b\r\n01234567890\r\n0\r\n\r\n"].concat().into()
    });
    let fetched = fetch_with(&patient(1), &[server.url("/file")]);
    assert!(matches!(fetched.run.outcomes[0].result, Err(FetchError::UnexpectedRange)));
    assert!(fetched.part("file") == pattern(CUT));
}

#[test]
fn a_split_file_that_restarts_again_and_again_ends() {
    type Answer = fn(&str, usize, &[u8]) -> Vec<u8>;
    let content: Arc<[u8]> = pattern(8 << 20).into();
    let cases: [(&str, Answer); 3] = [
        ("no ranges", |_, _, content| answer("200 OK", &format!("ETag: {TAG}\r\n"), content)),
        ("a new ETag each time", |head, number, content| {
            ranged(head, &format!("\"{number}\""), content)
        }),
        ("ranges for the helpers alone", |head, number, content| {
            if number % 2 == 0 {
                answer("200 OK", &format!("ETag: {TAG}\r\n"), content)
            } else {
                ranged(head, TAG, content)
            }
        }),
    ];
    for (name, answer) in cases {
        let content = Arc::clone(&content);
        let server = cutting(move |head, number| answer(head, number, &content));
        let fetched = fetch_with(&splitting(4), &[server.url("/file")]);
        let error = fetched.run.outcomes[0].result.as_ref().unwrap_err();
        assert!(matches!(error, FetchError::Body(_) | FetchError::Changed), "{name}: {error:?}");
        // Each helper stops at its first failure.
        let most = 3 * (RETRIES as usize + 1) + 3;
        assert!(server.heads().len() <= most, "{name}: {} requests", server.heads().len());
    }
}

#[test]
fn a_split_file_whose_pieces_are_all_cut_is_completed() {
    let content = pattern(4 << 20);
    let copy = content.clone();
    let server = cutting(move |head, _| ranged(head, TAG, &copy));
    let fetched = fetch_with(&splitting(4), &[server.url("/file")]);
    fetched.assert_success();
    assert!(fetched.content("file") == content);
}

#[test]
fn a_rejection_is_not_counted_only_if_other_urls_complete() {
    type Answer = fn(&str) -> Vec<u8>;
    // A response of this URL before the rejection does not show that others are served.
    let cases: [(&str, Answer); 2] = [
        ("redirected", |head| {
            if head.contains(" /busy ") {
                answer("503 Service Unavailable", "", "")
            } else {
                redirect(302, "/busy")
            }
        }),
        ("another range", |head| {
            if range(head).is_some() {
                answer("206 Partial Content", "Content-Range: bytes 5-9/10\r\n", "56789")
            } else {
                answer("429 Too Many Requests", "", "")
            }
        }),
    ];
    for (name, answer) in cases {
        let server = cutting(move |head, _| answer(head));
        let directory = tempfile::tempdir().unwrap();
        let urls = ["/a", "/b"].map(|path| server.url(path));
        for (file, url) in ["a", "b"].iter().zip(&urls) {
            let notes = r#""validator":{"tag":"\"v1\""},"length":10"#;
            leave_part(directory.path(), (file, url), "012", notes);
        }
        let fetched = fetch_into(directory, &patient(2), &urls);
        for outcome in &fetched.run.outcomes {
            assert!(
                matches!(outcome.result, Err(FetchError::Status { .. })),
                "{name}: {outcome:?}"
            );
            // One rejection may be uncounted, because the other URL completed.
            assert!(outcome.attempts <= RETRIES + 2, "{name}: {outcome:?}");
        }
    }
}

#[test]
fn a_rejection_between_attempts_changes_nothing() {
    let server = cutting(|head, number| match number % 2 {
        0 if head.contains(" /file ") => whole(TAG),
        _ => answer("503 Service Unavailable", "", ""),
    });
    let fetched = fetch_with(&patient(1), &[server.url("/file")]);
    assert_eq!(fetched.run.failures(), 1);
    assert_eq!(server.heads().len(), RETRIES as usize + 1);
}

#[test]
fn after_a_cut_coded_content_is_requested_plain_and_can_be_continued() {
    let server = cutting(|head, _| {
        if field(head, "Accept-Encoding") == Some("identity") {
            return ranged(head, TAG, &pattern(LENGTH));
        }
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(&pattern(LENGTH)).unwrap();
        let fields = format!("Content-Encoding: gzip\r\nETag: {TAG}\r\n");
        answer("200 OK", &fields, encoder.finish().unwrap())
    });
    let settings = Settings { compression: Compression::Asked, ..patient(1) };
    let fetched = fetch_with(&settings, &[server.url("/file")]);
    fetched.assert_success();
    assert!(fetched.content("file") == pattern(LENGTH));
    let asked: Vec<_> = server.heads().iter().map(|head| range(head)).collect();
    let plain = (0..LENGTH.div_ceil(CUT)).map(|cuts| (cuts > 0).then_some((cuts * CUT, None)));
    assert_eq!(asked, [None].into_iter().chain(plain).collect::<Vec<_>>());
}
