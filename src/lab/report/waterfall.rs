//! The waterfalls: a lane for each connection, each fetch split into its phases, both runs on one scale.
//!
//! Up to [`FEW_FETCHES`] fetches are drawn one by one, with their numbers on hover, focus or tap. More
//! would be thinner than a hair: then each lane is cut into [`BINS`] columns of time, and a column is filled
//! by the share of it that each phase took; many lanes share a row. The page stays small either way.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};

use super::super::figures::{Bytes, Seconds, counted};
use super::super::findings::Drawn;
use super::super::measurement::{FetchRecord, RunRecord};
use super::super::statistics::real;
use super::plot::{Axis, Percent};
use crate::client::Phases;

/// A run of at most so many fetches and lanes is drawn fetch by fetch.
const FEW_FETCHES: usize = 150;
const FEW_LANES: usize = 64;
/// So many of what can just be seen fill the width.
const HAIRS_PER_SCALE: u32 = 1000;
/// The columns of time where fetches are too many to be drawn one by one.
const BINS: usize = 160;
/// The most rows of other runs; more lanes share them.
const ROWS: usize = 32;

/// A phase as it is drawn: the class of its colour, its name, and its time.
struct Part {
    class: &'static str,
    name: &'static str,
    time: fn(&Phases) -> Duration,
}

/// The phases in the order in which they are drawn.
const PARTS: [Part; 6] = [
    Part { class: "waiting", name: "waiting", time: |phases| phases.waiting },
    Part { class: "dns", name: "name look-up", time: |phases| phases.dns },
    Part { class: "connect", name: "connect", time: |phases| phases.connect },
    Part { class: "tls", name: "TLS", time: |phases| phases.tls },
    Part { class: "first-byte", name: "first byte", time: |phases| phases.first_byte },
    Part { class: "transfer", name: "transfer", time: |phases| phases.transfer },
];

/// How a run is drawn beside others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Each fetch tells its numbers.
    Numbers,
    /// It is drawn once more, larger, and tells them there.
    Picture,
}

/// The runs above one another, or `None` where there is none to draw.
///
/// A run that takes less than half of the scale is drawn a second time, to its own.
pub(super) fn waterfalls(drawn: &Drawn) -> Option<Markup> {
    let runs: Vec<&RunRecord> =
        [&drawn.sequential, &drawn.concurrent].into_iter().flatten().collect();
    let end = runs.iter().map(|run| run.wall).max()?.as_secs_f64();
    let axis = Axis::linear(0.0, end);
    let short = |run: &RunRecord| run.wall.as_secs_f64() < end / 2.0;
    Some(html! {
        figure.waterfall {
            (legend(&runs))
            @for run in &runs {
                @let detail = if short(run) { Detail::Picture } else { Detail::Numbers };
                (waterfall(run, &axis, "", detail))
            }
            @for run in runs.iter().filter(|run| short(run)) {
                @let own = Axis::linear(0.0, run.wall.as_secs_f64());
                (waterfall(run, &own, ", enlarged", Detail::Numbers))
            }
            figcaption { (caption(drawn, &runs)) }
        }
    })
}

fn caption(drawn: &Drawn, runs: &[&RunRecord]) -> String {
    let mut text = match drawn.pair {
        Some(pair) => format!(
            "Pair {pair} of runs, on one time scale, a lane for each connection. Where a fetch was tried \
             more than once, its phases are sums."
        ),
        None => "The discarded warm-up, the only run. A lane for each connection.".to_owned(),
    };
    if runs.iter().any(|run| !fits(run)) {
        text.push_str(
            " The fetches are too many to be drawn one by one: each column shows the share of its time \
             that each phase took.",
        );
    }
    if let Some(lanes) = runs.iter().map(|run| group(run)).max().filter(|lanes| *lanes > 1) {
        let _ = write!(text, " A row stands for {lanes} connections.");
    }
    text
}

