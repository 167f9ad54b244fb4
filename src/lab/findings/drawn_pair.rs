//! Chooses the pair of runs that the waterfalls show.

use serde::Serialize;

use super::super::experiment::{EndReason, Trial};
use super::runs::wall_seconds;

/// The pair of runs that the waterfalls show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DrawnPair {
    /// The number of the pair, from 1; `None` for the warm-up.
    pub pair: Option<usize>,
}

impl DrawnPair {
    /// The pair with the median ratio (with an even number of pairs, the lower of the two middle ones).
    /// After a failure it is the last pair; without any pair it is the warm-up.
    pub(super) fn new(trial: &Trial) -> Self {
        let (baseline, others) = (trial.baseline(), trial.summarised());
        let ratio = |(first, other)| wall_seconds(first) / wall_seconds(other);
        let mut ratios: Vec<(f64, usize)> =
            baseline.into_iter().zip(others).map(ratio).zip(1..).collect();
        if matches!(trial.end, EndReason::Disagreed(_)) {
            return Self { pair: ratios.last().map(|(_, pair)| *pair) };
        }
        ratios.sort_by(|left, right| left.0.total_cmp(&right.0));
        let middle = ratios.len().checked_sub(1).map(|last| ratios[last / 2].1);
        Self { pair: middle }
    }
}
