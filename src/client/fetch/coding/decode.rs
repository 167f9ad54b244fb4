//! Decoders of content codings: readers of decoded bytes over readers of encoded bytes.
//!
//! A decoder ends only where its format marks the end, with the right checksum if it has one, and with
//! nothing after it: a truncated, corrupt or overlong stream is an error, never shorter content. An empty
//! stream is empty content, as servers send `Content-Length: 0` with a coding. `bounded` limits the
//! expansion.

use std::io::{self, BufRead, Read};
use std::mem;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::http::ContentCoding;

/// Largest window of a zstd frame (RFC 9659 §3).
const MAX_ZSTD_WINDOW_BYTES: u64 = 8 << 20;

/// The decoder of a coding; `None` if there is none.
pub(crate) fn decoder<'s>(
    coding: ContentCoding,
    source: impl BufRead + 's,
) -> Option<Box<dyn Read + 's>> {
    Some(match coding {
        ContentCoding::Gzip => Box::new(Gzip::Between { source, is_first: true }),
        ContentCoding::Deflate => Box::new(Deflate { source, inflate: None, is_done: false }),
        ContentCoding::Brotli => Box::new(Brotli::new(source)),
        ContentCoding::Zstd => Box::new(Zstd::new(source)),
        ContentCoding::Compress | ContentCoding::Other(_) => return None,
    })
}

fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the encoded content ends early")
}

fn corrupt(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Fails if anything follows the end of the encoded content.
fn expect_end(source: &mut impl BufRead) -> io::Result<()> {
    if source.fill_buf()?.is_empty() {
        Ok(())
    } else {
        Err(corrupt("data follows the end of the encoded content"))
    }
}

/// Gzip members, one after another (RFC 1952 §2.2).
enum Gzip<R> {
    /// Before a member, or at the end.
    Between {
        source: R,
        is_first: bool,
    },
    Member(GzDecoder<R>),
    Failed,
}

/// The first byte of a member.
const GZIP_MAGIC: u8 = 0x1f;

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            *self = match mem::replace(self, Self::Failed) {
                Self::Between { mut source, is_first } => {
                    let next = source.fill_buf()?.first().copied();
                    if next.is_none() || (next != Some(GZIP_MAGIC) && !is_first) {
                        expect_end(&mut source)?;
                        *self = Self::Between { source, is_first };
                        return Ok(0);
                    }
                    Self::Member(GzDecoder::new(source))
                }
                Self::Member(mut member) => {
                    let length = member.read(buffer)?;
                    if length > 0 {
                        *self = Self::Member(member);
                        return Ok(length);
                    }
                    Self::Between { source: member.into_inner(), is_first: false }
                }
                Self::Failed => return Err(corrupt("corrupt gzip stream")),
            };
        }
    }
}

/// The zlib format, or the raw deflate format that some servers send instead (RFC 9110 §8.4.1.2).
struct Deflate<R> {
    source: R,
    inflate: Option<Decompress>,
    is_done: bool,
}

/// The low half of the first byte of the zlib format is the number of its method, 8 (RFC 1950 §2.2). A
/// raw stream begins so only with a stored block that is padded with ones.
fn is_zlib(first: u8) -> bool {
    first & 0x0f == 8
}

impl<R: BufRead> Read for Deflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_done {
            let input = self.source.fill_buf()?;
            let is_at_end = input.is_empty();
            if is_at_end && self.inflate.is_none() {
                break;
            }
            let inflate = self.inflate.get_or_insert_with(|| {
                Decompress::new(input.first().copied().is_some_and(is_zlib))
            });
            let (read, written) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(input, buffer, FlushDecompress::None)?;
            let count = |total: u64, before: u64| {
                usize::try_from(total - before).expect("at most the length of the buffer")
            };
            let read = count(inflate.total_in(), read);
            let written = count(inflate.total_out(), written);
            self.source.consume(read);
            self.is_done = status == Status::StreamEnd;
            if written > 0 {
                return Ok(written);
            }
            if !self.is_done && read == 0 {
                return Err(if is_at_end {
                    truncated()
                } else {
                    corrupt("corrupt deflate stream")
                });
            }
        }
        expect_end(&mut self.source).map(|()| 0)
    }
}

