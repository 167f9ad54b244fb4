//! The last answer and the close that leaves it whole, over real sockets.

use std::net::TcpListener;

use super::*;
use crate::server::limits::closing::HEAD_TIMEOUT;

/// The two ends of a connection: the peer's, and the one to be closed.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    (peer, listener.accept().unwrap().0)
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const CONTENT: &str = "no more than one\n";

fn rejection() -> FinalAnswer {
    let head = format!("HTTP/1.1 429 \r\nContent-Length: {}\r\n\r\n", CONTENT.len());
    FinalAnswer::new(head.into(), CONTENT.as_bytes())
}

/// What the peer reads until the connection ends, which it does in good order.
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

fn wait_for(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never comes");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_answer_outlives_a_request_that_nobody_read() {
    let lingering = Lingering::new(8).unwrap();
    let (mut peer, mut stream) = connection();
    peer.write_all(&vec![b'x'; 100_000]).unwrap();
    stream.write_all(b"answer").unwrap();
    lingering.close(stream);
    peer.write_all(b"more").unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).expect("the answer and then the end, no reset");
    assert_eq!(answer, "answer");
    assert_eq!(lingering.count(), 1);
    drop(peer);
    wait_for(|| lingering.count() == 0);
}

#[test]
fn the_thread_ends_when_there_is_nothing_left_and_comes_back() {
    let mut lingering = Lingering::new(8).unwrap();
    lingering.thread = Threads::new("lingering", STACK_BYTES, Duration::ZERO);
    for _ in 0..3 {
        let (peer, mut stream) = connection();
        stream.write_all(b"answer").unwrap();
        lingering.close(stream);
        assert_eq!(lingering.thread.count().0, 1);
        assert_eq!(read_all(&peer), "answer");
        drop(peer);
        wait_for(|| lingering.thread.count().0 == 0);
        let state = lingering.shared.lock();
        assert_eq!((state.count(), state.stage), (0, Stage::Resting));
    }
}

#[test]
fn without_a_thread_all_are_answered_and_closed_at_once() {
    let mut lingering = Lingering::new(8).unwrap();
    lingering.thread = Threads::new("lingering", 1 << 60, PARK_TIMEOUT);
    let (peer, stream) = connection();
    lingering.answer(stream, Received::default(), rejection());
    assert_whole(&read_all(&peer), CONTENT);
    assert_eq!(lingering.count(), 0);
}

#[test]
fn at_the_end_answers_that_are_on_their_way_arrive() {
    let lingering = Lingering::new(8).unwrap();
    // Has the thread pause before it looks at the next.
    let (_other, stream) = connection();
    lingering.close(stream);
    let (mut peer, mut stream) = connection();
    stream.set_nonblocking(true).unwrap();
    let mut written = 0;
    while let Ok(count) = stream.write(&[7; 8 * 1024]) {
        written += count;
    }
    peer.write_all(b"a next request").unwrap();
    lingering.close(stream);
    lingering.end();
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).expect("the answer and then the end, no reset");
    assert_eq!(answer.len(), written);
    let (mut late, stream) = connection();
    lingering.close(stream);
    assert_eq!(late.read(&mut [0]).unwrap(), 0, "what comes later is closed as well");
    assert_eq!(lingering.count(), 0);
}

#[test]
fn a_peer_that_never_closes_is_given_up() {
    let lingering = Lingering::new(8).unwrap();
    let (_peer, stream) = connection();
    lingering.close(stream);
    wait_for(|| lingering.count() == 0);
}

