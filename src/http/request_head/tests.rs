//! Heads of requests in memory: every prefix, every split, every limit.

use proptest::prelude::*;

use super::super::fields::MAX_FIELDS;
use super::super::head_scan::{
    MAX_EMPTY_LINES_BYTES, MAX_FIELD_SECTION_BYTES, MAX_START_LINE_BYTES,
};
use super::*;

fn receive(bytes: &[u8]) -> Result<Option<(RequestHead, usize)>, RequestError> {
    let mut head = RequestHead::default();
    Ok(head.receive(&mut HeadScan::default(), bytes)?.map(|length| (head, length)))
}

fn refusal(bytes: &[u8]) -> Option<RequestError> {
    receive(bytes).err()
}

/// The target and the length of a head that is received in these pieces.
fn receive_in_pieces(pieces: &[&[u8]]) -> Result<Option<(Vec<u8>, usize)>, RequestError> {
    let (mut head, mut scan, mut bytes) = (RequestHead::default(), HeadScan::default(), Vec::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        if let Some(length) = head.receive(&mut scan, &bytes)? {
            return Ok(Some((head.target().to_vec(), length)));
        }
    }
    Ok(None)
}

const REQUEST: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\nGET /next";

#[test]
fn a_head_is_parsed() {
    let (head, length) = receive(REQUEST).unwrap().unwrap();
    assert_eq!(&REQUEST[length..], b"GET /next");
    assert_eq!(head.method(), Method::Get);
    assert_eq!(head.target(), b"/a?b");
    assert_eq!(head.version(), Version::Http11);
    assert_eq!(head.fields().first("host"), Some(&b"localhost"[..]));
}

#[test]
fn every_prefix_is_partial_and_every_split_gives_the_same_head() {
    let length = receive(REQUEST).unwrap().unwrap().1;
    for prefix in 0..length {
        assert!(receive(&REQUEST[..prefix]).unwrap().is_none(), "prefix of {prefix}");
    }
    for split in 0..REQUEST.len() {
        let (one, two) = REQUEST.split_at(split);
        assert_eq!(receive_in_pieces(&[one, two]), Ok(Some((b"/a?b".to_vec(), length))));
    }
}

#[test]
fn empty_lines_before_a_request_and_bare_line_feeds_are_accepted() {
    for request in [
        &b"\r\n\r\n\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"GET /a HTTP/1.1\nHost: a\n\n",
        b"GET /a HTTP/1.1\r\nHost: a\n\r\n",
        b"GET /a HTTP/1.1\r\n\r\n",
    ] {
        let (head, length) = receive(request).unwrap().unwrap();
        assert_eq!((head.target(), length), (&b"/a"[..], request.len()));
        let bytes: Vec<&[u8]> = request.chunks(1).collect();
        assert_eq!(receive_in_pieces(&bytes), Ok(Some((b"/a".to_vec(), request.len()))));
    }
}

