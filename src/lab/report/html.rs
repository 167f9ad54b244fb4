//! The findings as one HTML page, which needs nothing but itself: no network, no script.
//!
//! The page is readable on a phone, on paper and in the dark; its colours are told apart by the
//! colour-blind (the palette of M. Okabe and K. Ito, <https://jfly.uni-koeln.de/color/>) and by their
//! lightness. `maud` escapes whatever a URL or a server brings.

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::super::figures::{Seconds, counted};
use super::super::findings::{Bodies, Distribution, FileTimes, Findings, Side, Verdict};
use super::{charts, waterfall};

/// Of more files than this, the table shows the slowest.
const FILES_SHOWN: usize = 24;

/// The findings as a page.
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
        (experiment(findings))
        (method())
    };
    page(&title, &content)
}

/// A page around its content.
pub(super) fn page(title: &str, content: &Markup) -> String {
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Speedup: " (title) }
                style { (PreEscaped(include_str!("style.css"))) }
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
    format!("One connection against {}", findings.concurrency)
}

/// All that one experiment has to show.
pub(super) fn experiment(findings: &Findings) -> Markup {
    markup! {
        (summary(findings))
        @if let Some(waterfalls) = waterfall::waterfalls(&findings.drawn) {
            section { h2 { "Where the time went" } (waterfalls) }
        }
        @if let Some(curve) = &findings.curve {
            section {
                h2 { "Speedup over the number of connections" }
                (charts::curve(curve, findings.interval_name()))
            }
        }
        @if let Some(distributions) = charts::distributions(findings) {
            section { h2 { "How long the fetches took" } (distributions) }
        }
        (files(findings))
        (rounds(findings))
        (conditions(findings))
    }
}

/// The hatching for time in which nothing happened.
fn patterns() -> Markup {
    markup! {
        svg.patterns width="0" height="0" aria-hidden="true" {
            defs {
                pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" {
                    rect.hatch-ground width="5" height="5" {}
                    rect.hatch-line width="2" height="5" {}
                }
            }
        }
    }
}

fn summary(findings: &Findings) -> Markup {
    let class = match findings.verdict {
        Verdict::Faster => "faster",
        Verdict::Slower => "slower",
        Verdict::NotMeasurable | Verdict::TooFewPairs => "open",
        Verdict::Refused { .. } => "refused",
    };
    markup! {
        section.summary.(class) {
            @if let Some(speedup) = &findings.speedup {
                p.answer { (speedup.ratio) span { "×" } }
            }
            div {
                p.headline { (findings.headline) }
                @if let Some(limit) = &findings.limit {
                    p { strong { "What limits it. " } (limit.sentence) }
                }
            }
            @if let Some(speedup) = &findings.speedup {
                div.wide { (charts::gauge(speedup, findings.ceiling)) }
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
            thead {
                tr {
                    td {}
                    th scope="col" { (counted(one.concurrency, "connection", "connections")) }
                    th scope="col" { (counted(many.concurrency, "connection", "connections")) }
                }
            }
            tbody {
                (row("Median run", &|side| side.wall.to_string()))
                tr {
                    th scope="row" { "Middle half of the runs" }
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

fn files(findings: &Findings) -> Markup {
    let mut shown: Vec<&FileTimes> = findings.files.iter().collect();
    let all = shown.len();
    let cut = all > FILES_SHOWN;
    if cut {
        let slowest = |file: &FileTimes| file.concurrent.map_or(0.0, Seconds::value);
        shown.sort_by(|left, right| {
            let failures = right.failure.is_some().cmp(&left.failure.is_some());
            failures.then(slowest(right).total_cmp(&slowest(left)))
        });
        shown.truncate(FILES_SHOWN);
    }
    let time = |time: Option<Seconds>| time.map_or_else(|| "–".to_owned(), |time| time.to_string());
    markup! {
        section {
            h2 {
                @if cut { "The slowest " (FILES_SHOWN) " of " (all) " files" } @else { "The files" }
            }
            table.files {
                thead {
                    tr {
                        th scope="col" { "URL" }
                        th scope="col" { "Length" }
                        th scope="col" { "Alone" }
                        th scope="col" { "In company" }
                    }
                }
                tbody {
                    @for file in shown {
                        tr {
                            td {
                                (waterfall::shortened(&file.url))
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
            p.caption { "Median times of complete fetches, without queue and waiting." }
        }
    }
}

fn rounds(findings: &Findings) -> Markup {
    let Some(first) = findings.rounds.first() else { return markup! {} };
    markup! {
        section {
            h2 { "The runs" }
            table.figures {
                thead {
                    tr {
                        th scope="col" { "Connections" }
                        @for run in &first.runs { th scope="col" { (run.concurrency) } }
                    }
                }
                tbody {
                    @for (index, round) in findings.rounds.iter().enumerate() {
                        tr {
                            th scope="row" { "Round " (index + 1) @if index % 2 == 1 { " (back)" } }
                            @for run in &round.runs { td { (run.wall) } }
                        }
                    }
                }
            }
        }
    }
}

fn conditions(findings: &Findings) -> Markup {
    let conditions = &findings.conditions;
    let workload = &findings.workload;
    let sides = [&findings.sequential, &findings.concurrent];
    let limit = sides.into_iter().flatten().filter_map(|side| side.host_limit).min();
    let row = |name: &str, value: &str| markup! { @if !value.is_empty() { dt { (name) } dd { (value) } } };
    markup! {
        section {
            h2 { "Conditions" }
            dl {
                (row("Begun", &conditions.started))
                (row("Client", &conditions.client))
                (row("Servers", &conditions.servers.join(", ")))
                (row("Hosts", &workload.hosts.join(", ")))
                (row("Machine", &format!(
                    "{}, {}", conditions.system, counted(conditions.processors, "processor", "processors")
                )))
                (row("Files", &format!("{}, {}", workload.urls, workload.lengths())))
                (row("Bodies", match conditions.bodies {
                    Bodies::Saved => "written to files as in a download",
                    Bodies::Discarded => "read and discarded",
                }))
                (row("Host’s limit", &limit.map_or_else(
                    || "none met".to_owned(), |limit| counted(limit, "connection", "connections")
                )))
                (row("Pairs of runs", &format!(
                    "{} of {}, after a discarded warm-up", findings.pairs.measured, findings.pairs.planned
                )))
                (row("Seed", &findings.seed.to_string()))
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
                "The runs are interleaved, there and back (A B B A), each from cold. The speedup is the median \
                 of the ratios within the pairs; its interval of 95 % is a percentile bootstrap of the pairs \
                 (Efron 1979), expanded for few pairs (Hesterberg 2015); of five pairs it is their range, which covers the \
                 true median 94 times in 100. Quantiles are of type 7 (Hyndman and \
                 Fan 1996). The ceiling is min(c, Σt / max t) of the fetch times alone. The achieved \
                 concurrency is Σ busy time / wall time (Little 1961). The laws are Amdahl’s (1967) and \
                 Gunther’s (2007), fitted by least squares to the relative run time. Every body had the same \
                 length and hash in all runs, or no speedup is claimed."
            }
        }
    }
}
