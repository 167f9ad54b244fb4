//! Content over TLS that ends early, is cut or changed, or is interrupted by other messages.

use std::net::Shutdown;

use rustls::SupportedCipherSuite;

use super::{Fetched, fetch};
use crate::support::certificates::{leaf, self_signed};
use crate::support::records::{CLOSE_NOTIFY, DATA, HANDSHAKE, Records, SUITES};
use crate::support::scripted::answer;
use crate::support::tls::TlsServer;

/// A response with this framing and 11 bytes of content.
fn head(framing: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nETag: \"x\"\r\n{framing}\r\n").into_bytes()
}

const CONTENT: &[u8] = b"Hello world";

fn with_length() -> Vec<u8> {
    [&head("Content-Length: 11\r\n")[..], CONTENT].concat()
}

fn until_close() -> Vec<u8> {
    [&head("Connection: close\r\n")[..], CONTENT].concat()
}

fn chunked() -> Vec<u8> {
    [&head("Transfer-Encoding: chunked\r\n")[..], b"b\r\n", CONTENT, b"\r\n0\r\n\r\n"].concat()
}

/// Fetches from a server that runs `script` after a good handshake.
fn fetch_records(
    suite: SupportedCipherSuite,
    script: impl Fn(&mut Records) + Send + Sync + 'static,
) -> Fetched {
    let identity = self_signed(&leaf(&["localhost"]));
    let server = Records::server(suite, &identity, script);
    let url = format!("https://localhost:{}/file", server.address().port());
    fetch(&url, &[&identity], &[])
}

#[test]
fn content_is_complete_only_if_its_framing_or_a_close_notify_says_so() {
    const NO_NOTIFY: &str = "without a close_notify of TLS";
    for suite in SUITES {
        for (what, answer, notifies, reason) in [
            ("a length", with_length(), false, None),
            ("a length, notified", with_length(), true, None),
            ("chunks", chunked(), false, None),
            ("until close, notified", until_close(), true, None),
            ("until close", until_close(), false, Some(NO_NOTIFY)),
            ("short of its length", with_length()[..60].to_vec(), false, Some(NO_NOTIFY)),
            (
                "short of its length, notified",
                with_length()[..60].to_vec(),
                true,
                Some("the body ended after"),
            ),
            (
                "short of its last chunk",
                chunked()[..chunked().len() - 5].to_vec(),
                false,
                Some(NO_NOTIFY),
            ),
            (
                "short of its last chunk, notified",
                chunked()[..chunked().len() - 5].to_vec(),
                true,
                Some("the chunked body ended early"),
            ),
            (
                "nothing",
                vec![],
                false,
                Some("the server closed the connection before the response was complete"),
            ),
            (
                "nothing, notified",
                vec![],
                true,
                Some("the server closed the connection before the response was complete"),
            ),
            (
                "half a head",
                head("X: y")[..20].to_vec(),
                false,
                Some("the server closed the connection before the response was complete"),
            ),
        ] {
            let fetched = fetch_records(suite, move |records| {
                records.send(DATA, &answer);
                if notifies {
                    let (kind, alert) = CLOSE_NOTIFY;
                    records.send(kind, alert);
                }
                let _ = records.stream().shutdown(Shutdown::Write);
                records.wait_for_close();
            });
            match reason {
                None => fetched.assert_whole(CONTENT, what),
                Some(reason) => fetched.assert_refused(reason, what),
            }
        }
    }
}

#[test]
fn nothing_after_a_close_notify_is_content() {
    for suite in SUITES {
        let fetched = fetch_records(suite, |records| {
            let (kind, alert) = CLOSE_NOTIFY;
            let bytes = [
                records.encode(DATA, &until_close()),
                records.encode(kind, alert),
                records.encode(DATA, b"more"),
            ];
            records.send_raw(&bytes.concat());
            records.wait_for_close();
        });
        fetched.assert_whole(CONTENT, "more");
        // A reset after it either loses no received byte, or is a failure.
        let fetched = fetch_records(suite, |records| {
            records.send(DATA, &until_close());
            let (kind, alert) = CLOSE_NOTIFY;
            records.send(kind, alert);
            records.reset();
        });
        match fetched.output.status.code() {
            Some(0) => fetched.assert_whole(CONTENT, "reset"),
            _ => fetched.assert_refused("", "reset"),
        }
    }
}

#[test]
fn records_that_are_cut_or_changed_bring_no_content() {
    for suite in SUITES {
        for (what, change, reason) in [
            (
                "cut in the head",
                (|record| record.truncate(3)) as fn(&mut Vec<u8>),
                "without a close_notify of TLS",
            ),
            (
                "cut in the middle",
                |record| record.truncate(record.len() / 2),
                "without a close_notify of TLS",
            ),
            (
                "cut before the end",
                |record| record.truncate(record.len() - 1),
                "without a close_notify of TLS",
            ),
            ("changed", |record| *record.last_mut().unwrap() ^= 1, "cannot decrypt peer's message"),
            ("changed in its type", |record| record[0] = 22, "cannot read the body"),
            (
                "sent as it is",
                |record| *record = [&[23, 3, 3, 0, 5], &b"plain"[..]].concat(),
                "cannot decrypt peer's message",
            ),
            (
                "too long",
                |record| *record = [&[23, 3, 3, 0xff, 0xff], &[0; 100][..]].concat(),
                "cannot read the body",
            ),
            (
                "no record",
                |record| *record = b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
                "cannot read the body",
            ),
        ] {
            let fetched = fetch_records(suite, move |records| {
                records.send(DATA, &until_close()[..until_close().len() - 5]);
                let mut record = records.encode(DATA, b"world");
                change(&mut record);
                records.send_raw(&record);
                let _ = records.stream().shutdown(Shutdown::Write);
                records.wait_for_close();
            });
            fetched.assert_refused(reason, what);
        }
    }
}

