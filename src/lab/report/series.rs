//! Renders several experiments: a table of all, then the report of each.

use std::fmt::Write as _;

use maud::html as markup;
use serde::Serialize;

use super::super::figures::percent;
use super::heading::Outline;
use super::html::{experiment, method, page, question};
use super::json::{INDENTED_DEPTH, SCHEMA};
use super::text::{for_terminal, paragraph};
use crate::lab::findings::Findings;
use crate::lab::findings::claim::Claim;
use crate::lab::findings::curve::Speedup;
use crate::lab::findings::side::Side;
use crate::printable::{self, JsonLayout};

/// One experiment of several.
#[derive(Clone, Debug, Serialize)]
pub struct Chapter {
    /// Distinguishes it from the others in a few words.
    pub title: String,
    #[serde(flatten)]
    pub findings: Findings,
}

/// Experiments that are shown together.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    pub title: String,
    /// One or more sentences that apply to all experiments.
    pub introduction: String,
    pub experiments: Vec<Chapter>,
}

/// A row of the table.
struct TableRow<'a> {
    title: &'a str,
    one: String,
    many: String,
    ceiling: String,
    speedup: String,
    /// With its level.
    interval: String,
}

impl<'a> TableRow<'a> {
    fn new(chapter: &'a Chapter) -> Self {
        let findings = &chapter.findings;
        let dash = || "-".to_owned();
        let wall = |side: &Option<Side>| {
            side.as_ref().map_or_else(dash, |side: &Side| side.wall.to_string())
        };
        let level = |point: Speedup| match findings.claim {
            Claim::TooFewPairs => format!("range of {} pairs", findings.pairs.measured),
            _ => percent(point.level),
        };
        let interval = |point: Speedup| match point.interval {
            None => dash(),
            Some((low, high)) => format!("{low} to {high} ({})", level(point)),
        };
        Self {
            title: &chapter.title,
            one: wall(&findings.sequential),
            many: wall(&findings.concurrent),
            speedup: findings
                .speedup
                .map_or_else(|| "none".to_owned(), |point| point.ratio.to_string()),
            interval: findings.speedup.map_or_else(dash, interval),
            ceiling: findings.ceiling.map_or_else(dash, |ceiling| ceiling.to_string()),
        }
    }
}

impl Series {
    /// The introduction and the table as text for a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = String::new();
        let width = self.experiments.iter().map(|chapter| chapter.title.chars().count()).max();
        let width = width.unwrap_or(0);
        let many = self.concurrency();
        paragraph(&mut out, &self.introduction);
        let _ = writeln!(
            out,
            "\n{:<width$} {:>8} {:>8} {:>8} {:>8}  interval",
            "",
            "c = 1",
            format!("c = {many}"),
            "ceiling",
            "speedup"
        );
        for row in self.experiments.iter().map(TableRow::new) {
            let TableRow { title, one, many, ceiling, speedup, interval } = row;
            let _ = writeln!(
                out,
                "{title:<width$} {one:>8} {many:>8} {ceiling:>8} {speedup:>8}  {interval}"
            );
        }
        for_terminal(&out)
    }

    /// The concurrency that is compared with one connection, the same in all experiments.
    fn concurrency(&self) -> usize {
        self.experiments.first().map_or(1, |chapter| chapter.findings.concurrency)
    }

    /// The table and the result of each experiment as text for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = self.table();
        for Chapter { title, findings } in &self.experiments {
            let _ = writeln!(out, "\n{title}");
            paragraph(&mut out, &findings.headline);
            if let Some(limit) = &findings.bottleneck {
                paragraph(&mut out, &format!("What limits it: {}", limit.sentence));
            }
            for note in &findings.notes {
                paragraph(&mut out, &format!("Note: {note}"));
            }
        }
        for_terminal(&out)
    }

    /// One JSON object: `schema`, `title`, `introduction`, and `experiments`, each with its `title` and the
    /// fields of [`Findings`].
    #[must_use]
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: String,
            #[serde(flatten)]
            series: &'a Series,
        }
        let document = Document { schema: format!("{SCHEMA}/series"), series: self };
        printable::json(&document, JsonLayout::IndentedTo(2 + INDENTED_DEPTH)) + "\n"
    }

    /// One self-contained HTML page.
    #[must_use]
    pub fn html(&self) -> String {
        let anchor = |index: usize| format!("experiment-{}", index + 1);
        let content = markup! {
            header {
                h1 { (self.title) }
                p { (self.introduction) }
            }
            section {
                table.figures.series {
                    caption {
                        "The median time of a run with c connections. The ceiling is the speedup of \
                         the best schedule of the same fetches."
                    }
                    thead {
                        tr {
                            th scope="col" { "Experiment" }
                            th scope="col" { "c = 1" }
                            th scope="col" { "c = " (self.concurrency()) }
                            th scope="col" { "Ceiling" }
                            th scope="col" { "Speedup, interval" }
                        }
                    }
                    tbody {
                        @for (index, row) in self.experiments.iter().map(TableRow::new).enumerate() {
                            tr {
                                th scope="row" {
                                    a href={ "#" (anchor(index)) } { (row.title) }
                                }
                                td { (row.one) }
                                td { (row.many) }
                                td { (row.ceiling) }
                                td { strong { (row.speedup) } " " span { (row.interval) } }
                            }
                        }
                    }
                }
            }
            @for (index, Chapter { title, findings }) in self.experiments.iter().enumerate() {
                article id=(anchor(index)) {
                    header {
                        p.kicker { (question(findings)) }
                        h2 { (title) }
                    }
                    (experiment(findings, Outline::Chapter))
                }
            }
            (method())
        };
        page(&self.title, &content)
    }
}
