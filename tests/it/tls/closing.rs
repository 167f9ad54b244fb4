//! The ends of connections: `close_notify` says that nothing is missing (RFC 8446 §6.1, RFC 9110 §6.1).

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::site::{REQUEST, clients, server};
use crate::support::server::TestServer;
use crate::support::{PATIENCE, wait_until};

/// Expects one response with this status and then the end of the connection.
#[track_caller]
fn assert_ends_in_order(server: &TestServer, request: &str, status: u16) {
    for client in clients(server) {
        let mut conversation = server.connect_with(&client);
        let reply = conversation.send(request).reply();
        assert_eq!(reply.status, status, "{request:?}");
        conversation.expect_end();
        server.wait_for_connections(0);
    }
}

#[test]
fn each_orderly_close_is_announced() {
    let unlimited = server(|_| {});
    for (request, status) in [
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
        ("GET /a.txt HTTP/1.0\r\n\r\n", 200),
        ("GET /a.txt HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET /a.txt HTTP/1.1\r\n\r\n", 400),
        // With unread input.
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHo", 200),
    ] {
        assert_ends_in_order(&unlimited, request, status);
    }
    let one_request = server(|config| config.policy.keep_alive_requests = 1);
    assert_ends_in_order(&one_request, REQUEST, 200);
    let impatient = server(|config| config.timeouts.idle = Duration::from_millis(100));
    assert_ends_in_order(&impatient, REQUEST, 200);
}

#[test]
fn idle_connections_are_closed_in_order_when_the_server_stops() {
    let server = server(|_| {});
    let mut idle = clients(&server).map(|client| server.connect_with(&client));
    for conversation in &mut idle {
        assert_eq!(conversation.get("/a.txt").text(), "Hello");
    }
    wait_until("both wait for a request", || server.idle() == 2);
    server.stop();
    for conversation in &mut idle {
        conversation.expect_end();
    }
}

#[test]
fn a_request_that_has_been_decrypted_is_answered_when_the_server_stops() {
    let server = server(|config| config.timeouts.drain = 2 * PATIENCE);
    server.file("large.bin", vec![7; 5_000_000]);
    let large = "GET /large.bin HTTP/1.1\r\nHost: a\r\nX-Padding: ";
    let mut conversations = Vec::new();
    for client in clients(&server) {
        // The server reads the first request with this length or another one alone, and decrypts both.
        for length in [1024, 2048, 4096, 100] {
            let padding = "x".repeat(length - large.len() - "\r\n\r\n".len());
            let mut conversation = server.connect_with(&client);
            conversation.send(format!("{large}{padding}\r\n\r\n{REQUEST}")).wait_for_response();
            conversations.push(conversation);
        }
    }
    server.stop();
    let address = server.address();
    wait_until("it is stopping", || TcpStream::connect(address).is_err());
    for conversation in &mut conversations {
        assert_eq!(conversation.reply().body.len(), 5_000_000);
        let reply = conversation.reply();
        assert_eq!((reply.text(), reply.field("Connection")), ("Hello", Some("close")));
        conversation.expect_end();
    }
}

#[test]
fn a_response_that_is_cut_off_ends_without_an_announcement() {
    let server = server(|_| {});
    for client in clients(&server) {
        let file = File::create(server.root().join("large.bin")).unwrap();
        file.set_len(64 << 20).unwrap();
        let mut conversation = server.connect_with(&client);
        conversation.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n").wait_for_response();
        file.set_len(1 << 20).unwrap();
        let error = conversation.incoming().read_to_end(&mut Vec::new()).unwrap_err();
        assert!(
            [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&error.kind()),
            "{error:?}"
        );
        server.wait_for_connections(0);
    }
}

#[test]
fn a_client_that_has_said_that_it_sends_no_more_gets_its_responses() {
    let server = server(|_| {});
    server.file("large.bin", vec![7; 5_000_000]);
    for client in clients(&server) {
        for (announces, closes) in [(true, false), (false, false), (true, true), (false, true)] {
            let mut conversation = server.connect_with(&client);
            let connection = if closes { "close" } else { "keep-alive" };
            conversation.send(format!(
                "GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n"
            ));
            // The server has read the request by then.
            conversation.wait_for_response();
            if announces {
                conversation.finish_sending();
            } else {
                conversation.stream().shutdown(Shutdown::Write).unwrap();
            }
            let received = conversation.reply().body.len();
            assert_eq!(received, 5_000_000, "announces: {announces}, closes: {closes}");
            conversation.expect_end();
        }
    }
}

#[test]
fn a_client_may_vanish_at_any_time() {
    let server = server(|_| {});
    server.file("large.bin", vec![7; 30_000_000]);
    for client in clients(&server) {
        for request in
            ["", REQUEST, "GET /a.txt HTTP/1.1\r\nHo", "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n"]
        {
            for resets in [false, true] {
                let mut conversation = server.connect_with(&client);
                conversation.shake_hands().unwrap();
                conversation.send(request);
                if request.ends_with("\r\n\r\n") {
                    conversation.wait_for_response();
                }
                if resets {
                    conversation.reset();
                } else {
                    drop(conversation);
                }
                server.wait_for_connections(0);
            }
        }
    }
    assert_eq!(server.counters().panics, 0);
}
