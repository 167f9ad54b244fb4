//! Single fetches from scripted servers: requests and bodies.

use std::time::Duration;

use http_concurrent::client::{FetchError, TimeoutPhase};
use http_concurrent::net::BodyError;

use crate::support::fetching::{fetch, fetch_once, fetch_with, settings};
use crate::support::scripted::{Scripted, answer, ok};
use crate::support::wait_until;

#[test]
fn bodies_of_every_framing_are_saved_whole() {
    let large: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let chunked = |content: &[u8], size: usize| {
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in content.chunks(size) {
            answer.extend_from_slice(format!("{:x};x=y\r\n", chunk.len()).as_bytes());
            answer.extend_from_slice(chunk);
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
        answer
    };
    for (name, bytes, content) in [
        ("length", ok(&large), &large[..]),
        ("empty", ok(""), b""),
        ("chunked", chunked(&large, 100_000), &large),
        ("small chunks", chunked(&large[..5000], 7), &large[..5000]),
        ("no chunk", chunked(b"", 1), b""),
        ("close", [b"HTTP/1.1 200 OK\r\n\r\n", &large[..]].concat(), &large),
        ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nHello".to_vec(), b"Hello"),
        (
            "informational",
            [
                &b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"[..],
                &ok("a"),
            ]
            .concat(),
            b"a",
        ),
        ("identity", answer("200 OK", "Content-Encoding: identity\r\n", "a"), b"a"),
    ] {
        let fetched = fetch_once(bytes);
        fetched.assert_success();
        assert!(fetched.content("file") == content, "{name}");
        assert_eq!(fetched.names(), ["file"], "{name}");
        assert_eq!(fetched.run.bytes(), content.len() as u64, "{name}");
    }
}

#[test]
fn a_body_that_ends_early_is_a_failure() {
    for (bytes, received, declared) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHell", 4, Some(5)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 0, Some(5)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHell", 4, None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n", 5, None),
    ] {
        match fetch_once(bytes).into_failure() {
            FetchError::Body(BodyError::Truncated { received: r, declared: d }) => {
                assert_eq!((r, d), (received, declared), "{bytes:?}");
            }
            other => panic!("{bytes:?}: {other:?}"),
        }
    }
}

#[test]
fn a_reset_within_a_body_that_ends_with_the_connection_is_a_failure() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"] {
        let server = Scripted::start(move |peer| {
            peer.read_request();
            peer.send(head);
            peer.send("Hello");
            peer.reset();
        });
        let error = fetch(1, &[server.url("/file")]).into_failure();
        // If the reset overtakes the head, the head fails.
        assert!(
            matches!(error, FetchError::Body(BodyError::Io(_)) | FetchError::Receive(_)),
            "{error:?}"
        );
    }
}

#[test]
fn responses_without_the_complete_plain_content_are_refused() {
    type Check = fn(&FetchError) -> bool;
    let cases: [(Vec<u8>, Check); 11] = [
        (
            answer("404 Not Found", "", "no"),
            |e| matches!(e, FetchError::Status { status, .. } if status.code() == 404),
        ),
        (
            answer("500 Oops", "", ""),
            |e| matches!(e, FetchError::Status { status, .. } if status.code() == 500),
        ),
        (
            answer("300 Choices", "Location: /x\r\n", ""),
            |e| matches!(e, FetchError::Status { status, .. } if status.code() == 300),
        ),
        (
            b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec(),
            |e| matches!(e, FetchError::Status { status, .. } if status.code() == 304),
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec(),
            |e| matches!(e, FetchError::Status { status, .. } if status.code() == 101),
        ),
        (answer("206 Partial Content", "Content-Range: bytes 0-0/2\r\n", "a"), |e| {
            matches!(e, FetchError::UnexpectedRange)
        }),
        (answer("200 OK", "Content-Length: 7\r\n", "a"), |e| matches!(e, FetchError::Framing(_))),
        (b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), |e| matches!(e, FetchError::Malformed(_))),
        (Vec::new(), |e| matches!(e, FetchError::Closed)),
        (b"HTTP/1.1 200 O".to_vec(), |e| matches!(e, FetchError::Closed)),
        (b"HTTP/1.1 102 Processing\r\n\r\n".repeat(200), |e| {
            matches!(e, FetchError::TooManyInterim)
        }),
    ];
    for (bytes, is_expected) in cases {
        let error = fetch_once(bytes.clone()).into_failure();
        assert!(is_expected(&error), "{}: {error:?}", bytes.escape_ascii());
    }
}

#[test]
fn requests_have_the_expected_fields_and_no_fragment() {
    let server = Scripted::answering(|_| ok("a"));
    fetch(1, &[server.url("/a%20b?c=d&e=%20#fragment")]).assert_success();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "GET /a%20b?c=d&e=%20 HTTP/1.1\r\nHost: {}\r\nUser-Agent: http_client_concurrent/{version}\r\n\
         Accept: */*\r\nAccept-Encoding: identity\r\n\r\n",
        server.address()
    );
    assert_eq!(server.heads(), [expected]);
}

#[test]
fn a_server_that_falls_silent_times_out() {
    let silence = Duration::from_millis(100);
    let mut settings = settings(1);
    settings.timeouts.silence = silence;
    for (bytes, expected) in [
        ("", TimeoutPhase::Answer),
        ("HTTP/1.1 200 OK\r\nContent-Le", TimeoutPhase::Answer),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHell", TimeoutPhase::Body),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHell", TimeoutPhase::Body),
        ("HTTP/1.1 200 OK\r\n\r\nHell", TimeoutPhase::Body),
    ] {
        let server = Scripted::start(move |peer| {
            peer.read_request();
            peer.send(bytes);
            peer.wait_for_close();
        });
        // On a busy machine the response may begin after the client has given up: then it is fetched
        // again.
        wait_until("the response begins in time", || {
            match fetch_with(&settings, &[server.url("/file")]).into_failure() {
                FetchError::TimedOut { phase, timeout } => {
                    assert_eq!(timeout, silence, "{bytes:?}");
                    assert!(
                        phase == expected || phase == TimeoutPhase::Answer,
                        "{bytes:?}: {phase:?}"
                    );
                    phase == expected
                }
                other => panic!("{bytes:?}: {other:?}"),
            }
        });
    }
}
