//! The outcomes of a run, and their renderings: summary, JSON, HAR.

pub(super) mod har;
pub(super) mod json;
pub(super) mod outcome;
pub(super) mod seconds;
pub(super) mod summary;
