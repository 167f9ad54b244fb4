//! The rows of a waterfall with too many fetches to draw them individually: each row is divided into bins of
//! time, and each bin is filled by the fraction of its time that each phase took.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::phases::{Bar, PHASES, bars};
use super::plot::Axis;
use crate::lab::measurement::RunRecord;
use crate::lab::statistics::as_f64;

/// The number of bins of a row.
const BINS: usize = 160;

/// The fraction of a bin that each phase took, 0 to 1.
type Bin = [f64; PHASES.len()];

/// The lanes of a run in rows of `pitch` pixels, each of which stands for `group` lanes.
pub(super) fn rows(run: &RunRecord, axis: &Axis, group: usize, pitch: usize) -> Markup {
    let height = pitch - 2;
    html! {
        @for (row, bins) in bins(run, axis, group).iter().enumerate() {
            svg x="0" y=(row * pitch + 1) width="100%" height=(height) preserveAspectRatio="none"
                viewBox=(format!("0 0 {BINS} {height}")) {
                @for (index, drawn) in PHASES.iter().enumerate() {
                    @if let Some(path) = area(bins, index, height) { path class=(drawn.class) d=(path) {} }
                }
            }
        }
    }
}

/// The bins of each row.
fn bins(run: &RunRecord, axis: &Axis, group: usize) -> Vec<Vec<Bin>> {
    let lanes = run.lanes();
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

/// The SVG path of a phase's area in a row of `height` pixels, stacked on the phases before it; `None` if it is
/// not visible.
fn area(bins: &[Bin], phase: usize, height: usize) -> Option<String> {
    if bins.iter().all(|bin| bin[phase] < 0.005) {
        return None;
    }
    // The y axis of SVG points downwards: `height` is the bottom of the row.
    let edge = |bin: usize, phases: usize| {
        let share: f64 = bins[bin][..phases].iter().sum();
        let from_top = (1.0 - share.clamp(0.0, 1.0)) * as_f64(height);
        // Tenths of a pixel are as exact as a screen.
        (from_top * 10.0).round() / 10.0
    };
    let mut now = edge(0, phase + 1);
    let mut path = format!("M0 {now}");
    for bin in 1..BINS {
        let next = edge(bin, phase + 1);
        if next.to_bits() != now.to_bits() {
            let _ = write!(path, "H{bin}V{next}");
            now = next;
        }
    }
    now = edge(BINS - 1, phase);
    let _ = write!(path, "H{BINS}V{now}");
    for bin in (0..BINS - 1).rev() {
        let next = edge(bin, phase);
        if next.to_bits() != now.to_bits() {
            let _ = write!(path, "H{}V{next}", bin + 1);
            now = next;
        }
    }
    path.push_str("H0Z");
    Some(path)
}
