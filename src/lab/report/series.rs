//! Several experiments side by side: a table of them all, then each one's own report.

use std::fmt::Write as _;

use maud::html as markup;
use serde::Serialize;

use super::super::findings::{Findings, Point, Side};
use super::super::statistics::FEWEST_PAIRS;
use super::html::{experiment, method, page, question};
use super::json::SCHEMA;
use super::text::{for_terminal, paragraph};
use crate::printable::{self, JsonLayout};

/// One experiment of several.
#[derive(Clone, Debug, Serialize)]
pub struct Chapter {
    /// What sets it apart from the others, in a few words.
    pub title: String,
    #[serde(flatten)]
    pub findings: Findings,
}

/// Experiments that are shown together.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    pub title: String,
    /// What a reader has to know of all of them.
    pub introduction: String,
    pub experiments: Vec<Chapter>,
}

/// A line of the table: what stands in its columns.
struct Line<'a> {
    title: &'a str,
    one: String,
    many: String,
    ceiling: String,
    speedup: String,
    /// Of too few pairs it is their range, and says so.
    interval: String,
}

impl<'a> Line<'a> {
    fn new(chapter: &'a Chapter) -> Self {
        let findings = &chapter.findings;
        let dash = || "-".to_owned();
        let wall = |side: &Option<Side>| {
            side.as_ref().map_or_else(dash, |side: &Side| side.wall.to_string())
        };
        let pairs = findings.pairs.measured;
        let interval = |point: Point| match point.interval {
            None => dash(),
            Some((low, high)) if pairs < FEWEST_PAIRS => {
                format!("{low} to {high}, of {pairs} pairs")
            }
            Some((low, high)) => format!("{low} to {high}"),
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
    /// The introduction and the table, as lines of text for a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = String::new();
        let width = self.experiments.iter().map(|chapter| chapter.title.chars().count()).max();
        let width = width.unwrap_or(0);
        let many = self.concurrency();
        paragraph(&mut out, &self.introduction);
        let _ = writeln!(
            out,
            "\n{:<width$} {:>8} {:>8} {:>8} {:>8}  95 % interval",
            "",
            "c = 1",
            format!("c = {many}"),
            "ceiling",
            "speedup"
        );
        for line in self.experiments.iter().map(Line::new) {
            let Line { title, one, many, ceiling, speedup, interval } = line;
            let _ = writeln!(
                out,
                "{title:<width$} {one:>8} {many:>8} {ceiling:>8} {speedup:>8}  {interval}"
            );
        }
        for_terminal(&out)
    }

    /// The connections that are compared with one, the same in all experiments.
    fn concurrency(&self) -> usize {
        self.experiments.first().map_or(1, |chapter| chapter.findings.concurrency)
    }

    /// The table and each experiment's answer, as lines of text for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = self.table();
        for Chapter { title, findings } in &self.experiments {
            let _ = writeln!(out, "\n{title}");
            paragraph(&mut out, &findings.headline);
            if let Some(limit) = &findings.limit {
                paragraph(&mut out, &format!("What limits it: {}", limit.sentence));
            }
            for note in &findings.notes {
                paragraph(&mut out, &format!("Note: {note}"));
            }
        }
        for_terminal(&out)
    }

    /// One JSON object: `schema`, the title, the introduction, and `experiments`, each of which has its
    /// `title` and the fields of [`Findings`].
    #[must_use]
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: String,
            #[serde(flatten)]
            series: &'a Series,
        }
        let document = Document { schema: format!("{SCHEMA}/series"), series: self };
        printable::json(&document, JsonLayout::Indented) + "\n"
    }

    /// One page, which needs nothing but itself.
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
                    thead {
                        tr {
                            th scope="col" { "Experiment" }
                            th scope="col" { "c = 1" }
                            th scope="col" { "c = " (self.concurrency()) }
                            th scope="col" { "Ceiling" }
                            th scope="col" { "Speedup " span { "(95 % interval)" } }
                        }
                    }
                    tbody {
                        @for (index, line) in self.experiments.iter().map(Line::new).enumerate() {
                            tr {
                                th scope="row" {
                                    a href={ "#" (anchor(index)) } { (line.title) }
                                }
                                td { (line.one) }
                                td { (line.many) }
                                td { (line.ceiling) }
                                td { strong { (line.speedup) } " " span { "(" (line.interval) ")" } }
                            }
                        }
                    }
                }
                p.caption {
                    "The median time of a run with c connections. The ceiling is the lesser of c and the time \
                     of all fetches over that of the longest."
                }
            }
            @for (index, Chapter { title, findings }) in self.experiments.iter().enumerate() {
                article id=(anchor(index)) {
                    header {
                        p.kicker { (question(findings)) }
                        h1 { (title) }
                    }
                    (experiment(findings))
                }
            }
            (method())
        };
        page(&self.title, &content)
    }
}
