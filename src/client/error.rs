//! Why a fetch failed, whether another try may help, and what kind of failure it is.
//!
//! What a peer sent is escaped before it stands in a message. Which URL failed is not repeated here:
//! the outcome knows it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{error, fmt, io};

use url::Url;

use super::plan::checksum::{Algorithm, Checksum, ExpectedChecksum};
use super::redact::{redacted_path, redacted_reference, redacted_url};
use super::settings::proxies::ProxyError;
use super::settings::{MAX_CODINGS, MAX_REDIRECTS};
use super::stop::StopReason;
use super::trust::TrustError;
use crate::http::{FramingError, ResponseHeadError, Status, date};
use crate::net::BodyError;

/// What a fetch waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutPhase {
    Connect,
    Tls,
    Send,
    Answer,
    Body,
}

/// Why one attempt to fetch a URL failed.
#[derive(Debug)]
pub enum FetchError {
    /// The host's name has no address, or nobody could be asked.
    Resolve { host: Box<str>, error: Arc<io::Error> },
    /// The last of the host's addresses to be tried did not take the connection.
    Connect { address: SocketAddr, error: io::Error },
    /// The proxy made no tunnel.
    Tunnel(Status),
    /// The URL would go through a proxy that cannot be used.
    UnusableProxy(ProxyError),
    /// There is no TLS with the server, or its certificate is refused.
    Tls { host: Box<str>, error: io::Error },
    /// Nobody could vouch for the server.
    Trust(Arc<TrustError>),
    /// Nothing happened for so long.
    TimedOut { phase: TimeoutPhase, timeout: Duration },
    /// The request could not be sent.
    Send(io::Error),
    /// The server closed the connection before the answer's head was whole.
    Closed,
    /// The connection broke before the answer's head was whole.
    Receive(io::Error),
    /// The answer is not HTTP/1, or beyond a limit.
    Malformed(ResponseHeadError),
    /// More informational answers than any server has reason to send.
    TooManyInterim,
    /// An answer that does not bring the content, and how long the server wants to be left alone.
    Status { status: Status, retry_after: Option<Duration> },
    /// The server answered this, to this URL or to another one, and wants to be left alone for longer than
    /// is waited.
    RetryLater { status: Status, at: SystemTime, was_asked: bool },
    /// A `206` that is not the range that was asked for, or came unasked.
    UnexpectedRange,
    /// Another version of the content came while pieces of the first were fetched.
    Changed,
    /// The content has a registered coding that cannot be undone.
    UnsupportedCoding(&'static str),
    /// More codings, one upon the other, than are undone.
    TooManyCodings,
    /// The content cannot be decoded: it ends early, is damaged, goes on behind its end, or expands
    /// beyond the bound.
    Decode { coding: &'static str, error: io::Error },
    /// A redirect that does not say where to.
    MissingLocation(Status),
    /// A redirect to more than one place, of which these are two.
    ConflictingLocations { status: Status, places: Box<[Box<str>; 2]> },
    /// A redirect to what is no URL.
    InvalidLocation { location: Box<str>, error: url::ParseError },
    /// A redirect to a scheme that is not supported.
    RedirectScheme(Box<Url>),
    /// A redirect from `https` to `http`.
    Downgrade(Box<Url>),
    /// More than [`MAX_REDIRECTS`] redirects.
    TooManyRedirects,
    /// The body's end cannot be known.
    Framing(FramingError),
    /// The body did not come whole.
    Body(BodyError),
    /// The file cannot be written, or not be given its name.
    File { path: PathBuf, error: io::Error },
    /// The content is not what its checksum promises.
    Checksum { expected: ExpectedChecksum, found: Checksum },
    /// The run ended before the fetch did.
    Stopped(StopReason),
}

/// Kinds of failures, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    Name,
    Connection,
    Tls,
    Timeout,
    Protocol,
    Status(u16),
    Redirect,
    Incomplete,
    File,
    Checksum,
    Stopped,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name not found",
            Self::Connection => "connection failed",
            Self::Tls => "TLS failed",
            Self::Timeout => "timed out",
            Self::Protocol => "unusable answer",
            Self::Status(code) => return write!(f, "status {code}"),
            Self::Redirect => "unusable redirect",
            Self::Incomplete => "incomplete body",
            Self::File => "file not written",
            Self::Checksum => "wrong checksum",
            Self::Stopped => "stopped",
        })
    }
}

