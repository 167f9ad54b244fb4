//! The chunked transfer coding (RFC 9112 §7.1).
//!
//! Request bodies are decoded strictly: line endings are CRLF only, and sizes are hexadecimal digits
//! only. If two programs on a path read a body differently, requests can be smuggled (RFC 9112 §11.2).
//! Chunk extensions and trailer fields are skipped, up to a limit.
//!
//! Response bodies cannot be used for smuggling, so some deviations are accepted: a bare LF ends a line,
//! whitespace may follow a size (old servers pad it), and skipped bytes may have any value. The limit on
//! extensions then applies to each chunk, because a long download has millions of padded sizes. Sizes
//! are read as strictly as in requests.

use std::io::Write as _;

use thiserror::Error;

use super::head_scan::RESPONSE_LIMITS;
use super::syntax::{is_field_value_byte, is_token_byte};

/// The last chunk and an empty trailer section, which end a body (RFC 9112 §7.1).
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The end of a chunk, after its data.
pub const CHUNK_END: &[u8] = b"\r\n";

/// Limit on the bytes of chunk extensions: per request body, or per chunk of a response body.
const MAX_EXTENSION_BYTES: usize = 16 * 1024;

/// Limit on the bytes of the trailer section of a request body.
const MAX_TRAILER_BYTES: usize = 16 * 1024;

/// Limit on the bytes of the trailer section of a response body; the same as for its head.
const MAX_RESPONSE_TRAILER_BYTES: usize = RESPONSE_LIMITS.field_section_bytes;

/// Limit on the digits of a chunk size: twice what 64 bits need, because some senders pad with zeros.
const MAX_SIZE_DIGITS: usize = 32;

/// Why a chunked body is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ChunkError {
    /// A chunk size is not a hexadecimal number, or does not fit into 64 bits.
    #[error("a chunk size is not a hexadecimal number")]
    Size,
    /// A malformed line ending, or data beyond the chunk's size.
    #[error("a chunk does not end where its size says")]
    LineEnding,
    /// A control byte in an extension or a trailer field, or a trailer line that is not a field.
    #[error("a malformed chunk extension or trailer field")]
    Field,
    /// Extensions or trailer section over the limit.
    #[error("chunk extensions or trailer fields are too large")]
    TooLarge,
}

/// Who sent the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sender {
    #[default]
    Client,
    Server,
}

/// The position within the body's grammar.
///
/// ```text
/// Size ──;──▶ Extension ─CR─▶ SizeFeed ─LF─▶ Data ─▶ DataReturn ─CR─▶ DataFeed ─LF─▶ Size
///   ├─space─▶ SizeSpace ─;─▶ Extension   └─LF, size 0─▶ TrailerStart
///   │             └─CR, in a response─▶ SizeFeed
///   └─CR─▶ SizeFeed
///
/// TrailerStart ─CR─▶ LastFeed ─LF─▶ Complete
///   ▲   ├─▶ TrailerName ─:─▶ TrailerValue ─CR─▶ TrailerFeed ┐
///   │   └─in a response─▶ TrailerValue                      │
///   └───────────────────────────LF──────────────────────────┘
/// ```
///
/// In a response, a bare LF leads to the same state as CR LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { digits: usize },
    SizeSpace,
    Extension,
    SizeFeed,
    Data,
    DataReturn,
    DataFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerFeed,
    LastFeed,
    Complete,
}

/// Decodes one chunked body from pieces split anywhere. The default decodes a request body.
#[derive(Clone, Copy, Debug)]
pub struct ChunkDecoder {
    sender: Sender,
    state: State,
    /// Bytes of the current chunk not yet decoded.
    remaining: u64,
    extension_bytes: usize,
    trailer_bytes: usize,
}

/// The result of one call of [`ChunkDecoder::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'b> {
    /// The number of input bytes that were decoded.
    pub consumed: usize,
    /// The content among them, from one chunk; may be empty.
    pub data: &'b [u8],
}

impl Default for ChunkDecoder {
    fn default() -> Self {
        Self {
            sender: Sender::Client,
            state: State::Size { digits: 0 },
            remaining: 0,
            extension_bytes: 0,
            trailer_bytes: 0,
        }
    }
}

impl ChunkDecoder {
    /// A decoder for a response body.
    #[must_use]
    pub fn of_response() -> Self {
        Self { sender: Sender::Server, ..Self::default() }
    }

