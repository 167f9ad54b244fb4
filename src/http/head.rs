//! Heads of requests: the start line and the fields (RFC 9112 §2 to §5), and where any head ends.
//!
//! [`HeadScan`] finds where a head ends while its bytes arrive, each byte looked at once, and holds
//! the limits. [`RequestHead`] owns a copy of the head's bytes with positions into them, is reused from
//! message to message, and so borrows nothing from the socket's buffer; `ResponseHead` is in a file of
//! its own. What the fields mean is left to the modules named after the fields.

use std::ops::Range;

use super::headers::{FieldError, FieldTable};
use super::{Fields, Method, RequestError, is_token_byte};

/// Longest request line, without its line ending (nginx and Apache: 8 KiB as well).
pub const MAX_START_LINE_BYTES: usize = 8 * 1024;

/// Longest field section of a request, with its line endings (nginx: four buffers of 8 KiB).
pub const MAX_FIELD_SECTION_BYTES: usize = 32 * 1024;

/// Most bytes of empty lines before a start line: more than any client was seen to send, and not so
/// many that they fill the memory in which a head is collected.
pub const MAX_EMPTY_LINES_BYTES: usize = 256;

/// How large the parts of a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Longest start line, without its line ending.
    pub start_line_bytes: usize,
    /// Longest field section, with its line endings.
    pub field_section_bytes: usize,
}

/// Those of requests.
impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            start_line_bytes: MAX_START_LINE_BYTES,
            field_section_bytes: MAX_FIELD_SECTION_BYTES,
        }
    }
}

/// The protocol version, as far as it makes a difference (RFC 9110 §2.5): a higher minor version is
/// treated as the highest that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Http10,
    #[default]
    Http11,
}

/// A part of a head beyond its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oversize {
    EmptyLines,
    StartLine,
    Fields,
}

/// Where the head that is arriving ends. A fresh one for each head; the default has the limits of
/// requests.
///
/// ```text
/// empty lines (skipped) → start line → field lines → empty line: the end
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScan {
    limits: HeadLimits,
    /// Where the start line begins, past leading empty lines.
    start: usize,
    /// Where the start line ends, without its line ending, and where the fields begin.
    start_line: Option<(usize, usize)>,
    /// Where the line that is being scanned begins.
    line: usize,
    /// The first byte not yet looked at.
    at: usize,
}

impl HeadScan {
    /// One for a head with these limits.
    #[must_use]
    pub fn with_limits(limits: HeadLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Looks at the bytes that have come since the last call; `bytes` is all of them, from the same
    /// beginning each time. `Some(n)` when the head is the first `n`.
    ///
    /// # Errors
    /// A part beyond its limit, whether or not its end has come.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Oversize> {
        let HeadLimits { start_line_bytes, field_section_bytes } = self.limits;
        if self.start_line.is_none() {
            self.skip_empty_lines(bytes);
            if self.start > MAX_EMPTY_LINES_BYTES {
                return Err(Oversize::EmptyLines);
            }
        }
        while let Some(length) = bytes[self.at..].iter().position(|byte| *byte == b'\n') {
            let feed = self.at + length;
            let end = if feed > self.line && bytes[feed - 1] == b'\r' { feed - 1 } else { feed };
            let line = self.line..end;
            self.at = feed + 1;
            self.line = self.at;
            match self.start_line {
                None if line.len() > start_line_bytes => return Err(Oversize::StartLine),
                None => self.start_line = Some((end, self.at)),
                Some((_, fields)) if self.at - fields > field_section_bytes => {
                    return Err(Oversize::Fields);
                }
                Some(_) if line.is_empty() => return Ok(Some(self.at)),
                Some(_) => {}
            }
        }
        self.at = bytes.len();
        match self.start_line {
            // One byte more than the limit may still be the line's CR.
            None if bytes.len() - self.start > start_line_bytes + 1 => Err(Oversize::StartLine),
            Some((_, fields)) if bytes.len() - fields > field_section_bytes => {
                Err(Oversize::Fields)
            }
            _ => Ok(None),
        }
    }

    /// A server skips empty lines before a request (RFC 9112 §2.2).
    fn skip_empty_lines(&mut self, bytes: &[u8]) {
        loop {
            self.start += match bytes[self.start..] {
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                _ => return,
            };
            (self.at, self.line) = (self.start, self.start);
        }
    }

    /// Nothing but empty lines has come: no request has begun.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.start_line.is_none() && self.at == self.start
    }

    /// Where the start line lies, once it is complete, and where the fields begin.
    pub(super) fn start_line(&self) -> Option<(Range<usize>, usize)> {
        self.start_line.map(|(end, fields)| (self.start..end, fields))
    }
}

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
#[path = "head_tests.rs"]
mod tests;
