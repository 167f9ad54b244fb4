//! How a message's body is framed, or why the message is refused (RFC 9112 §6).
//!
//! Requests are read strictly: a repeated length, a length beside a transfer coding, and `chunked`
//! other than once and last are refused, because request smuggling depends on two programs reading such
//! a message differently (RFC 9112 §11.2). Responses are accepted if their meaning is clear: equal lengths
//! count as one, `identity` is ignored, `chunked` overrides a length, and a repeated `chunked` counts
//! as one. Contradicting lengths and unknown codings are refused in both.

use thiserror::Error;

use super::error::RequestError;
use super::fields::Fields;
use super::status::Status;
use super::syntax::{parse_decimal, trim_whitespace};
use super::version::Version;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The body has this many bytes; zero if there is no body.
    Length(u64),
    /// The body is chunked and ends with its last chunk.
    Chunked,
    /// The body ends when the peer closes the connection; in responses only.
    UntilClose,
}

/// The framing of a request body (RFC 9112 §6.3).
///
/// # Errors
/// The request must be refused with [`RequestError::status`] and the connection closed.
pub fn request_framing(version: Version, fields: &Fields<'_>) -> Result<Framing, RequestError> {
    let length = sole_content_length(fields).map_err(|_| RequestError::ContentLength)?;
    match transfer_coding(version, fields) {
        Ok(TransferCoding::None) => Ok(Framing::Length(length.unwrap_or(0))),
        Ok(TransferCoding::Chunked) if length.is_some() => Err(RequestError::LengthAndCoding),
        Ok(TransferCoding::Chunked) => Ok(Framing::Chunked),
        Err(CodingError::Malformed) => Err(RequestError::TransferEncoding),
        Err(CodingError::Unknown) => Err(RequestError::TransferCoding),
    }
}

/// Whether the client waits for `100 Continue` before it sends the content (RFC 9110 §10.1.1). False for
/// HTTP/1.0, in which `Expect` is ignored.
///
/// # Errors
/// [`RequestError::Expectation`] for any other expectation.
pub fn expects_continue(version: Version, fields: &Fields<'_>) -> Result<bool, RequestError> {
    if version == Version::Http10 {
        return Ok(false);
    }
    let mut expected = false;
    for value in fields.tokens("Expect") {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(RequestError::Expectation);
        }
        expected = true;
    }
    Ok(expected)
}

/// Why the end of a response body cannot be determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FramingError {
    /// `Content-Length` is not a number, or there are several that differ.
    #[error("malformed or contradicting Content-Length in the response")]
    ContentLength,
    /// A transfer coding other than `chunked`.
    #[error("the response has a transfer coding other than chunked")]
    TransferCoding,
}

/// The framing of the body of a response to a method other than HEAD and CONNECT (RFC 9112 §6.3). A
/// response to HEAD has no content whatever its fields say.
///
/// # Errors
/// The end of the body cannot be determined. The connection must be closed.
pub fn response_framing(status: Status, fields: &Fields<'_>) -> Result<Framing, FramingError> {
    if status.never_has_content() {
        return Ok(Framing::Length(0));
    }
    let length = agreed_content_length(fields).map_err(|_| FramingError::ContentLength)?;
    Ok(match (is_chunked(fields)?, length) {
        (true, _) => Framing::Chunked,
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::UntilClose,
    })
}

/// Whether a response is chunked; an error if it has any other coding. HTTP/1.0 has no transfer codings,
/// but a server that names one has applied it. A proxy may add `chunked` to the field although the server
/// has applied it; it must not be applied twice (RFC 9112 §6.1).
fn is_chunked(fields: &Fields<'_>) -> Result<bool, FramingError> {
    if fields.first("Transfer-Encoding").is_none() {
        return Ok(false);
    }
    let codings: Vec<&[u8]> = fields.tokens("Transfer-Encoding").collect();
    let is = |coding: &[u8], name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
    if codings.is_empty()
        || codings.iter().any(|coding| !is(coding, "identity") && !is(coding, "chunked"))
    {
        return Err(FramingError::TransferCoding);
    }
    Ok(codings.iter().any(|coding| is(coding, "chunked")))
}

struct InvalidLength;