type Memory = StandardAlloc;

struct Brotli<R> {
    source: R,
    state: Box<BrotliState<Memory, Memory, Memory>>,
    has_begun: bool,
    is_done: bool,
}

impl<R: BufRead> Brotli<R> {
    fn new(source: R) -> Self {
        let memory = Memory::default;
        // RFC 7932 has no windows beyond 16 MiB.
        let state = Box::new(BrotliState::new_strict(memory(), memory(), memory()));
        Self { source, state, has_begun: false, is_done: false }
    }
}

impl<R: BufRead> Read for Brotli<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_done {
            let input = self.source.fill_buf()?;
            let is_at_end = input.is_empty();
            if is_at_end && !self.has_begun {
                break;
            }
            self.has_begun = true;
            let (mut input_left, mut read) = (input.len(), 0);
            let (mut room_left, mut written, mut total) = (buffer.len(), 0, 0);
            let result = BrotliDecompressStream(
                &mut input_left,
                &mut read,
                input,
                &mut room_left,
                &mut written,
                buffer,
                &mut total,
                &mut self.state,
            );
            self.source.consume(read);
            match result {
                BrotliResult::ResultFailure => return Err(corrupt("corrupt brotli stream")),
                BrotliResult::ResultSuccess => self.is_done = true,
                BrotliResult::NeedsMoreInput if is_at_end && written == 0 => {
                    return Err(truncated());
                }
                BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            }
            if written > 0 {
                return Ok(written);
            }
        }
        expect_end(&mut self.source).map(|()| 0)
    }
}

/// Zstd frames, one after another, with skippable frames among them (RFC 8878 §3.1).
struct Zstd<R> {
    source: R,
    frame: FrameDecoder,
    is_within_frame: bool,
    /// Decoded bytes of the current frame.
    decoded_bytes: u64,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(MAX_ZSTD_WINDOW_BYTES);
        Self { source, frame, is_within_frame: false, decoded_bytes: 0 }
    }

    fn begin_frame(&mut self) -> io::Result<()> {
        match self.frame.init(&mut self.source) {
            Ok(()) => {
                (self.is_within_frame, self.decoded_bytes) = (true, 0);
                Ok(())
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = u64::from(length);
                let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
                if skipped == length { Ok(()) } else { Err(truncated()) }
            }
            Err(error) => Err(zstd_failure(error)),
        }
    }

    /// Compares a complete frame with its checksum and length, which the library does not. A length of
    /// zero means that none is declared.
    fn end_frame(&mut self) -> io::Result<()> {
        let expected = self.frame.get_checksum_from_data();
        if expected.is_some() && expected != self.frame.get_calculated_checksum() {
            return Err(corrupt("a zstd frame does not match its checksum"));
        }
        if ![0, self.decoded_bytes].contains(&self.frame.content_size()) {
            return Err(corrupt("a zstd frame does not match its length"));
        }
        self.is_within_frame = false;
        Ok(())
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_within_frame {
                if self.source.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                self.begin_frame()?;
                continue;
            }
            let length = self.frame.read(buffer)?;
            if length > 0 {
                self.decoded_bytes += length as u64;
                return Ok(length);
            }
            if self.frame.is_finished() {
                self.end_frame()?;
            } else {
                let next = BlockDecodingStrategy::UptoBlocks(1);
                self.frame.decode_blocks(&mut self.source, next).map_err(zstd_failure)?;
            }
        }
    }
}

/// The error of a zstd decoder: truncated if its cause, at any depth, is a lack of bytes.
fn zstd_failure(error: FrameDecoderError) -> io::Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(found) = cause {
        let source = found.downcast_ref::<io::Error>();
        if source.is_some_and(|source| source.kind() == io::ErrorKind::UnexpectedEof) {
            return truncated();
        }
        cause = found.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests;
