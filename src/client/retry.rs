//! Which failures are worth another try, and when.
//!
//! Waits are drawn from zero up to a bound that doubles (full jitter), so that clients that failed
//! together do not come back together. What a server asks for with `Retry-After` is kept to: with 429 and
//! 503 at the gate of its host, for all URLs there; with other statuses, for their URL.
//!
//! An attempt that brought its file beyond the furthest point of all attempts before it begins the count
//! anew, and one that was refused only because the host was busy with others of this run is not counted.
//! Both happen a limited number of times, so every URL comes to an end: a file has so many bytes, and a run
//! so many other URLs.

use std::time::Duration;

/// How failures are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many tries may follow a failed one.
    pub retries: u32,
    /// The bound of the first wait.
    pub first_wait: Duration,
    /// The bound of every wait.
    pub longest_wait: Duration,
    /// The longest wait that a server's `Retry-After` may ask for; beyond it, a URL fails.
    pub max_wait: Duration,
}

/// Four retries, half a second doubling to ten, and up to a minute at a server's wish.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 4,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(10),
            max_wait: Duration::from_secs(60),
        }
    }
}

/// The failures of one URL so far.
#[derive(Debug, Default)]
pub(super) struct RetryState {
    failures: u32,
    /// The most of the file that was there at any time.
    furthest_bytes: u64,
    /// Those that were not held against the URL; they make the waits longer all the same.
    excused: u32,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailedAttempt {
    /// The most of the file that was there at any time, in this attempt or an earlier one. Bytes that
    /// came again after the file was begun anew do not add to it.
    pub(super) furthest_bytes: u64,
    /// The host refused it, but other URLs of the host came to their end meanwhile.
    pub(super) was_crowded_out: bool,
}

impl RetryState {
    /// How long to wait before the next try, or `None` if there is to be none. `random` is from 0 to 1.
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
            // The long wait is the one at the gate.
            return Some(bound(policy, 1).mul_f64(random) / 4);
        }
        self.failures += 1;
        (self.failures <= policy.retries)
            .then(|| bound(policy, self.failures + self.excused).mul_f64(random))
    }
}

fn bound(policy: &RetryPolicy, failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    policy.first_wait.saturating_mul(doubled).min(policy.longest_wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: FailedAttempt = FailedAttempt { furthest_bytes: 0, was_crowded_out: false };

    #[test]
    fn the_bound_of_the_waits_doubles_up_to_the_longest_and_the_tries_end() {
        let policy = RetryPolicy { retries: 7, ..RetryPolicy::default() };
        let mut tries = RetryState::default();
        let waits: Vec<_> = (0..8)
            .map(|_| tries.after(FAILED, &policy, 1.0).map(|wait| wait.as_millis()))
            .collect();
        let expected = [500, 1000, 2000, 4000, 8000, 10_000, 10_000].map(Some);
        assert_eq!((&waits[..7], waits[7]), (&expected[..], None));
        assert_eq!(RetryState::default().after(FAILED, &policy, 0.0), Some(Duration::ZERO));
        let none = RetryPolicy { retries: 0, ..policy };
        assert_eq!(RetryState::default().after(FAILED, &none, 1.0), None);
    }

    #[test]
    fn only_what_lies_beyond_the_furthest_point_begins_the_count_anew() {
        let policy = RetryPolicy { retries: 1, ..RetryPolicy::default() };
        let mut tries = RetryState::default();
        let mut goes_on = |furthest_bytes| {
            tries.after(FailedAttempt { furthest_bytes, ..FAILED }, &policy, 1.0).is_some()
        };
        for furthest_bytes in 1..=5 {
            assert!(goes_on(furthest_bytes), "one byte more is enough");
        }
        assert!(!goes_on(5), "the same bytes once more are not");
    }

    #[test]
    fn a_crowd_does_not_count() {
        let policy = RetryPolicy { retries: 1, ..RetryPolicy::default() };
        let mut tries = RetryState::default();
        let crowded_out = FailedAttempt { was_crowded_out: true, ..FAILED };
        let mut goes_on = |failed| tries.after(failed, &policy, 1.0).is_some();
        assert!((0..5).all(|_| goes_on(crowded_out)));
        assert!(goes_on(FAILED));
        assert!((0..5).all(|_| goes_on(crowded_out)));
        assert!(!goes_on(FAILED));
    }
}
