//! The status page: access, forms, and a full server.

use std::time::Duration;

use http_concurrent::server::StatusAccess;
use serde_json::Value;

use crate::support::conversation::{Conversation, Reply};
use crate::support::server::TestServer;
use crate::support::wait_until;

/// The status, to this machine alone.
fn status() -> StatusAccess {
    StatusAccess { path: "/server-status".to_owned(), ..StatusAccess::default() }
}

fn server(per_client: usize, total: usize, allow: &[&str]) -> TestServer {
    let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
    let server = TestServer::with_config(|config| {
        config.limits.per_client = per_client;
        config.limits.total = total;
        config.status = Some(StatusAccess { allow, ..status() });
    });
    server.file("a.txt", "Hello");
    server
}

fn status_in(conversation: &mut Conversation, accept: &str) -> Reply {
    conversation
        .send(format!("GET /server-status HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"))
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
    conversation.send("HEAD /server-status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(conversation.reply_to_head().status, 200);
    conversation.send("POST /server-status HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(conversation.reply().status, 405);
}

#[test]
fn only_the_page_refreshes_itself_and_stops_when_told() {
    let server = server(12, 60, &[]);
    let mut conversation = server.connect();
    for (query, seconds) in [
        ("?format=html", Some("5")),
        ("?format=html&refresh=off", None),
        ("?format=json", None),
        ("?format=prometheus", None),
    ] {
        let reply = conversation.get(&format!("/server-status{query}"));
        assert_eq!((reply.status, reply.field("Refresh")), (200, seconds), "{query}");
    }
}

/// Fields that let scripts of other origins read the files must not let them read the status through the
/// browser of a client with access.
#[test]
fn the_status_has_none_of_the_fields_that_the_operator_adds() {
    let server = TestServer::with_config(|config| {
        config.status = Some(status());
        config.extra_fields.further = vec!["Access-Control-Allow-Origin: *".parse().unwrap()];
    });
    let mut conversation = server.connect();
    for (target, field) in [("/", Some("*")), ("/server-status", None)] {
        let reply = conversation.get(target);
        assert_eq!((reply.status, reply.field("Access-Control-Allow-Origin")), (200, field));
    }
}

/// The status has no such field of its own either.
#[test]
fn no_script_of_another_origin_may_read_the_status() {
    let server = server(12, 60, &[]);
    for request in [
        "GET /server-status?format=json HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.example\r\n",
        "GET /server-status?format=json HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n",
        "GET /server-status?format=xml HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n",
        "GET /server-status HTTP/1.1\r\nHost: a.example\r\nOrigin: http://a.example\r\n",
        "OPTIONS /server-status HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.example\r\n\
         Access-Control-Request-Method: GET\r\n",
    ] {
        let reply = server.connect().send(format!("{request}\r\n")).reply();
        assert!(
            !format!("{:?}", reply.head()).to_lowercase().contains("access-control"),
            "{request}"
        );
    }
}

/// After DNS rebinding the browser sends the name of the other site.
#[test]
fn the_status_is_not_shown_under_a_name_that_another_site_may_have() {
    let server = TestServer::with_config(|config| {
        let hosts = vec!["status.example".parse().unwrap()];
        config.status = Some(StatusAccess { hosts, ..status() });
        config.extra_fields.further = vec!["Access-Control-Allow-Origin: *".parse().unwrap()];
    });
    for (request, status) in [
        ("GET /server-status HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("GET /server-status HTTP/1.1\r\nHost: 127.0.0.1:20001\r\n\r\n", 200),
        ("GET /server-status HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", 200),
        ("GET /server-status HTTP/1.1\r\nHost: Status.Example.:80\r\n\r\n", 200),
        ("GET http://localhost/server-status HTTP/1.1\r\nHost: a.example\r\n\r\n", 200),
        ("GET /server-status HTTP/1.0\r\n\r\n", 200),
        ("GET /server-status HTTP/1.1\r\nHost: a.example\r\n\r\n", 404),
        ("GET /server-status?format=json HTTP/1.1\r\nHost: a.example:20001\r\n\r\n", 404),
        ("GET /server-status?format=xml HTTP/1.1\r\nHost: a.example\r\n\r\n", 404),
        ("GET /server-status HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 404),
        ("GET http://a.example/server-status HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /server-status HTTP/1.0\r\nHost: a.example\r\n\r\n", 404),
    ] {
        let reply = server.connect().send(request).reply();
        assert_eq!(reply.status, status, "{request:?}");
        assert_eq!(reply.field("Access-Control-Allow-Origin"), None, "{request:?}");
        let is_explained = reply.text().contains("--status-host");
        assert_eq!(is_explained, status == 404, "{request:?}: {}", reply.text());
    }
    // Files are not secret.
    assert_eq!(server.get_with("/", "").status, 200);
}

#[test]
fn it_shows_what_each_client_holds_and_each_connection_does() {
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
fn after_an_attack_it_comes_whole_with_a_row_for_each_client() {
    let server = server(1, 400, &[]);
    for number in 2..=250 {
        let mut held = server.connect_from(number);
        assert_eq!(held.get("/a.txt").status, 200);
        let mut beyond = server.connect_from(number);
        beyond.send("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(beyond.reply().status, 429);
    }
    let mut conversation = server.connect();
    for _ in 0..2 {
        let reply = status_in(&mut conversation, "application/json");
        assert!(reply.body.len() > 40_000, "{} bytes", reply.body.len());
        let status: Value = serde_json::from_slice(&reply.body).unwrap();
        for number in 2..=250 {
            let name = format!("127.0.0.{number}");
            let mut rows = status["clients"].as_array().unwrap().iter();
            let row = rows.find(|row| row["client"] == *name).unwrap();
            assert_eq!(row["rejections"], 1, "{row}");
        }
    }
    let page = status_in(&mut conversation, "text/html");
    assert!(page.text().ends_with("</html>"), "{}", page.text());
    assert!(page.text().contains("more, which the JSON lists"), "{}", page.text());
}

#[test]
fn text_from_clients_is_escaped_and_bounded_on_the_status() {
    let server = server(12, 60, &[]);
    let mark = "MARK\"}<script>'&\\{\u{202e}\u{2028}\u{9b}";
    let mut hostile = server.connect_from(7);
    hostile.send(format!("GET /{mark} HTTP/1.1\r\nHost: a\r\nUser-Agent: {mark}\r\n\r\n"));
    assert_eq!(hostile.reply().status, 404);
    let mut long = server.connect_from(7);
    assert_eq!(long.get(&format!("/{}", "\u{202e}".repeat(2_000))).status, 404);
    let mut conversation = server.connect();
    let page = conversation.get("/server-status?format=html");
    let json = conversation.get("/server-status?format=json");
    let metrics = conversation.get("/server-status?format=prometheus");
    for reply in [&page, &json, &metrics] {
        let is_shown = |c: char| matches!(c, ' '..='~' | '\n' | '\u{b7}');
        assert!(reply.text().chars().all(is_shown), "{}", reply.text());
        assert_eq!(reply.field("X-Content-Type-Options"), Some("nosniff"));
    }
    assert!(page.text().contains("/MARK\\&quot;}&lt;script&gt;"), "{}", page.text());
    assert!(!page.text().contains("<script"), "{}", page.text());
    let status: Value = serde_json::from_slice(&json.body).unwrap();
    let doing: Vec<_> = status["connections"].as_array().unwrap().iter().collect();
    let doing = |part: &str| {
        let mut texts = doing.iter().map(|row| row["doing"].as_str().unwrap());
        texts.find(|text| text.contains(part)).unwrap_or_else(|| panic!("{part}: {status}"))
    };
    let shown = r#"GET /MARK\"}<script>'&\\{\xe2\x80\xae\xe2\x80\xa8\xc2\x9b"#;
    assert_eq!(doing("MARK"), shown);
    assert!(doing(r"GET /\xe2\x80\xae").len() <= 4 * 1024, "{status}");
    // Labels come from the server.
    assert!(!metrics.text().contains("MARK") && !metrics.text().contains("127.0.0.7"));
}

#[test]
fn it_is_the_only_thing_served_when_the_total_is_used_up() {
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
    assert_eq!(server.snapshot().held, 2);
}

#[test]
fn silent_connections_do_not_block_the_status() {
    let server = server(12, 1, &[]);
    let _held = server.connect_from(9);
    server.wait_for_connections(1);
    for _ in 0..3 {
        let mut silent: Vec<_> = (0..2).map(|_| server.connect()).collect();
        wait_until("both hold the reserved slots", || server.idle() == 3);
        // The first takes the place of one of them.
        assert_eq!(status_in(&mut server.connect(), "*/*").status, 200);
        for conversation in &mut silent {
            let reply = conversation.reply();
            assert_eq!(reply.status, 503, "{}", reply.text());
            conversation.expect_end();
        }
        wait_until("one idle connection remains", || server.idle() == 1);
    }
    assert_eq!(server.counters().panics, 0);
}

#[test]
fn clients_that_may_see_it_are_rejected_as_soon_as_others() {
    let server = TestServer::with_config(|config| {
        config.limits.total = 1;
        config.timeouts.head = Duration::from_secs(3600);
        config.status = Some(status());
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
fn clients_without_access_receive_404() {
    // Connections to ::1 and 127.0.0.0/8 come from this machine; only a proxy can relay others.
    let server = TestServer::with_config(|config| {
        let allow = vec!["198.51.100.0/24".parse().unwrap()];
        config.status = Some(StatusAccess { allow, ..status() });
        config.identification.proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    for (source, status) in [("203.0.113.9", 404), ("198.51.100.9", 200)] {
        let mut conversation = server.connect();
        conversation.send(format!("PROXY TCP4 {source} 192.0.2.1 1000 80\r\n"));
        assert_eq!(conversation.get("/server-status").status, status, "{source}");
    }
}

/// A connection that a proxy on this machine relays does not count as this machine's, unless its header says
/// so.
#[test]
fn a_proxied_client_without_an_address_is_not_this_machine() {
    let server = TestServer::with_config(|config| {
        config.limits.per_client = 1;
        let networks = vec!["127.0.0.0/8".parse().unwrap()];
        config.status = Some(StatusAccess { allow: networks.clone(), ..status() });
        config.identification.exempt = networks.clone();
        config.identification.proxies = networks;
    });
    let v2 = |command: u8, family: u8, addresses: &[u8]| {
        let length = u8::try_from(addresses.len()).unwrap();
        [b"\r\n\r\n\0\r\nQUIT\n", &[command, family, 0, length][..], addresses].concat()
    };
    let local = [&[127, 0, 0, 1][..], &[127, 0, 0, 1], &[0, 9, 0, 80]].concat();
    for (header, is_unknown) in [
        (b"PROXY UNKNOWN\r\n".to_vec(), true),
        (b"PROXY UNKNOWN 127.0.0.1 127.0.0.1 9 80\r\n".to_vec(), true),
        (v2(0x20, 0x00, b""), true),       // LOCAL
        (v2(0x20, 0x11, &local), true),    // LOCAL, whose addresses count for nothing
        (v2(0x21, 0x00, b""), true),       // UNSPEC
        (v2(0x21, 0x11, &local), false),   // TCP over IPv4
        (v2(0x21, 0x12, &local), true),    // UDP over IPv4
        (v2(0x21, 0x31, &[0; 216]), true), // a Unix socket
        (b"PROXY TCP4 127.0.0.1 127.0.0.1 9 80\r\n".to_vec(), false),
        (b"PROXY TCP6 ::1 ::1 9 80\r\n".to_vec(), false),
    ] {
        let mut conversation = server.connect();
        let reply = conversation.send(&header).get("/server-status");
        assert_eq!(reply.status, if is_unknown { 404 } else { 200 }, "{}", header.escape_ascii());
        // It has no exemption either, as this machine has here: the first connection is held.
        let is_limited = header.ends_with(b"::1 9 80\r\n") || is_unknown;
        let second = server.connect().send(&header).get("/");
        let expected = if is_limited { 429 } else { 200 };
        assert_eq!(second.status, expected, "{}", header.escape_ascii());
        drop(conversation);
        server.wait_for_connections(0);
    }
}

/// As `HAProxy` sends its health checks with `send-proxy-v2`. It sends clients that came over a Unix socket likewise, so
/// that naming a network with the proxy in it is not enough.
#[test]
fn a_proxy_sees_the_status_on_its_own_behalf_if_its_address_is_named() {
    for (allowed, command, status) in [
        ("127.0.0.9/32", 0x20, 200),
        ("127.0.0.0/8", 0x20, 404),
        ("127.0.0.8/32", 0x20, 404),
        ("127.0.0.9/32", 0x21, 404),
    ] {
        let server = TestServer::with_config(|config| {
            let allow = vec![allowed.parse().unwrap()];
            config.status = Some(StatusAccess { allow, ..self::status() });
            config.identification.proxies = vec!["127.0.0.9/32".parse().unwrap()];
        });
        let mut conversation = server.connect_from(9);
        conversation.send([b"\r\n\r\n\0\r\nQUIT\n", &[command, 0, 0, 0][..]].concat());
        let reply = conversation.get("/server-status");
        assert_eq!(reply.status, status, "{allowed} {command:#x}");
    }
}

#[test]
fn a_proxied_client_has_no_privilege_of_this_machine() {
    let server = TestServer::with_config(|config| {
        config.limits.total = 1;
        config.status = Some(status());
        config.identification.proxies = vec!["127.0.0.8/32".parse().unwrap()];
    });
    let _held = server.connect_from(9);
    server.wait_for_connections(1);
    for source in ["UNKNOWN", "TCP4 127.0.0.1 127.0.0.1 9 80"] {
        let mut proxied = server.connect_from(8);
        let reply = proxied.send(format!("PROXY {source}\r\n")).get("/server-status");
        assert_eq!(reply.status, 503, "{source}");
    }
    assert_eq!(server.connect().get("/server-status").status, 200);
}
