//! Peers that are slow to send a request, to read, or to send the next request; and a server made slow.

use std::io::{ErrorKind, Read as _};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::PATIENCE;
use crate::support::conversation::Conversation;
use crate::support::server::TestServer;
use crate::support::wait_until;

const HEAD: Duration = Duration::from_millis(400);

fn with_short_heads() -> TestServer {
    let server = TestServer::with_config(|config| {
        config.timeouts.head = HEAD;
        config.timeouts.idle = Duration::from_millis(100);
    });
    server.file("a.txt", "Hello");
    server
}

#[test]
fn an_incomplete_head_is_answered_with_408() {
    let server = with_short_heads();
    let reply = server.answer_in_time("GET /a.txt HTTP/1.1\r\n");
    assert_eq!((reply.status, reply.field("Connection")), (408, Some("close")));
    server.wait_for_connections(0);
    assert_eq!(server.counters().head_timeouts, 1);
}

#[test]
fn a_silent_connection_is_closed_without_a_response() {
    let server = with_short_heads();
    let begun = Instant::now();
    server.connect().expect_end();
    assert!(begun.elapsed() >= HEAD, "not before its time");
    server.wait_for_connections(0);
    assert_eq!(server.counters().requests, 0);
}

#[test]
fn sending_a_byte_now_and_then_does_not_extend_the_deadline() {
    let server = with_short_heads();
    let begun = Instant::now();
    let mut conversation = server.connect();
    let mut sent = 0;
    // Some 20 bytes before the deadline; then the server responds 408 and closes.
    while conversation.try_send("G").is_ok() {
        sent += 1;
        thread::sleep(HEAD / 20);
        conversation.stream().set_nonblocking(true).unwrap();
        let has_ended = conversation.stream().peek(&mut [0]).is_ok();
        conversation.stream().set_nonblocking(false).unwrap();
        if has_ended {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the deadline is put off by {sent} bytes");
    }
    // On a busy machine the first byte may come too late, and the server closes without a response.
    assert!(conversation.replies().iter().all(|reply| reply.status == 408));
    server.wait_for_connections(0);
}

#[test]
fn the_deadline_of_the_first_head_counts_from_the_start_of_the_connection() {
    let server = TestServer::with_config(|config| config.timeouts.head = Duration::from_secs(2));
    // If the deadline counted from the first byte, this would take at least 3.5 s. A busy machine may
    // take as long, or send the first byte too late: then it is tried again.
    wait_until("it ends in the first head's time", || {
        let begun = Instant::now();
        let mut conversation = server.connect();
        thread::sleep(Duration::from_millis(1_500));
        let _ = conversation.try_send("GET /a.txt HTTP/1.1\r\n");
        let replies = conversation.replies();
        assert!(replies.iter().all(|reply| reply.status == 408));
        !replies.is_empty() && begun.elapsed() < Duration::from_millis(3_400)
    });
}

#[test]
fn an_idle_kept_connection_is_closed_without_a_response() {
    let server = with_short_heads();
    // The head of this request has a short deadline too.
    let reply = server.answer_in_time("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((reply.status, reply.field("Connection")), (200, None));
    server.wait_for_connections(0);
}

/// A server with a minimum rate of 1 MB/s over 1.5 s, and a file that exceeds every buffer.
fn with_a_minimum() -> TestServer {
    let server = TestServer::with_config(|config| {
        config.rates.minimum = 1_000_000;
        config.rates.window = Duration::from_millis(1_500);
        config.timeouts.drain = Duration::ZERO;
    });
    server.file("large.bin", vec![7; 30_000_000]);
    server
}

#[test]
fn peers_that_do_not_read_are_dropped_and_their_slots_freed() {
    let server = with_a_minimum();
    let mut readers: Vec<Conversation> = (0..10).map(|_| server.connect()).collect();
    for reader in &mut readers {
        reader.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    wait_until("all are dropped", || server.counters().slow_drops == 10);
    server.wait_for_connections(0);
    for reader in &mut readers {
        let error = reader.stream().read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "what was cut off looks like it");
    }
}

#[test]
fn a_peer_that_reads_too_slowly_is_dropped_as_well() {
    let server = with_a_minimum();
    let mut reader = Conversation::with_a_small_window(server.address());
    reader.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    let begun = Instant::now();
    let mut piece = [0; 2_000];
    // At 40 kB/s the transfer would take minutes, although few of the server's writes wait.
    while reader.stream().read(&mut piece).is_ok_and(|count| count > 0) {
        assert!(begun.elapsed() < PATIENCE, "it is never dropped");
        thread::sleep(Duration::from_millis(50));
    }
    wait_until("it was dropped", || server.counters().slow_drops == 1);
    server.wait_for_connections(0);
}

#[test]
fn a_peer_that_reads_fast_enough_is_left_alone() {
    let server = with_a_minimum();
    // On a busy machine any peer may be too slow: then it is tried again.
    wait_until("three files are complete", || {
        let mut reader = server.connect();
        (0..3).all(|_| {
            reader.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
            reader.try_reply().is_ok_and(|reply| reply.body.len() == 30_000_000)
        })
    });
}

#[test]
fn a_delay_comes_before_each_response() {
    let delay = Duration::from_millis(150);
    let server = TestServer::with_config(|config| config.policy.delay = delay);
    server.file("a.txt", "Hello");
    let mut conversation = server.connect();
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(conversation.get("/a.txt").text(), "Hello");
        assert!(begun.elapsed() >= delay);
    }
}

#[test]
fn a_limited_rate_is_not_exceeded_and_does_not_count_as_a_slow_peer() {
    let server = TestServer::with_config(|config| {
        config.rates.maximum.connection = Some(100_000);
        // A peer that reads everything at once gets at most half of this.
        config.rates.minimum = 200_000;
        config.rates.window = Duration::from_millis(300);
    });
    server.file("a.bin", vec![7; 100_000]);
    // On a busy machine the server may miss its rate: then it is tried again.
    wait_until("the file is sent completely", || {
        let begun = Instant::now();
        let mut conversation = server.connect();
        conversation.send("GET /a.bin HTTP/1.1\r\nHost: a\r\n\r\n");
        let Ok(reply) = conversation.try_reply() else { return false };
        assert_eq!(reply.body.len(), 100_000);
        // The last piece may be sent as soon as it is due; the head counts as well.
        assert!(begun.elapsed() >= Duration::from_millis(970), "{:?}", begun.elapsed());
        true
    });
}
