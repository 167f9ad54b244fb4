//! The lines of a list in UTF-8, or in UTF-16 with a byte order mark; lines end with LF, CRLF or CR.
//!
//! A line that is too long or not text is reported in its place, and the lines after it are read.
//! `input_list` and `checksum_list` parse the lines.

use std::io::{self, BufRead, Chain, Cursor, Read};
use std::mem;

use thiserror::Error;

use crate::client::redact::redacted_reference;

/// The longest line of a list in bytes, without its end; longer than any URL that servers accept.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// The length of the excerpt of a line in a message, in bytes.
const EXCERPT_BYTES: usize = 60;

/// How many bytes of a list tell its encoding or format.
const START_BYTES: usize = 6;

/// The first bytes of compressed files.
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

/// The encoding of a list.
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
    /// `expected` is the encoding of the list, or "text" for a line with NUL characters. U+FFFD replaces what
    /// cannot be decoded.
    NotText { expected: &'static str, text: String },
    /// Longer than [`MAX_LINE_BYTES`].
    TooLong { beginning: String },
}

/// A line and its number, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NumberedLine {
    pub(super) number: usize,
    pub(super) text: Result<String, BadLine>,
}

/// Reads a list line by line, in memory for one line.
#[derive(Debug)]
pub(super) struct TextLines<R> {
    list: Chain<Cursor<Vec<u8>>, R>,
    encoding: Encoding,
    /// The line that is being read.
    units: Vec<u16>,
    number: usize,
    /// True if the last line ended with CR, which an LF may follow.
    is_after_cr: bool,
    /// True if the last line was too long, and its rest has not been read.
    is_in_long_line: bool,
}

/// The next item of a list.
enum Step {
    /// A byte of UTF-8 or a code unit of UTF-16.
    Unit(u16),
    LineEnd,
    ListEnd,
}

impl<R: BufRead> TextLines<R> {
    /// Reads the beginning of a list, which tells its encoding.
    ///
    /// # Errors
    /// If the reader fails or the list is not text.
    pub(super) fn new(mut list: R) -> Result<Self, ListError> {
        let mut start = Vec::new();
        list.by_ref().take(START_BYTES as u64).read_to_end(&mut start).map_err(ListError::Io)?;
        if let Some((_, format)) = COMPRESSED.iter().find(|(magic, _)| start.starts_with(magic)) {
            return Err(ListError::Compressed(format));
        }
        let (encoding, mark_bytes) = match &start[..] {
            // The mark of UTF-32 begins like that of UTF-16.
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
            units: Vec::new(),
            number: 0,
            is_after_cr: false,
            is_in_long_line: false,
        })
    }

    /// The next line without its end; `None` at the end of the list.
    ///
    /// # Errors
    /// If the reader fails.
    pub(super) fn next_line(&mut self) -> io::Result<Option<NumberedLine>> {
        if mem::take(&mut self.is_in_long_line) {
            while matches!(self.step()?, Step::Unit(_)) {}
        }
        self.units.clear();
        loop {
            match self.step()? {
                Step::Unit(unit) => self.units.push(unit),
                Step::ListEnd if self.units.is_empty() => return Ok(None),
                Step::LineEnd | Step::ListEnd => break,
            }
            if self.units.len() * self.encoding.unit_bytes() > MAX_LINE_BYTES {
                self.is_in_long_line = true;
                break;
            }
        }
        self.number += 1;
        let (text, is_text) = self.encoding.decode(&self.units);
        // Lists that were concatenated have a mark before each.
        let text = text.trim_start_matches(BYTE_ORDER_MARK).to_owned();
        let text = if self.is_in_long_line {
            Err(BadLine::TooLong { beginning: excerpt(&redacted_reference(&text)) })
        } else if !is_text {
            Err(BadLine::NotText { expected: self.encoding.name(), text })
        } else if text.contains('\0') {
            Err(BadLine::NotText { expected: "text", text })
        } else {
            Ok(text)
        };
        Ok(Some(NumberedLine { number: self.number, text }))
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
            // Half a code unit is not a character.
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

    /// The text, and whether all of it could be decoded. U+FFFD replaces what could not.
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

/// The beginning of a line for a message.
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

    fn line(number: usize, text: Result<&str, BadLine>) -> NumberedLine {
        NumberedLine { number, text: text.map(str::to_owned) }
    }

    fn texts(list: &[u8]) -> Vec<String> {
        let numbered = lines(list).into_iter().enumerate();
        let text = |(index, line): (usize, NumberedLine)| {
            assert_eq!(line.number, index + 1);
            line.text.unwrap()
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
                line(1, Ok("a")),
                line(2, not_text("UTF-8", "b\u{fffd}\u{fffd}")),
                line(3, Ok("c")),
                line(4, not_text("text", "longer\0d\0"))
            ]
        );
        // A lone surrogate, and half a unit at the end.
        assert_eq!(
            lines(b"\xff\xfea\0\n\0b\0\0\xd8\n\0c\0\n\0d"),
            [
                line(1, Ok("a")),
                line(2, not_text("UTF-16", "b\u{fffd}")),
                line(3, Ok("c")),
                line(4, not_text("UTF-16", "\u{fffd}"))
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
                assert_eq!(found[0].text.is_ok(), fits, "{length} {end:?}");
                assert_eq!(found[1..], [line(2, Ok("b"))], "{length} {end:?}");
            }
        }
        let found = lines("é".repeat(MAX_LINE_BYTES).as_bytes());
        let beginning = "é".repeat(EXCERPT_BYTES / 2) + "…";
        assert_eq!(found, [line(1, Err(BadLine::TooLong { beginning }))]);
        for (length, fits) in [(MAX_LINE_BYTES / 2, true), (MAX_LINE_BYTES / 2 + 1, false)] {
            let list = utf16(&format!("\u{feff}{}\nb", "x".repeat(length)), u16::to_be_bytes);
            let found = lines(&list);
            assert_eq!((found[0].text.is_ok(), &found[1]), (fits, &line(2, Ok("b"))));
        }
    }

    #[test]
    fn a_line_without_an_end_is_reported_at_its_limit() {
        let mut lines = TextLines::new(io::BufReader::new(io::repeat(b'x'))).unwrap();
        let line = lines.next_line().unwrap().unwrap();
        assert!(line.number == 1 && matches!(line.text, Err(BadLine::TooLong { .. })), "{line:?}");
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