fn legend(runs: &[&RunRecord]) -> Markup {
    // What is thinner than a hair needs no explanation.
    let is_seen = |phase: fn(&Phases) -> Duration| {
        runs.iter().any(|run| {
            run.fetches.iter().any(|fetch| phase(&fetch.phases) * HAIRS_PER_SCALE > run.wall)
        })
    };
    let failed = runs.iter().flat_map(|run| &run.fetches).any(|fetch| fetch.failure().is_some());
    let mut drawn = runs.iter().filter(|run| fits(run)).flat_map(|run| idle_queues(run));
    let idled = drawn.any(|(idle, fetch)| idle < fetch.start);
    html! {
        ul.legend {
            @if idled { li { i.queue {} "queue, lane idle" } }
            @for part in PARTS {
                @if is_seen(part.time) { li { i class=(part.class) {} (part.name) } }
            }
            @if failed { li { b.failure { "×" } "failed" } }
        }
    }
}

/// Whether a run is drawn fetch by fetch.
fn fits(run: &RunRecord) -> bool {
    run.fetches.len() <= FEW_FETCHES && lanes(run) <= FEW_LANES
}

fn lanes(run: &RunRecord) -> usize {
    run.fetches.iter().map(|fetch| fetch.lane + 1).max().unwrap_or(0)
}

/// How many lanes share a row.
fn group(run: &RunRecord) -> usize {
    if fits(run) { 1 } else { lanes(run).div_ceil(ROWS).max(1) }
}

/// The height of a row in pixels, less where there are more.
const fn row_height(rows: usize) -> usize {
    match rows {
        0..=4 => 26,
        5..=12 => 18,
        13..=20 => 14,
        21..=32 => 11,
        _ => 8,
    }
}

fn waterfall(run: &RunRecord, axis: &Axis, remark: &str, detail: Detail) -> Markup {
    let lanes = lanes(run);
    let group = group(run);
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
            @if fits(run) { (fetches(run, axis, pitch, detail)) }
            @else { (columns(run, axis, group, pitch)) }
            @let x = axis.place(run.wall.as_secs_f64());
            line.end x1=(x) x2=(x) y1="-3" y2=(height + 3) {}
        }
        @if fits(run) && detail == Detail::Numbers { p.hint { "Hover over a fetch, or tap it, for its numbers." } }
    }
}

/// Where a tick's text is held, so that the first and last do not stand out of the plot.
fn anchor(percent: f64) -> &'static str {
    if percent < 4.0 {
        "start"
    } else if percent > 96.0 {
        "end"
    } else {
        "middle"
    }
}

