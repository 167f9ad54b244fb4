//! Why a fetch failed, and whether another try may help.
//!
//! What a peer sent is escaped before it stands in a message. Which URL failed is not repeated here:
//! the outcome knows it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{error, fmt, io};

use url::Url;

use super::MAX_REDIRECTS;
use crate::http::{FramingError, ResponseHeadError, Status};
use crate::net::BodyError;

/// What a fetch waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connect,
    Send,
    Answer,
    Body,
}

/// Why one attempt to fetch a URL failed.
#[derive(Debug)]
pub enum FetchError {
    /// The host's name has no address, or nobody could be asked.
    Resolve { host: String, error: Arc<io::Error> },
    /// The last of the host's addresses to be tried did not take the connection.
    Connect { address: SocketAddr, error: io::Error },
    /// Nothing happened for so long.
    TimedOut { phase: Phase, timeout: Duration },
    /// The request could not be sent.
    Send(io::Error),
    /// The server closed the connection before the answer's head was whole.
    Closed,
    /// The connection broke before the answer's head was whole.
    Broken(io::Error),
    /// The answer is not HTTP/1, or beyond a limit.
    Malformed(ResponseHeadError),
    /// More informational answers than any server has reason to send.
    Unending,
    /// An answer other than success.
    Status(Status),
    /// The whole was asked for, and a part came: `206`.
    Partial,
    /// A content coding came that was not asked for, and would be saved as if it were the content.
    Coded(String),
    /// A redirect that says not where to, or says it in more than one field.
    NoLocation(Status),
    /// A redirect to what is no URL.
    Location { location: String, error: url::ParseError },
    /// A redirect to a scheme that is not supported.
    LocationScheme(Url),
    /// More than [`MAX_REDIRECTS`] redirects.
    Redirects,
    /// The body's end cannot be known.
    Framing(FramingError),
    /// The body did not come whole.
    Body(BodyError),
    /// The file cannot be written, or not be given its name.
    File { path: PathBuf, error: io::Error },
}

impl FetchError {
    /// The same request may well succeed at another time: the cause is the network, or one of the
    /// statuses that say so (408, 429, 500, 502, 503, 504).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::TimedOut { .. }
            | Self::Send(_)
            | Self::Closed
            | Self::Broken(_)
            | Self::Body(BodyError::Io(_) | BodyError::Truncated { .. }) => true,
            Self::Status(status) => matches!(
                *status,
                Status::REQUEST_TIMEOUT
                    | Status::TOO_MANY_REQUESTS
                    | Status::INTERNAL_SERVER_ERROR
                    | Status::BAD_GATEWAY
                    | Status::SERVICE_UNAVAILABLE
                    | Status::GATEWAY_TIMEOUT
            ),
            Self::Malformed(_)
            | Self::Unending
            | Self::Partial
            | Self::Coded(_)
            | Self::NoLocation(_)
            | Self::Location { .. }
            | Self::LocationScheme(_)
            | Self::Redirects
            | Self::Framing(_)
            | Self::Body(BodyError::Chunked(_))
            | Self::File { .. } => false,
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, .. } => write!(f, "cannot look up the address of {host}"),
            Self::Connect { address, .. } => write!(f, "cannot connect to {address}"),
            Self::TimedOut { phase, timeout } => {
                let missing = match phase {
                    Phase::Connect => "no connection",
                    Phase::Send => "the server took no request",
                    Phase::Answer => "no answer came",
                    Phase::Body => "the body stopped coming",
                };
                write!(f, "timed out: {missing} for {timeout:?}")
            }
            Self::Send(_) => f.write_str("cannot send the request"),
            Self::Closed => f.write_str("the server closed the connection without a whole answer"),
            Self::Broken(_) => f.write_str("the connection broke before the answer"),
            Self::Malformed(error) => error.fmt(f),
            Self::Unending => f.write_str("the server sends informational answers without end"),
            Self::Status(status) => write!(f, "the server answered {status}"),
            Self::Partial => f.write_str("the server sent a part where the whole was asked for"),
            Self::Coded(coding) => {
                write!(f, "the content is coded ({coding}) though no coding was asked for")
            }
            Self::NoLocation(status) => write!(f, "{status} without one place to go to"),
            Self::Location { location, .. } => {
                write!(f, "the server redirects to \"{location}\", which is not a URL")
            }
            Self::LocationScheme(url) => {
                write!(f, "the server redirects to {url}, whose scheme is not supported")
            }
            Self::Redirects => write!(f, "more than {MAX_REDIRECTS} redirects"),
            Self::Framing(error) => error.fmt(f),
            Self::Body(error) => error.fmt(f),
            Self::File { path, .. } => write!(f, "cannot write {}", path.display()),
        }
    }
}

impl error::Error for FetchError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Resolve { error, .. } => Some(&**error),
            Self::Connect { error, .. }
            | Self::Send(error)
            | Self::Broken(error)
            | Self::File { error, .. } => Some(error),
            Self::Location { error, .. } => Some(error),
            // Shown as their own, so their causes are next.
            Self::Body(error) => error.source(),
            Self::TimedOut { .. }
            | Self::Closed
            | Self::Malformed(_)
            | Self::Unending
            | Self::Status(_)
            | Self::Partial
            | Self::Coded(_)
            | Self::NoLocation(_)
            | Self::LocationScheme(_)
            | Self::Redirects
            | Self::Framing(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_time_may_mend_is_worth_another_try() {
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let status = |code| FetchError::Status(Status::new(code).unwrap());
        for (error, transient) in [
            (FetchError::Closed, true),
            (FetchError::Broken(reset()), true),
            (FetchError::Send(reset()), true),
            (FetchError::TimedOut { phase: Phase::Body, timeout: Duration::from_secs(1) }, true),
            (FetchError::Body(BodyError::Truncated { received: 1, declared: Some(2) }), true),
            (status(408), true),
            (status(429), true),
            (status(500), true),
            (status(502), true),
            (status(503), true),
            (status(504), true),
            (status(404), false),
            (status(501), false),
            (FetchError::Partial, false),
            (FetchError::Redirects, false),
            (FetchError::File { path: "x".into(), error: reset() }, false),
        ] {
            assert_eq!(error.is_transient(), transient, "{error}");
        }
    }
}
