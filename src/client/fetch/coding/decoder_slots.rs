//! A limit on the decoders of large windows, whose memory is megabytes each.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::client::stop::{Stop, StopReason};

/// How many contents may be decoded at a time by decoders that need megabytes of memory.
#[derive(Debug)]
pub(crate) struct DecoderSlots {
    free: AtomicUsize,
    stop: Stop,
}

/// A place among those; dropped, it is free for another.
pub(crate) struct DecoderSlot<'s>(&'s DecoderSlots);

impl DecoderSlots {
    pub(crate) fn new(count: usize, stop: Stop) -> Self {
        Self { free: AtomicUsize::new(count), stop }
    }

    /// Waits until there is a place, or the run is stopped.
    pub(crate) fn take(&self) -> Result<DecoderSlot<'_>, StopReason> {
        let slot = Cell::new(None);
        self.stop.wait_until(None, || {
            let one_less = |free: usize| free.checked_sub(1);
            let taken = self.free.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
            let is_free = taken.is_ok();
            slot.set(is_free.then(|| DecoderSlot(self)));
            is_free
        });
        slot.take()
            .ok_or_else(|| self.stop.reason().expect("only a stop ends the wait without one"))
    }
}

impl Drop for DecoderSlot<'_> {
    fn drop(&mut self) {
        let free = self.0.free.fetch_add(1, Ordering::SeqCst);
        if free == 0 {
            self.0.stop.wake();
        }
    }
}