#[test]
fn request_lines_are_parsed_strictly() {
    use RequestError::{RequestLine, Version};
    for (line, expected) in [
        (&b"GET / HTTP/1.1"[..], None),
        (b"get / HTTP/1.1", None),
        (b"GET / HTTP/1.0", None),
        (b"GET / HTTP/1.9", None),
        (b"GET /\xc3\xa4 HTTP/1.1", None),
        (b"GET /", Some(RequestLine)),
        (b"GET", Some(RequestLine)),
        (b" GET / HTTP/1.1", Some(RequestLine)),
        (b"GET  / HTTP/1.1", Some(RequestLine)),
        (b"GET /  HTTP/1.1", Some(RequestLine)),
        (b"GET / HTTP/1.1 ", Some(RequestLine)),
        (b"GET /a b HTTP/1.1", Some(RequestLine)),
        (b"GET\t/ HTTP/1.1", Some(RequestLine)),
        (b"GET HTTP/1.1", Some(RequestLine)),
        (b"G\xc3\xa4T / HTTP/1.1", Some(RequestLine)),
        (b"G(T / HTTP/1.1", Some(RequestLine)),
        (b"GET /\0 HTTP/1.1", Some(RequestLine)),
        (b"GET /\x7f HTTP/1.1", Some(RequestLine)),
        (b"GET /\r HTTP/1.1", Some(RequestLine)),
        (b"\rGET / HTTP/1.1", Some(RequestLine)),
        (b"GET / http/1.1", Some(RequestLine)),
        (b"GET / HTTP/11", Some(RequestLine)),
        (b"GET / HTTP/1.10", Some(RequestLine)),
        (b"GET / HTTP/01.1", Some(RequestLine)),
        (b"GET / FTP/1.1", Some(RequestLine)),
        (b"GET / HTTP/2.0", Some(Version)),
        (b"GET / HTTP/0.9", Some(Version)),
        (b"PRI * HTTP/2.0", Some(Version)),
    ] {
        let request = [line, b"\r\nHost: a\r\n\r\n"].concat();
        assert_eq!(refusal(&request), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn deviations_accepted_in_responses_are_refused_in_requests() {
    use RequestError::Field;
    for (fields, error) in [
        ("X: \u{1}", Field),
        ("X: a\rb", Field),
        ("X: a\0b", Field),
        ("X : a", Field),
        ("X\t: a", Field),
        ("X Y: a", Field),
        ("(X): a", Field),
        (": a", Field),
        ("no colon", Field),
        (" leading: blank", Field),
        ("X: a\r\n folded", Field),
        ("Content-Length : 5", Field),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        assert_eq!(refusal(request.as_bytes()), Some(error), "{fields:?}");
    }
    let many = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert_eq!(refusal(many(MAX_FIELDS).as_bytes()), None);
    assert_eq!(refusal(many(MAX_FIELDS + 1).as_bytes()), Some(RequestError::TooManyFields));
}

#[test]
fn a_malformed_start_line_is_refused_before_the_head_is_complete() {
    assert_eq!(refusal(b"GET /\r\n"), Some(RequestError::RequestLine));
    assert_eq!(refusal(b"GET / HTTP/2.0\r\n"), Some(RequestError::Version));
}

#[test]
fn other_protocols_are_refused_at_their_first_byte() {
    for first in [&b"\x16\x03\x01"[..], b"\0", b"\xff", b" ", b"{"] {
        assert_eq!(refusal(first), Some(RequestError::RequestLine), "{}", first.escape_ascii());
    }
    assert!(receive(b"\r").unwrap().is_none(), "an empty line may be on its way");
}

#[test]
fn the_limits_hold_at_one_below_at_and_above() {
    let line = |length: usize| {
        let target = "a".repeat(length - "GET / HTTP/1.1".len());
        format!("GET /{target} HTTP/1.1\r\n\r\n").into_bytes()
    };
    assert_eq!(refusal(&line(MAX_START_LINE_BYTES - 1)), None);
    assert_eq!(refusal(&line(MAX_START_LINE_BYTES)), None);
    assert_eq!(refusal(&line(MAX_START_LINE_BYTES + 1)), Some(RequestError::TargetTooLong));

    let after_empty_lines =
        |length: usize| [&b"\n".repeat(length), &b"GET / HTTP/1.1\r\n\r\n"[..]].concat();
    assert_eq!(refusal(&after_empty_lines(MAX_EMPTY_LINES_BYTES - 1)), None);
    assert_eq!(refusal(&after_empty_lines(MAX_EMPTY_LINES_BYTES)), None);
    let refused = Some(RequestError::RequestLine);
    assert_eq!(refusal(&after_empty_lines(MAX_EMPTY_LINES_BYTES + 1)), refused);
    assert_eq!(refusal(&b"\r\n".repeat(MAX_EMPTY_LINES_BYTES)), refused);

    let fields = |length: usize| {
        let value = "a".repeat(length - "A: \r\n\r\n".len());
        format!("GET / HTTP/1.1\r\nA: {value}\r\n\r\n").into_bytes()
    };
    assert_eq!(refusal(&fields(MAX_FIELD_SECTION_BYTES - 1)), None);
    assert_eq!(refusal(&fields(MAX_FIELD_SECTION_BYTES)), None);
    assert_eq!(refusal(&fields(MAX_FIELD_SECTION_BYTES + 1)), Some(RequestError::FieldsTooLarge));

    let endless_line = [b"GET /", &vec![b'a'; MAX_START_LINE_BYTES][..]].concat();
    assert_eq!(refusal(&endless_line), Some(RequestError::TargetTooLong));
    let endless_fields =
        [b"GET / HTTP/1.1\r\nA: ", &vec![b'a'; MAX_FIELD_SECTION_BYTES][..]].concat();
    assert_eq!(refusal(&endless_fields), Some(RequestError::FieldsTooLarge));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101)).into_bytes();
    assert_eq!(refusal(&many), Some(RequestError::TooManyFields));
}

#[test]
fn empty_lines_do_not_begin_a_request() {
    for (bytes, blank) in [
        (&b""[..], true),
        (b"\r\n", true),
        (b"\n\r\n", true),
        (b"\r\nG", false),
        (b"GET / HTTP/1.1\r\n", false),
    ] {
        let mut scan = HeadScan::default();
        RequestHead::default().receive(&mut scan, bytes).unwrap();
        assert_eq!(scan.is_blank(), blank, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_cleared_head_is_empty() {
    let (mut head, _) = receive(REQUEST).unwrap().unwrap();
    head.clear();
    assert_eq!((head.method_token(), head.target()), (&b""[..], &b""[..]));
    assert_eq!(head.fields().iter().count(), 0);
}

proptest! {
    #[test]
    fn no_bytes_make_a_head_panic_and_no_split_changes_the_answer(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b' '), Just(b':'), any::<u8>(), b'A'..=b'Z'],
            0..200,
        ),
        prefix in prop_oneof![Just(&b""[..]), Just(&b"GET / HTTP/1.1\r\n"[..])],
        split in 0_usize..200,
    ) {
        let bytes = [prefix, &bytes].concat();
        let (one, two) = bytes.split_at(split.min(bytes.len()));
        let whole = receive_in_pieces(&[&bytes]);
        prop_assert_eq!(&receive_in_pieces(&[one, two]), &whole);
        if let Ok(Some((_, length))) = whole {
            prop_assert!(length <= bytes.len());
        }
    }
}
