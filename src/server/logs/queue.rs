//! The lines that wait for the writer of a log, and the requests to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

use crate::lock::lock;

/// So many bytes are written at once, without waiting for more.
pub(super) const BATCH_BYTES: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct Shared {
    pub(super) queue: Mutex<Queue>,
    /// Lines have come, or a request to the writer.
    pub(super) filled: Condvar,
    /// The writer has ended.
    pub(super) ended: Condvar,
    /// Lines lost.
    pub(super) dropped: AtomicU64,
    /// Failed attempts to write or to reopen.
    pub(super) failures: AtomicU64,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) lines: Vec<u8>,
    pub(super) wants_reopening: bool,
    pub(super) is_closing: bool,
    pub(super) has_ended: bool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Counts `lines` as lost.
    pub(super) fn count_dropped(&self, lines: &[u8]) {
        let count = lines.split_inclusive(|byte| *byte == b'\n').count() as u64;
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }
}
