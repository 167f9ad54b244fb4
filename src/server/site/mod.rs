//! The served directory: finds a path of a request and opens its file, or lists or archives its directory.
//!
//! Confines paths to the root and decides on index files, clean URLs, listings, error pages, media types
//! and precompressed files, and keeps small files in memory.
//! `http` parses paths, and `handler` decides which part of a file is sent.

pub(crate) mod archive;
mod cache;
mod clean_url;
mod content_type;
pub(super) mod error;
pub(super) mod file;
mod file_state;
pub(super) mod listing;
pub(super) mod lookup;
mod opened;
pub(super) mod page_file;
pub(super) mod precompressed;
mod root;
mod root_path;
pub(super) mod settings;
mod sniff;
mod walk;
