//! The limits, over real sockets from several loopback addresses.

use http_concurrent::server::Limits;

use crate::support::PATIENCE;
use crate::support::conversation::{Conversation, Reply};
use crate::support::server::TestServer;
use crate::support::wait_until;

const REQUEST: &str = "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Opens this number of connections and waits until they are counted.
fn hold(server: &TestServer, host: u8, count: usize) -> Vec<Conversation> {
    let before = server.snapshot().held;
    let held = (0..count).map(|_| server.connect_from(host)).collect();
    server.wait_for_connections(before + count);
    held
}

fn assert_rejected(conversation: &mut Conversation, status: u16, words: &[&str]) {
    let reply: Reply = conversation.reply();
    assert_eq!(reply.status, status);
    assert!(reply.field("Date").is_some());
    assert_eq!(reply.field("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.field("Content-Length"), Some(&*reply.body.len().to_string()));
    assert_eq!(reply.field("Connection"), Some("close"));
    let retry_after: u64 = reply.field("Retry-After").unwrap().parse().unwrap();
    assert!((1..=2).contains(&retry_after), "slots come free soon here: {retry_after}");
    let name = if status == 429 { "per-client" } else { "total" };
    let policy = reply.field("RateLimit-Policy").unwrap();
    assert!(policy.starts_with(&format!("\"{name}\";q=")), "{policy}");
    assert!(policy.ends_with(";qu=\"concurrent-requests\""), "{policy}");
    let limit = reply.field("RateLimit").unwrap();
    assert_eq!(limit, format!("\"{name}\";r=0;t={retry_after}"));
    for word in words {
        assert!(reply.text().contains(word), "{word:?} is not in {}", reply.text());
    }
    conversation.expect_end();
}

#[test]
fn the_thirteenth_connection_of_a_client_receives_429_and_another_client_is_served() {
    let server = TestServer::start();
    server.file("a.txt", "a");
    let mut held = hold(&server, 1, 12);
    let mut thirteenth = server.connect_from(1);
    assert_rejected(&mut thirteenth, 429, &["127.0.0.1", "12 connections", "try again"]);
    assert_eq!(server.connect_from(2).get("/a.txt").status, 200);
    assert_eq!(held[11].get("/a.txt").status, 200, "those who came in time are served");
}

#[test]
fn the_sixty_first_connection_of_all_receives_503() {
    let server = TestServer::start();
    let _held: Vec<_> = (1..=5).map(|host| hold(&server, host, 12)).collect();
    assert_eq!((server.snapshot().held, server.snapshot().holders), (60, 5));
    assert_rejected(&mut server.connect_from(6), 503, &["all 60 connections", "Try again"]);
    assert_rejected(&mut server.connect_from(1), 429, &["127.0.0.1"]);
}

#[test]
fn a_rejection_is_readable_after_a_request_was_sent() {
    let server = TestServer::with_limits(1, 9);
    let _held = hold(&server, 1, 1);
    for _ in 0..50 {
        let mut rejected = server.connect_from(1);
        rejected.send(REQUEST).send(REQUEST.repeat(200));
        assert_rejected(&mut rejected, 429, &["429 Too Many Requests"]);
    }
}

#[test]
fn a_rejected_connection_takes_no_slot() {
    let server = TestServer::with_limits(1, 2);
    let held = hold(&server, 1, 1);
    let rejected: Vec<_> = (0..20).map(|_| server.connect_from(1)).collect();
    wait_until("the rejected ones linger", || server.snapshot().lingering == 20);
    assert_eq!(server.snapshot().held, 1);
    drop(held);
    server.wait_for_connections(0);
    drop(rejected);
    wait_until("none lingers", || server.snapshot().lingering == 0);
}

#[test]
fn a_peer_that_does_not_close_after_its_rejection_is_dropped() {
    let server = TestServer::with_limits(1, 2);
    let _held = hold(&server, 1, 1);
    let _rejected = server.connect_from(1);
    wait_until("it lingers", || server.snapshot().lingering == 1);
    wait_until("the connection is dropped", || server.snapshot().lingering == 0);
}

#[test]
fn slots_are_freed_by_a_close_a_reset_and_a_half_close() {
    let server = TestServer::with_limits(2, 2);
    server.file("a.txt", "a");
    for round in 0..30 {
        let mut held = hold(&server, 1, 2);
        let (mut one, mut two) = (held.pop().unwrap(), held.pop().unwrap());
        assert_eq!(one.get("/a.txt").status, 200);
        match round % 3 {
            0 => drop((one, two)),
            1 => {
                two.send("GET /a.txt HT");
                one.reset();
                two.reset();
            }
            _ => {
                one.finish_sending().expect_end();
                two.send(REQUEST).finish_sending();
                assert_eq!(two.reply().text(), "a", "a client that is done sending is answered");
                two.expect_end();
            }
        }
        server.wait_for_connections(0);
        assert_eq!(server.snapshot().holders, 0);
    }
}

#[test]
fn a_slot_is_freed_when_its_transfer_breaks_off() {
    let server = TestServer::with_limits(1, 1);
    server.file("large.bin", vec![7; 20_000_000]);
    for _ in 0..5 {
        let mut conversation = hold(&server, 1, 1).pop().unwrap();
        conversation.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut first = [0];
        std::io::Read::read_exact(&mut conversation.stream(), &mut first).unwrap();
        conversation.reset();
        server.wait_for_connections(0);
    }
}

#[test]
fn a_client_told_to_close_may_reconnect_at_once() {
    let server = TestServer::with_limits(1, 1);
    server.file("a.txt", "a");
    for _ in 0..200 {
        let mut conversation = server.connect();
        conversation.send("GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let reply = conversation.reply();
        assert_eq!((reply.status, reply.field("Connection")), (200, Some("close")));
        conversation.expect_end();
    }
}

#[test]
fn addresses_of_both_families_are_told_apart_and_mapped_ones_are_not() {
    let server = TestServer::with_config(|config| {
        config.address = None;
        config.limits.per_client = 1;
    });
    let held = hold(&server, 1, 1);
    assert!(held[0].local_address().is_ipv4());
    assert_rejected(&mut server.connect_from(1), 429, &["127.0.0.1"]);
    let Ok(stream) = std::net::TcpStream::connect(("::1", server.address().port())) else {
        return; // A machine without IPv6.
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(Conversation::new(stream).get("/none").status, 404);
}

#[test]
fn threads_are_reused_and_never_exceed_the_peak_of_connections() {
    let server = TestServer::with_limits(4, 4);
    server.file("a.txt", "a");
    for _ in 0..50 {
        let mut held = hold(&server, 1, 4);
        for conversation in &mut held {
            assert_eq!(conversation.get("/a.txt").status, 200);
        }
        drop(held);
        server.wait_for_connections(0);
    }
    wait_until("all threads are parked", || {
        let snapshot = server.snapshot();
        snapshot.threads == snapshot.parked
    });
    // A thread that returned its permit but is not parked yet may cause a new one.
    assert!(server.snapshot().threads <= 8, "{:?}", server.snapshot());
}

#[test]
fn a_connection_cut_off_in_a_response_is_not_a_shorter_response() {
    let server = TestServer::start();
    server.file("large.bin", vec![7; 30_000_000]);
    let mut conversation = server.connect();
    conversation.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    conversation.stream().peek(&mut [0]).expect("the answer has begun");
    std::fs::OpenOptions::new()
        .write(true)
        .open(server.root().join("large.bin"))
        .unwrap()
        .set_len(1_000)
        .unwrap();
    let error = conversation.try_reply().unwrap_err();
    assert!(error.to_string().contains("of 30000000 bytes"), "{error}");
    server.wait_for_connections(0);
}

/// Without them scripts of another origin cannot read the response (CORS).
#[test]
fn a_rejection_has_the_fields_that_the_operator_adds() {
    let server = TestServer::with_config(|config| {
        config.limits = Limits { per_client: 1, total: 2 };
        config.extra_fields.further = vec!["Access-Control-Allow-Origin: *".parse().unwrap()];
    });
    let _held = [hold(&server, 1, 1), hold(&server, 2, 1)];
    for (host, status) in [(1, 429), (3, 503)] {
        let reply = server.connect_from(host).get("/a.txt");
        assert_eq!(reply.status, status);
        assert_eq!(reply.field("Access-Control-Allow-Origin"), Some("*"), "{status}");
    }
}
