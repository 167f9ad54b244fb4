//! What has happened since the start, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::rejection::Scope;
use crate::http::Status;

/// Counts that only grow.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Connections accepted, also those that were rejected then.
    pub(super) connections: Count,
    pub(super) requests: Count,
    /// Responses by the class of their status: 1xx to 5xx.
    pub(super) responses: [Count; 5],
    /// Bytes of content.
    pub(super) bytes_sent: Count,
    pub(super) rejected_per_client: Count,
    pub(super) rejected_total: Count,
    /// What limits that are only tried out would have rejected.
    pub(super) would_reject: Count,
    /// Idle connections closed to hand their slots on.
    pub(super) reclaimed: Count,
    pub(super) accept_errors: Count,
    pub(super) spawn_failures: Count,
    pub(super) panics: Count,
    /// Heads that were begun and not completed in time.
    pub(super) head_timeouts: Count,
    /// Peers that took too little for too long.
    pub(super) slow_drops: Count,
}

/// One count.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn one(&self) {
        self.add(1);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    pub(super) fn response(&self, status: Status, content_bytes: u64) {
        let class = usize::from(status.code() / 100 - 1);
        self.responses[class].one();
        self.bytes_sent.add(content_bytes);
    }

    pub(super) fn rejected(&self, scope: Scope) {
        match scope {
            Scope::Client => self.rejected_per_client.one(),
            Scope::Total => self.rejected_total.one(),
        }
    }
}
