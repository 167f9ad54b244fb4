//! The report: a table of text for each row, and JSON for all.

use std::fmt::Write as _;

use serde::Serialize;

use super::machine;
use super::options::Options;
use super::row::{Bound, Contender, Figure, Measured, Row, Target};
use super::statistics::Spread;

/// All that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: String,
    runs: u32,
    seconds: u32,
    rows: Vec<Section>,
}

/// A row.
#[derive(Serialize)]
pub(crate) struct Section {
    id: &'static str,
    title: &'static str,
    programs: Vec<Program>,
    targets: Vec<Verdict>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Program {
    name: &'static str,
    figures: Vec<Column>,
}

/// A figure of a program.
#[derive(Serialize)]
struct Column {
    name: &'static str,
    #[serde(skip)]
    digits: usize,
    rounds: Vec<f64>,
    spread: Spread,
    /// Ours divided by the peer's in the same round; `None` for ours.
    ours_by_this: Option<Spread>,
}

/// A target, and what was measured.
#[derive(Serialize)]
struct Verdict {
    target: String,
    /// `None` if the peer is not installed, or the row was skipped.
    measured: Option<Spread>,
    is_reached: Option<bool>,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        let (runs, seconds) = (options.runs, options.seconds);
        Self { machine: machine::description(), runs, seconds, rows: Vec::new() }
    }

    /// What all rows were measured with.
    pub(crate) fn heading(&self) -> String {
        format!("{}; {} interleaved rounds of {} s", self.machine, self.runs, self.seconds)
    }

    /// Adds a row, and returns it as text.
    pub(crate) fn add(&mut self, row: &Row, measured: &Measured) -> String {
        let section = Section::new(row, measured);
        let text = section.to_text();
        self.rows.push(section);
        text
    }

    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

impl Section {
    fn new(row: &Row, measured: &Measured) -> Self {
        Self {
            id: row.id,
            title: row.title,
            programs: measured.contenders.iter().map(|one| Program::new(one, measured)).collect(),
            targets: row.targets.iter().map(|target| Verdict::new(target, measured)).collect(),
            notes: measured.notes.clone(),
        }
    }

    fn to_text(&self) -> String {
        let mut text = format!("\n{}: {}\n{}", self.id, self.title, aligned(&self.table()));
        for verdict in &self.targets {
            text.extend(["  ", &verdict.to_text(), "\n"]);
        }
        for note in &self.notes {
            text.extend(["  note: ", note, "\n"]);
        }
        text
    }

    /// For each figure a line for each program.
    fn table(&self) -> Vec<[String; 3]> {
        let figures = self.programs.first().map_or(&[][..], |program| &program.figures);
        let mut table = Vec::new();
        for (index, figure) in figures.iter().enumerate() {
            table.push([figure.name, "median [range]", "ours / this"].map(str::to_owned));
            for program in &self.programs {
                let column = &program.figures[index];
                let ratio = column.ours_by_this.filter(|ratio| ratio.median.is_finite());
                let ratio = ratio.map_or_else(String::new, |ratio| ratio.to_text(2));
                let name = format!("  {}", program.name);
                table.push([name, column.spread.to_text(column.digits), ratio]);
            }
        }
        table
    }
}

impl Program {
    fn new(contender: &Contender, measured: &Measured) -> Self {
        let ours = measured.contenders.first().filter(|ours| !std::ptr::eq(*ours, contender));
        let column = |figure: &Figure| {
            let rounds = measured.series(contender, figure.name);
            let ratio = |ours| Spread::of_ratios(&measured.series(ours, figure.name), &rounds);
            Column {
                name: figure.name,
                digits: figure.digits,
                spread: Spread::of(&rounds),
                ours_by_this: ours.map(ratio),
                rounds,
            }
        };
        Self { name: contender.name, figures: measured.figures.iter().map(column).collect() }
    }
}

impl Verdict {
    fn new(target: &Target, measured: &Measured) -> Self {
        let (bound, word) = match target.bound {
            Bound::AtLeast(bound) => (bound, "at least"),
            Bound::AtMost(bound) => (bound, "at most"),
        };
        let of = target.peer.map_or_else(String::new, |peer| format!(" × {peer}"));
        let ours = measured.contenders.first();
        let ours = ours.map(|ours| measured.series(ours, target.figure));
        let spread = match target.peer {
            None => ours.map(|ours| Spread::of(&ours)),
            Some(peer) => ours.zip(measured.contender(peer)).map(|(ours, peer)| {
                Spread::of_ratios(&ours, &measured.series(peer, target.figure))
            }),
        };
        let is_reached = spread.map(|spread| match target.bound {
            Bound::AtLeast(least) => spread.median >= least,
            Bound::AtMost(most) => spread.median <= most,
        });
        Self {
            target: format!("{} {word} {bound}{of}", target.figure),
            measured: spread,
            is_reached,
        }
    }

    fn to_text(&self) -> String {
        let verdict = match (self.measured, self.is_reached) {
            (Some(spread), Some(true)) => format!("{} reached", spread.to_text(2)),
            (Some(spread), _) => format!("{} NOT REACHED", spread.to_text(2)),
            (None, _) => "not measured".to_owned(),
        };
        format!("target: {}: {verdict}", self.target)
    }
}

/// The lines of a table in columns: the first aligned to the left, the others to the right.
fn aligned<const COLUMNS: usize>(table: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for line in table {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in table {
        let mut aligned = format!("  {:<width$}", line[0], width = widths[0]);
        for (width, cell) in widths.iter().zip(line).skip(1) {
            // Writing to a `String` cannot fail.
            let _ = write!(aligned, "   {cell:>width$}");
        }
        text.extend([aligned.trim_end(), "\n"]);
    }
    text
}
