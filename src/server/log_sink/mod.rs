//! A log on its way to a file or a stream: the sink, its buffer, and the thread that writes.

mod queue;
pub(super) mod sink;
mod writer;
