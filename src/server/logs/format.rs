//! The formats of a line of the access log.
//!
//! Bytes from clients that could end a line or a quoted string, or are not [printable], are escaped, so that
//! no client can forge a line.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::net::IpAddr;
use std::time::SystemTime;

use serde::Serialize;

use super::exchange::Exchange;
use crate::http::Version;
use crate::printable::{self, Escaped, JsonLayout};
use crate::server::clock::with_second;

/// The format of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// The Common Log Format of the Apache HTTP Server, followed by the time taken in seconds:
    /// `192.0.2.1 - alice [10/Oct/2000:13:55:36 +0000] "GET /x HTTP/1.1" 200 2326 0.000312`.
    ///
    /// The user is `-` if none has logged in, and blanks in its name are escaped (`\x20`). The size is that of
    /// the content sent, `-` if the response was cut short. If the head is malformed or
    /// incomplete, the beginning of its first line stands for the request, or `"-"` if nothing has come.
    Common,
    /// The same with `Referer` and `User-Agent` before the time taken, each quoted, `"-"` if the request has
    /// none. The default.
    #[default]
    Combined,
    /// A JSON object with `time` (RFC 3339, UTC), `client`, `user`, `method`, `target`, `version`, `status`, `bytes`,
    /// `duration_seconds`, `referer`, `user_agent`, `connection_requests` (the number of requests so far on
    /// the connection: above 1 if it was kept) and `unreadable` (the beginning of the first line of a
    /// malformed or incomplete head, escaped as in the other formats). A value that is missing is `null`, and
    /// so is `bytes` if the response was cut short. Bytes that are not UTF-8 are replaced by U+FFFD.
    Json,
}

impl LogFormat {
    /// Appends the line of an exchange, with its line feed.
    pub(super) fn write(self, exchange: &Exchange<'_>, now: SystemTime, line: &mut Vec<u8>) {
        match self {
            Self::Common => write_common(exchange, now, line),
            Self::Combined => {
                write_common(exchange, now, line);
                for name in ["Referer", "User-Agent"] {
                    line.push(b' ');
                    let value = exchange.head.fields().first(name).unwrap_or(b"-");
                    append(line, format_args!("\"{}\"", Escaped(value)));
                }
            }
            Self::Json => write_json(exchange, now, line),
        }
        if self != Self::Json {
            let taken = exchange.taken;
            append(line, format_args!(" {}.{:06}", taken.as_secs(), taken.subsec_micros()));
        }
        line.push(b'\n');
    }
}

fn write_common(exchange: &Exchange<'_>, now: SystemTime, line: &mut Vec<u8>) {
    let Exchange { client, head, status, content_bytes, .. } = exchange;
    with_second(now, |second, _| {
        let time = second.common();
        match exchange.user {
            None => append(line, format_args!("{client} - - [{time}] ")),
            Some(user) => {
                let user = Word(user);
                append(line, format_args!("{client} - {user} [{time}] "));
            }
        }
    });
    match exchange.unreadable() {
        None => {
            let version = version_name(head.version());
            let (method, target) = (Escaped(head.method_token()), Escaped(head.target()));
            append(line, format_args!("\"{method} {target} {version}\""));
        }
        Some(text) if text.is_empty() => line.extend_from_slice(b"\"-\""),
        Some(text) => append(line, format_args!("\"{text}\"")),
    }
    match content_bytes {
        Some(bytes) => append(line, format_args!(" {} {bytes}", status.code())),
        None => append(line, format_args!(" {} -", status.code())),
    }
}

#[derive(Serialize)]
struct JsonLine<'e> {
    time: &'e str,
    client: IpAddr,
    user: Option<&'e str>,
    method: Option<Cow<'e, str>>,
    target: Option<Cow<'e, str>>,
    version: Option<&'static str>,
    status: u16,
    bytes: Option<u64>,
    duration_seconds: f64,
    referer: Option<Cow<'e, str>>,
    user_agent: Option<Cow<'e, str>>,
    connection_requests: u64,
    unreadable: Option<String>,
}

fn write_json(exchange: &Exchange<'_>, now: SystemTime, line: &mut Vec<u8>) {
    let head = exchange.head;
    let unreadable = exchange.unreadable();
    let is_readable = unreadable.is_none();
    let text = |bytes| String::from_utf8_lossy(bytes);
    let field = |name| head.fields().first(name).map(text);
    let time = with_second(now, |second, millis| format!("{}.{millis:03}Z", second.rfc3339()));
    let object = JsonLine {
        time: &time,
        client: exchange.client,
        user: exchange.user,
        method: is_readable.then(|| text(head.method_token())),
        target: is_readable.then(|| text(head.target())),
        version: is_readable.then(|| version_name(head.version())),
        status: exchange.status.code(),
        bytes: exchange.content_bytes,
        duration_seconds: exchange.taken.as_secs_f64(),
        referer: field("Referer"),
        user_agent: field("User-Agent"),
        connection_requests: exchange.ordinal,
        unreadable: unreadable.filter(|text| !text.is_empty()),
    };
    printable::write_json(&object, JsonLayout::Compact, line)
        .expect("writing to memory does not fail");
}

