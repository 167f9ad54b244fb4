//! Draws waterfalls: one lane per connection, each fetch divided into its phases, both runs on one scale.
//!
//! Up to [`MAX_FETCHES`] fetches are drawn individually, with their details on hover, focus or tap. More
//! would be too narrow: each lane is then divided into [`BINS`] bins of time, and each bin is filled by the
//! fraction of time that each phase took; several lanes may share a row.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};

use super::super::figures::{Bytes, Seconds, counted};
use super::plot::{Axis, Percent};
use crate::client::Phases;
use crate::lab::findings::drawn_pair::DrawnPair;
use crate::lab::measurement::{FetchRecord, RunRecord};
use crate::lab::statistics::as_f64;

/// The maximum number of fetches that are drawn individually.
const MAX_FETCHES: usize = 150;
/// The maximum number of lanes of which fetches are drawn individually.
const MAX_LANES: usize = 64;
/// A phase shorter than this fraction of the run, 1 / 1000, is not visible.
const MIN_VISIBLE_DIVISOR: u32 = 1000;
/// The number of bins of time, if there are too many fetches to draw them individually.
const BINS: usize = 160;
/// The maximum number of rows then; if there are more lanes, several share a row.
const MAX_ROWS: usize = 32;

/// How a phase is drawn: the CSS class of its colour, its name, and its time.
struct DrawnPhase {
    class: &'static str,
    name: &'static str,
    time: fn(&Phases) -> Duration,
}

/// The phases in the order they are drawn.
const PHASES: [DrawnPhase; 7] = [
    DrawnPhase { class: "waiting", name: "waiting", time: |phases| phases.waiting },
    DrawnPhase { class: "dns", name: "name look-up", time: |phases| phases.dns },
    DrawnPhase { class: "connect", name: "connect", time: |phases| phases.connect },
    DrawnPhase { class: "tls", name: "TLS", time: |phases| phases.tls },
    DrawnPhase { class: "first-byte", name: "first byte", time: |phases| phases.first_byte },
    DrawnPhase { class: "transfer", name: "transfer", time: |phases| phases.transfer },
    DrawnPhase { class: "write", name: "write", time: |phases| phases.write },
];

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
pub(super) fn waterfalls(drawn: &DrawnPair) -> Option<Markup> {
    let runs: Vec<&RunRecord> =
        [&drawn.sequential, &drawn.concurrent].into_iter().flatten().collect();
    let end = runs.iter().map(|run| run.wall).max()?.as_secs_f64();
    let axis = Axis::linear(0.0, end);
    let short = |run: &RunRecord| run.wall.as_secs_f64() < end / 2.0;
    Some(html! {
        figure.waterfall {
            (legend(&runs))
            @for run in &runs {
                @let details = if short(run) { Details::Omitted } else { Details::Shown };
                (waterfall(run, &axis, "", details))
            }
            @for run in runs.iter().filter(|run| short(run)) {
                @let own = Axis::linear(0.0, run.wall.as_secs_f64());
                (waterfall(run, &own, ", enlarged", Details::Shown))
            }
            figcaption { (caption(drawn, &runs)) }
        }
    })
}

fn caption(drawn: &DrawnPair, runs: &[&RunRecord]) -> String {
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
    if let Some(lanes) = runs.iter().map(|run| lanes_per_row(run)).max().filter(|lanes| *lanes > 1)
    {
        let _ = write!(text, " A row stands for {lanes} connections.");
    }
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
    run.fetches.len() <= MAX_FETCHES && lanes(run) <= MAX_LANES
}

fn lanes(run: &RunRecord) -> usize {
    run.fetches.iter().map(|fetch| fetch.lane + 1).max().unwrap_or(0)
}

/// The number of lanes that share a row.
fn lanes_per_row(run: &RunRecord) -> usize {
    if is_drawn_individually(run) { 1 } else { lanes(run).div_ceil(MAX_ROWS).max(1) }
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

fn waterfall(run: &RunRecord, axis: &Axis, remark: &str, details: Details) -> Markup {
    let lanes = lanes(run);
    let group = lanes_per_row(run);
    let rows = lanes.div_ceil(group);
    let pitch = row_height(rows);
    let height = rows * pitch;
    let title = format!(
        "{}{remark}: {}",
        counted(run.concurrency, "connection", "connections"),
        Seconds::from(run.wall)
    );
    let labelled = |row: usize| pitch >= 14 || row == 0 || (row + 1).is_multiple_of(4);
    html! {
        h3 { (title) }
        svg.plot.lanes height=(height + 22) role="group" aria-label=(title) {
            @for tick in axis.ticks() {
                @let x = axis.place(tick);
                line.grid x1=(x) x2=(x) y1="0" y2=(height + 4) {}
                text.tick x=(x) y=(height + 17) text-anchor=(anchor(x.0)) { (Seconds::new(tick)) }
            }
            @for row in 0..rows {
                @if labelled(row) {
                    text.label x="-6" y=(row * pitch + pitch / 2) text-anchor="end"
                        dominant-baseline="central" { (row * group + 1) }
                }
            }
            @if is_drawn_individually(run) { (fetches(run, axis, pitch, details)) }
            @else { (binned(run, axis, group, pitch)) }
            @let x = axis.place(run.wall.as_secs_f64());
            line.end x1=(x) x2=(x) y1="-3" y2=(height + 3) {}
        }
        @if is_drawn_individually(run) && details == Details::Shown { p.hint { "Hover over a fetch, or tap it, for its details." } }
    }
}

/// The `text-anchor` of a tick label, which keeps the first and last label within the plot.
fn anchor(percent: f64) -> &'static str {
    if percent < 4.0 {
        "start"
    } else if percent > 96.0 {
        "end"
    } else {
        "middle"
    }
}

