//! The headings of the report of an experiment: one level deeper in a page with several.

use maud::{Markup, html};

/// Where the report of an experiment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outline {
    /// It is the page, whose title is the first level.
    Page,
    /// It is a chapter, whose title is the second level.
    Chapter,
}

impl Outline {
    /// The heading of a section of the report.
    pub(super) fn section(self, text: &str) -> Markup {
        html! { @match self { Self::Page => h2 { (text) }, Self::Chapter => h3 { (text) } } }
    }

    /// The heading of a part of a section.
    pub(super) fn part(self, text: &str) -> Markup {
        html! { @match self { Self::Page => h3 { (text) }, Self::Chapter => h4 { (text) } } }
    }
}
