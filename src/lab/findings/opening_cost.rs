//! What the opening of a connection costs the fetch that opens it: the time until the connection is open, and
//! the time by which its first byte comes later than over a kept connection.

use std::time::Duration;

use super::super::measurement::{FetchRecord, RunRecord};
use super::super::statistics::{Sample, as_f64};
use crate::client::Phases;

/// The cost of opening connections in one run.
pub(super) struct OpeningCost {
    /// The median time to the first byte over kept connections, if there were any.
    kept_first_byte: Option<Duration>,
}

impl OpeningCost {
    pub(super) fn of(run: &RunRecord) -> Self {
        let kept = run.fetches.iter().filter(|fetch| opening(&fetch.phases).is_zero());
        let times = kept.map(|fetch| fetch.phases.first_byte.as_secs_f64()).collect();
        let median = Sample::new(times).map(|sample| Duration::from_secs_f64(sample.median()));
        Self { kept_first_byte: median }
    }

    /// The cost for a fetch; zero if its connection was kept from an earlier one.
    pub(super) fn of_fetch(&self, fetch: &FetchRecord) -> Duration {
        let opening = opening(&fetch.phases);
        if opening.is_zero() {
            return Duration::ZERO;
        }
        let kept = self.kept_first_byte.unwrap_or(fetch.phases.first_byte);
        opening + fetch.phases.first_byte.saturating_sub(kept)
    }

    /// The mean cost for the fetches of a run that opened a connection, in seconds, if most fetches used a
    /// kept one; otherwise 0.
    pub(super) fn if_seldom(run: &RunRecord) -> f64 {
        let cost = Self::of(run);
        let opened: Vec<Duration> = run
            .fetches
            .iter()
            .map(|fetch| cost.of_fetch(fetch))
            .filter(|cost| !cost.is_zero())
            .collect();
        if opened.is_empty() || 2 * opened.len() > run.fetches.len() {
            return 0.0;
        }
        opened.iter().sum::<Duration>().as_secs_f64() / as_f64(opened.len())
    }
}

/// The time in which a fetch opened its connection; zero for a kept one.
pub(super) fn opening(phases: &Phases) -> Duration {
    phases.dns + phases.connect + phases.tls
}

#[cfg(test)]
mod tests {
    use super::super::super::synthetic::synthetic_run;
    use super::*;

    #[test]
    fn a_late_first_byte_on_a_new_connection_belongs_to_its_opening() {
        const MILLI: Duration = Duration::from_millis(1);
        let mut run = synthetic_run(1, 4, 40 * MILLI);
        run.fetches[0].phases.connect = 3 * MILLI;
        let cost =
            |run: &RunRecord, index: usize| OpeningCost::of(run).of_fetch(&run.fetches[index]);
        assert_eq!((cost(&run, 0), cost(&run, 1)), (3 * MILLI, Duration::ZERO));
        run.fetches[0].phases.first_byte += 20 * MILLI;
        assert_eq!(cost(&run, 0), 23 * MILLI);
        // A kept connection is not charged for a slow response.
        run.fetches[1].phases.first_byte += 20 * MILLI;
        assert_eq!(cost(&run, 1), Duration::ZERO);
        // Without kept connections there is nothing to compare with.
        for fetch in &mut run.fetches {
            fetch.phases.connect = 3 * MILLI;
        }
        assert_eq!(cost(&run, 0), 3 * MILLI);
    }

    #[test]
    fn the_mean_cost_is_known_if_most_connections_are_kept() {
        let mut run = synthetic_run(1, 4, Duration::from_millis(40));
        for (opened, expected) in [(0, 0.0), (1, 0.003), (2, 0.003), (3, 0.0)] {
            for fetch in &mut run.fetches[..opened] {
                fetch.phases.connect = Duration::from_millis(3);
            }
            assert!((OpeningCost::if_seldom(&run) - expected).abs() < 1e-9, "{opened}");
        }
    }
}
