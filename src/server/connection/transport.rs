//! The socket of a connection, with its encryption, if it has one.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Duration;

use crate::net::{Deadline, Input, ReadTimeout};
use crate::server::tls::session::TlsSession;

/// A socket, and the TLS session on it.
#[derive(Debug)]
pub(super) struct Transport<'c> {
    pub(super) stream: &'c TcpStream,
    pub(super) session: Option<TlsSession>,
    read_timeout: ReadTimeout,
}

impl<'c> Transport<'c> {
    /// `read_timeout` is that of the socket.
    pub(super) fn new(
        stream: &'c TcpStream,
        session: Option<TlsSession>,
        read_timeout: ReadTimeout,
    ) -> Self {
        Self { stream, session, read_timeout }
    }

    /// Performs the handshake of `session`, and encrypts what follows.
    ///
    /// # Errors
    /// Those of [`TlsSession::shake_hands`].
    pub(super) fn encrypt(
        &mut self,
        mut session: TlsSession,
        received: &mut Input,
        deadline: Deadline,
    ) -> io::Result<()> {
        session.shake_hands(received, self.stream, &mut self.read_timeout, deadline)?;
        self.session = Some(session);
        Ok(())
    }

    /// Sends `bytes` and that nothing follows, over TLS.
    ///
    /// # Errors
    /// The peer has disconnected, or does not receive.
    pub(super) fn send_last(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(session) = &mut self.session else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        session.encrypt(bytes, &[])?;
        session.end();
        while session.must_send() {
            session.send(self.stream)?;
        }
        Ok(())
    }

    /// For reads that take at most `timeout` each.
    pub(super) fn within(&mut self, timeout: Duration) -> TimedTransport<'_, 'c> {
        TimedTransport { transport: self, limit: TimeLimit::Each(timeout) }
    }

    /// For reads until one deadline.
    pub(super) fn until(&mut self, deadline: Deadline) -> TimedTransport<'_, 'c> {
        TimedTransport { transport: self, limit: TimeLimit::All(deadline) }
    }

    /// Reads once: for a part of a TLS record the socket is read again, within the same time.
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let mut stream = self.stream;
        let Some(session) = &mut self.session else {
            self.read_timeout.set(stream, timeout)?;
            return stream.read(buffer);
        };
        let mut deadline = None;
        loop {
            if let Some(count) = session.read(buffer)? {
                return Ok(count);
            }
            // The first read sets the timeout as it is set already: no system call.
            let remaining = deadline.map_or(Ok(timeout), Deadline::remaining)?;
            deadline.get_or_insert_with(|| Deadline::after(timeout));
            self.read_timeout.set(stream, remaining)?;
            match session.receive(stream) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => received?,
            }
        }
    }
}

/// Whether bytes are sent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    Now,
    /// More bytes follow at once. The kernel waits for them to fill a segment (send(2), `MSG_MORE`); over TLS a few
    /// wait here, to be sent with them.
    Later,
}

/// A transport whose reads have a time limit.
#[derive(Debug)]
pub(super) struct TimedTransport<'t, 'c> {
    transport: &'t mut Transport<'c>,
    limit: TimeLimit,
}

#[derive(Clone, Copy, Debug)]
enum TimeLimit {
    Each(Duration),
    All(Deadline),
}

impl Read for TimedTransport<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let timeout = match self.limit {
            TimeLimit::Each(timeout) => timeout,
            TimeLimit::All(deadline) => deadline.remaining()?,
        };
        self.transport.read(buffer, timeout)
    }
}

#[cfg(test)]
mod tests;
