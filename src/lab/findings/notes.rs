//! What a reader has to know beside the figures: what was cut short, what is uncertain, what was met.

use super::super::agreement::Disagreement;
use super::super::experiment::{Ended, Trial};
use super::super::figures::{Ratio, Seconds, counted};
use super::super::measurement::RunRecord;
use super::super::statistics::{self, FEWEST_PAIRS};
use super::{Side, Verdict};

/// The waiting, relative to the time of all runs, from which a reader is told that it is included.
const NOTABLE_WAITING: f64 = 0.01;

/// The spread, relative to the median, from which runs are called restless.
const RESTLESS: f64 = 0.1;

/// The notes, a sentence each.
pub(super) fn notes(
    trial: &Trial,
    verdict: &Verdict,
    sequential: Option<&Side>,
    concurrent: Option<&Side>,
) -> Vec<String> {
    let mut notes = Vec::new();
    let (measured, planned) = (trial.rounds.len(), trial.plan.rounds());
    match &trial.ended {
        Ended::OutOfTime(max_time) if measured > 0 => notes.push(format!(
            "{measured} of {planned} pairs were run: one more would probably have gone beyond the {} \
             allowed.",
            Seconds::from(*max_time)
        )),
        Ended::Interrupted if measured > 0 => {
            notes.push(format!("{measured} of {planned} pairs were run before the interruption."));
        }
        Ended::Disagreed(disagreement) if !matches!(disagreement, Disagreement::NoUrls) => {
            notes.push("The experiment ended there: further runs would not have mended it.".to_owned());
        }
        _ => {}
    }
    if *verdict == Verdict::TooFewPairs && measured > 1 {
        notes.push(format!(
            "The range of {measured} ratios covers the true median {} times in 100; an interval of 95 % \
             needs {FEWEST_PAIRS} pairs.",
            100.0 * statistics::range_coverage(measured)
        ));
    }
    let (urls, concurrency) = (trial.warm_up.fetches.len(), trial.plan.concurrency());
    if urls > 0 && urls < concurrency && measured > 0 {
        notes.push(format!(
            "With {}, at most {urls} of the {concurrency} connections can be at work.",
            counted(urls, "URL", "URLs")
        ));
    }
    let sides = [sequential, concurrent];
    for side in sides.into_iter().flatten().filter(|side| side.relative_spread > RESTLESS) {
        notes.push(format!(
            "The runs with {} vary by {} %: more pairs would narrow the interval.",
            counted(side.concurrency, "connection", "connections"),
            Ratio::new(100.0 * side.relative_spread)
        ));
    }
    let all_walls: f64 = trial.rounds.iter().flatten().map(|run| run.wall.as_secs_f64()).sum();
    let waited: f64 = sides.into_iter().flatten().map(|side| side.waiting.value()).sum();
    if waited > NOTABLE_WAITING * all_walls {
        notes.push("The times of the runs include the waiting that is shown apart.".to_owned());
    }
    let unhashed = |run: &RunRecord| run.fetches.iter().any(|fetch| fetch.digest.is_none());
    if trial.rounds.iter().flatten().any(unhashed) && !matches!(verdict, Verdict::Refused { .. }) {
        notes.push("The bodies were not hashed: only their lengths were compared.".to_owned());
    }
    let failed = trial.warm_up.fetches.iter().filter(|fetch| fetch.failure().is_some()).count();
    if failed > 0 && measured > 0 && !matches!(trial.ended, Ended::Disagreed(_)) {
        let fetches = counted(failed, "fetch", "fetches");
        notes.push(format!("{fetches} failed in the discarded warm-up, and none afterwards."));
    }
    notes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::experiment::Plan;
    use super::super::super::measurement::Ending;
    use super::super::super::scripted::complete_run;
    use super::*;

    #[test]
    fn a_warm_up_that_was_cut_off_says_nothing_of_what_came_afterwards() {
        let run = |concurrency| complete_run(concurrency, 4, Duration::from_millis(200));
        let mut warm_up = run(4);
        warm_up.fetches[3].ending = Ending::Failed("interrupted".to_owned());
        for (rounds, ended, is_told) in [
            (vec![vec![run(1), run(4)]], Ended::Complete, true),
            (Vec::new(), Ended::Interrupted, false),
        ] {
            let plan = Plan::compare(4);
            let (warm_up, elapsed) = (warm_up.clone(), Duration::from_secs(1));
            let trial = Trial { plan, warm_up, rounds, ended, elapsed };
            let notes = notes(&trial, &Verdict::TooFewPairs, None, None);
            assert_eq!(notes.iter().any(|note| note.contains("warm-up")), is_told, "{notes:?}");
        }
    }
}
