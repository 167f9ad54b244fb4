//! Clients behind a proxy that sends PROXY headers.

use std::io::Read as _;
use std::time::Duration;

use http_concurrent::server::{Enforcement, Limits, ServerConfig};
use rustix::process::Signal;

use crate::support::conversation::Conversation;
use crate::support::program::ServerProgram;
use crate::support::server::TestServer;
use crate::support::wait_until;

const REQUEST: &str = "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// 127.0.0.9 is a proxy.
const PROXY: u8 = 9;

fn server(configure: impl FnOnce(&mut ServerConfig)) -> TestServer {
    let server = TestServer::with_config(|config| {
        config.identification.proxies = vec!["127.0.0.9/32".parse().unwrap()];
        configure(config);
    });
    server.file("a.txt", "Hello");
    server
}

fn v1(source: &str) -> Vec<u8> {
    let family = if source.contains(':') { "TCP6" } else { "TCP4" };
    format!("PROXY {family} {source} {source} 4711 80\r\n").into_bytes()
}

/// The signature, a command (0x20 LOCAL, 0x21 PROXY), a family, and the rest with its length.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
}

fn v2_from(source: [u8; 4]) -> Vec<u8> {
    v2(0x21, 0x11, &[&source[..], &[127, 0, 0, 1], &[0x12, 0x67, 0, 80]].concat())
}

/// A connection through the proxy, after its header.
fn proxied(server: &TestServer, header: &[u8]) -> Conversation {
    let mut conversation = server.connect_from(PROXY);
    conversation.send(header);
    conversation
}

#[test]
fn the_source_in_the_header_is_the_client_in_both_versions_and_families() {
    for (header, client) in [
        (v1("203.0.113.7"), "203.0.113.7"),
        (v1("::ffff:203.0.113.7"), "203.0.113.7"),
        (v1("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::"),
        // The destination does not matter.
        (b"PROXY TCP6 2001:db8::77 127.0.0.1 51512 21007\r\n".to_vec(), "2001:db8::"),
        (b"PROXY TCP4 203.0.113.7 unix:/run/files 51512 0\r\n".to_vec(), "203.0.113.7"),
        (v2_from([203, 0, 113, 8]), "203.0.113.8"),
        (
            v2(0x21, 0x21, &[&[0x20, 1, 0xd, 0xb8][..], &[0; 28], &[1, 1, 0, 80]].concat()),
            "2001:db8::",
        ),
        // These name no client: they count for the proxy.
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.9"),
        (v2(0x20, 0, b""), "127.0.0.9"),
    ] {
        let server = server(|config| config.limits = Limits { per_client: 1, total: 60 });
        let mut held = proxied(&server, &header);
        assert_eq!(held.send(REQUEST).reply().text(), "Hello", "{client}");
        let reply = proxied(&server, &header).reply();
        assert_eq!(reply.status, 429, "{client}");
        assert!(reply.text().contains(client), "{client}: {}", reply.text());
        // Another client behind the same proxy.
        let reply = proxied(&server, &v1("198.51.100.1")).send(REQUEST).reply();
        assert_eq!(reply.status, 200, "{client}");
    }
}

#[test]
fn a_header_may_come_in_pieces_and_with_its_request() {
    let server = server(|_| {});
    for header in [v1("203.0.113.7"), v2_from([203, 0, 113, 7])] {
        let mut whole = header.clone();
        whole.extend_from_slice(REQUEST.repeat(2).as_bytes());
        let mut conversation = proxied(&server, &whole);
        assert_eq!((conversation.reply().status, conversation.reply().status), (200, 200));
        let mut conversation = server.connect_from(PROXY);
        for byte in header {
            conversation.send([byte]);
        }
        assert_eq!(conversation.send(REQUEST).reply().status, 200);
    }
}

#[test]
fn a_proxy_header_from_another_address_is_refused() {
    let server = server(|_| {});
    for header in [v1("127.0.0.2"), v2_from([127, 0, 0, 2])] {
        let mut conversation = server.connect_from(1);
        conversation.send(header).send(REQUEST);
        assert_eq!(conversation.reply().status, 400);
        conversation.expect_end();
        server.wait_for_connections(0);
    }
}

#[test]
fn a_proxy_without_a_header_or_with_a_malformed_one_gets_no_answer() {
    let server = server(|_| {});
    for bytes in [
        REQUEST.as_bytes().to_vec(),
        b"PROXY TCP4 1.2.3.4\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 1\r\n".to_vec(),
        b"PROXY TCP4 01.2.3.4 1.2.3.4 9 1\r\n".to_vec(),
        [b"PROXY ", &[b'x'; 200][..]].concat(),
        v2(0x31, 0x11, &[0; 12]),
        v2(0x22, 0x11, &[0; 12]),
        v2(0x21, 0x11, &[0; 4]),
        v2(0x21, 0x11, &vec![0; 0xffff]),
    ] {
        let mut conversation = server.connect_from(PROXY);
        let _ = conversation.try_send(&bytes);
        let _ = conversation.stream().shutdown(std::net::Shutdown::Write);
        // An end or a reset, as input may be unread.
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut conversation.stream(), &mut answer);
        assert_eq!(answer, b"", "{}", bytes.escape_ascii());
        server.wait_for_connections(0);
    }
    assert_eq!(proxied(&server, &v1("1.2.3.4")).send(REQUEST).reply().status, 200);
}

