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
    match is_request_chunked(version, fields)? {
        true if length.is_some() => Err(RequestError::LengthAndCoding),
        true => Ok(Framing::Chunked),
        false => Ok(Framing::Length(length.unwrap_or(0))),
    }
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
    Ok(match (is_response_chunked(fields)?, length) {
        (true, _) => Framing::Chunked,
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::UntilClose,
    })
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

/// A member of `Transfer-Encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TransferCoding {
    Chunked,
    Identity,
    Other,
}

/// The transfer codings of a message, in their order; `None` without `Transfer-Encoding`.
fn transfer_codings(fields: &Fields<'_>) -> Option<Vec<TransferCoding>> {
    fields.first("Transfer-Encoding")?;
    let coding = |token: &[u8]| {
        if token.eq_ignore_ascii_case(b"chunked") {
            TransferCoding::Chunked
        } else if token.eq_ignore_ascii_case(b"identity") {
            TransferCoding::Identity
        } else {
            TransferCoding::Other
        }
    };
    Some(fields.tokens("Transfer-Encoding").map(coding).collect())
}

/// Whether a request is chunked. HTTP/1.0 has no transfer codings.
fn is_request_chunked(version: Version, fields: &Fields<'_>) -> Result<bool, RequestError> {
    let Some(codings) = transfer_codings(fields) else { return Ok(false) };
    let is_chunked = |coding: &&TransferCoding| **coding == TransferCoding::Chunked;
    let chunked_is_last = codings.last().as_ref().is_some_and(is_chunked);
    let chunked_count = codings.iter().filter(is_chunked).count();
    if version == Version::Http10 || !chunked_is_last || chunked_count > 1 {
        Err(RequestError::MalformedTransferEncoding)
    } else if codings.len() > 1 {
        Err(RequestError::UnsupportedTransferCoding)
    } else {
        Ok(true)
    }
}

/// Whether a response is chunked. `chunked` is honoured in HTTP/1.0 too. `chunked, chunked` counts once:
/// some proxies repeat it.
fn is_response_chunked(fields: &Fields<'_>) -> Result<bool, FramingError> {
    let Some(codings) = transfer_codings(fields) else { return Ok(false) };
    if codings.is_empty() || codings.contains(&TransferCoding::Other) {
        return Err(FramingError::TransferCoding);
    }
    Ok(codings.contains(&TransferCoding::Chunked))
}

#[cfg(test)]
mod tests {
    use super::super::test_fields::with_fields;
    use super::*;

