//! Heads of requests: the request line and the fields (RFC 9112 §3, §5).
//!
//! [`RequestHead`] owns a copy of the head's bytes and positions within it, so that it can be reused for
//! the next request without borrowing from the socket's buffer. [`HeadScan`] finds the end of the head.
//! The modules named after the fields interpret them.

use std::ops::Range;

use super::error::RequestError;
use super::fields::{FieldSectionError, FieldTable, Fields};
use super::head_scan::{HeadScan, Oversize};
use super::method::Method;
use super::syntax::is_token_byte;
use super::version::Version;

/// The head of a request.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    bytes: Vec<u8>,
    method: Range<usize>,
    target: Range<usize>,
    version: Version,
    fields: FieldTable,
}

impl RequestHead {
    /// Parses the head at the start of `bytes`. Returns its length in bytes, or `None` until it is
    /// complete. A malformed request line is refused as soon as the line is complete, and bytes that
    /// cannot begin a request, such as a TLS handshake, at the first byte.
    ///
    /// `scan` must be the same for all calls for one head; it is reset when the head is complete.
    ///
    /// # Errors
    /// The request is refused. The connection must be closed, because the end of the request is unknown.
    pub fn receive(
        &mut self,
        scan: &mut HeadScan,
        bytes: &[u8],
    ) -> Result<Option<usize>, RequestError> {
        let line_was_checked = scan.start_line().is_some();
        let scanned = scan.advance(bytes);
        if !line_was_checked {
            match scan.start_line() {
                Some(line) => {
                    parse_request_line(&bytes[line.range()])?;
                }
                None if scan.first_byte(bytes).is_some_and(|byte| !may_begin_request(byte)) => {
                    return Err(RequestError::RequestLine);
                }
                None => {}
            }
        }
        let scanned = scanned.map_err(|oversize| match oversize {
            Oversize::EmptyLines => RequestError::RequestLine,
            Oversize::StartLine => RequestError::TargetTooLong,
            Oversize::Fields => RequestError::FieldsTooLarge,
        })?;
        let Some(length) = scanned else { return Ok(None) };
        self.parse(scan, &bytes[..length])?;
        *scan = HeadScan::default();
        Ok(Some(length))
    }

    fn parse(&mut self, scan: &HeadScan, head: &[u8]) -> Result<(), RequestError> {
        let position = scan.start_line().expect("a complete head has a start line");
        self.bytes.clear();
        self.bytes.extend_from_slice(head);
        let line = parse_request_line(&head[position.range()])?;
        let offset = |range: Range<usize>| range.start + position.start..range.end + position.start;
        (self.method, self.target) = (offset(line.method), offset(line.target));
        self.version = line.version;
        self.fields.parse(&self.bytes, position.fields).map_err(|error| match error {
            FieldSectionError::TooMany => RequestError::TooManyFields,
            FieldSectionError::Malformed => RequestError::Field,
        })
    }

    /// Removes the last request but keeps the memory, so that a refused head cannot be confused with the
    /// previous one.
    pub fn clear(&mut self) {
        self.bytes.clear();
        (self.method, self.target) = (0..0, 0..0);
        self.version = Version::default();
        self.fields.clear();
    }

    #[must_use]
    pub fn method(&self) -> Method {
        Method::classify(self.method_token())
    }

    /// The method as it was sent; empty if no head has been received.
    #[must_use]
    pub fn method_token(&self) -> &[u8] {
        &self.bytes[self.method.clone()]
    }

    /// The request target as it was sent (RFC 9112 §3.2); empty if no head has been received.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        &self.bytes[self.target.clone()]
    }

    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        self.fields.over(&self.bytes)
    }
}

/// Whether a byte can be the first of a request. A CR may belong to an empty line, which is skipped.
fn may_begin_request(byte: u8) -> bool {
    is_token_byte(byte) || byte == b'\r'
}

struct RequestLine {
    method: Range<usize>,
    target: Range<usize>,
    version: Version,
}

/// Parses a request line strictly: single spaces, no other whitespace (RFC 9112 §3).
fn parse_request_line(line: &[u8]) -> Result<RequestLine, RequestError> {
    let space = |byte: &u8| *byte == b' ';
    let first = line.iter().position(space).ok_or(RequestError::RequestLine)?;
    let last = line.iter().rposition(space).expect("there is a first space");
    let (method, target, version) =
        (0..first, (first + 1).min(last)..last, parse_version(&line[last + 1..]));
    let is_target = |bytes: &[u8]| bytes.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    if method.is_empty()
        || target.is_empty()
        || !line[method.clone()].iter().all(|byte| is_token_byte(*byte))
        || !is_target(&line[target.clone()])
    {
        return Err(RequestError::RequestLine);
    }
    match version {
        Some((1, 0)) => Ok(RequestLine { method, target, version: Version::Http10 }),
        Some((1, _)) => Ok(RequestLine { method, target, version: Version::Http11 }),
        Some(_) => Err(RequestError::Version),
        None => Err(RequestError::RequestLine),
    }
}

/// Parses `HTTP/` digit `.` digit (RFC 9112 §2.3).
fn parse_version(bytes: &[u8]) -> Option<(u8, u8)> {
    match bytes {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Some((major - b'0', minor - b'0'))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
