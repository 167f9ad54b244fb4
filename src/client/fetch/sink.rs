//! Where received content goes: into a part file, or nowhere.

use std::ops::ControlFlow;

use crate::client::error::FetchError;
use crate::client::store::hasher::Hasher;
use crate::client::store::part::PartWriter;

/// A destination of content.
pub(super) trait ContentSink {
    /// Appends the next piece of decoded content, and breaks if no more is needed. `is_last` is `true` if
    /// the content is known to end with this piece.
    fn append(&mut self, piece: &[u8], is_last: bool) -> Result<ControlFlow<()>, FetchError>;
}

impl ContentSink for PartWriter {
    fn append(&mut self, piece: &[u8], is_last: bool) -> Result<ControlFlow<()>, FetchError> {
        self.write(piece, is_last).map(ControlFlow::Continue)
    }
}

/// Content that is counted and hashed, but not saved.
pub(super) struct DiscardedContent {
    pub(super) hasher: Hasher,
    pub(super) bytes: u64,
}

impl ContentSink for DiscardedContent {
    fn append(&mut self, piece: &[u8], _is_last: bool) -> Result<ControlFlow<()>, FetchError> {
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        Ok(ControlFlow::Continue(()))
    }
}
