//! The options of a connection's socket: no delay for partial segments, and the timeouts of its first read
//! and of each write.
//!
//! Linux's accept copies them from the listener, so that they are set once and not for each connection: three
//! system calls less, which is 1 % of the CPU time of a connection with a small request. Other systems need
//! not copy them. So the first accepted socket is examined: if it lacks them, they are set on each socket.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use socket2::SockRef;

use super::rate::write_timeout;
use crate::server::config::{Rates, Timeouts};

/// Whether this system copies the options of a listener to the sockets that it accepts.
static ARE_COPIED: OnceLock<bool> = OnceLock::new();

/// The options that each accepted socket has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    read_timeout: Duration,
    write_timeout: Duration,
}

impl SocketOptions {
    pub(crate) fn new(timeouts: Timeouts, rates: Rates) -> Self {
        Self { read_timeout: timeouts.head, write_timeout: write_timeout(rates, timeouts.stall) }
    }

    /// Sets the options of the sockets that this listener will accept.
    ///
    /// # Errors
    /// The error of setsockopt(2), or [`io::ErrorKind::InvalidInput`] for a timeout of less than a
    /// microsecond, which the system would take as none.
    pub(crate) fn set_on_listener(self, listener: &TcpListener) -> io::Result<()> {
        self.set(&SockRef::from(listener))
    }

    /// Sets the options of an accepted socket, if the system has not copied those of the listener.
    ///
    /// # Errors
    /// The error of getsockopt(2) or setsockopt(2).
    pub(super) fn set_on_accepted(self, stream: &TcpStream) -> io::Result<()> {
        self.set_unless_copied(stream, &ARE_COPIED)
    }

    fn set_unless_copied(self, stream: &TcpStream, are_copied: &OnceLock<bool>) -> io::Result<()> {
        let socket = SockRef::from(stream);
        if *are_copied.get_or_init(|| has_options(&socket).unwrap_or(false)) {
            return Ok(());
        }
        self.set(&socket)
    }

    fn set(self, socket: &SockRef<'_>) -> io::Result<()> {
        if self.read_timeout.as_micros() == 0 || self.write_timeout.as_micros() == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(self.read_timeout))?;
        socket.set_write_timeout(Some(self.write_timeout))
    }
}

/// True if a socket that was just accepted has the options of its listener. A new socket has neither timeout.
/// The values are not compared: the system rounds them.
fn has_options(socket: &SockRef<'_>) -> io::Result<bool> {
    Ok(socket.tcp_nodelay()?
        && socket.read_timeout()?.is_some()
        && socket.write_timeout()?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeouts() -> Timeouts {
        Timeouts {
            head: Duration::from_secs(7),
            stall: Duration::from_millis(600),
            ..Timeouts::default()
        }
    }

    /// The peer's end of a connection, and the end that was accepted from a listener with these options.
    fn accepted(options: Option<SocketOptions>) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        options.map_or(Ok(()), |options| options.set_on_listener(&listener)).unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (peer, listener.accept().unwrap().0)
    }

    #[test]
    fn each_accepted_socket_has_all_options_whether_the_system_copies_them_or_not() {
        let options = SocketOptions::new(timeouts(), Rates::default());
        for on_listener in [Some(options), None] {
            let are_copied = OnceLock::new();
            for _ in 0..2 {
                let (_peer, stream) = accepted(on_listener);
                options.set_unless_copied(&stream, &are_copied).unwrap();
                assert!(stream.nodelay().unwrap());
                assert_eq!(stream.read_timeout().unwrap(), Some(timeouts().head));
                assert_eq!(stream.write_timeout().unwrap(), Some(timeouts().stall));
            }
            // A listener without options is as one whose options are not copied.
            if cfg!(target_os = "linux") || on_listener.is_none() {
                assert_eq!(are_copied.get(), Some(&on_listener.is_some()));
            }
        }
    }

    #[test]
    fn a_timeout_that_would_be_none_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for none in [Duration::ZERO, Duration::from_nanos(999)] {
            for timeouts in
                [Timeouts { head: none, ..timeouts() }, Timeouts { stall: none, ..timeouts() }]
            {
                let options = SocketOptions::new(timeouts, Rates::default());
                let error = options.set_on_listener(&listener).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{timeouts:?}");
            }
        }
    }
}
