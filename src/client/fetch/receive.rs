//! Receives the content of a response: decoded, bounded, counted, and reported to the observer.
//!
//! ```text
//! connection ─▶ Source ─┬──────────────────────────────────────────────────────┬─▶ ContentSink
//!                       └─▶ decoder of the outermost coding ─▶ … ─▶ innermost ─┘
//! ```

use std::io::{self, Read};

use super::coding::bounded::{DECODE_BUFFER_BYTES, DecodeState, decoded};
use super::coding::codings::Codings;
use super::fetcher::Fetcher;
use super::response::{Response, declared_length};
use super::sink::ContentSink;
use crate::client::error::FetchError;
use crate::client::transport::connect::timed;
use crate::http::Framing;
use crate::net::Body;

/// The content that is to be received.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpectedContent {
    pub(super) framing: Framing,
    /// The codings to decode.
    pub(super) codings: Codings,
    /// The most bytes that may come over the network: more is [`FetchError::UnexpectedRange`].
    pub(super) max_bytes: Option<u64>,
}

impl ExpectedContent {
    /// The length of the decoded content, which is unknown if there is a coding.
    pub(super) fn decoded_length(&self) -> Option<u64> {
        declared_length(self.framing).filter(|_| self.codings.is_empty())
    }
}

/// How receiving ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// All of the content has been read.
    Complete,
    /// The sink needed no more, and more may follow on the connection.
    Interrupted,
}

/// Receives the content of a response into a sink.
pub(super) fn receive(
    fetcher: &mut Fetcher<'_, '_>,
    response: &mut Response<'_>,
    content: ExpectedContent,
    sink: &mut impl ContentSink,
) -> Result<Received, FetchError> {
    let network = fetcher.exchanger.network;
    let _slot =
        if content.codings.have_large_window() { Some(network.decoders.take()?) } else { None };
    let body = Body::of_response(content.framing);
    let room = content.max_bytes.unwrap_or(u64::MAX);
    let source = Source { fetcher, response, body, room };
    if content.codings.is_empty() {
        receive_identity(source, sink)
    } else {
        receive_encoded(source, content.codings, sink)
    }
}

fn receive_identity(
    mut source: Source<'_, '_, '_, '_>,
    sink: &mut impl ContentSink,
) -> Result<Received, FetchError> {
    while let Some(Piece { bytes, is_last }) = source.next_piece()? {
        if sink.append(bytes, is_last)?.is_break() && !is_last {
            return Ok(Received::Interrupted);
        }
    }
    Ok(Received::Complete)
}

fn receive_encoded(
    source: Source<'_, '_, '_, '_>,
    codings: Codings,
    sink: &mut impl ContentSink,
) -> Result<Received, FetchError> {
    let state = DecodeState::default();
    let encoded = EncodedContent { source, piece: Vec::new(), position: 0, state: &state };
    let mut reader = decoded(codings, encoded, &state)?;
    let mut buffer = vec![0; DECODE_BUFFER_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(Received::Complete),
            Ok(length) => {
                if sink.append(&buffer[..length], false)?.is_break() {
                    return Ok(Received::Interrupted);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(state.failure(error)),
        }
    }
}

/// The content as it comes over the connection.
struct Source<'s, 'a, 'r, 'n> {
    fetcher: &'s mut Fetcher<'a, 'r>,
    response: &'s mut Response<'n>,
    body: Body,
    /// How many more bytes may come.
    room: u64,
}

struct Piece<'i> {
    bytes: &'i [u8],
    /// The content is known to end here.
    is_last: bool,
}

impl Source<'_, '_, '_, '_> {
    /// The next piece, which is counted and reported to the observer; `None` at the end.
    fn next_piece(&mut self) -> Result<Option<Piece<'_>>, FetchError> {
        let Fetcher { exchanger, run, task, record } = &mut *self.fetcher;
        let piece = timed(&mut record.phases.transfer, || {
            exchanger.next_piece(self.response, &mut self.body)
        })?;
        let Some(bytes) = piece else { return Ok(None) };
        self.room = self.room.checked_sub(bytes.len() as u64).ok_or(FetchError::UnexpectedRange)?;
        record.received += bytes.len() as u64;
        run.observer.received(task.index, bytes.len());
        Ok(Some(Piece { bytes, is_last: self.body.is_complete() }))
    }
}

/// A reader of the encoded content.
struct EncodedContent<'s, 'a, 'r, 'n> {
    source: Source<'s, 'a, 'r, 'n>,
    /// The last piece, of which the bytes from `position` on have not been read.
    piece: Vec<u8>,
    position: usize,
    state: &'s DecodeState,
}

impl Read for EncodedContent<'_, '_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.piece.len() {
            self.piece.clear();
            self.position = 0;
            match self.source.next_piece() {
                Ok(Some(Piece { bytes, .. })) => self.piece.extend_from_slice(bytes),
                Ok(None) => return Ok(0),
                Err(error) => return Err(self.state.fail(error)),
            }
            self.state.count_received(self.piece.len());
        }
        let length = (&self.piece[self.position..]).read(buffer)?;
        self.position += length;
        Ok(length)
    }
}