impl FetchError {
    /// The same request may well succeed at another time: the cause is the network, or one of the
    /// statuses that say so (408, 429, 500, 502, 503, 504).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::TimedOut { .. }
            | Self::Send(_)
            | Self::Closed
            | Self::Changed
            | Self::Body(BodyError::Io(_) | BodyError::Truncated { .. }) => true,
            // A client without a certificate has none the next time either.
            Self::Receive(error) => error.kind() != io::ErrorKind::PermissionDenied,
            Self::Resolve { error, .. } => is_temporary(error),
            // As of a body that ends early: the framing cannot tell where the connection's end is its.
            Self::Decode { error, .. } => error.kind() == io::ErrorKind::UnexpectedEof,
            // What TLS itself refuses is refused again; the connection under it may only have broken.
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

    /// The server turned the request away rather than answer it: 429 or 503.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        matches!(
            self,
            Self::Status { status: Status::TOO_MANY_REQUESTS | Status::SERVICE_UNAVAILABLE, .. }
        )
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Resolve { .. } => FailureKind::Name,
            Self::Connect { .. }
            | Self::UnusableProxy(_)
            | Self::Send(_)
            | Self::Closed
            | Self::Receive(_) => FailureKind::Connection,
            Self::Tls { .. } | Self::Trust(_) => FailureKind::Tls,
            Self::TimedOut { .. } => FailureKind::Timeout,
            Self::Status { status, .. }
            | Self::RetryLater { status, .. }
            | Self::Tunnel(status) => FailureKind::Status(status.code()),
            Self::MissingLocation(_)
            | Self::ConflictingLocations { .. }
            | Self::InvalidLocation { .. }
            | Self::RedirectScheme(_)
            | Self::Downgrade(_)
            | Self::TooManyRedirects => FailureKind::Redirect,
            Self::Malformed(_)
            | Self::TooManyInterim
            | Self::UnexpectedRange
            | Self::Changed
            | Self::UnsupportedCoding(_)
            | Self::TooManyCodings
            | Self::Framing(_)
            | Self::Body(BodyError::Chunked(_)) => FailureKind::Protocol,
            Self::Decode { error, .. } if error.kind() != io::ErrorKind::UnexpectedEof => {
                FailureKind::Protocol
            }
            Self::Decode { .. } => FailureKind::Incomplete,
            Self::Body(BodyError::Io(_) | BodyError::Truncated { .. }) => FailureKind::Incomplete,
            Self::File { .. } => FailureKind::File,
            Self::Checksum { .. } => FailureKind::Checksum,
            Self::Stopped(_) => FailureKind::Stopped,
        }
    }
}

/// The resolver could not ask, rather than was told that there is no such name. The system says so in
/// words alone (`EAI_AGAIN`).
fn is_temporary(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut || error.to_string().contains("Temporary failure")
}

impl From<ProxyError> for FetchError {
    fn from(error: ProxyError) -> Self {
        Self::UnusableProxy(error)
    }
}

