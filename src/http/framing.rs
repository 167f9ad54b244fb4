//! How a message's body is framed, or why the message is refused (RFC 9112 §6).
//!
//! Requests are held to the letter: a length given more than once, a length beside a transfer coding,
//! and `chunked` anywhere but once and last are refused, because two programs that read such a message
//! differently are what request smuggling needs. Of a response a client takes what has one meaning:
//! lengths that agree are one, `identity` is no coding, `chunked` outweighs a length beside it, and
//! named twice it is one. Lengths that contradict each other, and codings that it does not know, are
//! refused on both sides.

use std::fmt;

use super::error::RequestError;
use super::fields::Fields;
use super::status::Status;
use super::syntax::{parse_decimal, trim_whitespace};
use super::version::Version;

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes; zero where there is no body.
    Length(u64),
    /// With its last chunk.
    Chunked,
    /// When the peer closes: responses alone.
    UntilClose,
}

/// How the content of a request is framed (RFC 9112 §6.3).
///
/// # Errors
/// `400` or `501` by [`RequestError::status`]; the connection must be closed.
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

/// Whether the client waits for `100 Continue` before it sends its content (RFC 9110 §10.1.1).
/// HTTP/1.0 knows no expectations: there the field is ignored.
///
/// # Errors
/// An expectation that is not known: `417`.
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

/// Why the content of a response cannot be delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramingError {
    /// `Content-Length` that is no number, or several that differ.
    ContentLength,
    /// A transfer coding other than one `chunked`.
    TransferCoding,
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ContentLength => "malformed or contradicting Content-Length in the answer",
            Self::TransferCoding => "the answer has a transfer coding other than chunked",
        })
    }
}

impl std::error::Error for FramingError {}

/// Which request a response answers, as far as its framing depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    Get,
    /// Never has content, whatever its fields say.
    Head,
}

/// How the content of a response is framed (RFC 9112 §6.3).
///
/// # Errors
/// The end of the content cannot be known.
pub fn response_framing(
    answering: Answering,
    status: Status,
    fields: &Fields<'_>,
) -> Result<Framing, FramingError> {
    if answering == Answering::Head || status.never_has_content() {
        return Ok(Framing::Length(0));
    }
    let length = agreed_content_length(fields).map_err(|_| FramingError::ContentLength)?;
    Ok(match (is_chunked(fields)?, length) {
        (true, _) => Framing::Chunked,
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::UntilClose,
    })
}

/// Whether a response is chunked, and coded in no other way. HTTP/1.0 knows no transfer codings, but a
/// server that names one there has used it. A proxy may name `chunked` again behind the server that has
/// applied it; nobody may apply it twice (RFC 9112 §6.1).
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

/// The length in the only `Content-Length` field. Of several, or of a list, also equal ones may be
/// refused (RFC 9110 §8.6), and nginx and Apache refuse them: somebody on the way has merged messages.
fn sole_content_length(fields: &Fields<'_>) -> Result<Option<u64>, InvalidLength> {
    let mut values = fields.all("Content-Length");
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => parse_decimal(value).map(Some).ok_or(InvalidLength),
        (Some(_), Some(_)) => Err(InvalidLength),
    }
}

/// The one length that all `Content-Length` fields and their list members agree on.
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
    fn a_response_is_framed_by_its_request_status_and_fields() {
        use Answering::{Get, Head};
        for (answering, status, fields, expected) in [
            (Get, 200, "Content-Length: 5\r\n", Ok(Framing::Length(5))),
            (Get, 200, "", Ok(Framing::UntilClose)),
            (Get, 200, "Transfer-Encoding: chunked\r\n", Ok(Framing::Chunked)),
            (Head, 200, "Content-Length: 5\r\n", Ok(Framing::Length(0))),
            (Head, 200, "Transfer-Encoding: chunked\r\n", Ok(Framing::Length(0))),
            (Get, 204, "Content-Length: 5\r\n", Ok(Framing::Length(0))),
            (Get, 304, "Content-Length: 5\r\n", Ok(Framing::Length(0))),
            (Get, 100, "", Ok(Framing::Length(0))),
            (Get, 200, "Content-Length: 5, 5\r\n", Ok(Framing::Length(5))),
            (Get, 200, "Content-Length: 5\r\nContent-Length: 5\r\n", Ok(Framing::Length(5))),
            (Get, 200, "Content-Length: 5, 6\r\n", Err(FramingError::ContentLength)),
            (Get, 200, "Transfer-Encoding: gzip\r\n", Err(FramingError::TransferCoding)),
            (Get, 200, "Content-Length: +5\r\n", Err(FramingError::ContentLength)),
            (Get, 200, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Ok(Framing::Chunked)),
            (
                Get,
                200,
                "Content-Length: 5, 6\r\nTransfer-Encoding: chunked\r\n",
                Err(FramingError::ContentLength),
            ),
            (Get, 200, "Transfer-Encoding: identity\r\n", Ok(Framing::UntilClose)),
            (
                Get,
                200,
                "Transfer-Encoding: Identity\r\nContent-Length: 5\r\n",
                Ok(Framing::Length(5)),
            ),
            (Get, 200, "Transfer-Encoding: identity, chunked\r\n", Ok(Framing::Chunked)),
            (Get, 200, "Transfer-Encoding: chunked, identity\r\n", Ok(Framing::Chunked)),
            (Get, 200, "Transfer-Encoding:\r\n", Err(FramingError::TransferCoding)),
            (Get, 200, "Transfer-Encoding: ,\r\n", Err(FramingError::TransferCoding)),
            (Get, 200, "Transfer-Encoding: gzip, chunked\r\n", Err(FramingError::TransferCoding)),
            (Get, 200, "Transfer-Encoding: chunked, chunked\r\n", Ok(Framing::Chunked)),
            (
                Get,
                200,
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: Chunked\r\n",
                Ok(Framing::Chunked),
            ),
            (
                Get,
                200,
                "Transfer-Encoding: chunked, gzip, chunked\r\n",
                Err(FramingError::TransferCoding),
            ),
            (Get, 200, "Transfer-Encoding: chunked;q=1\r\n", Err(FramingError::TransferCoding)),
            (Get, 200, "Transfer-Encoding: x-chunked\r\n", Err(FramingError::TransferCoding)),
        ] {
            let framing = with_fields(fields, |fields| {
                response_framing(answering, Status::new(status).unwrap(), &fields)
            });
            assert_eq!(framing, expected, "{answering:?} {status} {fields:?}");
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
