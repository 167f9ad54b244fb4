//! Reads the body of a message piece by piece from the input buffer.

use std::io::{self, Read};

use thiserror::Error;

use super::input::Input;
use crate::http::{ChunkDecoder, ChunkError, Decoded, Framing};

/// The body of one message. A body that ends early is an error, never a shorter body.
#[derive(Debug)]
pub struct Body {
    progress: Progress,
    /// The bytes of content returned so far.
    received: u64,
}

#[derive(Debug)]
enum Progress {
    Length { remaining: u64 },
    Chunked(ChunkDecoder),
    UntilClose,
    Complete,
}

/// Why a body could not be read completely.
#[derive(Debug, Error)]
pub enum BodyError {
    /// The stream timed out or failed.
    #[error("cannot read the body")]
    Io(#[source] io::Error),
    /// The stream ended early, after `received` of `declared` bytes. `declared` is `None` if the body is
    /// chunked.
    #[error("{}", truncation(*received, *declared))]
    Truncated { received: u64, declared: Option<u64> },
    /// The chunked coding is malformed.
    #[error("malformed chunked body")]
    Chunked(#[source] ChunkError),
}

fn truncation(received: u64, declared: Option<u64>) -> String {
    match declared {
        Some(declared) => format!("the body ended after {received} of {declared} bytes"),
        None => format!("the chunked body ended early, after {received} bytes"),
    }
}

impl Body {
    /// The body of a request.
    #[must_use]
    pub fn of_request(framing: Framing) -> Self {
        Self::new(framing, ChunkDecoder::default())
    }

    /// The body of a response. Its chunks are decoded less strictly (see [`ChunkDecoder`]).
    #[must_use]
    pub fn of_response(framing: Framing) -> Self {
        Self::new(framing, ChunkDecoder::of_response())
    }

    fn new(framing: Framing, chunks: ChunkDecoder) -> Self {
        let progress = match framing {
            Framing::Length(0) => Progress::Complete,
            Framing::Length(remaining) => Progress::Length { remaining },
            Framing::Chunked => Progress::Chunked(chunks),
            Framing::UntilClose => Progress::UntilClose,
        };
        Self { progress, received: 0 }
    }

    /// True once all content has been returned. The next message may follow on the stream.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.progress, Progress::Complete)
    }

    /// The next piece of content, at most as large as the buffer; `None` at the end of the body.
    ///
    /// # Errors
    /// The body cannot be read completely. The connection must be closed.
    pub fn next_piece<'i>(
        &mut self,
        input: &'i mut Input,
        stream: &mut impl Read,
    ) -> Result<Option<&'i [u8]>, BodyError> {
        loop {
            if self.is_complete() {
                return Ok(None);
            }
            if input.data().is_empty() && input.fill(stream).map_err(BodyError::Io)? == 0 {
                return self.end_of_stream();
            }
            let length = self.take(input)?;
            if length > 0 {
                self.received += length as u64;
                return Ok(Some(input.take(length)));
            }
        }
    }

    /// Consumes the framing before the next piece of content and returns the length of that piece.
    fn take(&mut self, input: &mut Input) -> Result<usize, BodyError> {
        let available = input.data().len();
        match &mut self.progress {
            Progress::Length { remaining } => {
                let length = usize::try_from(*remaining).map_or(available, |n| n.min(available));
                *remaining -= length as u64;
                if *remaining == 0 {
                    self.progress = Progress::Complete;
                }
                Ok(length)
            }
            Progress::Chunked(decoder) => {
                let Decoded { consumed, data } =
                    decoder.decode(input.data()).map_err(BodyError::Chunked)?;
                let length = data.len();
                if decoder.is_complete() {
                    self.progress = Progress::Complete;
                }
                // The content is at the end of the consumed bytes.
                input.consume(consumed - length);
                Ok(length)
            }
            Progress::UntilClose => Ok(available),
            Progress::Complete => Ok(0),
        }
    }

    fn end_of_stream<'i>(&mut self) -> Result<Option<&'i [u8]>, BodyError> {
        let received = self.received;
        match self.progress {
            Progress::UntilClose | Progress::Complete => {
                self.progress = Progress::Complete;
                Ok(None)
            }
            Progress::Length { remaining } => {
                Err(BodyError::Truncated { received, declared: Some(received + remaining) })
            }
            Progress::Chunked(_) => Err(BodyError::Truncated { received, declared: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(framing: Framing, mut stream: &[u8]) -> (Result<Vec<u8>, BodyError>, Vec<u8>) {
        let (mut input, mut body, mut content) =
            (Input::with_capacity(3), Body::of_request(framing), Vec::new());
        let result = loop {
            match body.next_piece(&mut input, &mut stream) {
                Ok(Some(piece)) => content.extend_from_slice(piece),
                Ok(None) => break Ok(content),
                Err(error) => break Err(error),
            }
        };
        assert_eq!(body.is_complete(), result.is_ok());
        (result, [input.data(), stream].concat())
    }

    #[test]
    fn a_body_ends_where_its_framing_says_and_later_bytes_remain() {
        for (framing, stream, content, rest) in [
            (Framing::Length(0), "next", "", "next"),
            (Framing::Length(5), "Hellonext", "Hello", "next"),
            (Framing::Chunked, "3\r\nHel\r\n2\r\nlo\r\n0\r\n\r\nnext", "Hello", "next"),
            (Framing::Chunked, "0\r\n\r\n", "", ""),
            (Framing::UntilClose, "Hello", "Hello", ""),
            (Framing::UntilClose, "", "", ""),
        ] {
            let (result, left) = read(framing, stream.as_bytes());
            assert_eq!(result.unwrap(), content.as_bytes(), "{framing:?} {stream:?}");
            assert_eq!(left, rest.as_bytes(), "{framing:?} {stream:?}");
        }
    }

    #[test]
    fn an_early_end_is_an_error_with_the_number_of_bytes_received() {
        for (framing, stream, received, declared) in [
            (Framing::Length(5), "Hell", 4, Some(5)),
            (Framing::Length(5), "", 0, Some(5)),
            (Framing::Chunked, "5\r\nHell", 4, None),
            (Framing::Chunked, "5\r\nHello\r\n", 5, None),
            (Framing::Chunked, "5\r\nHello\r\n0\r\n", 5, None),
        ] {
            match read(framing, stream.as_bytes()).0 {
                Err(BodyError::Truncated { received: r, declared: d }) => {
                    assert_eq!((r, d), (received, declared), "{stream:?}");
                }
                other => panic!("{framing:?} {stream:?}: {other:?}"),
            }
        }
    }
}
