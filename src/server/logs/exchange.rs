//! A request and its response, as the access log reports them.

use std::net::IpAddr;
use std::time::Duration;

use crate::http::{RequestHead, Status};
use crate::printable::Escaped;

/// Most bytes shown of a malformed head; dots mark the rest.
pub(super) const MAX_SHOWN_BYTES: usize = 256;

/// A request and its response.
#[derive(Debug)]
pub(in crate::server) struct Exchange<'h> {
    pub(in crate::server) client: IpAddr,
    /// The user, if the request came with a right password.
    pub(in crate::server) user: Option<&'h str>,
    /// Empty if it was malformed or incomplete.
    pub(in crate::server) head: &'h RequestHead,
    /// Bytes received and not parsed: without a head, the beginning of the malformed one.
    pub(in crate::server) unread: &'h [u8],
    pub(in crate::server) status: Status,
    /// Bytes of content sent; `None` if the response was cut short.
    pub(in crate::server) content_bytes: Option<u64>,
    /// Time from the first byte of the request to the last of the response. If no byte came, it counts from
    /// when waiting for the request began.
    pub(in crate::server) taken: Duration,
    /// The number of this request on its connection, from 1.
    pub(in crate::server) ordinal: u64,
}

impl Exchange<'_> {
    /// The beginning of the first line of a malformed or incomplete head, escaped; empty if nothing of it has
    /// come. `None` if there is a head.
    pub(super) fn unreadable(&self) -> Option<String> {
        if !self.head.method_token().is_empty() {
            return None;
        }
        // Empty lines before a request are ignored (RFC 9112 §2.2).
        let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
        let begin = self.unread.iter().position(is_text).unwrap_or(self.unread.len());
        let rest = &self.unread[begin..];
        let line = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]),
            None => rest,
        };
        let shown = &line[..line.len().min(MAX_SHOWN_BYTES)];
        let dots = if shown.len() < line.len() { "..." } else { "" };
        Some(format!("{}{dots}", Escaped(shown)))
    }
}
