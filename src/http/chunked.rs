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

use super::{RESPONSE_LIMITS, is_token_byte};

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
        is_field_byte(byte) || self.sender == Sender::Server
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

/// What may stand in a field value or a quoted string (RFC 9110 §5.5).
fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode_pieces(pieces: &[&[u8]]) -> Result<Option<(Vec<u8>, usize)>, ChunkError> {
        decode_with(ChunkDecoder::default(), pieces)
    }

    /// The content, and how many bytes the body took; `None` for a body that has not ended.
    fn decode_with(
        mut decoder: ChunkDecoder,
        pieces: &[&[u8]],
    ) -> Result<Option<(Vec<u8>, usize)>, ChunkError> {
        let (mut content, mut length) = (Vec::new(), 0);
        for piece in pieces {
            let mut input = *piece;
            while !input.is_empty() && !decoder.is_complete() {
                let Decoded { consumed, data } = decoder.decode(input)?;
                content.extend_from_slice(data);
                length += consumed;
                input = &input[consumed..];
            }
        }
        Ok(decoder.is_complete().then_some((content, length)))
    }

    fn decode(body: &[u8]) -> Result<Option<(Vec<u8>, usize)>, ChunkError> {
        decode_pieces(&[body])
    }

    const BODY: &[u8] = b"4;a=\"b\"\r\nWiki\r\n00a\r\npedia in\r\n\r\n0\r\nTrailer: x\r\n\r\nnext";

    #[test]
    fn every_prefix_waits_and_every_split_gives_the_same_content() {
        let length = BODY.len() - "next".len();
        let whole = Ok(Some((b"Wikipedia in\r\n".to_vec(), length)));
        for split in 0..BODY.len() {
            let (one, two) = BODY.split_at(split);
            assert_eq!(decode_pieces(&[one, two]), whole);
            let expected = if split < length { Ok(None) } else { whole.clone() };
            assert_eq!(decode(one), expected, "prefix of {split}");
        }
        assert_eq!(decode_pieces(&BODY.chunks(1).collect::<Vec<_>>()), whole);
    }

    #[test]
    fn what_the_grammar_forbids_is_refused() {
        use ChunkError::{Field, LineEnding, Size};
        for (body, error) in [
            (&b"\r\n"[..], Size),
            (b"x\r\n", Size),
            (b"+4\r\n", Size),
            (b"-4\r\n", Size),
            (b"0x4\r\n", Size),
            (b" 4\r\n", Size),
            (b";a\r\n", Size),
            (b"4\nWiki\r\n", Size),
            (b"10000000000000000\r\n", Size),
            (b"4\rWiki", LineEnding),
            (b"4\r\r\n", LineEnding),
            (b"4\r\nWikipedia", LineEnding),
            (b"4\r\nWiki\n0\r\n\r\n", LineEnding),
            (b"0\r\n\n", Field),
            (b"0\r\nA: b\n", Field),
            (b"0\r\n\rX", LineEnding),
            (b"4;a\0\r\n", Field),
            (b"4;a\n", Field),
            (b"4 \r\n", Size),
            (b"4 4\r\n", Size),
            (b"4\t ;a\n", Field),
            (b"000000000000000000000000000000000\r\n", Size),
            (b"0\r\nGET / HTTP/1.1\r\n\r\n", Field),
            (b"0\r\nA\r\n\r\n", Field),
            (b"0\r\nA : b\r\n\r\n", Field),
            (b"0\r\n: b\r\n\r\n", Field),
            (b"0\r\nA: b\r\n folded\r\n\r\n", Field),
        ] {
            assert_eq!(decode(body), Err(error), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn what_is_read_past_in_a_response_may_hold_anything_and_sizes_may_be_padded() {
        for body in [
            &b"4 \r\nWiki\r\n0\r\n\r\n"[..],
            b"4   \t\r\nWiki\r\n0  \r\n\r\n",
            b"4 ; a\r\nWiki\r\n0\r\n\r\n",
            b"4;a\0\x01\xff\r\nWiki\r\n0;\x7f\r\n\r\n",
            b"4\r\nWiki\r\n0\r\nA : b\r\n\r\n",
            b"4\r\nWiki\r\n0\r\nA: \0b\r\n folded\r\n(: x\r\nno colon\r\n\r\n",
            b"4\r\nWiki\r\n0\r\nA: b\rc\r\r\n\r\n",
            b"4\nWiki\n0\n\n",
            b"4\r\nWiki\n0\r\n\n",
            b"4 \nWiki\r\n0;a\n\r\n",
            b"4;a\nWiki\r\n0\nA: b\nc\r\n\n",
        ] {
            let expected = Ok(Some((b"Wiki".to_vec(), body.len())));
            for split in 0..body.len() {
                let (one, two) = body.split_at(split);
                let decoded = decode_with(ChunkDecoder::of_response(), &[one, two]);
                assert_eq!(decoded, expected, "{} at {split}", body.escape_ascii());
                let begun = decode_with(ChunkDecoder::of_response(), &[one]);
                assert_eq!(begun, Ok(None), "{} up to {split}", body.escape_ascii());
            }
            let refused = decode(body);
            assert!(refused.is_err() || body[2] == b';', "{}", body.escape_ascii());
        }
    }

    #[test]
    fn what_decides_about_the_content_is_as_strict_in_a_response() {
        use ChunkError::{LineEnding, Size};
        for (body, error) in [
            (&b"\r\n"[..], Size),
            (b"\n", Size),
            (b" 4\r\nWiki\r\n", Size),
            (b"\n4\nWiki\n", Size),
            (b"+4\r\n", Size),
            (b"0x4\r\n", Size),
            (b"4x\r\n", Size),
            (b"4 4\r\n", Size),
            (b"4 \0\r\n", Size),
            (b"4\0\r\n", Size),
            (b"10000000000000000\r\n", Size),
            (b"4\rWiki", LineEnding),
            (b"4;a\rb\r\n", LineEnding),
            (b"4\r\nWikipedia", LineEnding),
            (b"4\nWikip\n", LineEnding),
            (b"4\nWik\n\n\n0\n\n", Size),
            (b"0\r\n\rX", LineEnding),
        ] {
            let decoded = decode_with(ChunkDecoder::of_response(), &[body]);
            assert_eq!(decoded, Err(error), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn the_extensions_of_a_response_are_bounded_for_each_chunk() {
        let padded = |blanks: usize, chunks: usize| {
            let chunk = [b"1", &b" ".repeat(blanks)[..], b"\r\nx\r\n"].concat();
            let body = [&chunk.repeat(chunks)[..], b"0\r\n\r\n"].concat();
            decode_with(ChunkDecoder::of_response(), &[&body]).map(|body| body.unwrap().0.len())
        };
        assert_eq!(padded(MAX_EXTENSION_BYTES, 3), Ok(3));
        assert_eq!(padded(MAX_EXTENSION_BYTES + 1, 1), Err(ChunkError::TooLarge));
        assert_eq!(padded(5, 10_000), Ok(10_000));
    }

    #[test]
    fn sizes_reach_64_bits() {
        let mut decoder = ChunkDecoder::default();
        decoder.decode(b"ffffffffffffffff\r\n").unwrap();
        assert_eq!(decoder.remaining, u64::MAX);
        assert!(decode(b"0000000000000000000001\r\nx\r\n0 ;a\r\n\r\n").unwrap().is_some());
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let extension =
            |bytes: usize| [b"1", &vec![b';'; bytes][..], b"\r\nx\r\n0\r\n\r\n"].concat();
        assert!(decode(&extension(MAX_EXTENSION_BYTES)).unwrap().is_some());
        assert_eq!(decode(&extension(MAX_EXTENSION_BYTES + 1)), Err(ChunkError::TooLarge));
        let trailer = |bytes: usize| [b"0\r\nA:", &vec![b't'; bytes - 2][..], b"\r\n\r\n"].concat();
        for (decoder, limit) in [
            (ChunkDecoder::default(), MAX_TRAILER_BYTES),
            (ChunkDecoder::of_response(), MAX_RESPONSE_TRAILER_BYTES),
        ] {
            assert!(decode_with(decoder, &[&trailer(limit)]).unwrap().is_some());
            let beyond = decode_with(decoder, &[&trailer(limit + 1)]);
            assert_eq!(beyond, Err(ChunkError::TooLarge));
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_at_every_split(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..5),
            piece in 1_usize..50,
        ) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let length = body.len();
            let pieces: Vec<&[u8]> = body.chunks(piece).collect();
            prop_assert_eq!(decode_pieces(&pieces), Ok(Some((chunks.concat(), length))));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(body: Vec<u8>, split in 0_usize..100) {
            let (one, two) = body.split_at(split.min(body.len()));
            prop_assert_eq!(decode_pieces(&[one, two]), decode(&body));
            let of_response = |pieces: &[&[u8]]| decode_with(ChunkDecoder::of_response(), pieces);
            prop_assert_eq!(of_response(&[one, two]), of_response(&[&body]));
        }
    }
}
