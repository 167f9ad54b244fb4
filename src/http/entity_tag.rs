//! Entity tags (RFC 9110 §8.8.3): parsing, comparison, and the tag of a file.
//!
//! [`EntityTag`] borrows a tag from a field. [`FileTag`] holds a tag made by the server in a fixed array,
//! because every response needs one. [`conditional`](super::conditional) acts on the comparisons.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::time::{SystemTime, UNIX_EPOCH};

use super::coding::Coding;
use super::syntax::trim_whitespace;

/// Whether equal tags guarantee equal bytes (RFC 9110 §8.8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Equal tags mean identical bytes.
    Strong,
    /// Marked `W/`: equal tags mean equivalent content; its bytes may differ.
    Weak,
}

/// One entity tag, borrowed from a field value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    strength: Strength,
    /// The characters between the quotes.
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Parses a value that is exactly one tag, such as that of `ETag`.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        Self::split_first(value).and_then(|(tag, rest)| rest.is_empty().then_some(tag))
    }

    /// The tags of a comma-separated list such as that of `If-None-Match`, up to the first syntax error.
    pub fn list(value: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut rest = value;
        std::iter::from_fn(move || {
            let start = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','))?;
            let next = Self::split_first(&rest[start..])
                .map(|(tag, after)| (tag, trim_whitespace(after)))
                .filter(|(_, after)| matches!(after.first(), None | Some(b',')));
            rest = next.map_or(&[], |(_, after)| after);
            next.map(|(tag, _)| tag)
        })
    }

    /// The tag at the start of `input`, and the rest of `input`.
    fn split_first(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (strength, quoted) = match input.strip_prefix(b"W/") {
            Some(quoted) => (Strength::Weak, quoted),
            None => (Strength::Strong, input),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        // A tag is not a quoted-string: a backslash is an ordinary character.
        let end = inner.iter().position(|byte| *byte == b'"')?;
        let (opaque, rest) = (&inner[..end], &inner[end + 1..]);
        let is_allowed = |byte: &u8| matches!(byte, 0x21..=0x7e | 0x80..);
        opaque.iter().all(is_allowed).then_some((Self { strength, opaque }, rest))
    }

    /// Whether the tag is marked weak.
    #[must_use]
    pub fn strength(&self) -> Strength {
        self.strength
    }

    /// Strong comparison: the tags are equal and neither is weak (RFC 9110 §8.8.3.2).
    #[must_use]
    pub fn strongly_equals(&self, other: &EntityTag<'_>) -> bool {
        self.strength == Strength::Strong
            && other.strength == Strength::Strong
            && self.opaque == other.opaque
    }

    /// Weak comparison: the tags are equal, whether or not they are weak (RFC 9110 §8.8.3.2).
    #[must_use]
    pub fn weakly_equals(&self, other: &EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// The longest tag: two numbers of 16 hexadecimal digits, a hyphen, two quotes, and a hyphen with the
/// longest coding name.
const FILE_TAG_BYTES: usize = 2 * 16 + 1 + 2 + 1 + 4;

/// The strong entity tag of a file, such as `"e-18a3f0c2d4e5f607"`. It ends in `-gzip` or another
/// coding's name if the precompressed file is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FileTag {
    text: [u8; FILE_TAG_BYTES],
    length: usize,
}

/// The attributes of a file that change with its content (stat(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileVersion {
    /// The inode number; changes when the file is replaced.
    pub inode: u64,
    /// The size in bytes.
    pub size: u64,
    /// The last modification of the content (mtime). Programs can set it.
    pub modified: SystemTime,
    /// The last change of content or metadata (ctime). Programs cannot set it.
    pub changed: SystemTime,
}

impl FileTag {
    /// Makes the tag from all attributes, so that it changes even if a file is rewritten in place with the
    /// same size and modification time. It also changes with the file's mode or name. The tag of a
    /// precompressed file ends in the name of its coding, so it never equals that of the plain file.
    ///
    /// The inode number is hashed together with the times, because security scanners report servers that
    /// disclose it (CVE-2003-1418).
    #[must_use]
    pub fn new(version: FileVersion, coding: Coding) -> Self {
        let mut tag = Self { text: [0; FILE_TAG_BYTES], length: 0 };
        let mut state = DefaultHasher::new();
        state.write_u64(version.inode);
        state.write_u64(nanoseconds(version.modified));
        state.write_u64(nanoseconds(version.changed));
        tag.push(b"\"");
        tag.push_hexadecimal(version.size);
        tag.push(b"-");
        tag.push_hexadecimal(state.finish());
        if coding != Coding::Identity {
            tag.push(b"-");
            tag.push(coding.token().as_bytes());
        }
        tag.push(b"\"");
        tag
    }

    /// The value of `ETag` in ASCII, with its quotes.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text[..self.length]
    }

    /// The tag in the form that can be compared.
    #[must_use]
    pub fn tag(&self) -> EntityTag<'_> {
        EntityTag { strength: Strength::Strong, opaque: &self.text[1..self.length - 1] }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.text[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn push_hexadecimal(&mut self, number: u64) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let octets = number.to_be_bytes();
        let nibbles = octets.iter().flat_map(|octet| [octet >> 4, octet & 0xf]);
        let mut significant = false;
        for (index, nibble) in nibbles.enumerate() {
            significant |= nibble != 0 || index == 15;
            if significant {
                self.push(&[DIGITS[usize::from(nibble)]]);
            }
        }
    }
}