    #[test]
    fn a_request_is_framed_or_refused() {
        use RequestError::{
            ContentLength, LengthAndCoding, MalformedTransferEncoding, UnsupportedTransferCoding,
        };
        for (fields, expected) in [
            (&[][..], Ok(Framing::Length(0))),
            (&["Content-Length: 5"], Ok(Framing::Length(5))),
            (&["Content-Length: 005"], Ok(Framing::Length(5))),
            (&["Content-Length: \t5 "], Ok(Framing::Length(5))),
            (&["Content-Length: 5", "Content-Length: 5"], Err(ContentLength)),
            (&["Content-Length: 5", "X: y", "content-length: 5"], Err(ContentLength)),
            (&["Content-Length: 0", "Content-Length: 0"], Err(ContentLength)),
            (&["Content-Length: 5, 5"], Err(ContentLength)),
            (&["Content-Length: 5,5"], Err(ContentLength)),
            (&["Content-Length: 0, 0"], Err(ContentLength)),
            (&["Content-Length: 18446744073709551615"], Ok(Framing::Length(u64::MAX))),
            (&["Content-Length: 18446744073709551616"], Err(ContentLength)),
            (&["Content-Length: 5, 6"], Err(ContentLength)),
            (&["Content-Length: 5", "Content-Length: 6"], Err(ContentLength)),
            (&["Content-Length: 5,"], Err(ContentLength)),
            (&["Content-Length:"], Err(ContentLength)),
            (&["Content-Length: +5"], Err(ContentLength)),
            (&["Content-Length: -5"], Err(ContentLength)),
            (&["Content-Length: 0x5"], Err(ContentLength)),
            (&["Content-Length: 5 5"], Err(ContentLength)),
            (&["Content-Length: 5.0"], Err(ContentLength)),
            (&["Transfer-Encoding: chunked"], Ok(Framing::Chunked)),
            (&["transfer-encoding: CHUNKED"], Ok(Framing::Chunked)),
            (&["Transfer-Encoding: chunked", "Content-Length: 5"], Err(LengthAndCoding)),
            (&["Transfer-Encoding: gzip, chunked"], Err(UnsupportedTransferCoding)),
            (
                &["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
                Err(UnsupportedTransferCoding),
            ),
            (&["Transfer-Encoding: chunked, gzip"], Err(MalformedTransferEncoding)),
            (&["Transfer-Encoding: chunked, chunked"], Err(MalformedTransferEncoding)),
            (&["Transfer-Encoding: gzip"], Err(MalformedTransferEncoding)),
            (&["Transfer-Encoding: identity"], Err(MalformedTransferEncoding)),
            (&["Transfer-Encoding: identity, chunked"], Err(UnsupportedTransferCoding)),
            (&["Transfer-Encoding: chunked;q=1"], Err(MalformedTransferEncoding)),
            (&["Transfer-Encoding: xchunked"], Err(MalformedTransferEncoding)),
            (&["Transfer-Encoding:"], Err(MalformedTransferEncoding)),
        ] {
            let framing = with_fields(fields, |fields| request_framing(Version::Http11, fields));
            assert_eq!(framing, expected, "{fields:?}");
        }
        let framing = with_fields(&["Transfer-Encoding: chunked"], |fields| {
            request_framing(Version::Http10, fields)
        });
        assert_eq!(framing, Err(MalformedTransferEncoding));
    }

    #[test]
    fn a_response_is_framed_by_its_status_and_fields() {
        for (status, fields, expected) in [
            (200, &["Content-Length: 5"][..], Ok(Framing::Length(5))),
            (200, &[], Ok(Framing::UntilClose)),
            (200, &["Transfer-Encoding: chunked"], Ok(Framing::Chunked)),
            (204, &["Content-Length: 5"], Ok(Framing::Length(0))),
            (304, &["Content-Length: 5"], Ok(Framing::Length(0))),
            (100, &[], Ok(Framing::Length(0))),
            (200, &["Content-Length: 5, 5"], Ok(Framing::Length(5))),
            (200, &["Content-Length: 5", "Content-Length: 5"], Ok(Framing::Length(5))),
            (200, &["Content-Length: 5, 6"], Err(FramingError::ContentLength)),
            (200, &["Transfer-Encoding: gzip"], Err(FramingError::TransferCoding)),
            (200, &["Content-Length: +5"], Err(FramingError::ContentLength)),
            (200, &["Content-Length: 5", "Transfer-Encoding: chunked"], Ok(Framing::Chunked)),
            (
                200,
                &["Content-Length: 5, 6", "Transfer-Encoding: chunked"],
                Err(FramingError::ContentLength),
            ),
            (200, &["Transfer-Encoding: identity"], Ok(Framing::UntilClose)),
            (200, &["Transfer-Encoding: Identity", "Content-Length: 5"], Ok(Framing::Length(5))),
            (200, &["Transfer-Encoding: identity, chunked"], Ok(Framing::Chunked)),
            (200, &["Transfer-Encoding: chunked, identity"], Ok(Framing::Chunked)),
            (200, &["Transfer-Encoding:"], Err(FramingError::TransferCoding)),
            (200, &["Transfer-Encoding: ,"], Err(FramingError::TransferCoding)),
            (200, &["Transfer-Encoding: gzip, chunked"], Err(FramingError::TransferCoding)),
            (200, &["Transfer-Encoding: chunked, chunked"], Ok(Framing::Chunked)),
            (
                200,
                &["Transfer-Encoding: chunked", "Transfer-Encoding: Chunked"],
                Ok(Framing::Chunked),
            ),
            (
                200,
                &["Transfer-Encoding: chunked, gzip, chunked"],
                Err(FramingError::TransferCoding),
            ),
            (200, &["Transfer-Encoding: chunked;q=1"], Err(FramingError::TransferCoding)),
            (200, &["Transfer-Encoding: x-chunked"], Err(FramingError::TransferCoding)),
        ] {
            let framing = with_fields(fields, |fields| {
                response_framing(Status::new(status).unwrap(), fields)
            });
            assert_eq!(framing, expected, "{status} {fields:?}");
        }
    }
}
