//! Idle and endless connections do not waste slots.

use http_concurrent::server::{Limits, ServerConfig};

use crate::support::conversation::Conversation;
use crate::support::server::TestServer;
use crate::support::wait_until;

fn server(per_client: usize, total: usize, configure: fn(&mut ServerConfig)) -> TestServer {
    let server = TestServer::with_config(|config| {
        config.limits = Limits { per_client, total };
        configure(config);
    });
    server.file("a.txt", "Hello");
    server
}

/// A connection that was served and is idle between two requests.
fn idle(server: &TestServer, host: u8) -> Conversation {
    let before = server.idle();
    let mut conversation = server.connect_from(host);
    let reply = conversation.get("/a.txt");
    assert_eq!((reply.status, reply.field("Connection")), (200, None), "it is kept");
    wait_until("it is idle", || server.idle() > before);
    conversation
}

#[test]
fn above_three_quarters_of_the_total_no_connection_is_kept() {
    let server = server(60, 8, |_| {});
    let mut kept: Vec<Conversation> = (1..=6).map(|host| idle(&server, host)).collect();
    let mut seventh = server.connect_from(7);
    let reply = seventh.get("/a.txt");
    assert_eq!((reply.status, reply.field("Connection")), (200, Some("close")));
    seventh.expect_end();
    server.wait_for_connections(6);
    assert_eq!(kept[0].get("/a.txt").field("Connection"), None, "six are three quarters");
}

#[test]
fn a_connection_ends_with_its_last_request() {
    let server = server(9, 9, |config| config.policy.keep_alive_requests = 3);
    for _ in 0..2 {
        let mut conversation = server.connect();
        for expected in [None, None, Some("close")] {
            assert_eq!(conversation.get("/a.txt").field("Connection"), expected);
        }
        conversation.expect_end();
    }
}

/// RFC 9112 §9.6: closing with unread input resets the connection, and the peer loses what it has not read.
#[test]
fn a_request_after_the_last_one_does_not_cut_the_response_short() {
    let request_limit: fn(&mut ServerConfig) = |config| config.policy.keep_alive_requests = 1;
    for (total, configure, stops) in [
        (1, (|_| {}) as fn(&mut ServerConfig), false), // crowded
        (9, request_limit, false),
        (9, |_| {}, true),
    ] {
        let server = server(1, total, configure);
        server.file("large.bin", vec![7; 8_000_000]);
        let mut conversation = Conversation::with_a_small_window(server.address());
        let request = "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n";
        conversation.send(request).stream().peek(&mut [0]).expect("the answer has begun");
        conversation.send(request);
        if stops {
            // The second one is answered, and the third comes after the last.
            conversation.send(request);
            server.stop();
            assert_eq!(conversation.reply().body.len(), 8_000_000);
        }
        assert_eq!(conversation.reply().body.len(), 8_000_000, "{total} {stops}");
        conversation.expect_end();
    }
}

#[test]
fn an_idle_connection_keeps_its_slot_unless_reclaiming_is_asked_for() {
    let server = server(1, 60, |_| {});
    let mut held = idle(&server, 1);
    assert_eq!(server.connect_from(1).get("/a.txt").status, 429);
    assert_eq!(held.get("/a.txt").status, 200);
    assert_eq!(server.counters().reclaimed, 0);
}

#[test]
fn the_slot_of_the_clients_oldest_idle_connection_is_reused() {
    let server = server(3, 60, |config| config.policy.reclaim_idle = true);
    let mut others = idle(&server, 2);
    let mut oldest = idle(&server, 1);
    let mut newer = idle(&server, 1);
    let mut newest = idle(&server, 1);
    assert_eq!(server.connect_from(1).get("/a.txt").status, 200);
    oldest.expect_end();
    for kept in [&mut newer, &mut newest, &mut others] {
        assert_eq!(kept.get("/a.txt").status, 200, "no other was closed");
    }
    assert_eq!(server.counters().reclaimed, 1);
    assert_eq!(server.counters().rejected_per_client, 0);
}

#[test]
fn when_all_is_full_the_oldest_idle_connection_of_anyone_is_closed() {
    let server = server(60, 4, |config| config.policy.reclaim_idle = true);
    let mut oldest = idle(&server, 1);
    let mut newer = idle(&server, 2);
    // Two connections that never sent a byte.
    let _fresh = [server.connect_from(3), server.connect_from(3)];
    server.wait_for_connections(4);
    let _first = server.connect_from(4);
    oldest.expect_end();
    let _second = server.connect_from(4);
    newer.expect_end();
    wait_until("four wait for a request", || server.idle() == 4);
    let rejected = server.connect_from(5).get("/a.txt");
    assert_eq!(rejected.status, 503, "those who have not asked yet are not closed for others");
    assert!(rejected.text().contains("0 active, 4 idle"), "{}", rejected.text());
}

#[test]
fn a_transfer_and_a_request_that_has_begun_are_never_reclaimed() {
    let server = server(2, 60, |config| config.policy.reclaim_idle = true);
    server.file("large.bin", vec![7; 30_000_000]);
    let mut transfer = server.connect_from(1);
    transfer.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    transfer.stream().peek(&mut [0]).unwrap();
    let mut begun = idle(&server, 1);
    begun.send("GET /a.txt HTTP/1.1\r\n");
    wait_until("its request is being read", || server.active() == 2);
    assert_eq!(server.connect_from(1).get("/a.txt").status, 429);
    assert_eq!(begun.send("Host: a\r\n\r\n").reply().text(), "Hello");
    assert_eq!(transfer.reply().body.len(), 30_000_000);
}
