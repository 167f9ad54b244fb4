//! One host: its limit, the state of its connections, and the workers that wait for it.

use std::sync::{Arc, Condvar};
use std::time::Instant;

use url::{Position, Url};

use super::limit::{HostLimit, Load};

/// The state of a host during a run.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) limit: HostLimit,
    pub(super) load: Load,
    /// Wakes the workers that wait for this host in the middle of a job.
    pub(super) admitted: Arc<Condvar>,
    /// The number of these workers.
    pub(super) waiting: usize,
    pub(super) finished_jobs: usize,
    /// Its first `Server` field, escaped.
    pub(super) server: Option<Box<str>>,
}

/// The state of a connection in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionState {
    /// It has had no response.
    Opening,
    /// It has had a response other than a rejection.
    Proven,
    /// Its last request was rejected. It does not count towards the limit.
    Rejected,
}

impl Host {
    pub(super) fn new(limit: HostLimit) -> Self {
        Self {
            limit,
            load: Load::default(),
            admitted: Arc::default(),
            waiting: 0,
            finished_jobs: 0,
            server: None,
        }
    }

    /// How many more requests may be sent now.
    pub(super) fn room(&self, now: Instant) -> usize {
        let places = self.limit.current().saturating_sub(self.load.in_use);
        places.min(self.limit.room_to_open(self.load, now) + self.load.idle)
    }

    /// Counts a connection that comes into use.
    pub(super) fn enter(&mut self, state: ConnectionState) {
        self.load.in_use += 1;
        self.count_in(state);
    }

    /// Counts the change of a connection's state.
    pub(super) fn change_state(&mut self, from: ConnectionState, to: ConnectionState) {
        self.count_out(from);
        self.count_in(to);
    }

    /// Counts a connection that is no longer in use.
    pub(super) fn leave(&mut self, state: ConnectionState) {
        self.load.in_use -= 1;
        self.count_out(state);
    }

    fn count_in(&mut self, state: ConnectionState) {
        match state {
            ConnectionState::Opening => self.load.opening += 1,
            ConnectionState::Proven => self.load.proven += 1,
            ConnectionState::Rejected => {}
        }
    }

    fn count_out(&mut self, state: ConnectionState) {
        match state {
            ConnectionState::Opening => self.load.opening -= 1,
            ConnectionState::Proven => self.load.proven -= 1,
            ConnectionState::Rejected => {}
        }
    }

    /// How many idle connections exceed the limit.
    pub(super) fn surplus(&self) -> usize {
        let in_use = self.load.not_rejected() - self.load.idle;
        self.load.idle.saturating_sub(self.limit.current().saturating_sub(in_use))
    }
}

/// The key of a URL's host: scheme, host and port as text.
pub(crate) fn key_of(url: &Url) -> &str {
    &url[..Position::BeforePath]
}
