//! Request methods (RFC 9110 §9): which ones the server implements, and which it only knows.

/// A request method. Methods are case-sensitive (RFC 9110 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Options,
    /// A registered method that the server does not allow: `405 Method Not Allowed`.
    Unsupported,
    /// Any other method: `501 Not Implemented`.
    Unknown,
}

/// The value of `Allow` (RFC 9110 §10.2.1).
pub const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The registered methods that the server does not allow: RFC 9110 §9.3, RFC 5789 (PATCH), and WebDAV,
/// which file managers try on every server (RFC 4918, RFC 3253).
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
    /// Classifies a method token. The parser of the request line has checked its characters.
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
    fn methods_are_case_sensitive() {
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
