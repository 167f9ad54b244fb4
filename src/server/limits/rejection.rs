//! Why a connection is rejected.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::http::Status;

/// One of the two limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    Client,
    Total,
}

impl Scope {
    /// The name of the limit in `RateLimit-Policy` and in the log.
    pub(crate) const fn name(self) -> &'static str {
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

/// The reason why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// `None` if the total had been reached before the client was known.
    pub(crate) client: Option<IpAddr>,
    /// The limit that has been reached. The client's own is checked first.
    pub(crate) scope: Scope,
    /// The value of the limit.
    pub(crate) limit: usize,
    /// The expected time until a slot is free: if `n` connections are each held for a time `T` on average,
    /// one ends every `T/n`. Zero before any connection has ended.
    pub(crate) expected_wait: Duration,
}

impl Rejection {
    /// `429` for the client's own limit (RFC 6585 §4), on which it has an influence; `503` for the total
    /// (RFC 9110 §15.6.4), on which it has none.
    pub(crate) fn status(&self) -> Status {
        match self.scope {
            Scope::Client => Status::TOO_MANY_REQUESTS,
            Scope::Total => Status::SERVICE_UNAVAILABLE,
        }
    }

    /// The client, if the limit counts only its connections; `None` if it counts all.
    pub(crate) fn counted_client(&self) -> Option<IpAddr> {
        match self.scope {
            Scope::Client => self.client,
            Scope::Total => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_determines_the_connections_that_count_and_the_status() {
        let client = Some(IpAddr::from([127, 0, 0, 9]));
        for (scope, counted, status) in [
            (Scope::Client, client, Status::TOO_MANY_REQUESTS),
            (Scope::Total, None, Status::SERVICE_UNAVAILABLE),
        ] {
            let rejection = Rejection { client, scope, limit: 1, expected_wait: Duration::ZERO };
            assert_eq!((rejection.counted_client(), rejection.status()), (counted, status));
        }
    }
}
