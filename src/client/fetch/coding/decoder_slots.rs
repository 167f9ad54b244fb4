//! A limit on the decoders with large windows, which need megabytes of memory each.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::client::stop::{Stop, StopReason};

/// The decoders with large windows that may exist at a time.
#[derive(Debug)]
pub(crate) struct DecoderSlots {
    free: AtomicUsize,
    stop: Stop,
}

/// The right to one decoder; dropping it frees the slot.
pub(crate) struct DecoderSlot<'s>(&'s DecoderSlots);

impl DecoderSlots {
    pub(crate) fn new(count: usize, stop: Stop) -> Self {
        Self { free: AtomicUsize::new(count), stop }
    }

    /// Waits until a slot is free or the run is stopped.
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
            .ok_or_else(|| self.stop.reason().expect("without a slot, only a stop ends the wait"))
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
