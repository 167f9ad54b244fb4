//! Detects from the beginning of a file whether it is text, and whether text is UTF-8.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How many bytes of a file are examined.
const SAMPLE_BYTES: usize = 4 * 1024;

/// The first bytes of a file, at most [`SAMPLE_BYTES`]; by default none.
#[derive(Debug, Default)]
pub(super) struct Sample<'c> {
    bytes: Cow<'c, [u8]>,
}

impl<'c> Sample<'c> {
    /// The first bytes of this content.
    pub(super) fn of(content: &'c [u8]) -> Self {
        Self { bytes: Cow::Borrowed(&content[..content.len().min(SAMPLE_BYTES)]) }
    }

    /// Reads the first bytes of a file without moving its position.
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let (mut bytes, mut length) = (vec![0; SAMPLE_BYTES], 0);
        while length < SAMPLE_BYTES {
            match file.read_at(&mut bytes[length..], length as u64) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(length);
        Ok(Self { bytes: Cow::Owned(bytes) })
    }

    /// Whether it is valid UTF-8 and not an encoding that looks like it: NUL bytes occur in UTF-16 and UTF-32,
    /// and `ESC $` in ISO-2022-JP (RFC 1468) and its relatives, which consist of ASCII bytes.
    pub(super) fn is_utf8(&self) -> bool {
        let is_valid = match std::str::from_utf8(&self.bytes) {
            Ok(_) => true,
            // The end of the sample may split a character.
            Err(error) => self.bytes.len() == SAMPLE_BYTES && error.error_len().is_none(),
        };
        let has_escape = self.bytes.contains(&b'\x1b');
        is_valid
            && !self.bytes.contains(&0)
            && !(has_escape && self.bytes.windows(2).any(|pair| pair == b"\x1b$"))
    }

    /// Whether it is UTF-8 without control bytes that text does not have.
    pub(super) fn is_text(&self) -> bool {
        self.is_utf8() && !self.bytes.iter().copied().any(is_binary)
    }
}

/// The control bytes that make a resource binary (WHATWG MIME Sniffing §3): all but tab, line feed,
/// form feed, carriage return and escape.
const fn is_binary(byte: u8) -> bool {
    matches!(byte, 0x00..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// The sample of a file with this content; checks that the position is not moved.
    fn sample_of(content: &[u8]) -> Sample<'static> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let sample = Sample::read(&file).unwrap();
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, content, "the position has moved");
        sample
    }

    #[test]
    fn text_and_utf8_are_told_from_what_is_none() {
        let cut = |character: &[u8]| [&[b'a'; SAMPLE_BYTES - 1], character].concat();
        for (content, is_text, is_utf8) in [
            (b"".to_vec(), true, true),
            (b"all:\n\tcc -o a a.c\r\n".to_vec(), true, true),
            ("\u{feff}gr\u{fc}n \u{1f600}\x1b[0m\x0c".into(), true, true),
            ("a bell \x07".into(), false, true),
            (b"\x7fELF\x02\x01".to_vec(), false, true),
            (b"a\0b".to_vec(), false, false),
            (b"\xff\xfea\0".to_vec(), false, false),
            (b"gr\xfcn".to_vec(), false, false),
            (b"ends early \xc3".to_vec(), false, false),
            (b"\x1b$BF|K\\8l\x1b(B".to_vec(), false, false),
            (b"\x1b[1mbold\x1b(B\x1b[m".to_vec(), true, true),
            (cut("\u{fc}".as_bytes()), true, true),
            (cut("\u{1f600}".as_bytes()), true, true),
            (cut(b"\xfcber"), false, false),
            (cut(b"\xc3\x28"), true, true),
            (cut(b"\0"), false, false),
            (cut(b"b\0\xff"), true, true),
        ] {
            for sample in [sample_of(&content), Sample::of(&content)] {
                let found = (sample.is_text(), sample.is_utf8());
                assert_eq!(found, (is_text, is_utf8), "{}", content.escape_ascii());
            }
        }
    }
}
