//! Requests and responses over real sockets: persistence, pipelining, refusals, deadlines.

use std::time::Duration;

use crate::support::conversation::Conversation;
use crate::support::server::TestServer;
use crate::support::wait_until;

fn site() -> TestServer {
    let server = TestServer::start();
    server.file("a.txt", "Hello");
    server.file("index.html", "<p>index");
    server.file("empty", "");
    server.file("large.bin", (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    server
}

#[test]
fn a_file_is_served_with_what_describes_it() {
    let server = site();
    let reply = server.connect().get("/a.txt");
    assert_eq!((reply.status, reply.text()), (200, "Hello"));
    assert_eq!(reply.field("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.field("Content-Length"), Some("5"));
    assert_eq!(reply.field("Connection"), None, "kept, as HTTP/1.1 has it");
    assert!(reply.field("Server").unwrap().starts_with("http_server_conc/"));
    for name in ["Date", "Last-Modified"] {
        assert!(httpdate::parse_http_date(reply.field(name).unwrap()).is_ok(), "{name}");
    }
}

#[test]
fn sizes_around_one_write_and_large_ones_arrive_byte_for_byte() {
    let server = site();
    let mut conversation = server.connect();
    assert_eq!(conversation.get("/empty").body, b"");
    for size in [1, 32 * 1024 - 1, 32 * 1024, 32 * 1024 + 1, 3_000_000] {
        let content: Vec<u8> = (0..size).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect();
        server.file("sized.bin", &content);
        assert!(conversation.get("/sized.bin").body == content, "{size} bytes");
    }
}

#[test]
fn head_is_answered_with_exactly_the_head_of_get() {
    let server = site();
    for target in ["/", "/a.txt", "/empty", "/large.bin", "/none", "/a%zz"] {
        let get = server.connect().get(target);
        let mut conversation = server.connect();
        conversation.send(format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = conversation.reply_to_head();
        assert_eq!(head.head(), get.head(), "{target}");
        if head.status != 400 {
            assert_eq!(conversation.get("/a.txt").text(), "Hello", "no body came after the head");
        }
    }
}

#[test]
fn a_connection_is_kept_or_closed_as_version_and_fields_say() {
    let server = site();
    for (version, field, connection, kept) in [
        ("1.1", "", None, true),
        ("1.1", "Connection: close\r\n", Some("close"), false),
        ("1.0", "", Some("close"), false),
        ("1.0", "Connection: keep-alive\r\n", Some("keep-alive"), true),
    ] {
        let mut conversation = server.connect();
        conversation.send(format!("GET /a.txt HTTP/{version}\r\nHost: a\r\n{field}\r\n"));
        let reply = conversation.reply();
        assert_eq!((reply.text(), reply.field("Connection")), ("Hello", connection), "{version}");
        if kept {
            assert_eq!(conversation.get("/a.txt").text(), "Hello");
        } else {
            conversation.expect_end();
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = site();
    let request = |name: &str| format!("GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut conversation = server.connect();
    conversation.send(["a.txt", "none", "large.bin", "empty", "a.txt"].map(request).concat());
    let statuses: Vec<u16> = (0..5).map(|_| conversation.reply().status).collect();
    assert_eq!(statuses, [200, 404, 200, 200, 200]);
}

#[test]
fn a_head_may_come_a_byte_at_a_time() {
    let server = site();
    let mut conversation = server.connect();
    for byte in b"\r\nGET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        conversation.send([*byte]);
    }
    assert_eq!(conversation.reply().text(), "Hello");
}

#[test]
fn unsupported_requests_are_refused_with_the_right_status() {
    let server = site();
    let long = "a".repeat(9_000);
    let many = "A: b\r\n".repeat(200);
    let large = format!("A: {}\r\n", "b".repeat(40_000));
    for (request, status) in [
        ("GET /none HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 404),
        ("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /\r\n\r\n".to_owned(), 400),
        ("\x16\x03\x01 this is no HTTP".to_owned(), 400),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        ("DELETE /a.txt HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{large}\r\n"), 431),
        ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 501),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 505),
    ] {
        let mut conversation = server.connect();
        conversation.send(&request);
        let reply = conversation.reply();
        assert_eq!(reply.status, status, "{request:.60}");
        assert!(reply.text().starts_with(&status.to_string()), "{}", reply.text());
        assert_eq!(reply.field("Allow").is_some(), status == 405, "{request:.60}");
    }
}

#[test]
fn a_rejection_is_readable_although_much_more_was_sent() {
    let server = site();
    for _ in 0..20 {
        let mut conversation = server.connect();
        // The server may close while the rest is being sent; its response must still arrive.
        let sent = conversation.try_send(format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200_000)));
        sent.expect("what comes after the refusal is read and discarded");
        assert_eq!(conversation.reply().status, 414);
        conversation.expect_end();
    }
}

#[test]
fn content_of_a_request_is_discarded() {
    let server = site();
    let mut conversation = server.connect();
    conversation.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nHello");
    assert_eq!(conversation.reply().status, 405);
    conversation.send(
        "GET /a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n",
    );
    assert_eq!(conversation.reply().text(), "Hello");
    assert_eq!(conversation.get("/a.txt").text(), "Hello", "and the connection goes on");
}

fn with_timeouts(head: u64, idle: u64) -> TestServer {
    let server = TestServer::with_config(|config| {
        config.timeouts.head = Duration::from_millis(head);
        config.timeouts.idle = Duration::from_millis(idle);
    });
    server.file("a.txt", "Hello");
    server
}

#[test]
fn a_connection_without_a_request_is_closed_without_a_response() {
    let server = with_timeouts(50, 50);
    server.connect().expect_end();
    let kept = server.answer_in_time("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((kept.status, kept.field("Connection")), (200, None));
    server.wait_for_connections(0);
}

#[test]
fn a_slow_head_has_one_deadline_in_total() {
    let server = with_timeouts(200, 60_000);
    let mut conversation: Conversation = server.connect();
    wait_until("the server stops reading", || {
        std::io::Write::write(&mut conversation.stream(), b"G").is_err()
            || server.snapshot().held == 0
    });
    // On a busy machine the first byte may come too late, and the server closes without a response.
    assert!(conversation.replies().iter().all(|reply| reply.status == 408));
}

#[test]
fn a_peer_that_reads_nothing_is_dropped() {
    let server = TestServer::with_config(|config| {
        config.timeouts.stall = Duration::from_millis(100);
    });
    server.file("large.bin", vec![7; 50_000_000]);
    let mut conversation = server.connect();
    conversation.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    server.wait_for_connections(1);
    server.wait_for_connections(0);
}
