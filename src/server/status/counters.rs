//! What has happened since the start, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::http::Status;
use crate::server::limits::rejection::Scope;

/// Counts that only grow.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Connections accepted, also those that were rejected then.
    pub(crate) connections: Count,
    pub(crate) requests: Count,
    /// Responses by the class of their status: 1xx to 5xx.
    pub(super) responses: [Count; 5],
    /// Bytes of content.
    pub(super) bytes_sent: Count,
    pub(super) rejected_per_client: Count,
    pub(super) rejected_total: Count,
    /// What limits that are only tried out would have rejected.
    pub(crate) would_reject: Count,
    /// Idle connections closed to hand their slots on.
    pub(crate) reclaimed: Count,
    pub(crate) accept_errors: Count,
    pub(crate) spawn_failures: Count,
    pub(crate) panics: Count,
    /// Heads that were begun and not completed in time.
    pub(crate) head_timeouts: Count,
    /// Peers that took too little for too long.
    pub(crate) slow_drops: Count,
}

/// One count.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    pub(crate) fn response(&self, status: Status, content_bytes: u64) {
        let class = usize::from(status.code() / 100 - 1);
        self.responses[class].one();
        self.bytes_sent.add(content_bytes);
    }

    pub(crate) fn rejected(&self, scope: Scope) {
        match scope {
            Scope::Client => self.rejected_per_client.one(),
            Scope::Total => self.rejected_total.one(),
        }
    }
}
