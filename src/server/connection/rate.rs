//! How fast a response goes out: no slower than the peer must take it, no faster than the operator
//! lets it.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::config::Rates;

/// With a maximum, a second's bytes go out in about this many pieces.
const PIECES_PER_SECOND: u64 = 50;

/// How often the pace of a peer that takes nothing is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The pace of one connection, kept from one response to the next.
#[derive(Debug)]
pub(super) struct Pace {
    rates: Rates,
    /// For how long the peer may take nothing at all.
    stall: Duration,
    window_began: Instant,
    window_bytes: u64,
    last_progress: Instant,
    /// When the next piece may go out, where there is a maximum.
    due: Instant,
}

impl Pace {
    pub(super) fn new(rates: Rates, stall: Duration) -> Self {
        let now = Instant::now();
        Self { rates, stall, window_began: now, window_bytes: 0, last_progress: now, due: now }
    }

    /// For how long one write may wait before the pace is looked at (`SO_SNDTIMEO`).
    pub(super) fn write_timeout(&self) -> Duration {
        let look = if self.rates.minimum == 0 { self.stall } else { self.rates.window.min(LOOK) };
        look.min(self.stall)
    }

    /// A response begins: what the peer did not take before counts no more.
    pub(super) fn begin(&mut self) {
        let now = Instant::now();
        (self.window_began, self.window_bytes, self.last_progress) = (now, 0, now);
        self.due = self.due.max(now);
    }

    /// How many of `wanted` bytes may go out now; waits until it is time for them.
    pub(super) fn allow(&self, wanted: u64) -> u64 {
        let Some(maximum) = self.rates.maximum else { return wanted };
        thread::sleep(self.due.saturating_duration_since(Instant::now()));
        wanted.min((maximum / PIECES_PER_SECOND).max(1))
    }

    /// So many bytes were taken by the socket.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`]: the peer is too slow.
    pub(super) fn sent(&mut self, bytes: u64) -> io::Result<()> {
        if let Some(maximum) = self.rates.maximum {
            self.due += Duration::from_secs(1).mul_f64(ratio(bytes, maximum));
        }
        self.window_bytes += bytes;
        self.last_progress = Instant::now();
        self.check(self.last_progress)
    }

    /// A write waited for its time and nothing was taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`]: the peer is too slow.
    pub(super) fn stalled(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if now.duration_since(self.last_progress) >= self.stall {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.check(now)
    }

    fn check(&mut self, now: Instant) -> io::Result<()> {
        let elapsed = now.duration_since(self.window_began);
        if elapsed < self.rates.window {
            return Ok(());
        }
        // A peer is not blamed for a speed that the operator set: half of that is enough.
        let minimum = self.rates.minimum.min(self.rates.maximum.map_or(u64::MAX, |max| max / 2));
        if ratio(self.window_bytes, minimum) < elapsed.as_secs_f64() && minimum > 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        (self.window_began, self.window_bytes) = (now, 0);
        Ok(())
    }
}

/// How many seconds so many bytes take at a rate.
#[expect(clippy::cast_precision_loss, reason = "a rate need not be exact to the byte")]
fn ratio(bytes: u64, rate: u64) -> f64 {
    bytes as f64 / rate as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn pace(minimum: u64, maximum: Option<u64>) -> Pace {
        let rates = Rates { minimum, window: WINDOW, maximum };
        Pace::new(rates, Duration::from_secs(30))
    }

    /// Whether a peer that took so many bytes in a window and a bit may stay.
    fn may_stay(mut pace: Pace, bytes: u64) -> bool {
        pace.window_bytes = bytes;
        pace.check(pace.window_began + WINDOW).is_ok()
    }

    #[test]
    fn the_minimum_holds_over_each_window() {
        assert!(may_stay(pace(1000, None), 10_000));
        assert!(!may_stay(pace(1000, None), 9_999));
        assert!(may_stay(pace(0, None), 0), "no minimum");
        let mut within = pace(1000, None);
        assert!(within.check(within.window_began + WINDOW / 2).is_ok(), "the grace");
    }

    #[test]
    fn a_maximum_below_the_minimum_is_not_held_against_the_peer() {
        assert!(may_stay(pace(1000, Some(100)), 600));
        assert!(!may_stay(pace(1000, Some(100)), 400));
    }

    #[test]
    fn pieces_become_due_at_the_maximum_rate() {
        let mut pace = pace(0, Some(1_000_000));
        let begun = pace.due;
        assert_eq!(pace.allow(u64::MAX), 20_000);
        for _ in 0..100 {
            pace.sent(20_000).unwrap();
        }
        assert_eq!(pace.due.duration_since(begun), Duration::from_secs(2));
        assert_eq!(self::pace(0, None).allow(u64::MAX), u64::MAX);
        assert_eq!(self::pace(0, Some(1)).allow(10), 1, "something always goes out");
    }
}
