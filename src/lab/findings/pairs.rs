//! The pairs of runs: how many were planned, made and used, and what this means for the intervals.

use serde::Serialize;

use super::super::experiment::{EndReason, Trial};
use super::super::figures::{Seconds, percent};
use super::super::interval::{LEVEL, range_level};
use super::claim::Claim;

/// The number of pairs of runs that were planned, and of those that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pairs {
    pub planned: usize,
    pub measured: usize,
}

impl Pairs {
    pub(super) fn of(trial: &Trial) -> Self {
        Self { planned: trial.schedule.rounds(), measured: trial.used_rounds().len() }
    }
}

/// What a reader must know about the pairs, one sentence each.
pub(super) fn notes(trial: &Trial, claim: &Claim) -> Vec<String> {
    let schedule = &trial.schedule;
    let Pairs { planned, measured } = Pairs::of(trial);
    let made = trial.rounds.len();
    let mut notes = Vec::new();
    if let Some(asked) = schedule.raised_from() {
        notes.push(format!(
            "{planned} pairs instead of {asked}: only in an even number are both orders equally frequent, so \
             that a drift cancels."
        ));
    }
    match &trial.end {
        EndReason::OutOfTime(max_time) if made > 0 => notes.push(format!(
            "{made} of {planned} pairs were run: another would probably have exceeded the time limit of {}.",
            Seconds::from(*max_time)
        )),
        EndReason::Interrupted if made > 0 => {
            notes.push(format!("{made} of {planned} pairs were run before the interruption."));
        }
        _ => {}
    }
    if measured < made {
        notes.push(format!(
            "The last pair is not used: with {made} a drift of the machine or the network would not cancel."
        ));
    }
    let levels = schedule.compared_levels();
    if *claim == Claim::TooFewPairs && measured > 1 {
        let wanted = if levels == 1 {
            format!("an interval of {} needs", percent(LEVEL))
        } else {
            format!("{levels} intervals that hold together with {} need", percent(LEVEL))
        };
        notes.push(format!(
            "The range of {measured} ratios covers the true median with a probability of {}; {wanted} \
             {} pairs.",
            percent(range_level(measured)),
            schedule.needed_rounds()
        ));
    }
    let is_measured = !matches!(claim, Claim::TooFewPairs | Claim::Refused { .. });
    if is_measured && levels > 1 {
        notes.push(format!(
            "The intervals of all {levels} levels hold together with a probability of at least {}.",
            percent(LEVEL)
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::schedule::Schedule;
    use super::super::super::synthetic::synthetic_run;
    use super::super::{Conditions, Findings};
    use super::*;

    /// The notes of an experiment that made this many rounds.
    fn notes(schedule: Schedule, made: usize) -> String {
        let run = |&level: &usize| synthetic_run(level, 8, Duration::from_millis(200));
        let round: Vec<_> = schedule.levels().iter().map(run).collect();
        let is_complete = made == schedule.rounds();
        let trial = Trial {
            warm_up: run(&1),
            rounds: vec![round; made],
            end: if is_complete { EndReason::Complete } else { EndReason::Interrupted },
            elapsed: Duration::from_secs(1),
            schedule,
        };
        Findings::new(trial, Conditions::default()).notes.join("\n")
    }

    #[test]
    fn what_a_reader_must_know_about_the_pairs_is_said() {
        let pair = || Schedule::compare(4);
        let sweep = || Schedule::sweep(&[2, 4, 8], 4);
        for (schedule, made, expected, absent) in [
            (pair(), 6, &[][..], "pairs"),
            (pair().with_rounds(5), 6, &["6 pairs instead of 5:"], "not used"),
            (pair(), 5, &["5 of 6 pairs were run", "The last pair is not used: with 5"], "instead"),
            (
                pair(),
                4,
                &["4 of 6", "4 ratios covers", "of 88 %; an interval of 95 % needs 6"],
                "not used",
            ),
            (pair(), 1, &["1 of 6 pairs were run"], "not used"),
            (
                sweep(),
                8,
                &["all 3 levels hold together with a probability of at least 95 %"],
                "pairs",
            ),
            (
                sweep(),
                6,
                &["3 intervals that hold together with 95 % need 8 pairs"],
                "all 3 levels",
            ),
        ] {
            let notes = notes(schedule.clone(), made);
            for part in expected {
                assert!(notes.contains(part), "{made} of {schedule:?}: {notes}");
            }
            assert!(!notes.contains(absent), "{made} of {schedule:?}: {notes}");
        }
    }
}
