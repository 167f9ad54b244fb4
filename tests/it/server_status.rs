//! What the operator sees: who may look, in which forms, and also when the server is full.

use std::time::Duration;

use http_concurrent::server::StatusAccess;
use serde_json::Value;

use crate::support::conversation::{Conversation, Reply};
use crate::support::server::TestServer;
use crate::support::wait_until;

fn server(per_client: usize, total: usize, allow: &[&str]) -> TestServer {
    let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
    let server = TestServer::with_config(|config| {
        config.limits.per_client = per_client;
        config.limits.total = total;
        config.status = Some(StatusAccess { path: "/server-status".to_owned(), allow });
    });
    server.file("a.txt", "Hello");
    server
}

fn status_in(conversation: &mut Conversation, accept: &str) -> Reply {
    conversation
        .send(format!("GET /server-status HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"))
        .reply()
}

fn json(conversation: &mut Conversation) -> Value {
    serde_json::from_slice(&status_in(conversation, "application/json").body).unwrap()
}

#[test]
fn the_status_comes_as_a_page_as_json_and_as_metrics() {
    let server = server(12, 60, &[]);
    let mut conversation = server.connect();
    for (accept, content_type, part) in [
        ("text/html", "text/html; charset=utf-8", "<table"),
        ("application/json", "application/json", "\"connections\""),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8", "# TYPE "),
    ] {
        let reply = status_in(&mut conversation, accept);
        assert_eq!((reply.status, reply.field("Content-Type")), (200, Some(content_type)));
        assert_eq!(reply.field("Cache-Control"), Some("no-store"));
        assert!(reply.text().contains(part), "{}", reply.text());
    }
    let reply = conversation.get("/server-status?format=prometheus");
    assert!(reply.text().contains("http_server_conc_"), "{}", reply.text());
    let mut unknown = server.connect();
    assert_eq!(unknown.get("/server-status?format=xml").status, 400);
    unknown.expect_end();
    conversation.send("HEAD /server-status HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(conversation.reply_to_head().status, 200);
    conversation.send("POST /server-status HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(conversation.reply().status, 405);
}

/// A field that opens the files to scripts of other origins must not open the status to them, through the
/// browser of someone who may see it.
#[test]
fn the_status_has_none_of_the_fields_that_the_operator_adds() {
    let server = TestServer::with_config(|config| {
        config.status = Some(StatusAccess { path: "/server-status".to_owned(), allow: Vec::new() });
        config.extra_fields.further = vec!["Access-Control-Allow-Origin: *".parse().unwrap()];
    });
    let mut conversation = server.connect();
    for (target, field) in [("/", Some("*")), ("/server-status", None)] {
        let reply = conversation.get(target);
        assert_eq!((reply.status, reply.field("Access-Control-Allow-Origin")), (200, field));
    }
}

#[test]
fn it_tells_who_holds_what_and_what_each_connection_does() {
    let server = server(2, 60, &[]);
    let mut other = server.connect_from(7);
    assert_eq!(other.get("/a.txt").status, 200);
    let _fresh = server.connect_from(7);
    server.wait_for_connections(2);
    let mut third = server.connect_from(7);
    third.send("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(third.reply().status, 429);
    third.expect_end();
    let status = json(&mut server.connect());
    let text = status.to_string();
    for part in ["127.0.0.7", "GET /a.txt", "fresh", "idle"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let client = status["clients"]
        .as_array()
        .unwrap()
        .iter()
        .find(|client| client["client"] == "127.0.0.7")
        .unwrap();
    assert_eq!((&client["idle"], &client["rejections"]), (&2.into(), &1.into()), "{client}");
}

#[test]
fn it_answers_when_the_total_is_used_up_and_then_nothing_else() {
    let server = server(12, 2, &[]);
    let _held: Vec<_> = (0..2).map(|_| server.connect_from(9)).collect();
    server.wait_for_connections(2);
    let status = json(&mut server.connect());
    assert_eq!(status["connections"].as_array().unwrap().len(), 3, "{status}");
    wait_until("the reserve is free again", || {
        let mut reserved = server.connect();
        let reply = reserved.send("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n").reply();
        reserved.expect_end();
        assert_eq!(reply.status, 503, "only the status is served beyond the total");
        reply.text().contains("all 2 connections")
    });
    assert_eq!(server.census().connections, 2);
}

#[test]
fn those_who_might_see_it_are_rejected_no_later_than_others() {
    let server = TestServer::with_config(|config| {
        config.limits.total = 1;
        config.timeouts.head = Duration::from_secs(3600);
        config.status = Some(StatusAccess { path: "/server-status".to_owned(), allow: Vec::new() });
    });
    let _held = server.connect_from(9);
    server.wait_for_connections(1);
    for beginning in [
        "",
        "GET /a.txt HTTP/1.1\r\nHo",
        "\x16\x03\x01",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
    ] {
        let mut conversation = server.connect();
        let reply = conversation.send(beginning).reply();
        assert_eq!(reply.status, 503, "{beginning:?}");
        assert!(reply.text().contains("all 1 connection"), "{beginning:?}: {}", reply.text());
        conversation.expect_end();
    }
}

#[test]
fn who_may_not_see_it_finds_nothing_there() {
    // Connections to ::1 and 127.0.0.0/8 are this machine's own; only a proxy can be from elsewhere.
    let server = TestServer::with_config(|config| {
        config.status = Some(StatusAccess {
            path: "/server-status".to_owned(),
            allow: vec!["198.51.100.0/24".parse().unwrap()],
        });
        config.identification.proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    for (source, status) in [("203.0.113.9", 404), ("198.51.100.9", 200)] {
        let mut conversation = server.connect();
        conversation.send(format!("PROXY TCP4 {source} 192.0.2.1 1000 80\r\n"));
        assert_eq!(conversation.get("/server-status").status, status, "{source}");
    }
}
