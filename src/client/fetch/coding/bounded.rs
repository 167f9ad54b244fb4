//! The decoders of all codings of a content, with a bound on its expansion.
//!
//! A reader can only fail with an `io::Error`, so the first failure is kept in [`DecodeState`].

use std::cell::{Cell, RefCell};
use std::io::{self, BufReader, Read};

use super::codings::Codings;
use super::decode::decoder;
use crate::client::error::FetchError;
use crate::http::ContentCoding;

/// The largest ratio of a decoded length to the length that was received, at each coding. Gzip and
/// deflate expand at most 1,032 times.
const MAX_EXPANSION: u64 = 1100;

/// Up to this length the ratio is not limited.
const UNLIMITED_BYTES: u64 = 64 << 20;

/// The size of the buffer of each decoder.
pub(crate) const DECODE_BUFFER_BYTES: usize = 64 * 1024;

/// The state that the source and the decoders of one content share.
#[derive(Debug, Default)]
pub(crate) struct DecodeState {
    /// Encoded bytes that were received.
    received: Cell<u64>,
    /// The first failure.
    failure: RefCell<Option<FetchError>>,
}

impl DecodeState {
    /// Counts encoded bytes as they are received.
    pub(crate) fn count_received(&self, bytes: usize) {
        self.received.set(self.received.get() + bytes as u64);
    }

    /// Keeps a failure, unless an earlier one caused it, and returns an error for the reader.
    pub(crate) fn fail(&self, failure: FetchError) -> io::Error {
        self.failure.borrow_mut().get_or_insert(failure);
        io::Error::other("the content cannot be received or decoded")
    }

    /// The failure that caused an error of a reader.
    pub(crate) fn failure(&self, error: io::Error) -> FetchError {
        self.failure.take().unwrap_or(FetchError::Receive(error))
    }

    fn is_exceeded_by(&self, decoded_bytes: u64) -> bool {
        let bound = self.received.get().saturating_mul(MAX_EXPANSION).max(UNLIMITED_BYTES);
        decoded_bytes > bound
    }
}

/// A reader of the decoded content, over a reader of the encoded content.
pub(crate) fn decoded<'s>(
    codings: Codings,
    source: impl Read + 's,
    state: &'s DecodeState,
) -> Result<Box<dyn Read + 's>, FetchError> {
    let mut reader: Box<dyn Read + 's> = Box::new(source);
    for coding in codings.outermost_first() {
        let source = BufReader::with_capacity(DECODE_BUFFER_BYTES, reader);
        let decoder =
            decoder(coding, source).ok_or(FetchError::UnsupportedCoding(coding.token()))?;
        reader = Box::new(BoundedDecoder { coding, decoder, decoded_bytes: 0, state });
    }
    Ok(reader)
}

/// The decoder of one coding, with the bound.
struct BoundedDecoder<'s> {
    coding: ContentCoding,
    decoder: Box<dyn Read + 's>,
    decoded_bytes: u64,
    state: &'s DecodeState,
}

impl Read for BoundedDecoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match self.decoder.read(buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.fail(error)),
        };
        self.decoded_bytes += length as u64;
        if self.state.is_exceeded_by(self.decoded_bytes) {
            let why = format!(
                "it expands to more than {} MiB and more than {MAX_EXPANSION} times its length",
                UNLIMITED_BYTES >> 20
            );
            return Err(self.fail(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        Ok(length)
    }
}

impl BoundedDecoder<'_> {
    fn fail(&self, error: io::Error) -> io::Error {
        self.state.fail(FetchError::Decode { coding: self.coding.token(), error })
    }
}