    /// Continues decoding. Stops at the end of the input, after the first piece of content, or at the
    /// end of the body, whichever comes first.
    ///
    /// # Errors
    /// The body violates RFC 9112 §7.1 or exceeds a limit. The connection must be closed.
    pub fn decode<'b>(&mut self, input: &'b [u8]) -> Result<Decoded<'b>, ChunkError> {
        let mut consumed = 0;
        while consumed < input.len() && self.state != State::Complete {
            if self.state == State::Data {
                let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX);
                let data = &input[consumed..][..wanted.min(input.len() - consumed)];
                self.remaining -= data.len() as u64;
                if self.remaining == 0 {
                    self.state = State::DataReturn;
                }
                return Ok(Decoded { consumed: consumed + data.len(), data });
            }
            self.state = self.step(input[consumed])?;
            consumed += 1;
        }
        Ok(Decoded { consumed, data: &[] })
    }

    /// True once the last chunk and the trailer section have been decoded.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    fn step(&mut self, byte: u8) -> Result<State, ChunkError> {
        if self.sender == Sender::Server
            && byte == b'\n'
            && let Some(next) = self.after_bare_feed()
        {
            return Ok(next);
        }
        match (self.state, byte) {
            (State::Size { digits: 1.. }, b'\r') => Ok(State::SizeFeed),
            (State::Size { digits: 1.. } | State::SizeSpace, b';') => self.extension(byte),
            (State::SizeSpace, b'\r') if self.sender == Sender::Server => Ok(State::SizeFeed),
            // Whitespace is allowed only before the semicolon of an extension.
            (State::Size { digits: 1.. } | State::SizeSpace, b' ' | b'\t') => {
                self.extension(byte).map(|_| State::SizeSpace)
            }
            (State::SizeSpace | State::Size { digits: MAX_SIZE_DIGITS.. }, _) => {
                Err(ChunkError::Size)
            }
            (State::Size { digits }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(ChunkError::Size)?;
                let size = self.remaining.checked_mul(16).ok_or(ChunkError::Size)?;
                self.remaining = size + u64::from(digit);
                Ok(State::Size { digits: digits + 1 })
            }
            (State::Extension, b'\r') => Ok(State::SizeFeed),
            (State::Extension, _) => self.extension(byte),
            (State::SizeFeed, b'\n') => Ok(self.after_size()),
            (State::DataReturn, b'\r') => Ok(State::DataFeed),
            (State::DataFeed, b'\n') => Ok(State::Size { digits: 0 }),
            (State::TrailerStart, b'\r') => Ok(State::LastFeed),
            (State::TrailerStart, _) if self.sender == Sender::Server => {
                self.trailer(Some(State::TrailerValue))
            }
            (State::TrailerStart, _) => {
                self.trailer(is_token_byte(byte).then_some(State::TrailerName))
            }
            (State::TrailerName, b':') => self.trailer(Some(State::TrailerValue)),
            (State::TrailerName, _) => {
                self.trailer(is_token_byte(byte).then_some(State::TrailerName))
            }
            (State::TrailerValue, b'\r') => Ok(State::TrailerFeed),
            (State::TrailerValue, _) => {
                self.trailer(self.allows(byte).then_some(State::TrailerValue))
            }
            (State::TrailerFeed, b'\n') => Ok(State::TrailerStart),
            // A CR that is not part of a line ending is an ordinary byte.
            (State::TrailerFeed, b'\r') if self.sender == Sender::Server => {
                self.trailer(Some(State::TrailerFeed))
            }
            (State::TrailerFeed, _) if self.sender == Sender::Server => {
                self.trailer(Some(State::TrailerValue))
            }
            (State::LastFeed, b'\n') => Ok(State::Complete),
            _ => Err(ChunkError::LineEnding),
        }
    }

    /// The state after a line feed without CR; `None` in states where no line can end.
    fn after_bare_feed(&mut self) -> Option<State> {
        Some(match self.state {
            State::Size { digits: 1.. } | State::SizeSpace | State::Extension => self.after_size(),
            State::DataReturn => State::Size { digits: 0 },
            State::TrailerStart => State::Complete,
            State::TrailerValue => State::TrailerStart,
            _ => return None,
        })
    }

    fn after_size(&mut self) -> State {
        if self.sender == Sender::Server {
            self.extension_bytes = 0;
        }
        if self.remaining == 0 { State::TrailerStart } else { State::Data }
    }

    fn extension(&mut self, byte: u8) -> Result<State, ChunkError> {
        count(&mut self.extension_bytes, MAX_EXTENSION_BYTES)?;
        self.allows(byte).then_some(State::Extension).ok_or(ChunkError::Field)
    }

    /// Whether a byte is allowed in an extension or a trailer value.
    fn allows(&self, byte: u8) -> bool {
        is_field_value_byte(byte) || self.sender == Sender::Server
    }

    fn trailer(&mut self, next: Option<State>) -> Result<State, ChunkError> {
        let limit = match self.sender {
            Sender::Client => MAX_TRAILER_BYTES,
            Sender::Server => MAX_RESPONSE_TRAILER_BYTES,
        };
        count(&mut self.trailer_bytes, limit)?;
        next.ok_or(ChunkError::Field)
    }
}

fn count(bytes: &mut usize, limit: usize) -> Result<(), ChunkError> {
    *bytes += 1;
    if *bytes > limit { Err(ChunkError::TooLarge) } else { Ok(()) }
}

/// Appends `data` as one chunk. Appends nothing if `data` is empty: an empty chunk would end the body.
pub fn write_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    write_chunk_size(out, data.len() as u64);
    out.extend_from_slice(data);
    out.extend_from_slice(CHUNK_END);
}

/// Appends the beginning of a chunk, before its data. The size must not be 0: an empty chunk would end the
/// body.
pub fn write_chunk_size(out: &mut Vec<u8>, size: u64) {
    write!(out, "{size:x}\r\n").expect("writing into memory does not fail");
}

#[cfg(test)]
mod tests;
