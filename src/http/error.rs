//! Why a request is refused, and with which status: the one table that maps the first to the second.

use std::fmt;

use super::chunked::ChunkError;
use super::status::Status;

/// A request that the server does not answer with a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Not `method SP request-target SP HTTP-version` (RFC 9112 §3).
    RequestLine,
    /// A major version other than 1 (RFC 9110 §2.5).
    Version,
    /// A request line beyond [`MAX_START_LINE_BYTES`](super::MAX_START_LINE_BYTES).
    TargetTooLong,
    /// A field section beyond [`MAX_FIELD_SECTION_BYTES`](super::MAX_FIELD_SECTION_BYTES).
    FieldsTooLarge,
    /// More fields than [`MAX_FIELDS`](super::MAX_FIELDS).
    TooManyFields,
    /// A field line that RFC 9112 §5 forbids.
    Field,
    /// `Host` missing from HTTP/1.1, empty, repeated or no host (RFC 9112 §3.2).
    Host,
    /// `Content-Length` that is no number, or that is there more than once (RFC 9112 §6.3, RFC 9110 §8.6).
    ContentLength,
    /// `Content-Length` beside `Transfer-Encoding` (RFC 9112 §6.1).
    LengthAndCoding,
    /// `Transfer-Encoding` in HTTP/1.0, empty, or with `chunked` not once and last (RFC 9112 §6.1).
    TransferEncoding,
    /// A transfer coding other than `chunked` (RFC 9112 §6.1).
    TransferCoding,
    /// A request target of no form the method allows, or one that leaves the root (RFC 9112 §3.2).
    Target,
    /// A chunked body that breaks RFC 9112 §7.1.
    Chunked(ChunkError),
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    Expectation,
    /// The head was begun but not completed in time.
    Timeout,
}

impl RequestError {
    /// The status that tells the client (RFC 9110 §15.5, §15.6; RFC 6585).
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::RequestLine
            | Self::Field
            | Self::Host
            | Self::ContentLength
            | Self::LengthAndCoding
            | Self::TransferEncoding
            | Self::Target
            | Self::Chunked(_) => Status::BAD_REQUEST,
            Self::Version => Status::HTTP_VERSION_NOT_SUPPORTED,
            Self::TargetTooLong => Status::URI_TOO_LONG,
            Self::FieldsTooLarge | Self::TooManyFields => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TransferCoding => Status::NOT_IMPLEMENTED,
            Self::Expectation => Status::EXPECTATION_FAILED,
            Self::Timeout => Status::REQUEST_TIMEOUT,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestLine => "malformed request line",
            Self::Version => "only HTTP/1.0 and HTTP/1.1 are spoken here",
            Self::TargetTooLong => "request line over 8 KiB",
            Self::FieldsTooLarge => "header fields over 32 KiB in all",
            Self::TooManyFields => "more than 100 header fields",
            Self::Field => "malformed header field",
            Self::Host => "missing, repeated or malformed Host",
            Self::ContentLength => "malformed or repeated Content-Length",
            Self::LengthAndCoding => "Content-Length beside Transfer-Encoding",
            Self::TransferEncoding => "malformed Transfer-Encoding",
            Self::TransferCoding => "unknown transfer coding",
            Self::Target => "malformed request target",
            Self::Chunked(error) => return write!(f, "malformed chunked content: {error}"),
            Self::Expectation => "unknown expectation",
            Self::Timeout => "the request was not complete in time",
        })
    }
}

impl std::error::Error for RequestError {}
