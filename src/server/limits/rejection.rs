//! Why a connection is rejected.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::http::Status;

/// Which of the two limits is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Client,
    Total,
}

impl Scope {
    /// The name of the limit in `RateLimit-Policy`, and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "per-client",
            Self::Total => "total",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A connection that may not be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// `None` where a limit was met before it was known who the client is.
    pub client: Option<IpAddr>,
    /// The limit that is used up. The client's own is looked at first.
    pub scope: Scope,
    /// Its value.
    pub limit: usize,
    /// How soon a slot can be expected, by how long connections were held lately: where `n` are held
    /// for a time `T` on average, one ends every `T/n`. Zero where nothing is known.
    pub expected_wait: Duration,
}

impl Rejection {
    /// `429` for the client's own limit (RFC 6585 §4), `503` for the server's (RFC 9110 §15.6.4): the
    /// first is in the client's hands, the second is not.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.scope {
            Scope::Client => Status::TOO_MANY_REQUESTS,
            Scope::Total => Status::SERVICE_UNAVAILABLE,
        }
    }

    /// Whose connections use the limit up: those of one client, or, for `None`, of all.
    pub(crate) fn among(&self) -> Option<IpAddr> {
        match self.scope {
            Scope::Client => self.client,
            Scope::Total => None,
        }
    }
}
