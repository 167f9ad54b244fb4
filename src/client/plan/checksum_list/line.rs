//! One line of a list of checksums.
//!
//! | format | written by |
//! |---|---|
//! | `SUM  NAME`, `SUM *NAME` | sha256sum and its kin, `openssl dgst -r` |
//! | `SUM NAME`, `SUM<tab>NAME` | `sha256 -r` of the BSDs, scripts |
//! | `SHA256 (NAME) = SUM` | `sha256` of the BSDs, `sha256sum --tag` |
//! | `SHA256(NAME)= SUM`, `SHA2-256(NAME)= SUM` | `openssl dgst` up to 1.1 and from 3.0 on |
//! | `SUM` | scripts, for a single file |
//! | `CRC SIZE NAME`, in decimal | `cksum`, `sum` |
//!
//! After a backslash at the beginning of the line, the name is escaped with `\\`, `\n` and `\r` (GNU coreutils
//! manual, "md5sum invocation"). `#` and `;` begin comments.

use crate::client::plan::checksum::{Algorithm, Checksum, ExpectedChecksum};

/// A parsed line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A comment or an empty line.
    Comment,
    /// A comment that names the algorithm of the following sums, such as `# SHA512 HASH`.
    Heading(Tag),
    /// The checksum of this file, or of a file without a name.
    Sum { name: Option<String>, expected: ExpectedChecksum },
    /// A checksum by this unsupported algorithm.
    Unsupported(String),
}

/// The name of an algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Supported(Algorithm),
    Unsupported { name: &'static str, digits: usize },
}

/// Unsupported algorithms and their hexadecimal digits. A sum without an algorithm is taken for the first one
/// of its length.
const UNSUPPORTED: [(&str, usize); 15] = [
    ("CRC32", 8),
    ("MD5", 32),
    ("SHA224", 56),
    ("SHA384", 96),
    ("BLAKE2B", 128),
    ("BLAKE2S", 64),
    ("BLAKE3", 64),
    ("SHA3-224", 56),
    ("SHA3-256", 64),
    ("SHA3-384", 96),
    ("SHA3-512", 128),
    ("SHA512/256", 64),
    ("SM3", 64),
    ("RIPEMD160", 40),
    ("WHIRLPOOL", 128),
];

/// The blanks that separate the parts of a line.
pub(super) const BLANKS: [char; 2] = [' ', '\t'];

/// The least digits of a sum by an unknown algorithm: as many as a CRC-32 has.
const MIN_DIGITS: usize = 8;

/// Parses a line below `heading`. `None` if its format is unknown.
pub(super) fn parse(line: &str, heading: Option<&Tag>) -> Option<Line> {
    let line = line.trim_start();
    if let Some(comment) = line.strip_prefix(['#', ';']) {
        return Some(parse_comment(comment));
    }
    if line.is_empty() {
        return Some(Line::Comment);
    }
    let (line, is_escaped) = match line.strip_prefix('\\') {
        Some(line) => (line, true),
        None => (line, false),
    };
    let parsed = parse_untagged(line, heading)
        .or_else(|| parse_tagged(line, heading))
        .or_else(|| parse_cksum(line))?;
    match parsed {
        Line::Sum { name: Some(name), expected } => {
            let name = if is_escaped { unescape(&name)? } else { name };
            let name = name.trim_start_matches("./");
            let name = match name {
                // Not a file name.
                name if name.is_empty() || name.contains('\0') => return None,
                // Standard input, as coreutils and openssl name it.
                "-" | "stdin" => None,
                name => Some(name.to_owned()),
            };
            Some(Line::Sum { name, expected })
        }
        parsed => Some(parsed),
    }
}

/// A heading is the name of an algorithm and at most one other word.
fn parse_comment(comment: &str) -> Line {
    let mut words = comment.split_whitespace();
    let tag = words.next().and_then(Tag::parse).filter(|_| words.count() <= 1);
    tag.map_or(Line::Comment, Line::Heading)
}

