//! One connection on its way to its close: waiting for the request that it is refused, then lingering.
//!
//! Nothing here waits: what has come is read, what is to be sent fits into the socket's buffer. When each
//! step is taken is left to `lingering`.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, SendFlags};

use super::final_answer::FinalAnswer;
use crate::http::RequestScan;
use crate::net::proxy_protocol::{self, MAX_V2_BYTES, Parse};

/// How long the head of a request is waited for before its rejection is sent.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a peer may send nothing without closing its side (nginx: `lingering_timeout`, 5 s as well).
const SILENCE: Duration = Duration::from_secs(5);

/// How long a peer may go on sending what is discarded (nginx: `lingering_time`, 30 s as well).
const LONGEST: Duration = Duration::from_secs(30);

/// Most bytes discarded of one socket in one round, so that a flood on one does not starve the rest.
const ROUND_BYTES: usize = 256 * 1024;

/// Most bytes read of a socket that must make room for another: the accept loop does this itself, and
/// must not wait for a flood to be read.
pub(super) const GLANCE_BYTES: usize = 8 * 1024;

/// A connection whose request has not come.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) stream: Arc<TcpStream>,
    received: Received,
    answer: FinalAnswer,
    /// When it is answered in any case.
    pub(super) deadline: Instant,
}

/// What has come of a request, as far as its answer depends on it.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// The beginning of the PROXY header that comes first, while it is incomplete.
    proxy_header: Option<Vec<u8>>,
    scan: RequestScan,
}

impl Received {
    /// These bytes of the request itself.
    pub(crate) fn request(bytes: &[u8]) -> Self {
        let mut received = Self::default();
        received.advance(bytes);
        received
    }

    /// Nothing yet, of a connection that begins with a PROXY header.
    pub(crate) fn nothing_from_proxy() -> Self {
        Self { proxy_header: Some(Vec::new()), ..Self::default() }
    }

    /// Looks at the bytes that came next; true once nothing more is to be waited for.
    fn advance(&mut self, bytes: &[u8]) -> bool {
        let Some(header) = &mut self.proxy_header else { return self.scan.advance(bytes) };
        // No header is longer, so a part of the bytes is enough to find where it ends.
        let room = MAX_V2_BYTES.saturating_sub(header.len()).min(bytes.len());
        let before = header.len();
        header.extend_from_slice(&bytes[..room]);
        match proxy_protocol::parse(header) {
            Ok(Parse::NeedMore) => false,
            Ok(Parse::Done { length, .. }) => {
                self.proxy_header = None;
                self.scan.advance(&bytes[length - before..])
            }
            Err(_) => true,
        }
    }
}

/// A connection whose sending half is closed.
#[derive(Debug)]
pub(super) struct Lingerer {
    pub(super) stream: Arc<TcpStream>,
    /// When it is closed unless it sends more.
    silent_until: Instant,
    /// When it is closed in any case.
    deadline: Instant,
}

/// What has come of a request's head.
#[derive(PartialEq, Eq)]
pub(super) enum Head {
    Incomplete,
    /// All of it, or all that the peer will send.
    Complete,
    Gone,
}

impl Waiting {
    pub(super) fn new(
        stream: Arc<TcpStream>,
        received: Received,
        answer: FinalAnswer,
        now: Instant,
    ) -> Self {
        Self { stream, received, answer, deadline: now + HEAD_TIMEOUT }
    }

    /// The request's head is there already.
    pub(super) fn is_answerable(&self) -> bool {
        self.received.scan.is_complete()
    }

    /// Looks at what has come, but no more of it than `scratch` has room for.
    pub(super) fn read_head(&mut self, scratch: &mut [u8]) -> Head {
        let mut head = Head::Incomplete;
        let most = scratch.len();
        let peer = read_available(&self.stream, scratch, most, |bytes| {
            if self.received.advance(bytes) {
                head = Head::Complete;
            }
        });
        match peer {
            _ if head == Head::Complete => head,
            Peer::There { .. } => head,
            Peer::Finished => Head::Complete,
            Peer::Gone => Head::Gone,
        }
    }

    /// Sends the answer, and says whether the connection is to linger. A fresh socket's buffer takes
    /// the answer without waiting.
    pub(super) fn send(&self) -> bool {
        let is_head_request = self.received.scan.is_head_request();
        let bytes = if is_head_request { self.answer.head() } else { self.answer.whole() };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // It goes out with the end of the connection, which follows at once: one segment, not two.
        #[cfg(target_os = "linux")]
        let flags = flags | SendFlags::MORE;
        match rustix::net::send(&self.stream, bytes, flags) {
            Ok(_) => self.stream.shutdown(Shutdown::Write).is_ok(),
            Err(error) => {
                log::debug!("cannot answer a connection that is not served: {error}");
                false
            }
        }
    }

    pub(super) fn send_and_close(self) {
        if self.send() {
            discard(&self.stream);
        }
    }
}

