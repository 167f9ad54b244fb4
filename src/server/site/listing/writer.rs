//! Writes a listing a piece at a time, so that its size is not limited by memory.

use super::contents::{Listing, ListingPart};
use super::{json, page};
use crate::http::negotiation::MediaType;

/// Least size of a piece, except the last. A piece is longer by less than one entry.
const PIECE_BYTES: usize = 16 * 1024;

/// Writes a listing in one of its forms.
#[derive(Debug)]
pub(crate) struct ListingWriter<'l> {
    listing: &'l Listing,
    form: MediaType,
    state: State,
}

/// The part that is written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Beginning,
    /// The entry at this position.
    Entries(usize),
    Complete,
}

impl<'l> ListingWriter<'l> {
    /// Begins to write `listing` in one of its [forms](Listing::FORMS).
    #[must_use]
    pub(crate) fn new(listing: &'l Listing, form: MediaType) -> Self {
        Self { listing, form, state: State::Beginning }
    }

    /// Whether the whole listing has been written.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Appends the next piece. It is empty only if the whole listing is.
    pub(crate) fn write_next(&mut self, out: &mut String) {
        let end = out.len() + PIECE_BYTES;
        while out.len() < end && !self.is_complete() {
            let entries = &self.listing.shared.entries;
            let (part, next) = match self.state {
                State::Beginning => (ListingPart::Beginning, State::Entries(0)),
                State::Entries(position) if position < entries.len() => {
                    let entry = entries.in_order(self.listing.order, position);
                    (ListingPart::Entry { entry, position }, State::Entries(position + 1))
                }
                State::Entries(_) | State::Complete => (ListingPart::End, State::Complete),
            };
            write(self.listing, part, self.form, out);
            self.state = next;
        }
    }
}

fn write(listing: &Listing, part: ListingPart<'_>, form: MediaType, out: &mut String) {
    match (form, part) {
        (MediaType::Html, _) => page::write(listing, part, out),
        (MediaType::Json, _) => json::write(listing, part, out),
        (MediaType::Plain, ListingPart::Entry { entry, .. }) => {
            out.push_str(&entry.reference());
            out.push('\n');
        }
        (MediaType::Plain, ListingPart::Beginning | ListingPart::End) => {}
    }
}

#[cfg(test)]
mod tests;
