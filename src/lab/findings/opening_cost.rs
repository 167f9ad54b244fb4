//! What the opening of a connection costs the fetch that opens it: the time until the connection is open, and
//! the time by which its first byte comes later than over a kept connection.

use std::collections::HashMap;
use std::time::Duration;

use super::super::measurement::{FetchRecord, RunRecord};
use super::super::statistics::Sample;
use super::workload::origin;
use crate::client::Phases;

/// The cost of opening connections in one run.
pub(super) struct OpeningCost<'a> {
    /// The median time to the first byte over the kept connections to each host that had any.
    kept_first_byte: HashMap<&'a str, Duration>,
}

impl<'a> OpeningCost<'a> {
    pub(super) fn of(run: &'a RunRecord) -> Self {
        let mut hosts: HashMap<&str, Vec<f64>> = HashMap::new();
        for fetch in run.fetches.iter().filter(|fetch| opening(&fetch.phases).is_zero()) {
            hosts
                .entry(origin(&fetch.url))
                .or_default()
                .push(fetch.phases.first_byte.as_secs_f64());
        }
        let median =
            |(host, times)| Some((host, Duration::from_secs_f64(Sample::new(times)?.median())));
        Self { kept_first_byte: hosts.into_iter().filter_map(median).collect() }
    }

    /// The cost for a fetch; zero if its connection was kept from an earlier one.
    pub(super) fn of_fetch(&self, fetch: &FetchRecord) -> Duration {
        let opening = opening(&fetch.phases);
        if opening.is_zero() {
            return Duration::ZERO;
        }
        let kept = self.kept_first_byte.get(origin(&fetch.url)).copied();
        let kept = kept.unwrap_or(fetch.phases.first_byte);
        opening + fetch.phases.first_byte.saturating_sub(kept)
    }

    /// The median cost for the fetches of a run that opened a connection, in seconds.
    fn typical(&self, run: &RunRecord) -> Option<f64> {
        let costs = run.fetches.iter().map(|fetch| self.of_fetch(fetch).as_secs_f64());
        Some(Sample::new(costs.filter(|cost| *cost > 0.0).collect())?.median())
    }

    /// The cost for each connection, in seconds, if most fetches of the run `one` used a kept one; otherwise 0.
    /// If those that open one in the run `many` respond earlier, it is the file that was late, not the first
    /// response.
    pub(super) fn if_seldom(one: &RunRecord, many: &RunRecord) -> f64 {
        let opened = one.fetches.iter().filter(|fetch| !opening(&fetch.phases).is_zero()).count();
        if 2 * opened > one.fetches.len() {
            return 0.0;
        }
        let cost = OpeningCost::of(one);
        cost.typical(one).zip(cost.typical(many)).map_or(0.0, |(one, many)| one.min(many))
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
    fn the_cost_is_known_if_most_connections_are_kept() {
        let mut run = synthetic_run(1, 4, Duration::from_millis(40));
        for (opened, expected) in [(0, 0.0), (1, 0.003), (2, 0.003), (3, 0.0)] {
            for fetch in &mut run.fetches[..opened] {
                fetch.phases.connect = Duration::from_millis(3);
            }
            assert!((OpeningCost::if_seldom(&run, &run) - expected).abs() < 1e-9, "{opened}");
        }
    }
}
