//! The chunked transfer coding (RFC 9112 §7.1).
//!
//! The body of a request is decoded strictly. Line endings are CRLF and nothing else, sizes are hex
//! digits and nothing else: every leniency here is one that two programs on a path may differ in, which
//! is how requests are smuggled. Chunk extensions and trailer fields are read past within bounds.
//!
//! In responses there is nothing to smuggle. A bare LF ends a line as well, blanks may stand behind a
//! size (old servers pad it), and what is read past may hold any bytes. The bound on extensions is then
//! one for each chunk, as a long download has millions of padded sizes. Sizes themselves are as strict.

use std::fmt;
use std::io::Write as _;

use super::head_scan::RESPONSE_LIMITS;
use super::syntax::{is_field_value_byte, is_token_byte};

/// What ends a body: a chunk without content, and no trailers (RFC 9112 §7.1).
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Most bytes of chunk extensions in the body of a request, or behind one size in that of a response.
pub const MAX_EXTENSION_BYTES: usize = 16 * 1024;

/// Most bytes of trailer fields in the body of a request.
pub const MAX_TRAILER_BYTES: usize = 16 * 1024;

/// Most bytes of trailer fields in the body of a response: as many as in its head.
const MAX_RESPONSE_TRAILER_BYTES: usize = RESPONSE_LIMITS.field_section_bytes;

/// Most digits of a chunk size: twice what 64 bits need, as some senders pad with zeros.
const MAX_SIZE_DIGITS: usize = 32;

/// What breaks a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkError {
    /// A chunk size that is no hex number, or one beyond 64 bits.
    Size,
    /// A line ending that is none, or data that goes on past its chunk's size.
    LineEnding,
    /// A control byte in an extension or a trailer field, or a trailer line that is no field.
    Field,
    /// Extensions or trailers beyond their limit.
    TooLarge,
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "a chunk size is no hexadecimal number",
            Self::LineEnding => "a chunk does not end where its size says",
            Self::Field => "a malformed chunk extension or trailer field",
            Self::TooLarge => "chunk extensions or trailer fields are too large",
        })
    }
}

impl std::error::Error for ChunkError {}

/// Whose body is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sender {
    #[default]
    Client,
    Server,
}

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
/// In a response LF leads wherever CR and LF do.
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

/// Decodes one chunked body, however its bytes are split; the default that of a request.
#[derive(Clone, Copy, Debug)]
pub struct ChunkDecoder {
    sender: Sender,
    state: State,
    /// Bytes of the current chunk that are still to come.
    remaining: u64,
    extension_bytes: usize,
    trailer_bytes: usize,
}

/// What a call of [`ChunkDecoder::decode`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'b> {
    /// How many bytes of the input are done with.
    pub consumed: usize,
    /// The content found among them, all within one chunk; may be empty.
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
    /// One for the body of a response.
    #[must_use]
    pub fn of_response() -> Self {
        Self { sender: Sender::Server, ..Self::default() }
    }

    /// Reads on in the body. Stops at the end of the input, behind the first piece of content, or
    /// behind the body's end, whichever comes first.
    ///
    /// # Errors
    /// The body breaks RFC 9112 §7.1, or a bound; its connection is of no more use.
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

    /// The last chunk and the trailers have been read.
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
            // White space may stand before the semicolon of an extension and nowhere else.
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
                self.trailer(self.may_hold(byte).then_some(State::TrailerValue))
            }
            (State::TrailerFeed, b'\n') => Ok(State::TrailerStart),
            // A CR that ends no line is one of any bytes.
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

    /// Where a line feed leads that no CR came before; `None` where no line can end.
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
        self.may_hold(byte).then_some(State::Extension).ok_or(ChunkError::Field)
    }

    /// Whether a byte may stand in what is read past.
    fn may_hold(&self, byte: u8) -> bool {
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

/// Appends `data` as a chunk; nothing where that is empty, as such a chunk would be the last.
pub fn write_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    write!(out, "{:x}\r\n", data.len()).expect("writing into memory does not fail");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
