//! Reading from a socket without blocking.

use std::net::TcpStream;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

/// Most bytes read from one socket at a time, so that a flood on one does not delay the others.
pub(super) const MAX_READ_BYTES: usize = 256 * 1024;

/// Most bytes read from a socket that is evicted to make room for another. The accept loop does this
/// itself, so it must be quick.
pub(super) const MAX_EVICTION_READ_BYTES: usize = 8 * 1024;

/// The state of a peer after a read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Open {
        has_sent: bool,
    },
    /// It has closed its sending half.
    Finished,
    /// The connection is broken.
    Gone,
}

/// Passes received bytes to `consume`, `most` at most, in pieces of at most the size of `scratch`.
pub(super) fn read_available(
    stream: &TcpStream,
    scratch: &mut [u8],
    most: usize,
    mut consume: impl FnMut(&[u8]),
) -> Peer {
    let mut received = 0;
    while received < most {
        let room = scratch.len().min(most - received);
        match recv(stream, &mut scratch[..room], RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Peer::Finished,
            Ok((count, _)) => {
                consume(&scratch[..count]);
                received += count;
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(_) => return Peer::Gone,
        }
    }
    Peer::Open { has_sent: received > 0 }
}

/// Discards received bytes, `most` at most.
pub(super) fn discard(stream: &TcpStream, most: usize) -> Peer {
    // Not on the stack, which is that of a connection's thread: its pages are never given back.
    read_available(stream, &mut vec![0; 8 * 1024], most, |_| {})
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::server::limits::lingering::test_connection::connection;
    use crate::server::test_wait::wait_until;

    #[test]
    fn no_more_is_read_than_asked_for_in_pieces_of_any_size() {
        const SENT: &[u8; 20] = b"01234567890123456789";
        for (scratch_bytes, most, pieces) in
            [(8, 10, &[8, 2][..]), (8, 8, &[8]), (64, 10, &[10]), (8, 64, &[8, 8, 4]), (8, 0, &[])]
        {
            let (mut peer, stream) = connection();
            peer.write_all(SENT).unwrap();
            wait_until("all has come", || stream.peek(&mut [0; 64]).unwrap() == SENT.len());
            let mut read = Vec::new();
            let found = read_available(&stream, &mut vec![0; scratch_bytes], most, |bytes| {
                read.push(bytes.len());
            });
            assert_eq!(read, pieces, "{most} in pieces of {scratch_bytes}");
            assert_eq!(found, Peer::Open { has_sent: most > 0 });
        }
    }
}
