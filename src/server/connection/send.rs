//! Sending bytes and ranges of files over a socket, at the rate of the connection.

use std::fs::File;
use std::io;
use std::net::TcpStream;

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::rate::SendRate;

/// Most bytes of one `sendfile` call, so that the rate is checked in between.
const PIECE_BYTES: u64 = 1024 * 1024;

/// Whether the kernel sends a partial segment at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    Now,
    /// More bytes follow at once, and fill the segment (send(2), `MSG_MORE`).
    Later,
}

/// A socket and its rate, which also sets the socket's write timeout.
#[derive(Debug)]
pub(super) struct Sender<'c> {
    pub(super) stream: &'c TcpStream,
    pub(super) rate: &'c mut SendRate,
}

impl Sender<'_> {
    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// The peer disconnected or is too slow.
    pub(super) fn send_all(&mut self, mut bytes: &[u8], flush: Flush) -> io::Result<()> {
        let flags = match flush {
            #[cfg(target_os = "linux")]
            Flush::Later => SendFlags::NOSIGNAL | SendFlags::MORE,
            _ => SendFlags::NOSIGNAL,
        };
        while !bytes.is_empty() {
            let allowed = usize::try_from(self.rate.wait_until_due(bytes.len() as u64))
                .expect("it is at most the length of the bytes");
            let sent = rustix::net::send(self.stream, &bytes[..allowed], flags);
            bytes = &bytes[self.progress(sent)?..];
        }
        Ok(())
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
    pub(super) fn send_file(&mut self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        let (mut at, end) = (offset, offset + length);
        while at < end {
            let allowed = self.rate.wait_until_due((end - at).min(PIECE_BYTES));
            let count = usize::try_from(allowed).expect("it is at most PIECE_BYTES");
            match rustix::fs::sendfile(self.stream, file, Some(&mut at), count) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(Errno::AGAIN) => self.wait_until_writable()?,
                sent => self.progress(sent).map(drop)?,
            }
        }
        // After an error the mode does not matter: the connection is closed.
        self.stream.set_nonblocking(false)
    }

    #[cfg(target_os = "linux")]
    fn wait_until_writable(&mut self) -> io::Result<()> {
        let timeout = Timespec::try_from(self.rate.write_timeout()).map_err(io::Error::other)?;
        let mut socket = [PollFd::new(self.stream, PollFlags::OUT)];
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
    pub(super) fn send_file(&mut self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        use std::os::unix::fs::FileExt as _;
        let mut buffer = vec![0; 64 * 1024];
        let (mut at, end) = (offset, offset + length);
        while at < end {
            let wanted = (end - at).min(buffer.len() as u64).min(PIECE_BYTES);
            let count = usize::try_from(wanted).expect("it is at most the length of the buffer");
            file.read_exact_at(&mut buffer[..count], at)?;
            self.send_all(&buffer[..count], Flush::Later)?;
            at += wanted;
        }
        Ok(())
    }

    /// Accounts for the result of one call; returns how many bytes were sent.
    fn progress(&mut self, sent: Result<usize, Errno>) -> io::Result<usize> {
        match sent {
            Ok(count) => self.rate.sent(count as u64).map(|()| count),
            Err(Errno::INTR) => Ok(0),
            Err(Errno::AGAIN) => self.rate.stalled().map(|()| 0),
            Err(error) => Err(error.into()),
        }
    }
}
