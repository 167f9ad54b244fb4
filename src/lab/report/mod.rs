//! Renders the findings as text for a terminal, as JSON for programs, and as an HTML page.
//!
//! Each rendering is a function from [`Findings`](super::findings::Findings) to a string and computes no
//! figures. A [`Series`] shows several experiments: a table of all, then the report of each.

mod bins;
mod charts;
mod fetches;
mod heading;
mod html;
mod json;
mod phases;
mod plot;
mod series;
mod style;
mod text;
mod urls;
mod waterfall;

pub use html::html;
pub use json::{SCHEMA, json};
pub use series::{Chapter, Series};
pub use text::text;
