//! A listing, written piece by piece in one of its forms.
//!
//! How it looks as a page or as JSON is written in the modules of those names.

use super::contents::{Listing, Part};
use super::{json, page};
use crate::http::negotiation::MediaType;

/// A piece of a listing is at least this long, but for the last, and longer by less than an entry.
const PIECE_BYTES: usize = 16 * 1024;

/// A listing that is written piece by piece.
#[derive(Debug)]
pub(in crate::server) struct Pieces<'l> {
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

impl<'l> Pieces<'l> {
    /// The listing in one of its forms, of which nothing has been written.
    #[must_use]
    pub(in crate::server) fn new(listing: &'l Listing, form: MediaType) -> Self {
        Self { listing, form, state: State::Beginning }
    }

    /// All has been written.
    #[must_use]
    pub(in crate::server) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Appends the next piece, which is empty only where a whole listing is.
    pub(in crate::server) fn write_next(&mut self, out: &mut String) {
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
            write(self.listing, part, self.form, out);
            self.state = next;
        }
    }
}

fn write(listing: &Listing, part: Part<'_>, form: MediaType, out: &mut String) {
    match (form, part) {
        (MediaType::Html, _) => page::write(listing, part, out),
        (MediaType::Json, _) => json::write(listing, part, out),
        (MediaType::Plain, Part::Entry { entry, .. }) => {
            out.push_str(&entry.reference());
            out.push('\n');
        }
        (MediaType::Plain, Part::Beginning | Part::End) => {}
    }
}

#[cfg(test)]
mod tests;
