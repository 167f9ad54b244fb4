//! Receiving coded content: from the connection through the decoders, within a bound on its expansion.
//!
//! ```text
//! connection ─▶ CodedBody ─▶ Layer (outermost coding) ─▶ … ─▶ Layer (innermost coding) ─▶ file
//! ```
//!
//! Readers can only fail with an `io::Error`, so the first failure is left beside them.

use std::cell::{Cell, RefCell};
use std::io::{self, BufReader, Read};

use super::coding::codings::Codings;
use super::coding::decode::decoder;
use super::exchange::{Answer, Exchanger};
use crate::client::error::FetchError;
use crate::http::{ContentCoding, Framing};
use crate::net::Body;

/// How many times as long as what came over the network a content may become, at every coding. Gzip and
/// deflate expand up to 1,032 times.
pub(super) const MAX_EXPANSION: u64 = 1100;

/// Up to this length a content may be expanded from as little as it will.
pub(super) const FREE_BYTES: u64 = 64 << 20;

/// How much is decoded at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Who gets what comes.
pub(super) trait Sink {
    /// So many bytes have come over the network.
    fn received(&mut self, bytes: usize);

    /// So much of the content has been decoded.
    fn decoded(&mut self, piece: &[u8]) -> Result<(), FetchError>;
}

impl Exchanger<'_> {
    /// Receives the content of an answer, whose codings are undone, to its verified end.
    pub(super) fn receive_coded(
        &mut self,
        answer: &mut Answer<'_>,
        (framing, codings): (Framing, Codings),
        sink: &mut impl Sink,
    ) -> Result<(), FetchError> {
        let slots = &self.network.decoders;
        let _slot = if codings.has_large_window() { Some(slots.take()?) } else { None };
        let (received, failure) = (Cell::new(0), RefCell::new(None));
        let told = Cell::new(0);
        let mut reader: Box<dyn Read + '_> = Box::new(CodedBody {
            exchanger: self,
            answer,
            body: Body::of_response(framing),
            piece: Vec::new(),
            at: 0,
            received: &received,
            failure: &failure,
        });
        for coding in codings.outermost_first() {
            let source = BufReader::with_capacity(PIECE_BYTES, reader);
            let decoder =
                decoder(coding, source).ok_or(FetchError::UnsupportedCoding(coding.token()))?;
            let (received, failure) = (&received, &failure);
            reader = Box::new(Layer { coding, decoder, decoded: 0, received, failure });
        }
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            let read = reader.read(&mut buffer);
            let come = received.get() - told.replace(received.get());
            sink.received(usize::try_from(come).unwrap_or(usize::MAX));
            match read {
                Ok(0) => return Ok(()),
                Ok(length) => sink.decoded(&buffer[..length])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure.take().unwrap_or(FetchError::Receive(error))),
            }
        }
    }
}

/// The body of an answer as it comes.
struct CodedBody<'c, 'n, 'a> {
    exchanger: &'c mut Exchanger<'n>,
    answer: &'c mut Answer<'a>,
    body: Body,
    /// The last piece, of which the bytes from `at` have not been read.
    piece: Vec<u8>,
    at: usize,
    received: &'c Cell<u64>,
    failure: &'c RefCell<Option<FetchError>>,
}

impl Read for CodedBody<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            self.piece.clear();
            self.at = 0;
            match self.exchanger.next_piece(self.answer, &mut self.body) {
                Ok(Some(piece)) => self.piece.extend_from_slice(piece),
                Ok(None) => return Ok(0),
                Err(error) => {
                    self.failure.replace(Some(error));
                    return Err(io::Error::other("the body did not come whole"));
                }
            }
            self.received.set(self.received.get() + self.piece.len() as u64);
        }
        let length = (&self.piece[self.at..]).read(buffer)?;
        self.at += length;
        Ok(length)
    }
}

/// One coding that is undone.
struct Layer<'c> {
    coding: ContentCoding,
    decoder: Box<dyn Read + 'c>,
    decoded: u64,
    received: &'c Cell<u64>,
    failure: &'c RefCell<Option<FetchError>>,
}

impl Read for Layer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match self.decoder.read(buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.fails(error)),
        };
        self.decoded += length as u64;
        if self.decoded > FREE_BYTES.max(self.received.get().saturating_mul(MAX_EXPANSION)) {
            let why = format!(
                "it expands to more than {} MiB and more than {MAX_EXPANSION} times its length",
                FREE_BYTES >> 20
            );
            return Err(self.fails(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        Ok(length)
    }
}

impl Layer<'_> {
    /// Leaves the failure beside the readers, unless an earlier one has led to it.
    fn fails(&self, error: io::Error) -> io::Error {
        let coding = self.coding.token();
        self.failure.borrow_mut().get_or_insert_with(|| FetchError::Decode { coding, error });
        io::Error::other("the content could not be decoded")
    }
}
