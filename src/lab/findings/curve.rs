//! The speedup at each level of concurrency, the knee of the curve, and the law that describes it.

use serde::Serialize;

use super::super::experiment::Trial;
use super::super::figures::{Ratio, Seconds, counted, percent};
use super::super::fitting::DataPoint;
use super::super::interval::median_interval;
use super::super::scaling::{Knee, MARGIN};
use super::super::statistics::{self, Sample};
use super::fit::{self, Fit};
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
    /// `None` if there are too few pairs, no gain, or no level beyond the knee.
    pub knee: Option<Knee>,
    /// The law that describes the curve; `None` if there are too few pairs, no gain, or no such law.
    pub fit: Option<Fit>,
    /// What the knee and the law say, one sentence each.
    pub notes: Vec<String>,
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
    pub(super) fn new(points: Vec<Speedup>, trial: &Trial) -> Option<Self> {
        if points.len() < 3 {
            return None;
        }
        let mut curve = Self { points, knee: None, fit: None, notes: Vec::new() };
        if trial.has_enough_pairs() {
            curve.describe(trial);
        }
        Some(curve)
    }

    fn describe(&mut self, trial: &Trial) {
        if !self.has_gain() {
            self.notes.push(format!(
                "No number of connections is measurably more than {} faster than one, so there is no knee, \
                 and no law is fitted.",
                percent(MARGIN)
            ));
            return;
        }
        if let Some(knee) = knee_of(trial) {
            // At the highest level it is only the end of the curve.
            let is_end = self.points.last().is_none_or(|end| end.concurrency == knee.concurrency);
            self.notes.push(if is_end { end_note(knee) } else { knee_note(knee) });
            self.knee = Some(knee).filter(|_| !is_end);
        }
        let measured: Vec<DataPoint> = self
            .points
            .iter()
            .map(|point| DataPoint { concurrency: point.concurrency, speedup: point.exact })
            .collect();
        self.fit = Fit::of(trial, &measured);
        self.notes.extend(fit::note(self.fit.as_ref(), &measured));
    }

    /// True if a level is measurably faster than one connection, and by more than the margin.
    fn has_gain(&self) -> bool {
        self.points.iter().any(|point| {
            let low = point.interval.map_or(0.0, |(low, _)| low.value());
            low > 1.0 && point.exact * (1.0 - MARGIN) > 1.0
        })
    }

    /// True if the knee is at this concurrency.
    #[must_use]
    pub fn has_knee_at(&self, concurrency: usize) -> bool {
        self.knee.is_some_and(|knee| knee.concurrency == concurrency)
    }
}

fn knee_of(trial: &Trial) -> Option<Knee> {
    let levels = trial.schedule.levels().iter().enumerate();
    let curve: Vec<(usize, Vec<f64>)> = levels
        .map(|(level, &concurrency)| {
            (concurrency, trial.runs_at(level).into_iter().map(wall_seconds).collect())
        })
        .collect();
    Knee::of(&curve, trial.schedule.interval_level())
}

fn knee_note(Knee { concurrency, low, high }: Knee) -> String {
    let connections = counted(concurrency, "connection", "connections");
    let interval = if low == high { String::new() } else { format!(" (interval {low} to {high})") };
    let margin = percent(MARGIN);
    format!("Knee: {connections}{interval}, the lowest number within {margin} of the best.")
}

