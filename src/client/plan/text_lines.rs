//! The lines of a list, as people's tools write them.
//!
//! UTF-8 with or without a byte order mark, or UTF-16 with one; LF, CRLF or CR behind a line. A line that
//! is no text, or too long, is reported in its place, and the lines behind it are read. What a line says
//! is decided by `input_list` and `checksum_list`.

use std::io::{self, BufRead, Chain, Cursor, Read};
use std::mem;

use thiserror::Error;

use crate::client::redact::redacted_reference;

/// Longest line of a list in bytes, its end left out; no URL that a server takes is as long.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// How much of a line that cannot be read is kept for its message, in bytes.
const EXCERPT_BYTES: usize = 60;

/// How much of a list's beginning tells what it is.
const START_BYTES: usize = 6;

/// What compressed files begin with.
const COMPRESSED: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
];

const BYTE_ORDER_MARK: char = '\u{feff}';
const LF: u16 = b'\n' as u16;
const CR: u16 = b'\r' as u16;
const LONE_SURROGATE: u16 = 0xdc00;

/// Why a list cannot be read.
#[derive(Debug, Error)]
pub enum ListError {
    #[error("cannot read the list")]
    Io(#[source] io::Error),
    /// The list is compressed in this format.
    #[error("the list is compressed ({0}): decompress it first")]
    Compressed(&'static str),
    /// The list has NUL bytes near its beginning, and no byte order mark of UTF-16.
    #[error(
        "the list has NUL bytes: it is UTF-16 without a byte order mark, UTF-32, or no text at all \
         (convert it to UTF-8, such as with iconv)"
    )]
    NulBytes,
}

