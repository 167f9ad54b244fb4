//! Draws waterfalls: one lane per connection, each fetch divided into its phases, both runs on one scale.
//!
//! Up to [`MAX_FETCHES`] fetches are drawn individually, with their details on hover or tap. More would be too
//! narrow: the lanes are then rows of `bins`, and if there are many lanes, several share a row. A table of the
//! fetches follows each waterfall, for keyboards and screen readers.

use std::collections::BTreeSet;
use std::time::Duration;

use maud::{Markup, html};

use super::super::figures::{Seconds, counted};
use super::bins;
use super::fetches::{self, details};
use super::heading::Outline;
use super::phases::{Bar, PHASES, bars};
use super::plot::{Axis, Percent, time_label};
use crate::client::Phases;
use crate::lab::findings::Findings;
use crate::lab::findings::drawn_pair::DrawnPair;
use crate::lab::findings::side::Side;
use crate::lab::measurement::{FetchRecord, RunRecord};

/// The maximum number of fetches that are drawn individually.
const MAX_FETCHES: usize = 150;
/// The maximum number of rows. If there are more lanes, several share a row.
const MAX_ROWS: usize = 64;
/// A phase shorter than this fraction of the run, 1 / 1000, is not visible.
const MIN_VISIBLE_DIVISOR: u32 = 1000;

/// Whether fetches show their details.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Details {
    Shown,
    /// The run is drawn again, enlarged, with the details.
    Omitted,
}

/// The waterfalls of the runs, one below another; `None` if there is no run.
///
/// A run that takes less than half of the common scale is drawn a second time, on its own scale.
pub(super) fn waterfalls(findings: &Findings, outline: Outline) -> Option<Markup> {
    let named: Vec<(&RunRecord, String)> =
        findings.drawn_runs().into_iter().map(|(run, side)| named_run(run, side)).collect();
    let runs: Vec<&RunRecord> = named.iter().map(|(run, _)| *run).collect();
    let end = runs.iter().map(|run| run.wall).max()?.as_secs_f64();
    let axis = Axis::linear(0.0, end);
    let is_short = |run: &RunRecord| run.wall.as_secs_f64() < end / 2.0;
    let part = |(run, name): &(&RunRecord, String), axis: &Axis, remark: &str, details: Details| {
        let title = format!("{name}{remark}: {}", Seconds::from(run.wall));
        html! {
            div.run { (outline.part(&title)) (waterfall(run, axis, &title, details)) }
            @if details == Details::Shown { (fetches::table(run, name)) }
        }
    };
    Some(html! {
        figure.waterfall {
            (legend(&runs))
            @for named in &named {
                @let details = if is_short(named.0) { Details::Omitted } else { Details::Shown };
                (part(named, &axis, "", details))
            }
            @for named in named.iter().filter(|(run, _)| is_short(run)) {
                @let own = Axis::linear(0.0, named.0.wall.as_secs_f64());
                (part(named, &own, ", enlarged", Details::Shown))
            }
            figcaption { (caption(findings.drawn, &runs)) }
        }
    })
}

/// A run with the name of its side; the warm-up belongs to none.
fn named_run<'a>(run: &'a RunRecord, side: Option<&Side>) -> (&'a RunRecord, String) {
    let connections = || counted(run.concurrency, "connection", "connections");
    (run, side.map_or_else(connections, |side| side.name.clone()))
}

fn caption(drawn: DrawnPair, runs: &[&RunRecord]) -> String {
    let mut text = match drawn.pair {
        Some(pair) => format!(
            "Pair {pair} of runs, on one time scale, with a lane for each connection. The phases of a \
             fetch are summed over its attempts."
        ),
        None => "The discarded warm-up, the only run, with a lane for each connection.".to_owned(),
    };
    if runs.iter().any(|run| !is_drawn_individually(run)) {
        text.push_str(
            " There are too many fetches to draw them individually: each column shows the fraction of \
             its time that each phase took.",
        );
    }
    // A set, because equal runs have the same remarks.
    let mut remarks = BTreeSet::new();
    for run in runs {
        let (lanes, connections) = (run.lanes(), run.concurrency);
        if lanes_per_row(run) > 1 {
            remarks.insert(format!(" A row stands for {} connections.", lanes_per_row(run)));
        }
        if lanes < connections {
            let idle = connections - lanes;
            remarks.insert(format!(
                " Of the {connections} connections, the last {idle} fetched nothing and are not drawn."
            ));
        }
    }
    text.extend(remarks);
    text
}

fn legend(runs: &[&RunRecord]) -> Markup {
    // Phases that are not visible need no legend.
    let is_visible = |phase: fn(&Phases) -> Duration| {
        runs.iter().any(|run| {
            run.fetches.iter().any(|fetch| phase(&fetch.phases) * MIN_VISIBLE_DIVISOR > run.wall)
        })
    };
    let failed = runs.iter().flat_map(|run| &run.fetches).any(|fetch| fetch.failure().is_some());
    let mut drawn =
        runs.iter().filter(|run| is_drawn_individually(run)).flat_map(|run| idle_queues(run));
    let idled = drawn.any(|(idle, fetch)| idle < fetch.start);
    html! {
        ul.legend {
            @if idled { li { i.queue {} "queue, lane idle" } }
            @for drawn in PHASES {
                @if is_visible(drawn.time) { li { i class=(drawn.class) {} (drawn.name) } }
            }
            @if failed { li { b.failure { "×" } "failed" } }
        }
    }
}

