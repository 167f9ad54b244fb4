//! Whether a connection is kept for another request (RFC 9112 §9.3).

use super::fields::Fields;
use super::version::Version;

/// Whether a connection is kept open after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    Keep,
    Close,
}

/// Whether the sender of a message wants to keep the connection: not with `Connection: close`, and in
/// HTTP/1.0 only with `Connection: keep-alive`.
#[must_use]
pub fn asks_to_persist(version: Version, fields: &Fields<'_>) -> bool {
    if fields.has_token("Connection", "close") {
        return false;
    }
    version >= Version::Http11 || fields.has_token("Connection", "keep-alive")
}

/// Whether a connection may be reused after a response. Not after one with a transfer coding beside a
/// length or in HTTP/1.0, because the end of such a message is ambiguous (RFC 9112 §6.1, §6.3).
#[must_use]
pub fn response_persists(version: Version, fields: &Fields<'_>) -> bool {
    let has = |name| fields.first(name).is_some();
    let is_ambiguous =
        has("Transfer-Encoding") && (version == Version::Http10 || has("Content-Length"));
    !is_ambiguous && asks_to_persist(version, fields)
}

#[cfg(test)]
mod tests {
    use super::super::test_fields::with_fields;
    use super::super::{HeadScan, RequestHead};
    use super::*;

    #[test]
    fn the_version_and_the_connection_field_decide() {
        for (version, field, persists) in [
            ("1.1", "", true),
            ("1.1", "Connection: keep-alive\r\n", true),
            ("1.1", "Connection: Close\r\n", false),
            ("1.1", "Connection: keep-alive, close\r\n", false),
            ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
            ("1.1", "Connection: closed\r\n", true),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
        ] {
            let mut head = RequestHead::default();
            let bytes = format!("GET / HTTP/{version}\r\n{field}\r\n");
            head.receive(&mut HeadScan::default(), bytes.as_bytes()).unwrap().unwrap();
            let found = asks_to_persist(head.version(), &head.fields());
            assert_eq!(found, persists, "HTTP/{version} {field:?}");
        }
    }

    #[test]
    fn a_response_of_ambiguous_length_is_the_last_of_its_connection() {
        const CHUNKED: &str = "Transfer-Encoding: chunked";
        for (version, lines, persists) in [
            (Version::Http11, &[CHUNKED][..], true),
            (Version::Http11, &["Content-Length: 5"], true),
            (Version::Http11, &[CHUNKED, "Content-Length: 5"], false),
            (Version::Http11, &["Transfer-Encoding: identity", "Content-Length: 5"], false),
            (Version::Http11, &[CHUNKED, "Connection: close"], false),
            (Version::Http10, &["Content-Length: 5", "Connection: keep-alive"], true),
            (Version::Http10, &[CHUNKED, "Connection: keep-alive"], false),
        ] {
            let found = with_fields(lines, |fields| response_persists(version, fields));
            assert_eq!(found, persists, "{version:?} {lines:?}");
        }
    }
}
