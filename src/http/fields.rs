//! The fields of a head: the positions of names and values within the head's bytes.
//!
//! The table stores positions instead of slices, so that a head can own its bytes and be reused for the
//! next message without borrowing from the socket's buffer. Other modules interpret the values.

use std::ops::Range;

use super::syntax::{trim_whitespace, trimmed};

/// Limit on the number of fields of a request (the same as in Apache and hyper).
pub(super) const MAX_FIELDS: usize = 100;

/// More fields than most requests have. Room for them takes little of the stack of a thread, whose pages are
/// never given back; a request with more is parsed again, with room for [`MAX_FIELDS`].
const USUAL_FIELDS: usize = 24;

/// Positions of field names and values within one head.
#[derive(Clone, Debug, Default)]
pub(super) struct FieldTable {
    positions: Vec<FieldPosition>,
}

#[derive(Clone, Debug)]
struct FieldPosition {
    name: Range<usize>,
    value: Range<usize>,
}

/// Why the field section of a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldSectionError {
    /// More than [`MAX_FIELDS`] fields.
    TooMany,
    /// A name, value or line ending that RFC 9112 §5 forbids.
    Malformed,
}

impl FieldTable {
    /// Parses `bytes[start..]`, the field section of a request including its final empty line.
    pub(super) fn parse(&mut self, bytes: &[u8], start: usize) -> Result<(), FieldSectionError> {
        match self.parse_up_to::<USUAL_FIELDS>(bytes, start) {
            Err(FieldSectionError::TooMany) => self.parse_up_to::<MAX_FIELDS>(bytes, start),
            parsed => parsed,
        }
    }

    #[inline(never)]
    fn parse_up_to<const MOST: usize>(
        &mut self,
        bytes: &[u8],
        start: usize,
    ) -> Result<(), FieldSectionError> {
        self.positions.clear();
        let mut fields = [httparse::EMPTY_HEADER; MOST];
        match httparse::parse_headers(&bytes[start..], &mut fields) {
            Ok(httparse::Status::Complete((_, fields))) => {
                let base = bytes.as_ptr() as usize;
                let position = |slice: &[u8]| {
                    let at = slice.as_ptr() as usize - base;
                    at..at + slice.len()
                };
                for field in fields {
                    // The slice of an empty value may point outside of `bytes`.
                    let value = if field.value.is_empty() { 0..0 } else { position(field.value) };
                    let name = position(field.name.as_bytes());
                    self.positions.push(FieldPosition { name, value });
                }
                Ok(())
            }
            Err(httparse::Error::TooManyHeaders) => Err(FieldSectionError::TooMany),
            Ok(httparse::Status::Partial) | Err(_) => Err(FieldSectionError::Malformed),
        }
    }

    /// Adds a field. Whitespace may still surround its name and value; see [`Self::trim`].
    pub(super) fn push(&mut self, name: Range<usize>, value: Range<usize>) {
        self.positions.push(FieldPosition { name, value });
    }

    /// Extends the value of the last field to `end`.
    pub(super) fn extend_last(&mut self, end: usize) {
        if let Some(last) = self.positions.last_mut() {
            last.value.end = end;
        }
    }

    /// Removes the whitespace around all names and values.
    pub(super) fn trim(&mut self, bytes: &[u8]) {
        for range in self.positions.iter_mut().flat_map(|field| [&mut field.name, &mut field.value])
        {
            let trimmed = trimmed(&bytes[range.clone()]);
            *range = range.start + trimmed.start..range.start + trimmed.end;
        }
    }

    pub(super) fn clear(&mut self) {
        self.positions.clear();
    }

    /// The fields, read from `bytes`, which the positions refer to.
    pub(super) fn over<'b>(&'b self, bytes: &'b [u8]) -> Fields<'b> {
        Fields { bytes, positions: &self.positions }
    }
}

/// The fields of one head, in the order they were received.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'b> {
    bytes: &'b [u8],
    positions: &'b [FieldPosition],
}

