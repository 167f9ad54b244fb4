//! Why a fetch failed, whether another attempt may succeed, and what kind of failure it is.
//!
//! Text that a peer sent is escaped in the messages. A message does not repeat the URL, which the
//! outcome has, nor its cause, which `source()` has.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fmt, io};

use thiserror::Error;
use url::Url;

use super::plan::checksum::{Algorithm, Checksum, ExpectedChecksum};
use super::redact::{redacted_path, redacted_reference, redacted_url};
use super::settings::proxies::ProxyError;
use super::settings::{MAX_CODINGS, MAX_REDIRECTS};
use super::stop::StopReason;
use super::trust::TrustError;
use crate::http::{FramingError, ResponseHeadError, Status, date};
use crate::net::BodyError;

/// The step of a fetch that took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutPhase {
    Connect,
    Tls,
    Send,
    Answer,
    Body,
}

impl fmt::Display for TimeoutPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection",
            Self::Tls => "no TLS handshake",
            Self::Send => "the server did not accept the request",
            Self::Answer => "no response",
            Self::Body => "no more of the body",
        })
    }
}

/// Why one attempt to fetch a URL failed.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The look-up of the host's name failed, or found no address.
    #[error("cannot look up the address of {host}")]
    Resolve {
        host: Box<str>,
        #[source]
        error: Arc<io::Error>,
    },
    /// No address of the host accepted the connection; this is the last one that was tried.
    #[error("cannot connect to {address}")]
    Connect {
        address: SocketAddr,
        #[source]
        error: io::Error,
    },
    /// The proxy refused to make a tunnel (RFC 9110 §9.3.6).
    #[error("the proxy made no tunnel: {0}")]
    Tunnel(Status),
    /// The proxy that is set for the URL cannot be used.
    #[error(transparent)]
    UnusableProxy(#[from] ProxyError),
    /// The TLS handshake failed, or the server's certificate was refused.
    #[error("cannot speak TLS with {host}")]
    Tls {
        host: Box<str>,
        #[source]
        error: io::Error,
    },
    /// There are no certificates to verify the server's with.
    #[error(transparent)]
    Trust(Arc<TrustError>),
    /// Nothing was sent or received for this long.
    #[error("timed out: {phase} for {timeout:?}")]
    TimedOut { phase: TimeoutPhase, timeout: Duration },
    /// The request could not be sent.
    #[error("cannot send the request")]
    Send(#[source] io::Error),
    /// The server closed the connection before the response's head was complete.
    #[error("the server closed the connection before the response was complete")]
    Closed,
    /// The connection broke before the response's head was complete.
    #[error("the connection broke before the response was complete")]
    Receive(#[source] io::Error),
    /// The response is not HTTP/1, or exceeds a limit.
    #[error(transparent)]
    Malformed(ResponseHeadError),
    /// More interim (1xx) responses than a server has reason to send (RFC 9110 §15.2).
    #[error("the server sends interim responses without end")]
    TooManyInterim,
    /// A status without the content, and how long `Retry-After` asks to wait.
    #[error("the server answered {status}{}", status_note(*status))]
    Status { status: Status, retry_after: Option<Duration> },
    /// `Retry-After` asks for a longer wait than the settings allow. `was_asked` is false if the server
    /// said so to the request for another URL.
    #[error(
        "the server answered {}{status} and asks to come back {}",
        if *was_asked { "" } else { "another request with " },
        time_note(*at)
    )]
    RetryLater { status: Status, at: SystemTime, was_asked: bool },
    /// A `206` with a range that was not requested.
    #[error("the server answered 206 with a range that was not requested")]
    UnexpectedRange,
    /// The content changed on the server while its pieces were fetched.
    #[error("the content changed while it was fetched")]
    Changed,
    /// A registered content coding that is not supported.
    #[error("the content is coded with {0}, which cannot be decoded")]
    UnsupportedCoding(&'static str),
    /// More content codings than are decoded.
    #[error("the content has more than {MAX_CODINGS} codings")]
    TooManyCodings,
    /// The coded content is truncated, damaged, followed by other data, or expands beyond the limit.
    #[error("cannot decode the content ({coding})")]
    Decode {
        coding: &'static str,
        #[source]
        error: io::Error,
    },
    /// A redirect without a `Location`.
    #[error("{0} without a Location")]
    MissingLocation(Status),
    /// A redirect with several different `Location` fields; two of them.
    #[error("{status} to two places: \"{}\" and \"{}\"", places[0], places[1])]
    ConflictingLocations { status: Status, places: Box<[Box<str>; 2]> },
    /// A redirect whose `Location` is not a URL.
    #[error("the server redirects to \"{location}\", which is not a URL")]
    InvalidLocation {
        location: Box<str>,
        #[source]
        error: url::ParseError,
    },
    /// A redirect to a scheme other than `http` and `https`.
    #[error(
        "the server redirects to {}, whose scheme is not supported",
        redacted_reference(.0.as_str())
    )]
    RedirectScheme(Box<Url>),
    /// A redirect from `https` to `http`.
    #[error("the server redirects from https to {}, which is not encrypted", redacted_url(.0))]
    Downgrade(Box<Url>),
    /// More than [`MAX_REDIRECTS`] redirects.
    #[error("more than {MAX_REDIRECTS} redirects")]
    TooManyRedirects,
    /// The length of the body cannot be determined.
    #[error(transparent)]
    Framing(FramingError),
    /// The body is incomplete.
    #[error(transparent)]
    Body(BodyError),
    /// The file cannot be written or renamed.
    #[error("cannot write {}", redacted_path(path))]
    File {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// The content has another checksum than the list says.
    #[error(
        "the {} is {found}, not {}{}",
        found.algorithm(),
        expected.checksum,
        algorithm_note(expected)
    )]
    Checksum { expected: ExpectedChecksum, found: Checksum },
    /// The run was ended before the fetch was complete.
    #[error("{0}")]
    Stopped(StopReason),
}

