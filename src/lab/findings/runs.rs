//! Figures of several runs.

use super::super::measurement::RunRecord;
use super::super::statistics::Sample;

/// A run's wall time in seconds, above 0 so that it can be a divisor.
pub(super) fn wall_seconds(run: &RunRecord) -> f64 {
    run.wall.as_secs_f64().max(1e-9)
}

/// The median of `figure` over the runs; `None` if there are no runs.
pub(super) fn median(runs: &[&RunRecord], figure: impl Fn(&RunRecord) -> f64) -> Option<f64> {
    Sample::new(runs.iter().map(|run| figure(run)).collect()).map(|sample| sample.median())
}
