//! Several experiments side by side: a table of them all, then each one's own report.

use std::fmt::Write as _;

use maud::html as markup;
use serde::Serialize;

use super::super::findings::{Findings, Point, Side};
use super::html::{experiment, method, page, question};
use super::json::SCHEMA;
use super::text::{paragraph, printable};

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
    speedup: String,
    interval: String,
    ceiling: String,
}

impl<'a> Line<'a> {
    fn new(chapter: &'a Chapter) -> Self {
        let findings = &chapter.findings;
        let dash = || "-".to_owned();
        let wall = |side: &Option<Side>| {
            side.as_ref().map_or_else(dash, |side: &Side| side.wall.to_string())
        };
        let interval = |point: Point| {
            point.interval.map_or_else(dash, |(low, high)| format!("{low} to {high}"))
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
        let many = self.experiments.first().map_or(1, |chapter| chapter.findings.concurrency);
        paragraph(&mut out, &self.introduction);
        let _ = writeln!(
            out,
            "\n{:<width$} {:>8} {:>8} {:>8}  {:<15}{:>8}",
            "",
            "c = 1",
            format!("c = {many}"),
            "speedup",
            "95 % interval",
            "ceiling"
        );
        for line in self.experiments.iter().map(Line::new) {
            let Line { title, one, many, speedup, interval, ceiling } = line;
            let _ = writeln!(
                out,
                "{title:<width$} {one:>8} {many:>8} {speedup:>8}  {interval:<15}{ceiling:>8}"
            );
        }
        printable(&out)
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
        printable(&out)
    }

    /// One JSON object: `schema`, the title, the introduction, and `experiments`, each of which has its
    /// `title` and the fields of [`Findings`].
    ///
    /// # Panics
    ///
    /// Never: a series holds strings, finite numbers and lists of them.
    #[must_use]
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: String,
            #[serde(flatten)]
            series: &'a Series,
        }
        let document = Document { schema: format!("{SCHEMA}/series"), series: self };
        serde_json::to_string_pretty(&document).expect("a series has string keys") + "\n"
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
                table.figures {
                    thead {
                        tr {
                            th scope="col" { "Experiment" }
                            th scope="col" { "One connection" }
                            th scope="col" { "Several" }
                            th scope="col" { "Speedup " span { "(95 % interval)" } }
                            th scope="col" { "Ceiling" }
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
                                td { strong { (line.speedup) } " " span { "(" (line.interval) ")" } }
                                td { (line.ceiling) }
                            }
                        }
                    }
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
