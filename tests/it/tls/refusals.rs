//! Connections that are rejected or denied are told so over TLS, within bounds.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use http_concurrent::server::Limits;

use super::site::{REQUEST, clients, server};
use crate::support::conversation::Conversation;
use crate::support::server::TestServer;
use crate::support::wait_until;

/// A server whose limits are used up by the returned connection of 127.0.0.9, which sends nothing.
fn full(per_client: usize, total: usize) -> (TestServer, Conversation) {
    let server = server(|config| config.limits = Limits { per_client, total });
    let held = server.connect_from(9);
    server.wait_for_connections(1);
    (server, held)
}

#[test]
fn a_client_over_a_limit_reads_its_whole_response() {
    for (per_client, total, host, status) in [(1, 60, 9, 429), (60, 1, 8, 503)] {
        let (server, _held) = full(per_client, total);
        for version in clients(&server) {
            let connect = || {
                let source = [127, 0, 0, host].into();
                Conversation::between(source, server.address()).over_tls(version.clone())
            };
            let reply = {
                let mut conversation = connect();
                let reply = conversation.send(REQUEST).reply();
                conversation.expect_end();
                reply
            };
            assert_eq!(reply.status, status);
            assert!(reply.field("Retry-After").is_some());
            assert!(reply.text().to_lowercase().contains("try again"), "{}", reply.text());
            let mut conversation = connect();
            conversation.send("HEAD /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
            let head = conversation.reply_to_head();
            assert_eq!((head.status, head.field_names()), (status, reply.field_names()));
            conversation.expect_end();
            // Without a request as well.
            let mut conversation = connect();
            conversation.shake_hands().unwrap();
            assert_eq!(conversation.reply().status, status);
            conversation.expect_end();
        }
        let counters = server.counters();
        let rejected = counters.rejected_per_client + counters.rejected_total;
        assert_eq!(rejected, 6);
    }
}

#[test]
fn a_client_over_a_limit_that_speaks_plain_http_reads_its_response_too() {
    let (server, _held) = full(1, 1);
    let mut conversation = server.connect_raw();
    let reply = conversation.send(REQUEST).reply();
    assert_eq!(reply.status, 503);
    conversation.expect_end();
}

#[test]
fn a_denied_client_reads_its_403() {
    let server = server(|config| config.networks.deny = vec!["127.0.0.8/32".parse().unwrap()]);
    for _ in 0..3 {
        let mut conversation = server.connect_from(8);
        let reply = conversation.send(REQUEST).reply();
        assert_eq!(reply.status, 403);
        assert!(reply.text().contains("127.0.0.8"), "{}", reply.text());
        conversation.expect_end();
    }
    assert_eq!(server.connect_from(9).get("/a.txt").status, 200);
    assert_eq!(server.counters().denied, 3);
}

/// Rejected clients take up to two seconds each; those that stall are closed then.
#[test]
fn rejected_clients_that_stall_keep_nobody_from_a_response_for_long() {
    let (server, _held) = full(60, 1);
    let mut stalled = Vec::new();
    for host in 100..140 {
        for _ in 0..10 {
            let conversation = Conversation::between([127, 0, 0, host].into(), server.address());
            // Those beyond the bounds are closed.
            let _ = conversation.stream().write_all(b"\x16\x03\x01");
            stalled.push(conversation);
        }
    }
    let begun = Instant::now();
    wait_until("another one reads its response", || {
        let mut conversation = server.connect_from(8);
        let is_sent = conversation.try_send(REQUEST).is_ok();
        is_sent && conversation.reply_unless_closed().is_some_and(|reply| reply.status == 503)
    });
    println!("a rejected client reads its response after {:?}", begun.elapsed());
    for conversation in &mut stalled {
        let mut rest = Vec::new();
        // An end or a reset, as the beginning of a handshake may be unread.
        let _ = conversation.stream().read_to_end(&mut rest);
        assert!(!rest.windows(5).any(|bytes| bytes == b"HTTP/"), "{}", rest.escape_ascii());
    }
}

#[test]
fn the_threads_of_rejections_are_counted() {
    let (server, _held) = full(1, 1);
    let stalled = server.connect_raw();
    wait_until("both have a thread", || server.snapshot().threads == 2);
    drop(stalled);
}

/// Each of them may take two seconds. On a busy machine all may take longer.
#[test]
fn an_end_at_once_does_not_wait_for_rejected_clients_that_stall() {
    wait_until("the server ends sooner", || {
        let (server, _held) = full(1, 1);
        let _stalled = server.connect_raw();
        wait_until("it is rejected", || server.counters().rejected_total == 1);
        let begun = Instant::now();
        server.stop_at_once();
        wait_until("the server has ended", || server.has_ended());
        begun.elapsed() < Duration::from_secs(1)
    });
}

/// Many at once, of many clients: each reads all of its response or nothing of it.
#[test]
fn many_rejections_at_once_are_whole_or_closed_without_a_byte_of_http() {
    let (server, _held) = full(60, 1);
    let mut rejected: Vec<Conversation> = (1..=100)
        .filter(|host| *host != 9)
        .flat_map(|host| [host; 3])
        .map(|host| server.connect_from(host))
        .collect();
    let mut told = 0;
    std::thread::scope(|scope| {
        let threads: Vec<_> = rejected
            .chunks_mut(30)
            .map(|some| {
                scope.spawn(|| {
                    let answered = some.iter_mut().map(|conversation| {
                        let is_sent = conversation.try_send(REQUEST).is_ok();
                        let reply = is_sent.then(|| conversation.reply_unless_closed()).flatten();
                        reply.map_or(0, |reply| {
                            assert_eq!(reply.status, 503);
                            conversation.expect_end();
                            1
                        })
                    });
                    answered.sum::<usize>()
                })
            })
            .collect();
        told = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    });
    println!("{told} of {} were told", rejected.len());
    assert!(told > 0);
    assert_eq!(server.counters().rejected_total, rejected.len() as u64);
}