fn version_name(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
    }
}

/// Text whose blanks are escaped too, as they separate the parts of a line.
struct Word<'t>(&'t str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.0.split(' ').map(str::as_bytes).map(Escaped);
        parts.next().map_or(Ok(()), |part| write!(f, "{part}"))?;
        parts.try_for_each(|part| write!(f, r"\x20{part}"))
    }
}

fn append(line: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    line.write_fmt(text).expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::http::{HeadScan, RequestHead, Status};
    use crate::server::logs::exchange::MAX_SHOWN_BYTES;

    const FIELDS: &str = "Host: a\r\nReferer: http://a/\"b\\\r\nUser-Agent: ";

    fn head(bytes: &[u8]) -> RequestHead {
        let mut head = RequestHead::default();
        head.receive(&mut HeadScan::default(), bytes).unwrap().unwrap();
        head
    }

    fn line(format: LogFormat, head: &RequestHead, content_bytes: Option<u64>) -> String {
        line_of(format, head, b"", content_bytes)
    }

    fn line_of(
        format: LogFormat,
        head: &RequestHead,
        unread: &[u8],
        content_bytes: Option<u64>,
    ) -> String {
        line_of_exchange(format, &Exchange { unread, content_bytes, ..exchange(head) })
    }

    fn exchange(head: &RequestHead) -> Exchange<'_> {
        Exchange {
            client: "192.0.2.1".parse().unwrap(),
            user: None,
            head,
            unread: b"",
            status: Status::OK,
            content_bytes: None,
            taken: Duration::from_nanos(312_999),
            ordinal: 2,
        }
    }

    fn line_of_exchange(format: LogFormat, exchange: &Exchange<'_>) -> String {
        let mut line = Vec::new();
        format.write(exchange, UNIX_EPOCH + Duration::from_millis(971_186_136_042), &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn the_user_is_the_third_word_of_a_line() {
        let head = head(b"GET / HTTP/1.0\r\n\r\n");
        for (user, word, json) in [
            (None, "-", Value::Null),
            (Some("alice"), "alice", json!("alice")),
            (Some("al ice "), r"al\x20ice\x20", json!("al ice ")),
            (Some("\u{fc}\"\\ b"), r#"\xc3\xbc\"\\\x20b"#, json!("\u{fc}\"\\ b")),
        ] {
            let exchange = Exchange { user, ..exchange(&head) };
            let common = line_of_exchange(LogFormat::Common, &exchange);
            assert!(common.starts_with(&format!("192.0.2.1 - {word} [10/Oct/")), "{common}");
            let object = line_of_exchange(LogFormat::Json, &exchange);
            assert_eq!(serde_json::from_str::<Value>(&object).unwrap()["user"], json);
        }
    }

    #[test]
    fn a_line_has_the_format_that_log_analysers_know() {
        let whole = head(format!("GET /x?a=1 HTTP/1.1\r\n{FIELDS}curl/8\r\n\r\n").as_bytes());
        let bare = head(b"HEAD / HTTP/1.0\r\n\r\n");
        let none = RequestHead::default();
        let common = "192.0.2.1 - - [10/Oct/2000:13:55:36 +0000]";
        for (format, head, bytes, expected) in [
            (LogFormat::Common, &whole, Some(2326), "\"GET /x?a=1 HTTP/1.1\" 200 2326 0.000312\n"),
            (LogFormat::Common, &whole, None, "\"GET /x?a=1 HTTP/1.1\" 200 - 0.000312\n"),
            (LogFormat::Common, &bare, Some(0), "\"HEAD / HTTP/1.0\" 200 0 0.000312\n"),
            (LogFormat::Common, &none, Some(7), "\"-\" 200 7 0.000312\n"),
            (
                LogFormat::Combined,
                &whole,
                Some(2326),
                "\"GET /x?a=1 HTTP/1.1\" 200 2326 \"http://a/\\\"b\\\\\" \"curl/8\" 0.000312\n",
            ),
            (
                LogFormat::Combined,
                &bare,
                Some(0),
                "\"HEAD / HTTP/1.0\" 200 0 \"-\" \"-\" 0.000312\n",
            ),
        ] {
            assert_eq!(line(format, head, bytes), format!("{common} {expected}"));
        }
    }

    #[test]
    fn a_json_line_always_has_every_name() {
        let whole = head(format!("GET /x?a=1 HTTP/1.1\r\n{FIELDS}curl/8\r\n\r\n").as_bytes());
        assert_eq!(
            line(LogFormat::Json, &whole, Some(2326)),
            "{\"time\":\"2000-10-10T13:55:36.042Z\",\"client\":\"192.0.2.1\",\"user\":null,\"method\":\"GET\",\
             \"target\":\"/x?a=1\",\"version\":\"HTTP/1.1\",\"status\":200,\"bytes\":2326,\
             \"duration_seconds\":0.000312999,\"referer\":\"http://a/\\\"b\\\\\",\
             \"user_agent\":\"curl/8\",\"connection_requests\":2,\"unreadable\":null}\n"
        );
        let none: Value =
            serde_json::from_str(&line(LogFormat::Json, &RequestHead::default(), None)).unwrap();
        for name in
            ["user", "method", "target", "version", "bytes", "referer", "user_agent", "unreadable"]
        {
            assert_eq!(none.get(name), Some(&json!(null)), "{name}");
        }
    }

    #[test]
    fn unprintable_bytes_are_escaped_in_every_format() {
        let head = head(
            "GET /\u{9b}2J\u{85}ü\u{202e}\u{2028} HTTP/1.1\r\nUser-Agent: \u{202e}\u{e0041}\u{feff}\r\n\
             Referer: a\tb\u{2066}\r\n\r\n"
                .as_bytes(),
        );
        let json = line(LogFormat::Json, &head, None);
        for part in [
            r#""target":"/\u009b2J\u0085ü\u202e\u2028""#,
            r#""referer":"a\tb\u2066""#,
            r#""user_agent":"\u202e\udb40\udc41\ufeff""#,
        ] {
            assert!(json.contains(part), "{part}: {json}");
        }
        let combined = line(LogFormat::Combined, &head, None);
        for part in [
            r#""GET /\xc2\x9b2J\xc2\x85\xc3\xbc\xe2\x80\xae\xe2\x80\xa8 HTTP/1.1""#,
            r#""a\x09b\xe2\x81\xa6" "\xe2\x80\xae\xf3\xa0\x81\x81\xef\xbb\xbf""#,
        ] {
            assert!(combined.contains(part), "{part}: {combined}");
        }
    }

    #[test]
    fn a_malformed_head_is_shown_as_it_came() {
        let none = RequestHead::default();
        let long = [b"GET /", &[b'a'; 1000][..], b" HTTP/1.1\r\n"].concat();
        let shown = format!("GET /{}...", "a".repeat(MAX_SHOWN_BYTES - 5));
        for (unread, expected) in [
            (&b""[..], "-"),
            (b"\r\n\r\n", "-"),
            (b"GET /\"\r\nHost: a\r\n", r#"GET /\""#),
            (b"\r\n\nGET /\x1b[2J\n", r"GET /\x1b[2J"),
            (b"\x16\x03\x01\x02\x00\x01", r"\x16\x03\x01\x02\x00\x01"),
            ("\u{202e}\r".as_bytes(), r"\xe2\x80\xae\x0d"),
            (&long, &shown),
        ] {
            let common = line_of(LogFormat::Common, &none, unread, Some(7));
            assert!(common.contains(&format!("] \"{expected}\" 200 7 ")), "{common}");
            let json = line_of(LogFormat::Json, &none, unread, Some(7));
            let object: Value = serde_json::from_str(&json).unwrap();
            let expected = if expected == "-" { Value::Null } else { expected.into() };
            assert_eq!((&object["unreadable"], &object["target"]), (&expected, &Value::Null));
        }
    }

    /// Bytes that a target may have, with many quotes and backslashes.
    fn target_bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![0x21..=0x7e_u8, 0x80..=0xff_u8, Just(b'"'), Just(b'\\')];
        proptest::collection::vec(byte, 0..40)
    }

    proptest! {
        #[test]
        fn no_client_forges_a_line(target in target_bytes(), agent in target_bytes()) {
            let bytes = [b"GET /", &*target, b" HTTP/1.1\r\nUser-Agent: \t", &*agent, b"\r\n\r\n"];
            let head = head(&bytes.concat());
            let combined = line(LogFormat::Combined, &head, Some(1));
            prop_assert!(combined.trim_end_matches('\n').bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            // Apart from escaped ones, there are the six quotes of three quoted strings.
            let quotes = combined.replace(r"\\", "").replace("\\\"", "").matches('"').count();
            prop_assert_eq!(quotes, 6);
            let json = line(LogFormat::Json, &head, Some(1));
            prop_assert!(!json.trim_end_matches('\n').contains(char::is_control), "{json:?}");
            let object: Value = serde_json::from_str(&json).unwrap();
            let expected = String::from_utf8_lossy(head.target());
            prop_assert_eq!(object["target"].as_str(), Some(&*expected));
        }
    }
}
