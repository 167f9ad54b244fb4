//! The TLS state of one connection: bytes of the socket in, bytes of HTTP out, and back.
//!
//! All reads and writes block as the socket does. The handshake has a deadline; those of all else are the caller's.

use std::fmt;
use std::io::{self, BufRead as _, IoSlice, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use crate::net::{Deadline, Input, ReadTimeout};

/// The first byte of a TLS connection: a record with a part of the handshake (RFC 8446 §5.1). No method of HTTP
/// begins with it.
pub(crate) const HANDSHAKE: u8 = 22;

/// A TLS connection, without its socket.
pub(crate) struct TlsSession {
    connection: Box<ServerConnection>,
    /// Bytes that were encrypted and not sent yet, as they were before.
    unsent: usize,
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession").field("unsent", &self.unsent).finish_non_exhaustive()
    }
}

impl TlsSession {
    /// A connection whose handshake has not begun.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub(crate) fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        // The senders bound what they have encrypted.
        connection.set_buffer_limit(None);
        Ok(Self { connection: connection.into(), unsent: 0 })
    }

    /// Performs the handshake with `received`, which is consumed, and what else comes until the deadline.
    ///
    /// # Errors
    /// The peer has disconnected, sends nothing in time ([`io::ErrorKind::TimedOut`] or
    /// [`io::ErrorKind::WouldBlock`]), or has sent something else than a handshake that this server supports
    /// ([`io::ErrorKind::InvalidData`], with an error of rustls). The peer was sent the alert that TLS demands, if any.
    pub(crate) fn shake_hands(
        &mut self,
        received: &mut Input,
        mut stream: &TcpStream,
        read_timeout: &mut ReadTimeout,
        deadline: Deadline,
    ) -> io::Result<()> {
        while !received.data().is_empty() {
            let count = self.connection.read_tls(&mut received.data())?;
            if count == 0 {
                // After a close_notify nothing else is read.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            received.consume(count);
            self.process(stream, Some(deadline))?;
        }
        while self.connection.is_handshaking() {
            read_timeout.set(stream, deadline.remaining()?)?;
            if self.connection.read_tls(&mut stream)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.process(stream, Some(deadline))?;
        }
        Ok(())
    }

    /// Reads from the socket once, and answers what the protocol demands to be answered.
    ///
    /// # Errors
    /// The socket's, or [`io::ErrorKind::InvalidData`], with an error of rustls: the peer violates the protocol.
    pub(crate) fn receive(&mut self, mut stream: &TcpStream) -> io::Result<()> {
        self.connection.read_tls(&mut stream)?;
        self.process(stream, None)
    }

    /// Decrypts what was received, and sends what must be answered to it. In a handshake that may be more than the
    /// socket takes at once, and so has a deadline.
    fn process(&mut self, stream: &TcpStream, deadline: Option<Deadline>) -> io::Result<()> {
        let processed = self.connection.process_new_packets();
        while self.connection.wants_write() {
            let in_time = deadline.map_or(Ok(()), |deadline| deadline.remaining().map(drop));
            match in_time.and_then(|()| self.send(stream)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The reason to send may be an error, which is the one to return.
                Err(error) if processed.is_ok() => return Err(error),
                Err(_) => break,
                Ok(_) => {}
            }
        }
        processed.map(drop).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Copies bytes that were received and decrypted; returns their number, or `None` if there are none. Zero at the
    /// end: a peer that disconnects without a `close_notify` has not cut off a request, which has a length.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.connection.reader().read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }

    /// True if [`TlsSession::read`] returns bytes without a further [`TlsSession::receive`].
    pub(crate) fn has_decrypted(&mut self) -> bool {
        self.connection.reader().fill_buf().is_ok_and(|bytes| !bytes.is_empty())
    }

    /// Encrypts `first` and `second`, which [`TlsSession::send`] then sends.
    ///
    /// # Errors
    /// The connection has failed before, or its key was used for as many records as is safe (TLS 1.2: 2²⁴).
    pub(crate) fn encrypt(&mut self, first: &[u8], second: &[u8]) -> io::Result<()> {
        let pieces = [IoSlice::new(first), IoSlice::new(second)];
        let count = self.connection.writer().write_vectored(&pieces)?;
        debug_assert_eq!(count, first.len() + second.len(), "the buffer has no limit");
        self.unsent += count;
        // rustls then takes what it does not encrypt.
        if count > 0 && !self.connection.wants_write() {
            return Err(io::Error::other("the key of the connection is used up"));
        }
        Ok(())
    }

    /// How many bytes were encrypted since all was sent.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent
    }

    /// True if there is something to send.
    pub(crate) fn must_send(&self) -> bool {
        self.connection.wants_write()
    }

    /// Sends once; returns how many bytes the socket took, of all that are sent for those of HTTP.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) fn send(&mut self, mut stream: &TcpStream) -> io::Result<usize> {
        let count = self.connection.write_tls(&mut stream)?;
        if !self.connection.wants_write() {
            self.unsent = 0;
        }
        Ok(count)
    }

    /// Tells the peer, with the next [`TlsSession::send`], that nothing follows (RFC 8446 §6.1).
    pub(crate) fn end(&mut self) {
        self.connection.send_close_notify();
    }
}
