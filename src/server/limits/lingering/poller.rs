//! Waiting for input on many sockets, until a deadline or a wake-up through a pipe.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A pipe that is polled with the sockets: a byte in it ends the wait.
#[derive(Debug)]
pub(super) struct Poller {
    writer: PipeWriter,
    reader: PipeReader,
}

/// The result of a wait.
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) is_woken: bool,
    /// The keys of the sockets that have input or have ended, in ascending order.
    pub(super) keys: Vec<u64>,
}

impl Poller {
    /// # Errors
    /// The system cannot make a pipe.
    pub(super) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { writer, reader })
    }

    /// Ends the wait, or the next one. Not called again before that, so that one byte at most is in the
    /// pipe.
    pub(super) fn wake(&self) {
        // The reader is open as long as the writer, and the pipe is empty: it does not fail.
        let _ = (&self.writer).write(&[0]);
    }

    /// Waits until one of the sockets has input, the poller is woken or the deadline has come.
    pub(super) fn wait(
        &self,
        sockets: &[(u64, Arc<TcpStream>)],
        deadline: Option<Instant>,
    ) -> Ready {
        let remaining = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = remaining.and_then(|remaining| Timespec::try_from(remaining).ok());
        let fds = sockets.iter().map(|(_, stream)| stream.as_fd());
        let fds = std::iter::once(self.reader.as_fd()).chain(fds);
        let mut fds: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        // After a failure, such as EINTR, nothing counts as ready: the caller tries again.
        let count = poll(&mut fds, timeout.as_ref()).unwrap_or(0);
        if count == 0 {
            return Ready::default();
        }
        let mut has_event = fds.iter().map(|fd| !fd.revents().is_empty());
        let is_woken = has_event.next().unwrap_or(false);
        let ready = sockets.iter().zip(has_event).filter(|(_, has_event)| *has_event);
        let mut keys: Vec<_> = ready.map(|((key, _), _)| *key).collect();
        keys.sort_unstable();
        if is_woken {
            let _ = (&self.reader).read(&mut [0]);
        }
        Ready { is_woken, keys }
    }
}
