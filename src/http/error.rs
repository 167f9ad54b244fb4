//! Why a request is refused, and the status code for each reason.

use thiserror::Error;

use super::chunked::ChunkError;
use super::status::Status;

/// Why the server refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Not `method SP request-target SP HTTP-version` (RFC 9112 §3).
    #[error("malformed request line")]
    RequestLine,
    /// The major version is not 1 (RFC 9110 §2.5).
    #[error("only HTTP/1.0 and HTTP/1.1 are supported")]
    Version,
    /// The request line is longer than `head_scan::MAX_START_LINE_BYTES`.
    #[error("request line over 8 KiB")]
    TargetTooLong,
    /// The field section is longer than `head_scan::MAX_FIELD_SECTION_BYTES`.
    #[error("header fields over 32 KiB in all")]
    FieldsTooLarge,
    /// More than `fields::MAX_FIELDS` fields.
    #[error("more than 100 header fields")]
    TooManyFields,
    /// A malformed field line (RFC 9112 §5).
    #[error("malformed header field")]
    Field,
    /// `Host` is missing from an HTTP/1.1 request, empty, repeated or malformed (RFC 9112 §3.2).
    #[error("missing, repeated or malformed Host")]
    Host,
    /// `Content-Length` is not a number, or is repeated (RFC 9112 §6.3, RFC 9110 §8.6).
    #[error("malformed or repeated Content-Length")]
    ContentLength,
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112 §6.1).
    #[error("Content-Length beside Transfer-Encoding")]
    LengthAndCoding,
    /// `Transfer-Encoding` in HTTP/1.0, empty, or without `chunked` exactly once and last (RFC 9112 §6.1).
    #[error("malformed Transfer-Encoding")]
    MalformedTransferEncoding,
    /// A transfer coding other than `chunked` (RFC 9112 §6.1).
    #[error("unknown transfer coding")]
    UnsupportedTransferCoding,
    /// The request target has a form that the method does not allow, or leaves the root (RFC 9112 §3.2).
    #[error("malformed request target")]
    Target,
    /// A malformed chunked body (RFC 9112 §7.1).
    #[error("malformed chunked content: {0}")]
    Chunked(ChunkError),
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    #[error("unknown expectation")]
    Expectation,
    /// It came unencrypted over a port for TLS.
    #[error("this port speaks TLS: use https instead of http")]
    Unencrypted,
    /// The head was incomplete at its deadline.
    #[error("the request was not complete in time")]
    Timeout,
}

impl RequestError {
    /// The status code of the response (RFC 9110 §15.5, §15.6; RFC 6585).
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::RequestLine
            | Self::Field
            | Self::Host
            | Self::ContentLength
            | Self::LengthAndCoding
            | Self::MalformedTransferEncoding
            | Self::Target
            | Self::Unencrypted
            | Self::Chunked(_) => Status::BAD_REQUEST,
            Self::Version => Status::HTTP_VERSION_NOT_SUPPORTED,
            Self::TargetTooLong => Status::URI_TOO_LONG,
            Self::FieldsTooLarge | Self::TooManyFields => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UnsupportedTransferCoding => Status::NOT_IMPLEMENTED,
            Self::Expectation => Status::EXPECTATION_FAILED,
            Self::Timeout => Status::REQUEST_TIMEOUT,
        }
    }
}
