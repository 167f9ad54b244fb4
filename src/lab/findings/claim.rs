//! Whether a speedup may be claimed, and the sentence that says so.
//!
//! If the interval, as shown, includes 1, there is no measurable speedup. With too few pairs for an
//! interval there is a ratio but no claim. If runs failed or fetched different bodies, there is neither.

use serde::Serialize;

use super::super::experiment::{EndReason, Trial};
use super::super::figures::{Seconds, counted, percent};
use super::super::schedule::Comparison;
use super::curve::Speedup;

/// The claim that the runs support.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Claim {
    /// The interval is above 1.
    Faster,
    /// The interval is below 1.
    Slower,
    /// The interval includes 1.
    NotMeasurable,
    /// There is a ratio, but there are too few pairs for an interval of 95 %.
    TooFewPairs,
    /// There is no ratio, for this reason.
    Refused { reason: String },
}

/// Why the runs cannot be compared; `None` if they can.
pub(super) fn refusal(trial: &Trial) -> Option<String> {
    match &trial.end {
        EndReason::Disagreed(disagreement) => Some(disagreement.to_string()),
        EndReason::OutOfTime(max_time) if trial.rounds.is_empty() => {
            let allowed = Seconds::from(*max_time);
            Some(format!("the time limit of {allowed} was over before the first pair of runs"))
        }
        EndReason::Interrupted if trial.rounds.is_empty() => Some(
            "the experiment was interrupted before the first pair of runs was complete".to_owned(),
        ),
        _ if trial.schedule.levels().len() == 1 => {
            Some("one connection was to be compared with itself".to_owned())
        }
        _ => None,
    }
}

impl Claim {
    /// The claim that the ratio allows.
    pub(super) fn new(speedup: &Speedup, trial: &Trial) -> Self {
        match speedup.interval {
            _ if !trial.has_enough_pairs() => Self::TooFewPairs,
            Some((low, _)) if low.value() > 1.0 => Self::Faster,
            Some((_, high)) if high.value() < 1.0 => Self::Slower,
            _ => Self::NotMeasurable,
        }
    }

    /// The result in one sentence.
    pub(super) fn headline(&self, speedup: Option<&Speedup>, trial: &Trial) -> String {
        let sides = Sides::of(trial);
        match (self, speedup) {
            (Self::Refused { reason }, _) => format!("{}: {reason}.", sides.refused()),
            (_, None) => unreachable!("a claim other than a refusal is made from a speedup"),
            (Self::TooFewPairs, Some(speedup)) => {
                let pairs =
                    counted(trial.used_rounds().len(), "pair of runs is", "pairs of runs are");
                let range = speedup
                    .interval
                    .map_or_else(String::new, |(low, high)| format!(" (range {low} to {high})"));
                let ratio = speedup.ratio;
                format!("{pairs} too few {}; the ratio was {ratio}{range}.", sides.too_few())
            }
            (_, Some(speedup)) => sides.measured(self, speedup),
        }
    }
}

/// What is compared, in words.
struct Sides {
    comparison: Comparison,
    connections: String,
}

impl Sides {
    fn of(trial: &Trial) -> Self {
        let connections = counted(trial.schedule.concurrency(), "connection", "connections");
        Self { comparison: trial.schedule.comparison(), connections }
    }

