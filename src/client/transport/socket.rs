//! A connected socket that a stop of the run shuts down, even while a thread reads from it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crate::client::stop::{Registration, Stop};
use crate::net::{Deadline, ReadTimeout};

/// A TCP connection with timeouts that is registered with the run's [`Stop`].
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Arc<TcpStream>,
    read_timeout: ReadTimeout,
    _registration: Registration,
}

impl Socket {
    /// Takes a new connection, and sets the timeout of each read and write.
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

    /// Sets the timeout of each read.
    pub(super) fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.read_timeout.set(&self.stream, timeout)
    }

    /// The socket with a deadline for all reads together.
    pub(super) fn until(&mut self, deadline: Deadline) -> DeadlineSocket<'_> {
        DeadlineSocket { socket: self, deadline }
    }
}

/// A socket whose reads time out at a deadline.
#[derive(Debug)]
pub(super) struct DeadlineSocket<'s> {
    socket: &'s mut Socket,
    deadline: Deadline,
}

impl Read for DeadlineSocket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.deadline.remaining()?)?;
        self.socket.read(buffer)
    }
}

impl Write for DeadlineSocket<'_> {
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
