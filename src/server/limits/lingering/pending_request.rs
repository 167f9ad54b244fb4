//! One rejected connection that waits for its request; the response is sent after the head.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::encoded_response::EncodedResponse;
use super::input::{MAX_EVICTION_READ_BYTES, MAX_READ_BYTES, Peer, discard, read_available};
use crate::http::{Framing, HeadScan, RequestHead, RequestScan, asks_to_persist, request_framing};
use crate::net::proxy_protocol::{self, MAX_V2_BYTES, Parse};

/// How long a rejection waits for the head of the request.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct PendingRequest {
    pub(super) stream: Arc<TcpStream>,
    progress: RequestProgress,
    response: EncodedResponse,
    /// The response is sent then in any case.
    pub(super) deadline: Instant,
}

/// How far a request has come, as far as the response depends on it.
#[derive(Debug, Default)]
pub(crate) struct RequestProgress {
    /// The beginning of the PROXY header that precedes the request, while it is incomplete.
    proxy_header: Option<Vec<u8>>,
    scan: RequestScan,
}

impl RequestProgress {
    /// These bytes of the request have come.
    pub(crate) fn after(bytes: &[u8]) -> Self {
        let mut progress = Self::default();
        progress.advance(bytes);
        progress
    }

    /// Nothing has come, and a PROXY header comes first.
    pub(crate) fn before_proxy_header() -> Self {
        Self { proxy_header: Some(Vec::new()), ..Self::default() }
    }

    /// Consumes the next bytes; true once no more of the request is needed.
    fn advance(&mut self, bytes: &[u8]) -> bool {
        let Some(header) = &mut self.proxy_header else { return self.scan.advance(bytes) };
        // No header is longer, so these bytes are enough to find its end.
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

/// Most bytes of a request that are looked at as soon as its connection is rejected.
const FIRST_READ_BYTES: usize = 1024;

/// What is left to do with a rejected connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Wait for the rest of the request, and send the response.
    Wait,
    /// Wait until the peer closes.
    Linger,
    Nothing,
}

/// True if these bytes are exactly one request without content, after which its client closes the connection.
fn is_last_request(bytes: &[u8]) -> bool {
    let mut head = RequestHead::default();
    let length = head.receive(&mut HeadScan::default(), bytes);
    let (version, fields) = (head.version(), head.fields());
    length == Ok(Some(bytes.len()))
        && !asks_to_persist(version, &fields)
        && request_framing(version, &fields) == Ok(Framing::Length(0))
}

/// The state of the request's head after a read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    Incomplete,
    /// All of it, or all that the peer will send.
    Complete,
    /// The connection is broken.
    Gone,
}

impl PendingRequest {
    pub(super) fn new(
        stream: Arc<TcpStream>,
        progress: RequestProgress,
        response: EncodedResponse,
        now: Instant,
    ) -> Self {
        Self { stream, progress, response, deadline: now + HEAD_TIMEOUT }
    }

    /// Sends the response if the head of the request has come already, as in a flood it usually has. If that is
    /// the whole request, and its client has announced that it closes after it, the connection need not linger.
    /// This doubled the rejections a second of a flood, with two thirds of the CPU time for each.
    ///
    /// Bytes that come later meet RST, which may destroy the response. Only a client that breaks its
    /// announcement sends any: it must send no more requests (RFC 9112 §9.6).
    pub(super) fn answer_at_once(&mut self) -> Rest {
        let mut is_last = false;
        if !self.progress.scan.is_complete() {
            let has_begun = self.progress.scan.has_begun();
            let mut bytes = vec![0; FIRST_READ_BYTES];
            match recv(&self.stream, &mut bytes, RecvFlags::DONTWAIT) {
                Ok((0, _)) => {}
                Ok((count, _)) if self.progress.advance(&bytes[..count]) => {
                    // After a full read there may be more to read. A part of a head may look like a whole one.
                    let is_whole = count < FIRST_READ_BYTES && !has_begun;
                    is_last = is_whole && is_last_request(&bytes[..count]);
                }
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => return Rest::Wait,
                Err(_) => return Rest::Nothing,
            }
        }
        if self.send() && !is_last { Rest::Linger } else { Rest::Nothing }
    }

    /// Reads received bytes of the head, at most as many as `scratch` holds.
    pub(super) fn read_head(&mut self, scratch: &mut [u8]) -> Head {
        let mut head = Head::Incomplete;
        let most = scratch.len();
        let peer = read_available(&self.stream, scratch, most, |bytes| {
            if self.progress.advance(bytes) {
                head = Head::Complete;
            }
        });
        match peer {
            _ if head == Head::Complete => head,
            Peer::Open { .. } => head,
            Peer::Finished => Head::Complete,
            Peer::Gone => Head::Gone,
        }
    }

    /// Reads as [`PendingRequest::read_head`] does, but only briefly, as for a socket that is evicted.
    pub(super) fn read_head_briefly(&mut self) -> Head {
        self.read_head(&mut vec![0; MAX_EVICTION_READ_BYTES])
    }

