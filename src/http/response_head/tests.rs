//! Heads of responses in memory: deviations, errors, every prefix, every split, every limit.

use proptest::prelude::*;

use super::super::head_scan::HeadLimits;
use super::*;

fn receive(bytes: &[u8]) -> Result<Option<(ResponseHead, usize)>, ResponseHeadError> {
    ResponseHead::receive(&mut HeadScan::of_response(), bytes)
}

fn refusal(bytes: &[u8]) -> Option<ResponseHeadError> {
    receive(bytes).err()
}

/// The status code, the fields and the length of a head.
type Seen = (u16, Vec<(Vec<u8>, Vec<u8>)>, usize);

fn seen_in_pieces(pieces: &[&[u8]]) -> Result<Option<Seen>, ResponseHeadError> {
    let (mut scan, mut bytes) = (HeadScan::of_response(), Vec::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        if let Some((head, length)) = ResponseHead::receive(&mut scan, &bytes)? {
            let fields = head.fields().iter().map(|(name, value)| (name.into(), value.into()));
            return Ok(Some((head.status().code(), fields.collect(), length)));
        }
    }
    Ok(None)
}

/// The fields of a response with this field section, without its last line ending.
fn fields_of(section: &[u8]) -> Result<Vec<(String, String)>, ResponseHeadError> {
    let response = [b"HTTP/1.1 200 OK\r\n", section, b"\r\n\r\n"].concat();
    let (head, length) = receive(&response)?.expect("all of it is there");
    assert_eq!(length, response.len());
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    Ok(head.fields().iter().map(|(name, value)| (text(name), text(value))).collect())
}

#[test]
fn a_status_line_is_read_with_any_version_and_with_or_without_a_reason() {
    use Version::{Http10, Http11};
    for (line, expected) in [
        ("HTTP/1.1 200 OK", Some((Http11, 200))),
        ("HTTP/1.0 404 Not Found", Some((Http10, 404))),
        ("HTTP/1.1 200 ", Some((Http11, 200))),
        ("HTTP/1.1 200", Some((Http11, 200))),
        ("HTTP/1.1  200\tOK", Some((Http11, 200))),
        ("HTTP/1.1 200 \u{1}\u{e4}", Some((Http11, 200))),
        ("HTTP/1.1 200OK", Some((Http11, 200))),
        ("HTTP/1.1 404-Not Found", Some((Http11, 404))),
        ("http/1.1 200 OK", Some((Http11, 200))),
        ("Http/1.0 200 OK", Some((Http10, 200))),
        ("HTTP/1.2 200 OK", Some((Http11, 200))),
        ("HTTP/2 200", Some((Http11, 200))),
        ("HTTP/2 200 OK", Some((Http11, 200))),
        ("HTTP/2.0 200 OK", Some((Http11, 200))),
        ("HTTP/3 200", Some((Http11, 200))),
        ("HTTP/1 200 OK", Some((Http10, 200))),
        ("HTTP/1.1 099 No", None),
        ("HTTP/1.1 20 OK", None),
        ("HTTP/1.1 2000 OK", None),
        ("HTTP/1.1 2x0 OK", None),
        ("HTTP/1.1 +20 OK", None),
        ("HTTP/1.1", None),
        ("HTTP/1.1 ", None),
        ("HTTP/ 200 OK", None),
        ("HTTP/0.9 200 OK", None),
        ("HTTP/11 200 OK", None),
        ("HTTP/1.x 200 OK", None),
        ("HTTP/1,1 200 OK", None),
        ("ICY 200 OK", None),
        ("", None),
    ] {
        let response = format!("{line}\r\nA: b\r\n\r\nbody");
        let found = receive(response.as_bytes()).ok().flatten().map(|(head, length)| {
            assert_eq!(&response[length..], "body");
            assert_eq!(head.fields().first("a"), Some(&b"b"[..]));
            (head.version(), head.status().code())
        });
        assert_eq!(found, expected, "{line:?}");
    }
}

