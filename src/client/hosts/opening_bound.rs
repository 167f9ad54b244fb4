//! The number of opening connections that a host bears, found out by trial.
//!
//! ```text
//!           bound filled: measure       slower by half of the growth, or more: back, and pause
//! bound 6 ───────────────────────▶ median ────────────────────────────────────▶ bound before
//!    ▲                               │
//!    └── bound 12, 24, …, ceiling ◀──┘ not slower, and not below 4 ms
//! ```
//!
//! A host that serves its connections one after another answers each of twice as many in twice the time,
//! and more than its listen queue holds are lost. A host that serves them side by side answers in the same
//! time. So the median time to the first response is compared with that at the bound before, as delay-based
//! congestion control does (RFC 9406). Where the responses are quick, more at a time would gain nothing.

use std::time::{Duration, Instant};

/// The bounds of the first and second measurement. A listen queue of five holds six (Linux).
const FIRST_BOUND: usize = 4;
const SECOND_BOUND: usize = 6;

/// Responses per measurement, or the bound if that is lower (RFC 9406 §4.2 has the same number).
const MEASURED: usize = 8;

/// No more connections are tried where the first response comes sooner.
const QUICK: Duration = Duration::from_millis(4);

/// Measurements before a bound that was too high is tried again.
const PAUSE: u32 = 8;

/// The bound of one host, and the measurement in progress.
#[derive(Debug)]
pub(super) struct OpeningBound {
    ceiling: usize,
    bound: usize,
    growth: Growth,
    /// The bound that was measured before this one.
    previous: Option<Measurement>,
    /// Since when there are as many connections opening as the bound allows.
    filled_since: Option<Instant>,
    times: Vec<Duration>,
    pause: u32,
}

/// How the bound grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    Doubling,
    /// By one, after connections were lost.
    Linear,
}

/// The median time to the first response, with up to `bound` connections opening.
#[derive(Clone, Copy, Debug)]
struct Measurement {
    bound: usize,
    median: Duration,
}

impl Measurement {
    /// Whether a further measurement is slower by at least half of what it would be if the host served
    /// one connection after another.
    fn is_exceeded_by(self, next: Self) -> bool {
        let (before, after) = (self.bound as u128, next.bound as u128);
        next.median.as_nanos() * 2 * before >= self.median.as_nanos() * (before + after)
    }
}

impl OpeningBound {
    pub(super) fn new(ceiling: usize) -> Self {
        Self {
            ceiling,
            bound: SECOND_BOUND,
            growth: Growth::Doubling,
            previous: None,
            filled_since: None,
            times: Vec::new(),
            pause: 0,
        }
    }

    /// How many connections may be opening.
    pub(super) fn current(&self) -> usize {
        self.bound
    }

    /// Starts anew with this bound, after connections were lost.
    pub(super) fn restart(&mut self, bound: usize) {
        self.growth = Growth::Linear;
        self.previous = None;
        self.set_bound(bound);
    }

    /// Counts a first response. `is_filled` says whether the bound is the only one in effect.
    pub(super) fn record(
        &mut self,
        took: Duration,
        opened_at: Instant,
        is_filled: bool,
        now: Instant,
    ) {
        if !is_filled {
            // Only before the first trial are there times to compare with.
            if self.previous.is_none() {
                self.times.push(took);
            }
            return;
        }
        let filled_since = *self.filled_since.get_or_insert_with(|| {
            if let Some(median) = median(&mut self.times) {
                self.previous.get_or_insert(Measurement { bound: FIRST_BOUND, median });
            }
            self.times.clear();
            now
        });
        // A connection opened earlier had fewer others beside it.
        if opened_at >= filled_since {
            self.times.push(took);
        }
        if self.times.len() >= self.bound.min(MEASURED) {
            self.decide();
        }
    }

    /// Compares the times with those at the bound before, and sets the next bound.
    fn decide(&mut self) {
        let Some(median) = median(&mut self.times) else { return };
        self.times.clear();
        let measured = Measurement { bound: self.bound, median };
        match self.previous.take() {
            Some(previous) if previous.is_exceeded_by(measured) => {
                self.pause = PAUSE;
                self.set_bound(previous.bound);
            }
            _ if median < QUICK || self.bound >= self.ceiling => {}
            _ if self.pause > 0 => self.pause -= 1,
            _ => {
                self.previous = Some(measured);
                self.set_bound(match self.growth {
                    Growth::Linear => self.bound + 1,
                    Growth::Doubling if self.bound <= FIRST_BOUND => SECOND_BOUND,
                    Growth::Doubling => self.bound * 2,
                });
            }
        }
    }

    fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
        self.filled_since = None;
        self.times.clear();
    }
}

/// The upper median.
fn median(times: &mut [Duration]) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