/// The length in the only `Content-Length` field. A repeated field or a list is refused even if all
/// lengths are equal (allowed by RFC 9110 §8.6), as in nginx and Apache: a program on the path may have
/// merged messages.
fn sole_content_length(fields: &Fields<'_>) -> Result<Option<u64>, InvalidLength> {
    let mut values = fields.all("Content-Length");
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => parse_decimal(value).map(Some).ok_or(InvalidLength),
        (Some(_), Some(_)) => Err(InvalidLength),
    }
}

/// The length that all `Content-Length` fields and their list members agree on.
fn agreed_content_length(fields: &Fields<'_>) -> Result<Option<u64>, InvalidLength> {
    let mut agreed = None;
    for value in fields.all("Content-Length") {
        for member in value.split(|byte| *byte == b',') {
            let length = parse_decimal(trim_whitespace(member)).ok_or(InvalidLength)?;
            if agreed.is_some_and(|agreed| agreed != length) {
                return Err(InvalidLength);
            }
            agreed = Some(length);
        }
    }
    Ok(agreed)
}

enum TransferCoding {
    None,
    Chunked,
}

enum CodingError {
    Malformed,
    Unknown,
}

fn transfer_coding(version: Version, fields: &Fields<'_>) -> Result<TransferCoding, CodingError> {
    if fields.first("Transfer-Encoding").is_none() {
        return Ok(TransferCoding::None);
    }
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let codings: Vec<&[u8]> = fields.tokens("Transfer-Encoding").collect();
    let chunked_is_last = codings.last().is_some_and(|coding| is_chunked(coding));
    let chunked_count = codings.iter().filter(|coding| is_chunked(coding)).count();
    if version == Version::Http10 || !chunked_is_last || chunked_count > 1 {
        Err(CodingError::Malformed)
    } else if codings.len() > 1 {
        Err(CodingError::Unknown)
    } else {
        Ok(TransferCoding::Chunked)
    }
}

#[cfg(test)]
mod tests {
    use super::super::head_scan::HeadScan;
    use super::super::request_head::RequestHead;
    use super::*;

