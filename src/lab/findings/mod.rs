//! Every figure and sentence of a report, computed once from the runs.
//!
//! The three renderings show a [`Findings`] and compute nothing, so that they cannot differ. All figures
//! are rounded as [`figures`](super::figures) says *before* they are judged: an interval that is shown
//! to include 1 is never called a speedup. Which sentence names the limit is decided in `limit`, and
//! whether anything may be claimed in `verdict`.

mod curve;
mod evidence;
mod limit;
mod notes;
mod side;
mod verdict;

use serde::Serialize;

use super::experiment::{Ended, Trial};
use super::figures::{Bytes, Ratio, Seconds};
use super::measurement::RunRecord;
use super::scaling;
use super::statistics::{FEWEST_PAIRS, Sample};
pub use curve::{Curve, Point};
pub use limit::{Cause, Limit};
pub use side::{Distribution, FileTimes, Side};
pub use verdict::Verdict;

/// The result of an experiment, ready to be shown.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    /// The answer in one sentence.
    pub headline: String,
    pub verdict: Verdict,
    /// What keeps the concurrent side from being faster still; `None` where nothing is claimed.
    pub limit: Option<Limit>,
    /// What a reader has to know beside the figures, a sentence each.
    pub notes: Vec<String>,
    pub workload: Workload,
    /// The concurrency that the summary compares with one connection.
    pub concurrency: usize,
    pub pairs: Pairs,
    pub sequential: Option<Side>,
    pub concurrent: Option<Side>,
    /// How many times as fast; `None` where nothing may be claimed.
    pub speedup: Option<Point>,
    /// `min(c, Σt / max t)` of the sequential fetch times.
    pub ceiling: Option<Ratio>,
    /// Speedup over concurrency, if more than two levels were run.
    pub curve: Option<Curve>,
    pub rounds: Vec<Round>,
    /// Each file's median time on both sides.
    pub files: Vec<FileTimes>,
    pub drawn: Drawn,
    pub conditions: Conditions,
    /// The seed of the bootstrap.
    pub seed: u64,
}

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    pub urls: usize,
    pub hosts: Vec<String>,
    pub total: Bytes,
    pub smallest: Bytes,
    pub largest: Bytes,
}

/// How many pairs of runs were wanted, and how many were run whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pairs {
    pub planned: usize,
    pub measured: usize,
}

/// The wall times of one round, in ascending order of concurrency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Round {
    pub runs: Vec<Wall>,
}

/// The wall time of one run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Wall {
    pub concurrency: usize,
    pub wall: Seconds,
}

/// The two runs that are drawn, of one pair.
#[derive(Clone, Debug, Serialize)]
pub struct Drawn {
    /// The number of the pair, from 1: the one whose ratio is the median. `None` for the warm-up alone.
    pub pair: Option<usize>,
    pub sequential: Option<RunRecord>,
    pub concurrent: Option<RunRecord>,
}

/// Under what conditions it was measured: what only the program that ran it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// When it began, as a person reads it.
    pub started: String,
    /// The program that fetched, and its version.
    pub client: String,
    /// The servers, as they named themselves.
    pub servers: Vec<String>,
    /// The operating system and the kind of machine.
    pub system: String,
    /// How many processors the program may use.
    pub processors: usize,
    /// What became of the bodies.
    pub bodies: Bodies,
    /// Anything else, as a name and a value.
    pub further: Vec<(String, String)>,
}

/// What was done with the bodies, in every run alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bodies {
    /// Written to files as in a download.
    #[default]
    Saved,
    /// Read, hashed and forgotten.
    Discarded,
}

