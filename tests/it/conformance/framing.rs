//! The framing of a request's content (RFC 9112 §6, §7), and `Expect` (RFC 9110 §10.1.1).
//!
//! Each case is followed by a second request. Request smuggling needs two programs that read a message
//! differently: so an ambiguous message is refused and its connection closed, and the `smuggled` file that
//! some cases request within their content is never sent.

use std::time::Duration;

use crate::support::conversation::Reply;
use crate::support::server::TestServer;

const NEXT: &str = "GET /next.txt HTTP/1.1\r\nHost: a\r\n\r\n";
const SMUGGLED: &str = "GET /smuggled.txt HTTP/1.1\r\nHost: a\r\n\r\n";

fn site() -> TestServer {
    let server = TestServer::with_limits(1000, 1000);
    server.file("a.txt", "Hello");
    server.file("next.txt", "next");
    server.file("smuggled.txt", "smuggled");
    server
}

fn in_words(replies: &[Reply]) -> String {
    let word = |reply: &Reply| match reply.body.as_slice() {
        content @ (b"next" | b"smuggled") => String::from_utf8(content.to_vec()).unwrap(),
        _ => reply.status.to_string(),
    };
    replies.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The responses to a request with these fields and this content, and to [`NEXT`] after it.
fn answers(server: &TestServer, fields: &str, content: &str) -> String {
    let request = format!("POST /a.txt HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{content}{NEXT}");
    let replies = server.ask(request);
    let in_words = in_words(&replies);
    let closed = replies.last().unwrap().field("Connection") == Some("close");
    assert_eq!(closed, !in_words.ends_with("next"), "{fields:?}: {in_words}");
    in_words
}

/// RFC 9112 §6.2, §6.3; RFC 9110 §8.6.
#[test]
fn content_length() {
    let server = site();
    for (fields, content, expected) in [
        ("Content-Length: 0", "", "405 next"),
        ("Content-Length: 5", "Hello", "405 next"),
        ("content-LENGTH:5", "Hello", "405 next"),
        ("Content-Length: 0005", "Hello", "405 next"),
        // RFC 9110 §8.6: equal ones may be refused, as nginx and Apache do
        ("Content-Length: 5, 5", "Hello", "400"),
        ("Content-Length: 5,5", "Hello", "400"),
        ("Content-Length: 5\r\nContent-Length: 5", "Hello", "400"),
        ("Content-Length: 5\r\nX: y\r\ncontent-length: 5", "Hello", "400"),
        ("Content-Length: 0, 0", "", "400"),
        ("Content-Length: 0\r\nContent-Length: 0", "", "400"),
        ("Content-Length: 5, 6", "Hello", "400"),
        ("Content-Length: 5\r\nContent-Length: 6", "Hello", "400"),
        ("Content-Length: 5,", "Hello", "400"),
        ("Content-Length: +5", "Hello", "400"),
        ("Content-Length: -5", "Hello", "400"),
        ("Content-Length: 0x5", "Hello", "400"),
        ("Content-Length: 5.0", "Hello", "400"),
        ("Content-Length: 5e0", "Hello", "400"),
        ("Content-Length: 5 5", "Hello", "400"),
        ("Content-Length: \"5\"", "Hello", "400"),
        ("Content-Length: \u{665}", "Hello", "400"), // a digit, but not of ASCII
        ("Content-Length:", "", "400"),
        ("Content-Length: 18446744073709551616", "", "400"),
        ("Content-Length : 5", "Hello", "400"),
        ("Content_Length: 5", "", "405 next"), // another field
    ] {
        assert_eq!(answers(&server, fields, content), expected, "{fields:?}");
    }
}

/// RFC 9112 §6.1, §7.
#[test]
fn transfer_encoding() {
    let server = site();
    let chunked = "5\r\nHello\r\n0\r\n\r\n";
    for (fields, expected) in [
        ("Transfer-Encoding: chunked", "405 next"),
        ("transfer-encoding:Chunked", "405 next"),
        ("Transfer-Encoding: , chunked", "405 next"), // RFC 9110 §5.6.1.2
        ("Transfer-Encoding: gzip, chunked", "501"),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "501"),
        ("Transfer-Encoding: x, chunked", "501"),
        ("Transfer-Encoding: gzip", "400"), // not chunked at last: no end is known
        ("Transfer-Encoding: identity", "400"),
        ("Transfer-Encoding: chunked, gzip", "400"),
        ("Transfer-Encoding: chunked, identity", "400"),
        ("Transfer-Encoding: chunked, chunked", "400"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "400"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "400"),
        ("Transfer-Encoding: xchunked", "400"),
        ("Transfer-Encoding: chunkedx", "400"),
        ("Transfer-Encoding: chunked;q=1", "400"),
        ("Transfer-Encoding: \"chunked\"", "400"),
        ("Transfer-Encoding: 'chunked'", "400"),
        ("Transfer-Encoding: chun\u{212a}ed", "400"), // the Kelvin sign, lower-case k to some
        ("Transfer-Encoding: \u{b}chunked", "400"),
        ("Transfer-Encoding: chunked\0", "400"),
        ("Transfer-Encoding:\r\n chunked", "400"),
        ("Transfer-Encoding : chunked", "400"),
        (" Transfer-Encoding: chunked", "400"),
        ("X: y\rTransfer-Encoding: chunked", "400"),
        ("Transfer-Encoding:", "400"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", "400"),
        ("Content-Length: 15\r\nTransfer-Encoding: chunked", "400"),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked", "400"),
        ("Transfer-Encoding: x\r\nContent-Length: 5", "400"),
    ] {
        assert_eq!(answers(&server, fields, chunked), expected, "{fields:?}");
    }
}

/// RFC 9112 §7.1.
#[test]
fn chunks() {
    let server = site();
    for (content, expected) in [
        ("0\r\n\r\n", "405 next"),
        ("5\r\nHello\r\n0\r\n\r\n", "405 next"),
        ("a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n", "405 next"),
        ("5;name\r\nHello\r\n0;name=\"v;\"\r\n\r\n", "405 next"), // §7.1.1
        ("5 ;name\r\nHello\r\n0\t;name\r\n\r\n", "405 next"),
        ("0\r\nTrailer: field\r\nAnother:\r\n\r\n", "405 next"), // §7.1.2
        ("5\r\nHello\r\n0\r\nContent-Length: 50\r\n\r\n", "405 next"), // a trailer frames nothing
        ("\r\n0\r\n\r\n", "400"),
        ("x\r\n", "400"),
        ("-5\r\nHello\r\n0\r\n\r\n", "400"),
        ("+5\r\nHello\r\n0\r\n\r\n", "400"),
        ("0x5\r\nHello\r\n0\r\n\r\n", "400"),
        (" 5\r\nHello\r\n0\r\n\r\n", "400"),
        ("5 \r\nHello\r\n0\r\n\r\n", "400"),
        ("5 5\r\nHello\r\n0\r\n\r\n", "400"),
        ("5\u{b}\r\nHello\r\n0\r\n\r\n", "400"),
        ("5_0\r\nHello\r\n0\r\n\r\n", "400"),
        (";name\r\nHello\r\n0\r\n\r\n", "400"),
        ("5\nHello\n0\n\n", "400"), // a lone LF ends no line here
        ("5\rHello\r0\r\r", "400"),
        ("5\r\nHello\n0\r\n\r\n", "400"),
        ("5\r\nHello0\r\n\r\n", "400"),
        ("5\r\nHello\r0\r\n\r\n", "400"),
        ("5\r\nHello!\r\n0\r\n\r\n", "400"),
        ("5;a\nx\r\nHello\r\n0\r\n\r\n", "400"),
        ("5;a\rx\r\nHello\r\n0\r\n\r\n", "400"),
        ("5;a\0\r\nHello\r\n0\r\n\r\n", "400"),
        ("10000000000000005\r\nHello\r\n0\r\n\r\n", "400"), // 5 in 64 bits
        ("0\r\nno field\r\n\r\n", "400"),
        ("0\r\nTrailer : x\r\n\r\n", "400"),
        ("0\r\nTrailer: x\r\n folded\r\n\r\n", "400"),
        ("0\r\nTrailer: x\n\r\n", "400"),
        ("0\r\n\n", "400"),
    ] {
        let found = answers(&server, "Transfer-Encoding: chunked", content);
        assert_eq!(found, expected, "{content:?}");
    }
    let bounded = |what: &str, limit: usize| what.repeat(limit / what.len() + 1);
    for content in [
        format!("1;{}\r\nx\r\n0\r\n\r\n", bounded("extension=value;", 16 * 1024)),
        bounded("1;x=12345678\r\n.\r\n", 40 * 1024) + "0\r\n\r\n",
        format!("0\r\n{}\r\n", bounded("Trailer: value\r\n", 20 * 1024)),
        "0".repeat(100) + "\r\n\r\n",
    ] {
        let found = answers(&server, "Transfer-Encoding: chunked", &content);
        assert_eq!(found, "400", "{content:.40}");
    }
}

/// Requests that a front end with another framing would let through.
#[test]
fn smuggling() {
    let server = site();
    let length = SMUGGLED.len();
    let in_a_chunk = format!("{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n");
    let behind_the_last_chunk = format!("0\r\n\r\n{SMUGGLED}");
    let in_a_trailer = format!("0\r\n{SMUGGLED}");
    let in_an_extension = format!("0;\n{SMUGGLED}");
    for (fields, content, expected) in [
        (format!("Content-Length: {length}"), SMUGGLED, "405 next"),
        ("Transfer-Encoding: chunked".to_owned(), &in_a_chunk, "405 next"),
        // CL.TE, TE.CL, and their disguises
        (
            "Content-Length: 100\r\nTransfer-Encoding: chunked".to_owned(),
            &behind_the_last_chunk,
            "400",
        ),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4".to_owned(), &in_a_chunk, "400"),
        ("Content-Length: 4\r\nTransfer-Encoding: xchunked".to_owned(), &in_a_chunk, "400"),
        ("Content-Length: 4\r\nTransfer-Encoding : chunked".to_owned(), &in_a_chunk, "400"),
        ("Content-Length: 4\r\nTransfer-Encoding:\u{b}chunked".to_owned(), &in_a_chunk, "400"),
        ("Content-Length: 4\r\nX: y\rTransfer-Encoding: chunked".to_owned(), &in_a_chunk, "400"),
        (
            "Content-Length: 4\r\nTransfer-Encoding: chunked, identity".to_owned(),
            &in_a_chunk,
            "400",
        ),
        ("Content-Length: 4\r\n Transfer-Encoding: chunked".to_owned(), &in_a_chunk, "400"),
        ("Content-Length: 4\r\n\0Transfer-Encoding: chunked".to_owned(), &in_a_chunk, "400"),
        // CL.CL
        (format!("Content-Length: 0\r\nContent-Length: {length}"), SMUGGLED, "400"),
        (format!("Content-Length: {length}\r\nContent-Length: {length}"), SMUGGLED, "400"),
        (format!("Content-Length: {length}\r\n\u{b}Content-Length: 0"), SMUGGLED, "400"),
        // TE.TE
        (
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked".to_owned(),
            &in_a_chunk,
            "501",
        ),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow".to_owned(), &in_a_chunk, "400"),
        // within the framing of chunks
        ("Transfer-Encoding: chunked".to_owned(), &in_a_trailer, "400"),
        ("Transfer-Encoding: chunked".to_owned(), &in_an_extension, "400"),
    ] {
        assert_eq!(answers(&server, &fields, content), expected, "{fields:?} {content:?}");
    }
}

/// RFC 9110 §9.3.1: content of GET has no meaning, but is framed.
#[test]
fn content_of_any_method_is_discarded() {
    let server = site();
    for (method, expected) in
        [("GET", "200 next"), ("OPTIONS", "204 next"), ("DELETE", "405 next"), ("BREW", "501 next")]
    {
        for framed in [
            "Content-Length: 5\r\n\r\nHello",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n",
        ] {
            let request = format!("{method} /a.txt HTTP/1.1\r\nHost: a\r\n{framed}{NEXT}");
            assert_eq!(in_words(&server.ask(request)), expected, "{method} {framed:?}");
        }
    }
}

/// Content above a mebibyte closes the connection after the response.
#[test]
fn too_much_content_is_answered_and_the_connection_closed() {
    let server = site();
    let mebibyte = 1024 * 1024;
    for (length, expected) in [(mebibyte, "405 next"), (mebibyte + 1, "405"), (3 * mebibyte, "405")]
    {
        let content = "x".repeat(length);
        assert_eq!(answers(&server, &format!("Content-Length: {length}"), &content), expected);
        let chunks = format!("{length:x}\r\n{content}\r\n0\r\n\r\n");
        assert_eq!(answers(&server, "Transfer-Encoding: chunked", &chunks), expected);
    }
    assert_eq!(
        answers(&server, "Content-Length: 18446744073709551615", &"x".repeat(mebibyte + 1)),
        "405"
    );
}

/// RFC 9112 §8: an incomplete request is not interpreted.
#[test]
fn content_that_ends_early_is_not_answered() {
    let server = site();
    for framed in [
        "Content-Length: 5\r\n\r\nHell",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n",
    ] {
        let replies = server.ask(format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{framed}"));
        assert!(replies.is_empty(), "{framed:?}: {replies:?}");
    }
}

/// RFC 9112 §9.5; RFC 9110 §15.5.9.
#[test]
fn content_that_does_not_arrive_times_out() {
    let server = TestServer::with_config(|config| {
        config.timeouts.head = Duration::from_millis(100);
    });
    for framed in ["Content-Length: 5\r\n\r\nHell", "Transfer-Encoding: chunked\r\n\r\n5\r\nHell"] {
        let beginning = format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{framed}");
        assert_eq!(server.answer_in_time(beginning).status, 408, "{framed:?}");
    }
    // An empty line after a request does not begin another one.
    let reply = server.answer_in_time("GET /none HTTP/1.1\r\nHost: a\r\n\r\n\r\n");
    assert_eq!(reply.status, 404);
}

/// RFC 9110 §10.1.1. The head alone decides the response, so 100 is never sent.
#[test]
fn expectations() {
    let server = site();
    for (version, fields, content, expected) in [
        ("1.1", "Expect: 100-continue\r\nContent-Length: 5", "", "405"),
        ("1.1", "Expect: 100-Continue\r\nTransfer-Encoding: chunked", "", "405"),
        ("1.1", "Expect: 100-continue\r\nContent-Length: 5000000", "", "405"),
        ("1.1", "Expect: 100-continue", "", "405 next"), // there is nothing to wait for
        ("1.1", "Expect: 100-continue\r\nContent-Length: 0", "", "405 next"),
        ("1.1", "Expect: 200-ok", "", "417"),
        ("1.1", "Expect: 100-continue, more", "", "417"),
        ("1.1", "Expect: 100-continue\r\nExpect: more", "", "417"),
        ("1.1", "Expect: 100-continue=yes", "", "417"),
        ("1.1", "Expect:", "", "405 next"),
        (
            "1.0",
            "Connection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 5",
            "Hello",
            "405 next",
        ),
        ("1.0", "Connection: keep-alive\r\nExpect: more", "", "405 next"),
    ] {
        // Nothing follows before the response, as from a client that waits for it.
        let mut conversation = server.connect();
        conversation.send(format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n\r\n{content}"));
        let first = conversation.reply();
        let _ = conversation.try_send(NEXT);
        let _ = conversation.try_finish_sending();
        let replies = [vec![first], conversation.replies()].concat();
        assert_eq!(in_words(&replies), expected, "HTTP/{version} {fields:?}");
    }
}
