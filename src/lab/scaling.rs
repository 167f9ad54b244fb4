//! How a speedup grows with the concurrency: the achieved concurrency, and the knee of a curve. Pure
//! functions of numbers.

use serde::Serialize;

use super::interval::median_interval;
use super::statistics::{Sample, paired_ratios};

/// A speedup within this fraction of the best counts as equally good.
pub const MARGIN: f64 = 0.05;

/// The average number of fetches in progress: `Σ busy / wall`, by Little's law L = λW. Both times are in
/// the same unit.
///
/// J. D. C. Little, *A Proof for the Queuing Formula L = λW*, Operations Research 9 (1961),
/// <https://doi.org/10.1287/opre.9.3.383>: with n fetches in the wall time T, λ = n/T and W = Σ busy / n.
#[must_use]
pub fn achieved_concurrency(busy: f64, wall: f64) -> f64 {
    if wall > 0.0 { busy / wall } else { 0.0 }
}

/// The smallest concurrency whose speedup is within [`MARGIN`] of the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Knee {
    pub concurrency: usize,
    /// The smallest concurrency that may be within the margin, by the intervals of the ratios to the best.
    pub low: usize,
    /// The smallest concurrency that is within the margin, by these intervals.
    pub high: usize,
}

impl Knee {
    /// The knee of a curve of a level at each concurrency, in ascending order, with the times of its runs in
    /// the order of the rounds. `level` is that of each interval. `None` if there are no runs.
    ///
    /// The times of a level are compared with those of the fastest one within each round.
    #[must_use]
    pub fn of(curve: &[(usize, Vec<f64>)], level: f64) -> Option<Self> {
        let [(_, first), ..] = curve else { return None };
        let speedup = |times: &[f64]| Some(Sample::new(paired_ratios(first, times))?.log_median());
        let best = curve.iter().max_by(|(_, one), (_, other)| {
            speedup(one).unwrap_or(0.0).total_cmp(&speedup(other).unwrap_or(0.0))
        });
        let (_, fastest) = best?;
        // How many times as long as the fastest: 1 for itself, and above it for the others.
        let most = 1.0 / (1.0 - MARGIN);
        let (mut concurrency, mut low) = (None, None);
        for (count, times) in curve {
            let ratios = Sample::new(paired_ratios(times, fastest))?;
            let interval = median_interval(&ratios, level).interval;
            if interval.low <= most {
                low.get_or_insert(*count);
            }
            if ratios.log_median() <= most {
                concurrency.get_or_insert(*count);
            }
            if interval.high <= most {
                return Some(Self { concurrency: concurrency?, low: low?, high: *count });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn achieved_concurrency_is_busy_time_over_wall_time() {
        assert!((achieved_concurrency(8.0, 2.0) - 4.0).abs() < 1e-9);
        assert!(achieved_concurrency(8.0, 0.0).abs() < 1e-9);
    }

    /// A curve with these speedups, over eight rounds whose times at each level vary by up to `noise`.
    fn curve(speedups: &[(usize, f64)], noise: f64) -> Vec<(usize, Vec<f64>)> {
        let times = |level: usize, speedup: f64| {
            let factor =
                move |round: usize| 1.0 + noise * ([0.0, 0.6, -1.0, 1.0][(round + level) % 4]);
            (0..8).map(|round| factor(round) / speedup).collect()
        };
        let levels = speedups.iter().enumerate();
        levels.map(|(level, &(count, speedup))| (count, times(level, speedup))).collect()
    }

    #[test]
    fn the_knee_is_the_smallest_within_five_percent_of_the_best() {
        for (speedups, noise, expected) in [
            (&[(1, 1.0), (2, 1.9), (4, 3.85), (8, 3.9), (16, 4.0)][..], 0.0, (4, 4, 4)),
            (&[(1, 1.0), (2, 1.9), (4, 3.7), (8, 3.9)], 0.0, (8, 8, 8)),
            (&[(1, 1.0), (2, 0.7)], 0.0, (1, 1, 1)),
            (&[(1, 1.0)], 0.0, (1, 1, 1)),
            // 4 may already be within 5 % of the best, and 8 may not.
            (&[(1, 1.0), (2, 1.9), (4, 3.6), (8, 3.85), (16, 4.0)], 0.06, (8, 4, 16)),
        ] {
            let knee = Knee::of(&curve(speedups, noise), 0.99).expect("there are runs");
            let (concurrency, low, high) = expected;
            assert_eq!(knee, Knee { concurrency, low, high }, "{speedups:?}");
        }
        assert_eq!(Knee::of(&[], 0.99), None);
        assert_eq!(Knee::of(&[(1, Vec::new())], 0.99), None);
    }
}