    fn with_fields<T>(fields: &str, use_fields: impl FnOnce(Fields<'_>) -> T) -> T {
        let mut head = RequestHead::default();
        let bytes = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        head.receive(&mut HeadScan::default(), bytes.as_bytes()).unwrap().unwrap();
        use_fields(head.fields())
    }

    #[test]
    fn a_request_is_framed_or_refused() {
        use RequestError::{ContentLength, LengthAndCoding, TransferCoding, TransferEncoding};
        for (fields, expected) in [
            ("", Ok(Framing::Length(0))),
            ("Content-Length: 5\r\n", Ok(Framing::Length(5))),
            ("Content-Length: 005\r\n", Ok(Framing::Length(5))),
            ("Content-Length: \t5 \r\n", Ok(Framing::Length(5))),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(ContentLength)),
            ("Content-Length: 5\r\nX: y\r\ncontent-length: 5\r\n", Err(ContentLength)),
            ("Content-Length: 0\r\nContent-Length: 0\r\n", Err(ContentLength)),
            ("Content-Length: 5, 5\r\n", Err(ContentLength)),
            ("Content-Length: 5,5\r\n", Err(ContentLength)),
            ("Content-Length: 0, 0\r\n", Err(ContentLength)),
            ("Content-Length: 18446744073709551615\r\n", Ok(Framing::Length(u64::MAX))),
            ("Content-Length: 18446744073709551616\r\n", Err(ContentLength)),
            ("Content-Length: 5, 6\r\n", Err(ContentLength)),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", Err(ContentLength)),
            ("Content-Length: 5,\r\n", Err(ContentLength)),
            ("Content-Length:\r\n", Err(ContentLength)),
            ("Content-Length: +5\r\n", Err(ContentLength)),
            ("Content-Length: -5\r\n", Err(ContentLength)),
            ("Content-Length: 0x5\r\n", Err(ContentLength)),
            ("Content-Length: 5 5\r\n", Err(ContentLength)),
            ("Content-Length: 5.0\r\n", Err(ContentLength)),
            ("Transfer-Encoding: chunked\r\n", Ok(Framing::Chunked)),
            ("transfer-encoding: CHUNKED\r\n", Ok(Framing::Chunked)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Err(LengthAndCoding)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(TransferCoding)),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Err(TransferCoding)),
            ("Transfer-Encoding: chunked, gzip\r\n", Err(TransferEncoding)),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(TransferEncoding)),
            ("Transfer-Encoding: gzip\r\n", Err(TransferEncoding)),
            ("Transfer-Encoding: identity\r\n", Err(TransferEncoding)),
            ("Transfer-Encoding: identity, chunked\r\n", Err(TransferCoding)),
            ("Transfer-Encoding: chunked;q=1\r\n", Err(TransferEncoding)),
            ("Transfer-Encoding: xchunked\r\n", Err(TransferEncoding)),
            ("Transfer-Encoding:\r\n", Err(TransferEncoding)),
        ] {
            let framing = with_fields(fields, |fields| request_framing(Version::Http11, &fields));
            assert_eq!(framing, expected, "{fields:?}");
        }
        let framing = with_fields("Transfer-Encoding: chunked\r\n", |fields| {
            request_framing(Version::Http10, &fields)
        });
        assert_eq!(framing, Err(TransferEncoding));
    }

    #[test]
    fn a_response_is_framed_by_its_status_and_fields() {
        for (status, fields, expected) in [
            (200, "Content-Length: 5\r\n", Ok(Framing::Length(5))),
            (200, "", Ok(Framing::UntilClose)),
            (200, "Transfer-Encoding: chunked\r\n", Ok(Framing::Chunked)),
            (204, "Content-Length: 5\r\n", Ok(Framing::Length(0))),
            (304, "Content-Length: 5\r\n", Ok(Framing::Length(0))),
            (100, "", Ok(Framing::Length(0))),
            (200, "Content-Length: 5, 5\r\n", Ok(Framing::Length(5))),
            (200, "Content-Length: 5\r\nContent-Length: 5\r\n", Ok(Framing::Length(5))),
            (200, "Content-Length: 5, 6\r\n", Err(FramingError::ContentLength)),
            (200, "Transfer-Encoding: gzip\r\n", Err(FramingError::TransferCoding)),
            (200, "Content-Length: +5\r\n", Err(FramingError::ContentLength)),
            (200, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Ok(Framing::Chunked)),
            (
                200,
                "Content-Length: 5, 6\r\nTransfer-Encoding: chunked\r\n",
                Err(FramingError::ContentLength),
            ),
            (200, "Transfer-Encoding: identity\r\n", Ok(Framing::UntilClose)),
            (200, "Transfer-Encoding: Identity\r\nContent-Length: 5\r\n", Ok(Framing::Length(5))),
            (200, "Transfer-Encoding: identity, chunked\r\n", Ok(Framing::Chunked)),
            (200, "Transfer-Encoding: chunked, identity\r\n", Ok(Framing::Chunked)),
            (200, "Transfer-Encoding:\r\n", Err(FramingError::TransferCoding)),
            (200, "Transfer-Encoding: ,\r\n", Err(FramingError::TransferCoding)),
            (200, "Transfer-Encoding: gzip, chunked\r\n", Err(FramingError::TransferCoding)),
            (200, "Transfer-Encoding: chunked, chunked\r\n", Ok(Framing::Chunked)),
            (
                200,
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: Chunked\r\n",
                Ok(Framing::Chunked),
            ),
            (
                200,
                "Transfer-Encoding: chunked, gzip, chunked\r\n",
                Err(FramingError::TransferCoding),
            ),
            (200, "Transfer-Encoding: chunked;q=1\r\n", Err(FramingError::TransferCoding)),
            (200, "Transfer-Encoding: x-chunked\r\n", Err(FramingError::TransferCoding)),
        ] {
            let framing = with_fields(fields, |fields| {
                response_framing(Status::new(status).unwrap(), &fields)
            });
            assert_eq!(framing, expected, "{status} {fields:?}");
        }
    }

    #[test]
    fn only_100_continue_is_expected() {
        use RequestError::Expectation;
        for (version, fields, expected) in [
            (Version::Http11, "", Ok(false)),
            (Version::Http11, "Expect: 100-continue\r\n", Ok(true)),
            (Version::Http11, "Expect: 100-Continue\r\n", Ok(true)),
            (Version::Http11, "Expect: 200-ok\r\n", Err(Expectation)),
            (Version::Http11, "Expect: 100-continue, x\r\n", Err(Expectation)),
            (Version::Http10, "Expect: 100-continue\r\n", Ok(false)),
        ] {
            let found = with_fields(fields, |fields| expects_continue(version, &fields));
            assert_eq!(found, expected, "{version:?} {fields:?}");
        }
    }
}