impl<'b> Fields<'b> {
    /// All fields as name and value, without surrounding whitespace.
    pub fn iter(&self) -> impl Iterator<Item = (&'b [u8], &'b [u8])> + use<'b> {
        let bytes = self.bytes;
        self.positions
            .iter()
            .map(move |field| (&bytes[field.name.clone()], &bytes[field.value.clone()]))
    }

    /// The values of all fields with this name. Names are case-insensitive (RFC 9110 §5.1).
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'b, 'n> {
        self.iter()
            .filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The value of the first field with this name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&'b [u8]> {
        self.all(name).next()
    }

    /// The value of the only field with this name. `None` if the field is absent or repeated: of several
    /// contradicting lines, none is used.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&'b [u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// The values of all fields with this name, joined by commas (RFC 9110 §5.3); `None` if there is none.
    #[must_use]
    pub fn joined(&self, name: &str) -> Option<Vec<u8>> {
        let values: Vec<&[u8]> = self.all(name).collect();
        if values.is_empty() { None } else { Some(values.join(&b", "[..])) }
    }

    /// The non-empty members of the comma-separated lists in all fields with this name (RFC 9110
    /// §5.6.1). For lists of tokens only: a comma within a quoted string also separates.
    pub fn tokens<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'b, 'n> {
        self.all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(trim_whitespace)
            .filter(|member| !member.is_empty())
    }

    /// Whether a member of the list equals `token`, ignoring case.
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(section: &str) -> Result<Vec<(String, String)>, FieldSectionError> {
        let mut table = FieldTable::default();
        table.parse(section.as_bytes(), 0)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(table.over(section.as_bytes()).iter().map(|(n, v)| (text(n), text(v))).collect())
    }

    #[test]
    fn names_and_values_are_found_without_surrounding_whitespace() {
        let fields = parse("Host: a\r\nX-Empty:\r\nX-Space: \t b c \t\r\n\r\n").unwrap();
        let expected = [("Host", "a"), ("X-Empty", ""), ("X-Space", "b c")];
        assert_eq!(fields, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn malformed_field_lines_are_refused() {
        for section in [
            "Host : a\r\n\r\n",
            " Host: a\r\n\r\n",
            "Host: a\r\n folded\r\n\r\n",
            "Host: a\r\n\tfolded\r\n\r\n",
            "Ho st: a\r\n\r\n",
            ": a\r\n\r\n",
            "Host\r\n\r\n",
            "Host: a\rb\r\n\r\n",
            "Host: a\0b\r\n\r\n",
            "Host: a\x01b\r\n\r\n",
            "Host: a\x7fb\r\n\r\n",
            "H\u{f6}st: a\r\n\r\n",
        ] {
            assert_eq!(parse(section), Err(FieldSectionError::Malformed), "{section:?}");
        }
    }

    #[test]
    fn the_number_of_fields_is_limited() {
        let section = |count: usize| "A: b\r\n".repeat(count) + "\r\n";
        for count in [0, USUAL_FIELDS, USUAL_FIELDS + 1] {
            assert_eq!(parse(&section(count)).unwrap().len(), count);
        }
        assert_eq!(parse(&section(MAX_FIELDS)).unwrap().len(), MAX_FIELDS);
        assert_eq!(parse(&section(MAX_FIELDS + 1)), Err(FieldSectionError::TooMany));
    }

    #[test]
    fn fields_are_looked_up_without_case_and_lists_are_split() {
        let section = b"Connection: keep-alive, ,Upgrade\r\nCONNECTION:close\r\nHost: a\r\n\r\n";
        let mut table = FieldTable::default();
        table.parse(section, 0).unwrap();
        let fields = table.over(section);
        assert_eq!(
            fields.tokens("connection").collect::<Vec<_>>(),
            [&b"keep-alive"[..], b"Upgrade", b"close"]
        );
        assert!(fields.has_token("connection", "CLOSE"));
        assert!(!fields.has_token("connection", "keep"));
        assert_eq!(fields.first("Connection"), Some(&b"keep-alive, ,Upgrade"[..]));
        assert_eq!(fields.only("Connection"), None);
        assert_eq!(fields.only("hOST"), Some(&b"a"[..]));
        assert_eq!(fields.joined("connection").unwrap(), b"keep-alive, ,Upgrade, close");
        assert_eq!(fields.joined("cookie"), None);
    }
}
