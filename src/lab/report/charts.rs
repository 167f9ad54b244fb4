//! The charts of the HTML page other than the waterfalls: the speedup with its interval, the curve of a
//! sweep, and the distribution of the fetch times.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::super::figures::Ratio;
use super::plot::{Axis, Label, legible, time_label};
use crate::lab::findings::Findings;
use crate::lab::findings::curve::{Curve, Speedup};
use crate::lab::findings::side::{Distribution, Side};
use crate::lab::laws::Law;
use crate::lab::scaling::Knee;
use crate::lab::schedule::Comparison;
use crate::lab::statistics::as_f64;

/// The speedup with its interval on an axis that begins at 0 and includes the ceiling.
pub(super) fn gauge(findings: &Findings, point: &Speedup) -> Markup {
    let (ceiling, interval) = (findings.ceiling, findings.interval_name());
    let (equal, title) = match findings.comparison {
        Comparison::WithOne => ("1: no gain", "speedup: how many times as fast as one connection"),
        Comparison::WithItself => {
            ("1: equal", "ratio: how many times as fast as the first of two equal sides")
        }
    };
    let high = point.interval.map_or(point.ratio, |(_, high)| high).value();
    let end = ceiling.map_or(1.0, Ratio::value).max(high).max(1.0) * 1.06;
    let axis = Axis::linear(0.0, end);
    let one = axis.place(1.0);
    // Keep the label of 1 apart from the ceiling's on narrow screens.
    let (anchor, room) = if one.0 > 25.0 { ("end", 28.0) } else { ("start", 46.0) };
    let mut description = format!("speedup {}", point.ratio);
    if let Some((low, high)) = point.interval {
        let _ = write!(description, ", {interval} {low} to {high}");
    }
    if let Some(ceiling) = ceiling {
        let _ = write!(description, ", ceiling {ceiling}");
    }
    html! {
        svg.plot.gauge height="74" role="img" aria-label=(description) {
            line.axis x1="0" x2="100%" y1="46" y2="46" {}
            @for tick in axis.ticks(|tick| tick.to_string()) {
                line.axis x1=(tick.at) x2=(tick.at) y1="46" y2="51" {}
                text.tick x=(tick.at) y="66" text-anchor=(tick.anchor()) { (tick.label) }
            }
            line.one x1=(one) x2=(one) y1="18" y2="46" {}
            @if let Some(ceiling) = ceiling {
                @let x = axis.place(ceiling.value());
                line.ceiling x1=(x) x2=(x) y1="18" y2="46" {}
                text.label x=(x) y="12" text-anchor=(if x.0 > 30.0 { "end" } else { "start" }) {
                    "ceiling " (ceiling)
                }
            }
            @if ceiling.is_none_or(|ceiling| axis.place(ceiling.value()).0 > one.0 + room) {
                text.label x=(one) y="12" text-anchor=(anchor) { (equal) }
            }
            @if let Some((low, high)) = point.interval {
                line.interval x1=(axis.place(low.value())) x2=(axis.place(high.value()))
                    y1="32" y2="32" {}
            }
            circle.point cx=(axis.place(point.ratio.value())) cy="32" r="6" {}
        }
        p.abscissa { (title) }
    }
}

/// The speedup over the number of connections, on logarithmic axes, with the ideal and the fitted law.
pub(super) fn curve(curve: &Curve, interval: &str) -> Markup {
    let last = curve.points.last().map_or(2, |point| point.concurrency);
    let highs = curve.points.iter().map(|p| p.interval.map_or(p.ratio, |(_, high)| high).value());
    let lows = curve.points.iter().map(|p| p.interval.map_or(p.ratio, |(low, _)| low).value());
    let top = doubling_above(highs.fold(2.0, f64::max));
    let foot = 1.0 / doubling_above(1.0 / lows.fold(1.0, f64::min).max(1e-3));
    let (x, y) = (Axis::logarithmic(0.94, as_f64(last) * 1.06), Axis::logarithmic(foot * 0.8, top));
    let ideal_end = top.min(as_f64(last));
    let count =
        |point: &Speedup| (x.place(as_f64(point.concurrency)), point.concurrency.to_string().len());
    let counts: Vec<Label> = curve.points.iter().map(count).collect();
    html! {
        figure.chart {
            p.ordinate { "speedup (logarithmic scale)" }
            svg.plot.framed height="300" role="img"
                aria-label="Speedup over the number of connections; its points are in the table below." {
                @for tick in doublings(foot, top) {
                    @let at = y.height(tick);
                    line.grid x1="0" x2="100%" y1=(at) y2=(at) {}
                    text.tick x="-8" y=(at) text-anchor="end" dominant-baseline="central" { (fraction(tick)) "×" }
                }
                line.ideal x1=(x.place(1.0)) y1=(y.height(1.0)) x2=(x.place(ideal_end)) y2=(y.height(ideal_end)) {}
                @if let Some(fit) = &curve.fit { (law(&fit.law, last, x, y, top)) }
                (polyline("measured", curve.points.iter().map(|point| {
                    (x.place(as_f64(point.concurrency)).0, y.height(point.ratio.value()).0)
                })))
                @for (point, is_shown) in curve.points.iter().zip(legible(&counts)) {
                    @if is_shown {
                        text.tick x=(x.place(as_f64(point.concurrency))) y="100%" dy="18" text-anchor="middle" {
                            (point.concurrency)
                        }
                    }
                }
                @for point in &curve.points { (curve_point(point, x, y)) }
                (values(curve, x, y))
            }
            p.abscissa { "connections (logarithmic scale)" }
            ul.legend {
                li { i.key-measured {} "measured, with its " (interval) }
                @if curve.knee.is_some() { li { i.key-knee {} "knee, with its interval" } }
                li { i.key-ideal {} "ideal: c times as fast" }
                @if let Some(fit) = &curve.fit { li { i.key-law {} (fit.law_name()) } }
            }
            figcaption { (curve.notes.join(" ")) }
        }
        (levels(curve, interval))
    }
}

