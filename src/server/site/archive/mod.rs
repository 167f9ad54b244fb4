//! A directory as a tar archive, written while it is sent.
//!
//! ```text
//! source ─▶ contents ─▶ members ─▶ header ─▶ writer
//! ```
//! It has what a visitor of the site is shown: of a directory with an index file that file, of another one
//! what its listing has. Only the entries of the directories on the way to the current member are in memory,
//! shared with other archives and listings of them. Connections send the content of long files themselves.

pub(crate) mod contents;
pub(crate) mod error;
mod header;
mod members;
pub(super) mod source;
#[cfg(test)]
mod tests;
pub(crate) mod writer;
