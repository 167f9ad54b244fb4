//! A connection over the loopback interface, for unit tests.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// The peer's end, with a timeout for reads, and the server's.
pub(super) fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    (peer, listener.accept().unwrap().0)
}
