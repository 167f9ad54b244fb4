//! The values of `RateLimit-Policy` and `RateLimit` for the two limits
//! (draft-ietf-httpapi-ratelimit-headers).

use std::fmt::Write as _;
use std::time::Duration;

use crate::http::rate_limit::{QuotaPolicy, QuotaUnit, ServiceLimit};
use crate::server::limits::rejection::Scope;

/// The value of `RateLimit-Policy`: the limit.
pub(crate) fn rate_limit_policy(scope: Scope, limit: usize) -> String {
    QuotaPolicy {
        name: scope.name().into(),
        quota: limit as u64,
        unit: QuotaUnit::ConcurrentRequests,
        window: None,
    }
    .to_string()
}

/// The value of `RateLimit`: how many connections are left, and, if known, when there may be more.
pub(crate) fn rate_limit(scope: Scope, remaining: usize, reset: Option<Duration>) -> String {
    let limit = ServiceLimit { name: scope.name().into(), remaining: remaining as u64, reset };
    // Made for each response: in one allocation.
    let mut value = String::with_capacity(32);
    write!(value, "{limit}").expect("memory takes all that is written");
    value
}