impl fmt::Debug for FileTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileTag({})", self.text().escape_ascii())
    }
}

/// Nanoseconds since 1970, modulo 2⁶⁴ (584 years).
fn nanoseconds(time: SystemTime) -> u64 {
    let count = |duration: std::time::Duration| {
        let seconds = duration.as_secs().wrapping_mul(1_000_000_000);
        seconds.wrapping_add(u64::from(duration.subsec_nanos()))
    };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => count(after),
        Err(before) => count(before.duration()).wrapping_neg(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn one_tag_is_read_exactly() {
        for (text, expected) in [
            (r#""abc""#, Some((Strength::Strong, "abc"))),
            (r#"W/"abc""#, Some((Strength::Weak, "abc"))),
            (r#""""#, Some((Strength::Strong, ""))),
            (r#""a,b\""#, Some((Strength::Strong, "a,b\\"))),
            (r#""*""#, Some((Strength::Strong, "*"))),
            ("\"\u{e9}\"", Some((Strength::Strong, "\u{e9}"))),
            (r#"w/"abc""#, None),
            (r#"W/ "abc""#, None),
            ("abc", None),
            (r#""abc"#, None),
            (r#"abc""#, None),
            (r#""a b""#, None),
            (r#""a"b""#, None),
            (r#""a", "b""#, None),
            ("\"a\tb\"", None),
            ("*", None),
            ("W/", None),
            ("", None),
        ] {
            let tag = EntityTag::parse(text.as_bytes());
            let expected = expected.map(|(strength, opaque): (_, &str)| EntityTag {
                strength,
                opaque: opaque.as_bytes(),
            });
            assert_eq!(tag, expected, "{text}");
        }
    }

    #[test]
    fn a_list_is_read_up_to_its_first_error() {
        for (text, expected) in [
            (r#""a""#, &["a"][..]),
            (r#" , "a,b" ,W/"c",, "d","#, &["a,b", "c", "d"]),
            (r#""a", b, "c""#, &["a"]),
            (r#""a"x, "c""#, &[]),
            (r#""a" "c""#, &[]),
            (r#""a", "c"#, &["a"]),
            ("*", &[]),
            (" ,, ", &[]),
            ("", &[]),
        ] {
            let tags: Vec<_> = EntityTag::list(text.as_bytes()).map(|tag| tag.opaque).collect();
            let expected: Vec<_> = expected.iter().map(|opaque| opaque.as_bytes()).collect();
            assert_eq!(tags, expected, "{text}");
        }
    }

    #[test]
    fn tags_compare_as_in_the_table_of_rfc_9110() {
        for (one, other, strongly, weakly) in [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
            (r#""1""#, r#""2""#, false, false),
        ] {
            let parse = |text: &'static str| EntityTag::parse(text.as_bytes()).unwrap();
            let (left, right) = (parse(one), parse(other));
            assert_eq!(left.strongly_equals(&right), strongly, "{one} {other}");
            assert_eq!(right.strongly_equals(&left), strongly, "{other} {one}");
            assert_eq!(left.weakly_equals(&right), weakly, "{one} {other}");
        }
    }

    #[test]
    fn a_files_tag_changes_with_each_attribute() {
        let time = UNIX_EPOCH + Duration::new(1, 5);
        let version = FileVersion { inode: 0x1a2b, size: 14, modified: time, changed: time };
        let first = FileTag::new(version, Coding::Identity);
        assert_eq!(first, FileTag::new(version, Coding::Identity));
        let later = time + Duration::from_nanos(1);
        let before = UNIX_EPOCH - Duration::new(1, 5);
        for other in [
            FileTag::new(FileVersion { inode: 0x1a2c, ..version }, Coding::Identity),
            FileTag::new(FileVersion { size: 15, ..version }, Coding::Identity),
            FileTag::new(FileVersion { modified: later, ..version }, Coding::Identity),
            FileTag::new(FileVersion { modified: before, ..version }, Coding::Identity),
            FileTag::new(FileVersion { changed: later, ..version }, Coding::Identity),
            FileTag::new(version, Coding::Gzip),
        ] {
            assert_ne!(first, other);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = EntityTag::parse(&value);
            let _ = EntityTag::list(&value).count();
        }

        #[test]
        fn any_text_of_tags_is_read_without_panic(value in "[\"W/a, *\\\\]{0,20}") {
            for tag in EntityTag::list(value.as_bytes()) {
                prop_assert!(!tag.opaque.contains(&b'"'));
            }
        }

        #[test]
        fn any_files_tag_is_a_strong_tag(inode: u64, size: u64, after: u64) {
            let time = UNIX_EPOCH + Duration::from_nanos(after);
            for coding in [Coding::Identity, Coding::Gzip, Coding::Brotli, Coding::Zstd] {
                let version = FileVersion { inode, size, modified: time, changed: time };
                let tag = FileTag::new(version, coding);
                let expected = format!("{size:x}-");
                prop_assert!(tag.tag().opaque.starts_with(expected.as_bytes()));
                prop_assert!(EntityTag::parse(tag.text()).unwrap().strongly_equals(&tag.tag()));
            }
        }
    }
}
