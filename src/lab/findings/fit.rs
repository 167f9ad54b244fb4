//! The law that describes the curve, with an interval for each of its parameters, in words.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use super::super::experiment::Trial;
use super::super::figures::{Ratio, percent};
use super::super::fitting::{self, DataPoint, MAX_ERROR};
use super::super::interval::{LEVEL, median_interval};
use super::super::laws::Law;
use super::super::measurement::RunRecord;
use super::super::statistics::{Sample, as_f64};
use super::runs::wall_seconds;

/// The law that describes the curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// `amdahl`, `cap` or `universal`.
    #[serde(serialize_with = "name")]
    pub law: Law,
    pub parameters: Vec<Parameter>,
    /// The largest relative deviation of the law from the measured speedup at any level.
    pub error: Ratio,
    /// Further laws that describe the curve about as well.
    #[serde(serialize_with = "names")]
    pub rivals: Vec<Law>,
    /// The concurrency with the highest speedup, if it is within the measured range.
    pub peak: Option<Ratio>,
}

/// A parameter of a law.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    pub name: &'static str,
    pub value: Ratio,
    /// The interval of the median of the values in each round, low and high.
    pub interval: (Ratio, Ratio),
    /// The probability with which the interval covers the true median.
    pub level: f64,
}

fn name<S: Serializer>(law: &Law, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key(law))
}

fn names<S: Serializer>(laws: &[Law], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(laws.iter().map(key))
}

fn key(law: &Law) -> &'static str {
    match law {
        Law::Amdahl { .. } => "amdahl",
        Law::Cap { .. } => "cap",
        Law::Universal { .. } => "universal",
    }
}

fn in_words(law: &Law) -> &'static str {
    match law {
        Law::Amdahl { .. } => "Amdahl's law",
        Law::Cap { .. } => "a hard cap",
        Law::Universal { .. } => "the Universal Scalability Law",
    }
}

impl Fit {
    /// `None` if no law describes the curve.
    pub(super) fn of(trial: &Trial, curve: &[DataPoint]) -> Option<Self> {
        let fitting::Fit { law, error, rivals } = fitting::Fit::of(curve)?;
        let of_rounds: Vec<Law> =
            curves_of_rounds(trial).map(|curve| law.refitted(&curve)).collect();
        let parameters = law.parameters().into_iter().enumerate();
        let parameters = parameters.map(|(index, (name, value))| {
            let values = of_rounds.iter().map(|law| law.parameters()[index].1).collect();
            let found = median_interval(&Sample::new(values)?, LEVEL);
            let interval = (Ratio::new(found.interval.low), Ratio::new(found.interval.high));
            Some(Parameter { name, value: Ratio::new(value), interval, level: found.level })
        });
        let last = trial.schedule.levels().last().copied().unwrap_or(1);
        Some(Self {
            law,
            parameters: parameters.collect::<Option<_>>()?,
            error: Ratio::new(error),
            rivals,
            peak: law.peak().filter(|peak| *peak <= as_f64(last)).map(Ratio::new),
        })
    }

    /// The name of the law.
    #[must_use]
    pub fn law_name(&self) -> &'static str {
        in_words(&self.law)
    }
}

/// The curve of each round.
fn curves_of_rounds(trial: &Trial) -> impl Iterator<Item = Vec<DataPoint>> {
    trial.used_rounds().iter().map(|round| {
        let speedup = |run: &RunRecord| wall_seconds(&round[0]) / wall_seconds(run);
        let point =
            |run: &RunRecord| DataPoint { concurrency: run.concurrency, speedup: speedup(run) };
        round.iter().map(point).collect()
    })
}

/// What the fit says; `None` if there are too few levels for one.
pub(super) fn note(fit: Option<&Fit>, curve: &[DataPoint]) -> Option<String> {
    let Some(fit) = fit else {
        return (curve.len() > 3).then(|| {
            format!(
                "No law describes the curve within {}: neither Amdahl's, nor a hard cap, nor the Universal \
                 Scalability Law.",
                percent(MAX_ERROR)
            )
        });
    };
    let parameter = |index: usize| {
        let Parameter { value, interval: (low, high), level, .. } = &fit.parameters[index];
        format!("{value} ({} interval {low} to {high})", percent(*level))
    };
    let error = Ratio::new(100.0 * fit.error.value());
    let mut text = match fit.law {
        Law::Amdahl { .. } => format!(
            "Amdahl's law describes the curve within {error} %: S(c) = 1 / (s + (1 - s)/c), with the serial \
             fraction s = {}.",
            parameter(0)
        ),
        Law::Cap { .. } => format!(
            "A hard cap describes the curve within {error} %: the speedup rises by Amdahl's law, with the \
             serial fraction {}, to {}, and no further.",
            parameter(0),
            parameter(1)
        ),
        Law::Universal { .. } => format!(
            "The Universal Scalability Law describes the curve within {error} %: S(c) = c / (1 + a(c - 1) + \
             b c(c - 1)), with the contention a = {} and the coherency b = {}.",
            parameter(0),
            parameter(1)
        ),
    };
    if let Some(peak) = fit.peak {
        let _ = write!(text, " Its maximum is at c = {peak}.");
    }
    if !fit.rivals.is_empty() {
        let rivals: Vec<&str> = fit.rivals.iter().map(in_words).collect();
        let _ = write!(text, " The levels do not tell it from {}.", rivals.join(" or "));
    }
    Some(text)
}
