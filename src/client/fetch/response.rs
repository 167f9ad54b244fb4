//! A response with unread content, and the evaluation of its head.

use std::time::{Duration, SystemTime};

use crate::client::error::FetchError;
use crate::client::hosts::gate::HostPermit;
use crate::client::transport::connect::Connection;
use crate::http::rate_limit::{self, QuotaPolicy, QuotaUnit};
use crate::http::{Fields, Framing, ResponseHead, Status, response_framing};

/// A response up to its head, on its connection.
#[derive(Debug)]
pub(super) struct Response<'n> {
    pub(super) head: ResponseHead,
    pub(super) connection: Connection,
    pub(super) permit: HostPermit<'n>,
}

/// The framing of a response's content.
pub(super) fn framing(head: &ResponseHead) -> Result<Framing, FetchError> {
    response_framing(head.status(), &head.fields()).map_err(FetchError::Framing)
}

/// The length of the content, if its framing declares it.
pub(super) fn declared_length(framing: Framing) -> Option<u64> {
    match framing {
        Framing::Length(bytes) => Some(bytes),
        Framing::Chunked | Framing::UntilClose => None,
    }
}

/// The wait that the server asks for with `Retry-After`; `None` for a redirect, which is followed at once
/// (RFC 9110 §10.2.3).
pub(super) fn retry_after(head: &ResponseHead) -> Option<Duration> {
    if !head.status().is_error() {
        return None;
    }
    rate_limit::retry_after(head.fields().only("Retry-After")?, SystemTime::now())
}

/// Reports to the gate what a response says about the host's limit.
pub(super) fn report_to_gate(permit: &mut HostPermit<'_>, head: &ResponseHead) {
    let advertised = concurrent_requests(&head.fields());
    match head.status() {
        Status::TOO_MANY_REQUESTS => permit.record_rejected(advertised, retry_after(head)),
        Status::SERVICE_UNAVAILABLE => permit.record_unavailable(retry_after(head)),
        _ => permit.record_accepted(advertised, head.fields().only("Server")),
    }
}

/// The smallest quota of concurrent requests in `RateLimit-Policy`.
fn concurrent_requests(fields: &Fields<'_>) -> Option<usize> {
    let policies = QuotaPolicy::parse_list(&fields.joined("RateLimit-Policy")?)?;
    let quotas = policies
        .into_iter()
        .filter(|policy| policy.unit == QuotaUnit::ConcurrentRequests && policy.quota > 0)
        .map(|policy| usize::try_from(policy.quota).unwrap_or(usize::MAX));
    quotas.min()
}
