//! Bytes and parts of files on their way onto a socket, at the connection's pace.

use std::fs::File;
use std::io;
use std::net::TcpStream;

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::rate::Pace;

/// Most bytes handed to one `sendfile`, so that the pace is looked at now and then.
const PIECE_BYTES: u64 = 1024 * 1024;

/// Whether more follows at once, which lets the kernel fill its segments (send(2), `MSG_MORE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    No,
    Follows,
}

/// A socket to send on, whose write timeout is that of the pace.
#[derive(Debug)]
pub(super) struct Outgoing<'c> {
    pub(super) stream: &'c TcpStream,
    pub(super) pace: &'c mut Pace,
}

impl Outgoing<'_> {
    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// The peer is gone, or too slow.
    pub(crate) fn send_all(&mut self, mut bytes: &[u8], more: More) -> io::Result<()> {
        let flags = match more {
            #[cfg(target_os = "linux")]
            More::Follows => SendFlags::NOSIGNAL | SendFlags::MORE,
            _ => SendFlags::NOSIGNAL,
        };
        while !bytes.is_empty() {
            let allowed = usize::try_from(self.pace.allow(bytes.len() as u64))
                .expect("it is no more than was asked for");
            let sent = rustix::net::send(self.stream, &bytes[..allowed], flags);
            bytes = &bytes[self.progress(sent)?..];
        }
        Ok(())
    }

    /// Sends part of a file without taking it through the process's memory (sendfile(2)).
    ///
    /// It is the socket's readiness that is waited for, not `sendfile`: the kernel applies the write
    /// timeout to each 64 KiB of a call anew, and again to each byte that a peer takes of them, so that
    /// one who takes a few bytes a second would keep a call, and its connection, for hours.
    ///
    /// # Errors
    /// The peer is gone or too slow, or the file ends early ([`io::ErrorKind::UnexpectedEof`]).
    #[cfg(target_os = "linux")]
    pub(crate) fn send_file(&mut self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        let (mut at, end) = (offset, offset + length);
        while at < end {
            let allowed = self.pace.allow((end - at).min(PIECE_BYTES));
            let count = usize::try_from(allowed).expect("it is at most PIECE_BYTES");
            match rustix::fs::sendfile(self.stream, file, Some(&mut at), count) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(Errno::AGAIN) => self.wait_until_writable()?,
                sent => self.progress(sent).map(drop)?,
            }
        }
        // After a failure the connection is closed, and its mode is of no interest.
        self.stream.set_nonblocking(false)
    }

    #[cfg(target_os = "linux")]
    fn wait_until_writable(&mut self) -> io::Result<()> {
        let timeout = Timespec::try_from(self.pace.write_timeout()).map_err(io::Error::other)?;
        let mut socket = [PollFd::new(self.stream, PollFlags::OUT)];
        match poll(&mut socket, Some(&timeout)) {
            Ok(0) => self.pace.stalled(),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends part of a file through a buffer, where the system has no `sendfile` of this kind.
    ///
    /// # Errors
    /// The peer is gone or too slow, or the file ends early ([`io::ErrorKind::UnexpectedEof`]).
    #[cfg(not(target_os = "linux"))]
    pub(super) fn send_file(&mut self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        use std::os::unix::fs::FileExt as _;
        let mut buffer = vec![0; 64 * 1024];
        let (mut at, end) = (offset, offset + length);
        while at < end {
            let wanted = (end - at).min(buffer.len() as u64).min(PIECE_BYTES);
            let count = usize::try_from(wanted).expect("it is at most the buffer's length");
            file.read_exact_at(&mut buffer[..count], at)?;
            self.send_all(&buffer[..count], More::Follows)?;
            at += wanted;
        }
        Ok(())
    }

    fn progress(&mut self, sent: Result<usize, Errno>) -> io::Result<usize> {
        match sent {
            Ok(count) => self.pace.sent(count as u64).map(|()| count),
            Err(Errno::INTR) => Ok(0),
            Err(Errno::AGAIN) => self.pace.stalled().map(|()| 0),
            Err(error) => Err(error.into()),
        }
    }
}