#[test]
fn uncritical_fields_may_be_malformed() {
    for (section, expected) in [
        (&b"A: b\x01c\0d\x7f"[..], &[("A", "b\\x01c\\x00d\\x7f")][..]),
        (b"A: b\rc", &[("A", "b\\rc")]),
        (
            b"ETag: \"\x01\"\r\nConnection: \x02",
            &[("ETag", "\\\"\\x01\\\""), ("Connection", "\\x02")],
        ),
        (b"A B: c", &[("A B", "c")]),
        (b"(A): \xe4", &[("(A)", "\\xe4")]),
        (b"\xc4\x01: c\r\nA: b", &[("\\xc4\\x01", "c"), ("A", "b")]),
        (b": c\r\nA: b", &[("", "c"), ("A", "b")]),
        (b"Set-Cookie : x", &[("Set-Cookie", "x")]),
        (b"Set-Cookie \t : x", &[("Set-Cookie", "x")]),
        (b"A:b: c", &[("A", "b: c")]),
        (b"A:\r\nB: \t ", &[("A", ""), ("B", "")]),
        (b"A: b\nC: d", &[("A", "b"), ("C", "d")]),
        // Neither a field nor a folded line.
        (b"no colon\r\nA: b", &[("A", "b")]),
        (b"no colon\r\n : folded\r\nA: b", &[("A", "b")]),
        (b" leading: blank\r\nA: b", &[("A", "b")]),
        (b"A: b\r\n\r", &[("A", "b")]),
        // Whitespace around the name of a critical field is accepted.
        (b"Content-Length : 5", &[("Content-Length", "5")]),
        (b"Transfer-Encoding\t: chunked", &[("Transfer-Encoding", "chunked")]),
    ] {
        let expected: Vec<_> =
            expected.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(fields_of(section), Ok(expected), "{}", section.escape_ascii());
    }
}

#[test]
fn folded_lines_are_read_as_one() {
    for (section, expected) in [
        ("A: b\r\n c", "b   c"),
        ("A: b\n\tc\r\nB: d", "b \\tc"),
        ("A:\r\n b", "b"),
        ("A: b\r\n ", "b"),
        ("A: b\r\n c\r\n\td", "b   c  \\td"),
        ("A: b\r\n c: d", "b   c: d"),
    ] {
        let fields = fields_of(section.as_bytes()).unwrap();
        assert_eq!(fields[0], ("A".to_owned(), expected.to_owned()), "{section:?}");
    }
}

#[test]
fn critical_fields_are_parsed_or_refused() {
    for name in CRITICAL_FIELDS {
        let lower = name.to_ascii_lowercase();
        for line in [
            format!("{name}: 5\r"),
            format!("{name}: 5\r6"),
            format!("{name}: \0 5"),
            format!("{lower}: 5\u{1}"),
            format!("{name}: 5\u{7f}"),
            format!("{name}: 5\r\n \u{1}6"),
            format!("{name}\0: 5"),
            format!("\u{b}{lower}: 5"),
            format!("{name}\r: 5"),
            format!("\u{feff}{name}: 5"),
            format!("\"{name}\": 5"),
            format!("{} {}: 5", &name[..5], &name[5..]),
            format!("{name} 5"),
            format!("{lower}=5"),
            name.to_owned(),
            format!(" {name}: 5"),
            format!("\t{lower} : 5"),
            format!("no colon\r\n {name}: 5"),
        ] {
            for around in ["", "\r\nA: b"] {
                let section = format!("{line}{around}");
                let refused = fields_of(section.as_bytes());
                assert_eq!(refused, Err(ResponseHeadError::Field(name)), "{section:?}");
            }
        }
        assert!(fields_of(format!("{name}: \t5").as_bytes()).is_ok(), "{name}");
        assert!(fields_of(format!("X-{name}: \0").as_bytes()).is_ok(), "{name}");
    }
}

