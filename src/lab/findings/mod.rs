//! Computes all figures and sentences of a report from the runs of an experiment.
//!
//! The renderings in [`report`](super::report) only show [`Findings`], so that they cannot differ. All
//! figures are rounded as in [`figures`](super::figures) *before* conclusions are drawn: an interval that
//! is shown to include 1 is never called a speedup. `claim` decides whether a speedup may be claimed;
//! `bottleneck` names what limits it.

mod bottleneck;
mod ceiling;
pub(super) mod claim;
pub(super) mod conditions;
pub(super) mod curve;
pub(super) mod drawn_pair;
mod evidence;
mod fit;
mod late_openings;
mod noise;
mod notes;
mod opening_cost;
mod pairs;
mod processor_use;
pub(super) mod round_trip;
mod runs;
pub(super) mod side;
mod workload;

use serde::Serialize;

use super::experiment::Trial;
use super::figures::Ratio;
use super::measurement::RunRecord;
use super::schedule::Comparison;
pub use bottleneck::cause::{Bottleneck, BottleneckKind};
pub use claim::Claim;
pub use conditions::{BodyHandling, Conditions};
pub use curve::{Curve, Speedup};
pub use drawn_pair::DrawnPair;
use evidence::Compared;
pub use fit::{Fit, Parameter};
pub use pairs::Pairs;
pub use round_trip::RoundTrip;
pub use side::{Distribution, FileTimes, Side};
pub use workload::Workload;

/// The result of an experiment, ready for rendering.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    /// The result in one sentence.
    pub headline: String,
    /// Whether a speedup may be claimed.
    #[serde(rename = "verdict")]
    pub claim: Claim,
    /// What limits the speedup; `None` if there is no ratio.
    #[serde(rename = "limit")]
    pub bottleneck: Option<Bottleneck>,
    /// Caveats, one sentence each.
    pub notes: Vec<String>,
    pub workload: Workload,
    pub comparison: Comparison,
    /// The concurrency that the summary compares with one connection, or with itself.
    pub concurrency: usize,
    pub pairs: Pairs,
    /// The runs with one connection, or the first of two equal sides.
    pub sequential: Option<Side>,
    /// The runs with `concurrency` connections.
    pub concurrent: Option<Side>,
    /// The speedup at `concurrency`; `None` if the runs cannot be compared.
    pub speedup: Option<Speedup>,
    /// The upper bound of the speedup: the sequential total divided by the best schedule's time on the
    /// connections that the host and `--max-per-host` allow.
    pub ceiling: Option<Ratio>,
    /// The speedup at all levels, if there are more than two.
    pub curve: Option<Curve>,
    /// The discarded run.
    pub warm_up: RunRecord,
    /// The complete rounds, each with one run per level. Figures are computed from the first
    /// `pairs.measured`.
    pub rounds: Vec<Vec<RunRecord>>,
    /// The position in each round of the runs that the summary compares with the first.
    pub summary: usize,
    /// The median times of each file.
    pub files: Vec<FileTimes>,
    /// The pair that the waterfalls show.
    pub drawn: DrawnPair,
    pub conditions: Conditions,
    pub round_trips: Vec<RoundTrip>,
}

impl Findings {
    /// Analyses `trial`.
    #[must_use]
    pub fn new(trial: Trial, conditions: Conditions) -> Self {
        let schedule = &trial.schedule;
        let refusal = claim::refusal(&trial);
        let (baseline, others) = (trial.baseline(), trial.summarised());
        let is_comparable = refusal.is_none();
        let comparison = schedule.comparison();
        let can_gain = is_comparable && comparison == Comparison::WithOne;
        let points = if is_comparable { curve::points(&trial) } else { Vec::new() };
        let speedup = points.get(schedule.summary()).copied();
        let claim = match (refusal, &speedup) {
            (Some(reason), _) => Claim::Refused { reason },
            (None, Some(speedup)) => Claim::new(speedup, &trial),
            (None, None) => Claim::Refused { reason: "the runs took no time".to_owned() },
        };
        let workload = Workload::new(baseline.first().copied().unwrap_or(&trial.warm_up));
        let [first, second] = side::names(schedule);
        let (sequential, mut concurrent) =
            (Side::new(first, &baseline), Side::new(second, &others));
        let files = side::files(&trial.warm_up, &baseline, &others);
        let mut ceiling = ceiling::ceiling(&files, &others, &conditions).filter(|_| can_gain);
        let compared = Compared {
            baseline: &baseline,
            others: &others,
            files: &files,
            curve: &points,
            conditions: &conditions,
        };
        let bottleneck = can_gain.then(|| bottleneck::find(&compared)).flatten();
        if bottleneck.as_ref().is_some_and(|found| found.kind == BottleneckKind::RequestRate) {
            // To a run it looked like a limit of connections, of which there is none.
            ceiling = None;
            concurrent = concurrent.map(|side| Side { host_limit: None, ..side });
        }
        Self {
            headline: claim.headline(speedup.as_ref(), &trial),
            bottleneck,
            notes: notes::notes(&trial, &claim, sequential.as_ref(), concurrent.as_ref()),
            workload,
            comparison,
            concurrency: schedule.concurrency(),
            pairs: Pairs::of(&trial),
            sequential,
            concurrent,
            speedup,
            ceiling,
            curve: Curve::new(points, &trial),
            files,
            drawn: DrawnPair::new(&trial),
            claim,
            conditions,
            round_trips: round_trip::round_trips(&trial),
            summary: schedule.summary(),
            warm_up: trial.warm_up,
            rounds: trial.rounds,
        }
    }

    /// The runs of the drawn pair with their sides, or the warm-up, which belongs to none.
    #[must_use]
    pub fn drawn_runs(&self) -> Vec<(&RunRecord, Option<&Side>)> {
        let Some(pair) = self.drawn.pair else { return vec![(&self.warm_up, None)] };
        let round = &self.rounds[pair - 1];
        vec![
            (&round[0], self.sequential.as_ref()),
            (&round[self.summary], self.concurrent.as_ref()),
        ]
    }

    /// The name of the interval of a ratio, with its level: with too few pairs it is only their range.
    #[must_use]
    pub fn interval_name(&self) -> String {
        match &self.speedup {
            Some(speedup) if self.claim != Claim::TooFewPairs => speedup.interval_name(),
            _ => "range".to_owned(),
        }
    }
}
