//! Last responses arrive whole, over real sockets.

use std::io::{Read as _, Write as _};

use super::*;
use crate::server::limits::lingering::pending_request::HEAD_TIMEOUT;
use crate::server::limits::lingering::test_connection::connection;
use crate::server::test_wait::wait_until;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const CONTENT: &str = "no more than one\n";

fn rejection() -> EncodedResponse {
    let head = format!("HTTP/1.1 429 \r\nContent-Length: {}\r\n\r\n", CONTENT.len());
    EncodedResponse::new(head.into(), CONTENT.as_bytes())
}

/// Reads until the end of the connection, which must not be a reset.
fn read_all(mut peer: &TcpStream) -> String {
    let mut answer = String::new();
    peer.read_to_string(&mut answer).expect("the answer and then the end, no reset");
    answer
}

#[track_caller]
fn assert_whole(answer: &str, content: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(head.contains(&format!("Content-Length: {}", CONTENT.len())), "{answer}");
    assert_eq!(body, content);
}

#[test]
fn an_answer_outlives_a_request_that_nobody_read() {
    let closer = LingeringCloser::new(8).unwrap();
    let (mut peer, mut stream) = connection();
    peer.write_all(&vec![b'x'; 100_000]).unwrap();
    stream.write_all(b"answer").unwrap();
    closer.close(stream);
    peer.write_all(b"more").unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).expect("the answer and then the end, no reset");
    assert_eq!(answer, "answer");
    assert_eq!(closer.count(), 1);
    drop(peer);
    wait_until("no socket is left", || closer.count() == 0);
}

#[test]
fn the_thread_ends_when_there_is_nothing_left_and_comes_back() {
    let mut closer = LingeringCloser::new(8).unwrap();
    closer.thread = Threads::new("lingering", STACK_BYTES, Duration::ZERO);
    for _ in 0..3 {
        let (peer, mut stream) = connection();
        stream.write_all(b"answer").unwrap();
        closer.close(stream);
        assert_eq!(closer.thread.count().alive, 1);
        assert_eq!(read_all(&peer), "answer");
        drop(peer);
        wait_until("the thread has ended", || closer.thread.count().alive == 0);
        let state = closer.worker.lock();
        assert_eq!((state.sockets.count(), state.stage), (0, Stage::Idle));
    }
}

#[test]
fn without_a_thread_all_are_answered_and_closed_at_once() {
    let mut closer = LingeringCloser::new(8).unwrap();
    closer.thread = Threads::new("lingering", 1 << 60, PARK_TIMEOUT);
    let (peer, stream) = connection();
    closer.answer(stream, RequestProgress::default(), rejection());
    assert_whole(&read_all(&peer), CONTENT);
    assert_eq!(closer.count(), 0);
}

#[test]
fn at_the_end_answers_that_are_on_their_way_arrive() {
    let closer = LingeringCloser::new(8).unwrap();
    // Has the thread pause before it looks at the next.
    let (_other, stream) = connection();
    closer.close(stream);
    let (mut peer, mut stream) = connection();
    stream.set_nonblocking(true).unwrap();
    let mut written = 0;
    while let Ok(count) = stream.write(&[7; 8 * 1024]) {
        written += count;
    }
    peer.write_all(b"a next request").unwrap();
    closer.close(stream);
    closer.shut_down();
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).expect("the answer and then the end, no reset");
    assert_eq!(answer.len(), written);
    let (mut late, stream) = connection();
    closer.close(stream);
    assert_eq!(late.read(&mut [0]).unwrap(), 0, "a later socket is closed as well");
    assert_eq!(closer.count(), 0);
}

#[test]
fn a_peer_that_never_closes_is_given_up() {
    let closer = LingeringCloser::new(8).unwrap();
    let (_peer, stream) = connection();
    closer.close(stream);
    wait_until("no socket is left", || closer.count() == 0);
}

