//! Renders the findings as one self-contained HTML page, without network access or scripts.
//!
//! The page is suitable for phones, paper and dark mode, and for keyboards and screen readers: what a figure
//! shows is in a table too. `maud` escapes all text.

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::super::figures::{Seconds, counted};
use super::heading::Outline;
use super::style::STYLE;
use super::urls::{beneath, common_directory, shortened};
use super::{charts, waterfall};
use crate::lab::findings::Findings;
use crate::lab::findings::claim::Claim;
use crate::lab::findings::conditions::BodyHandling;
use crate::lab::findings::round_trip::RoundTrip;
use crate::lab::findings::side::{Distribution, FileTimes, Side};
use crate::lab::measurement::RunRecord;
use crate::lab::schedule::Comparison;

/// The maximum number of files in the table. If there are more, the slowest are shown.
const MAX_FILES_SHOWN: usize = 24;

/// Renders the page.
#[must_use]
pub fn html(findings: &Findings) -> String {
    let workload = &findings.workload;
    let title = format!(
        "{} from {}",
        counted(workload.urls, "file", "files"),
        match &workload.hosts[..] {
            [host] => host.clone(),
            hosts => counted(hosts.len(), "host", "hosts"),
        }
    );
    let content = markup! {
        header {
            p.kicker { (title) ", " (findings.workload.total) }
            h1 { (question(findings)) }
        }
        (experiment(findings, Outline::Page))
        (method())
    };
    page(&title, &content)
}

/// The page with its content.
pub(super) fn page(title: &str, content: &Markup) -> String {
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Speedup: " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (patterns())
                main { (content) }
            }
        }
    };
    page.into_string()
}

pub(super) fn question(findings: &Findings) -> String {
    let concurrency = findings.concurrency;
    match findings.comparison {
        Comparison::WithOne => format!("One connection against {concurrency}"),
        Comparison::WithItself => {
            format!("{} against as many", counted(concurrency, "connection", "connections"))
        }
    }
}

/// The report of one experiment.
pub(super) fn experiment(findings: &Findings, outline: Outline) -> Markup {
    markup! {
        (summary(findings))
        @if let Some(waterfalls) = waterfall::waterfalls(findings, outline) {
            section { (outline.section("Where the time went")) (waterfalls) }
        }
        @if let Some(curve) = &findings.curve {
            section {
                (outline.section("Speedup over the number of connections"))
                (charts::curve(curve, &findings.interval_name()))
            }
        }
        @if let Some(distributions) = charts::distributions(findings) {
            section { (outline.section("How long the fetches took")) (distributions) }
        }
        (files(findings, outline))
        (rounds(findings, outline))
        (conditions(findings, outline))
    }
}

/// The hatching for idle time.
fn patterns() -> Markup {
    markup! {
        svg.patterns width="0" height="0" aria-hidden="true" {
            defs {
                // Horizontal lines, because the rows of bins are stretched horizontally.
                pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" {
                    rect.hatch-ground width="4" height="4" {}
                    rect.hatch-line width="4" height="2" {}
                }
            }
        }
    }
}

fn summary(findings: &Findings) -> Markup {
    let class = match findings.claim {
        Claim::Faster => "faster",
        Claim::Slower => "slower",
        Claim::NotMeasurable | Claim::TooFewPairs => "open",
        Claim::Refused { .. } => "refused",
    };
    markup! {
        section.summary.(class) {
            @if let Some(speedup) = &findings.speedup {
                p.answer { (speedup.ratio) span { "×" } }
            }
            div {
                p.headline { (findings.headline) }
                @if let Some(limit) = &findings.bottleneck {
                    p { strong { "What limits it. " } (limit.sentence) }
                }
            }
            @if let Some(speedup) = &findings.speedup {
                div.wide { (charts::gauge(findings, speedup)) }
            }
        }
        @if let (Some(one), Some(many)) = (&findings.sequential, &findings.concurrent) {
            (sides(one, many))
        }
        @if !findings.notes.is_empty() {
            ul.notes { @for note in &findings.notes { li { (note) } } }
        }
    }
}

