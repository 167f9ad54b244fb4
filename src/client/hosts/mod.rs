//! Whose turn it is, and how many connections each host bears.

pub(super) mod gate;
mod limit;
pub(super) mod queue;
