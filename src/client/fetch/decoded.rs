//! Where decoded content goes.

use super::coded_content::Sink;
use super::fetcher::Record;
use crate::client::error::FetchError;
use crate::client::observer::Observer;

/// Where decoded content goes, whether it is saved or not.
pub(super) struct Decoded<'r, W> {
    pub(super) index: usize,
    pub(super) record: &'r mut Record,
    pub(super) observer: &'r dyn Observer,
    pub(super) write: W,
}

impl<W: FnMut(&[u8]) -> Result<(), FetchError>> Sink for Decoded<'_, W> {
    fn received(&mut self, bytes: usize) {
        self.record.received += bytes as u64;
        self.observer.received(self.index, bytes);
    }

    fn decoded(&mut self, piece: &[u8]) -> Result<(), FetchError> {
        (self.write)(piece)
    }
}
