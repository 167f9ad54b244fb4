//! What has been read off a stream and not yet used: one buffer for heads and bodies alike.

use std::io::{self, Read};
use std::{error, fmt};

use crate::http::{HeadScan, RequestError, RequestHead, ResponseHead, ResponseHeadError};

/// Bytes that a stream delivered and nobody has consumed.
///
/// The buffer holds its memory only while there is something in it or something is expected: see
/// [`Input::release`].
#[derive(Debug)]
pub struct Input {
    buffer: Vec<u8>,
    /// The unconsumed bytes are `buffer[start..end]`; the rest is room to read into.
    start: usize,
    end: usize,
    /// Room offered to the next read.
    room: usize,
    /// Most room ever offered to a read.
    capacity: usize,
}

/// Room offered to the first read; it doubles with each read that uses it up. Small messages then
/// touch few pages of memory, and long ones have the large reads that make them cheap. A segment of
/// the loopback interface fits: where the first read left some of it, the window grew slower, and nginx
/// with `tcp_nopush` then waited 40 ms for an acknowledgement within some file of 256 KiB.
const FIRST_ROOM: usize = 64 * 1024;

/// Why no head was read.
#[derive(Debug)]
pub enum HeadReadError<E> {
    /// The stream ended, timed out or failed.
    Io(io::Error),
    /// What came is refused.
    Malformed(E),
}

impl<E: fmt::Display> fmt::Display for HeadReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("cannot read a head"),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl<E: error::Error + 'static> error::Error for HeadReadError<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Malformed(error) => error.source(),
        }
    }
}

impl Input {
    /// An empty one that comes to offer as much as `capacity` bytes of room to each read, and allocates
    /// nothing yet.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, end: 0, room: FIRST_ROOM.min(capacity), capacity }
    }

    /// What is there and not yet consumed.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Marks the first `count` bytes of [`Input::data`] as used.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        assert!(self.start <= self.end, "only what is there is consumed");
    }

    /// Hands out the first `count` bytes of [`Input::data`], consumed.
    pub(super) fn take(&mut self, count: usize) -> &[u8] {
        let taken = self.start..self.start + count;
        self.consume(count);
        &self.buffer[taken]
    }

    /// Reads once, behind what is there; zero at the stream's end.
    ///
    /// # Errors
    /// The stream's; an interrupted read is begun again.
    pub fn fill(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 && self.buffer.len() - self.end < self.room {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        // A body is consumed as it comes, so beyond the capacity only a head that is still incomplete
        // makes this grow, and heads are bounded.
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

    /// Gives memory beyond `capacity` back, once nothing is left in the buffer: an idle connection
    /// that once had a large head does not hold its room for ever.
    pub fn release(&mut self) {
        if self.start == self.end && self.buffer.len() > self.capacity {
            self.buffer = Vec::new();
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads a response's head. Informational responses are heads of their own.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the stream ends before the head does, the stream's own
    /// errors, or a malformed head.
    pub fn read_response_head(
        &mut self,
        stream: &mut impl Read,
    ) -> Result<ResponseHead, HeadReadError<ResponseHeadError>> {
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

    /// Takes a request's head from what is there; `false` while more must come.
    ///
    /// # Errors
    /// The request is refused.
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
    fn what_is_consumed_makes_room_and_the_rest_stays() {
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
    fn room_grows_with_what_comes_up_to_the_capacity() {
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
        assert_eq!(input.buffer.len(), FIRST_ROOM, "as long as little comes, little is held");
    }

    #[test]
    fn an_emptied_buffer_gives_its_growth_back() {
        let mut stream: &[u8] = &[b'a'; 100];
        let mut input = Input::with_capacity(16);
        for _ in 0..4 {
            input.fill(&mut stream).unwrap();
        }
        input.release();
        assert_eq!(input.data().len(), 64, "what is there is never given up");
        input.consume(64);
        input.release();
        assert_eq!(input.buffer.capacity(), 0);
    }

    #[test]
    fn an_answer_that_ends_within_its_head_is_an_early_end() {
        let mut stream: &[u8] = b"HTTP/1.1 200 OK\r\nA: b\r\n";
        let error = Input::with_capacity(8).read_response_head(&mut stream).unwrap_err();
        let HeadReadError::Io(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn answers_follow_one_another_in_one_buffer() {
        let mut stream: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody";
        let mut input = Input::with_capacity(7);
        assert_eq!(input.read_response_head(&mut stream).unwrap().status().code(), 100);
        assert_eq!(input.read_response_head(&mut stream).unwrap().status().code(), 200);
        while input.fill(&mut stream).unwrap() > 0 {}
        assert_eq!(input.data(), b"body");
    }
}
