//! The access log: one line for each request that was answered.

pub(super) mod access;
pub(super) mod exchange;
pub(super) mod format;
mod time;
