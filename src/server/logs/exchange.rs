//! One request and what it was answered with, as a line of the access log tells it.

use std::net::IpAddr;
use std::time::Duration;

use crate::http::{RequestHead, Status};
use crate::printable::Escaped;

/// Most bytes that are shown of a request without a readable head; one that has more ends with dots.
pub(super) const MAX_SHOWN_BYTES: usize = 256;

/// One request and what it was answered with.
#[derive(Debug)]
pub(in crate::server) struct Exchange<'h> {
    pub(in crate::server) client: IpAddr,
    /// Empty where none could be read.
    pub(in crate::server) head: &'h RequestHead,
    /// What has come and was not used: where there is no head, the beginning of what was to be one.
    pub(in crate::server) unread: &'h [u8],
    pub(in crate::server) status: Status,
    /// Bytes of content sent; `None` for a response that could not be sent whole.
    pub(in crate::server) content_bytes: Option<u64>,
    /// From the first byte of the request to the last of the response.
    pub(in crate::server) taken: Duration,
    /// Which request of its connection this is, from 1.
    pub(in crate::server) ordinal: u64,
}

impl Exchange<'_> {
    /// Of a request without a readable head the beginning of its first line, escaped; empty where nothing
    /// of it has come.
    pub(super) fn unreadable(&self) -> Option<String> {
        if !self.head.method_token().is_empty() {
            return None;
        }
        // Empty lines before a request are skipped (RFC 9112 §2.2).
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
