//! Caveats about the figures: missing runs, uncertainty, failures.

use super::super::agreement::Disagreement;
use super::super::experiment::{EndReason, Trial};
use super::super::figures::{counted, listed};
use super::super::measurement::RunRecord;
use super::claim::Claim;
use super::late_openings::late_pairs;
use super::side::Side;
use super::{noise, pairs};

/// The fraction of the time of all runs above which waiting is mentioned.
const NOTABLE_WAITING: f64 = 0.01;

/// The notes, one sentence each.
pub(super) fn notes(
    trial: &Trial,
    claim: &Claim,
    sequential: Option<&Side>,
    concurrent: Option<&Side>,
) -> Vec<String> {
    let mut notes = pairs::notes(trial, claim);
    if let EndReason::Disagreed(disagreement) = &trial.end
        && !matches!(disagreement, Disagreement::NoUrls)
    {
        notes.push(
            "The experiment ended at that point: further runs would not have helped.".to_owned(),
        );
    }
    let measured = trial.used_rounds().len();
    let (urls, concurrency) = (trial.warm_up.fetches.len(), trial.schedule.concurrency());
    if urls > 0 && urls < concurrency && measured > 0 {
        notes.push(format!(
            "With {}, at most {urls} of the {concurrency} connections can be active.",
            counted(urls, "URL", "URLs")
        ));
    }
    let sides = [sequential, concurrent];
    if !matches!(claim, Claim::Refused { .. }) {
        notes.extend(noise::notes(trial));
        notes.extend(lost_connections(trial));
    }
    let all_walls: f64 =
        trial.used_rounds().iter().flatten().map(|run| run.wall.as_secs_f64()).sum();
    let waited: f64 = sides.into_iter().flatten().map(|side| side.waiting.value()).sum();
    if waited > NOTABLE_WAITING * all_walls {
        notes.push(
            "The times of the runs include the waiting, which is also shown separately.".to_owned(),
        );
    }
    let unhashed = |run: &RunRecord| run.fetches.iter().any(|fetch| fetch.digest.is_none());
    if trial.rounds.iter().flatten().any(unhashed) && !matches!(claim, Claim::Refused { .. }) {
        notes.push("The bodies were not hashed; only their lengths were compared.".to_owned());
    }
    let failed = trial.warm_up.fetches.iter().filter(|fetch| fetch.failure().is_some()).count();
    if failed > 0 && measured > 0 && !matches!(trial.end, EndReason::Disagreed(_)) {
        let fetches = counted(failed, "fetch", "fetches");
        notes.push(format!("{fetches} failed in the discarded warm-up, and none afterwards."));
    }
    notes
}

/// Connections that were lost on opening in some of the runs, which the medians hide.
fn lost_connections(trial: &Trial) -> Option<String> {
    let others = trial.summarised();
    let pairs = late_pairs(&trial.baseline(), &others);
    let is_rare = !pairs.is_empty() && 2 * pairs.len() < others.len();
    is_rare.then(|| {
        let noun = if pairs.len() == 1 { "pair" } else { "pairs" };
        let pairs = listed(pairs.iter().map(ToString::to_string));
        format!(
            "In {noun} {pairs} connections opened only after the system repeated a lost SYN, a second or more \
             later: the server's listen queue may be too short for those that arrive together."
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::measurement::Ending;
    use super::super::super::schedule::Schedule;
    use super::super::super::synthetic::synthetic_run;
    use super::*;

    #[test]
    fn failures_of_the_warm_up_are_noted_only_if_other_runs_followed() {
        let run = |concurrency| synthetic_run(concurrency, 4, Duration::from_millis(200));
        let mut warm_up = run(4);
        warm_up.fetches[3].ending = Ending::Failed("interrupted".to_owned());
        for (rounds, end, is_noted) in [
            (vec![vec![run(1), run(4)]], EndReason::Complete, true),
            (Vec::new(), EndReason::Interrupted, false),
        ] {
            let schedule = Schedule::compare(4);
            let (warm_up, elapsed) = (warm_up.clone(), Duration::from_secs(1));
            let trial = Trial { schedule, warm_up, rounds, end, elapsed };
            let notes = notes(&trial, &Claim::TooFewPairs, None, None);
            assert_eq!(notes.iter().any(|note| note.contains("warm-up")), is_noted, "{notes:?}");
        }
    }

    #[test]
    fn connections_that_were_lost_in_few_runs_are_noted() {
        let run = |concurrency, connect| {
            let mut run = synthetic_run(concurrency, 4, Duration::from_millis(200));
            run.fetches[2].phases.connect = Duration::from_millis(connect);
            run
        };
        for (late, expected) in [
            (&[][..], None),
            (&[2], Some("In pair 2 connections opened only after")),
            (&[2, 5], Some("In pairs 2 and 5 connections opened only after")),
            // The medians show it.
            (&[1, 2, 3, 4, 5, 6], None),
        ] {
            let round =
                |pair: usize| vec![run(1, 1), run(4, if late.contains(&pair) { 1003 } else { 2 })];
            let trial = Trial {
                schedule: Schedule::compare(4),
                warm_up: run(4, 1),
                rounds: (1..=6).map(round).collect(),
                end: EndReason::Complete,
                elapsed: Duration::from_secs(1),
            };
            let notes = notes(&trial, &Claim::Faster, None, None);
            let found = notes.iter().find(|note| note.contains("lost SYN"));
            assert_eq!(found.is_some(), expected.is_some(), "{notes:?}");
            assert!(found.is_none_or(|note| note.starts_with(expected.unwrap())), "{notes:?}");
        }
    }
}
