//! A listing: the entries of a directory, in the requested order.

use super::cache::SharedEntries;
use super::entry::Entry;
use super::order::Order;
use crate::http::TargetPath;
use crate::http::negotiation::MediaType;

/// The entries of a directory that are served.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The decoded segments of the directory's path.
    pub(super) segments: Vec<Vec<u8>>,
    pub(super) order: Order,
    pub(super) shared: SharedEntries,
}

impl Listing {
    /// The forms of a listing; the first is the default.
    pub(crate) const FORMS: [MediaType; 3] = [MediaType::Html, MediaType::Json, MediaType::Plain];

    /// Lists the directory at `path` in the order that its query asks for.
    pub(in crate::server::site) fn new(path: &TargetPath, shared: SharedEntries) -> Self {
        let order = Order::from_query(path.query.as_deref().unwrap_or_default());
        Self { segments: path.segments().map(<[u8]>::to_vec).collect(), order, shared }
    }

    /// The entries in the requested order, directories first.
    #[cfg(test)]
    pub(in crate::server::site) fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        (0..self.shared.entries.len()).map(|at| self.shared.entries.in_order(self.order, at))
    }
}

/// A part of a written listing.
#[derive(Clone, Copy)]
pub(super) enum ListingPart<'e> {
    Beginning,
    Entry { entry: Entry<'e>, position: usize },
    End,
}
