//! Deadlines for whole exchanges, from which the timeout of each read is derived.
//!
//! With a timeout for each read only, a peer that sends one byte at a time could hold a connection for
//! ever. Setting a socket's timeout is a system call, so it is made only if the value changes.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The time by which an operation must be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline at this instant.
    #[must_use]
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// A deadline at `duration` from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// The time until the deadline; more than zero.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] once the deadline has passed.
    pub fn remaining(self) -> io::Result<Duration> {
        let remaining = self.0.saturating_duration_since(Instant::now());
        if remaining.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(remaining) }
    }
}

/// The read timeout of a socket (`SO_RCVTIMEO`), cached to avoid needless system calls.
#[derive(Debug, Default)]
pub struct ReadTimeout {
    current: Option<Duration>,
}

impl ReadTimeout {
    /// The timeout of a socket on which it is set to `current` already.
    #[must_use]
    pub fn set_to(current: Duration) -> Self {
        Self { current: Some(current) }
    }

    /// Sets the longest time that each read of `stream` may wait. `timeout` must not be zero. Use one
    /// `ReadTimeout` per socket.
    ///
    /// # Errors
    /// The error of setsockopt(2).
    pub fn set(&mut self, stream: &TcpStream, timeout: Duration) -> io::Result<()> {
        if self.current != Some(timeout) {
            stream.set_read_timeout(Some(timeout))?;
            self.current = Some(timeout);
        }
        Ok(())
    }
}

/// Whether a read or write timed out. Unix reports `WouldBlock`, other systems `TimedOut`.
#[must_use]
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Whether the peer closed or reset the connection, which is not a local fault.
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
    fn a_deadline_that_has_passed_has_no_time_remaining() {
        assert!(is_timeout(&Deadline::at(Instant::now()).remaining().unwrap_err()));
        let remaining = Deadline::after(Duration::from_secs(60)).remaining().unwrap();
        assert!(remaining <= Duration::from_secs(60));
    }
}
