//! One side of the comparison: the runs with one number of connections, and each file's times in them.

use std::sync::Arc;

use serde::Serialize;

use super::super::figures::{Bytes, Rate, Ratio, Seconds};
use super::super::measurement::{FetchRecord, RunRecord};
use super::super::scaling;
use super::super::statistics::{Sample, real};

/// The runs with one number of connections, as their medians.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    pub concurrency: usize,
    /// The median wall time, and the quartiles around it.
    pub wall: Seconds,
    pub lower_quartile: Seconds,
    pub upper_quartile: Seconds,
    /// 1.4826 · MAD / median of the wall times.
    pub relative_spread: f64,
    /// The bytes of a run over its wall time.
    pub rate: Rate,
    /// How many fetches were under way on average (Little's law).
    pub achieved_concurrency: Ratio,
    /// Attempts beyond the first of each URL, in all runs of this side together.
    pub retries: u64,
    /// Attempts that the server turned away, in all runs together.
    pub rejections: u64,
    /// The time that lanes waited for permission or for another attempt, in all runs together.
    pub waiting: Seconds,
    /// The least number of connections that a host was found to bear.
    pub host_limit: Option<usize>,
    /// The busy times of all complete fetches.
    pub fetch_times: Option<Distribution>,
}

/// How times are distributed.
#[derive(Clone, Debug, Serialize)]
pub struct Distribution {
    pub median: Seconds,
    pub p90: Seconds,
    pub p99: Seconds,
    pub longest: Seconds,
    /// The times below which 0, 1, … 100 % of all lie.
    pub percentiles: Vec<Seconds>,
}

/// One file's median busy time on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct FileTimes {
    pub url: String,
    pub bytes: Bytes,
    pub sequential: Option<Seconds>,
    pub concurrent: Option<Seconds>,
    /// The unrounded sequential time in seconds, of which the ceiling is computed.
    #[serde(skip)]
    pub(super) exact_sequential: Option<f64>,
    /// Why it failed, in the first run in which it did.
    pub failure: Option<String>,
}

/// A run's wall time in seconds, above 0 so that it can stand in a ratio.
pub(super) fn wall(run: &RunRecord) -> f64 {
    run.wall.as_secs_f64().max(1e-9)
}

impl Side {
    /// What these runs show, or `None` of none.
    pub(super) fn new(concurrency: usize, runs: &[&RunRecord]) -> Option<Self> {
        let walls = Sample::new(runs.iter().map(|run| wall(run)).collect())?;
        let middle = walls.quartiles();
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let rate = super::median(runs, |run| run.bytes() as f64 / wall(run))?;
        let achieved = super::median(runs, |run| {
            scaling::achieved_concurrency(run.busy().as_secs_f64(), wall(run))
        })?;
        let waiting: f64 = runs.iter().map(|run| run.waiting().as_secs_f64()).sum();
        let times = runs
            .iter()
            .flat_map(|run| &run.fetches)
            .filter(|fetch| fetch.failure().is_none())
            .map(busy)
            .collect();
        Some(Self {
            concurrency,
            wall: Seconds::new(walls.median()),
            lower_quartile: Seconds::new(middle.low),
            upper_quartile: Seconds::new(middle.high),
            relative_spread: Ratio::new(walls.relative_spread()).value(),
            rate: Rate::new(rate),
            achieved_concurrency: Ratio::new(achieved),
            retries: runs.iter().map(|run| run.retries()).sum(),
            rejections: runs.iter().map(|run| run.rejections()).sum(),
            waiting: Seconds::new(waiting),
            host_limit: runs.iter().filter_map(|run| run.host_limit).min(),
            fetch_times: Sample::new(times).map(|sample| Distribution::new(&sample)),
        })
    }
}

impl Distribution {
    fn new(sample: &Sample) -> Self {
        let at = |p| Seconds::new(sample.quantile(p));
        let percentiles = (0..=100).map(|percent| at(real(percent) / 100.0)).collect();
        Self { median: at(0.5), p90: at(0.9), p99: at(0.99), longest: at(1.0), percentiles }
    }
}

fn busy(fetch: &FetchRecord) -> f64 {
    fetch.busy().as_secs_f64()
}

/// Each file's times, in the order of the URLs; those of the warm-up only where there are no other runs.
pub(super) fn files(
    warm_up: &RunRecord,
    baseline: &[&RunRecord],
    others: &[&RunRecord],
) -> Vec<FileTimes> {
    let all: Vec<&RunRecord> = baseline.iter().chain(others).copied().collect();
    let shown = if all.is_empty() { vec![warm_up] } else { all };
    let median = |runs: &[&RunRecord], index: usize| {
        let complete = runs
            .iter()
            .filter_map(|run| run.fetches.get(index))
            .filter(|fetch| fetch.failure().is_none());
        Sample::new(complete.map(busy).collect()).map(|sample| sample.median())
    };
    let file = |(index, fetch): (usize, &FetchRecord)| {
        let records = || shown.iter().filter_map(|run| run.fetches.get(index));
        let exact_sequential = median(baseline, index);
        FileTimes {
            url: Arc::clone(&fetch.url).to_string(),
            bytes: Bytes(records().map(|record| record.bytes).max().unwrap_or(0)),
            sequential: exact_sequential.map(Seconds::new),
            concurrent: median(others, index).map(Seconds::new),
            exact_sequential,
            failure: records().find_map(FetchRecord::failure).map(str::to_owned),
        }
    };
    shown[0].fetches.iter().enumerate().map(file).collect()
}