#[test]
fn beyond_its_capacity_the_oldest_is_closed() {
    let lingering = Lingering::new(4).unwrap();
    let peers: Vec<TcpStream> = (0..5)
        .map(|_| {
            let (peer, mut stream) = connection();
            stream.write_all(b"answer").unwrap();
            lingering.close(stream);
            assert!(lingering.count() <= 2);
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
    let lingering = Lingering::new(8).unwrap();
    let behind = [GET, &vec![b'x'; 300_000][..]].concat();
    for (request, content) in [(GET, CONTENT), (HEAD, ""), (&behind, CONTENT)] {
        let (mut peer, stream) = connection();
        peer.write_all(request).unwrap();
        lingering.answer(stream, Received::default(), rejection());
        assert_whole(&read_all(&peer), content);
    }
}

#[test]
fn a_rejection_waits_for_a_request_that_comes_in_pieces() {
    let lingering = Lingering::new(8).unwrap();
    for (received, one, other, content) in [
        (&b""[..], &HEAD[..3], &HEAD[3..], ""),
        (&HEAD[..4], &HEAD[4..20], &HEAD[20..], ""),
        (HEAD, b"", b"", ""),
        (&GET[..GET.len() - 1], b"", b"\n", CONTENT),
    ] {
        loop {
            let (mut peer, stream) = connection();
            let begun = Instant::now();
            lingering.answer(stream, Received::request(received), rejection());
            for piece in [one, other] {
                peer.write_all(piece).unwrap();
            }
            let came_in_time = begun.elapsed() < HEAD_TIMEOUT;
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
    let lingering = Lingering::new(8).unwrap();
    let (silent, stream) = connection();
    let begun = Instant::now();
    lingering.answer(stream, Received::default(), rejection());
    let (mut half, stream) = connection();
    half.write_all(&HEAD[..20]).unwrap();
    lingering.answer(stream, Received::default(), rejection());
    assert_whole(&read_all(&silent), CONTENT);
    assert!(begun.elapsed() >= HEAD_TIMEOUT, "{:?}", begun.elapsed());
    assert_whole(&read_all(&half), "");
    let (finished, stream) = connection();
    finished.shutdown(Shutdown::Write).unwrap();
    lingering.answer(stream, Received::default(), rejection());
    assert_whole(&read_all(&finished), CONTENT);
}

#[test]
fn of_too_many_that_wait_the_oldest_are_answered_at_once() {
    const PEERS: usize = 500;
    let lingering = Lingering::new(16).unwrap();
    let begun = Instant::now();
    let peers: Vec<_> = (0..PEERS)
        .map(|_| {
            let (peer, stream) = connection();
            lingering.answer(stream, Received::default(), rejection());
            assert!(lingering.count() <= 8 + 1, "{}", lingering.count());
            peer
        })
        .collect();
    for peer in &peers {
        assert_whole(&read_all(peer), CONTENT);
    }
    // One after the other they would have taken minutes.
    assert!(begun.elapsed() < HEAD_TIMEOUT * 100);
}

#[test]
fn the_request_of_one_too_many_is_looked_for_before_it_is_answered() {
    // No connection may wait here.
    let lingering = Lingering::new(2).unwrap();
    for (request, content) in [(GET, CONTENT), (HEAD, ""), (&HEAD[..9], ""), (b"", CONTENT)] {
        for _ in 0..20 {
            let (mut peer, stream) = connection();
            peer.write_all(request).unwrap();
            lingering.answer(stream, Received::default(), rejection());
            assert_whole(&read_all(&peer), content);
        }
    }
}

#[test]
fn peers_whose_heads_never_end_are_bounded_like_the_silent_ones() {
    let lingering = Lingering::new(16).unwrap();
    let piece = vec![b'x'; 64 * 1024];
    let mut peers = Vec::new();
    for _ in 0..500 {
        let (peer, stream) = connection();
        peer.set_nonblocking(true).unwrap();
        lingering.answer(stream, Received::default(), rejection());
        peers.push(peer);
        for mut peer in peers.iter().rev().take(20) {
            // It has been closed, or has enough to be read for a while.
            let _ = peer.write(&piece);
        }
        assert!(lingering.count() <= 8 + 1, "{}", lingering.count());
    }
}

#[test]
fn those_that_were_answered_count_against_the_capacity_like_the_others() {
    let lingering = Lingering::new(8).unwrap();
    let peers: Vec<_> = (0..50)
        .map(|_| {
            let (mut peer, stream) = connection();
            peer.write_all(GET).unwrap();
            lingering.answer(stream, Received::default(), rejection());
            assert_whole(&read_all(&peer), CONTENT);
            assert!(lingering.count() <= 4 + 1, "{}", lingering.count());
            peer
        })
        .collect();
    drop(peers);
}

#[test]
fn at_the_end_those_that_wait_are_answered() {
    let lingering = Lingering::new(8).unwrap();
    let (waits, stream) = connection();
    lingering.answer(stream, Received::default(), rejection());
    lingering.end();
    let (late, stream) = connection();
    lingering.answer(stream, Received::default(), rejection());
    for peer in [waits, late] {
        assert_whole(&read_all(&peer), CONTENT);
    }
    assert_eq!(lingering.count(), 0);
}

#[test]
fn what_a_peer_goes_on_sending_is_discarded_for_as_long_as_it_comes() {
    const BYTES: usize = 50_000_000;
    let lingering = Lingering::new(8).unwrap();
    let (mut peer, stream) = connection();
    peer.write_all(GET).unwrap();
    lingering.answer(stream, Received::default(), rejection());
    let piece = vec![0; 1_000_000];
    for _ in 0..BYTES / piece.len() {
        peer.write_all(&piece).expect("it is read");
    }
    assert_whole(&read_all(&peer), CONTENT);
}
