//! A connection over the loopback interface, for unit tests.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::server::test_wait::wait_until;

/// The peer's end, with a timeout for reads, and the server's.
pub(super) fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    (peer, listener.accept().unwrap().0)
}

/// A connection whose peer has sent `sent` bytes, all of which have arrived. The peer stays connected as
/// long as the first value lives.
pub(super) fn connection_with_input(sent: usize) -> (TcpStream, Arc<TcpStream>) {
    let (mut peer, stream) = connection();
    peer.write_all(&vec![b'x'; sent]).unwrap();
    wait_until("all has come", || unread_bytes(&stream, sent) == sent);
    (peer, Arc::new(stream))
}

/// The number of bytes that have arrived and were not read, up to `most`.
pub(super) fn unread_bytes(stream: &TcpStream, most: usize) -> usize {
    stream.peek(&mut vec![0; most]).unwrap()
}
