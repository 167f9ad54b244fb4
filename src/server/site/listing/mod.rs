//! The listing of a directory: its entries, in the order that was asked for, written piece by piece.
//!
//! How a directory is read, which of its entries are shown, and how one reading is shared is up to
//! `reading`, `entries` and `shared`. How the listing looks as a page or as JSON is written in the modules
//! of those names.

mod entries;
mod failures;
mod json;
mod order;
mod page;
mod reading;
mod shared;

pub use entries::{Entry, EntryKind};
pub use order::{Direction, Order, SortBy};
pub(super) use reading::DirectoryReader;
pub(super) use shared::SharedReadings;

use crate::http::negotiation::MediaType;
use crate::http::{TargetPath, encode_segment};
use shared::Reading;

/// A piece of a listing is at least this long, but for the last, and longer by less than an entry.
const PIECE_BYTES: usize = 16 * 1024;

/// What a directory holds, as far as it is served.
#[derive(Debug)]
pub struct Listing {
    /// The directory's decoded segments, from the root downwards.
    segments: Vec<Vec<u8>>,
    order: Order,
    reading: Reading,
}

impl Listing {
    /// The forms of a listing, the first for whoever does not say what it accepts.
    pub const FORMS: [MediaType; 3] = [MediaType::Html, MediaType::Json, MediaType::Plain];

    /// The directory that `path` names, with what was read of it, in the order of the path's query.
    pub(super) fn new(path: &TargetPath, reading: Reading) -> Self {
        let order = Order::from_query(path.query.as_deref().unwrap_or_default());
        Self { segments: path.segments().map(<[u8]>::to_vec).collect(), order, reading }
    }

    /// The entries, directories first, in the order that the query asked for.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        (0..self.reading.entries.len()).map(|at| self.reading.entries.in_order(self.order, at))
    }

    /// The listing in one of its forms, to be written piece by piece.
    #[must_use]
    pub fn pieces(&self, form: MediaType) -> Pieces<'_> {
        Pieces { listing: self, form, state: State::Beginning }
    }

    fn write(&self, part: Part<'_>, form: MediaType, out: &mut String) {
        match (form, part) {
            (MediaType::Html, _) => page::write(self, part, out),
            (MediaType::Json, _) => json::write(self, part, out),
            (MediaType::Plain, Part::Entry { entry, .. }) => {
                out.push_str(&entry.reference());
                out.push('\n');
            }
            (MediaType::Plain, Part::Beginning | Part::End) => {}
        }
    }
}

/// What a listing is written of.
#[derive(Clone, Copy)]
enum Part<'e> {
    Beginning,
    Entry { entry: Entry<'e>, position: usize },
    End,
}

/// A listing that is written piece by piece.
#[derive(Debug)]
pub struct Pieces<'l> {
    listing: &'l Listing,
    form: MediaType,
    state: State,
}

/// How far a listing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Beginning,
    /// The position of the next entry.
    Entries(usize),
    Complete,
}

impl Pieces<'_> {
    /// All has been written.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Appends the next piece, which is empty only where a whole listing is.
    pub fn write_next(&mut self, out: &mut String) {
        let end = out.len() + PIECE_BYTES;
        while out.len() < end && !self.is_complete() {
            let entries = &self.listing.reading.entries;
            let (part, next) = match self.state {
                State::Beginning => (Part::Beginning, State::Entries(0)),
                State::Entries(position) if position < entries.len() => {
                    let entry = entries.in_order(self.listing.order, position);
                    (Part::Entry { entry, position }, State::Entries(position + 1))
                }
                State::Entries(_) | State::Complete => (Part::End, State::Complete),
            };
            self.listing.write(part, self.form, out);
            self.state = next;
        }
    }
}

impl Entry<'_> {
    /// The entry as a reference relative to its directory: its encoded name, a directory's with `/`.
    #[must_use]
    pub fn reference(&self) -> String {
        let slash = if self.kind == EntryKind::Directory { "/" } else { "" };
        format!("{}{slash}", encode_segment(self.name))
    }
}

#[cfg(test)]
mod tests;