/// Each fetch as a group of bars, with the marks of failures on top.
fn fetches(run: &RunRecord, axis: &Axis, pitch: usize, details: Details) -> Markup {
    let bar = pitch - 4;
    let middle = |fetch: &FetchRecord| fetch.lane * pitch + pitch / 2;
    let height = lanes(run) * pitch;
    html! {
        @for (idle, fetch) in idle_queues(run) {
            @let top = fetch.lane * pitch + 2;
            @let text = self::details(fetch);
            @let told = (details == Details::Shown).then_some(&text);
            g.fetch[told.is_some()] tabindex=[told.map(|_| "0")] role=[told.map(|_| "img")]
                aria-label=[told] {
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
                @if told.is_some() {
                    foreignObject.numbers x="0" y=(height + 22) width="100%" height="110" {
                        p { (text) }
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
    let mut free = vec![Duration::ZERO; lanes(run)];
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

/// A phase of a fetch: its index in [`PHASES`], its start and its end from the start of the run.
struct Bar {
    phase: usize,
    from: Duration,
    until: Duration,
}

/// The phases that took time, one after another.
fn bars(fetch: &FetchRecord) -> Vec<Bar> {
    let mut from = fetch.start;
    let mut bars = Vec::new();
    for (phase, drawn) in PHASES.iter().enumerate() {
        let until = from + (drawn.time)(&fetch.phases);
        if from < until {
            bars.push(Bar { phase, from, until });
        }
        from = until;
    }
    bars
}

/// The details of a fetch in words: its URL, its length or failure, and each phase that took time.
fn details(fetch: &FetchRecord) -> String {
    let ending = fetch.failure().map_or_else(|| Bytes(fetch.bytes).to_string(), str::to_owned);
    let mut text = format!(
        "{} — {ending} in {}: queue {}",
        shortened(&fetch.url),
        Seconds::from(fetch.held()),
        Seconds::from(fetch.phases.queue)
    );
    for drawn in PHASES {
        let took = (drawn.time)(&fetch.phases);
        if took >= Duration::from_micros(1) {
            let _ = write!(text, " · {} {}", drawn.name, Seconds::from(took));
        }
    }
    if fetch.attempts > 1 {
        let _ = write!(text, " · {} attempts, {} rejected", fetch.attempts, fetch.rejections);
    }
    text
}

/// A URL shortened to its last 64 characters.
pub(super) fn shortened(url: &str) -> String {
    const LONGEST: usize = 64;
    let length = url.chars().count();
    if length <= LONGEST {
        return url.to_owned();
    }
    std::iter::once('…').chain(url.chars().skip(length - LONGEST + 1)).collect()
}

/// The rows of bins: for each phase the area of its fraction of each bin, stacked from the bottom.
fn binned(run: &RunRecord, axis: &Axis, group: usize, pitch: usize) -> Markup {
    let rows = bins(run, axis, group);
    html! {
        @for (row, bins) in rows.iter().enumerate() {
            svg x="0" y=(row * pitch + 1) width="100%" height=(pitch - 2) preserveAspectRatio="none"
                viewBox=(format!("0 0 {BINS} 100")) {
                @for (index, drawn) in PHASES.iter().enumerate() {
                    @if let Some(path) = area(bins, index) { path class=(drawn.class) d=(path) {} }
                }
            }
        }
    }
}

/// The fraction of a bin that each phase took, 0 to 1.
type Bin = [f64; PHASES.len()];

/// The bins of each row.
fn bins(run: &RunRecord, axis: &Axis, group: usize) -> Vec<Vec<Bin>> {
    let lanes = lanes(run);
    let width = axis.high() / as_f64(BINS);
    let mut rows = vec![vec![[0.0; PHASES.len()]; BINS]; lanes.div_ceil(group)];
    for fetch in &run.fetches {
        let row = fetch.lane / group;
        let in_row = group.min(lanes - row * group);
        for Bar { phase, from, until } in bars(fetch) {
            let (from, until) = (from.as_secs_f64() / width, until.as_secs_f64() / width);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "columns are few and not negative"
            )]
            let (first, end) = (from.floor() as usize, (until.ceil() as usize).min(BINS));
            for (bin, column) in rows[row].iter_mut().enumerate().take(end).skip(first) {
                let overlap = until.min(as_f64(bin + 1)) - from.max(as_f64(bin));
                column[phase] += overlap.max(0.0) / as_f64(in_row);
            }
        }
    }
    rows
}

/// The SVG path of a phase's area, stacked on the phases before it; `None` if it is not visible.
fn area(bins: &[Bin], phase: usize) -> Option<String> {
    if bins.iter().all(|bin| bin[phase] < 0.005) {
        return None;
    }
    // The y axis of SVG points downwards: 100 is the bottom of the row.
    let height = |bin: usize, phases: usize| 100 - percent(bins[bin][..phases].iter().sum());
    let mut now = height(0, phase + 1);
    let mut path = format!("M0 {now}");
    for bin in 1..BINS {
        let next = height(bin, phase + 1);
        if next != now {
            let _ = write!(path, "H{bin}V{next}");
            now = next;
        }
    }
    now = height(BINS - 1, phase);
    let _ = write!(path, "H{BINS}V{now}");
    for bin in (0..BINS - 1).rev() {
        let next = height(bin, phase);
        if next != now {
            let _ = write!(path, "H{}V{next}", bin + 1);
            now = next;
        }
    }
    path.push_str("H0Z");
    Some(path)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
fn percent(share: f64) -> u8 {
    (share * 100.0).round().clamp(0.0, 100.0) as u8
}