#[test]
fn beyond_its_capacity_the_oldest_is_closed() {
    let closer = LingeringCloser::new(4).unwrap();
    let peers: Vec<TcpStream> = (0..5)
        .map(|_| {
            let (peer, mut stream) = connection();
            stream.write_all(b"answer").unwrap();
            closer.close(stream);
            assert!(closer.count() <= 2);
            peer
        })
        .collect();
    for mut peer in peers {
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }
}

#[test]
fn a_rejection_answers_the_request_that_is_there() {
    let closer = LingeringCloser::new(8).unwrap();
    let with_more = [GET, &vec![b'x'; 300_000][..]].concat();
    for (request, content) in [(GET, CONTENT), (HEAD, ""), (&with_more, CONTENT)] {
        let (mut peer, stream) = connection();
        peer.write_all(request).unwrap();
        closer.answer(stream, RequestProgress::default(), rejection());
        assert_whole(&read_all(&peer), content);
    }
}

#[test]
fn a_rejection_waits_for_a_request_that_comes_in_pieces() {
    let closer = LingeringCloser::new(8).unwrap();
    for (received, one, other, content) in [
        (&b""[..], &HEAD[..3], &HEAD[3..], ""),
        (&HEAD[..4], &HEAD[4..20], &HEAD[20..], ""),
        (HEAD, b"", b"", ""),
        (&GET[..GET.len() - 1], b"", b"\n", CONTENT),
    ] {
        loop {
            let (mut peer, stream) = connection();
            let started_at = Instant::now();
            closer.answer(stream, RequestProgress::after(received), rejection());
            for piece in [one, other] {
                peer.write_all(piece).unwrap();
            }
            let came_in_time = started_at.elapsed() < HEAD_TIMEOUT;
            let answer = read_all(&peer);
            if came_in_time {
                assert_whole(&answer, content);
                break;
            }
        }
    }
}

#[test]
fn a_rejection_is_sent_without_a_request_when_its_time_is_over_or_none_can_come() {
    let closer = LingeringCloser::new(8).unwrap();
    let (silent, stream) = connection();
    let started_at = Instant::now();
    closer.answer(stream, RequestProgress::default(), rejection());
    let (mut half, stream) = connection();
    half.write_all(&HEAD[..20]).unwrap();
    closer.answer(stream, RequestProgress::default(), rejection());
    assert_whole(&read_all(&silent), CONTENT);
    assert!(started_at.elapsed() >= HEAD_TIMEOUT, "{:?}", started_at.elapsed());
    assert_whole(&read_all(&half), "");
    let (finished, stream) = connection();
    finished.shutdown(Shutdown::Write).unwrap();
    closer.answer(stream, RequestProgress::default(), rejection());
    assert_whole(&read_all(&finished), CONTENT);
}

#[test]
fn of_too_many_that_wait_the_oldest_are_answered_at_once() {
    const PEERS: usize = 500;
    let closer = LingeringCloser::new(16).unwrap();
    let started_at = Instant::now();
    let peers: Vec<_> = (0..PEERS)
        .map(|_| {
            let (peer, stream) = connection();
            closer.answer(stream, RequestProgress::default(), rejection());
            assert!(closer.count() <= 8 + 1, "{}", closer.count());
            peer
        })
        .collect();
    for peer in &peers {
        assert_whole(&read_all(peer), CONTENT);
    }
    // One after the other they would have taken minutes.
    assert!(started_at.elapsed() < HEAD_TIMEOUT * 100);
}

#[test]
fn three_quarters_of_the_capacity_are_for_those_that_wait() {
    // Of sixteen descriptors eight are for sockets, six of them for sockets that wait.
    let closer = LingeringCloser::new(16).unwrap();
    let started_at = Instant::now();
    let peers: Vec<_> = (0..7)
        .map(|_| {
            let (peer, stream) = connection();
            closer.answer(stream, RequestProgress::default(), rejection());
            peer
        })
        .collect();
    let answered_at: Vec<_> = peers
        .iter()
        .map(|peer| {
            assert_whole(&read_all(peer), CONTENT);
            started_at.elapsed()
        })
        .collect();
    assert!(answered_at[1] >= HEAD_TIMEOUT, "all but the first have waited: {answered_at:?}");
    assert_eq!(closer.max_pending(), 6);
}

