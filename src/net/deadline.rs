//! Deadlines: one point in time for a whole exchange, from which each read takes its timeout.
//!
//! A timeout for each read alone lets a peer that sends a byte at a time stay for ever; a deadline
//! does not. Setting a socket's timeout is a system call, so it is made only when the value changes.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A point in time by which something must be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    #[must_use]
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// So long from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// What is left of it.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] once nothing is left.
    pub fn remaining(self) -> io::Result<Duration> {
        let remaining = self.0.saturating_duration_since(Instant::now());
        if remaining.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(remaining) }
    }
}

/// A socket's read timeout (`SO_RCVTIMEO`), remembered so that setting it to what it is costs nothing.
#[derive(Debug, Default)]
pub struct ReadTimeout {
    current: Option<Duration>,
}

impl ReadTimeout {
    /// Lets each of the socket's reads wait for at most `timeout`, which is not zero.
    ///
    /// # Errors
    /// The system's, such as a socket that is closed.
    pub fn set(&mut self, stream: &TcpStream, timeout: Duration) -> io::Result<()> {
        if self.current != Some(timeout) {
            stream.set_read_timeout(Some(timeout))?;
            self.current = Some(timeout);
        }
        Ok(())
    }
}

/// A read or write that waited for its timeout: Unix says `WouldBlock`, others `TimedOut`.
#[must_use]
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The peer went away: nothing is wrong at this end.
#[must_use]
pub fn is_disconnect(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_has_passed_leaves_nothing() {
        assert!(is_timeout(&Deadline::at(Instant::now()).remaining().unwrap_err()));
        let remaining = Deadline::after(Duration::from_secs(60)).remaining().unwrap();
        assert!(remaining <= Duration::from_secs(60));
    }
}