/// How the characters of a list are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16(ByteOrder),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByteOrder {
    LittleEndian,
    BigEndian,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadLine {
    /// What the line should be: its list's encoding, or else text, as it has NUL characters. U+FFFD stands
    /// for what is no character.
    NotText { expected: &'static str, text: String },
    /// Longer than [`MAX_LINE_BYTES`]; this is its beginning.
    TooLong { beginning: String },
}

/// A line with its number, counted from 1.
pub(super) type NumberedLine = (usize, Result<String, BadLine>);

/// Reads a list line by line, in memory of one line's length.
#[derive(Debug)]
pub(super) struct TextLines<R> {
    list: Chain<Cursor<Vec<u8>>, R>,
    encoding: Encoding,
    number: usize,
    /// The last line ended with CR, to which an LF may belong.
    is_after_cr: bool,
    /// The last line was too long, and its rest has not been read.
    is_in_long_line: bool,
}

/// What comes next.
enum Step {
    /// A byte of UTF-8, or a unit of UTF-16.
    Unit(u16),
    LineEnd,
    ListEnd,
}

impl<R: BufRead> TextLines<R> {
    /// Begins a list, whose first bytes tell its encoding.
    ///
    /// # Errors
    /// The reader's, or the list is no text.
    pub(super) fn new(mut list: R) -> Result<Self, ListError> {
        let mut start = Vec::new();
        list.by_ref().take(START_BYTES as u64).read_to_end(&mut start).map_err(ListError::Io)?;
        if let Some((_, format)) = COMPRESSED.iter().find(|(magic, _)| start.starts_with(magic)) {
            return Err(ListError::Compressed(format));
        }
        let (encoding, mark_bytes) = match &start[..] {
            // That of UTF-32, which begins like UTF-16.
            [0xff, 0xfe, 0, 0, ..] => return Err(ListError::NulBytes),
            [0xff, 0xfe, ..] => (Encoding::Utf16(ByteOrder::LittleEndian), 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16(ByteOrder::BigEndian), 2),
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
            start if start.contains(&0) => return Err(ListError::NulBytes),
            _ => (Encoding::Utf8, 0),
        };
        start.drain(..mark_bytes);
        Ok(Self {
            list: Cursor::new(start).chain(list),
            encoding,
            number: 0,
            is_after_cr: false,
            is_in_long_line: false,
        })
    }

    /// The next line without its end; `None` at the end of the list.
    ///
    /// # Errors
    /// The reader's.
    pub(super) fn next_line(&mut self) -> io::Result<Option<NumberedLine>> {
        if mem::take(&mut self.is_in_long_line) {
            while matches!(self.step()?, Step::Unit(_)) {}
        }
        let mut units = Vec::new();
        loop {
            match self.step()? {
                Step::Unit(unit) => units.push(unit),
                Step::ListEnd if units.is_empty() => return Ok(None),
                Step::LineEnd | Step::ListEnd => break,
            }
            if units.len() * self.encoding.unit_bytes() > MAX_LINE_BYTES {
                self.is_in_long_line = true;
                break;
            }
        }
        self.number += 1;
        let (text, is_text) = self.encoding.decode(&units);
        // A list that is put together of several has the marks of those behind the first as well.
        let text = text.trim_start_matches(BYTE_ORDER_MARK).to_owned();
        let line = if self.is_in_long_line {
            Err(BadLine::TooLong { beginning: excerpt(&redacted_reference(&text)) })
        } else if !is_text {
            Err(BadLine::NotText { expected: self.encoding.name(), text })
        } else if text.contains('\0') {
            Err(BadLine::NotText { expected: "text", text })
        } else {
            Ok(text)
        };
        Ok(Some((self.number, line)))
    }

    fn step(&mut self) -> io::Result<Step> {
        loop {
            let Some(unit) = self.next_unit()? else { return Ok(Step::ListEnd) };
            let is_second_of_crlf = mem::replace(&mut self.is_after_cr, unit == CR) && unit == LF;
            match unit {
                LF if is_second_of_crlf => {}
                LF | CR => return Ok(Step::LineEnd),
                unit => return Ok(Step::Unit(unit)),
            }
        }
    }

    fn next_unit(&mut self) -> io::Result<Option<u16>> {
        let mut bytes = self.list.by_ref().bytes();
        let Some(first) = bytes.next().transpose()? else { return Ok(None) };
        let Encoding::Utf16(order) = self.encoding else { return Ok(Some(first.into())) };
        let second = bytes.next().transpose()?;
        Ok(Some(match (order, second) {
            (ByteOrder::LittleEndian, Some(second)) => u16::from_le_bytes([first, second]),
            (ByteOrder::BigEndian, Some(second)) => u16::from_be_bytes([first, second]),
            // Half a unit is no character either.
            (_, None) => LONE_SURROGATE,
        }))
    }
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16(_) => "UTF-16",
        }
    }

    fn unit_bytes(self) -> usize {
        match self {
            Self::Utf8 => 1,
            Self::Utf16(_) => 2,
        }
    }

    /// The text, and whether all units of it are characters; those that are not become U+FFFD.
    fn decode(self, units: &[u16]) -> (String, bool) {
        match self {
            Self::Utf8 => {
                let octets: Vec<u8> = units.iter().map(|unit| unit.to_le_bytes()[0]).collect();
                match String::from_utf8(octets) {
                    Ok(text) => (text, true),
                    Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
                }
            }
            Self::Utf16(_) => match String::from_utf16(units) {
                Ok(text) => (text, true),
                Err(_) => (String::from_utf16_lossy(units), false),
            },
        }
    }
}

