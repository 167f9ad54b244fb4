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
            // At a maximum rate nothing waits for the next turn.
            let is_turn_over = allowed < wanted;
            if is_turn_over || self.session.unsent() >= DELAYED_BYTES {
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use rustls::version::{TLS12, TLS13};

    use super::*;
    use crate::server::config::Rates;
    use crate::server::connection::test_tls::{encrypted, sockets};
    use crate::server::limits::rates::shared_rate::{Share, SharedRate};

    /// What arrives of what `send` sends, as the peer begins to read after `delay`.
    fn received(
        maximum: Option<u64>,
        delay: Duration,
        send: impl FnOnce(&mut EncryptedSender<'_>) -> io::Result<()>,
    ) -> Vec<u8> {
        let version = if delay.is_zero() { &TLS13 } else { &TLS12 };
        let (peer, stream) = sockets();
        stream.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
        let (mut transport, mut peer) = encrypted(&stream, peer, version);
        let reading = thread::spawn(move || {
            thread::sleep(delay);
            let mut received = Vec::new();
            peer.read_to_end(&mut received).map(|_| received).unwrap()
        });
        let rates = Rates { minimum: 0, ..Rates::default() };
        let share = |maximum| Share::new(Arc::new(SharedRate::new(maximum)), Arc::default());
        let shares = maximum.map(share).into_iter().collect();
        let rate = &mut SendRate::new(rates, Duration::from_secs(60), shares);
        let session = transport.session.as_mut().unwrap();
        let mut sender = EncryptedSender { stream: &stream, session, rate };
        send(&mut sender).unwrap();
        sender.end().unwrap();
        drop(stream);
        reading.join().unwrap()
    }

    #[test]
    fn both_parts_arrive_whole_in_pieces_of_any_size() {
        thread::scope(|scope| {
            for maximum in [40, 60] {
                for first in [&b""[..], b"a", b"abc", b"abcd"] {
                    for second in [&b""[..], b"12", b"123"] {
                        scope.spawn(move || {
                            let arrived = received(Some(maximum), Duration::ZERO, |sender| {
                                sender.send_both(first, second, Flush::Now)
                            });
                            assert_eq!(arrived, [first, second].concat());
                        });
                    }
                }
            }
        });
    }

    #[test]
    fn all_arrives_if_the_socket_takes_less_than_was_offered() {
        // More than the buffers of both sockets, and without a period that would hide a wrong position.
        let bytes: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let delay = Duration::from_millis(100);
        for at in [1, DELAYED_BYTES - 1, PIECE_BYTES + 1, bytes.len() - 1] {
            let (first, second) = bytes.split_at(at);
            let arrived = received(None, delay, |sender| {
                sender.send_both(first, &[], Flush::Later)?;
                sender.send_both(second, &[], Flush::Now)
            });
            assert!(arrived == bytes, "{} of {} bytes arrived", arrived.len(), bytes.len());
            let length = second.len() as u64;
            let arrived = received(None, delay, |sender| {
                sender.send_file(&file, at as u64, length, Flush::Now)
            });
            assert!(arrived == second, "{} of {length} bytes of the file", arrived.len());
        }
    }

    #[test]
    fn nothing_waits_for_its_turn_after_it_was_encrypted() {
        let (peer, stream) = sockets();
        let (mut transport, _peer) = encrypted(&stream, peer, &TLS13);
        let shares = vec![Share::new(Arc::new(SharedRate::new(100_000)), Arc::default())];
        let rates = Rates { minimum: 0, ..Rates::default() };
        let rate = &mut SendRate::new(rates, Duration::from_secs(60), shares);
        let session = transport.session.as_mut().unwrap();
        let mut sender = EncryptedSender { stream: &stream, session, rate };
        sender.send_both(&[b'x'; 5_500], &[], Flush::Later).unwrap();
        assert_eq!(sender.session.unsent(), 500, "two turns of a fortieth of a second were sent");
    }

    #[test]
    fn little_waits_for_what_follows_and_a_file_must_not_end_early() {
        let (peer, stream) = sockets();
        let (mut transport, _peer) = encrypted(&stream, peer, &TLS13);
        let rates = Rates::default();
        let rate = &mut SendRate::new(rates, Duration::from_secs(60), Vec::new());
        let session = transport.session.as_mut().unwrap();
        let mut sender = EncryptedSender { stream: &stream, session, rate };
        for (bytes, flush, waits) in [
            (DELAYED_BYTES - 1, Flush::Later, true),
            (1, Flush::Later, false),
            (DELAYED_BYTES - 1, Flush::Later, true),
            (0, Flush::Now, false),
            (1, Flush::Now, false),
        ] {
            sender.send_both(&vec![b'x'; bytes], &[], flush).unwrap();
            assert_eq!(sender.session.must_send(), waits, "{bytes} {flush:?}");
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"short").unwrap();
        let error = sender.send_file(&file, 0, 6, Flush::Now).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
