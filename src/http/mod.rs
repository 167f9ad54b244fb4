//! HTTP/1.1 as bytes and values: no sockets, no files, no threads, no clock.
//!
//! Bytes go in and values come out, so that every rule of RFC 9110 and RFC 9112 that the two programs
//! keep stands here once, as a pure function that a table of cases tests in memory. When to read, how
//! long to wait and what to do with a value is decided in [`net`](crate::net) and above it.

mod byteranges;
mod chunked;
mod coding;
pub mod conditional;
pub mod content_disposition;
mod content_range;
pub mod date;
mod entity_tag;
mod error;
mod fields;
mod framing;
mod head_scan;
mod head_writer;
mod host;
mod method;
pub mod negotiation;
mod parameters;
mod percent;
mod persistence;
pub mod range;
pub mod rate_limit;
mod request_head;
mod request_scan;
mod response_head;
mod status;
mod structured_fields;
mod syntax;
mod target;
#[cfg(test)]
pub(crate) mod test_fields;
mod version;

pub use byteranges::Byteranges;
pub use chunked::{
    ChunkDecoder, ChunkError, Decoded, LAST_CHUNK, MAX_EXTENSION_BYTES, MAX_TRAILER_BYTES,
    write_chunk,
};
pub use coding::{Coding, ContentCoding};
pub use content_range::ContentRange;
pub use entity_tag::{EntityTag, FileTag, FileVersion, Strength};
pub use error::RequestError;
pub use fields::{Fields, MAX_FIELDS};
pub use framing::{
    Answering, Framing, FramingError, expects_continue, request_framing, response_framing,
};
pub use head_scan::{
    HeadLimits, HeadScan, MAX_EMPTY_LINES_BYTES, MAX_FIELD_SECTION_BYTES, MAX_START_LINE_BYTES,
    Oversize, RESPONSE_LIMITS,
};
pub use head_writer::HeadWriter;
pub use host::{Host, is_host, parse_host};
pub use method::{ALLOW, Method};
pub use percent::encode_segment;
pub use persistence::{Persistence, asks_to_persist, response_persists};
pub use request_head::RequestHead;
pub use request_scan::RequestScan;
pub use response_head::{MAX_RESPONSE_FIELDS, ResponseHead, ResponseHeadError};
pub use status::Status;
pub use syntax::{is_field_value, is_token_byte, parse_decimal, trim_whitespace};
pub use target::{Target, TargetPath, split_absolute};
pub use version::Version;
