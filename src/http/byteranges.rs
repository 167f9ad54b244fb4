//! `multipart/byteranges` (RFC 9110 §14.6): the framing around the parts of a 206 response.
//!
//! Produces the text before, between and after the parts and computes the total length. The bytes of
//! the parts do not pass through here, so they can be sent from file to socket directly. The caller
//! chooses the boundary, because it must not occur in the content.
//!
//! Every delimiter begins with CRLF, including the first, so the preamble is empty (RFC 2046 §5.1.1).
//! The first CRLF is optional, but nginx and Apache send it and zsync's parser requires it.

use super::content_range::ContentRange;
use super::range::ByteRange;

/// Multipart content, sent as the head and bytes of each part, then the closing delimiter.
#[derive(Clone, Copy, Debug)]
pub struct Byteranges<'a> {
    /// 1 to 70 characters that need no quotes: letters, digits, `'+_-.` (RFC 2046 §5.1.1).
    pub boundary: &'a str,
    /// The media type of the representation; each part repeats it.
    pub content_type: &'a str,
    /// The length of the whole representation in bytes.
    pub complete_length: u64,
    pub ranges: &'a [ByteRange],
}

impl Byteranges<'_> {
    /// The value of the response's `Content-Type`.
    #[must_use]
    pub fn multipart_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// Each range with the head that precedes its bytes.
    pub fn parts(&self) -> impl Iterator<Item = (String, ByteRange)> {
        let Self { boundary, content_type, complete_length, ranges } = *self;
        ranges.iter().map(move |&range| {
            let content_range =
                ContentRange::Satisfied { range, complete_length: Some(complete_length) };
            let head = format!(
                "\r\n--{boundary}\r\n\
                 Content-Type: {content_type}\r\n\
                 Content-Range: {content_range}\r\n\
                 \r\n"
            );
            (head, range)
        })
    }

    /// The delimiter that follows the bytes of the last part.
    #[must_use]
    pub fn closing(&self) -> String {
        format!("\r\n--{}--\r\n", self.boundary)
    }

    /// The response's `Content-Length`: the bytes of all heads, all parts and the closing delimiter.
    #[must_use]
    pub fn content_length(&self) -> u64 {
        let length_of = |text: &str| text.len() as u64;
        let pieces = self.parts().flat_map(|(head, range)| [length_of(&head), range.length()]);
        pieces.fold(length_of(&self.closing()), u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(byteranges: &Byteranges<'_>, content: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for (head, range) in byteranges.parts() {
            body.extend_from_slice(head.as_bytes());
            let bounds = [range.first, range.last].map(|at| usize::try_from(at).unwrap());
            body.extend_from_slice(&content[bounds[0]..=bounds[1]]);
        }
        body.extend_from_slice(byteranges.closing().as_bytes());
        body
    }

    #[test]
    fn parts_are_framed_as_in_rfc_9110() {
        let byteranges = Byteranges {
            boundary: "THIS_STRING_SEPARATES",
            content_type: "text/plain",
            complete_length: 14,
            ranges: &[ByteRange { first: 0, last: 1 }, ByteRange { first: 12, last: 13 }],
        };
        assert_eq!(
            byteranges.multipart_type(),
            "multipart/byteranges; boundary=THIS_STRING_SEPARATES"
        );
        let expected = "\r\n\
            --THIS_STRING_SEPARATES\r\n\
            Content-Type: text/plain\r\n\
            Content-Range: bytes 0-1/14\r\n\
            \r\n\
            ab\r\n\
            --THIS_STRING_SEPARATES\r\n\
            Content-Type: text/plain\r\n\
            Content-Range: bytes 12-13/14\r\n\
            \r\n\
            mn\r\n\
            --THIS_STRING_SEPARATES--\r\n";
        let body = body(&byteranges, b"abcdefghijklmn");
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert_eq!(byteranges.content_length(), expected.len() as u64);
    }

    proptest! {
        #[test]
        fn the_length_announced_is_the_length_sent(
            boundary in "[a-z]{1,70}",
            bounds in prop::collection::vec((0..100_u64, 0..100_u64), 1..10),
        ) {
            let ranges: Vec<_> = bounds
                .iter()
                .map(|(one, other)| ByteRange { first: *one.min(other), last: *one.max(other) })
                .collect();
            let byteranges = Byteranges {
                boundary: &boundary,
                content_type: "text/plain; charset=utf-8",
                complete_length: 100,
                ranges: &ranges,
            };
            let sent = body(&byteranges, &[b'x'; 100]).len() as u64;
            prop_assert_eq!(byteranges.content_length(), sent);
        }
    }
}