fn sides(one: &Side, many: &Side) -> Markup {
    let row = |name: &str, figure: &dyn Fn(&Side) -> String| {
        markup! { tr { th scope="row" { (name) } td { (figure(one)) } td { (figure(many)) } } }
    };
    let range = |side: &Side| {
        markup! { span { (side.lower_quartile) } " to " span { (side.upper_quartile) } }
    };
    let fetch = |side: &Side, figure: fn(&Distribution) -> Seconds| {
        side.fetch_times.as_ref().map_or_else(|| "–".to_owned(), |times| figure(times).to_string())
    };
    markup! {
        table.figures {
            caption { "The runs of both sides" }
            thead {
                tr {
                    td {}
                    th scope="col" { (one.name) }
                    th scope="col" { (many.name) }
                }
            }
            tbody {
                (row("Median run", &|side| side.wall.to_string()))
                tr {
                    th scope="row" { "Quartiles of the runs" }
                    td { (range(one)) }
                    td { (range(many)) }
                }
                (row("Rate", &|side| side.rate.to_string()))
                (row("Achieved concurrency", &|side| side.achieved_concurrency.to_string()))
                (row("Median fetch", &|side| fetch(side, |times| times.median)))
                (row("Longest fetch", &|side| fetch(side, |times| times.longest)))
                (row("Retries, rejections", &|side| format!("{}, {}", side.retries, side.rejections)))
                (row("Waiting, all runs", &|side| side.waiting.to_string()))
            }
        }
    }
}

fn files(findings: &Findings, outline: Outline) -> Markup {
    let mut shown: Vec<&FileTimes> = findings.files.iter().collect();
    let all = shown.len();
    let cut = all > MAX_FILES_SHOWN;
    if cut {
        let slowest = |file: &FileTimes| file.concurrent.map_or(0.0, Seconds::value);
        shown.sort_by(|left, right| {
            let failures = right.failure.is_some().cmp(&left.failure.is_some());
            failures.then(slowest(right).total_cmp(&slowest(left)))
        });
        shown.truncate(MAX_FILES_SHOWN);
    }
    let [first, second] = match findings.comparison {
        Comparison::WithOne => ["Sequential", "Concurrent"],
        Comparison::WithItself => ["First", "Second"],
    };
    let directory = common_directory(shown.iter().map(|file| file.url.as_str()));
    let time = |time: Option<Seconds>| time.map_or_else(|| "–".to_owned(), |time| time.to_string());
    let title = if cut {
        format!("The slowest {MAX_FILES_SHOWN} of {all} files")
    } else {
        "The files".to_owned()
    };
    markup! {
        section {
            (outline.section(&title))
            table.files {
                caption {
                    "Median times of complete fetches, without queue and waiting."
                    @if let Some(directory) = directory { " URLs beneath " (shortened(directory)) }
                }
                thead {
                    tr {
                        th scope="col" { "URL" }
                        th scope="col" { "Length" }
                        th scope="col" { (first) }
                        th scope="col" { (second) }
                    }
                }
                tbody {
                    @for file in shown {
                        tr {
                            th scope="row" {
                                (beneath(directory, &file.url))
                                @if let Some(failure) = &file.failure {
                                    " " span.failure { "× " (failure) }
                                }
                            }
                            td { (file.bytes) }
                            td { (time(file.sequential)) }
                            td { (time(file.concurrent)) }
                        }
                    }
                }
            }
        }
    }
}