/// Every fetch as its own group of bars, and the marks of failures above them all.
fn fetches(run: &RunRecord, axis: &Axis, pitch: usize, detail: Detail) -> Markup {
    let bar = pitch - 4;
    let middle = |fetch: &FetchRecord| fetch.lane * pitch + pitch / 2;
    let height = lanes(run) * pitch;
    html! {
        @for (idle, fetch) in idle_queues(run) {
            @let top = fetch.lane * pitch + 2;
            @let numbers = numbers(fetch);
            @let told = (detail == Detail::Numbers).then_some(&numbers);
            g.fetch[told.is_some()] tabindex=[told.map(|_| "0")] role=[told.map(|_| "img")]
                aria-label=[told] {
                @if idle < fetch.start {
                    line.queue x1=(place(axis, idle)) x2=(place(axis, fetch.start))
                        y1=(middle(fetch)) y2=(middle(fetch)) {}
                }
                @for (index, from, until) in bars(fetch) {
                    rect class=(PARTS[index].class) x=(place(axis, from)) y=(top) height=(bar)
                        width=(Percent(place(axis, until).0 - place(axis, from).0)) {}
                }
                line.seam x1=(place(axis, fetch.start)) x2=(place(axis, fetch.start))
                    y1=(top) y2=(top + bar) {}
                @if told.is_some() {
                    foreignObject.numbers x="0" y=(height + 22) width="100%" height="110" {
                        p { (numbers) }
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

/// The fetches in the order of their starts, each with the moment since which its lane idled before it.
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

/// The parts that took time, one after another: its index, its beginning and its end.
fn bars(fetch: &FetchRecord) -> Vec<(usize, Duration, Duration)> {
    let mut from = fetch.start;
    let mut bars = Vec::new();
    for (index, part) in PARTS.iter().enumerate() {
        let until = from + (part.time)(&fetch.phases);
        if from < until {
            bars.push((index, from, until));
        }
        from = until;
    }
    bars
}

/// A fetch in words: its URL, its length or failure, and each phase that took time.
fn numbers(fetch: &FetchRecord) -> String {
    let ending = fetch.failure().map_or_else(|| Bytes(fetch.bytes).to_string(), str::to_owned);
    let mut text = format!(
        "{} — {ending} in {}: queue {}",
        shortened(&fetch.url),
        Seconds::from(fetch.held()),
        Seconds::from(fetch.phases.queue)
    );
    for part in PARTS {
        let took = (part.time)(&fetch.phases);
        if took >= Duration::from_micros(1) {
            let _ = write!(text, " · {} {}", part.name, Seconds::from(took));
        }
    }
    if fetch.attempts > 1 {
        let _ = write!(text, " · {} attempts, {} turned away", fetch.attempts, fetch.rejections);
    }
    text
}

/// A URL of at most 64 characters: of a longer one, its end.
pub(super) fn shortened(url: &str) -> String {
    const LONGEST: usize = 64;
    let length = url.chars().count();
    if length <= LONGEST {
        return url.to_owned();
    }
    std::iter::once('…').chain(url.chars().skip(length - LONGEST + 1)).collect()
}

/// Rows of columns: for each phase the area of its share of each column, stacked from below.
fn columns(run: &RunRecord, axis: &Axis, group: usize, pitch: usize) -> Markup {
    let shares = shares(run, axis, group);
    html! {
        @for (row, columns) in shares.iter().enumerate() {
            svg x="0" y=(row * pitch + 1) width="100%" height=(pitch - 2) preserveAspectRatio="none"
                viewBox=(format!("0 0 {BINS} 100")) {
                @for (index, part) in PARTS.iter().enumerate() {
                    @if let Some(path) = area(columns, index) { path class=(part.class) d=(path) {} }
                }
            }
        }
    }
}

type Column = [f64; PARTS.len()];

/// For each row and column of time, the share of each phase, 0 to 1.
fn shares(run: &RunRecord, axis: &Axis, group: usize) -> Vec<Vec<Column>> {
    let lanes = lanes(run);
    let width = axis.high() / real(BINS);
    let mut rows = vec![vec![[0.0; PARTS.len()]; BINS]; lanes.div_ceil(group)];
    for fetch in &run.fetches {
        let row = fetch.lane / group;
        let in_row = group.min(lanes - row * group);
        for (part, from, until) in bars(fetch) {
            let (from, until) = (from.as_secs_f64() / width, until.as_secs_f64() / width);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "columns are few and not negative"
            )]
            let (first, end) = (from.floor() as usize, (until.ceil() as usize).min(BINS));
            for (bin, column) in rows[row].iter_mut().enumerate().take(end).skip(first) {
                let overlap = until.min(real(bin + 1)) - from.max(real(bin));
                column[part] += overlap.max(0.0) / real(in_row);
            }
        }
    }
    rows
}

/// The outline of a phase's share above those drawn before it, or `None` where it has none.
fn area(columns: &[Column], phase: usize) -> Option<String> {
    if columns.iter().all(|column| column[phase] < 0.005) {
        return None;
    }
    // SVG counts from above: 100 is the foot of the row.
    let height = |bin: usize, phases: usize| 100 - percent(columns[bin][..phases].iter().sum());
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
