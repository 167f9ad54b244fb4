//! Whether the runs fetched the same: every URL whole, with the same length and hash in each of them.
//!
//! A side that fetched less, or something else, is not faster. The first thing that forbids the
//! comparison is named, for a person to look into.

use std::fmt;
use std::sync::Arc;

use super::figures::counted;
use super::measurement::{FetchRecord, RunRecord};

/// Why runs cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// There was nothing to fetch.
    NoUrls,
    /// Not one URL could be fetched; this is the first one's reason.
    AllFailed { urls: usize, url: Arc<str>, reason: String },
    /// Some fetches of a run failed; this is the first of them.
    Failed { failed: usize, concurrency: usize, url: Arc<str>, reason: String },
    /// Two runs fetched different URLs.
    Urls,
    /// A body had two lengths in bytes.
    Length { url: Arc<str>, first: u64, other: u64 },
    /// A body had the same length and two contents.
    Digest { url: Arc<str> },
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrls => write!(f, "there was no URL to fetch"),
            Self::AllFailed { urls: 1, url, reason } => {
                write!(f, "the only URL could not be fetched ({url}: {reason})")
            }
            Self::AllFailed { urls, url, reason } => {
                write!(f, "none of the {urls} URLs could be fetched (the first is {url}: {reason})")
            }
            Self::Failed { failed, concurrency, url, reason } => {
                let fetches = counted(*failed, "fetch", "fetches");
                let connections = counted(*concurrency, "connection", "connections");
                write!(f, "{fetches} failed in a run with {connections} ({url}: {reason})")
            }
            Self::Urls => write!(f, "two runs did not fetch the same URLs"),
            Self::Length { url, first, other } => {
                write!(f, "{url} had {first} bytes in one run and {other} in another")
            }
            Self::Digest { url } => {
                write!(f, "{url} had different contents of the same length in two runs")
            }
        }
    }
}

/// Whether a warm-up forbids to go on: only if it fetched nothing.
#[must_use]
pub fn of_warm_up(run: &RunRecord) -> Option<Disagreement> {
    let Some(first) = run.fetches.first() else { return Some(Disagreement::NoUrls) };
    let urls = run.fetches.len();
    let all_failed = run.fetches.iter().all(|fetch| fetch.failure().is_some());
    let reason = first.failure().filter(|_| all_failed)?.to_owned();
    Some(Disagreement::AllFailed { urls, url: Arc::clone(&first.url), reason })
}

/// What the last round brought up against itself or the first run, if anything.
///
/// Rounds before the last are taken as checked, so that a check after each round reads each run once.
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
    use super::super::scripted::complete_run;
    use super::*;

    fn two_rounds(change: impl FnOnce(&mut RunRecord)) -> Vec<Vec<RunRecord>> {
        let run = |concurrency| complete_run(concurrency, 3, Duration::from_millis(5));
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
    fn each_disagreement_is_named() {
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
    fn a_warm_up_forbids_to_go_on_only_if_it_fetched_nothing() {
        let mut run = complete_run(4, 1, Duration::from_millis(5));
        assert_eq!(of_warm_up(&run), None);
        fail(&mut run.fetches[0]);
        let disagreement = of_warm_up(&run).expect("nothing was fetched").to_string();
        assert!(disagreement.starts_with("the only URL could not be fetched"), "{disagreement}");
        run.fetches.clear();
        assert_eq!(of_warm_up(&run), Some(Disagreement::NoUrls));
    }
}
