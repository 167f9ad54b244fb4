//! Reading from a socket until one deadline.

use std::io::{self, Read};
use std::net::TcpStream;

use crate::net::{Deadline, ReadTimeout};

/// A socket with one deadline for all its reads.
pub(super) struct DeadlineStream<'c> {
    pub(super) stream: &'c TcpStream,
    pub(super) read_timeout: &'c mut ReadTimeout,
    pub(super) deadline: Deadline,
}

impl Read for DeadlineStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_timeout.set(self.stream, self.deadline.remaining()?)?;
        let mut stream = self.stream;
        stream.read(buffer)
    }
}