#[test]
fn records_may_be_as_small_as_a_byte() {
    for suite in SUITES {
        let fetched = fetch_records(suite, |records| {
            for byte in chunked() {
                let record = records.encode(DATA, &[byte]);
                let (begin, end) = record.split_at(record.len() / 2);
                records.send_raw(begin);
                records.send_raw(end);
            }
            records.wait_for_close();
        });
        fetched.assert_whole(CONTENT, "bytes");
    }
}

#[test]
fn alerts_and_messages_within_content_lose_no_byte() {
    const KEY_UPDATE_WITHOUT_ANSWER: &[u8] = &[24, 0, 0, 1, 9];
    for suite in SUITES {
        for (what, kind, payload, reason) in [
            // user_canceled, which is a warning (RFC 8446 §6.1).
            ("a warning", CLOSE_NOTIFY.0, &[1, 90][..], None),
            (
                "a fatal alert",
                CLOSE_NOTIFY.0,
                &[2, 80],
                Some("received fatal alert: InternalError"),
            ),
            (
                "an impossible message",
                HANDSHAKE,
                KEY_UPDATE_WITHOUT_ANSWER,
                Some("cannot read the body"),
            ),
            ("a ServerHello", HANDSHAKE, &[2, 0, 0, 1, 0], Some("cannot read the body")),
        ] {
            let fetched = fetch_records(suite, move |records| {
                let answer = until_close();
                let (begin, end) = answer.split_at(answer.len() - 5);
                records.send(DATA, begin);
                records.send(kind, payload);
                records.send(DATA, end);
                let (kind, alert) = CLOSE_NOTIFY;
                records.send(kind, alert);
                records.wait_for_close();
            });
            match reason {
                None => fetched.assert_whole(CONTENT, what),
                Some(reason) => fetched.assert_refused(reason, what),
            }
        }
    }
}

#[test]
fn renegotiation_is_declined_a_limited_number_of_times() {
    // An empty HelloRequest (RFC 5246 §7.4.1.1), which TLS 1.3 does not have.
    const HELLO_REQUEST: &[u8] = &[0, 0, 0, 0];
    let asking = |times: usize| {
        move |records: &mut Records| {
            let answer = with_length();
            let (begin, end) = answer.split_at(answer.len() - 5);
            records.send(DATA, begin);
            for _ in 0..times {
                records.send(HANDSHAKE, HELLO_REQUEST);
            }
            records.send(DATA, end);
            records.wait_for_close();
        }
    };
    let [tls12, tls13] = SUITES;
    fetch_records(tls12, asking(1)).assert_whole(CONTENT, "once");
    fetch_records(tls12, asking(1000)).assert_refused("cannot read the body", "without end");
    fetch_records(tls13, asking(1)).assert_refused("cannot read the body", "TLS 1.3");
}

#[test]
fn content_that_is_cut_is_continued_over_a_new_connection() {
    let identity = self_signed(&leaf(&["localhost"]));
    let whole = vec![b'x'; 100_000];
    let content = whole.clone();
    let server = TlsServer::answering_heads(&[&identity.0], &identity.1, move |request| {
        let range = request.lines().find_map(|line| line.strip_prefix("Range: bytes="));
        let Some(range) = range else {
            // Closed without `close_notify`, as the response asks for a close.
            let framing = "Content-Length: 100000\r\nConnection: close\r\n";
            return [&head(framing)[..], &content[..50_000]].concat();
        };
        let first: usize = range.split('-').next().unwrap().parse().unwrap();
        let fields = format!("Content-Range: bytes {first}-99999/100000\r\nETag: \"x\"\r\n");
        answer("206 Partial Content", &fields, &content[first..])
    });
    let url = server.url("localhost", "/file");
    let fetched = fetch(&url, &[&identity], &["--retries", "1"]);
    fetched.assert_whole(&whole, "continued");
    assert_eq!(server.heads().len(), 2);
}

#[test]
fn a_connection_on_which_more_came_than_content_is_not_used_again() {
    for suite in SUITES {
        let identity = self_signed(&leaf(&["localhost"]));
        let server = Records::server(suite, &identity, |records| {
            let mut bytes = records.encode(DATA, &with_length());
            bytes.extend([23, 3, 3, 0, 20]);
            bytes.extend([0; 20]);
            records.send_raw(&bytes);
            records.wait_for_close();
        });
        let url = |path| format!("https://localhost:{}/{path}", server.address().port());
        let fetched = fetch(&url("file"), &[&identity], &["-c", "1", "-urls", &url("other")]);
        fetched.assert_whole(CONTENT, "a record that is refused behind it");
        assert_eq!((fetched.names().len(), server.connections()), (2, 2));
    }
}