    /// Sends the response and closes the sending half; true if the socket is to linger. Does not block:
    /// the send buffer of a socket that has sent nothing takes the whole response.
    pub(super) fn send(&self) -> bool {
        let is_head_request = self.progress.scan.is_head_request();
        let bytes = if is_head_request { self.response.head() } else { self.response.whole() };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // With MSG_MORE the response and the FIN that follows go out in one segment.
        #[cfg(target_os = "linux")]
        let flags = flags | SendFlags::MORE;
        match send(&self.stream, bytes, flags) {
            Ok(_) => self.stream.shutdown(Shutdown::Write).is_ok(),
            Err(error) => {
                log::debug!("cannot send the last response on a connection: {error}");
                false
            }
        }
    }

    /// Sends the response, discards received input, and closes the socket.
    pub(super) fn send_and_close(self) {
        if self.send() {
            discard(&self.stream, MAX_READ_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::server::limits::lingering::test_connection::{
        connection, connection_with_input, unread_bytes,
    };
    use crate::server::test_wait::wait_until;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn a_request_that_is_evicted_is_read_from_only_briefly() {
        const SENT: usize = 60_000;
        let (_peer, stream) = connection_with_input(SENT);
        let response = EncodedResponse::new(b"HTTP/1.1 429 \r\n\r\n".to_vec(), b"");
        let progress = RequestProgress::default();
        let mut pending =
            PendingRequest::new(Arc::clone(&stream), progress, response, Instant::now());
        assert_eq!(pending.read_head_briefly(), Head::Incomplete);
        assert_eq!(unread_bytes(&stream, SENT), SENT - MAX_EVICTION_READ_BYTES);
    }

    /// Of this length.
    fn last_request(length: usize) -> Vec<u8> {
        let rest = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let target = "a".repeat(length - b"GET /".len() - rest.len());
        [b"GET /", target.as_bytes(), rest].concat()
    }

    #[test]
    fn only_a_whole_request_that_is_its_clients_last_needs_no_further_wait() {
        const LAST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        const BEGUN: &[u8] = b"PUT / HTTP/1.1\r\nContent-Length: 5\r\nX: ";
        for (received, sent, rest) in [
            (&b""[..], LAST, Rest::Nothing),
            (b"", b"GET / HTTP/1.0\r\n\r\n", Rest::Nothing),
            (b"", GET, Rest::Linger),
            (b"", &[LAST, b"G"].concat(), Rest::Linger),
            (b"", b"PUT / HTTP/1.0\r\nContent-Length: 1\r\n\r\n", Rest::Linger),
            (b"", b"GET / HTTP/1.0\r\nContent-Length: x\r\n\r\n", Rest::Linger),
            (b"", b"nonsense\r\n\r\n", Rest::Linger),
            (b"", &LAST[..LAST.len() - 2], Rest::Wait),
            (b"", b"", Rest::Wait),
            (b"", &last_request(FIRST_READ_BYTES - 1), Rest::Nothing),
            (b"", &last_request(FIRST_READ_BYTES), Rest::Linger),
            (b"", &[&last_request(FIRST_READ_BYTES), &b"G"[..]].concat(), Rest::Linger),
            (b"\r\n", LAST, Rest::Nothing),
            (BEGUN, b"GET / HTTP/1.0\r\n\r\n", Rest::Linger),
        ] {
            let (mut peer, stream) = connection();
            peer.write_all(sent).unwrap();
            let all = &mut [0; 2 * FIRST_READ_BYTES];
            wait_until("the bytes have come", || {
                sent.is_empty() || stream.peek(all).unwrap() == sent.len()
            });
            let response = EncodedResponse::new(b"answer".to_vec(), b"");
            let progress = RequestProgress::after(received);
            let mut pending =
                PendingRequest::new(stream.into(), progress, response, Instant::now());
            assert_eq!(pending.answer_at_once(), rest, "{}", sent.escape_ascii());
            drop(pending);
            let mut answer = Vec::new();
            let read = peer.read_to_end(&mut answer);
            if rest == Rest::Nothing {
                assert_eq!((read.unwrap(), &answer[..]), (6, &b"answer"[..]), "and no RST");
            }
        }
    }

    #[test]
    fn a_head_is_complete_once_no_more_of_it_can_come_unless_the_connection_is_broken() {
        for (sent, is_broken, head) in [
            (&GET[..9], false, Head::Complete),
            (GET, false, Head::Complete),
            (&GET[..9], true, Head::Gone),
        ] {
            let (mut peer, stream) = connection();
            peer.write_all(sent).unwrap();
            if is_broken {
                // Closing it then sends RST.
                socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
                drop(peer);
            } else {
                peer.shutdown(Shutdown::Write).unwrap();
            }
            let response = EncodedResponse::new(Vec::new(), b"");
            let progress = RequestProgress::default();
            let mut pending =
                PendingRequest::new(stream.into(), progress, response, Instant::now());
            wait_until("the end has come", || {
                let found = pending.read_head_briefly();
                assert!(found == Head::Incomplete || found == head, "{found:?} {head:?}");
                found == head
            });
        }
    }

    #[test]
    fn a_request_after_a_proxy_header_is_found_at_every_split() {
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
                let mut progress = RequestProgress::before_proxy_header();
                let is_complete = progress.advance(one);
                assert_eq!(is_complete, other.is_empty(), "{}", one.escape_ascii());
                assert!(is_complete || progress.advance(other), "{}", other.escape_ascii());
                assert_eq!(progress.scan.is_head_request(), is_head, "{}", bytes.escape_ascii());
            }
        }
        let mut without = RequestProgress::before_proxy_header();
        assert!(without.advance(GET), "anything but a PROXY header is rejected at once");
    }
}
