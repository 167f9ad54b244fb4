//! Speedup over the number of connections, its knee, and the laws that fit it.

use serde::Serialize;

use super::super::experiment::Trial;
use super::super::figures::{Ratio, Seconds};
use super::super::scaling::{self, Amdahl, Measured, Universal};
use super::super::statistics::{self, Sample};
use super::side;

/// The speedup with so many connections.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    pub concurrency: usize,
    /// The median of the paired ratios, one connection's time over this level's.
    pub ratio: Ratio,
    /// The bootstrap interval of 95 %, from low to high; `None` of a single pair.
    pub interval: Option<(Ratio, Ratio)>,
    /// The median wall time of this level.
    pub wall: Seconds,
    #[serde(skip)]
    exact: f64,
}

/// The curve of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// In ascending order of concurrency, 1 first.
    pub points: Vec<Point>,
    /// The smallest concurrency whose speedup is within 5 % of the best.
    pub knee: usize,
    pub amdahl: Option<Amdahl>,
    /// Fitted where the curve bends down.
    pub universal: Option<Universal>,
    /// Where the universal law's curve turns.
    pub peak: Option<Ratio>,
}

/// The point of each level, in ascending order.
pub(super) fn points(trial: &Trial, seed: u64) -> Vec<Point> {
    let levels = trial.plan.levels().iter().enumerate();
    levels.filter_map(|(index, &concurrency)| point(trial, index, concurrency, seed)).collect()
}

fn point(trial: &Trial, index: usize, concurrency: usize, seed: u64) -> Option<Point> {
    let walls = |index: usize| -> Vec<f64> {
        trial.rounds.iter().filter_map(|round| round.get(index)).map(side::wall).collect()
    };
    let ratios = Sample::new(statistics::paired_ratios(&walls(0), &walls(index)))?;
    let interval = statistics::bootstrap_median(&ratios, seed)
        .map(|interval| (Ratio::new(interval.low), Ratio::new(interval.high)));
    Some(Point {
        concurrency,
        ratio: Ratio::new(ratios.median()),
        interval,
        wall: Seconds::new(Sample::new(walls(index))?.median()),
        exact: ratios.median(),
    })
}

impl Curve {
    /// The curve through these points, or `None` of fewer than three, which are no curve.
    pub(super) fn new(points: Vec<Point>) -> Option<Self> {
        if points.len() < 3 {
            return None;
        }
        let measured: Vec<Measured> = points
            .iter()
            .map(|point| Measured { concurrency: point.concurrency, speedup: point.exact })
            .collect();
        let universal =
            if scaling::bends_down(&measured) { Universal::fit(&measured) } else { None };
        Some(Self {
            knee: scaling::knee(&measured)?,
            amdahl: Amdahl::fit(&measured).map(|law| Amdahl {
                serial_fraction: Ratio::new(law.serial_fraction).value(),
                error: Ratio::new(law.error).value(),
            }),
            peak: universal.as_ref().and_then(Universal::peak).map(Ratio::new),
            universal: universal.map(|law| Universal {
                contention: Ratio::new(law.contention).value(),
                coherency: Ratio::new(law.coherency).value(),
                error: Ratio::new(law.error).value(),
            }),
            points,
        })
    }

    /// The best of the measured speedups.
    #[must_use]
    pub fn best(&self) -> f64 {
        self.points.iter().map(|point| point.ratio.value()).fold(0.0, f64::max)
    }
}
