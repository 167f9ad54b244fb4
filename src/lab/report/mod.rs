//! The findings as text for a terminal, as JSON for a program, and as one HTML page for a person.
//!
//! Each rendering is a function from [`Findings`](super::findings::Findings) to a string. None computes
//! a figure: they place, draw and name what the findings hold. Several experiments make a [`Series`], which
//! has a table of them all before each one's own report.

mod charts;
mod html;
mod json;
mod plot;
mod series;
mod text;
mod waterfall;

pub use html::html;
pub use json::{SCHEMA, json};
pub use series::{Chapter, Series};
pub use text::text;
