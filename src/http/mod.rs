//! HTTP/1.1 as bytes and values: no sockets, no files, no threads, no clock.
//!
//! Bytes go in and values come out, so that every rule of RFC 9110 and RFC 9112 that the two programs
//! keep stands here once, as a pure function that a table of cases tests in memory. When to read, how
//! long to wait and what to do with a value is decided in [`net`](crate::net) and above it.

mod headers;
mod method;
mod status;

pub use headers::{Fields, MAX_FIELDS, is_token_byte, parse_decimal, trim_whitespace};
pub use method::{ALLOW, Method};
pub use status::Status;
