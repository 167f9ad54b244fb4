//! Peers that take their time: to ask, to read, and to ask again. And a server that is made slow.

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
fn a_head_that_was_begun_and_not_completed_is_told_408() {
    let server = with_short_heads();
    let reply = server.answer_in_time("GET /a.txt HTTP/1.1\r\n");
    assert_eq!((reply.status, reply.field("Connection")), (408, Some("close")));
    server.wait_for_connections(0);
    assert_eq!(server.counters().head_timeouts, 1);
}

#[test]
fn a_connection_that_says_nothing_ends_without_a_word() {
    let server = with_short_heads();
    let begun = Instant::now();
    server.connect().expect_end();
    assert!(begun.elapsed() >= HEAD, "not before its time");
    server.wait_for_connections(0);
    assert_eq!(server.counters().requests, 0);
}

#[test]
fn a_byte_now_and_then_buys_no_time() {
    let server = with_short_heads();
    let begun = Instant::now();
    let mut conversation = server.connect();
    let mut sent = 0;
    // Some 20 bytes before the deadline, if it holds; the server says 408 and closes.
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
    // Where the machine is so busy that the first byte comes too late, the server says nothing.
    assert!(conversation.replies().iter().all(|reply| reply.status == 408));
    server.wait_for_connections(0);
}

#[test]
fn the_first_heads_time_runs_from_the_start_of_the_connection() {
    let server = TestServer::with_config(|config| config.timeouts.head = Duration::from_secs(2));
    // With a whole time from its first byte it would always be 3.5 s or more. On a busy machine it may be,
    // and the first byte may come too late: then it is tried again.
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
fn a_kept_connection_without_a_next_request_ends_without_a_word() {
    let server = with_short_heads();
    // Also of this request the head must come in time, which is short.
    let reply = server.answer_in_time("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((reply.status, reply.field("Connection")), (200, None));
    server.wait_for_connections(0);
}

/// A server that wants 1 MB/s over each second and a half, and a file that no buffer holds.
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
fn peers_that_do_not_read_are_dropped_and_their_slots_come_back() {
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
fn a_peer_that_reads_a_little_all_the_time_is_dropped_as_well() {
    let server = with_a_minimum();
    let mut reader = Conversation::with_a_small_window(server.address());
    reader.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    let begun = Instant::now();
    let mut piece = [0; 2_000];
    // At 40 kB/s it would take minutes, and each of the server's writes waits only now and then.
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
    // A machine that is too busy makes any peer slow: then it is tried again.
    wait_until("three files are taken whole", || {
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
fn a_limited_rate_is_not_exceeded_and_not_held_against_the_peer() {
    let server = TestServer::with_config(|config| {
        config.rates.maximum = Some(100_000);
        // A peer that takes what it gets cannot do better than half of this.
        config.rates.minimum = 200_000;
        config.rates.window = Duration::from_millis(300);
    });
    server.file("a.bin", vec![7; 100_000]);
    // On a machine that is too busy the server itself may not keep to its rate: then it is tried again.
    wait_until("the file is sent whole", || {
        let begun = Instant::now();
        let mut conversation = server.connect();
        conversation.send("GET /a.bin HTTP/1.1\r\nHost: a\r\n\r\n");
        let Ok(reply) = conversation.try_reply() else { return false };
        assert_eq!(reply.body.len(), 100_000);
        // The last piece may go out as soon as it is due; the head counts as well.
        assert!(begun.elapsed() >= Duration::from_millis(970), "{:?}", begun.elapsed());
        true
    });
}