/// The table of the speedup at each level.
fn levels(curve: &Curve, interval: &str) -> Markup {
    html! {
        table.figures {
            caption { "The speedup at each number of connections" }
            thead {
                tr {
                    th scope="col" { "Connections" }
                    th scope="col" { "Median run" }
                    th scope="col" { "Speedup" }
                    th scope="col" { "Its " (interval) }
                }
            }
            tbody {
                @for point in &curve.points {
                    tr {
                        th scope="row" { (point.concurrency) }
                        td { (point.wall) }
                        td { (point.ratio) }
                        td {
                            @match point.interval {
                                Some((low, high)) => { (low) " to " (high) }
                                None => { "–" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn curve_point(point: &Speedup, x: Axis, y: Axis) -> Markup {
    let at = x.place(as_f64(point.concurrency));
    html! {
        @if let Some((low, high)) = point.interval {
            line.interval x1=(at) x2=(at) y1=(y.height(low.value())) y2=(y.height(high.value())) {}
        }
        circle.point cx=(at) cy=(y.height(point.ratio.value())) r="4.5" {}
    }
}

/// The ring of the knee with its interval and, above, its speedup; and the speedups of other points below
/// them, where there is space: the table has all.
fn values(curve: &Curve, x: Axis, y: Axis) -> Markup {
    let place = |point: &Speedup| x.place(as_f64(point.concurrency));
    let value = |point: &Speedup, below: &str| {
        let (at, height) = (place(point), y.height(point.ratio.value()));
        let anchor = if at.0 > 90.0 { "end" } else { "middle" };
        html! { text.value x=(at) y=(height) dy=(below) text-anchor=(anchor) { (point.ratio) } }
    };
    let (knees, others): (Vec<&Speedup>, Vec<_>) =
        curve.points.iter().skip(1).partition(|point| curve.has_knee_at(point.concurrency));
    let labels: Vec<Label> =
        others.iter().map(|point| (place(point), point.ratio.to_string().len())).collect();
    html! {
        @for knee in knees {
            @let height = y.height(knee.ratio.value());
            circle.knee cx=(place(knee)) cy=(height) r="9" {}
            @if let Some(Knee { low, high, .. }) = curve.knee.filter(|knee| knee.low < knee.high) {
                line.knee x1=(x.place(as_f64(low))) x2=(x.place(as_f64(high))) y1=(height) y2=(height) {}
            }
            (value(knee, "-16"))
        }
        @for (point, is_shown) in others.iter().zip(legible(&labels)) {
            @if is_shown { (value(point, "24")) }
        }
    }
}

fn law(law: &Law, last: usize, x: Axis, y: Axis, top: f64) -> Markup {
    const STEPS: usize = 48;
    let places = (0..=STEPS).filter_map(|step| {
        let c = as_f64(last).powf(as_f64(step) / as_f64(STEPS));
        let speedup = Some(law.speedup(c)).filter(|speedup| *speedup <= top)?;
        Some((x.place(c).0, y.height(speedup).0))
    });
    polyline("law", places)
}

/// The smallest power of two that is at least `value`.
fn doubling_above(value: f64) -> f64 {
    2.0_f64.powf(value.log2().ceil())
}

/// The powers of two from `low` to `high`; every second one if there are many.
fn doublings(low: f64, high: f64) -> Vec<f64> {
    const MANY: f64 = 9.0;
    let exponents = low.log2().round()..=high.log2().round();
    let step = if exponents.end() - exponents.start() > MANY { 2.0 } else { 1.0 };
    let first = (exponents.start() / step).ceil() * step;
    std::iter::successors(Some(first), |exponent| Some(exponent + step))
        .take_while(|exponent| exponent <= exponents.end())
        .map(f64::exp2)
        .collect()
}

/// A power of two, as a fraction if it is less than 1: `1/8`, `4`.
fn fraction(power: f64) -> String {
    if power < 1.0 { format!("1/{}", 1.0 / power) } else { power.to_string() }
}

/// A line through positions in percent. The plot is scaled, the width of the stroke is not.
fn polyline(class: &str, places: impl Iterator<Item = (f64, f64)>) -> Markup {
    let mut points = String::new();
    for (x, y) in places {
        let _ = write!(points, "{x:.2},{y:.2} ");
    }
    html! {
        svg x="0" y="0" width="100%" height="100%" viewBox="0 0 100 100" preserveAspectRatio="none" {
            polyline class=(class) points=(points.trim_end()) {}
        }
    }
}

/// The cumulative distribution of the fetch times of both sides; `None` without complete fetches.
pub(super) fn distributions(findings: &Findings) -> Option<Markup> {
    let sides: Vec<(&Side, &Distribution, &str)> =
        [(&findings.sequential, "sequential"), (&findings.concurrent, "concurrent")]
            .into_iter()
            .filter_map(|(side, class)| {
                let side = side.as_ref()?;
                Some((side, side.fetch_times.as_ref()?, class))
            })
            .collect();
    let times = || sides.iter().flat_map(|(_, times, _)| &times.percentiles).map(|t| t.value());
    let (shortest, longest) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    if sides.is_empty() || longest <= 0.0 {
        return None;
    }
    let (x, scale) = if longest > 20.0 * shortest.max(longest / 1e4) {
        (Axis::logarithmic(shortest.max(longest / 1e4), longest), " (logarithmic scale)")
    } else {
        (Axis::linear(0.0, longest * 1.02), "")
    };
    let y = Axis::linear(0.0, 100.0);
    Some(html! {
        figure.chart {
            p.ordinate { "share of the fetches" }
            svg.plot.framed height="220" role="img"
                aria-label="Distribution of the fetch times; its percentiles are in the table below." {
                @for percent in [0, 25, 50, 75, 100] {
                    @let at = y.height(f64::from(percent));
                    line.grid x1="0" x2="100%" y1=(at) y2=(at) {}
                    text.tick x="-8" y=(at) text-anchor="end" dominant-baseline="central" { (percent) " %" }
                }
                @for tick in x.ticks(time_label) {
                    line.grid x1=(tick.at) x2=(tick.at) y1="0" y2="100%" {}
                    text.tick x=(tick.at) y="100%" dy="18" text-anchor=(tick.anchor()) { (tick.label) }
                }
                @for (_, times, class) in &sides {
                    (polyline(class, times.percentiles.iter().zip(0_u32..).map(|(time, percent)| {
                        (x.place(time.value()).0, y.height(f64::from(percent)).0)
                    })))
                    circle class=(class) cx=(x.place(times.median.value())) cy="50%" r="4.5" {}
                }
            }
            p.abscissa { "time of a fetch" (scale) }
            ul.legend {
                @for (side, _, class) in &sides {
                    li { i class=(format!("key-{class}")) {}
                        (side.name) }
                }
            }
            figcaption {
                "The share of the fetches that took at most the time on the axis, without queue and waiting. The \
    dots are the medians."
            }
        }
        (percentiles(&sides))
    })
}

/// The distribution in figures.
fn percentiles(sides: &[(&Side, &Distribution, &str)]) -> Markup {
    const ROWS: [(usize, &str); 8] = [
        (0, "Shortest"),
        (10, "10 %"),
        (25, "25 %"),
        (50, "50 %, the median"),
        (75, "75 %"),
        (90, "90 %"),
        (99, "99 %"),
        (100, "Longest"),
    ];
    html! {
        table.figures {
            caption { "The time within which a share of the fetches was complete" }
            thead {
                tr {
                    th scope="col" { "Share of the fetches" }
                    @for (side, ..) in sides {
                        th scope="col" { (side.name) }
                    }
                }
            }
            tbody {
                @for (percent, name) in ROWS {
                    tr {
                        th scope="row" { (name) }
                        @for (_, times, _) in sides { td { (times.percentiles[percent]) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_speedups_are_few_and_short() {
        let labels = |low: f64, high: f64| -> Vec<String> {
            doublings(low, high).into_iter().map(fraction).collect()
        };
        for (low, high, expected) in [
            (0.125, 4.0, &["1/8", "1/4", "1/2", "1", "2", "4"][..]),
            (1.0, 32.0, &["1", "2", "4", "8", "16", "32"]),
            (1.0 / 128.0, 16.0, &["1/64", "1/16", "1/4", "1", "4", "16"]),
        ] {
            assert_eq!(labels(low, high), expected, "{low} to {high}");
        }
    }
}
