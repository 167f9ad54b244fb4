//! RFC 9112: valid and invalid requests.
//!
//! Each case is followed by a second request. If the first is refused for its form (every 400, 414, 417, 431,
//! 505), the rest cannot be trusted and must not be answered; otherwise the second response proves that both
//! sides agree on the end of the first request.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::contextualize_config;

use crate::support::conversation::Reply;
use crate::support::server::TestServer;

const NEXT: &str = "GET /next.txt HTTP/1.1\r\nHost: a\r\n\r\n";

fn site() -> TestServer {
    let server = TestServer::with_limits(1000, 1000);
    server.file("a.txt", "Hello");
    server.file("next.txt", "next");
    server.file("directory/b.txt", "b");
    server
}

/// The statuses of all responses, `next` for that to [`NEXT`]; each response is complete and consistent.
fn in_words(replies: &[Reply]) -> String {
    let (last, others) = replies.split_last().expect("an answer");
    assert!(others.iter().all(|reply| reply.field("Connection") != Some("close")));
    let word = |reply: &Reply| match reply.body.as_slice() {
        b"next" => "next".to_owned(),
        _ => reply.status.to_string(),
    };
    let words: Vec<String> = replies.iter().map(word).collect();
    let closed = last.field("Connection") == Some("close");
    assert_eq!(closed, last.body != b"next", "{words:?}");
    words.join(" ")
}

fn answers(server: &TestServer, request: impl AsRef<[u8]>) -> String {
    in_words(&server.ask([request.as_ref(), NEXT.as_bytes()].concat()))
}

/// RFC 9112 §2.3, §3; the forms of targets, §3.2.
#[test]
fn request_lines() {
    let server = site();
    for (line, expected) in [
        ("GET /a.txt HTTP/1.1", "200 next"),
        ("GET /a.txt HTTP/1.2", "200 next"), // RFC 9110 §2.5: as the highest known minor version
        ("GET /a.txt HTTP/1.10", "400"),
        ("GET /a.txt HTTP/01.1", "400"),
        ("GET /a.txt HTTP/11", "400"),
        ("GET /a.txt HTTP/1.", "400"),
        ("GET /a.txt HTTP/+1.1", "400"),
        ("GET /a.txt http/1.1", "400"), // §2.3: HTTP-name is case-sensitive
        ("GET /a.txt HTTPS/1.1", "400"),
        ("GET /a.txt", "400"), // HTTP/0.9
        ("GET /a.txt HTTP/0.9", "505"),
        ("GET /a.txt HTTP/2.0", "505"),
        ("GET /a.txt HTTP/3.0", "505"),
        ("PRI * HTTP/2.0", "505"), // RFC 9113 §3.4
        ("GET  /a.txt HTTP/1.1", "400"),
        ("GET /a.txt  HTTP/1.1", "400"),
        ("GET /a.txt HTTP/1.1 ", "400"),
        (" GET /a.txt HTTP/1.1", "400"),
        ("GET\t/a.txt HTTP/1.1", "400"),
        ("GET /a.txt\tHTTP/1.1", "400"),
        ("GET /a.txt\u{b}HTTP/1.1", "400"),
        ("GET /a.txt HTTP/1.1\r", "400"),
        ("GET\r /a.txt HTTP/1.1", "400"),
        ("GET /a.txt\0 HTTP/1.1", "400"),
        ("GET /a b.txt HTTP/1.1", "400"),
        ("GET HTTP/1.1", "400"),
        ("GET", "400"),
        (": GET /a.txt HTTP/1.1", "400"),
        ("G\u{e9}T /a.txt HTTP/1.1", "400"),
        ("get /a.txt HTTP/1.1", "501 next"), // RFC 9110 §9.1: methods are case-sensitive
        ("Get /a.txt HTTP/1.1", "501 next"),
        // origin-form
        ("GET /a.txt?query HTTP/1.1", "200 next"),
        ("GET /a.txt?a=b?c&d=%zz HTTP/1.1", "200 next"),
        ("GET //a.txt HTTP/1.1", "200 next"),
        ("GET /%61%2etxt HTTP/1.1", "200 next"),
        ("GET /a.txt#fragment HTTP/1.1", "400"),
        ("GET /a%zz HTTP/1.1", "400"),
        ("GET /a%4 HTTP/1.1", "400"),
        ("GET /a%00.txt HTTP/1.1", "400"),
        ("GET /directory%2fb.txt HTTP/1.1", "200 next"), // as in nginx
        ("GET /directory%2f..%2f..%2fb.txt HTTP/1.1", "400"),
        ("GET /.. HTTP/1.1", "400"),
        ("GET /directory/../a.txt HTTP/1.1", "200 next"),
        ("GET a.txt HTTP/1.1", "400"),
        ("GET ?a.txt HTTP/1.1", "400"),
        // absolute-form
        ("GET http://a/a.txt HTTP/1.1", "200 next"),
        ("GET HTTPS://a:443/a.txt HTTP/1.1", "200 next"),
        ("GET http://other/a.txt HTTP/1.1", "200 next"), // §3.2.2: Host is ignored
        ("GET http://[::1]:80/a.txt HTTP/1.1", "200 next"),
        ("GET http://a HTTP/1.1", "200 next"),
        ("GET http://a?query HTTP/1.1", "200 next"),
        ("GET http:///a.txt HTTP/1.1", "400"),
        ("GET http:/a.txt HTTP/1.1", "400"),
        ("GET http://user@a/a.txt HTTP/1.1", "400"), // RFC 9110 §4.2.4
        ("GET http://a:port/a.txt HTTP/1.1", "400"),
        ("GET ftp://a/a.txt HTTP/1.1", "400"),
        ("GET file:///etc/passwd HTTP/1.1", "400"),
        // authority-form, for CONNECT only
        ("GET a:80 HTTP/1.1", "400"),
        ("CONNECT a:80 HTTP/1.1", "405"), // and what follows may be for the tunnel
        // asterisk-form, for OPTIONS only
        ("OPTIONS * HTTP/1.1", "204 next"),
        ("GET * HTTP/1.1", "400"),
        ("OPTIONS ** HTTP/1.1", "400"),
    ] {
        let request = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(answers(&server, request), expected, "{line:?}");
    }
}

