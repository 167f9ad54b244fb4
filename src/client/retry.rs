//! Which failures are worth another try, and when.
//!
//! Waits are drawn from zero up to a bound that doubles (full jitter), so that clients that failed
//! together do not come back together. What a server asks for with `Retry-After` is kept to at the gate
//! of its host, for all URLs there. An attempt that brought its file forward begins the count anew, and
//! one that was refused only because the host was busy with others of this run is not counted.

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
    /// The longest that a server's `Retry-After` is heeded.
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

/// So much in one attempt counts as progress.
const PROGRESS_BYTES: u64 = 64 * 1024;

/// The failures of one URL so far.
#[derive(Debug, Default)]
pub(super) struct Tries {
    failures: u32,
    /// Those that were not held against the URL; they make the waits longer all the same.
    excused: u32,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed {
    /// How much of the file came and stays.
    pub(super) progress_bytes: u64,
    /// The host refused it, but has answered others since it was begun.
    pub(super) was_crowded_out: bool,
}

impl Tries {
    /// How long to wait before the next try, or `None` if there is to be none. `random` is from 0 to 1.
    pub(super) fn after(
        &mut self,
        failed: Failed,
        policy: &RetryPolicy,
        random: f64,
    ) -> Option<Duration> {
        if failed.progress_bytes >= PROGRESS_BYTES {
            *self = Self::default();
        }
        if failed.was_crowded_out {
            self.excused += 1;
            // Whoever is crowded out waits at the gate, not here.
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

    const FAILED: Failed = Failed { progress_bytes: 0, was_crowded_out: false };

    #[test]
    fn the_bound_of_the_waits_doubles_up_to_the_longest_and_the_tries_end() {
        let policy = RetryPolicy { retries: 7, ..RetryPolicy::default() };
        let mut tries = Tries::default();
        let waits: Vec<_> = (0..8)
            .map(|_| tries.after(FAILED, &policy, 1.0).map(|wait| wait.as_millis()))
            .collect();
        let expected = [500, 1000, 2000, 4000, 8000, 10_000, 10_000].map(Some);
        assert_eq!((&waits[..7], waits[7]), (&expected[..], None));
        assert_eq!(Tries::default().after(FAILED, &policy, 0.0), Some(Duration::ZERO));
        let none = RetryPolicy { retries: 0, ..policy };
        assert_eq!(Tries::default().after(FAILED, &none, 1.0), None);
    }

    #[test]
    fn progress_begins_the_count_anew_and_a_crowd_does_not_count() {
        let policy = RetryPolicy { retries: 1, ..RetryPolicy::default() };
        let mut tries = Tries::default();
        for _ in 0..5 {
            let failed = Failed { progress_bytes: PROGRESS_BYTES, ..FAILED };
            assert!(tries.after(failed, &policy, 1.0).is_some());
        }
        for _ in 0..5 {
            let failed = Failed { was_crowded_out: true, ..FAILED };
            assert!(tries.after(failed, &policy, 1.0).is_some());
        }
        let failed = Failed { progress_bytes: PROGRESS_BYTES - 1, ..FAILED };
        assert!(tries.after(failed, &policy, 1.0).is_none());
    }
}
