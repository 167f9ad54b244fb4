//! Which job starts next, and how many connections each host accepts.

pub(super) mod gate;
pub(super) mod host;
mod host_table;
mod limit;
pub(super) mod queue;