impl Lingerer {
    pub(super) fn new(stream: Arc<TcpStream>, now: Instant) -> Self {
        Self { stream, silent_until: now + SILENCE, deadline: now + LONGEST }
    }

    pub(super) fn end(&self) -> Instant {
        self.silent_until.min(self.deadline)
    }

    /// Reads what would make the close a reset, if that is little (see [`GLANCE_BYTES`]).
    pub(super) fn discard_before_close(&self) {
        read_available(&self.stream, &mut [0; GLANCE_BYTES], GLANCE_BYTES, |_| {});
    }

    /// Discards what has come; false when the connection is to be closed.
    pub(super) fn discard(&mut self, scratch: &mut [u8], now: Instant) -> bool {
        match read_available(&self.stream, scratch, ROUND_BYTES, |_| {}) {
            Peer::There { has_sent: true } => self.silent_until = now + SILENCE,
            Peer::There { has_sent: false } => {}
            Peer::Finished | Peer::Gone => return false,
        }
        now < self.end()
    }
}

#[derive(PartialEq, Eq)]
pub(super) enum Peer {
    There {
        has_sent: bool,
    },
    /// It has closed its sending half.
    Finished,
    Gone,
}

/// Reads what the peer has sent, without waiting and `most` bytes at most.
fn read_available(
    stream: &TcpStream,
    scratch: &mut [u8],
    most: usize,
    mut look_at: impl FnMut(&[u8]),
) -> Peer {
    let mut received = 0;
    while received < most {
        let room = scratch.len().min(most - received);
        match rustix::net::recv(stream, &mut scratch[..room], RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Peer::Finished,
            Ok((count, _)) => {
                look_at(&scratch[..count]);
                received += count;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => break,
            Err(_) => return Peer::Gone,
        }
    }
    Peer::There { has_sent: received > 0 }
}

/// Reads what the peer has sent, without waiting, and forgets it.
pub(super) fn discard(stream: &TcpStream) -> Peer {
    read_available(stream, &mut [0; 8 * 1024], ROUND_BYTES, |_| {})
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";

    /// The two ends of a connection: the peer's, and the one to be closed.
    fn connection() -> (TcpStream, Arc<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (peer, listener.accept().unwrap().0.into())
    }

    #[test]
    fn of_one_too_many_no_more_is_read_than_a_request_has() {
        const SENT: usize = 60_000;
        let (mut peer, stream) = connection();
        peer.write_all(&vec![b'x'; SENT]).unwrap();
        let mut buffer = vec![0; SENT];
        while stream.peek(&mut buffer).unwrap() < SENT {
            std::thread::yield_now();
        }
        let answer = FinalAnswer::new(b"HTTP/1.1 429 \r\n\r\n".to_vec(), b"");
        let now = Instant::now();
        let mut waiting = Waiting::new(Arc::clone(&stream), Received::default(), answer, now);
        assert!(waiting.read_head(&mut [0; GLANCE_BYTES]) == Head::Incomplete);
        Lingerer::new(Arc::clone(&stream), now).discard_before_close();
        assert_eq!(stream.peek(&mut buffer).unwrap(), SENT - 2 * GLANCE_BYTES);
    }

    #[test]
    fn no_peer_can_make_its_connection_last() {
        let begun = Instant::now();
        let (mut peer, stream) = connection();
        let mut lingerer = Lingerer::new(Arc::clone(&stream), begun);
        assert_eq!(lingerer.end(), begun + SILENCE);
        peer.write_all(b"more").unwrap();
        stream.peek(&mut [0]).unwrap();
        let later = begun + SILENCE / 2;
        assert!(lingerer.discard(&mut [0; 8], later));
        assert_eq!(lingerer.end(), later + SILENCE);
        assert!(!lingerer.discard(&mut [0; 8], later + SILENCE), "it has sent no more");
        let sends = Lingerer { silent_until: begun + 2 * LONGEST, ..lingerer };
        assert_eq!(sends.end(), begun + LONGEST);
    }

    #[test]
    fn the_request_behind_a_proxys_header_is_answered() {
        let v1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
        let v2 = [b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\x03", &b"abc"[..]].concat();
        for (bytes, is_head) in [
            ([v1, HEAD].concat(), true),
            ([v1, GET].concat(), false),
            ([&v2, HEAD].concat(), true),
            ([&v2, GET].concat(), false),
        ] {
            for at in 0..=bytes.len() {
                let (one, other) = bytes.split_at(at);
                let mut received = Received::nothing_from_proxy();
                let is_complete = received.advance(one);
                assert_eq!(is_complete, other.is_empty(), "{}", one.escape_ascii());
                assert!(is_complete || received.advance(other), "{}", other.escape_ascii());
                assert_eq!(received.scan.is_head_request(), is_head, "{}", bytes.escape_ascii());
            }
        }
        let mut without = Received::nothing_from_proxy();
        assert!(without.advance(GET), "what is no header is refused, and not waited for");
    }
}
