//! How many connections to one host may be *opening*: between the connect and the first response.
//!
//! ```text
//!            first response            half as many as were answered, at least 4,
//! 5 at once, ─────────────▶ window ──▶ at most the bound found by trial
//! 10 after 3 ms               │  │
//!                             │  └─ the host advertises its limit: all at once
//!                             └─ a connection is lost: half of it, then one more at a time;
//!                                5 while there is no response
//! ```
//!
//! The window protects hosts in two ways. A host that accepts fewer connections than are wanted, and does
//! not say so, rejects at most a third of them. And a short listen queue does not overflow: a system drops
//! the SYN of a connection that finds the queue full, and the client repeats it only after a second (RFC
//! 6298). Python's `http.server` has a queue of five. [`OpeningBound`] finds out how many more a host bears.
//!
//! Kept connections do not count. Counts and time are arguments; `gate` waits.

use std::time::{Duration, Instant};

use super::opening_bound::OpeningBound;

/// The policy in one sentence, for reports. It is the same in all runs.
pub const OPENING_POLICY: &str = "five connections at once, ten if there is no response within 3 ms; then half as many as were \
     answered, and fewer if responses become slower or a connection is lost; all at once if the host \
     advertises its limit";

/// Connections that are opened at once to an unknown host: a listen queue of five bears them.
const FIRST_BURST: usize = 5;

/// Connections that may be opening to an unknown host before its first response, and when. A host that is
/// near responds before that; one that is far, or slow, costs no further round trip for ten files.
const FIRST_WINDOW: usize = 10;
const FIRST_WINDOW_DELAY: Duration = Duration::from_millis(3);

/// Connections that may be opening after the first response, unless half of the answered ones are more.
const LEAST_WINDOW: usize = 4;

/// The least window after losses (RFC 5681 §3.1 has the same bound): one slow response delays no others.
const LEAST_AFTER_LOSS: usize = 2;

/// A connect that took this much longer than the fastest one repeated a SYN. The first repetition is sent
/// after a second (RFC 6298 §2.1).
const SYN_REPEATED: Duration = Duration::from_millis(900);

/// A connection that has had its first response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) opened_at: Instant,
    /// The time of the connect alone.
    pub(super) connect: Duration,
    /// From the start of the connect to the first response.
    pub(super) took: Duration,
}

/// The window of one host.
#[derive(Debug)]
pub(super) struct OpeningWindow {
    /// Connections to this host that the settings allow.
    ceiling: usize,
    first_opened_at: Option<Instant>,
    /// When the first of these connections had its first response.
    first_answered_at: Option<Instant>,
    /// How many have had it.
    answered: usize,
    is_advertised: bool,
    fastest_connect: Duration,
    /// When the window was last halved.
    lost_at: Option<Instant>,
    bound: OpeningBound,
}

impl OpeningWindow {
    pub(super) fn new(ceiling: usize) -> Self {
        Self {
            ceiling,
            first_opened_at: None,
            first_answered_at: None,
            answered: 0,
            is_advertised: false,
            fastest_connect: Duration::MAX,
            lost_at: None,
            bound: OpeningBound::new(ceiling),
        }
    }

    /// How many connections may be opening.
    pub(super) fn size(&self, now: Instant) -> usize {
        match self.first_window_at() {
            Some(at) if at > now => FIRST_BURST,
            _ => self.full_size(),
        }
    }

    /// When the size grows by itself, if that is in the future.
    pub(super) fn grows_at(&self, now: Instant) -> Option<Instant> {
        self.first_window_at().filter(|at| *at > now)
    }

    /// When the first window follows the first burst, while there is no response.
    fn first_window_at(&self) -> Option<Instant> {
        let is_unknown = self.answered == 0 && self.lost_at.is_none();
        self.first_opened_at.filter(|_| is_unknown).map(|at| at + FIRST_WINDOW_DELAY)
    }

    fn full_size(&self) -> usize {
        match self.lost_at {
            None if self.is_advertised => self.ceiling,
            None if self.answered == 0 => FIRST_WINDOW,
            // The host may be unreachable: fewer would only take longer to find out.
            Some(_) if self.answered == 0 => FIRST_BURST,
            _ => self.share().min(self.bound.current()),
        }
    }

    /// Half of the answered connections.
    fn share(&self) -> usize {
        (self.answered / 2).max(LEAST_WINDOW)
    }

    /// Counts a connection that is about to be opened.
    pub(super) fn record_opened(&mut self, now: Instant) {
        self.first_opened_at.get_or_insert(now);
    }

    /// The host advertises how many connections it allows.
    pub(super) fn record_advertised(&mut self) {
        self.is_advertised = true;
    }

    /// Counts the first response on a connection.
    pub(super) fn record_answered(&mut self, connection: Answered, now: Instant) {
        self.answered = self.answered.saturating_add(1);
        if connection.connect >= self.fastest_connect.saturating_add(SYN_REPEATED) {
            self.record_lost(connection.opened_at, now);
            return;
        }
        self.fastest_connect = self.fastest_connect.min(connection.connect);
        // The first window is too large to compare with.
        if connection.opened_at >= *self.first_answered_at.get_or_insert(now) {
            let is_filled = self.share() >= self.bound.current();
            self.bound.record(connection.took, connection.opened_at, is_filled, now);
        }
    }

    /// Halves the window after a connection that was refused, or repeated its SYN. The others that were
    /// opening at that time show the same overload, and count once with it.
    pub(super) fn record_lost(&mut self, opened_at: Instant, now: Instant) {
        if self.lost_at.is_none_or(|lost_at| opened_at >= lost_at) {
            self.bound.restart((self.full_size() / 2).max(LEAST_AFTER_LOSS));
            self.lost_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests;
