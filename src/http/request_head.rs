//! Heads of requests: the start line and the fields (RFC 9112 §2 to §5), and where any head ends.
//!
//! [`HeadScan`] finds where a head ends while its bytes arrive, each byte looked at once, and holds
//! the limits. [`RequestHead`] owns a copy of the head's bytes with positions into them, is reused from
//! message to message, and so borrows nothing from the socket's buffer; `ResponseHead` is in a file of
//! its own. What the fields mean is left to the modules named after the fields.

use std::ops::Range;

use super::error::RequestError;
use super::fields::{FieldError, FieldTable, Fields};
use super::head_scan::{HeadScan, Oversize};
use super::method::Method;
use super::syntax::is_token_byte;
use super::version::Version;

/// A request's head.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    bytes: Vec<u8>,
    method: Range<usize>,
    target: Range<usize>,
    version: Version,
    fields: FieldTable,
}

impl RequestHead {
    /// Takes the request head that `bytes` begin with, once all of it is there, and says how long it
    /// is; `None` while more must come. A malformed start line is refused as soon as it is complete,
    /// and what cannot be a request at all (a TLS hello, say) at its first byte.
    ///
    /// `scan` is the one of this head; after a result it starts anew.
    ///
    /// # Errors
    /// The request is refused; what follows on its connection cannot be trusted.
    pub fn receive(
        &mut self,
        scan: &mut HeadScan,
        bytes: &[u8],
    ) -> Result<Option<usize>, RequestError> {
        let line_was_checked = scan.start_line.is_some();
        let scanned = scan.advance(bytes);
        if !line_was_checked {
            match scan.start_line() {
                Some((line, _)) => {
                    parse_request_line(&bytes[line])?;
                }
                None if bytes.get(scan.start).is_some_and(|byte| !may_begin_request(*byte)) => {
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
        let (line_end, fields) = scan.start_line.expect("a complete head has its start line");
        self.bytes.clear();
        self.bytes.extend_from_slice(head);
        let line = parse_request_line(&head[scan.start..line_end])?;
        let offset = |range: Range<usize>| range.start + scan.start..range.end + scan.start;
        (self.method, self.target) = (offset(line.method), offset(line.target));
        self.version = line.version;
        self.fields.parse(&self.bytes, fields).map_err(|error| match error {
            FieldError::TooMany => RequestError::TooManyFields,
            FieldError::Malformed => RequestError::Field,
        })
    }

    /// Forgets the last request, keeping its memory: a refused head must not be taken for the one
    /// before it.
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

    /// The method as it was sent; empty before a head was received.
    #[must_use]
    pub fn method_token(&self) -> &[u8] {
        &self.bytes[self.method.clone()]
    }

    /// The request target as it was sent (RFC 9112 §3.2); empty before a head was received.
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

/// A CR may be the first half of an empty line that is skipped.
fn may_begin_request(byte: u8) -> bool {
    is_token_byte(byte) || byte == b'\r'
}

struct RequestLine {
    method: Range<usize>,
    target: Range<usize>,
    version: Version,
}

/// RFC 9112 §3, to the letter: single spaces, no white space around.
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

/// `HTTP/` digit `.` digit (RFC 9112 §2.3).
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
