//! SHA-256 of what is saved, and files that say what it should be.
//!
//! The format is that of `sha256sum`: 64 hexadecimal digits, a space, a space or an asterisk, a name.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use sha2::{Digest as _, Sha256};

/// A SHA-256, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        if !rest.is_empty() || pairs.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut octets = [0; 32];
        for (octet, pair) in octets.iter_mut().zip(pairs) {
            *octet = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(octets))
    }

    /// That of a whole file.
    pub(super) fn of_file(file: &mut File) -> io::Result<Self> {
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 64 * 1024];
        file.seek(SeekFrom::Start(0))?;
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                length => hasher.update(&buffer[..length]),
            }
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes content as it comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Hasher(Sha256);

impl Hasher {
    pub(super) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub(super) fn finish(self) -> Checksum {
        Checksum(self.0.finalize().into())
    }
}

/// The checksums of a file in the format of `sha256sum`, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChecksumList {
    by_name: HashMap<Box<str>, Checksum>,
}

impl ChecksumList {
    /// Reads the list; empty lines and comments (`#`) are passed over.
    ///
    /// # Errors
    /// The number of the first line that is of another format, counted from 1.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut by_name = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (digits, name) = line.split_once(' ').ok_or(index + 1)?;
            let name = name.strip_prefix([' ', '*']).filter(|name| !name.is_empty());
            let checksum = Checksum::parse(digits).ok_or(index + 1)?;
            let name = name.ok_or(index + 1)?;
            by_name.insert(name.trim_start_matches("./").into(), checksum);
        }
        Ok(Self { by_name })
    }

    /// What the file of this name in the output directory must have. A list made elsewhere may name it
    /// by its last part alone.
    #[must_use]
    pub fn of(&self, file_name: &str) -> Option<Checksum> {
        let last = file_name.rsplit('/').next().unwrap_or(file_name);
        self.by_name.get(file_name).or_else(|| self.by_name.get(last)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_checksum_is_read_and_shown() {
        let found = Hasher::default().finish();
        assert_eq!(found.to_string(), EMPTY);
        assert_eq!(Checksum::parse(EMPTY), Some(found));
        assert_eq!(Checksum::parse(&EMPTY.to_uppercase()), Some(found));
        for bad in ["", &EMPTY[1..], &format!("{EMPTY}0"), &EMPTY.replace('e', "+")] {
            assert_eq!(Checksum::parse(bad), None, "{bad}");
        }
        let mut hasher = Hasher::default();
        hasher.update(b"abc");
        assert!(hasher.finish().to_string().starts_with("ba7816bf8f01cfea"));
    }

    #[test]
    fn a_list_is_that_of_sha256sum() {
        let text = format!("# made elsewhere\n{EMPTY}  a b.txt\n\n{EMPTY} *./bin\n");
        let list = ChecksumList::parse(&text).unwrap();
        assert!(list.of("a b.txt").is_some() && list.of("host/bin").is_some());
        assert!(list.of("other").is_none());
        for (text, line) in [
            (format!("{EMPTY}  a\nnot a checksum\n"), 2),
            (format!("{EMPTY}  "), 1),
            (format!("{EMPTY} x"), 1),
            ("0  a".to_owned(), 1),
        ] {
            assert_eq!(ChecksumList::parse(&text), Err(line), "{text:?}");
        }
    }
}
