//! The listing of a directory: its entries in the requested order, written a piece at a time.
//!
//! ```text
//! cache ─▶ reader ─▶ builder ─▶ entries ─▶ contents ─▶ writer ─▶ page, json
//! ```

mod block;
mod builder;
pub(super) mod cache;
pub(crate) mod contents;
pub(super) mod directory_id;
mod entries;
mod entry;
mod failures;
mod json;
mod order;
mod page;
pub(super) mod reader;
pub(crate) mod writer;
