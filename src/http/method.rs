//! Request methods, as far as a static-file server tells them apart.
//!
//! Owns the question "is this method served, registered but not served, or unknown?"; which status
//! answers it is decided where the response is made.

/// A request method (RFC 9110 §9), case-sensitive as the RFC demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Options,
    /// Registered with IANA, but nothing a static file answers: `405 Method Not Allowed`.
    Unsupported,
    /// Not a method this program has heard of: `501 Not Implemented`.
    Unknown,
}

/// What `Allow` lists (RFC 9110 §10.2.1).
pub const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The registered methods that are not served: RFC 9110 §9.3, RFC 5789, and those of WebDAV, which
/// file managers try on every server they meet.
const UNSUPPORTED: [&[u8]; 14] = [
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"REPORT",
];

impl Method {
    /// Classifies a method token. The token's characters are the request line's business.
    #[must_use]
    pub fn classify(token: &[u8]) -> Self {
        match token {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"OPTIONS" => Self::Options,
            other if UNSUPPORTED.contains(&other) => Self::Unsupported,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_told_apart_case_sensitively() {
        for (token, method) in [
            (&b"GET"[..], Method::Get),
            (b"HEAD", Method::Head),
            (b"OPTIONS", Method::Options),
            (b"POST", Method::Unsupported),
            (b"CONNECT", Method::Unsupported),
            (b"PROPFIND", Method::Unsupported),
            (b"get", Method::Unknown),
            (b"GETS", Method::Unknown),
            (b"", Method::Unknown),
        ] {
            assert_eq!(Method::classify(token), method, "{}", token.escape_ascii());
        }
    }
}
