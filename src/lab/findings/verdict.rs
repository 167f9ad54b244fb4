//! Whether a speedup may be claimed, and the sentence that answers.
//!
//! An interval that includes 1, as it is shown, is no measurable speedup; fewer pairs than support an
//! interval give a ratio and no claim; runs that failed or fetched something else give neither.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::experiment::{Ended, Trial};
use super::super::figures::{Seconds, counted};
use super::super::statistics::FEWEST_PAIRS;
use super::Point;

/// What the runs allow to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies above 1.
    Faster,
    /// The interval lies below 1.
    Slower,
    /// The interval includes 1.
    NotMeasurable,
    /// There is a ratio, but of too few pairs for an interval of 95 %.
    TooFewPairs,
    /// There is no ratio, and this is why.
    Refused { reason: String },
}

/// Why there is nothing to claim, if there is not.
pub(super) fn refusal(trial: &Trial) -> Option<String> {
    match &trial.ended {
        Ended::Disagreed(disagreement) => Some(disagreement.to_string()),
        Ended::OutOfTime(max_time) if trial.rounds.is_empty() => {
            let allowed = Seconds::from(*max_time);
            Some(format!("the {allowed} allowed were over before the first pair of runs"))
        }
        Ended::Interrupted if trial.rounds.is_empty() => Some(
            "the experiment was interrupted before the first pair of runs was whole".to_owned(),
        ),
        _ if trial.plan.levels().len() == 1 => {
            Some("one connection was to be compared with itself".to_owned())
        }
        _ => None,
    }
}

/// What the ratio of so many pairs allows to say.
pub(super) fn judged(point: &Point, pairs: usize) -> Verdict {
    match point.interval {
        _ if pairs < FEWEST_PAIRS => Verdict::TooFewPairs,
        Some((low, _)) if low.value() > 1.0 => Verdict::Faster,
        Some((_, high)) if high.value() < 1.0 => Verdict::Slower,
        _ => Verdict::NotMeasurable,
    }
}

/// The answer in one sentence.
pub(super) fn headline(verdict: &Verdict, speedup: Option<&Point>, trial: &Trial) -> String {
    let connections = counted(trial.plan.concurrency(), "connection", "connections");
    let ratio = speedup.map_or_else(String::new, |point| point.ratio.to_string());
    let between = speedup
        .and_then(|point| point.interval)
        .map_or_else(String::new, |(low, high)| format!("{low} to {high}"));
    match verdict {
        Verdict::Refused { reason } => format!("No speedup is claimed: {reason}."),
        Verdict::Faster => format!(
            "{connections} fetched the files {ratio} times as fast as one (95 % interval {between})."
        ),
        Verdict::Slower => format!(
            "{connections} were slower than one: {ratio} times as fast (95 % interval {between})."
        ),
        Verdict::NotMeasurable => format!(
            "No measurable speedup with {connections}: the ratio is {ratio}, and its 95 % interval, \
             {between}, includes 1."
        ),
        Verdict::TooFewPairs => {
            let pairs = counted(trial.rounds.len(), "pair of runs is", "pairs of runs are");
            let mut text = format!(
                "{pairs} too few to claim a speedup; with {connections} the ratio was {ratio}"
            );
            if !between.is_empty() {
                let _ = write!(text, " (it ranged from {between})");
            }
            text + "."
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::experiment::Plan;
    use super::super::super::measurement::RunRecord;
    use super::super::super::scripted::complete_run;
    use super::super::{Conditions, Findings};
    use super::*;

    /// The findings of pairs whose sequential run takes as many milliseconds as given, the other 1000.
    fn findings(sequential: &[u64]) -> Findings {
        let run = |concurrency, millis| RunRecord {
            wall: Duration::from_millis(millis),
            ..complete_run(concurrency, 4, Duration::from_millis(200))
        };
        let trial = Trial {
            plan: Plan::compare(4),
            warm_up: run(4, 1000),
            rounds: sequential.iter().map(|&millis| vec![run(1, millis), run(4, 1000)]).collect(),
            ended: Ended::Complete,
            elapsed: Duration::from_secs(1),
        };
        Findings::new(&trial, Conditions::default(), 1)
    }

    #[test]
    fn the_interval_as_it_is_shown_decides() {
        for (sequential, verdict, shown) in [
            (&[2000, 2100, 2050, 1990, 2010][..], Verdict::Faster, "2.01 times as fast as one"),
            (&[500, 510, 505, 490, 495], Verdict::Slower, "slower than one: 0.500 times"),
            (&[990, 1010, 1000, 1020, 980], Verdict::NotMeasurable, "0.980 to 1.02, includes 1"),
            // The interval begins at 1.001, which is shown as 1.00.
            (&[1001, 1100, 1100, 1100, 1100], Verdict::NotMeasurable, "1.00 to 1.10, includes 1"),
            (&[2000, 2100, 2050, 1990], Verdict::TooFewPairs, "4 pairs of runs are too few"),
            (&[2000], Verdict::TooFewPairs, "1 pair of runs is too few"),
        ] {
            let findings = findings(sequential);
            assert_eq!(findings.verdict, verdict, "{sequential:?}: {}", findings.headline);
            assert!(findings.headline.contains(shown), "{}", findings.headline);
        }
    }

    #[test]
    fn the_drawn_pair_is_the_one_of_the_median_ratio() {
        assert_eq!(findings(&[2000, 2100, 2050, 1990, 2010]).drawn.pair, Some(5));
        assert_eq!(findings(&[2000]).drawn.pair, Some(1));
    }
}
