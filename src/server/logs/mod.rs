//! The access log and the buffered writers of log files.

pub(super) mod access;
pub(super) mod exchange;
pub(super) mod format;
mod queue;
pub(super) mod sink;
mod writer;
