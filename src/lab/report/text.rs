//! Renders the findings as text for a terminal: printable characters, at most 80 columns except for URLs.

use std::fmt::Write as _;

use super::super::figures::{Seconds, counted};
use crate::lab::findings::Findings;
use crate::lab::findings::curve::{Curve, Speedup};
use crate::lab::findings::side::{Distribution, Side};
use crate::lab::statistics::as_f64;
use crate::printable::is_printable;

const COLUMNS: usize = 78;
const MIN_PLOT_COLUMNS: usize = 20;
/// Marks the row of the knee of the curve.
const KNEE: &str = " knee";

/// Renders the text.
#[must_use]
pub fn text(findings: &Findings) -> String {
    let mut out = String::new();
    paragraph(&mut out, &findings.headline);
    if let Some(limit) = &findings.bottleneck {
        paragraph(&mut out, &format!("What limits it: {}", limit.sentence));
    }
    out.push('\n');
    sides(&mut out, findings);
    if let Some(curve) = &findings.curve {
        draw(&mut out, curve, &findings.interval_name());
    }
    for note in &findings.notes {
        paragraph(&mut out, &format!("Note: {note}"));
    }
    for_terminal(&out)
}

/// The table of both sides, and the figures below it.
fn sides(out: &mut String, findings: &Findings) {
    let workload = &findings.workload;
    let row = |out: &mut String, name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<22}{value}");
    };
    let hosts = match &workload.hosts[..] {
        [host] => host.clone(),
        hosts => counted(hosts.len(), "host", "hosts"),
    };
    row(out, "files", &format!("{} from {hosts}", counted(workload.urls, "file", "files")));
    row(out, "lengths", &workload.lengths());
    let pairs = findings.pairs;
    row(out, "pairs of runs", &format!("{} of {}", pairs.measured, pairs.planned));
    if let (Some(one), Some(many)) = (&findings.sequential, &findings.concurrent) {
        let both =
            |figure: &dyn Fn(&Side) -> String| format!("{:<24}{}", figure(one), figure(many));
        let mut line = |name: &str, figure: &dyn Fn(&Side) -> String| row(out, name, &both(figure));
        line("", &|side| side.name.clone());
        line("median run", &|side| side.wall.to_string());
        line("quartiles of runs", &|side| range(side.lower_quartile, side.upper_quartile));
        line("rate", &|side| side.rate.to_string());
        line("achieved concurrency", &|side| side.achieved_concurrency.to_string());
        line("median fetch", &|side| fetch_time(side, |times| times.median));
        line("longest fetch", &|side| fetch_time(side, |times| times.longest));
        line("retries, rejections", &|side| format!("{}, {}", side.retries, side.rejections));
        line("waiting, all runs", &|side| side.waiting.to_string());
        if let Some(limit) = many.host_limit {
            row(out, "host accepts", &counted(limit, "connection", "connections"));
        }
    }
    if let Some(speedup) = &findings.speedup {
        row(out, "median paired ratio", &with_interval(speedup, &findings.interval_name()));
    }
    if let Some(ceiling) = findings.ceiling {
        row(out, "ceiling", &format!("{ceiling}  (the best schedule of the same fetches)"));
    }
}

fn range(low: Seconds, high: Seconds) -> String {
    format!("{low} to {high}")
}

fn fetch_time(side: &Side, figure: fn(&Distribution) -> Seconds) -> String {
    side.fetch_times.as_ref().map_or_else(|| "-".to_owned(), |times| figure(times).to_string())
}

fn with_interval(point: &Speedup, name: &str) -> String {
    match point.interval {
        Some((low, high)) => format!("{}  ({name} {low} to {high})", point.ratio),
        None => point.ratio.to_string(),
    }
}

/// The curve: one row for each level, with the speedup as the horizontal axis.
fn draw(out: &mut String, curve: &Curve, interval: &str) {
    let table = LevelTable::new(curve, interval);
    let beside = table.line(&table.title, "|").chars().count() + KNEE.len();
    let plot_columns = COLUMNS.saturating_sub(beside).max(MIN_PLOT_COLUMNS);
    let high = |point: &Speedup| point.interval.map_or(point.ratio, |(_, high)| high).value();
    let end = curve.points.iter().map(high).fold(1.0, f64::max) * 1.05;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a column of a terminal"
    )]
    let column = |speedup: f64| {
        ((speedup / end * as_f64(plot_columns - 1)).round().max(0.0) as usize).min(plot_columns - 1)
    };
    let mut write = |cells: &[String; 3], border: &str, plot: &str| {
        let _ = writeln!(out, "{}", (table.line(cells, border) + plot).trim_end());
    };
    write(&Default::default(), "", "");
    write(&table.title, "  ", "o measured, - interval, : ideal");
    for (point, cells) in curve.points.iter().zip(&table.rows) {
        let mut plot = vec![b' '; plot_columns];
        if as_f64(point.concurrency) <= end {
            plot[column(as_f64(point.concurrency))] = b':';
        }
        if let Some((low, high)) = point.interval {
            plot[column(low.value())..=column(high.value())].fill(b'-');
        }
        plot[column(point.ratio.value())] = b'o';
        let knee = if curve.has_knee_at(point.concurrency) { KNEE } else { "" };
        write(cells, "|", &(String::from_utf8_lossy(&plot) + knee));
    }
    // The number 1 is below the mark of 1, and 0 below the border.
    let (no_cells, one) = (Default::default(), column(1.0) + 1);
    let rest = plot_columns - one;
    write(&no_cells, "+", &"-".repeat(plot_columns));
    write(&no_cells, "0", &format!("{:>one$}{:>rest$}", "1", " speedup"));
    out.push('\n');
    for note in &curve.notes {
        paragraph(out, note);
    }
}

/// The columns beside the curve: the number of connections, the speedup, its interval.
struct LevelTable {
    title: [String; 3],
    rows: Vec<[String; 3]>,
    widths: [usize; 3],
}

impl LevelTable {
    fn new(curve: &Curve, interval: &str) -> Self {
        let title = ["c".to_owned(), "speedup".to_owned(), interval.to_owned()];
        let interval = |(low, high)| format!("{low} to {high}");
        let row = |point: &Speedup| {
            let interval = point.interval.map(interval).unwrap_or_default();
            [point.concurrency.to_string(), point.ratio.to_string(), interval]
        };
        let rows: Vec<_> = curve.points.iter().map(row).collect();
        let width = |cell: usize| {
            let cells = rows.iter().chain([&title]).map(|row| row[cell].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths = [width(0), width(1), width(2)];
        Self { title, rows, widths }
    }

    /// A row up to the plot.
    fn line(&self, [concurrency, ratio, interval]: &[String; 3], border: &str) -> String {
        let [first, second, third] = self.widths;
        format!("  {concurrency:>first$}  {ratio:>second$}  {interval:<third$} {border}")
    }
}

/// Appends a paragraph, wrapped between words.
pub(super) fn paragraph(out: &mut String, text: &str) {
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > COLUMNS {
            out.push_str("\n  ");
            column = 2;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
}

/// Replaces unprintable characters, which may come from a path or a server, by one `?` each, so that columns
/// stay aligned.
pub(super) fn for_terminal(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || is_printable(c) { c } else { '?' }).collect()
}
