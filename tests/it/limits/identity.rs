//! Identity of clients: exempt addresses, the fields that state a limit, and dry runs of limits.

use http_concurrent::server::{Enforcement, Limits};

use crate::support::conversation::Conversation;
use crate::support::server::TestServer;
use crate::support::wait_until;

fn server(per_client: usize, total: usize, enforcement: Enforcement) -> TestServer {
    let server = TestServer::with_config(|config| {
        config.limits = Limits { per_client, total };
        config.policy.enforcement = enforcement;
        config.policy.reclaim_idle = enforcement == Enforcement::DryRun;
        config.identification.exempt = vec!["127.0.0.64/30".parse().unwrap()];
    });
    server.file("a.txt", "Hello");
    server
}

/// This number of connections of one address, each served once.
fn served(server: &TestServer, host: u8, count: usize) -> Vec<Conversation> {
    let held = (0..count).map(|_| {
        let mut conversation = server.connect_from(host);
        assert_eq!(conversation.get("/a.txt").status, 200);
        conversation
    });
    held.collect()
}

#[test]
fn an_exempt_address_has_no_limit_of_its_own_but_the_total_applies() {
    let server = server(1, 6, Enforcement::Enforced);
    let _exempt: Vec<_> = (64..68).map(|host| server.connect_from(host)).collect();
    let _again = server.connect_from(64);
    server.wait_for_connections(5);
    let _bound = server.connect_from(1);
    server.wait_for_connections(6);
    assert_eq!(server.connect_from(1).get("/a.txt").status, 429, "others are bound");
    let rejected = server.connect_from(64).get("/a.txt");
    assert_eq!(rejected.status, 503, "the total binds everyone");
    let counters = server.counters();
    assert_eq!((counters.rejected_per_client, counters.rejected_total), (1, 1));
}

#[test]
fn a_served_client_is_told_its_limit_and_what_remains_and_an_exempt_one_is_not() {
    let server = server(4, 60, Enforcement::Enforced);
    let mut held = Vec::new();
    for remaining in (0..4).rev() {
        let mut conversation = server.connect_from(1);
        let reply = conversation.get("/a.txt");
        let policy = "\"per-client\";q=4;qu=\"concurrent-requests\"";
        assert_eq!(reply.field("RateLimit-Policy"), Some(policy));
        assert_eq!(reply.field("RateLimit"), Some(&*format!("\"per-client\";r={remaining}")));
        held.push(conversation);
    }
    wait_until("all wait for a request", || server.idle() == 4);
    let rejected = server.connect_from(1).get("/a.txt");
    assert_eq!(rejected.status, 429);
    assert!(rejected.text().contains("0 active, 4 idle"), "{}", rejected.text());
    let reply = server.connect_from(64).get("/a.txt");
    assert_eq!((reply.field("RateLimit-Policy"), reply.field("RateLimit")), (None, None));
}

#[test]
fn a_dry_run_of_limits_rejects_and_closes_nothing_and_counts() {
    let server = server(2, 3, Enforcement::DryRun);
    let mut held = served(&server, 1, 4);
    held.extend(served(&server, 2, 2));
    assert_eq!(server.snapshot().held, 6);
    let counters = server.counters();
    assert_eq!(counters.would_reject, 4, "two of the first client, two of all");
    assert_eq!((counters.rejected_per_client, counters.rejected_total), (0, 0));
    assert_eq!(counters.reclaimed, 0, "no idle connection was closed for another");
    for conversation in &mut held {
        let reply = conversation.get("/a.txt");
        assert_eq!((reply.status, reply.field("Connection")), (200, None), "kept all the same");
        assert_eq!(reply.field("RateLimit"), None, "a limit that does not apply is not sent");
    }
    drop(held);
    server.wait_for_connections(0);
    assert_eq!(server.snapshot().holders, 0);
}
