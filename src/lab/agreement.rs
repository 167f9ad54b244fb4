//! Checks that all runs fetched the same: every URL completely, with the same length and hash.
//!
//! A run that fetched less, or something else, is not faster. The first difference is reported.

use std::sync::Arc;

use thiserror::Error;

use super::figures::counted;
use super::measurement::{FetchRecord, RunRecord};

/// Why runs cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Disagreement {
    /// There were no URLs.
    #[error("there was no URL to fetch")]
    NoUrls,
    /// No URL could be fetched. `url` and `reason` are those of the first.
    #[error("{}", all_failed(*urls, url, reason))]
    AllFailed { urls: usize, url: Arc<str>, reason: String },
    /// Some fetches of a run failed. `url` and `reason` are those of the first.
    #[error(
        "{} failed in a run with {} ({url}: {reason})",
        counted(*failed, "fetch", "fetches"),
        counted(*concurrency, "connection", "connections")
    )]
    Failed { failed: usize, concurrency: usize, url: Arc<str>, reason: String },
    /// Two runs fetched different URLs.
    #[error("two runs did not fetch the same URLs")]
    Urls,
    /// A body had different lengths, in bytes.
    #[error("{url} had {first} bytes in one run and {other} in another")]
    Length { url: Arc<str>, first: u64, other: u64 },
    /// A body had the same length but different contents.
    #[error("{url} had different contents of the same length in two runs")]
    Digest { url: Arc<str> },
}

fn all_failed(urls: usize, url: &str, reason: &str) -> String {
    if urls == 1 {
        format!("the only URL could not be fetched ({url}: {reason})")
    } else {
        format!("none of the {urls} URLs could be fetched (the first is {url}: {reason})")
    }
}

/// Why the experiment must end after the warm-up: only if it fetched nothing.
#[must_use]
pub fn of_warm_up(run: &RunRecord) -> Option<Disagreement> {
    let Some(first) = run.fetches.first() else { return Some(Disagreement::NoUrls) };
    let urls = run.fetches.len();
    let all_failed = run.fetches.iter().all(|fetch| fetch.failure().is_some());
    let reason = first.failure().filter(|_| all_failed)?.to_owned();
    Some(Disagreement::AllFailed { urls, url: Arc::clone(&first.url), reason })
}

/// Compares the runs of the last round with the first run. Returns the first difference.
///
/// Earlier rounds must have been checked before. Each run is then checked only once.
#[must_use]
pub fn of_rounds(rounds: &[Vec<RunRecord>]) -> Option<Disagreement> {
    let reference = rounds.first()?.first()?;
    rounds.last()?.iter().find_map(|run| of_run(reference, run))
}

fn of_run(reference: &RunRecord, run: &RunRecord) -> Option<Disagreement> {
    let mut failed = run.fetches.iter().filter(|fetch| fetch.failure().is_some());
    if let Some(first) = failed.next() {
        return of_warm_up(run).or_else(|| {
            Some(Disagreement::Failed {
                failed: 1 + failed.count(),
                concurrency: run.concurrency,
                url: Arc::clone(&first.url),
                reason: first.failure().unwrap_or_default().to_owned(),
            })
        });
    }
    if reference.fetches.len() != run.fetches.len() {
        return Some(Disagreement::Urls);
    }
    reference.fetches.iter().zip(&run.fetches).find_map(|(first, other)| of_fetch(first, other))
}

fn of_fetch(first: &FetchRecord, other: &FetchRecord) -> Option<Disagreement> {
    let url = Arc::clone(&other.url);
    if first.url != other.url {
        Some(Disagreement::Urls)
    } else if first.bytes != other.bytes {
        Some(Disagreement::Length { url, first: first.bytes, other: other.bytes })
    } else if first.digest != other.digest {
        Some(Disagreement::Digest { url })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::measurement::Ending;
    use super::super::synthetic::synthetic_run;
    use super::*;

    fn two_rounds(change: impl FnOnce(&mut RunRecord)) -> Vec<Vec<RunRecord>> {
        let run = |concurrency| synthetic_run(concurrency, 3, Duration::from_millis(5));
        let mut rounds = vec![vec![run(1), run(4)], vec![run(1), run(4)]];
        change(&mut rounds[1][1]);
        rounds
    }

    fn fail(fetch: &mut FetchRecord) {
        fetch.ending = Ending::Failed("connection refused".to_owned());
    }

    #[test]
    fn runs_that_fetched_the_same_agree() {
        assert_eq!(of_rounds(&two_rounds(|_| ())), None);
        assert_eq!(of_rounds(&[]), None);
    }

    #[test]
    fn each_disagreement_has_its_message() {
        type Change = fn(&mut RunRecord);
        let cases: [(Change, &str); 7] = [
            (
                |run| run.fetches[1].bytes = 9,
                "http://files.test/1 had 1024 bytes in one run and 9 in another",
            ),
            (
                |run| run.fetches[2].digest = Some("b".to_owned()),
                "http://files.test/2 had different contents of the same length in two runs",
            ),
            (
                |run| run.fetches[0].url = "http://other/".into(),
                "two runs did not fetch the same URLs",
            ),
            (|run| run.fetches.truncate(2), "two runs did not fetch the same URLs"),
            (
                |run| fail(&mut run.fetches[1]),
                "1 fetch failed in a run with 4 connections (http://files.test/1: connection refused)",
            ),
            (
                |run| run.fetches.iter_mut().for_each(fail),
                "none of the 3 URLs could be fetched (the first is http://files.test/0: connection refused)",
            ),
            (|run| run.fetches.clear(), "two runs did not fetch the same URLs"),
        ];
        for (change, expected) in cases {
            let disagreement = of_rounds(&two_rounds(change)).expect("a difference");
            assert_eq!(disagreement.to_string(), expected);
        }
    }

    #[test]
    fn a_warm_up_ends_the_experiment_only_if_it_fetched_nothing() {
        let mut run = synthetic_run(4, 1, Duration::from_millis(5));
        assert_eq!(of_warm_up(&run), None);
        fail(&mut run.fetches[0]);
        let disagreement = of_warm_up(&run).expect("nothing was fetched").to_string();
        assert!(disagreement.starts_with("the only URL could not be fetched"), "{disagreement}");
        run.fetches.clear();
        assert_eq!(of_warm_up(&run), Some(Disagreement::NoUrls));
    }
}
