//! The access log, and writers of log files that never block.
//!
//! ```text
//! access ─▶ format ─▶ sink ─▶ queue ─▶ writer ─▶ file or stream
//! ```

pub(super) mod access;
pub(super) mod exchange;
pub(super) mod format;
mod queue;
pub(super) mod sink;
mod writer;
