//! Clients that are let in, or denied, by address.

use http_concurrent::server::{Enforcement, ServerConfig, StatusAccess};

use crate::support::server::TestServer;

const GET: &str = "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
const HEAD: &str = "HEAD /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn server(configure: impl FnOnce(&mut ServerConfig)) -> TestServer {
    let server = TestServer::with_config(configure);
    server.file("a.txt", "Hello");
    server
}

#[test]
fn a_denied_client_receives_403_without_taking_a_slot() {
    let server = server(|config| {
        config.networks.deny = vec!["127.0.0.2/32".parse().unwrap()];
        config.limits.total = 1;
        config.extra_fields.further = vec!["X-Note: a".parse().unwrap()];
    });
    let mut held = server.connect_from(1);
    held.send(&GET[..9]);
    server.wait_for_connections(1);
    for _ in 0..3 {
        let mut denied = server.connect_from(2);
        let reply = denied.send(GET).reply();
        assert_eq!(reply.status, 403, "although the server is full");
        assert_eq!(reply.text(), "403 Forbidden: your address 127.0.0.2 is not let in here.\n");
        assert_eq!(reply.field("Retry-After"), None);
        assert_eq!(reply.field("RateLimit"), None);
        assert_eq!(reply.field("Connection"), Some("close"));
        assert_eq!(reply.field("X-Note"), Some("a"));
        denied.expect_end();
    }
    let reply = server.connect_from(2).send(HEAD).reply_to_head();
    assert_eq!((reply.status, reply.field("Content-Length")), (403, Some("58")));
    assert_eq!(held.send(&GET[9..]).reply().status, 200);
    let snapshot = server.snapshot();
    assert_eq!((snapshot.counters.denied, snapshot.counters.rejected_total), (4, 0));
    let row = snapshot.clients.iter().find(|row| row.client == "127.0.0.2").unwrap();
    assert_eq!((row.denials, row.rejections, row.active + row.idle), (4, 0, 0));
}

#[test]
fn only_allowed_clients_are_let_in_unless_they_are_denied_too() {
    let server = server(|config| {
        config.networks.allow = vec!["127.0.0.8/29".parse().unwrap()];
        config.networks.deny = vec!["127.0.0.9/32".parse().unwrap()];
        // Limits are not enforced, rules are.
        config.policy.enforcement = Enforcement::DryRun;
    });
    for (host, status) in [(8, 200), (9, 403), (15, 200), (16, 403), (1, 403)] {
        assert_eq!(server.connect_from(host).send(GET).reply().status, status, "127.0.0.{host}");
    }
}

#[test]
fn ipv4_clients_of_a_dual_stack_socket_count_by_their_ipv4_address() {
    let server = server(|config| {
        config.address = None;
        config.networks.allow = vec!["127.0.0.2/32".parse().unwrap()];
    });
    for (host, status) in [(2, 200), (3, 403)] {
        assert_eq!(server.connect_from(host).send(GET).reply().status, status, "127.0.0.{host}");
    }
}

#[test]
fn clients_behind_a_proxy_count_by_their_own_address() {
    let server = server(|config| {
        config.identification.proxies = vec!["127.0.0.9/32".parse().unwrap()];
        config.networks.allow = vec!["203.0.113.0/24".parse().unwrap()];
        config.networks.deny = vec!["203.0.113.66/32".parse().unwrap()];
        config.limits.total = 1;
    });
    for (header, status) in [
        ("PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n", 200),
        ("PROXY TCP6 ::ffff:203.0.113.7 ::1 4711 80\r\n", 200),
        ("PROXY TCP4 203.0.113.66 127.0.0.1 4711 80\r\n", 403),
        ("PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n", 403),
        // Counts as the proxy, which is not allowed itself.
        ("PROXY UNKNOWN\r\n", 403),
    ] {
        for split in [0, 5, header.len(), header.len() + 5] {
            let bytes = [header, GET].concat();
            let mut conversation = server.connect_from(9);
            conversation.send(&bytes[..split]).send(&bytes[split..]);
            assert_eq!(conversation.reply().status, status, "{header} split at {split}");
            drop(conversation);
            server.wait_for_connections(0);
        }
    }
    assert_eq!(server.connect_from(1).send(GET).reply().status, 403, "not through the proxy");
}

#[test]
fn a_denied_client_does_not_see_the_status() {
    let server = server(|config| {
        config.status =
            Some(StatusAccess { path: "/status".to_owned(), ..StatusAccess::default() });
        config.networks.deny = vec!["127.0.0.2/32".parse().unwrap()];
    });
    for (host, status) in [(1, 200), (2, 403)] {
        let reply = server.connect_from(host).get("/status");
        assert_eq!(reply.status, status, "127.0.0.{host}");
    }
}
