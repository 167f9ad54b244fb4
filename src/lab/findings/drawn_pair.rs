//! Chooses the pair of runs that the waterfalls show.

use serde::Serialize;

use super::super::experiment::{EndReason, Trial};
use super::super::measurement::RunRecord;
use super::runs::wall_seconds;

/// The pair of runs that the waterfalls show.
#[derive(Clone, Debug, Serialize)]
pub struct DrawnPair {
    /// The number of the pair, from 1; `None` for the warm-up.
    pub pair: Option<usize>,
    pub sequential: Option<RunRecord>,
    pub concurrent: Option<RunRecord>,
}

impl DrawnPair {
    /// The pair with the median ratio (with an even number of pairs, the lower of the two middle ones).
    /// After a failure it is the last pair; without any pair it is the warm-up.
    pub(super) fn new(trial: &Trial, baseline: &[&RunRecord], others: &[&RunRecord]) -> Self {
        let mut ratios: Vec<(f64, usize)> = baseline
            .iter()
            .zip(others)
            .enumerate()
            .map(|(index, (first, other))| (wall_seconds(first) / wall_seconds(other), index))
            .collect();
        ratios.sort_by(|left, right| left.0.total_cmp(&right.0));
        let failed = matches!(trial.end, EndReason::Disagreed(_));
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
