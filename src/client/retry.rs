//! How often and when a failed fetch is retried.
//!
//! The waits are random up to a bound that doubles (full jitter), so that clients that failed together do not
//! retry together. `Retry-After` is obeyed: with 429 and 503 by the gate of the host, for all its URLs; with
//! other statuses for the URL.
//!
//! The count of failures starts anew when an attempt gets more of the file than all before it. An attempt that
//! the host rejected while it served other URLs of the run is not counted. Both are bounded, by the length of
//! the file and the number of other URLs, so the retries of a URL always end.

use std::time::Duration;

/// How failed fetches are retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most retries of a URL. 4 by default.
    pub retries: u32,
    /// The bound of the first wait, which doubles with each retry. 500 ms by default.
    pub first_wait: Duration,
    /// The bound of all waits. 10 s by default.
    pub max_backoff: Duration,
    /// The longest `Retry-After` that is obeyed (RFC 9110 §10.2.3); with a longer one the URL fails. 60 s by
    /// default.
    pub max_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 4,
            first_wait: Duration::from_millis(500),
            max_backoff: Duration::from_secs(10),
            max_wait: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// Whether a `Retry-After` is obeyed.
    pub(super) fn obeys(&self, retry_after: Duration) -> bool {
        retry_after <= self.max_wait
    }
}

/// The failures of one URL so far.
#[derive(Debug, Default)]
pub(super) struct RetryState {
    failures: u32,
    /// The most content that was there at any time.
    furthest_bytes: u64,
    /// The failures that are not counted, but lengthen the waits.
    excused: u32,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailedAttempt {
    /// The most content that was there at any time, in this attempt or earlier ones.
    pub(super) furthest_bytes: u64,
    /// True if the host rejected the attempt while other URLs of the host were completed.
    pub(super) was_crowded_out: bool,
}

impl RetryState {
    /// How long to wait before the next attempt; `None` if there is none. `random` is from 0 to 1.
    pub(super) fn after(
        &mut self,
        failed: FailedAttempt,
        policy: &RetryPolicy,
        random: f64,
    ) -> Option<Duration> {
        if failed.furthest_bytes > self.furthest_bytes {
            *self = Self { furthest_bytes: failed.furthest_bytes, ..Self::default() };
        }
        if failed.was_crowded_out {
            self.excused += 1;
            // The gate of the host makes it wait longer.
            return Some(bound(policy, 1).mul_f64(random) / 4);
        }
        self.failures += 1;
        (self.failures <= policy.retries)
            .then(|| bound(policy, self.failures + self.excused).mul_f64(random))
    }
}

fn bound(policy: &RetryPolicy, failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    policy.first_wait.saturating_mul(doubled).min(policy.max_backoff)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: FailedAttempt = FailedAttempt { furthest_bytes: 0, was_crowded_out: false };

    #[test]
    fn the_bound_of_the_waits_doubles_up_to_the_longest_and_the_retries_end() {
        let policy = RetryPolicy { retries: 7, ..RetryPolicy::default() };
        let mut state = RetryState::default();
        let waits: Vec<_> = (0..8)
            .map(|_| state.after(FAILED, &policy, 1.0).map(|wait| wait.as_millis()))
            .collect();
        let expected = [500, 1000, 2000, 4000, 8000, 10_000, 10_000].map(Some);
        assert_eq!((&waits[..7], waits[7]), (&expected[..], None));
        assert_eq!(RetryState::default().after(FAILED, &policy, 0.0), Some(Duration::ZERO));
        let none = RetryPolicy { retries: 0, ..policy };
        assert_eq!(RetryState::default().after(FAILED, &none, 1.0), None);
    }

    #[test]
    fn only_more_content_than_ever_before_resets_the_count() {
        let policy = RetryPolicy { retries: 1, ..RetryPolicy::default() };
        let mut state = RetryState::default();
        let mut goes_on = |furthest_bytes| {
            state.after(FailedAttempt { furthest_bytes, ..FAILED }, &policy, 1.0).is_some()
        };
        for furthest_bytes in 1..=5 {
            assert!(goes_on(furthest_bytes), "one byte more is enough");
        }
        assert!(!goes_on(5), "the same bytes once more are not");
    }

    #[test]
    fn attempts_that_were_crowded_out_do_not_count() {
        let policy = RetryPolicy { retries: 1, ..RetryPolicy::default() };
        let mut state = RetryState::default();
        let crowded_out = FailedAttempt { was_crowded_out: true, ..FAILED };
        let mut goes_on = |failed| state.after(failed, &policy, 1.0).is_some();
        assert!((0..5).all(|_| goes_on(crowded_out)));
        assert!(goes_on(FAILED));
        assert!((0..5).all(|_| goes_on(crowded_out)));
        assert!(!goes_on(FAILED));
    }
}