/// The note of a curve without a level beyond its knee.
fn end_note(Knee { concurrency, low, .. }: Knee) -> String {
    let connections = counted(concurrency, "connection", "connections");
    let earlier =
        if low < concurrency { format!(", but it may be from {low} on") } else { String::new() };
    format!(
        "The speedup still rises at the highest number, {connections}: no knee was found{earlier}."
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::experiment::EndReason;
    use super::super::super::measurement::RunRecord;
    use super::super::super::schedule::Schedule;
    use super::super::super::synthetic::synthetic_run;
    use super::super::{Conditions, Findings};
    use super::*;

    /// The curve of rounds with these speedups, whose times vary by about `noise`.
    fn curve(speedups: &[(usize, f64)], rounds: usize, noise: f64) -> Curve {
        let mut random = fastrand::Rng::with_seed(5);
        let mut factor = || (noise * (random.f64() + random.f64() + random.f64() - 1.5)).exp();
        let mut run = |concurrency, speedup: f64| RunRecord {
            wall: Duration::from_secs_f64(2.0 * factor() / speedup),
            ..synthetic_run(concurrency, 4, Duration::from_millis(100))
        };
        let levels: Vec<usize> = speedups.iter().map(|point| point.0).collect();
        let schedule = Schedule::sweep(&levels, 2).with_rounds(rounds);
        let mut round = || [(1, 1.0)].iter().chain(speedups).map(|&(c, s)| run(c, s)).collect();
        let rounds = (0..schedule.rounds()).map(|_| round()).collect();
        let warm_up = synthetic_run(2, 4, Duration::from_millis(100));
        let (end, elapsed) = (EndReason::Complete, Duration::from_secs(60));
        let trial = Trial { schedule, warm_up, rounds, end, elapsed };
        Findings::new(trial, Conditions::default()).curve.expect("there are three levels")
    }

    #[test]
    fn the_knee_and_the_law_are_shown_only_where_the_data_support_them() {
        const EQUAL: [(usize, f64); 4] = [(2, 1.0), (4, 1.0), (8, 1.0), (16, 1.0)];
        const CAP: [(usize, f64); 5] = [(2, 2.0), (4, 4.0), (8, 6.0), (16, 6.0), (32, 6.0)];
        const STAIRS: [(usize, f64); 5] = [(2, 2.0), (4, 4.0), (8, 6.67), (16, 10.0), (20, 20.0)];
        const SERIAL: [(usize, f64); 4] = [(2, 1.82), (4, 3.08), (8, 4.71), (16, 6.4)];
        const SMALL: [(usize, f64); 4] = [(2, 1.03), (4, 1.03), (8, 1.03), (16, 1.03)];
        for (name, speedups, rounds, noise, knee, law, note) in [
            ("equal", &EQUAL[..], 8, 0.03, None, None, "No number of connections"),
            ("a gain of 3 %", &SMALL, 8, 0.001, None, None, "No number of connections"),
            ("a cap", &CAP, 8, 0.01, Some(8), Some("cap"), "A hard cap describes"),
            ("stairs", &STAIRS, 8, 0.01, None, None, "still rises at the highest number, 20"),
            (
                "stairs, the law",
                &STAIRS,
                8,
                0.01,
                None,
                None,
                "No law describes the curve within 5 %",
            ),
            ("serial", &SERIAL, 8, 0.01, None, Some("amdahl"), "with the serial fraction s = 0."),
            ("too few pairs", &CAP, 6, 0.01, None, None, ""),
        ] {
            let curve = curve(speedups, rounds, noise);
            let shown = curve.notes.join(" ");
            assert_eq!(curve.knee.map(|knee| knee.concurrency), knee, "{name}: {shown}");
            let found = curve.fit.as_ref().map(|fit| serde_json::to_value(fit).expect("a fit"));
            let found = found.map(|fit| fit["law"].as_str().expect("a name").to_owned());
            assert_eq!(found.as_deref(), law, "{name}: {shown}");
            assert!(shown.contains(note), "{name}: {shown}");
        }
    }

    #[test]
    fn the_parameters_have_intervals_that_include_the_truth() {
        let cap = [(2, 2.0), (4, 4.0), (8, 6.0), (16, 6.0), (32, 6.0)];
        let fit = curve(&cap, 10, 0.02).fit.expect("a cap describes it");
        let parameter = fit.parameters.iter().find(|one| one.name == "cap").expect("a cap");
        let (low, high) = (parameter.interval.0.value(), parameter.interval.1.value());
        assert!(low < 6.0 && 6.0 < high && high - low < 0.5, "{parameter:?}");
        assert!(parameter.level >= 0.95 && fit.error.value() < 0.05, "{fit:?}");
    }
}