#[test]
fn other_protocols_are_refused_at_their_first_byte() {
    assert_eq!(refusal(b"S"), Some(ResponseHeadError::StatusLine));
    assert_eq!(refusal(b"\r\n"), Some(ResponseHeadError::StatusLine));
    assert!(receive(b"HT").unwrap().is_none() && receive(b"hT").unwrap().is_none());
}

#[test]
fn the_limits_hold_at_one_below_at_and_above() {
    let too_large = Some(ResponseHeadError::TooLarge);
    let HeadLimits { start_line_bytes, field_section_bytes } = RESPONSE_LIMITS;
    let line = |length: usize| {
        let reason = "a".repeat(length - "HTTP/1.1 200 ".len());
        format!("HTTP/1.1 200 {reason}\r\n\r\n").into_bytes()
    };
    assert_eq!(refusal(&line(start_line_bytes - 1)), None);
    assert_eq!(refusal(&line(start_line_bytes)), None);
    assert_eq!(refusal(&line(start_line_bytes + 1)), too_large);

    let fields = |length: usize| {
        let value = "a".repeat(length - "A: \r\n\r\n".len());
        format!("HTTP/1.1 200 OK\r\nA: {value}\r\n\r\n").into_bytes()
    };
    assert_eq!(refusal(&fields(field_section_bytes - 1)), None);
    assert_eq!(refusal(&fields(field_section_bytes)), None);
    assert_eq!(refusal(&fields(field_section_bytes + 1)), too_large);
    let endless = [b"HTTP/1.1 200 OK\r\nA: ", &vec![b'a'; field_section_bytes][..]].concat();
    assert_eq!(refusal(&endless), too_large);

    for line in ["A: b\r\n", "A\r\n", " \r\n"] {
        let many = |count: usize| format!("HTTP/1.1 200 OK\r\nB: c\r\n{}\r\n", line.repeat(count));
        assert_eq!(refusal(many(MAX_RESPONSE_FIELDS - 2).as_bytes()), None, "{line:?}");
        assert_eq!(refusal(many(MAX_RESPONSE_FIELDS - 1).as_bytes()), None, "{line:?}");
        assert_eq!(refusal(many(MAX_RESPONSE_FIELDS).as_bytes()), too_large, "{line:?}");
    }
}

const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nA : b\r\n\tc\nno colon\r\n: \0\r\nContent-Length: 5\r\n\r\nHello";

#[test]
fn every_prefix_is_partial_and_every_split_gives_the_same_head() {
    let whole = seen_in_pieces(&[RESPONSE]).unwrap().unwrap();
    assert_eq!(&RESPONSE[whole.2..], b"Hello");
    for prefix in 0..whole.2 {
        assert!(receive(&RESPONSE[..prefix]).unwrap().is_none(), "prefix of {prefix}");
    }
    for split in 0..RESPONSE.len() {
        let (one, two) = RESPONSE.split_at(split);
        assert_eq!(seen_in_pieces(&[one, two]), Ok(Some(whole.clone())));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_head_panic_and_no_split_changes_the_answer(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b' '), Just(b':'), any::<u8>(), b'A'..=b'Z'],
            0..200,
        ),
        prefix in prop_oneof![Just(&b""[..]), Just(&b"HTTP/1.1 200 OK\r\n"[..])],
        split in 0_usize..200,
    ) {
        let bytes = [prefix, &bytes].concat();
        let (one, two) = bytes.split_at(split.min(bytes.len()));
        let whole = seen_in_pieces(&[&bytes]);
        let in_pieces = seen_in_pieces(&[one, two]);
        prop_assert_eq!(&in_pieces, &whole);
        if let Ok(Some((_, _, length))) = whole {
            prop_assert!(length <= bytes.len());
            for prefix in 0..length {
                prop_assert!(!matches!(receive(&bytes[..prefix]), Ok(Some(_))), "prefix of {}", prefix);
            }
        }
    }
}
