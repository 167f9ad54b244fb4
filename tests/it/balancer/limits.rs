//! One limit over all instances, and what a refused client receives.

use std::io;

use rustix::process::Signal;

use super::cluster::{Cluster, SMALL};
use super::haproxy::HaProxy;
use crate::support::conversation::{Conversation, Reply};
use crate::support::program::ServerProgram;
use crate::support::wait_until;

/// Transfers of `/large` then last longer than a test waits.
const SLOW: [&str; 2] = ["--limit-rate", "64K"];

#[test]
#[ignore = "needs haproxy"]
fn a_client_has_one_limit_over_all_instances_and_its_slots_return() {
    let cluster = Cluster::start(&SLOW);
    let haproxy = HaProxy::start(&cluster);
    for (client, name, other) in [
        ("127.0.0.2", "your address 127.0.0.2 already holds 12 connections", "127.0.0.3"),
        ("::1", "your network ::/64 already holds 12 connections", "127.0.0.3"),
    ] {
        let mut held = haproxy.transfers_from(client, 12, &cluster);
        let shares: Vec<usize> =
            (0..cluster.count()).map(|index| cluster.held(index, client)).collect();
        assert_eq!(shares, [4; 3], "{client}");
        let refused = haproxy.get_from(client, "/small");
        assert_eq!(refused.status, 429, "{client}");
        assert!(refused.text().contains(name), "{client}: {}", refused.text());
        let served = haproxy.get_from(other, "/small");
        assert_eq!((served.status, served.text()), (200, SMALL), "{other}");
        assert_eq!(served.field("RateLimit"), Some("\"per-client\";r=11"));
        drop(held.pop());
        let mut kept = haproxy.connect_from(client);
        wait_until("the slot is free", || {
            let reply = kept.get("/small");
            if reply.status == 429 {
                kept = haproxy.connect_from(client);
            }
            reply.status == 200
        });
        assert_eq!(haproxy.get_from(client, "/small").status, 429, "{client}: it is taken again");
        drop((held, kept));
        cluster.wait_until_all_hold(client, 0);
    }
}

#[test]
#[ignore = "needs haproxy"]
fn connections_that_send_nothing_are_counted() {
    let cluster = Cluster::start(&[]);
    let haproxy = HaProxy::start(&cluster);
    // HAProxy closes them after 10 s, so that they are opened again on a busy machine.
    wait_until("twelve silent connections fill the limit", || {
        let _silent: Vec<_> = (0..12).map(|_| haproxy.connect_from("127.0.0.2")).collect();
        haproxy.get_from("127.0.0.2", "/small").status == 429
    });
    wait_until("they are no longer counted", || {
        haproxy.get_from("127.0.0.2", "/small").status == 200
    });
    wait_until("a client with a hundred connections is not answered", || {
        let _silent: Vec<_> = (0..100).map(|_| haproxy.connect_from("127.0.0.2")).collect();
        let mut beyond = haproxy.connect_from("127.0.0.2");
        let sent = beyond.try_send("GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n");
        sent.is_err() || beyond.stream().peek(&mut [0]).map_or(true, |count| count == 0)
    });
    assert_eq!(haproxy.get_from("127.0.0.3", "/small").status, 200);
}

/// True if the peer has neither sent anything nor closed.
pub(super) fn is_silent(conversation: &Conversation) -> bool {
    conversation.stream().set_nonblocking(true).unwrap();
    let peeked = conversation.stream().peek(&mut [0]);
    conversation.stream().set_nonblocking(false).unwrap();
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
#[ignore = "needs haproxy"]
fn a_refused_connection_costs_the_others_of_its_client_nothing() {
    let cluster = Cluster::start(&[]);
    let haproxy = HaProxy::start(&cluster);
    let client = "127.0.0.2";
    // HAProxy closes the refused ones after 10 s, so that all is tried again on a busy machine.
    wait_until("a slot is free while refused connections are open", || {
        let mut kept: Vec<_> = (0..12).map(|_| haproxy.connect_from(client)).collect();
        if kept.iter_mut().any(|kept| kept.get("/small").status != 200) {
            return false;
        }
        let refused: Vec<_> = (0..20).map(|_| haproxy.connect_from(client)).collect();
        for kept in &mut kept {
            assert_eq!(kept.get("/small").status, 200, "it is one of the twelve");
        }
        drop(kept.pop());
        let is_free = || haproxy.get_from(client, "/small").status == 200;
        while refused.iter().all(is_silent) {
            if is_free() {
                return refused.iter().all(is_silent);
            }
        }
        false
    });
}

#[test]
#[ignore = "needs haproxy"]
fn all_clients_have_one_total_over_all_instances() {
    let cluster = Cluster::start(&SLOW);
    let haproxy = HaProxy::start(&cluster);
    let clients = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"];
    let held: Vec<_> =
        clients.iter().flat_map(|client| haproxy.transfers_from(client, 12, &cluster)).collect();
    let refused = haproxy.get_from("127.0.0.9", "/small");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("all 60 connections"), "{}", refused.text());
    assert_eq!(haproxy.get_from("127.0.0.2", "/small").status, 429, "its own limit comes first");
    drop(held);
    wait_until("slots are free", || haproxy.get_from("127.0.0.9", "/small").status == 200);
}

