//! A connected socket that a stop can shut down while somebody reads from it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crate::client::stop::{Registration, Stop};
use crate::net::{Deadline, ReadTimeout};

/// A TCP connection with timeouts, on the record of the run's [`Stop`].
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Arc<TcpStream>,
    read_timeout: ReadTimeout,
    _registration: Registration,
}

impl Socket {
    /// Takes a fresh connection; each read and write may wait for `timeout`.
    pub(super) fn new(stream: TcpStream, timeout: Duration, stop: &Stop) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(timeout))?;
        let stream = Arc::new(stream);
        let registration = stop.register(&stream);
        let mut socket =
            Self { stream, read_timeout: ReadTimeout::default(), _registration: registration };
        socket.set_read_timeout(timeout)?;
        Ok(socket)
    }

    /// Lets each read wait for at most `timeout`.
    pub(super) fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.read_timeout.set(&self.stream, timeout)
    }

    /// The socket for something that must be done by then, however much or little comes at a time.
    pub(super) fn until(&mut self, deadline: Deadline) -> Until<'_> {
        Until { socket: self, deadline }
    }
}

/// A socket whose reads end at a deadline.
#[derive(Debug)]
pub(super) struct Until<'s> {
    socket: &'s mut Socket,
    deadline: Deadline,
}

impl Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.deadline.remaining()?)?;
        self.socket.read(buffer)
    }
}

impl Write for Until<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.stream).read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.stream).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