    fn refused(&self) -> &'static str {
        match self.comparison {
            Comparison::WithOne => "No speedup is claimed",
            Comparison::WithItself => "The noise is not known",
        }
    }

    fn too_few(&self) -> String {
        match self.comparison {
            Comparison::WithOne => format!("to claim a speedup with {}", self.connections),
            Comparison::WithItself => format!("to know the noise with {}", self.connections),
        }
    }

    /// The sentence of enough pairs.
    fn measured(&self, claim: &Claim, speedup: &Speedup) -> String {
        let (connections, ratio, name) =
            (&self.connections, speedup.ratio, speedup.interval_name());
        let (low, high) = speedup.interval.unwrap_or((ratio, ratio));
        let interval = format!("{name} {low} to {high}");
        match (self.comparison, claim) {
            (Comparison::WithOne, Claim::Faster) => format!(
                "{connections} fetched the files {ratio} times as fast as one ({interval})."
            ),
            (Comparison::WithOne, Claim::Slower) => {
                format!("{connections} were slower than one: {ratio} times as fast ({interval}).")
            }
            (Comparison::WithOne, _) => format!(
                "No measurable speedup with {connections}: the ratio is {ratio}, and its {name}, {low} to \
                 {high}, includes 1."
            ),
            (Comparison::WithItself, Claim::Faster | Claim::Slower) => format!(
                "Equal runs with {connections} gave a ratio of {ratio} ({interval}) where 1 is true: the machine \
                 or the network is not steady, or it is the chance of {}.",
                percent(1.0 - speedup.level)
            ),
            (Comparison::WithItself, _) => {
                let noise = high.value().max(1.0 / low.value()) - 1.0;
                format!(
                    "Equal runs with {connections} gave a ratio of {ratio} ({interval}) where 1 is true: \
                     differences of up to {} are noise.",
                    percent(noise)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::measurement::RunRecord;
    use super::super::super::schedule::Schedule;
    use super::super::super::synthetic::synthetic_run;
    use super::super::{Conditions, Findings};
    use super::*;

    /// The findings of pairs with these sequential times in milliseconds. Each concurrent run takes 1000.
    fn findings(sequential: &[u64]) -> Findings {
        findings_of(Schedule::compare(4), sequential)
    }

    fn findings_of(schedule: Schedule, baseline: &[u64]) -> Findings {
        let levels = schedule.levels().to_vec();
        let run = |concurrency, millis| RunRecord {
            wall: Duration::from_millis(millis),
            ..synthetic_run(concurrency, 4, Duration::from_millis(200))
        };
        let trial = Trial {
            schedule,
            warm_up: run(4, 1000),
            rounds: baseline
                .iter()
                .map(|&millis| vec![run(levels[0], millis), run(levels[1], 1000)])
                .collect(),
            end: EndReason::Complete,
            elapsed: Duration::from_secs(1),
        };
        Findings::new(trial, Conditions::default())
    }

    #[test]
    fn the_rounded_interval_decides() {
        for (sequential, claim, shown) in [
            (&[2000, 2100, 2050, 1990, 2010, 2020][..], Claim::Faster, "2.01 times as fast as one"),
            (&[500, 510, 505, 490, 495, 500], Claim::Slower, "slower than one: 0.500 times"),
            (
                &[990, 1010, 1000, 1020, 980, 1000],
                Claim::NotMeasurable,
                "0.980 to 1.02, includes 1",
            ),
            // The interval begins at 1.001, which is shown as 1.00.
            (
                &[1001, 1100, 1100, 1100, 1100, 1100],
                Claim::NotMeasurable,
                "1.00 to 1.10, includes 1",
            ),
            (&[2000, 2100, 2050, 1990], Claim::TooFewPairs, "4 pairs of runs are too few"),
            (&[2000], Claim::TooFewPairs, "1 pair of runs is too few"),
        ] {
            let findings = findings(sequential);
            assert_eq!(findings.claim, claim, "{sequential:?}: {}", findings.headline);
            assert!(findings.headline.contains(shown), "{}", findings.headline);
        }
    }

    #[test]
    fn the_interval_has_its_true_level() {
        for (pairs, level, name) in [
            (4, 0.875, "range"),
            (6, 0.96875, "97 % interval"),
            (8, 0.992_187_5, "99.2 % interval"),
        ] {
            let findings = findings(&vec![2000; pairs]);
            let speedup = findings.speedup.expect("the runs can be compared");
            assert!((speedup.level - level).abs() < 1e-9, "{speedup:?}");
            assert_eq!(findings.interval_name(), name);
            assert!(findings.headline.contains(&format!("{name} 2.00 to 2.00")), "{findings:?}");
        }
    }

    #[test]
    fn equal_sides_show_the_noise() {
        for (baseline, claim, shown) in [
            (&[990, 1010, 1000, 1020, 960, 1000][..], Claim::NotMeasurable, "up to 4 % are noise"),
            (&[1100, 1110, 1120, 1130, 1110, 1100], Claim::Faster, "or it is the chance of 3 %"),
            (&[1000, 1010], Claim::TooFewPairs, "2 pairs of runs are too few to know the noise"),
        ] {
            let findings = findings_of(Schedule::null(4), baseline);
            assert_eq!(findings.claim, claim, "{baseline:?}: {}", findings.headline);
            assert!(findings.headline.contains(shown), "{}", findings.headline);
            assert_eq!(findings.sequential.map(|side| side.concurrency), Some(4));
            assert!(findings.ceiling.is_none() && findings.bottleneck.is_none());
        }
        let one = findings_of(Schedule::null(1), &[1000; 6]).headline;
        assert!(one.starts_with("Equal runs with 1 connection gave a ratio of 1.00"), "{one}");
    }

    #[test]
    fn the_drawn_pair_is_the_one_of_the_median_ratio() {
        assert_eq!(findings(&[2000, 2100, 2050, 1990, 2010, 2200]).drawn.pair, Some(5));
        assert_eq!(findings(&[2000]).drawn.pair, Some(1));
    }
}
