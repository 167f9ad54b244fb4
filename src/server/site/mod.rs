//! What is served: a path of a request in, an opened file out.
//!
//! Owns the way from a decoded path to a representation: confinement to the root, index files,
//! listings, media types. What a path is, the request target has decided; what is sent of a file, and under which
//! conditions, is the business of whoever asked.

mod content_type;
pub(super) mod error;
pub(super) mod file;
pub(super) mod listing;
pub(super) mod lookup;
mod opened;
pub(super) mod precompressed;
mod root;
mod root_path;
pub(super) mod settings;
mod sniff;
mod walk;
