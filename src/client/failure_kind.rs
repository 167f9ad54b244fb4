//! The kinds of failures, by which a run's failures are counted.

use std::{fmt, io};

use super::error::FetchError;
use crate::net::BodyError;

/// The kind of a failure, by which failures are counted.
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
    /// The kind of the failure.
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
