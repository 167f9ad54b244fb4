//! The listing of a directory: its entries, in the order that was asked for, written piece by piece.
//!
//! How a directory is read, which of its entries are shown, and how one reading is shared is up to
//! `reading`, `entries` and `shared`. How the listing looks as a page or as JSON is written in the modules
//! of those names.

pub(crate) mod contents;
mod entries;
mod failures;
mod identity;
mod json;
mod order;
mod page;
pub(crate) mod pieces;
pub(super) mod reading;
pub(super) mod shared;
