//! The speedup at each level of concurrency, the knee of the curve, and the fitted scalability laws.

use serde::Serialize;

use super::super::experiment::Trial;
use super::super::figures::{Ratio, Seconds};
use super::super::scaling::{self, Amdahl, DataPoint, UniversalScalability};
use super::super::statistics::{self, Sample};
use super::runs::wall_seconds;

/// The estimated speedup at one level of concurrency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Speedup {
    pub concurrency: usize,
    /// The median of the paired ratios: the time with one connection divided by the time at this level.
    pub ratio: Ratio,
    /// The 95 % bootstrap interval, low and high; `None` with a single pair.
    pub interval: Option<(Ratio, Ratio)>,
    /// The median wall time of this level.
    pub wall: Seconds,
    #[serde(skip)]
    exact: f64,
}

/// The speedup at all levels of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// In ascending order of concurrency, beginning with 1.
    pub points: Vec<Speedup>,
    /// The lowest concurrency whose speedup is within 5 % of the best.
    pub knee: usize,
    pub amdahl: Option<Amdahl>,
    /// Fitted only if the speedup decreases at high concurrency.
    pub universal: Option<UniversalScalability>,
    /// The concurrency at which the Universal Scalability Law has its maximum.
    pub peak: Option<Ratio>,
}

/// The speedup at each level, in ascending order.
pub(super) fn points(trial: &Trial, seed: u64) -> Vec<Speedup> {
    let levels = trial.schedule.levels().iter();
    levels.filter_map(|&concurrency| point(trial, concurrency, seed)).collect()
}

fn point(trial: &Trial, concurrency: usize, seed: u64) -> Option<Speedup> {
    let walls = |concurrency| -> Vec<f64> {
        trial.runs_of(concurrency).into_iter().map(wall_seconds).collect()
    };
    let ratios = Sample::new(statistics::paired_ratios(&walls(1), &walls(concurrency)))?;
    let interval = statistics::bootstrap_median(&ratios, seed)
        .map(|interval| (Ratio::new(interval.low), Ratio::new(interval.high)));
    Some(Speedup {
        concurrency,
        ratio: Ratio::new(ratios.median()),
        interval,
        wall: Seconds::new(Sample::new(walls(concurrency))?.median()),
        exact: ratios.median(),
    })
}

impl Curve {
    /// The curve through these points; `None` with fewer than three.
    pub(super) fn new(points: Vec<Speedup>) -> Option<Self> {
        if points.len() < 3 {
            return None;
        }
        let measured: Vec<DataPoint> = points
            .iter()
            .map(|point| DataPoint { concurrency: point.concurrency, speedup: point.exact })
            .collect();
        let universal = if scaling::bends_down(&measured) {
            UniversalScalability::fit(&measured)
        } else {
            None
        };
        Some(Self {
            knee: scaling::knee(&measured)?,
            amdahl: Amdahl::fit(&measured).map(|law| Amdahl {
                serial_fraction: Ratio::new(law.serial_fraction).value(),
                error: Ratio::new(law.error).value(),
            }),
            peak: universal.as_ref().and_then(UniversalScalability::peak).map(Ratio::new),
            universal: universal.map(|law| UniversalScalability {
                contention: Ratio::new(law.contention).value(),
                coherency: Ratio::new(law.coherency).value(),
                error: Ratio::new(law.error).value(),
            }),
            points,
        })
    }

    /// The highest measured speedup.
    #[must_use]
    pub fn best(&self) -> f64 {
        self.points.iter().map(|point| point.ratio.value()).fold(0.0, f64::max)
    }
}