/// RFC 9112 §2.2, §5; RFC 9110 §5.1, §5.5.
#[test]
fn field_lines() {
    let server = site();
    for (lines, expected) in [
        (&b"X: y"[..], "200 next"),
        (b"X:", "200 next"),
        (b"X:y", "200 next"),
        (b"X: \t y \t ", "200 next"),
        (b"X: \xc3\xa4\xff", "200 next"), // obs-text
        (b"!#$%&'*+-.^_`|~9: y", "200 next"),
        (b"X: y\r\nX: y\r\nx: z", "200 next"),
        (b"X: y\nZ: z", "200 next"), // a lone LF may end a line
        (b"X : y", "400"),
        (b"X\t: y", "400"),
        (b" X: y", "400"),
        (b"X: y\r\n folded", "400"), // obs-fold
        (b"X: y\r\n\tfolded", "400"),
        (b"X: y\r\n ", "400"),
        (b"X", "400"),
        (b": y", "400"),
        (b"X y: z", "400"),
        (b"X(: y", "400"),
        (b"X\xc3\xa4: y", "400"),
        (b"X\0: y", "400"),
        (b"X: y\0", "400"),
        (b"X: y\x01", "400"),
        (b"X: y\x7f", "400"),
        (b"X: y\rz", "400"), // a bare CR
        (b"X: y\r\rZ: z", "400"),
        (b"\rX: y", "400"),
        (b"\r\r\nX: y", "400"),
    ] {
        let request = [b"GET /a.txt HTTP/1.1\r\nHost: a\r\n", lines, b"\r\n\r\n"].concat();
        assert_eq!(answers(&server, request), expected, "{}", lines.escape_ascii());
    }
}

/// RFC 9112 §3.2: exactly one, and a host.
#[test]
fn host() {
    let server = site();
    for (version, lines, expected) in [
        ("1.1", "Host: a\r\n", "200 next"),
        ("1.1", "hOST:a:20001\r\n", "200 next"),
        ("1.1", "Host: [::1]:80\r\n", "200 next"),
        ("1.1", "Host: 127.0.0.1\r\n", "200 next"),
        ("1.1", "", "400"),
        ("1.1", "Host:\r\n", "400"),
        ("1.1", "Host: :80\r\n", "400"),
        ("1.1", "Host: a\r\nHost: a\r\n", "400"),
        ("1.1", "Host: a\r\nHost: b\r\n", "400"),
        ("1.1", "Host: a, b\r\n", "400"),
        ("1.1", "Host: a b\r\n", "400"),
        ("1.1", "Host: a/b\r\n", "400"),
        ("1.1", "Host: user@a\r\n", "400"),
        ("1.1", "Host: http://a\r\n", "400"),
        ("1.1", "Host: a:99999\r\n", "400"),
        ("1.1", "Host: a:+80\r\n", "400"),
        ("1.1", "Host: a%\r\n", "400"),
        ("1.1", "Host: \u{e4}\r\n", "400"),
        ("1.1", "Host: [::1\r\n", "400"),
        ("1.0", "", "200"),
        ("1.0", "Host: a\r\n", "200"),
        ("1.0", "Host: a\r\nHost: a\r\n", "400"),
        ("1.0", "Host: a b\r\n", "400"),
    ] {
        let request = format!("GET /a.txt HTTP/{version}\r\n{lines}\r\n");
        assert_eq!(answers(&server, request), expected, "HTTP/{version} {lines:?}");
    }
    // An absolute target does not replace the field.
    assert_eq!(answers(&server, "GET http://a/a.txt HTTP/1.1\r\n\r\n"), "400");
}