fn status_note(status: Status) -> &'static str {
    match status.code() {
        200..=299 => ", which does not have the file",
        600.. => ", which is not a valid HTTP status",
        _ => "",
    }
}

/// In how many seconds `at` is, and when that is.
fn time_note(at: SystemTime) -> String {
    let wait = at.duration_since(SystemTime::now()).unwrap_or_default().as_secs_f64().ceil();
    date::format(at).map_or(format!("in {wait} s"), |at| format!("in {wait} s ({at})"))
}

/// An algorithm that was concluded from the number of digits may be the wrong one.
fn algorithm_note(expected: &ExpectedChecksum) -> &'static str {
    match expected.checksum.algorithm() {
        Algorithm::Sha512 if !expected.is_algorithm_named => {
            " (the list does not name the algorithm: BLAKE2b is as long)"
        }
        _ => "",
    }
}

impl From<StopReason> for FetchError {
    fn from(reason: StopReason) -> Self {
        Self::Stopped(reason)
    }
}

impl FetchError {
    /// True if the same request may succeed later: the network failed, or the status says so (408, 429,
    /// 500, 502, 503, 504).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::TimedOut { .. }
            | Self::Send(_)
            | Self::Closed
            | Self::Changed
            | Self::Body(BodyError::Io(_) | BodyError::Truncated { .. }) => true,
            // The server requires a client certificate, which there will not be the next time either.
            Self::Receive(error) => error.kind() != io::ErrorKind::PermissionDenied,
            Self::Resolve { error, .. } => is_temporary(error),
            // Truncated. If the body ends with the connection, only its coding shows that.
            Self::Decode { error, .. } => error.kind() == io::ErrorKind::UnexpectedEof,
            // TLS refuses invalid data again; an error of the connection may not recur.
            Self::Tls { error, .. } => error.kind() != io::ErrorKind::InvalidData,
            Self::Status { status, .. } | Self::Tunnel(status) => matches!(
                *status,
                Status::REQUEST_TIMEOUT
                    | Status::TOO_MANY_REQUESTS
                    | Status::INTERNAL_SERVER_ERROR
                    | Status::BAD_GATEWAY
                    | Status::SERVICE_UNAVAILABLE
                    | Status::GATEWAY_TIMEOUT
            ),
            Self::Trust(_)
            | Self::UnusableProxy(_)
            | Self::RetryLater { .. }
            | Self::Malformed(_)
            | Self::TooManyInterim
            | Self::UnexpectedRange
            | Self::UnsupportedCoding(_)
            | Self::TooManyCodings
            | Self::MissingLocation(_)
            | Self::ConflictingLocations { .. }
            | Self::InvalidLocation { .. }
            | Self::RedirectScheme(_)
            | Self::Downgrade(_)
            | Self::TooManyRedirects
            | Self::Framing(_)
            | Self::Body(BodyError::Chunked(_))
            | Self::File { .. }
            | Self::Checksum { .. }
            | Self::Stopped(_) => false,
        }
    }

    /// True if the server rejected the request because of its load or limits: 429 or 503.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        matches!(
            self,
            Self::Status { status: Status::TOO_MANY_REQUESTS | Status::SERVICE_UNAVAILABLE, .. }
        )
    }
}

/// True if the look-up failed temporarily (`EAI_AGAIN`), which has no `ErrorKind` but a known text.
fn is_temporary(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut || error.to_string().contains("Temporary failure")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_may_not_recur_are_transient() {
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let status =
            |code| FetchError::Status { status: Status::new(code).unwrap(), retry_after: None };
        let tls = |kind: io::ErrorKind| FetchError::Tls { host: "a".into(), error: kind.into() };
        for (error, transient) in [
            (FetchError::Closed, true),
            (FetchError::Receive(reset()), true),
            (FetchError::Send(reset()), true),
            (
                FetchError::TimedOut { phase: TimeoutPhase::Body, timeout: Duration::from_secs(1) },
                true,
            ),
            (FetchError::Body(BodyError::Truncated { received: 1, declared: Some(2) }), true),
            (status(408), true),
            (status(429), true),
            (status(500), true),
            (status(502), true),
            (status(503), true),
            (status(504), true),
            (status(202), false),
            (status(404), false),
            (status(501), false),
            (status(999), false),
            (tls(io::ErrorKind::UnexpectedEof), true),
            (tls(io::ErrorKind::InvalidData), false),
            (FetchError::UnexpectedRange, false),
            (FetchError::TooManyRedirects, false),
            (FetchError::File { path: "x".into(), error: reset() }, false),
            (FetchError::Stopped(StopReason::Interrupted), false),
        ] {
            assert_eq!(error.is_transient(), transient, "{error}");
        }
    }
}
