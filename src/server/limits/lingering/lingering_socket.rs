//! One socket after its sending half is closed: its input is discarded until the peer closes it.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::input::{MAX_EVICTION_READ_BYTES, MAX_READ_BYTES, Peer, discard, read_available};

/// How long a peer may stay silent without closing its side (nginx: `lingering_timeout`, also 5 s).
const SILENCE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may go on sending (nginx: `lingering_time`, also 30 s).
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct LingeringSocket {
    pub(super) stream: Arc<TcpStream>,
    /// Closed then, unless the peer sends more.
    silence_deadline: Instant,
    /// Closed then in any case.
    total_deadline: Instant,
}

impl LingeringSocket {
    pub(super) fn new(stream: Arc<TcpStream>, now: Instant) -> Self {
        Self {
            stream,
            silence_deadline: now + SILENCE_TIMEOUT,
            total_deadline: now + TOTAL_TIMEOUT,
        }
    }

    /// When the socket is closed, unless the peer sends more.
    pub(super) fn deadline(&self) -> Instant {
        self.silence_deadline.min(self.total_deadline)
    }

    /// Discards received input, up to [`MAX_EVICTION_READ_BYTES`], as more would take too long, and closes
    /// the socket.
    pub(super) fn evict(self) {
        discard(&self.stream, MAX_EVICTION_READ_BYTES);
    }

    /// Discards received input, and closes the socket.
    pub(super) fn close(self) {
        discard(&self.stream, MAX_READ_BYTES);
    }

    /// Discards received input; false if the socket must be closed.
    pub(super) fn discard_input(&mut self, scratch: &mut [u8], now: Instant) -> bool {
        match read_available(&self.stream, scratch, MAX_READ_BYTES, |_| {}) {
            Peer::Open { has_sent: true } => self.silence_deadline = now + SILENCE_TIMEOUT,
            Peer::Open { has_sent: false } => {}
            Peer::Finished | Peer::Gone => return false,
        }
        now < self.deadline()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::server::limits::lingering::test_connection::{
        connection, connection_with_input, unread_bytes,
    };

    #[test]
    fn an_evicted_socket_is_read_from_only_briefly() {
        const SENT: usize = 60_000;
        let (_peer, stream) = connection_with_input(SENT);
        LingeringSocket::new(Arc::clone(&stream), Instant::now()).evict();
        assert_eq!(unread_bytes(&stream, SENT), SENT - MAX_EVICTION_READ_BYTES);
    }

    #[test]
    fn no_peer_can_make_its_connection_last() {
        let started_at = Instant::now();
        let (mut peer, stream) = connection();
        let mut socket = LingeringSocket::new(stream.into(), started_at);
        assert_eq!(socket.deadline(), started_at + SILENCE_TIMEOUT);
        peer.write_all(b"more").unwrap();
        socket.stream.peek(&mut [0]).unwrap();
        let later = started_at + SILENCE_TIMEOUT / 2;
        assert!(socket.discard_input(&mut [0; 8], later));
        assert_eq!(socket.deadline(), later + SILENCE_TIMEOUT);
        assert!(!socket.discard_input(&mut [0; 8], later + SILENCE_TIMEOUT), "it has sent no more");
        let sends = LingeringSocket { silence_deadline: started_at + 2 * TOTAL_TIMEOUT, ..socket };
        assert_eq!(sends.deadline(), started_at + TOTAL_TIMEOUT);
    }
}
