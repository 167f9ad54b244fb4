//! The speedup at each level of concurrency, the knee of the curve, and the fitted scalability laws.

use serde::Serialize;

use super::super::experiment::Trial;
use super::super::figures::{Ratio, Seconds, percent};
use super::super::interval::median_interval;
use super::super::scaling::{self, Amdahl, DataPoint, UniversalScalability};
use super::super::statistics::{self, Sample};
use super::runs::wall_seconds;

/// The estimated speedup at one level of concurrency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Speedup {
    pub concurrency: usize,
    /// The median of the paired ratios: the time of the baseline divided by the time at this level.
    pub ratio: Ratio,
    /// The interval of the median, low and high; `None` with a single pair.
    pub interval: Option<(Ratio, Ratio)>,
    /// The probability with which the interval covers the true median; 0 with a single pair.
    pub level: f64,
    /// The median wall time of this level.
    pub wall: Seconds,
    #[serde(skip)]
    exact: f64,
}

#[cfg(test)]
impl Speedup {
    /// A speedup without an interval.
    pub(super) fn synthetic(concurrency: usize, ratio: f64) -> Self {
        let wall = Seconds::new(1.0 / ratio);
        Self {
            concurrency,
            ratio: Ratio::new(ratio),
            interval: None,
            level: 0.0,
            wall,
            exact: ratio,
        }
    }
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
pub(super) fn points(trial: &Trial) -> Vec<Speedup> {
    (0..trial.schedule.levels().len()).filter_map(|level| point(trial, level)).collect()
}

/// The speedup at the level of this position.
fn point(trial: &Trial, level: usize) -> Option<Speedup> {
    let walls =
        |level| -> Vec<f64> { trial.runs_at(level).into_iter().map(wall_seconds).collect() };
    let ratios = Sample::new(statistics::paired_ratios(&walls(0), &walls(level)))?;
    let found = median_interval(&ratios, trial.schedule.interval_level());
    let interval = (Ratio::new(found.interval.low), Ratio::new(found.interval.high));
    let exact = ratios.log_median();
    Some(Speedup {
        concurrency: trial.schedule.levels()[level],
        ratio: Ratio::new(exact),
        interval: (ratios.values().len() > 1).then_some(interval),
        level: found.level,
        wall: Seconds::new(Sample::new(walls(level))?.median()),
        exact,
    })
}

impl Speedup {
    /// The name of the interval, with its level.
    #[must_use]
    pub(super) fn interval_name(&self) -> String {
        format!("{} interval", percent(self.level))
    }
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