/// `SUM NAME`, or the sum alone.
fn parse_untagged(line: &str, heading: Option<&Tag>) -> Option<Line> {
    let length = line.bytes().take_while(u8::is_ascii_hexdigit).count();
    let (digits, rest) = line.split_at(length);
    let name = if rest.trim_start_matches(BLANKS).is_empty() {
        None
    } else if let Some(name) = rest.strip_prefix('\t') {
        Some(name.trim_start_matches(BLANKS))
    } else {
        let name = rest.strip_prefix(' ')?;
        Some(name.strip_prefix([' ', '*']).unwrap_or(name))
    };
    let heading = heading.filter(|tag| tag.digits() == length);
    match heading.cloned().or_else(|| Tag::of_length(length))? {
        Tag::Supported(algorithm) => {
            let checksum = Checksum::parse(algorithm, digits)?;
            let expected = ExpectedChecksum { checksum, is_algorithm_named: heading.is_some() };
            Some(Line::Sum { name: name.map(str::to_owned), expected })
        }
        Tag::Unsupported { name, .. } => Some(Line::Unsupported(name.to_owned())),
    }
}

/// `SHA256 (NAME) = SUM`. The name may contain parentheses.
fn parse_tagged(line: &str, heading: Option<&Tag>) -> Option<Line> {
    let (tag, rest) = line.split_once('(')?;
    let (name, sum) = rest.rsplit_once(')')?;
    let digits = sum.trim_start_matches(BLANKS).strip_prefix('=')?.trim();
    let tag = tag.trim_end_matches(BLANKS);
    match Tag::parse(tag) {
        Some(Tag::Supported(algorithm)) => {
            let checksum = Checksum::parse(algorithm, digits)?;
            let expected = ExpectedChecksum { checksum, is_algorithm_named: true };
            Some(Line::Sum { name: Some(name.to_owned()), expected })
        }
        // openssl up to 1.1 names no algorithm for its standard input.
        None if (tag, name) == ("", "stdin") => parse_untagged(digits, heading),
        _ => {
            let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
            let is_sum = !tag.is_empty()
                && tag.bytes().all(is_tag)
                && digits.len() >= MIN_DIGITS
                && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_sum.then(|| Line::Unsupported(tag.to_owned()))
        }
    }
}

/// `CRC SIZE NAME`, as `cksum` and `sum` write it.
fn parse_cksum(line: &str) -> Option<Line> {
    let mut words = line.split_ascii_whitespace();
    let is_number = |word: &str| word.parse::<u64>().is_ok() && !word.starts_with('+');
    let is_cksum = words.next().is_some_and(|crc| is_number(crc) && crc.len() <= 10)
        && words.next().is_some_and(is_number)
        && words.next().is_some();
    is_cksum.then(|| Line::Unsupported("CRC".to_owned()))
}

/// Undoes the escapes of a name; `None` if one of them is unknown.
fn unescape(escaped: &str) -> Option<String> {
    let (mut name, mut characters) = (String::with_capacity(escaped.len()), escaped.chars());
    while let Some(character) = characters.next() {
        name.push(match character {
            '\\' => match characters.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            character => character,
        });
    }
    Some(name)
}

impl Tag {
    /// Parses the name of a known algorithm.
    fn parse(tag: &str) -> Option<Self> {
        Some(Self::Supported(match &*tag.to_ascii_uppercase() {
            "SHA1" | "SHA-1" => Algorithm::Sha1,
            "SHA256" | "SHA-256" | "SHA2-256" => Algorithm::Sha256,
            "SHA512" | "SHA-512" | "SHA2-512" => Algorithm::Sha512,
            tag => {
                let (name, digits) = UNSUPPORTED.into_iter().find(|(name, _)| *name == tag)?;
                return Some(Self::Unsupported { name, digits });
            }
        }))
    }

    /// The most likely algorithm of a sum of this length.
    fn of_length(length: usize) -> Option<Self> {
        let supported = Algorithm::ALL.into_iter().find(|known| known.digits() == length);
        supported.map(Self::Supported).or_else(|| {
            let (name, digits) = UNSUPPORTED.into_iter().find(|(_, digits)| *digits == length)?;
            Some(Self::Unsupported { name, digits })
        })
    }

    fn digits(&self) -> usize {
        match self {
            Self::Supported(algorithm) => algorithm.digits(),
            Self::Unsupported { digits, .. } => *digits,
        }
    }
}
