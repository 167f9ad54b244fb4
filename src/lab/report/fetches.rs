//! The fetches of a run as a table, which a keyboard opens by one tab stop: what the waterfall draws, in words.

use maud::{Markup, html};

use super::super::figures::{Bytes, Seconds, counted};
use super::phases::breakdown;
use super::urls::{beneath, common_directory, shortened};
use crate::client::Phases;
use crate::lab::measurement::{FetchRecord, RunRecord};

/// The maximum number of fetches in a table. If there are more, the longest are shown.
const MAX_ROWS: usize = 150;

/// The table of a run with this name, closed at first.
pub(super) fn table(run: &RunRecord, name: &str) -> Markup {
    let mut shown: Vec<&FetchRecord> = run.fetches.iter().collect();
    let all = shown.len();
    if all > MAX_ROWS {
        shown.sort_by_key(|fetch| std::cmp::Reverse((fetch.failure().is_some(), fetch.held())));
        shown.truncate(MAX_ROWS);
    }
    shown.sort_by_key(|fetch| fetch.start);
    let directory = common_directory(shown.iter().map(|fetch| &*fetch.url));
    html! {
        details {
            summary {
                @if all > MAX_ROWS { "The longest " (MAX_ROWS) " of " (all) " fetches" }
                @else { (counted(all, "fetch", "fetches")) }
                " as a table: " (name)
            }
            table.fetches {
                caption {
                    "In the order of their starts, counted from the start of the run. All " (all)
                    " together: " (breakdown(&sum(run))) "."
                    @if let Some(directory) = directory { " URLs beneath " (shortened(directory)) }
                }
                thead {
                    tr {
                        th scope="col" { "URL" }
                        th scope="col" { abbr title="connection" { "c." } }
                        th scope="col" { "Start" }
                        th scope="col" { "Time" }
                        th scope="col" { "Phases" }
                    }
                }
                tbody { @for fetch in shown { (row(fetch, directory)) } }
            }
        }
    }
}

fn row(fetch: &FetchRecord, directory: Option<&str>) -> Markup {
    html! {
        tr {
            th scope="row" { (beneath(directory, &fetch.url)) }
            td { (fetch.lane + 1) }
            td { (Seconds::from(fetch.start)) }
            td { (Seconds::from(fetch.held())) }
            td { (ending(fetch)) ": " (breakdown(&fetch.phases)) (attempts(fetch)) }
        }
    }
}

/// The phases of all fetches together.
fn sum(run: &RunRecord) -> Phases {
    let mut sum = Phases::default();
    for fetch in &run.fetches {
        sum.add(&fetch.phases);
    }
    sum
}

/// A fetch in words: its URL, its length or failure, and each phase that took time.
pub(super) fn details(fetch: &FetchRecord) -> String {
    format!(
        "{}: {} in {}: queue {} · {}{}",
        shortened(&fetch.url),
        ending(fetch),
        Seconds::from(fetch.held()),
        Seconds::from(fetch.phases.queue),
        breakdown(&fetch.phases),
        attempts(fetch)
    )
}

/// The length of its body, or the reason of its failure.
fn ending(fetch: &FetchRecord) -> String {
    fetch.failure().map_or_else(|| Bytes(fetch.bytes).to_string(), |reason| format!("× {reason}"))
}

fn attempts(fetch: &FetchRecord) -> String {
    if fetch.attempts > 1 {
        format!(" · {} attempts, {} rejected", fetch.attempts, fetch.rejections)
    } else {
        String::new()
    }
}
