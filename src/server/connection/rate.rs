//! The rate of one connection's responses: the minimum at which the client must receive, and the maximum
//! that the operator sets.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::config::Rates;

/// With a maximum rate, the bytes of one second are sent in about this many pieces.
const PIECES_PER_SECOND: u64 = 50;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Longest interval between two checks of a client that receives nothing.
const RATE_POLL: Duration = Duration::from_secs(1);

/// The rate of one connection, across its responses.
#[derive(Debug)]
pub(super) struct SendRate {
    rates: Rates,
    /// How long the client may receive nothing at all.
    stall: Duration,
    window_started_at: Instant,
    window_bytes: u64,
    last_progress: Instant,
    /// With a maximum rate: when the next piece may be sent.
    due: Instant,
}

impl SendRate {
    pub(super) fn new(rates: Rates, stall: Duration) -> Self {
        let now = Instant::now();
        Self { rates, stall, window_started_at: now, window_bytes: 0, last_progress: now, due: now }
    }

    /// How long one write may block before the rate is checked (`SO_SNDTIMEO`).
    pub(super) fn write_timeout(&self) -> Duration {
        let poll =
            if self.rates.minimum == 0 { self.stall } else { self.rates.window.min(RATE_POLL) };
        poll.min(self.stall)
    }

    /// Begins a response: starts a new window.
    pub(super) fn begin(&mut self) {
        let now = Instant::now();
        (self.window_started_at, self.window_bytes, self.last_progress) = (now, 0, now);
        self.due = self.due.max(now);
    }

    /// Waits until the next piece is due, and returns its size: at most `wanted` bytes.
    pub(super) fn wait_until_due(&self, wanted: u64) -> u64 {
        let Some(maximum) = self.rates.maximum else { return wanted };
        thread::sleep(self.due.saturating_duration_since(Instant::now()));
        wanted.min((maximum / PIECES_PER_SECOND).max(1))
    }

    /// Counts bytes that the socket accepted.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`]: the client is too slow.
    pub(super) fn sent(&mut self, bytes: u64) -> io::Result<()> {
        if let Some(maximum) = self.rates.maximum {
            self.due += Duration::from_secs(1).mul_f64(seconds_at(bytes, maximum));
        }
        self.window_bytes += bytes;
        self.last_progress = Instant::now();
        self.check(self.last_progress)
    }

    /// Checks the rate after a write that timed out.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`]: the client is too slow.
    pub(super) fn stalled(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if now.duration_since(self.last_progress) >= self.stall {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.check(now)
    }

    fn check(&mut self, now: Instant) -> io::Result<()> {
        let elapsed = now.duration_since(self.window_started_at);
        if elapsed < self.rates.window {
            return Ok(());
        }
        // A client cannot be faster than the maximum: half of it is enough.
        let minimum = self.rates.minimum.min(self.rates.maximum.map_or(u64::MAX, |max| max / 2));
        let required_nanobytes = u128::from(minimum) * elapsed.as_nanos();
        if u128::from(self.window_bytes) * NANOS_PER_SECOND < required_nanobytes {
            return Err(io::ErrorKind::TimedOut.into());
        }
        (self.window_started_at, self.window_bytes) = (now, 0);
        Ok(())
    }
}

/// How many seconds `bytes` take at a rate in bytes per second.
#[expect(clippy::cast_precision_loss, reason = "a rate need not be exact to the byte")]
fn seconds_at(bytes: u64, rate: u64) -> f64 {
    bytes as f64 / rate as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn send_rate(minimum: u64, maximum: Option<u64>) -> SendRate {
        let rates = Rates { minimum, window: WINDOW, maximum };
        SendRate::new(rates, Duration::from_secs(30))
    }

    /// Whether a client may stay that received so many bytes in one window.
    fn may_stay(mut rate: SendRate, bytes: u64) -> bool {
        rate.window_bytes = bytes;
        rate.check(rate.window_started_at + WINDOW).is_ok()
    }

    #[test]
    fn the_minimum_holds_over_each_window() {
        assert!(may_stay(send_rate(1000, None), 10_000));
        assert!(!may_stay(send_rate(1000, None), 9_999));
        assert!(may_stay(send_rate(0, None), 0), "no minimum");
        let mut within = send_rate(1000, None);
        assert!(within.check(within.window_started_at + WINDOW / 2).is_ok(), "the grace");
    }

    #[test]
    fn a_maximum_below_the_minimum_lowers_the_minimum() {
        assert!(may_stay(send_rate(1000, Some(100)), 600));
        assert!(!may_stay(send_rate(1000, Some(100)), 400));
    }

    #[test]
    fn a_write_blocks_no_longer_than_until_the_next_check() {
        const SECOND: Duration = Duration::from_secs(1);
        for (minimum, window, stall, expected) in [
            (0, 10 * SECOND, 30 * SECOND, 30 * SECOND),
            (1000, 10 * SECOND, 30 * SECOND, SECOND),
            (1000, SECOND / 2, 30 * SECOND, SECOND / 2),
            (1000, 10 * SECOND, SECOND / 5, SECOND / 5),
        ] {
            let rate = SendRate::new(Rates { minimum, window, maximum: None }, stall);
            assert_eq!(rate.write_timeout(), expected, "{minimum} {window:?} {stall:?}");
        }
    }

    #[test]
    fn a_response_begins_a_new_window() {
        let mut rate = send_rate(1000, Some(1_000_000));
        let before = rate.window_started_at;
        rate.sent(1).unwrap();
        thread::sleep(Duration::from_millis(1));
        rate.begin();
        assert!(rate.window_started_at > before);
        assert_eq!(rate.window_bytes, 0, "bytes of another response do not count");
        assert_eq!(rate.last_progress, rate.window_started_at);
        assert!(rate.due >= rate.window_started_at, "idle time is not made up for");
    }

    #[test]
    fn a_client_may_receive_nothing_for_the_stall_time() {
        let rates = Rates { minimum: 0, window: WINDOW, maximum: None };
        assert!(SendRate::new(rates, WINDOW).stalled().is_ok());
        let error = SendRate::new(rates, Duration::ZERO).stalled().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn pieces_become_due_at_the_maximum_rate() {
        let mut rate = send_rate(0, Some(1_000_000));
        let started_at = rate.due;
        assert_eq!(rate.wait_until_due(u64::MAX), 20_000);
        for _ in 0..100 {
            rate.sent(20_000).unwrap();
        }
        assert_eq!(rate.due.duration_since(started_at), Duration::from_secs(2));
        assert_eq!(send_rate(0, None).wait_until_due(u64::MAX), u64::MAX);
        assert_eq!(send_rate(0, Some(1)).wait_until_due(10), 1, "something always goes out");
    }
}
