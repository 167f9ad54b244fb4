//! Listings of directories, beyond their form.

mod failures;
mod pieces;
mod readers;
