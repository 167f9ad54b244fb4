//! Sending bytes and ranges of files over a connection, at its rate: encrypted (`send_encrypted`), or as they are.

use std::fs::File;
use std::io;
use std::io::IoSlice;
use std::net::TcpStream;

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};

use super::rate::SendRate;
use super::send_encrypted::EncryptedSender;
use super::transport::{Flush, Transport};
use crate::server::site::file::FileContent;

/// Most bytes of one `sendfile` call, so that the rate is checked in between.
const PIECE_BYTES: u64 = 1024 * 1024;

/// A connection and its rate. The write timeout of the socket is [`SendRate::write_timeout`], so that the rate is
/// checked in time.
#[derive(Debug)]
pub(super) struct Sender<'c, 's> {
    pub(super) transport: &'c mut Transport<'s>,
    pub(super) rate: &'c mut SendRate,
}

impl Sender<'_, '_> {
    fn encrypted(&mut self) -> Option<EncryptedSender<'_>> {
        let Transport { stream, session, .. } = &mut *self.transport;
        let session = session.as_mut()?;
        Some(EncryptedSender { stream, session, rate: self.rate })
    }

    /// Tells the peer that nothing follows, if the connection is encrypted (RFC 8446 §6.1). A close then cannot be
    /// taken for one that somebody else has made.
    ///
    /// # Errors
    /// The peer disconnected or is too slow.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.encrypted().map_or(Ok(()), |mut sender| sender.end())
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// The peer disconnected or is too slow.
    pub(super) fn send_all(&mut self, bytes: &[u8], flush: Flush) -> io::Result<()> {
        self.send_both(bytes, &[], flush)
    }

    /// Sends all of `first`, then all of `second`: in one call if the socket takes them.
    ///
    /// # Errors
    /// The peer disconnected or is too slow.
    pub(super) fn send_both(
        &mut self,
        mut first: &[u8],
        mut second: &[u8],
        flush: Flush,
    ) -> io::Result<()> {
        if let Some(mut sender) = self.encrypted() {
            return sender.send_both(first, second, flush);
        }
        let flags = match flush {
            #[cfg(target_os = "linux")]
            Flush::Later => SendFlags::NOSIGNAL | SendFlags::MORE,
            _ => SendFlags::NOSIGNAL,
        };
        while !first.is_empty() || !second.is_empty() {
            let wanted = first.len() + second.len();
            let sent = self.in_turn(wanted as u64, |stream, allowed| {
                let of_first = &first[..first.len().min(allowed)];
                let of_second = &second[..second.len().min(allowed - of_first.len())];
                if of_second.is_empty() {
                    return rustix::net::send(stream, of_first, flags);
                }
                let pieces = [IoSlice::new(of_first), IoSlice::new(of_second)];
                let mut control = SendAncillaryBuffer::default();
                rustix::net::sendmsg(stream, &pieces, &mut control, flags)
            });
            let count = self.rate.account(sent)?;
            let from_first = count.min(first.len());
            (first, second) = (&first[from_first..], &second[count - from_first..]);
        }
        Ok(())
    }

    /// Sends a range of a file.
    ///
    /// # Errors
    /// The peer disconnected or is too slow, or the file ends early ([`io::ErrorKind::UnexpectedEof`]).
    pub(super) fn send_content(
        &mut self,
        content: &FileContent,
        offset: u64,
        length: u64,
        flush: Flush,
    ) -> io::Result<()> {
        match content {
            FileContent::Opened(file) => match self.encrypted() {
                Some(mut sender) => sender.send_file(file, offset, length, flush),
                None => self.send_file(file, offset, length),
            },
            FileContent::Loaded(bytes) => self.send_all(range_of(bytes, offset, length), flush),
        }
    }

    /// Sends a range of a file without copying it through the process (sendfile(2)).
    ///
    /// Waits with `poll` rather than in `sendfile`: the kernel applies the write timeout anew to each
    /// 64 KiB of a call, and to each byte of them that the peer takes. A peer that takes a few bytes a
    /// second would keep one call, and its connection, for hours.
    ///
    /// # Errors
    /// The peer disconnected or is too slow, or the file ends early ([`io::ErrorKind::UnexpectedEof`]).
    #[cfg(target_os = "linux")]
    fn send_file(&mut self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        self.transport.stream.set_nonblocking(true)?;
        let (mut at, end) = (offset, offset + length);
        while at < end {
            let sent = self.in_turn((end - at).min(PIECE_BYTES), |stream, allowed| {
                rustix::fs::sendfile(stream, file, Some(&mut at), allowed)
            });
            match sent {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(Errno::AGAIN) => self.wait_until_writable()?,
                sent => self.rate.account(sent).map(drop)?,
            }
        }
        // After an error the mode does not matter: the connection is closed.
        self.transport.stream.set_nonblocking(false)
    }

    #[cfg(target_os = "linux")]
    fn wait_until_writable(&mut self) -> io::Result<()> {
        let timeout = Timespec::try_from(self.rate.write_timeout()).map_err(io::Error::other)?;
        let mut socket = [PollFd::new(self.transport.stream, PollFlags::OUT)];
        match poll(&mut socket, Some(&timeout)) {
            Ok(0) => self.rate.stalled(),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a range of a file through a buffer, on systems without Linux's `sendfile`.
    ///
    /// # Errors
    /// The peer disconnected or is too slow, or the file ends early ([`io::ErrorKind::UnexpectedEof`]).
    #[cfg(not(target_os = "linux"))]
    fn send_file(&mut self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        super::file_pieces::for_each_piece(file, offset, length, |piece| {
            self.send_all(piece, Flush::Later)
        })
    }

    /// Calls `send` with the number of bytes that it may send, when it may: at most `wanted`.
    fn in_turn(
        &mut self,
        wanted: u64,
        send: impl FnOnce(&TcpStream, usize) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        let allowed = self.rate.wait_for_turn(wanted);
        let allowed = usize::try_from(allowed).expect("no more is wanted than fits into memory");
        let result = send(self.transport.stream, allowed);
        self.rate.end_turn(result.unwrap_or(0) as u64);
        result
    }
}

/// `length` bytes of `content` from `offset` on.
pub(super) fn range_of(content: &[u8], offset: u64, length: u64) -> &[u8] {
    let position = |at| usize::try_from(at).expect("it is within what is in memory");
    &content[position(offset)..position(offset + length)]
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::net::ReadTimeout;
    use crate::server::config::Rates;
    use crate::server::limits::rates::shared_rate::{Share, SharedRate};

    const STALL: Duration = Duration::from_secs(60);

    /// The bytes that arrive of `first` and `second`, which the peer begins to read after `delay`.
    fn received(maximum: Option<u64>, first: &[u8], second: &[u8], delay: Duration) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
        let reading = thread::spawn(move || {
            thread::sleep(delay);
            let mut received = Vec::new();
            peer.read_to_end(&mut received).map(|_| received).unwrap()
        });
        let rates = Rates { minimum: 0, ..Rates::default() };
        let share = |maximum| Share::new(Arc::new(SharedRate::new(maximum)), Arc::default());
        let shares = maximum.map(share).into_iter().collect();
        let rate = &mut SendRate::new(rates, STALL, shares);
        let transport = &mut Transport::new(&stream, None, ReadTimeout::default());
        Sender { transport, rate }.send_both(first, second, Flush::Now).unwrap();
        drop(stream);
        reading.join().unwrap()
    }

    #[test]
    fn both_parts_arrive_whole_in_pieces_of_any_size() {
        // Pieces of two and of three bytes: they end within a part, at its end, and across both.
        thread::scope(|scope| {
            for maximum in [40, 60] {
                for first in [&b""[..], b"a", b"ab", b"abc", b"abcd"] {
                    for second in [&b""[..], b"1", b"12", b"1234"] {
                        scope.spawn(move || {
                            let arrived = received(Some(maximum), first, second, Duration::ZERO);
                            assert_eq!(arrived, [first, second].concat());
                        });
                    }
                }
            }
        });
    }

    #[test]
    fn both_parts_arrive_whole_if_the_socket_takes_less_than_was_offered() {
        // More than the buffers of both sockets, and without a period that would hide a wrong position.
        let bytes: Vec<u8> = (0..4_000_000_u32).flat_map(u32::to_le_bytes).collect();
        for at in [1, bytes.len() / 2, bytes.len() - 1] {
            let (first, second) = bytes.split_at(at);
            let arrived = received(None, first, second, Duration::from_millis(100));
            assert!(arrived == bytes, "{} of {} bytes arrived", arrived.len(), bytes.len());
        }
    }
}
