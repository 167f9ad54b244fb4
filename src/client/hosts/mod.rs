//! The queue of jobs of each host, and how many connections the host allows.

pub(super) mod gate;
pub(super) mod host;
mod host_table;
mod limit;
pub(super) mod opening;
mod opening_bound;
pub(super) mod queue;
