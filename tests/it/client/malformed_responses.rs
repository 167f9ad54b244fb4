//! Responses that violate RFC 9112: accepted if nothing depends on it, refused if it decides about the
//! content.

use http_concurrent::client::FetchError;
use http_concurrent::http::{FramingError, ResponseHeadError};

use crate::support::fetching::{fetch, fetch_once};
use crate::support::scripted::{Scripted, answer, ok};

#[test]
fn deviations_that_do_not_affect_the_content_are_accepted() {
    let chunked = |head: &str| format!("{head}\r\n\r\n5\r\nHello\r\n0\r\n\r\n").into_bytes();
    for bytes in [
        answer("200 OK", "X: a\u{1}b\r\n", "Hello"),
        answer("200 OK", "X: a\0b\rc\r\n", "Hello"),
        answer("200 OK", "Server: \u{1b}[2J\r\nETag: \"\u{1}\"\r\nDate: \u{2}\r\n", "Hello"),
        answer("200 OK", "X Y(z): a\r\n: b\r\n\u{e4}: c\r\n", "Hello"),
        answer("200 OK", "Set-Cookie : x\r\n", "Hello"),
        answer("200 OK", "no colon\r\n", "Hello"),
        b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nHello".to_vec(),
        b"HTTP/2 200\r\nContent-Length: 5\r\n\r\nHello".to_vec(),
        b"HTTP/2.0 200 OK\nContent-Length: 5\n\nHello".to_vec(),
        b"http/1.1 200OK\r\nContent-Length: 5\r\n\r\nHello".to_vec(),
        [&b"HTTP/1.1 200 "[..], &vec![b'a'; 20_000], b"\r\nContent-Length: 5\r\n\r\nHello"]
            .concat(),
        b"HTTP/1.2 200\r\nContent-Length: 5\r\n\r\nHello".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nHello"
            .to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nHello".to_vec(),
        chunked("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked"),
        chunked("HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked"),
        chunked("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        chunked("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3"),
        chunked("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
          5  \r\nHello\r\n0\t\r\nA B: \0\r\nno colon\r\n\r\n"
            .to_vec(),
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nHello\n0\n\n".to_vec(),
    ] {
        let shown = bytes.escape_ascii().to_string();
        let fetched = fetch_once(bytes);
        assert!(fetched.run.outcomes[0].result.is_ok(), "{shown}: {:?}", fetched.run.outcomes[0]);
        assert_eq!(fetched.content("file"), b"Hello", "{shown}");
    }
}

#[test]
fn a_malformed_field_that_decides_about_the_content_is_refused() {
    type Check = fn(&FetchError) -> bool;
    const FRAMING: Check =
        |error| matches!(error, FetchError::Framing(FramingError::ContentLength));
    const CODING: Check =
        |error| matches!(error, FetchError::Framing(FramingError::TransferCoding));
    const FIELD: Check =
        |error| matches!(error, FetchError::Malformed(ResponseHeadError::Field(_)));
    const BODY: Check = |error| matches!(error, FetchError::Body(_));
    for (head, check) in [
        ("Content-Length: 5\r\nContent-Length: 6", FRAMING),
        ("Content-Length: 5, 6", FRAMING),
        ("Content-Length: +5", FRAMING),
        ("Content-Length: 5 5", FRAMING),
        ("Content-Length:", FRAMING),
        ("Content-Length : five", FRAMING),
        ("Content-Length: +5\r\nTransfer-Encoding: chunked", FRAMING),
        ("Transfer-Encoding: gzip, chunked", CODING),
        ("Transfer-Encoding: chunked, gzip, chunked", CODING),
        ("Transfer-Encoding:", CODING),
        ("Content-Length: 5\r\r", FIELD),
        ("Content-Length: 5\r6", FIELD),
        ("Content-Length: 5\0", FIELD),
        ("Content-Length\0: 5", FIELD),
        ("Content-Length 5", FIELD),
        (" Content-Length: 5", FIELD),
        ("Transfer-Encoding: \u{b}chunked", FIELD),
        ("Transfer-Encoding: chunked\r\r", FIELD),
        ("Content-Encoding: gzip\0", FIELD),
        ("Content-Range: bytes 0-4/5\0", FIELD),
        ("Content-Length: 6", BODY),
        ("Transfer-Encoding: chunked", BODY),
    ] {
        let error = fetch_once(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nHello")).into_failure();
        assert!(check(&error), "{head:?}: {error:?}");
    }
    for location in ["/a\0", "/a\rb", "\u{7f}/a"] {
        let error = fetch_once(answer("302 Found", &format!("Location: {location}\r\n"), ""));
        let error = error.into_failure();
        assert!(FIELD(&error), "{location:?}: {error:?}");
        assert_eq!(error.to_string(), "malformed Location in the response");
    }
}

#[test]
fn the_limits_of_response_heads_are_larger_than_those_of_requests() {
    for (fields, is_taken) in [
        ("A: b\r\n".repeat(101), true),
        ("A: b\r\n".repeat(1000), true),
        (format!("Content-Security-Policy: {}\r\n", "a".repeat(40_000)), true),
        (format!("A: {}\r\n", "a".repeat(2000)).repeat(128), true),
        ("A: b\r\n".repeat(4096), false),
        (format!("A: {}\r\n", "a".repeat(2100)).repeat(128), false),
    ] {
        let fetched = fetch_once(answer("200 OK", &fields, "Hello"));
        let shown = (fields.len(), fields.lines().count());
        if is_taken {
            assert!(fetched.run.outcomes[0].result.is_ok(), "{shown:?}");
            assert_eq!(fetched.content("file"), b"Hello", "{shown:?}");
        } else {
            let error = fetched.into_failure();
            assert!(
                matches!(error, FetchError::Malformed(ResponseHeadError::TooLarge)),
                "{shown:?}: {error:?}"
            );
        }
    }
}

#[test]
fn the_connection_is_kept_only_if_the_end_of_the_response_is_certain() {
    for (head, connections) in [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", 1),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", 3),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 20", 3),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive", 3),
    ] {
        let server = Scripted::answering(move |_| {
            format!("{head}\r\n\r\n5\r\nHello\r\n0\r\n\r\n").into_bytes()
        });
        let fetched = fetch(1, &["/a", "/b", "/c"].map(|path| server.url(path)));
        fetched.assert_success();
        assert_eq!((fetched.content("c"), server.connections()), (b"Hello".to_vec(), connections));
    }
    // Other responses follow a large head on the same connection.
    let fields = format!("A: {}\r\n", "a".repeat(200_000));
    let server = Scripted::answering(move |target| match target {
        "/a" => answer("200 OK", &fields, "Hello"),
        _ => ok("Hello"),
    });
    let fetched = fetch(1, &["/a", "/b", "/a"].map(|path| server.url(path)));
    fetched.assert_success();
    assert_eq!(server.connections(), 1);
}