impl Findings {
    /// What `trial` shows; `seed` determines the resampling.
    #[must_use]
    pub fn new(trial: &Trial, conditions: Conditions, seed: u64) -> Self {
        let plan = &trial.plan;
        let refusal = verdict::refusal(trial);
        let pick = |c: usize| -> Vec<&RunRecord> {
            let at = plan.levels().iter().position(|&level| level == c);
            trial.rounds.iter().filter_map(|round| round.get(at?)).collect()
        };
        let (baseline, others) = (pick(1), pick(plan.concurrency()));
        let claimed = refusal.is_none();
        let points = if claimed { curve::points(trial, seed) } else { Vec::new() };
        let speedup = points.iter().find(|point| point.concurrency == plan.concurrency()).copied();
        let verdict = match (refusal, &speedup) {
            (Some(reason), _) => Verdict::Refused { reason },
            (None, Some(point)) => verdict::judged(point, trial.rounds.len()),
            (None, None) => Verdict::Refused { reason: "the runs took no time".to_owned() },
        };
        let workload = workload(baseline.first().copied().unwrap_or(&trial.warm_up));
        let sequential = Side::new(1, &baseline);
        let concurrent = Side::new(plan.concurrency(), &others);
        let files = side::files(&trial.warm_up, &baseline, &others);
        let times: Vec<f64> = files.iter().filter_map(|file| file.exact_sequential).collect();
        let ceiling = scaling::ceiling(plan.concurrency(), &times).filter(|_| claimed);
        Self {
            headline: verdict::headline(&verdict, speedup.as_ref(), trial),
            limit: claimed.then(|| Limit::of(&baseline, &others, &points)).flatten(),
            notes: notes::notes(trial, &verdict, sequential.as_ref(), concurrent.as_ref()),
            workload,
            concurrency: plan.concurrency(),
            pairs: Pairs { planned: plan.rounds(), measured: trial.rounds.len() },
            sequential,
            concurrent,
            speedup,
            ceiling: ceiling.map(Ratio::new),
            curve: Curve::new(points),
            rounds: trial.rounds.iter().map(|round| Round::new(round)).collect(),
            files,
            drawn: Drawn::new(trial, &baseline, &others),
            verdict,
            conditions,
            seed,
        }
    }
}

impl Findings {
    /// What the interval of a ratio is called: of too few pairs it is no more than their range.
    #[must_use]
    pub fn interval_name(&self) -> &'static str {
        if self.pairs.measured < FEWEST_PAIRS { "range" } else { "95 % interval" }
    }
}

impl Round {
    fn new(round: &[RunRecord]) -> Self {
        let wall = |run: &RunRecord| Wall { concurrency: run.concurrency, wall: run.wall.into() };
        Self { runs: round.iter().map(wall).collect() }
    }
}

impl Drawn {
    /// The pair of the median ratio (of an even number, the lower of the two), or the last pair where
    /// something failed, or the warm-up where there is no pair.
    fn new(trial: &Trial, baseline: &[&RunRecord], others: &[&RunRecord]) -> Self {
        let mut ratios: Vec<(f64, usize)> = baseline
            .iter()
            .zip(others)
            .enumerate()
            .map(|(index, (first, other))| (side::wall(first) / side::wall(other), index))
            .collect();
        ratios.sort_by(|left, right| left.0.total_cmp(&right.0));
        let failed = matches!(trial.ended, Ended::Disagreed(_));
        let index = if failed { ratios.len().checked_sub(1) } else { None };
        let middle = ratios.len().checked_sub(1).map(|last| ratios[last / 2].1);
        match index.or(middle) {
            Some(index) => Self {
                pair: Some(index + 1),
                sequential: Some(baseline[index].clone()),
                concurrent: Some(others[index].clone()),
            },
            None => Self { pair: None, sequential: None, concurrent: Some(trial.warm_up.clone()) },
        }
    }
}

impl Workload {
    /// The lengths in words: of all together, and of each.
    #[must_use]
    pub fn lengths(&self) -> String {
        let Self { total, smallest, largest, .. } = self;
        if smallest == largest {
            format!("{total} in all, {largest} each")
        } else {
            format!("{total} in all, {smallest} to {largest} each")
        }
    }
}

/// The workload as `run` found it: its lengths are those of what arrived whole.
fn workload(run: &RunRecord) -> Workload {
    let complete = || run.fetches.iter().filter(|fetch| fetch.failure().is_none());
    let lengths = || complete().map(|fetch| fetch.bytes);
    let mut hosts: Vec<String> = Vec::new();
    for fetch in &run.fetches {
        let host = host(&fetch.url);
        if !hosts.iter().any(|known| known == host) {
            hosts.push(host.to_owned());
        }
    }
    Workload {
        urls: run.fetches.len(),
        hosts,
        total: Bytes(lengths().sum()),
        smallest: Bytes(lengths().min().unwrap_or(0)),
        largest: Bytes(lengths().max().unwrap_or(0)),
    }
}

/// The authority of a URL, or all of a text that is none.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// The median of what `figure` says of each run, or `None` of none.
fn median(runs: &[&RunRecord], figure: impl Fn(&RunRecord) -> f64) -> Option<f64> {
    Sample::new(runs.iter().map(|run| figure(run)).collect()).map(|sample| sample.median())
}