#[test]
fn a_slot_of_the_total_is_taken_on_accept_and_the_clients_with_the_header() {
    let server = server(|config| config.limits = Limits { per_client: 1, total: 2 });
    let mut silent = server.connect_from(PROXY);
    let _second = server.connect_from(PROXY);
    server.wait_for_connections(2);
    assert_eq!(server.snapshot().holders, 0);
    assert_eq!(server.connect_from(PROXY).reply().status, 503, "the total holds for all");
    silent.send(v1("203.0.113.7"));
    wait_until("the client is known", || server.snapshot().holders == 1);
    assert_eq!(server.snapshot().held, 2);
}

#[test]
fn a_late_proxy_header_closes_the_connection() {
    let server = server(|config| config.timeouts.head = Duration::from_millis(300));
    for beginning in [&b""[..], b"PROXY TC"] {
        let mut conversation = proxied(&server, beginning);
        conversation.expect_end();
        server.wait_for_connections(0);
    }
}

#[test]
fn a_dry_run_of_limits_counts_a_client_behind_a_proxy_once() {
    let server = server(|config| {
        config.limits = Limits { per_client: 1, total: 1 };
        config.policy.enforcement = Enforcement::DryRun;
    });
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut conversation = proxied(&server, &v1("203.0.113.7"));
        assert_eq!(conversation.send(REQUEST).reply().status, 200);
        held.push(conversation);
    }
    let snapshot = server.snapshot();
    assert_eq!((snapshot.held, snapshot.holders), (3, 1), "the proxy holds none");
    drop(held);
    server.wait_for_connections(0);
    assert_eq!(server.snapshot().holders, 0);
    assert_eq!(server.counters().panics, 0);
}

#[test]
fn a_connection_without_its_proxy_header_does_not_delay_the_shutdown() {
    let server = server(|config| {
        config.timeouts.head = Duration::from_secs(600);
        config.timeouts.drain = Duration::from_secs(600);
    });
    let mut silent = server.connect_from(PROXY);
    let mut half = proxied(&server, b"PROXY TC");
    server.wait_for_connections(2);
    server.stop();
    silent.expect_end();
    half.expect_end();
    wait_until("the server has ended", || server.has_ended());
}

#[test]
fn a_proxy_without_a_header_is_logged_unless_it_only_connects() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["-p", "0", "--proxy-protocol", "127.0.0.9", "--proxy-protocol", "127.0.0.8"];
    let program = ServerProgram::start(directory.path(), &arguments);
    program.connect_from(8).finish_sending().expect_end();
    // The request is unread at the close, which may therefore be a reset.
    let _ = program.connect_from(PROXY).send(REQUEST).stream().read(&mut [0]);
    program.signal(Signal::TERM);
    let (_, log) = program.wait();
    let line = "127.0.0.9: no valid PROXY header: the connection does not begin with";
    assert!(log.contains(line), "{log}");
    assert!(!log.contains("::ffff:"), "as every other line shows the address: {log}");
    assert!(!log.contains("127.0.0.8"), "{log}");
}
