//! Where a head ends, and how large its parts may be (RFC 9112 §2).

use std::ops::Range;

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

/// What a client bears: the largest heads are made by `Set-Cookie` and `Content-Security-Policy`
/// (curl: 300 KiB in all; Chromium: 256 KiB).
pub const RESPONSE_LIMITS: HeadLimits =
    HeadLimits { start_line_bytes: 256 * 1024, field_section_bytes: 256 * 1024 };

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
    pub(super) start: usize,
    /// Where the start line ends, without its line ending, and where the fields begin.
    pub(super) start_line: Option<(usize, usize)>,
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
