//! What a directory holds, in the order that was asked for.

use super::entries::Entry;
use super::order::Order;
use super::shared::Reading;
use crate::http::TargetPath;
use crate::http::negotiation::MediaType;

/// What a directory holds, as far as it is served.
#[derive(Debug)]
pub(in crate::server) struct Listing {
    /// The directory's decoded segments, from the root downwards.
    pub(super) segments: Vec<Vec<u8>>,
    pub(super) order: Order,
    pub(super) reading: Reading,
}

impl Listing {
    /// The forms of a listing, the first for whoever does not say what it accepts.
    pub(in crate::server) const FORMS: [MediaType; 3] =
        [MediaType::Html, MediaType::Json, MediaType::Plain];

    /// The directory that `path` names, with what was read of it, in the order of the path's query.
    pub(in crate::server::site) fn new(path: &TargetPath, reading: Reading) -> Self {
        let order = Order::from_query(path.query.as_deref().unwrap_or_default());
        Self { segments: path.segments().map(<[u8]>::to_vec).collect(), order, reading }
    }

    /// The entries, directories first, in the order that the query asked for.
    #[cfg(test)]
    pub(in crate::server) fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        (0..self.reading.entries.len()).map(|at| self.reading.entries.in_order(self.order, at))
    }
}

/// What a listing is written of.
#[derive(Clone, Copy)]
pub(super) enum Part<'e> {
    Beginning,
    Entry { entry: Entry<'e>, position: usize },
    End,
}
