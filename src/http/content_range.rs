//! `Content-Range` (RFC 9110 §14.4): which part of a representation a response carries.
//!
//! The server writes the field and the client parses it. Parsing is strict, because a client that
//! resumes a download must know where the bytes belong.

use std::fmt;

use super::range::ByteRange;
use super::syntax::parse_decimal;

/// The value of a `Content-Range` field in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// In a 206: the position of the content in the representation.
    Satisfied {
        range: ByteRange,
        /// The length of the representation in bytes; `None` if the sender wrote `*` (unknown).
        complete_length: Option<u64>,
    },
    /// In a 416: the length of the representation in bytes; no requested range lies within it.
    Unsatisfied { complete_length: u64 },
}

impl ContentRange {
    /// Parses a field value. `None` if it is malformed, its unit is not bytes, its range is not within
    /// the complete length, or a number does not fit into 64 bits.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (unit, value) = value.split_at_checked(b"bytes ".len())?;
        if !unit.eq_ignore_ascii_case(b"bytes ") {
            return None;
        }
        let (range, complete_length) = split_once(value, b'/')?;
        if range == b"*" {
            return Some(Self::Unsatisfied { complete_length: parse_decimal(complete_length)? });
        }
        let complete_length = match complete_length {
            b"*" => None,
            digits => Some(parse_decimal(digits)?),
        };
        let (first, last) = split_once(range, b'-')?;
        let range = ByteRange { first: parse_decimal(first)?, last: parse_decimal(last)? };
        let is_valid =
            range.first <= range.last && range.last < complete_length.unwrap_or(u64::MAX);
        is_valid.then_some(Self::Satisfied { range, complete_length })
    }
}

fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// The field's value.
impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Satisfied { range, complete_length: Some(length) } => {
                write!(f, "bytes {}-{}/{length}", range.first, range.last)
            }
            Self::Satisfied { range, complete_length: None } => {
                write!(f, "bytes {}-{}/*", range.first, range.last)
            }
            Self::Unsatisfied { complete_length } => write!(f, "bytes */{complete_length}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn satisfied(first: u64, last: u64, complete_length: Option<u64>) -> ContentRange {
        ContentRange::Satisfied { range: ByteRange { first, last }, complete_length }
    }

    #[test]
    fn a_content_range_is_parsed_and_written() {
        for (text, expected) in [
            ("bytes 0-0/1", satisfied(0, 0, Some(1))),
            ("bytes 42-1233/1234", satisfied(42, 1233, Some(1234))),
            ("bytes 42-1233/*", satisfied(42, 1233, None)),
            ("bytes */1234", ContentRange::Unsatisfied { complete_length: 1234 }),
            ("bytes */0", ContentRange::Unsatisfied { complete_length: 0 }),
        ] {
            assert_eq!(ContentRange::parse(text.as_bytes()), Some(expected), "{text}");
            assert_eq!(expected.to_string(), text);
        }
        assert_eq!(ContentRange::parse(b"Bytes 0-0/1"), Some(satisfied(0, 0, Some(1))));
    }

    #[test]
    fn other_values_are_not_parsed() {
        for text in [
            "",
            "bytes",
            "bytes ",
            "bytes 0-0",
            "bytes 0/1",
            "bytes */*",
            "bytes *",
            "bytes 1-0/2",
            "bytes 0-1/1",
            "bytes 0-0/0",
            "bytes -1/2",
            "bytes 0-/2",
            "bytes +0-1/2",
            "bytes 0-1/2 ",
            "bytes 0 - 1/2",
            "bytes  0-1/2",
            "bytes=0-1/2",
            "0-1/2",
            "lines 0-1/2",
            "bytes 0-1/2/3",
            "bytes 0-1/2, bytes 0-1/2",
            "bytes 0-18446744073709551615/*",
            "bytes 0-1/18446744073709551616",
        ] {
            assert_eq!(ContentRange::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..30)) {
            let _ = ContentRange::parse(&value);
            let _ = ContentRange::parse(&[&b"bytes "[..], &value].concat());
        }

        #[test]
        fn a_parsed_range_is_not_empty(text in "bytes [0-9*]{0,20}-?[0-9]{0,20}/[0-9*]{0,20}") {
            if let Some(ContentRange::Satisfied { range, .. }) = ContentRange::parse(text.as_bytes()) {
                prop_assert!(range.length() > 0);
            }
        }

        #[test]
        fn a_written_value_is_parsed_again(first: u64, more: u64, rest: u64) {
            let last = first.saturating_add(more).min(u64::MAX - 1);
            let first = first.min(last);
            let content_range = satisfied(first, last, Some(last.saturating_add(rest).max(last + 1)));
            prop_assert_eq!(
                ContentRange::parse(content_range.to_string().as_bytes()),
                Some(content_range)
            );
        }
    }
}
