//! Text or not: a look at the beginning of a file whose name does not tell.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How much of a file is looked at.
const SNIFFED_BYTES: usize = 512;

/// Whether the beginning of the file is UTF-8 without the control bytes that no text has. The file's
/// own position stays where it is.
pub(super) fn is_text(file: &File) -> io::Result<bool> {
    let mut buffer = [0; SNIFFED_BYTES];
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(looks_like_text(&buffer[..filled]))
}

fn looks_like_text(beginning: &[u8]) -> bool {
    let is_utf8 = match std::str::from_utf8(beginning) {
        Ok(_) => true,
        // A character that the end of the look cuts in two.
        Err(error) => beginning.len() == SNIFFED_BYTES && error.error_len().is_none(),
    };
    is_utf8 && !beginning.iter().copied().any(is_binary)
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

    #[test]
    fn text_is_told_from_what_is_none() {
        let cut = |character: &str| {
            let mut text = "a".repeat(SNIFFED_BYTES - 1);
            text.push_str(character);
            text.into_bytes()
        };
        for (content, expected) in [
            (b"".to_vec(), true),
            (b"all:\n\tcc -o a a.c\r\n".to_vec(), true),
            ("\u{feff}gr\u{fc}n \u{1f600}\x1b[0m\x0c".into(), true),
            (b"\x7fELF\x02\x01".to_vec(), false),
            (b"a\0b".to_vec(), false),
            (b"gr\xfcn".to_vec(), false),
            (b"ends early \xc3".to_vec(), false),
            (cut("\u{fc}"), true),
            (cut("\u{1f600}"), true),
            (cut("\0"), false),
            ([cut("b"), vec![0]].concat(), true),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&content).unwrap();
            std::io::Seek::rewind(&mut file).unwrap();
            assert_eq!(is_text(&file).unwrap(), expected, "{}", content.escape_ascii());
            let mut rest = Vec::new();
            file.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, content, "the position has moved");
        }
    }
}
