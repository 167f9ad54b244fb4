//! Whether a connection is kept for another request, and why not (RFC 9112 §9.3).

use std::fmt;

use super::{Fields, Version};

/// What becomes of a connection after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    Keep,
    Close(CloseReason),
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// `Connection: close`, or HTTP/1.0 without `Connection: keep-alive`.
    PeerAsked,
    /// The request was refused in a way that makes what follows it untrustworthy.
    Refused,
    /// So many connections are open that none is kept idle.
    Crowded,
    /// The connection has served as many requests as it may.
    RequestLimit,
    /// The server is stopping.
    Stopping,
    /// Its slot was handed on while it was idle.
    Reclaimed,
    /// The request has content that the server did not read.
    UnreadContent,
    /// The end of the response shows only by the close.
    Undelimited,
    /// The response could not be sent whole.
    Incomplete,
    /// The peer closed, between two requests.
    PeerClosed,
    /// The peer went away in the middle of a request or a response.
    PeerVanished,
    /// No request came in time.
    Idle,
    /// The peer took too little of a response for too long.
    Slow,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeerAsked => "the client asked for it",
            Self::Refused => "the request was refused",
            Self::Crowded => "too many connections are open to keep one idle",
            Self::RequestLimit => "it has served its number of requests",
            Self::Stopping => "the server is stopping",
            Self::Reclaimed => "its slot was handed on while it was idle",
            Self::UnreadContent => "the request's content was not read",
            Self::Undelimited => "only its end tells where the response ends",
            Self::Incomplete => "the response could not be sent whole",
            Self::PeerClosed => "the client closed it",
            Self::PeerVanished => "the client went away",
            Self::Idle => "no request came in time",
            Self::Slow => "the client took too little for too long",
        })
    }
}

/// What a message's sender asks for: the last word is `close`, and silence means keep-alive since
/// HTTP/1.1.
#[must_use]
pub fn asks_to_persist(version: Version, fields: &Fields<'_>) -> bool {
    if fields.has_token("Connection", "close") {
        return false;
    }
    version >= Version::Http11 || fields.has_token("Connection", "keep-alive")
}

/// Whether a connection may be used again after a response. Not after one that has a transfer coding
/// beside a length, or in HTTP/1.0: its sender is in doubt about where its messages end (RFC 9112 §6.1,
/// §6.3).
#[must_use]
pub fn response_persists(version: Version, fields: &Fields<'_>) -> bool {
    let has = |name| fields.first(name).is_some();
    let is_dubious =
        has("Transfer-Encoding") && (version == Version::Http10 || has("Content-Length"));
    !is_dubious && asks_to_persist(version, fields)
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
    fn a_response_of_doubtful_length_is_the_last_of_its_connection() {
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
