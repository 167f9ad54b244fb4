//! The figures of a run: counts, failures by kind, percentiles of the times, phases.

use std::collections::BTreeMap;
use std::time::Duration;

use super::outcome::{Outcome, Phases, Retrieval, Run};
use crate::client::failure_kind::FailureKind;

/// The figures of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub fetched: usize,
    /// The files that existed and were kept.
    pub skipped: usize,
    /// The fetched files of which a part was resumed.
    pub continued: usize,
    pub failed: usize,
    pub failures_by_kind: BTreeMap<FailureKind, usize>,
    /// The total length of the fetched files.
    pub bytes: u64,
    /// The bytes of content that were received, for failed URLs too.
    pub received: u64,
    /// The attempts after the first of each URL.
    pub retries: u64,
    /// How long the successful fetches took.
    pub took: Percentiles,
    /// The total time of each phase, over all fetches.
    pub phases: Phases,
}

/// The percentiles of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    pub p50: Duration,
    pub p90: Duration,
    pub p99: Duration,
    pub max: Duration,
}

impl Percentiles {
    /// By the nearest-rank method: each percentile is one of the times.
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let Some(max) = times.last().copied() else { return Self::default() };
        let rank = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
        Self { p50: rank(50), p90: rank(90), p99: rank(99), max }
    }
}

impl Run {
    /// The figures of the run.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        let mut times = Vec::with_capacity(self.outcomes.len());
        for outcome in &self.outcomes {
            summary.add(outcome, &mut times);
        }
        summary.took = Percentiles::of(times);
        summary
    }
}

impl Summary {
    fn add(&mut self, outcome: &Outcome, times: &mut Vec<Duration>) {
        match &outcome.result {
            Ok(saved) => match saved.retrieval {
                Retrieval::Fetched { continued_from, .. } => {
                    self.fetched += 1;
                    self.continued += usize::from(continued_from > 0);
                    self.bytes += saved.bytes;
                    times.push(outcome.took);
                }
                Retrieval::Skipped => self.skipped += 1,
            },
            Err(error) => {
                self.failed += 1;
                *self.failures_by_kind.entry(error.kind()).or_default() += 1;
            }
        }
        self.received += outcome.received;
        self.retries += u64::from(outcome.attempts.saturating_sub(1));
        self.phases.add(&outcome.phases);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_occurred() {
        let millis = |times: &[u64]| times.iter().copied().map(Duration::from_millis).collect();
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
        let one = Percentiles::of(millis(&[7]));
        assert_eq!((one.p50, one.max), (Duration::from_millis(7), Duration::from_millis(7)));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        let spread = Percentiles::of(millis(&hundred));
        let found = [spread.p50, spread.p90, spread.p99, spread.max].map(|time| time.as_millis());
        assert_eq!(found, [50, 90, 99, 100]);
    }
}