/// The runs of each level in one cell, which wraps: there may be many levels, and many rounds.
fn rounds(findings: &Findings, outline: Outline) -> Markup {
    let Some(first) = findings.rounds.first() else { return markup! {} };
    let sides = [&findings.sequential, &findings.concurrent];
    let name = |level: usize, run: &RunRecord| match (findings.comparison, sides.get(level)) {
        (Comparison::WithItself, Some(Some(side))) => side.name.clone(),
        _ => counted(run.concurrency, "connection", "connections"),
    };
    markup! {
        section {
            (outline.section("The runs"))
            table.runs {
                caption {
                    "The times of all runs, in the order of the rounds. Every second round ran in reverse order."
                }
                thead {
                    tr { th scope="col" { "Runs with" } th scope="col" { "Time of each run" } }
                }
                tbody {
                    @for (level, run) in first.iter().enumerate() {
                        tr {
                            th scope="row" { (name(level, run)) }
                            td {
                                @for run in findings.rounds.iter().filter_map(|round| round.get(level)) {
                                    span { (Seconds::from(run.wall)) } " "
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The shortest opening of a connection to each host.
fn round_trips(findings: &Findings) -> String {
    let whose = if findings.conditions.proxies.is_empty() { "" } else { ", to the proxy" };
    let trip = |trip: &RoundTrip| format!("{} ({}{whose})", trip.time, trip.host);
    findings.round_trips.iter().map(trip).collect::<Vec<_>>().join(", ")
}

fn conditions(findings: &Findings, outline: Outline) -> Markup {
    let conditions = &findings.conditions;
    let workload = &findings.workload;
    let sides = [&findings.sequential, &findings.concurrent];
    let limit = sides.into_iter().flatten().filter_map(|side| side.host_limit).min();
    let row = |name: &str, value: &str| markup! { @if !value.is_empty() { dt { (name) } dd { (value) } } };
    markup! {
        section {
            (outline.section("Conditions"))
            dl {
                (row("Started", &conditions.started))
                (row("Client", &conditions.client))
                (row("Servers", &conditions.servers.join(", ")))
                (row("Hosts", &workload.hosts.join(", ")))
                (row("Machine", &format!(
                    "{}, {}", conditions.system, counted(conditions.processors, "processor", "processors")
                )))
                (row("Processor", conditions.processor_model.as_deref().unwrap_or("")))
                (row("Frequency governor", conditions.governor.as_deref().unwrap_or("")))
                (row("Round trip", &round_trips(findings)))
                (row("Proxy", &conditions.proxies.join(", ")))
                (row("Command", &conditions.command))
                (row("Files", &format!("{}, {}", workload.urls, workload.lengths())))
                (row("Bodies", match conditions.bodies {
                    BodyHandling::Saved => "written to files as in a download",
                    BodyHandling::Discarded => "read and discarded",
                }))
                (row("Host’s limit", &limit.map_or_else(
                    || "none found".to_owned(), |limit| counted(limit, "connection", "connections")
                )))
                (row("Connections to one host", &conditions.max_per_host.map_or_else(
                    String::new, |most| format!("at most {most} (--max-per-host)")
                )))
                (row("Pairs of runs", &format!(
                    "{} of {}, after a discarded warm-up", findings.pairs.measured, findings.pairs.planned
                )))
                @for (name, value) in &conditions.further { (row(name, value)) }
            }
        }
    }
}

pub(super) fn method() -> Markup {
    markup! {
        section.method {
            h2 { "Method" }
            p {
                "The runs are interleaved in alternating order (A B B A), in an even number of pairs, and each \
                 starts without connections. The speedup is the median, on a logarithmic scale, of the ratios \
                 within the pairs. Its interval lies between two of the ratios, and its level is exact \
                 (David and Nagaraja 2003, §7.1); those of a sweep are wide enough to hold together (Šidák \
                 1967). Quantiles are of type 7 (Hyndman and Fan 1996). The ceiling is the total of the \
                 sequential fetch times divided by the time of their best schedule, longest first (Graham \
                 1969), on as many connections as c, the host and --max-per-host allow. The achieved \
                 concurrency is Σ busy time / wall time (Little 1961). A law is shown if it deviates by at most \
                 5 % at every level: Amdahl’s (1967), a hard cap, or Gunther’s (2007), whichever has the lowest \
                 corrected Akaike criterion. If a body did not have the same length and hash in all runs, \
                 no speedup is claimed."
            }
        }
    }
}