#[test]
fn the_request_of_one_too_many_is_looked_for_before_it_is_answered() {
    // No connection may wait here.
    let closer = LingeringCloser::new(2).unwrap();
    for (request, content) in [(GET, CONTENT), (HEAD, ""), (&HEAD[..9], ""), (b"", CONTENT)] {
        for _ in 0..20 {
            let (mut peer, stream) = connection();
            peer.write_all(request).unwrap();
            closer.answer(stream, RequestProgress::default(), rejection());
            assert_whole(&read_all(&peer), content);
        }
    }
}

#[test]
fn peers_that_never_end_their_heads_are_bounded_like_the_silent_ones() {
    let closer = LingeringCloser::new(16).unwrap();
    let piece = vec![b'x'; 64 * 1024];
    let mut peers = Vec::new();
    for _ in 0..500 {
        let (peer, stream) = connection();
        peer.set_nonblocking(true).unwrap();
        closer.answer(stream, RequestProgress::default(), rejection());
        peers.push(peer);
        for mut peer in peers.iter().rev().take(20) {
            // It has been closed, or has enough to be read for a while.
            let _ = peer.write(&piece);
        }
        assert!(closer.count() <= 8 + 1, "{}", closer.count());
    }
}

#[test]
fn those_that_were_answered_count_against_the_capacity_like_the_others() {
    let closer = LingeringCloser::new(8).unwrap();
    let peers: Vec<_> = (0..50)
        .map(|_| {
            let (mut peer, stream) = connection();
            peer.write_all(GET).unwrap();
            closer.answer(stream, RequestProgress::default(), rejection());
            assert_whole(&read_all(&peer), CONTENT);
            assert!(closer.count() <= 4 + 1, "{}", closer.count());
            peer
        })
        .collect();
    drop(peers);
}

#[test]
fn at_the_end_those_that_wait_are_answered() {
    let closer = LingeringCloser::new(8).unwrap();
    let (waits, stream) = connection();
    closer.answer(stream, RequestProgress::default(), rejection());
    closer.shut_down();
    let (late, stream) = connection();
    closer.answer(stream, RequestProgress::default(), rejection());
    for peer in [waits, late] {
        assert_whole(&read_all(&peer), CONTENT);
    }
    assert_eq!(closer.count(), 0);
}

#[test]
fn a_socket_that_comes_while_the_thread_waits_for_others_is_served_at_once() {
    wait_until("a response comes before the request's time is over", || {
        let closer = LingeringCloser::new(8).unwrap();
        let (_silent, stream) = connection();
        closer.close(stream);
        let started = Instant::now();
        wait_until("the thread polls", || started.elapsed() > Duration::from_millis(20));
        let (mut peer, stream) = connection();
        let begun = Instant::now();
        closer.answer(stream, RequestProgress::default(), rejection());
        peer.write_all(GET).unwrap();
        assert_whole(&read_all(&peer), CONTENT);
        begun.elapsed() < HEAD_TIMEOUT
    });
}

#[test]
fn dropping_the_closer_answers_those_that_wait_at_once() {
    wait_until("a response comes before the request's time is over", || {
        let closer = LingeringCloser::new(8).unwrap();
        let (peer, stream) = connection();
        let started_at = Instant::now();
        closer.answer(stream, RequestProgress::default(), rejection());
        drop(closer);
        assert_whole(&read_all(&peer), CONTENT);
        started_at.elapsed() < HEAD_TIMEOUT
    });
}

#[test]
fn what_a_peer_goes_on_sending_is_discarded_for_as_long_as_it_comes() {
    const BYTES: usize = 50_000_000;
    let closer = LingeringCloser::new(8).unwrap();
    let (mut peer, stream) = connection();
    peer.write_all(GET).unwrap();
    closer.answer(stream, RequestProgress::default(), rejection());
    let piece = vec![0; 1_000_000];
    for _ in 0..BYTES / piece.len() {
        peer.write_all(&piece).expect("it is read");
    }
    assert_whole(&read_all(&peer), CONTENT);
}