/// The beginning of a line, for a message.
pub(super) fn excerpt(text: &str) -> String {
    if text.len() <= EXCERPT_BYTES {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(EXCERPT_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(list: &[u8]) -> Vec<NumberedLine> {
        let mut lines = TextLines::new(list).unwrap();
        std::iter::from_fn(|| lines.next_line().unwrap()).collect()
    }

    fn texts(list: &[u8]) -> Vec<String> {
        let numbered = lines(list).into_iter().enumerate();
        let text = |(index, (number, line)): (usize, (usize, Result<_, _>))| {
            assert_eq!(number, index + 1);
            line.unwrap()
        };
        numbered.map(text).collect()
    }

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn lines_end_with_lf_crlf_or_cr_and_the_last_one_need_not() {
        for (list, expected) in [
            ("", &[][..]),
            ("\n", &[""]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\nb\n\nc", &["a", "b", "", "c"]),
            ("a\r\nb\r\n\r\nc\r\n", &["a", "b", "", "c"]),
            ("a\rb\r\rc\r", &["a", "b", "", "c"]),
            ("a\n\rb", &["a", "", "b"]),
            (" a \t\n", &[" a \t"]),
            ("\u{feff}a\n\u{feff}b\u{feff}", &["a", "b\u{feff}"]),
        ] {
            assert_eq!(texts(list.as_bytes()), expected, "{list:?}");
            for order in [u16::to_le_bytes as fn(u16) -> _, u16::to_be_bytes] {
                let list = utf16(&format!("\u{feff}{list}"), order);
                assert_eq!(texts(&list), expected, "{list:?}");
            }
        }
    }

    #[test]
    fn utf_16_has_a_mark_and_any_character() {
        let text = "a\u{a0a}\u{d0d}\u{1f600}é";
        for order in [u16::to_le_bytes as fn(u16) -> _, u16::to_be_bytes] {
            assert_eq!(texts(&utf16(&format!("\u{feff}{text}\nb"), order)), [text, "b"]);
        }
    }

    #[test]
    fn what_is_no_text_is_reported_in_its_place() {
        let not_text = |expected, text: &str| Err(BadLine::NotText { expected, text: text.into() });
        assert_eq!(
            lines(b"a\nb\xff\xe9\nc\nlonger\0d\0"),
            [
                (1, Ok("a".into())),
                (2, not_text("UTF-8", "b\u{fffd}\u{fffd}")),
                (3, Ok("c".into())),
                (4, not_text("text", "longer\0d\0"))
            ]
        );
        // A lone surrogate, and half a unit at the end.
        assert_eq!(
            lines(b"\xff\xfea\0\n\0b\0\0\xd8\n\0c\0\n\0d"),
            [
                (1, Ok("a".into())),
                (2, not_text("UTF-16", "b\u{fffd}")),
                (3, Ok("c".into())),
                (4, not_text("UTF-16", "\u{fffd}"))
            ]
        );
    }

    #[test]
    fn a_line_has_a_limit_and_those_behind_it_are_read() {
        for end in ["\n", "\r\n", "\r"] {
            for (length, fits) in
                [(MAX_LINE_BYTES - 1, true), (MAX_LINE_BYTES, true), (MAX_LINE_BYTES + 1, false)]
            {
                let found = lines(
                    format!("{}{end}b{end}", "é".repeat(length / 2) + &"x".repeat(length % 2))
                        .as_bytes(),
                );
                assert_eq!(found[0].1.is_ok(), fits, "{length} {end:?}");
                assert_eq!(found[1..], [(2, Ok("b".into()))], "{length} {end:?}");
            }
        }
        let found = lines("é".repeat(MAX_LINE_BYTES).as_bytes());
        let beginning = "é".repeat(EXCERPT_BYTES / 2) + "…";
        assert_eq!(found, [(1, Err(BadLine::TooLong { beginning }))]);
        for (length, fits) in [(MAX_LINE_BYTES / 2, true), (MAX_LINE_BYTES / 2 + 1, false)] {
            let list = utf16(&format!("\u{feff}{}\nb", "x".repeat(length)), u16::to_be_bytes);
            let found = lines(&list);
            assert_eq!((found[0].1.is_ok(), &found[1]), (fits, &(2, Ok("b".into()))));
        }
    }

    #[test]
    fn a_line_without_an_end_is_reported_at_its_limit() {
        let mut lines = TextLines::new(io::BufReader::new(io::repeat(b'x'))).unwrap();
        let (number, line) = lines.next_line().unwrap().unwrap();
        assert!(number == 1 && matches!(line, Err(BadLine::TooLong { .. })), "{line:?}");
    }

    #[test]
    fn what_is_no_list_of_text_is_named_for_what_it_is() {
        for (list, expected) in [
            (&b"\x1f\x8b\x08\0\0"[..], "compressed (gzip)"),
            (b"\xfd7zXZ\0\0", "compressed (xz)"),
            (b"h\0t\0t\0p\0", "UTF-16 without a byte order mark"),
            (b"\0h\0t\0t\0p", "UTF-16 without a byte order mark"),
            (b"\xff\xfe\0\0h\0\0\0", "UTF-32"),
            (b"\0\0\xfe\xff", "UTF-32"),
        ] {
            let error = TextLines::new(list).unwrap_err();
            assert!(error.to_string().contains(expected), "{list:?}: {error}");
        }
    }
}
