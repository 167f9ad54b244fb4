//! Whether a speedup may be claimed, and the sentence that says so.
//!
//! If the interval, as shown, includes 1, there is no measurable speedup. With too few pairs for an
//! interval there is a ratio but no claim. If runs failed or fetched different bodies, there is neither.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::experiment::{EndReason, Trial};
use super::super::figures::{Seconds, counted};
use super::super::statistics::MIN_PAIRS;
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
    /// There is a ratio, but there are too few pairs for a 95 % interval.
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
    /// The claim that the ratio of this many pairs allows.
    pub(super) fn new(speedup: &Speedup, pairs: usize) -> Self {
        match speedup.interval {
            _ if pairs < MIN_PAIRS => Self::TooFewPairs,
            Some((low, _)) if low.value() > 1.0 => Self::Faster,
            Some((_, high)) if high.value() < 1.0 => Self::Slower,
            _ => Self::NotMeasurable,
        }
    }

    /// The result in one sentence.
    pub(super) fn headline(&self, speedup: Option<&Speedup>, trial: &Trial) -> String {
        let connections = counted(trial.schedule.concurrency(), "connection", "connections");
        let ratio = speedup.map_or_else(String::new, |speedup| speedup.ratio.to_string());
        let between = speedup
            .and_then(|speedup| speedup.interval)
            .map_or_else(String::new, |(low, high)| format!("{low} to {high}"));
        match self {
            Self::Refused { reason } => format!("No speedup is claimed: {reason}."),
            Self::Faster => format!(
                "{connections} fetched the files {ratio} times as fast as one (95 % interval {between})."
            ),
            Self::Slower => format!(
                "{connections} were slower than one: {ratio} times as fast (95 % interval {between})."
            ),
            Self::NotMeasurable => format!(
                "No measurable speedup with {connections}: the ratio is {ratio}, and its 95 % interval, \
                 {between}, includes 1."
            ),
            Self::TooFewPairs => {
                let pairs = counted(trial.rounds.len(), "pair of runs is", "pairs of runs are");
                let mut text = format!(
                    "{pairs} too few to claim a speedup; with {connections} the ratio was {ratio}"
                );
                if !between.is_empty() {
                    let _ = write!(text, " (range {between})");
                }
                text + "."
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
        let run = |concurrency, millis| RunRecord {
            wall: Duration::from_millis(millis),
            ..synthetic_run(concurrency, 4, Duration::from_millis(200))
        };
        let trial = Trial {
            schedule: Schedule::compare(4),
            warm_up: run(4, 1000),
            rounds: sequential.iter().map(|&millis| vec![run(1, millis), run(4, 1000)]).collect(),
            end: EndReason::Complete,
            elapsed: Duration::from_secs(1),
        };
        Findings::new(&trial, Conditions::default(), 1)
    }

    #[test]
    fn the_rounded_interval_decides() {
        for (sequential, claim, shown) in [
            (&[2000, 2100, 2050, 1990, 2010][..], Claim::Faster, "2.01 times as fast as one"),
            (&[500, 510, 505, 490, 495], Claim::Slower, "slower than one: 0.500 times"),
            (&[990, 1010, 1000, 1020, 980], Claim::NotMeasurable, "0.980 to 1.02, includes 1"),
            // The interval begins at 1.001, which is shown as 1.00.
            (&[1001, 1100, 1100, 1100, 1100], Claim::NotMeasurable, "1.00 to 1.10, includes 1"),
            (&[2000, 2100, 2050, 1990], Claim::TooFewPairs, "4 pairs of runs are too few"),
            (&[2000], Claim::TooFewPairs, "1 pair of runs is too few"),
        ] {
            let findings = findings(sequential);
            assert_eq!(findings.claim, claim, "{sequential:?}: {}", findings.headline);
            assert!(findings.headline.contains(shown), "{}", findings.headline);
        }
    }

    #[test]
    fn the_drawn_pair_is_the_one_of_the_median_ratio() {
        assert_eq!(findings(&[2000, 2100, 2050, 1990, 2010]).drawn.pair, Some(5));
        assert_eq!(findings(&[2000]).drawn.pair, Some(1));
    }
}