/// RFC 9112 §2.2: a limited number of empty lines before a request is skipped.
#[test]
fn empty_lines_before_a_request() {
    let server = site();
    for (lines, expected) in [
        ("\r\n".to_owned(), "200 next"),
        ("\n".to_owned(), "200 next"),
        ("\r\n\n\r\n".to_owned(), "200 next"),
        ("\r\n".repeat(128), "200 next"),
        ("\r\n".repeat(129), "400"),
        ("\n".repeat(10_000), "400"),
        ("\r\r\n".to_owned(), "400"),
        (" \r\n".to_owned(), "400"),
    ] {
        let request = format!("{lines}GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(answers(&server, request), expected, "{:?}", lines.get(..8).unwrap_or(&lines));
    }
}

/// RFC 9112 §3: 414; RFC 6585 §5: 431.
#[test]
fn limits_of_a_head() {
    let server = site();
    let line = |length: usize| {
        let query = "q".repeat(length - "GET /a.txt? HTTP/1.1".len());
        format!("GET /a.txt?{query} HTTP/1.1\r\nHost: a\r\n\r\n")
    };
    let fields = |length: usize| {
        let value = "v".repeat(length - "Host: a\r\nX: \r\n\r\n".len());
        format!("GET /a.txt HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n")
    };
    let count = |count: usize| {
        let fields = "X: y\r\n".repeat(count - 1);
        format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
    };
    for (what, request, expected) in [
        ("a line of 8 KiB", line(8192), "200 next"),
        ("a line beyond 8 KiB", line(8193), "414"),
        ("a much longer line", line(100_000), "414"),
        ("a line without an end", "GET /".to_owned() + &"a".repeat(100_000), "414"),
        ("fields of 32 KiB", fields(32 * 1024), "200 next"),
        ("fields beyond 32 KiB", fields(32 * 1024 + 1), "431"),
        ("much larger fields", fields(200_000), "431"),
        ("100 fields", count(100), "200 next"),
        ("101 fields", count(101), "431"),
        ("10,000 fields", count(10_000), "431"),
    ] {
        assert_eq!(answers(&server, request), expected, "{what}");
    }
}

/// Requests of different framing, and their responses.
const STREAM: &str = "\r\nGET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n\
    POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nHello\
    GET /none HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nHello\r\n0\r\nT: u\r\n\r\n\
    GET /next.txt HTTP/1.1\r\nHost: a\r\n\r\n";

/// RFC 9112 §9.3.2: TCP may split the stream anywhere.
#[test]
fn requests_may_come_all_at_once_or_a_byte_at_a_time() {
    let server = site();
    let expected = "200 405 404 next";
    assert_eq!(in_words(&server.ask(STREAM)), expected);
    for step in [1, 7, 64] {
        let mut conversation = server.connect();
        conversation.stream().set_nodelay(true).unwrap();
        for piece in STREAM.as_bytes().chunks(step) {
            conversation.send(piece);
        }
        conversation.finish_sending();
        assert_eq!(in_words(&conversation.replies()), expected, "{step} bytes at a time");
    }
}

#[test]
fn many_pipelined_requests_are_answered_in_order() {
    let server = site();
    for number in 0..200 {
        server.file(&format!("{number}.txt"), number.to_string());
    }
    let request = |n: u32| format!("GET /{n}.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    let requests = (0..200).map(request).collect::<Vec<_>>().concat();
    for (number, reply) in server.ask(requests).iter().enumerate() {
        assert_eq!(reply.text(), number.to_string());
    }
}

/// RFC 9112 §9.6: a half-closed client still receives responses.
#[test]
fn a_half_closed_client_receives_the_response() {
    let server = site();
    server.file("large.bin", vec![7; 5_000_000]);
    let replies = server.ask("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(replies[0].body.len(), 5_000_000);
    // An incomplete request gets no response.
    assert!(server.ask("GET /a.txt HTTP/1.1\r\nHost: a\r\n").is_empty());
    assert!(server.ask("").is_empty());
    assert!(server.ask("\r\n").is_empty());
}

/// RFC 9112 §9.3 and the appendix on HTTP/1.0 (§C.2.2).
#[test]
fn http_1_0_gets_what_it_understands() {
    let server = site();
    for (request, statuses, connection) in [
        ("GET /a.txt HTTP/1.0\r\n\r\n", "200", Some("close")),
        ("GET /none HTTP/1.0\r\n\r\n", "404", Some("close")),
        ("GET /directory/ HTTP/1.0\r\n\r\n", "200", Some("close")),
        ("GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200 next", Some("keep-alive")),
        (
            "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
            "405 next",
            Some("keep-alive"),
        ),
        // The length of a listing is unknown, and the close ends it.
        ("GET /directory/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200", Some("close")),
        ("GET /a.txt HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "200", Some("close")),
        (
            "GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
            Some("close"),
        ),
        ("GET /a.txt HTTP/1.0\r\nExpect: the unexpected\r\n\r\n", "200", Some("close")),
    ] {
        let replies = server.ask([request, NEXT].concat());
        assert_eq!(in_words(&replies), statuses, "{request:?}");
        assert_eq!(replies[0].field("Connection"), connection, "{request:?}");
        for reply in &replies {
            assert!(reply.field("Transfer-Encoding").is_none());
            let has_length = reply.field("Content-Length").is_some();
            assert_eq!(has_length, !request.starts_with("GET /directory/"), "{request:?}");
        }
    }
}

/// RFC 9112 §9.3, §9.6.
#[test]
fn persistence() {
    let server = site();
    for (field, expected) in [
        ("X: close", "200 next"),
        ("Connection: close", "200"),
        ("Connection: CLOSE", "200"),
        ("Connection: x, close", "200"),
        ("Connection: keep-alive", "200 next"),
        ("Connection: upgrade\r\nUpgrade: h2c", "200 next"), // RFC 9110 §7.8: may be ignored
    ] {
        let request = format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        assert_eq!(answers(&server, request), expected, "{field}");
    }
}

/// Pieces of requests, combined in any order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"GET /a.txt HTTP/1.1\r\nHost: a\r\n",
        b"GET",
        b" ",
        b"/",
        b"/directory",
        b" HTTP/1.1",
        b" HTTP/1.0",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"Host: a",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"5\r\nHello\r\n",
        b"0\r\n\r\n",
        b"Hello",
        b":",
        b";",
        b"Range: bytes=0-1\r\n",
        b"If-None-Match: *\r\n",
        b"Expect: 100-continue\r\n",
        b"\0",
        b"%",
        b"POST / HTTP/1.1\r\nHost: a\r\n",
        b"\xff",
        b"Connection: close\r\n",
        b"*",
        b"OPTIONS",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn any_input_has_the_same_responses_however_it_is_split() {
    let server = site();
    let statuses = |replies: Vec<Reply>| replies.iter().map(|r| r.status).collect::<Vec<_>>();
    // Ports of closed connections stay in use for a minute (TIME_WAIT), so each case has its own address.
    let cases = Cell::new(0);
    let next_client = || {
        cases.set((cases.get() + 1) % 0xff_0000);
        Ipv4Addr::from_bits(0x7f00_0001 + cases.get())
    };
    // `PROPTEST_CASES` in the environment overrides this number.
    let config = contextualize_config(ProptestConfig::with_cases(100));
    proptest!(config, |(bytes in soup(), split: prop::sample::Index)| {
        let client = next_client();
        let whole = statuses(server.ask_as(client, &bytes));
        let (one, two) = bytes.split_at(split.index(bytes.len() + 1));
        let mut conversation = server.connect_as(client);
        conversation.stream().set_nodelay(true).unwrap();
        let _ = conversation.try_send(one);
        // Usually the server reads the first piece separately.
        thread::sleep(Duration::from_millis(1));
        let _ = conversation.try_send(two);
        let _ = conversation.try_finish_sending();
        prop_assert_eq!(statuses(conversation.replies()), whole);
    });
    assert_eq!(answers(&server, ""), "next");
}
