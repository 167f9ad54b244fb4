//! Sending over TLS: bytes are encrypted a piece at a time, and sent.
//!
//! Files are read into a buffer. With `sendfile` the kernel would have to encrypt them, which it can do only where it
//! was built to.

use std::fs::File;
use std::io;
use std::net::TcpStream;

use super::file_pieces::for_each_piece;
use super::rate::SendRate;
use super::transport::Flush;
use crate::server::tls::session::TlsSession;

/// Most bytes that are encrypted before they are sent.
const PIECE_BYTES: usize = 64 * 1024;

/// Fewer bytes wait for those that follow at once, to be sent with them.
const DELAYED_BYTES: usize = 16 * 1024;

/// An encrypted connection and its rate.
#[derive(Debug)]
pub(super) struct EncryptedSender<'c> {
    pub(super) stream: &'c TcpStream,
    pub(super) session: &'c mut TlsSession,
    pub(super) rate: &'c mut SendRate,
}

impl EncryptedSender<'_> {
    /// Sends all of `first`, then all of `second`.
    ///
    /// # Errors
    /// The peer disconnected or is too slow.
    pub(super) fn send_both(
        &mut self,
        mut first: &[u8],
        mut second: &[u8],
        flush: Flush,
    ) -> io::Result<()> {
        while !first.is_empty() || !second.is_empty() {
            let wanted = (first.len() + second.len()).min(PIECE_BYTES);
            let allowed = self.rate.wait_for_turn(wanted as u64);
            let allowed =
                usize::try_from(allowed).expect("no more is wanted than fits into memory");
            let from_first = first.len().min(allowed);
            let from_second = second.len().min(allowed - from_first);
            let encrypted = self.session.encrypt(&first[..from_first], &second[..from_second]);
            self.rate.end_turn(allowed as u64);
            encrypted?;
            (first, second) = (&first[from_first..], &second[from_second..]);
            if self.session.unsent() >= DELAYED_BYTES {
                self.flush()?;
            }
        }
        if flush == Flush::Now { self.flush() } else { Ok(()) }
    }

    /// Sends a range of a file.
    ///
    /// # Errors
    /// The peer disconnected or is too slow, or the file ends early ([`io::ErrorKind::UnexpectedEof`]).
    pub(super) fn send_file(
        &mut self,
        file: &File,
        offset: u64,
        length: u64,
        flush: Flush,
    ) -> io::Result<()> {
        for_each_piece(file, offset, length, |piece| self.send_both(piece, &[], Flush::Later))?;
        self.send_both(&[], &[], flush)
    }

    /// Tells the peer that nothing follows.
    ///
    /// # Errors
    /// The peer disconnected or is too slow.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.session.end();
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.must_send() {
            let sent = self.session.send(self.stream);
            self.rate.account(sent)?;
        }
        Ok(())
    }
}
