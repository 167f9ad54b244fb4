//! The fields of a head: where each name and value lies in the head's bytes.
//!
//! The table keeps positions rather than slices, so that a head owns its bytes, is reused from one
//! message to the next and borrows nothing from the socket's buffer. What a value means is left to
//! the modules that ask for it.

use std::ops::Range;

use super::syntax::{trim_whitespace, trimmed};

/// How many fields a request may have (Apache's and hyper's limit as well).
pub const MAX_FIELDS: usize = 100;

/// Positions of field names and values within one head.
#[derive(Clone, Debug, Default)]
pub(super) struct FieldTable {
    positions: Vec<(Range<usize>, Range<usize>)>,
}

/// Why a field section is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldError {
    /// More than [`MAX_FIELDS`].
    TooMany,
    /// A name, value or line ending that RFC 9112 §5 forbids.
    Malformed,
}

impl FieldTable {
    /// Reads the field section `bytes[start..]` of a request, which ends with its empty line.
    pub(super) fn parse(&mut self, bytes: &[u8], start: usize) -> Result<(), FieldError> {
        self.positions.clear();
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        match httparse::parse_headers(&bytes[start..], &mut fields) {
            Ok(httparse::Status::Complete((_, fields))) => {
                let base = bytes.as_ptr() as usize;
                let position = |slice: &[u8]| {
                    let at = slice.as_ptr() as usize - base;
                    at..at + slice.len()
                };
                for field in fields {
                    // An empty value may point anywhere; an empty range serves it as well.
                    let value = if field.value.is_empty() { 0..0 } else { position(field.value) };
                    self.positions.push((position(field.name.as_bytes()), value));
                }
                Ok(())
            }
            Err(httparse::Error::TooManyHeaders) => Err(FieldError::TooMany),
            Ok(httparse::Status::Partial) | Err(_) => Err(FieldError::Malformed),
        }
    }

    /// Adds a field, whose name and value still have the white space around them.
    pub(super) fn push(&mut self, name: Range<usize>, value: Range<usize>) {
        self.positions.push((name, value));
    }

    /// Has the last field's value end later.
    pub(super) fn extend_last(&mut self, end: usize) {
        if let Some((_, value)) = self.positions.last_mut() {
            value.end = end;
        }
    }

    /// Leaves out the white space around all names and values.
    pub(super) fn trim(&mut self, bytes: &[u8]) {
        for range in self.positions.iter_mut().flat_map(|(name, value)| [name, value]) {
            let trimmed = trimmed(&bytes[range.clone()]);
            *range = range.start + trimmed.start..range.start + trimmed.end;
        }
    }

    pub(super) fn clear(&mut self) {
        self.positions.clear();
    }

    pub(super) fn over<'b>(&'b self, bytes: &'b [u8]) -> Fields<'b> {
        Fields { bytes, positions: &self.positions }
    }
}

/// The fields of one head, in the order they came.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'b> {
    bytes: &'b [u8],
    positions: &'b [(Range<usize>, Range<usize>)],
}

impl<'b> Fields<'b> {
    /// Every name with its value, without the white space around it.
    pub fn iter(&self) -> impl Iterator<Item = (&'b [u8], &'b [u8])> + use<'b> {
        let bytes = self.bytes;
        self.positions
            .iter()
            .map(move |(name, value)| (&bytes[name.clone()], &bytes[value.clone()]))
    }

    /// The values of all fields of this name, which is compared without case (RFC 9110 §5.1).
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'b, 'n> {
        self.iter()
            .filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The first field of this name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&'b [u8]> {
        self.all(name).next()
    }

    /// The only field of this name: `None` where there is none or more than one, so that a field
    /// that must be single is never taken from one of several contradicting lines.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&'b [u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// All fields of this name as one list, as RFC 9110 §5.3 lets them be joined; `None` where there
    /// is none.
    #[must_use]
    pub fn joined(&self, name: &str) -> Option<Vec<u8>> {
        let values: Vec<&[u8]> = self.all(name).collect();
        if values.is_empty() { None } else { Some(values.join(&b", "[..])) }
    }

    /// The members of the comma-separated lists in all fields of this name, trimmed, empty ones left
    /// out (RFC 9110 §5.6.1). For lists of tokens: a comma within a quoted string is not minded.
    pub fn tokens<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'b, 'n> {
        self.all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(trim_whitespace)
            .filter(|member| !member.is_empty())
    }

    /// One of the list's members equals `token` without case.
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(section: &str) -> Result<Vec<(String, String)>, FieldError> {
        let mut table = FieldTable::default();
        table.parse(section.as_bytes(), 0)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(table.over(section.as_bytes()).iter().map(|(n, v)| (text(n), text(v))).collect())
    }

    #[test]
    fn names_and_values_are_found_without_the_space_around_them() {
        let fields = parse("Host: a\r\nX-Empty:\r\nX-Space: \t b c \t\r\n\r\n").unwrap();
        let expected = [("Host", "a"), ("X-Empty", ""), ("X-Space", "b c")];
        assert_eq!(fields, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn what_rfc_9112_forbids_in_a_field_line_is_refused() {
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
            assert_eq!(parse(section), Err(FieldError::Malformed), "{section:?}");
        }
    }

    #[test]
    fn the_number_of_fields_is_limited() {
        let section = |count: usize| "A: b\r\n".repeat(count) + "\r\n";
        assert_eq!(parse(&section(MAX_FIELDS)).unwrap().len(), MAX_FIELDS);
        assert_eq!(parse(&section(MAX_FIELDS + 1)), Err(FieldError::TooMany));
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