#[test]
#[ignore = "needs haproxy"]
fn an_instance_that_has_the_whole_total_passes_its_health_checks() {
    let mut cluster = Cluster::start(&SLOW);
    let haproxy = HaProxy::start(&cluster);
    cluster.end(1, Signal::KILL);
    cluster.end(2, Signal::KILL);
    let _held: Vec<_> = (2..=6)
        .map(|host| {
            let client = format!("127.0.0.{host}");
            let transfers = haproxy.begin("/large", &client, 12);
            wait_until("it holds all", || cluster.held(0, &client) == 12);
            transfers
        })
        .collect();
    let (before, mut asked) = (cluster.served(0), 0);
    wait_until("it has been checked ten times", || {
        asked += 1;
        cluster.served(0) >= before + asked + 10
    });
    let refused = haproxy.get_from("127.0.0.9", "/small");
    assert!(refused.text().contains("all 60 connections"), "{}", refused.text());
    assert!(!haproxy.log().contains("Server instances/a is DOWN"), "{}", haproxy.log());
}

#[test]
#[ignore = "needs haproxy"]
fn idle_connections_of_a_few_clients_lock_nobody_out() {
    let cluster = Cluster::start(&["--keep-alive-timeout", "1h"]);
    let haproxy = HaProxy::changed(&cluster, &[("http-keep-alive 5s", "http-keep-alive 1h")]);
    let mut kept = Vec::new();
    for host in 2..=6 {
        for _ in 0..12 {
            let mut conversation = haproxy.connect_from(&format!("127.0.0.{host}"));
            let reply = conversation.get("/small");
            assert_eq!(reply.status, 200, "127.0.0.{host}, while {} are kept", kept.len());
            if reply.field("Connection") == Some("close") {
                conversation.expect_end();
            } else {
                kept.push(conversation);
            }
        }
    }
    assert_eq!(kept.len(), 45, "three quarters of the total");
}

#[test]
#[ignore = "needs haproxy"]
fn a_client_leaves_no_connection_at_an_instance() {
    // A connection that stayed would refuse the next one, which waits only for one that is about to end.
    let cluster = Cluster::start(&["-maxclient", "1", "--keep-alive-timeout", "1h"]);
    let haproxy = HaProxy::start(&cluster);
    for number in 0..60 {
        assert_eq!(haproxy.get_from("127.0.0.2", "/small").status, 200, "request {number}");
    }
}

/// The names of the fields, without `Server`, which `HAProxy` does not send.
fn names(reply: &Reply) -> Vec<String> {
    let mut names = reply.field_names();
    names.retain(|name| name != "server");
    names.sort();
    names
}

fn refused(connect: impl Fn() -> Conversation) -> [Reply; 2] {
    let mut by_get = connect();
    let mut by_head = connect();
    let get = by_get.get("/small");
    by_head.send("HEAD /small HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = by_head.reply_to_head();
    by_get.expect_end();
    by_head.expect_end();
    [get, head]
}

#[test]
#[ignore = "needs haproxy"]
fn a_rejection_has_the_fields_of_the_servers_own() {
    for (clients, refused_host, scope) in [(1_u8, 2, "\"per-client\""), (5, 9, "\"total\"")] {
        let cluster = Cluster::start(&SLOW);
        let haproxy = HaProxy::start(&cluster);
        // Its limits are those of README's configuration by default.
        let server = ServerProgram::start(cluster.root(), &[&SLOW[..], &["-p", "0"]].concat());
        let mut held = Vec::new();
        let mut balanced = Vec::new();
        for host in 2..2 + clients {
            for _ in 0..12 {
                let mut conversation = server.connect_from(host);
                conversation.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
                held.push(conversation);
            }
            balanced.extend(haproxy.transfers_from(&format!("127.0.0.{host}"), 12, &cluster));
        }
        let client = format!("127.0.0.{refused_host}");
        wait_until("the server refuses", || {
            server.connect_from(refused_host).get("/small").status != 200
        });
        let ours = refused(|| server.connect_from(refused_host));
        let its = refused(|| haproxy.connect_from(&client));
        for (ours, its) in ours.iter().zip(&its) {
            assert_eq!(ours.status, its.status);
            assert_eq!(names(ours), names(its));
            for name in ["Content-Type", "RateLimit-Policy", "X-Content-Type-Options", "Connection"]
            {
                assert_eq!(ours.field(name), its.field(name), "{name}");
            }
            for reply in [ours, its] {
                let wait = reply.field("Retry-After").unwrap();
                assert!((1..=90).contains(&wait.parse::<u32>().unwrap()), "{wait}");
                assert_eq!(reply.field("RateLimit").unwrap(), format!("{scope};r=0;t={wait}"));
            }
            // The server's own text also says how many of the connections are active.
            let words = ours.text().split(" (").next().unwrap();
            assert!(its.text().starts_with(words), "{:?} and {:?}", ours.text(), its.text());
            assert!(
                its.text().is_empty()
                    || its.text().ends_with(ours.text().split(". ").last().unwrap())
            );
        }
    }
}

#[test]
#[ignore = "needs haproxy"]
fn without_an_instance_clients_are_told_to_come_back() {
    let mut cluster = Cluster::start(&[]);
    let haproxy = HaProxy::start(&cluster);
    for index in 0..cluster.count() {
        cluster.end(index, Signal::KILL);
    }
    let reply = haproxy.get_from("127.0.0.2", "/small");
    assert_eq!(reply.status, 503);
    assert_eq!(reply.text(), "503 Service Unavailable: no instance is ready. Try again.\n");
    assert!(matches!(reply.field("Retry-After"), Some("1" | "2")));
    assert!(reply.field("Date").is_some() && reply.field("Content-Type") == Some("text/plain"));
    cluster.restart(1);
    wait_until("it is served again", || haproxy.get_from("127.0.0.2", "/small").status == 200);
}
