//! Percent-encoding (RFC 3986 §2.1) of path segments, and its validation.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// The bytes of a path segment that are encoded: all but the unreserved characters (RFC 3986 §2.3), as in
/// nginx's listings. More characters are allowed, but clients that read listings treat them differently:
/// some decode `+` as a space, and some drop references that begin with a punctuation mark.
pub(super) const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes a path segment for a URL. The result is also valid as a relative reference.
#[must_use]
pub fn encode_segment(segment: &[u8]) -> String {
    percent_encode(segment, SEGMENT).to_string()
}

/// Whether every percent sign is followed by two hexadecimal digits (RFC 3986 §2.1).
pub(super) fn is_percent_encoded(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'%').skip(1).all(|rest| {
        matches!(rest, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_segment_has_only_unreserved_characters() {
        let name: Vec<u8> = (1..=255).filter(|byte| *byte != b'/').collect();
        let encoded = encode_segment(&name);
        let plain: String = encoded.split('%').map(|part| part.get(2..).unwrap_or(part)).collect();
        assert_eq!(plain, "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~");
        assert_eq!(encode_segment("a+b:\u{e4}".as_bytes()), "a%2Bb%3A%C3%A4");
    }
}
