//! The input buffer of a connection: bytes that were read from the stream but not yet consumed, for heads
//! and bodies alike.

use std::io::{self, Read};

use thiserror::Error;

use crate::http::{HeadScan, RequestError, RequestHead, ResponseHead, ResponseHeadError};

/// Bytes that were read from a stream and not yet consumed.
///
/// [`Input::release`] frees excess memory while nothing is buffered.
#[derive(Debug)]
pub struct Input {
    buffer: Vec<u8>,
    /// `buffer[start..end]` are the unconsumed bytes; the rest is free space.
    start: usize,
    end: usize,
    /// The free space for the next read, in bytes.
    room: usize,
    /// The largest `room`.
    capacity: usize,
}

/// The usual free space for the first read, in bytes. It doubles whenever a read fills it, so that
/// small messages use few pages of memory and long ones are read in large pieces. A segment of the
/// loopback interface fits: with a smaller buffer, the receive window grew more slowly, and nginx with
/// `tcp_nopush` then waited 40 ms for an acknowledgement within files of 256 KiB.
const FIRST_ROOM: usize = 64 * 1024;

/// Why the head of a response could not be read.
#[derive(Debug, Error)]
pub enum HeadReadError {
    /// The stream ended, timed out or failed.
    #[error("cannot read a head")]
    Io(#[source] io::Error),
    /// The bytes received are refused.
    #[error(transparent)]
    Malformed(ResponseHeadError),
}

impl Input {
    /// An empty buffer that will offer up to `capacity` bytes of free space to each read. Allocates
    /// nothing yet.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self::starting_with(FIRST_ROOM, capacity)
    }

    /// The same, with this free space for the first read rather than 64 KiB.
    #[must_use]
    pub fn starting_with(first_room: usize, capacity: usize) -> Self {
        let room = first_room.min(capacity);
        Self { buffer: Vec::new(), start: 0, end: 0, room, capacity }
    }

    /// The unconsumed bytes.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Consumes the first `count` bytes of [`Input::data`].
    ///
    /// # Panics
    /// If there are fewer.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        assert!(self.start <= self.end, "no more bytes are consumed than were received");
    }

    /// Consumes and returns the first `count` bytes of [`Input::data`].
    pub(super) fn take(&mut self, count: usize) -> &[u8] {
        let taken = self.start..self.start + count;
        self.consume(count);
        &self.buffer[taken]
    }

    /// Reads once and appends to the buffer. Returns the number of bytes; zero at the end of the stream.
    ///
    /// # Errors
    /// The stream's. An interrupted read is repeated.
    pub fn fill(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 && self.buffer.len() - self.end < self.room {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        // The pieces of a body are consumed at once, so only an incomplete head makes the buffer grow
        // beyond the capacity, and the length of heads is limited.
        if self.buffer.len() - self.end < self.room {
            self.buffer.resize(self.end + self.room, 0);
        }
        loop {
            match stream.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    if count >= self.room {
                        self.room = (self.room * 2).min(self.capacity);
                    }
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Frees the buffer if it is empty and larger than its capacity, so that an idle connection does not
    /// keep the memory of a large head.
    pub fn release(&mut self) {
        if self.start == self.end && self.buffer.len() > self.capacity {
            self.buffer = Vec::new();
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads the head of the next response, interim responses (1xx) included.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the stream ends before the head is complete, the stream's own
    /// errors, or a malformed head.
    pub fn read_response_head(
        &mut self,
        stream: &mut impl Read,
    ) -> Result<ResponseHead, HeadReadError> {
        let mut scan = HeadScan::of_response();
        loop {
            let received = ResponseHead::receive(&mut scan, self.data());
            if let Some((head, length)) = received.map_err(HeadReadError::Malformed)? {
                self.consume(length);
                return Ok(head);
            }
            if self.fill(stream).map_err(HeadReadError::Io)? == 0 {
                return Err(HeadReadError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Parses a request's head from the buffered bytes without reading. Returns false until it is complete.
    ///
    /// # Errors
    /// The request is refused; see [`RequestHead::receive`].
    pub fn take_request_head(
        &mut self,
        scan: &mut HeadScan,
        head: &mut RequestHead,
    ) -> Result<bool, RequestError> {
        let length = head.receive(scan, self.data())?;
        self.consume(length.unwrap_or(0));
        Ok(length.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumed_bytes_make_room_and_the_rest_remains() {
        let mut stream: &[u8] = b"abcdefghij";
        let mut input = Input::with_capacity(4);
        assert_eq!(input.fill(&mut stream).unwrap(), 4);
        input.consume(3);
        assert_eq!(input.fill(&mut stream).unwrap(), 4);
        assert_eq!(input.data(), b"defgh");
        input.consume(5);
        assert_eq!(input.fill(&mut stream).unwrap(), 2);
        assert_eq!(input.data(), b"ij");
        assert_eq!(input.fill(&mut stream).unwrap(), 0);
    }

    #[test]
    fn room_doubles_with_full_reads_up_to_the_capacity() {
        let mut input = Input::with_capacity(FIRST_ROOM * 3);
        let mut stream = io::repeat(b'a');
        let mut counts = [1, 2, 3, 3].map(|rooms| (rooms * FIRST_ROOM, 0));
        for (_, read) in &mut counts {
            *read = input.fill(&mut stream).unwrap();
            input.consume(*read);
        }
        assert!(counts.iter().all(|(room, read)| room == read), "{counts:?}");
        let mut few: &[u8] = b"few";
        let mut input = Input::with_capacity(FIRST_ROOM * 3);
        input.fill(&mut few).unwrap();
        assert_eq!(input.buffer.len(), FIRST_ROOM, "a small read allocates little");
    }

    #[test]
    fn a_small_first_room_suffices_for_small_messages_and_grows_for_others() {
        let mut input = Input::starting_with(8, 32);
        for (message, held) in [(&b"one"[..], 8), (b"two", 8), (&[b'a'; 9], 24), (b"three", 24)] {
            let mut stream = message;
            while !stream.is_empty() {
                input.fill(&mut stream).unwrap();
            }
            assert_eq!(input.data(), message);
            input.consume(message.len());
            input.release();
            assert_eq!(input.buffer.len(), held, "{message:?}");
        }
    }

    #[test]
    fn an_empty_buffer_frees_its_excess_memory() {
        let mut stream: &[u8] = &[b'a'; 100];
        let mut input = Input::with_capacity(16);
        for _ in 0..4 {
            input.fill(&mut stream).unwrap();
        }
        input.release();
        assert_eq!(input.data().len(), 64, "unconsumed bytes are kept");
        input.consume(64);
        input.release();
        assert_eq!(input.buffer.capacity(), 0);
    }

    #[test]
    fn a_response_that_ends_within_its_head_is_an_early_end() {
        let mut stream: &[u8] = b"HTTP/1.1 200 OK\r\nA: b\r\n";
        let error = Input::with_capacity(8).read_response_head(&mut stream).unwrap_err();
        let HeadReadError::Io(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn responses_are_read_one_after_another_from_one_buffer() {
        let mut stream: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody";
        let mut input = Input::with_capacity(7);
        assert_eq!(input.read_response_head(&mut stream).unwrap().status().code(), 100);
        assert_eq!(input.read_response_head(&mut stream).unwrap().status().code(), 200);
        while input.fill(&mut stream).unwrap() > 0 {}
        assert_eq!(input.data(), b"body");
    }
}
