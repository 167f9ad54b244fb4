//! HTTP/1.1 as bytes and values: no I/O and no clock.
//!
//! The rules of RFC 9110 and RFC 9112 that both programs follow, tested in memory. The time is an argument.
//! [`net`](crate::net) and the layers above it read, wait and act on the values.
//!
//! | | modules |
//! |---|---|
//! | heads | `head_scan`, `request_head`, `response_head`, `fields`, `head_writer`, `field_lines` (ready to be sent), `field_line` (a field given by a user), `method`, `status`, `version` |
//! | bodies | `framing`, `chunked`, `coding` (names of content codings), `expect` (`100-continue`) |
//! | connections | `persistence`, `request_scan` |
//! | targets | `target`, `host`, `percent` |
//! | representations | [`conditional`], [`range`], `content_range`, `byteranges`, `entity_tag`, [`date`], [`negotiation`], [`content_disposition`] |
//! | authentication | `basic` |
//! | limits | [`rate_limit`], `structured_fields` |
//! | syntax | `syntax`, `parameters`, `error` (refused requests and their status codes) |

mod basic;
mod byteranges;
mod chunked;
mod coding;
pub mod conditional;
pub mod content_disposition;
mod content_range;
pub mod date;
mod entity_tag;
mod error;
mod expect;
mod field_line;
mod field_lines;
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

pub use basic::{BasicCredentials, basic_challenge};
pub use byteranges::Byteranges;
pub use chunked::{
    CHUNK_END, ChunkDecoder, ChunkError, Decoded, LAST_CHUNK, write_chunk, write_chunk_size,
};
pub use coding::{Coding, ContentCoding};
pub use content_range::ContentRange;
pub use entity_tag::{EntityTag, FileTag, FileVersion, Strength};
pub use error::RequestError;
pub use expect::expects_continue;
pub use field_line::{FieldLine, FieldLineError};
pub use field_lines::FieldLines;
pub use fields::Fields;
pub use framing::{Framing, FramingError, request_framing, response_framing};
pub use head_scan::HeadScan;
pub use head_writer::HeadWriter;
pub use host::{Host, is_host, parse_host};
pub use method::{ALLOW, Method};
pub use percent::encode_segment;
pub use persistence::{Persistence, asks_to_persist, response_persists};
pub use request_head::RequestHead;
pub use request_scan::RequestScan;
pub use response_head::{ResponseHead, ResponseHeadError};
pub use status::Status;
pub use syntax::{is_field_value, is_token_byte};
pub use target::{Target, TargetPath, split_absolute};
pub use version::Version;
