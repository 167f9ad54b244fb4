//! Finds the end of a head while its bytes arrive, and enforces the limits on its size (RFC 9112 §2).
//!
//! Each byte is examined once. The contents of the lines are parsed elsewhere.

use std::ops::Range;

/// Limit on the length of a request line, without its line ending (the same as in nginx and Apache).
pub(super) const MAX_START_LINE_BYTES: usize = 8 * 1024;

/// Limit on the length of a request's field section, with line endings (nginx: four buffers of 8 KiB).
pub(super) const MAX_FIELD_SECTION_BYTES: usize = 32 * 1024;

/// Limit on the bytes of empty lines before a start line: more than known clients send, and small
/// compared with the buffer for heads.
pub(super) const MAX_EMPTY_LINES_BYTES: usize = 256;

/// Limits on the parts of a head, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadLimits {
    /// The length of the start line, without its line ending.
    pub(super) start_line_bytes: usize,
    /// The length of the field section, with its line endings.
    pub(super) field_section_bytes: usize,
}

/// The limits of requests.
impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            start_line_bytes: MAX_START_LINE_BYTES,
            field_section_bytes: MAX_FIELD_SECTION_BYTES,
        }
    }
}

/// The limits of responses. Their largest fields are `Set-Cookie` and `Content-Security-Policy` (curl:
/// 300 KiB in all; Chromium: 256 KiB).
pub(super) const RESPONSE_LIMITS: HeadLimits =
    HeadLimits { start_line_bytes: 256 * 1024, field_section_bytes: 256 * 1024 };

/// The part of a head that exceeds its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oversize {
    EmptyLines,
    StartLine,
    Fields,
}

/// Scans one head. Make a new scan for each head; the default has the limits of requests.
///
/// ```text
/// empty lines (skipped) → start line → field lines → empty line: the end
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScan {
    limits: HeadLimits,
    /// The position after leading empty lines.
    start: usize,
    start_line: Option<StartLine>,
    /// The start of the current line.
    line: usize,
    /// The first byte that has not been examined.
    at: usize,
}

/// The position of a complete start line.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartLine {
    pub(super) start: usize,
    /// The end of the line without its line ending.
    pub(super) end: usize,
    /// The start of the field section.
    pub(super) fields: usize,
}

impl StartLine {
    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

impl HeadScan {
    /// A scan with the limits of responses.
    #[must_use]
    pub fn of_response() -> Self {
        Self { limits: RESPONSE_LIMITS, ..Self::default() }
    }

    /// Examines the bytes received since the last call. `bytes` are all bytes received so far, starting
    /// at the same byte in every call. Returns `Some(n)` once the head is complete: its first `n` bytes.
    ///
    /// # Errors
    /// A part exceeds its limit, even if its end has not been received.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Oversize> {
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
                None => {
                    self.start_line = Some(StartLine { start: self.start, end, fields: self.at });
                }
                Some(line) if self.at - line.fields > field_section_bytes => {
                    return Err(Oversize::Fields);
                }
                Some(_) if line.is_empty() => return Ok(Some(self.at)),
                Some(_) => {}
            }
        }
        self.at = bytes.len();
        match self.start_line {
            // The byte after the limit may be the CR of the line ending.
            None if bytes.len() - self.start > start_line_bytes + 1 => Err(Oversize::StartLine),
            Some(line) if bytes.len() - line.fields > field_section_bytes => Err(Oversize::Fields),
            _ => Ok(None),
        }
    }

    /// Skips empty lines before the start line (RFC 9112 §2.2).
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

    /// True if only empty lines have been received: no request has started.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.start_line.is_none() && self.at == self.start
    }

    /// The first byte of the start line, once it has been received.
    pub(super) fn first_byte(&self, bytes: &[u8]) -> Option<u8> {
        bytes.get(self.start).copied()
    }

    /// The position of the start line, once it is complete.
    pub(super) fn start_line(&self) -> Option<StartLine> {
        self.start_line
    }
}