impl From<StopReason> for FetchError {
    fn from(reason: StopReason) -> Self {
        Self::Stopped(reason)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, .. } => write!(f, "cannot look up the address of {host}"),
            Self::Connect { address, .. } => write!(f, "cannot connect to {address}"),
            Self::Tunnel(status) => write!(f, "the proxy made no tunnel: {status}"),
            Self::UnusableProxy(error) => error.fmt(f),
            Self::Tls { host, .. } => write!(f, "cannot speak TLS with {host}"),
            Self::Trust(error) => error.fmt(f),
            Self::TimedOut { phase, timeout } => {
                let missing = match phase {
                    TimeoutPhase::Connect => "no connection",
                    TimeoutPhase::Tls => "no TLS handshake",
                    TimeoutPhase::Send => "the server took no request",
                    TimeoutPhase::Answer => "no answer came",
                    TimeoutPhase::Body => "the body stopped coming",
                };
                write!(f, "timed out: {missing} for {timeout:?}")
            }
            Self::Send(_) => f.write_str("cannot send the request"),
            Self::Closed => f.write_str("the server closed the connection without a whole answer"),
            Self::Receive(_) => f.write_str("the connection broke before the answer"),
            Self::Malformed(error) => error.fmt(f),
            Self::TooManyInterim => {
                f.write_str("the server sends informational answers without end")
            }
            Self::RetryLater { status, at, was_asked } => {
                let which = if *was_asked { "" } else { "another request with " };
                write!(f, "the server answered {which}{status} and asks to come back ")?;
                let wait = at.duration_since(SystemTime::now()).unwrap_or_default();
                write!(f, "in {} s", wait.as_secs_f64().ceil())?;
                date::format(*at).map_or(Ok(()), |at| write!(f, " ({at})"))
            }
            Self::Status { status, .. } => {
                write!(f, "the server answered {status}")?;
                match status.code() {
                    200..=299 => f.write_str(", which does not bring the file"),
                    600.. => f.write_str(", which is not a valid HTTP status"),
                    _ => Ok(()),
                }
            }
            Self::UnexpectedRange => {
                f.write_str("the server answered 206 with another part than was asked for")
            }
            Self::Changed => f.write_str("the content changed while it was fetched"),
            Self::UnsupportedCoding(coding) => {
                write!(f, "the content is coded with {coding}, which cannot be decoded")
            }
            Self::TooManyCodings => {
                write!(f, "the content has more than {MAX_CODINGS} codings")
            }
            Self::Decode { coding, .. } => write!(f, "cannot decode the content ({coding})"),
            Self::MissingLocation(status) => write!(f, "{status} without a Location"),
            Self::ConflictingLocations { status, places } => {
                let [one, other] = &**places;
                write!(f, "{status} to two places: \"{one}\" and \"{other}\"")
            }
            Self::InvalidLocation { location, .. } => {
                write!(f, "the server redirects to \"{location}\", which is not a URL")
            }
            Self::RedirectScheme(url) => {
                let url = redacted_reference(url.as_str());
                write!(f, "the server redirects to {url}, whose scheme is not supported")
            }
            Self::Downgrade(url) => {
                let url = redacted_url(url);
                write!(f, "the server redirects from https to {url}, which nothing protects")
            }
            Self::TooManyRedirects => write!(f, "more than {MAX_REDIRECTS} redirects"),
            Self::Framing(error) => error.fmt(f),
            Self::Body(error) => error.fmt(f),
            Self::File { path, .. } => write!(f, "cannot write {}", redacted_path(path)),
            Self::Checksum { expected, found } => {
                let algorithm = found.algorithm();
                write!(f, "the {algorithm} is {found}, not {}", expected.checksum)?;
                if !expected.is_algorithm_named && algorithm == Algorithm::Sha512 {
                    f.write_str(" (the list does not name the algorithm: BLAKE2b is as long)")?;
                }
                Ok(())
            }
            Self::Stopped(StopReason::Interrupted) => f.write_str("interrupted"),
            Self::Stopped(StopReason::OutOfTime) => f.write_str("the time for the run is used up"),
        }
    }
}

impl error::Error for FetchError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Resolve { error, .. } => Some(&**error),
            Self::Connect { error, .. }
            | Self::Tls { error, .. }
            | Self::Send(error)
            | Self::Receive(error)
            | Self::Decode { error, .. }
            | Self::File { error, .. } => Some(error),
            Self::InvalidLocation { error, .. } => Some(error),
            // Shown as their own, so their causes are next.
            Self::Body(error) => error.source(),
            Self::Trust(error) => error.source(),
            Self::Tunnel(_)
            | Self::UnusableProxy(_)
            | Self::TimedOut { .. }
            | Self::Closed
            | Self::Malformed(_)
            | Self::TooManyInterim
            | Self::Status { .. }
            | Self::RetryLater { .. }
            | Self::UnexpectedRange
            | Self::Changed
            | Self::UnsupportedCoding(_)
            | Self::TooManyCodings
            | Self::MissingLocation(_)
            | Self::ConflictingLocations { .. }
            | Self::RedirectScheme(_)
            | Self::Downgrade(_)
            | Self::TooManyRedirects
            | Self::Framing(_)
            | Self::Checksum { .. }
            | Self::Stopped(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_time_may_mend_is_worth_another_try() {
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