/// Whether the fetches of a run are drawn individually.
fn is_drawn_individually(run: &RunRecord) -> bool {
    run.fetches.len() <= MAX_FETCHES && run.lanes() <= MAX_ROWS
}

/// The number of lanes that share a row.
fn lanes_per_row(run: &RunRecord) -> usize {
    run.lanes().div_ceil(MAX_ROWS).max(1)
}

/// The height of a row in pixels.
const fn row_height(rows: usize) -> usize {
    match rows {
        0..=4 => 26,
        5..=12 => 18,
        13..=20 => 14,
        21..=32 => 11,
        _ => 8,
    }
}

fn waterfall(run: &RunRecord, axis: &Axis, title: &str, details: Details) -> Markup {
    let group = lanes_per_row(run);
    let rows = run.lanes().div_ceil(group);
    let pitch = row_height(rows);
    let height = rows * pitch;
    let is_labelled = |row: usize| pitch >= 14 || row == 0 || (row + 1).is_multiple_of(4);
    let has_details = is_drawn_individually(run) && details == Details::Shown;
    html! {
        p.ordinate { "connection" }
        svg.plot.lanes height=(height + 22) role="img" aria-label=(title) {
            @for tick in axis.ticks(time_label) {
                line.grid x1=(tick.at) x2=(tick.at) y1="0" y2=(height + 4) {}
                text.tick x=(tick.at) y=(height + 17) text-anchor=(tick.anchor()) { (tick.label) }
            }
            @for row in 0..rows {
                @if is_labelled(row) {
                    text.label x="-6" y=(row * pitch + pitch / 2) text-anchor="end"
                        dominant-baseline="central" { (row * group + 1) }
                }
            }
            @if is_drawn_individually(run) { (bars_of(run, axis, pitch, details)) }
            @else { (bins::rows(run, axis, group, pitch)) }
            @let x = axis.place(run.wall.as_secs_f64());
            line.end x1=(x) x2=(x) y1="-3" y2=(height + 3) {}
        }
        p.abscissa { "time since the start of the run" }
        @if has_details { p.hint { "Point at a fetch, or tap it, for its details." } }
    }
}

/// Each fetch as a group of bars, with the marks of failures on top. A tap focuses a fetch, a tab does not.
fn bars_of(run: &RunRecord, axis: &Axis, pitch: usize, details: Details) -> Markup {
    let bar = pitch - if pitch > 8 { 4 } else { 2 };
    let middle = |fetch: &FetchRecord| fetch.lane * pitch + pitch / 2;
    let height = run.lanes() * pitch;
    let is_shown = details == Details::Shown;
    html! {
        @for (idle, fetch) in idle_queues(run) {
            @let top = fetch.lane * pitch + (pitch - bar) / 2;
            g.fetch[is_shown] tabindex=[is_shown.then_some("-1")] {
                @if idle < fetch.start {
                    line.queue x1=(place(axis, idle)) x2=(place(axis, fetch.start))
                        y1=(middle(fetch)) y2=(middle(fetch)) {}
                }
                @for Bar { phase, from, until } in bars(fetch) {
                    rect class=(PHASES[phase].class) x=(place(axis, from)) y=(top) height=(bar)
                        width=(Percent(place(axis, until).0 - place(axis, from).0)) {}
                }
                line.seam x1=(place(axis, fetch.start)) x2=(place(axis, fetch.start))
                    y1=(top) y2=(top + bar) {}
                @if is_shown {
                    foreignObject.numbers x="0" y=(height + 22) width="100%" height="110" {
                        p { (self::details(fetch)) }
                    }
                }
            }
        }
        @for fetch in run.fetches.iter().filter(|fetch| fetch.failure().is_some()) {
            text.failure x=(place(axis, fetch.end())) y=(middle(fetch))
                dominant-baseline="central" text-anchor="middle" { "×" }
        }
    }
}

/// The fetches in the order of their starts, each with the time from which its lane was idle before it.
fn idle_queues(run: &RunRecord) -> Vec<(Duration, &FetchRecord)> {
    let mut free = vec![Duration::ZERO; run.lanes()];
    let mut ordered: Vec<&FetchRecord> = run.fetches.iter().collect();
    ordered.sort_by_key(|fetch| fetch.start);
    let idle = |fetch: &FetchRecord, since: Duration| {
        since.max(fetch.start.saturating_sub(fetch.phases.queue))
    };
    ordered
        .into_iter()
        .map(|fetch| (idle(fetch, std::mem::replace(&mut free[fetch.lane], fetch.end())), fetch))
        .collect()
}

fn place(axis: &Axis, offset: Duration) -> Percent {
    axis.place(offset.as_secs_f64())
}
