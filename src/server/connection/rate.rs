//! The rate of one connection's responses: the minimum at which the client must receive, and the maximum
//! that the operator sets.

use std::io;
use std::time::{Duration, Instant};

use crate::server::config::Rates;
use crate::server::limits::rates::shared_rate::Share;

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
    /// Its share of each maximum rate.
    shares: Vec<Share>,
}

/// How long one write may block before the rate is checked (`SO_SNDTIMEO`).
pub(super) fn write_timeout(rates: Rates, stall: Duration) -> Duration {
    let poll = if rates.minimum == 0 { stall } else { rates.window.min(RATE_POLL) };
    poll.min(stall)
}

impl SendRate {
    pub(super) fn new(rates: Rates, stall: Duration, shares: Vec<Share>) -> Self {
        let now = Instant::now();
        Self { rates, stall, window_started_at: now, window_bytes: 0, last_progress: now, shares }
    }

    /// How long one write may block before the rate is checked.
    pub(super) fn write_timeout(&self) -> Duration {
        write_timeout(self.rates, self.stall)
    }

    /// Begins a response: starts a new window.
    pub(super) fn begin(&mut self) {
        let now = Instant::now();
        (self.window_started_at, self.window_bytes, self.last_progress) = (now, 0, now);
    }

    /// Waits until the connection may send, and returns how many bytes: at most `wanted`.
    pub(super) fn wait_for_turn(&mut self, wanted: u64) -> u64 {
        if self.shares.is_empty() {
            return wanted;
        }
        let begun = Instant::now();
        let bytes = self.shares.iter_mut().fold(wanted, |bytes, share| share.wait_for_turn(bytes));
        self.leave_out(begun.elapsed());
        bytes
    }

    /// Does not count time in which there was nothing for the client to receive.
    pub(super) fn leave_out(&mut self, elapsed: Duration) {
        self.window_started_at += elapsed;
        self.last_progress += elapsed;
    }

    /// Ends a turn in which so many bytes were sent.
    pub(super) fn end_turn(&mut self, sent: u64) {
        self.shares.iter_mut().for_each(|share| share.end_turn(sent));
    }

    /// Waits until a further piece would be due. A client whose state is forgotten then has not been sent
    /// more than its share, even if it opens a new connection for each request.
    pub(super) fn settle(&mut self) {
        self.wait_for_turn(0);
    }

    /// Accounts for the result of one write; returns how many bytes were sent.
    ///
    /// # Errors
    /// The write failed, or [`io::ErrorKind::TimedOut`]: the client is too slow.
    pub(super) fn account(
        &mut self,
        sent: Result<usize, impl Into<io::Error>>,
    ) -> io::Result<usize> {
        match sent.map_err(Into::into) {
            Ok(count) => self.sent(count as u64).map(|()| count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stalled().map(|()| 0),
            Err(error) => Err(error),
        }
    }

    /// Counts bytes that the socket accepted.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`]: the client is too slow.
    pub(super) fn sent(&mut self, bytes: u64) -> io::Result<()> {
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
        let required_nanobytes = u128::from(self.rates.minimum) * elapsed.as_nanos();
        if u128::from(self.window_bytes) * NANOS_PER_SECOND < required_nanobytes {
            return Err(io::ErrorKind::TimedOut.into());
        }
        (self.window_started_at, self.window_bytes) = (now, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::server::limits::rates::shared_rate::SharedRate;

    const WINDOW: Duration = Duration::from_secs(10);

    fn send_rate(minimum: u64, maximum: Option<u64>) -> SendRate {
        let rates = Rates { minimum, window: WINDOW, ..Rates::default() };
        let share = |maximum| Share::new(Arc::new(SharedRate::new(maximum)), Arc::default());
        SendRate::new(rates, Duration::from_secs(30), maximum.map(share).into_iter().collect())
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
    fn a_write_blocks_no_longer_than_until_the_next_check() {
        const SECOND: Duration = Duration::from_secs(1);
        for (minimum, window, stall, expected) in [
            (0, 10 * SECOND, 30 * SECOND, 30 * SECOND),
            (1000, 10 * SECOND, 30 * SECOND, SECOND),
            (1000, SECOND / 2, 30 * SECOND, SECOND / 2),
            (1000, 10 * SECOND, SECOND / 5, SECOND / 5),
        ] {
            let rates = Rates { minimum, window, ..Rates::default() };
            assert_eq!(write_timeout(rates, stall), expected, "{minimum} {window:?} {stall:?}");
        }
    }

    #[test]
    fn a_response_begins_a_new_window() {
        let mut rate = send_rate(1000, None);
        let before = rate.window_started_at;
        rate.sent(1).unwrap();
        thread::sleep(Duration::from_millis(1));
        rate.begin();
        assert!(rate.window_started_at > before);
        assert_eq!(rate.window_bytes, 0, "bytes of another response do not count");
        assert_eq!(rate.last_progress, rate.window_started_at);
    }

    #[test]
    fn a_client_may_receive_nothing_for_the_stall_time() {
        let rates = Rates { minimum: 0, window: WINDOW, ..Rates::default() };
        assert!(SendRate::new(rates, WINDOW, Vec::new()).stalled().is_ok());
        let error = SendRate::new(rates, Duration::ZERO, Vec::new()).stalled().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn the_time_spent_waiting_for_a_turn_does_not_count_as_the_clients() {
        let begun = Instant::now();
        let mut rate = send_rate(1000, Some(100_000));
        let (window, progress) = (rate.window_started_at, rate.last_progress);
        for _ in 0..5 {
            let bytes = rate.wait_for_turn(u64::MAX);
            assert_eq!(bytes, 2_500, "a fortieth of a second");
            rate.end_turn(bytes);
        }
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_millis(100), "four pieces of 25 ms: {waited:?}");
        for (before, after) in [(window, rate.window_started_at), (progress, rate.last_progress)] {
            // Less than 100 ms if the thread was not running between two turns.
            assert!(after - before >= Duration::from_millis(50), "{:?}", after - before);
            assert!(after - before <= waited);
        }
    }

    #[test]
    fn a_connection_settles_what_it_was_sent() {
        // The pieces are due from when the rate begins.
        let begun = Instant::now();
        let mut rate = send_rate(0, Some(100_000));
        rate.settle();
        let bytes = rate.wait_for_turn(u64::MAX);
        rate.end_turn(bytes);
        rate.settle();
        assert!(begun.elapsed() >= Duration::from_millis(25), "{:?}", begun.elapsed());
        assert_eq!(send_rate(0, None).wait_for_turn(u64::MAX), u64::MAX, "without a maximum");
    }
}
