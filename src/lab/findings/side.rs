//! One side of the comparison: the runs at one concurrency, and the times of each file.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::super::figures::{Bytes, Rate, Ratio, Seconds, counted};
use super::super::measurement::{FetchRecord, RunRecord};
use super::super::scaling;
use super::super::schedule::{Comparison, Schedule};
use super::super::statistics::{Sample, as_f64};
use super::runs::{median, wall_seconds};

/// The runs at one concurrency.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// The number of connections, and which of two equal sides it is.
    pub name: String,
    pub concurrency: usize,
    /// The median wall time.
    pub wall: Seconds,
    /// The quartiles of the wall time.
    pub lower_quartile: Seconds,
    pub upper_quartile: Seconds,
    /// The median of the bytes of a run divided by its wall time.
    pub rate: Rate,
    /// The median of the average number of fetches in progress (Little's law).
    pub achieved_concurrency: Ratio,
    /// The attempts after the first of each URL, in all runs together.
    pub retries: u64,
    /// The attempts that servers rejected, in all runs together.
    pub rejections: u64,
    /// The time that fetches waited for a connection or a retry, in all runs together.
    pub waiting: Seconds,
    /// The number of connections that a host accepts, if each run found a limit: the highest, because a run
    /// shows that so many are possible.
    pub host_limit: Option<usize>,
    /// The distribution of the busy times of all complete fetches.
    pub fetch_times: Option<Distribution>,
}

/// The distribution of times.
#[derive(Clone, Debug, Serialize)]
pub struct Distribution {
    pub median: Seconds,
    pub p90: Seconds,
    pub p99: Seconds,
    pub longest: Seconds,
    /// The percentiles 0, 1, … 100.
    pub percentiles: Vec<Seconds>,
}

/// The median busy times of one file.
#[derive(Clone, Debug, Serialize)]
pub struct FileTimes {
    pub url: String,
    pub bytes: Bytes,
    pub sequential: Option<Seconds>,
    pub concurrent: Option<Seconds>,
    /// The unrounded sequential time, for the ceiling.
    #[serde(skip)]
    pub(super) exact_sequential: Option<Duration>,
    /// The reason of its first failure.
    pub failure: Option<String>,
}

impl Side {
    /// `None` if there are no runs.
    pub(super) fn new(name: String, runs: &[&RunRecord]) -> Option<Self> {
        let walls = Sample::new(runs.iter().map(|run| wall_seconds(run)).collect())?;
        let middle = walls.quartiles();
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let rate = median(runs, |run| run.bytes() as f64 / wall_seconds(run))?;
        let achieved = median(runs, |run| {
            scaling::achieved_concurrency(run.busy().as_secs_f64(), wall_seconds(run))
        })?;
        let waiting: f64 = runs.iter().map(|run| run.waiting().as_secs_f64()).sum();
        let times = runs
            .iter()
            .flat_map(|run| &run.fetches)
            .filter(|fetch| fetch.failure().is_none())
            .map(busy)
            .collect();
        Some(Self {
            name,
            concurrency: runs.first()?.concurrency,
            wall: Seconds::new(walls.median()),
            lower_quartile: Seconds::new(middle.low),
            upper_quartile: Seconds::new(middle.high),
            rate: Rate::new(rate),
            achieved_concurrency: Ratio::new(achieved),
            retries: runs.iter().map(|run| run.retries()).sum(),
            rejections: runs.iter().map(|run| run.rejections()).sum(),
            waiting: Seconds::new(waiting),
            host_limit: host_limit(runs),
            fetch_times: Sample::new(times).map(|sample| Distribution::new(&sample)),
        })
    }
}

/// The names of the two sides.
pub(super) fn names(schedule: &Schedule) -> [String; 2] {
    let connections = |count| counted(count, "connection", "connections");
    let [first, second] = [schedule.levels()[0], schedule.concurrency()].map(connections);
    match schedule.comparison() {
        Comparison::WithOne => [first, second],
        Comparison::WithItself => [first + ", first", second + ", second"],
    }
}

fn host_limit(runs: &[&RunRecord]) -> Option<usize> {
    let limits: Option<Vec<usize>> = runs.iter().map(|run| run.host_limit()).collect();
    limits?.into_iter().max()
}

impl Distribution {
    fn new(sample: &Sample) -> Self {
        let at = |p| Seconds::new(sample.quantile(p));
        let percentiles = (0..=100).map(|percent| at(as_f64(percent) / 100.0)).collect();
        Self { median: at(0.5), p90: at(0.9), p99: at(0.99), longest: at(1.0), percentiles }
    }
}

fn busy(fetch: &FetchRecord) -> f64 {
    fetch.busy().as_secs_f64()
}

/// The times of each file, in the order of the URLs. The warm-up is used only if there are no other runs.
pub(super) fn files(
    warm_up: &RunRecord,
    baseline: &[&RunRecord],
    others: &[&RunRecord],
) -> Vec<FileTimes> {
    let all: Vec<&RunRecord> = baseline.iter().chain(others).copied().collect();
    let shown = if all.is_empty() { vec![warm_up] } else { all };
    let median_busy = |runs: &[&RunRecord], index: usize| {
        let complete = runs
            .iter()
            .filter_map(|run| run.fetches.get(index))
            .filter(|fetch| fetch.failure().is_none());
        Sample::new(complete.map(busy).collect()).map(|sample| sample.median())
    };
    let file = |(index, fetch): (usize, &FetchRecord)| {
        let records = || shown.iter().filter_map(|run| run.fetches.get(index));
        let exact_sequential = median_busy(baseline, index);
        FileTimes {
            url: Arc::clone(&fetch.url).to_string(),
            bytes: Bytes(records().map(|record| record.bytes).max().unwrap_or(0)),
            sequential: exact_sequential.map(Seconds::new),
            concurrent: median_busy(others, index).map(Seconds::new),
            exact_sequential: exact_sequential.map(Duration::from_secs_f64),
            failure: records().find_map(FetchRecord::failure).map(str::to_owned),
        }
    };
    shown[0].fetches.iter().enumerate().map(file).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::synthetic::{limited_host, synthetic_run};
    use super::*;

    #[test]
    fn the_limit_shown_is_the_highest_and_only_if_every_run_found_one() {
        for (found, expected) in [
            (&[Some(2), Some(6)][..], Some(6)),
            (&[Some(2), None], None),
            // The run could not use more than ten.
            (&[Some(2), Some(10)], None),
        ] {
            let run = |limit: &Option<usize>| RunRecord {
                host_limits: limit.map(limited_host).into_iter().collect(),
                ..synthetic_run(10, 20, Duration::from_secs(1))
            };
            let runs: Vec<RunRecord> = found.iter().map(run).collect();
            let runs: Vec<&RunRecord> = runs.iter().collect();
            assert_eq!(host_limit(&runs), expected, "{found:?}");
        }
    }
}
