//! A row of the report: what it measures, and its targets.

use super::rounds::Interrupted;
use super::servers::program::Program;
use super::site::Site;

/// A row.
pub(crate) struct Row {
    /// Its name for `--only`.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// Programs without which it cannot be measured.
    pub(crate) needs: &'static [&'static Program],
    pub(crate) targets: &'static [Target],
    pub(crate) measure: fn(&Setting<'_>) -> anyhow::Result<Measured>,
}

/// What all rows are measured with.
pub(crate) struct Setting<'a> {
    pub(crate) site: &'a Site,
    pub(crate) rounds: u32,
    /// The duration of one measurement under load.
    pub(crate) seconds: u32,
    pub(crate) interrupted: Interrupted,
}

/// A bound that the median of a figure should keep.
pub(crate) struct Target {
    /// A name in `Measured::figures`.
    pub(crate) figure: &'static str,
    pub(crate) bound: Bound,
    /// The peer to whose figure in the same round the ratio is taken; `None` bounds the figure itself.
    pub(crate) peer: Option<&'static str>,
}

#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// The figures of a row.
pub(crate) struct Measured {
    pub(crate) figures: &'static [Figure],
    /// Ours comes first.
    pub(crate) contenders: Vec<Contender>,
    /// What else was seen, such as errors.
    pub(crate) notes: Vec<String>,
}

/// What is measured of each contender in each round.
pub(crate) struct Figure {
    /// With its unit.
    pub(crate) name: &'static str,
    /// Digits after the point.
    pub(crate) digits: usize,
}

/// A program with its figures.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// For each round the figures, in the order of `Measured::figures`.
    pub(crate) rounds: Vec<Vec<f64>>,
}

/// The figure should be at least this many times the peer's.
pub(crate) const fn at_least(times: f64, figure: &'static str, peer: &'static str) -> Target {
    Target { figure, bound: Bound::AtLeast(times), peer: Some(peer) }
}

/// The figure should be at most this many times the peer's.
pub(crate) const fn at_most(times: f64, figure: &'static str, peer: &'static str) -> Target {
    Target { figure, bound: Bound::AtMost(times), peer: Some(peer) }
}

/// The figure itself should be at most this.
pub(crate) const fn limit(most: f64, figure: &'static str) -> Target {
    Target { figure, bound: Bound::AtMost(most), peer: None }
}

impl Measured {
    /// The figures named `name` of a contender, round by round.
    ///
    /// # Panics
    ///
    /// Panics if no figure has the name.
    pub(crate) fn series(&self, contender: &Contender, name: &str) -> Vec<f64> {
        let index = self.figures.iter().position(|figure| figure.name == name);
        let index = index.expect("a row's targets name its figures");
        contender.rounds.iter().map(|round| round[index]).collect()
    }

    /// Of a row that cannot be measured here.
    pub(crate) fn skipped(reason: &dyn std::error::Error) -> Self {
        Self { figures: &[], contenders: Vec::new(), notes: vec![format!("skipped: {reason}")] }
    }

    pub(crate) fn with_note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    pub(crate) fn contender(&self, name: &str) -> Option<&Contender> {
        self.contenders.iter().find(|contender| contender.name == name)
    }
}
