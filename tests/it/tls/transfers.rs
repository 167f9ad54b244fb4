//! Requests and responses over TLS, however they are divided into records and segments.

use std::io::Write as _;

use rustls::ProtocolVersion;
use sha2::{Digest as _, Sha256};

use super::site::{REQUEST, clients, server};
use crate::support::conversation::{Conversation, Reply};

/// More than the sockets' buffers hold.
const LARGE: u32 = 10 << 20;

/// Bytes that repeat nowhere near.
fn large_content() -> Vec<u8> {
    (0..LARGE / 4).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn get(conversation: &mut Conversation, target: &str, field: &str) -> Reply {
    conversation.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n")).reply()
}

#[test]
fn all_kinds_of_responses_arrive_whole_over_one_connection_of_either_version() {
    let server = server(|_| {});
    let content = large_content();
    server.file("large.bin", &content);
    server.file("docs/b.txt", "x".repeat(100_000));
    for client in clients(&server) {
        let mut conversation = server.connect_with(&client);
        let reply = get(&mut conversation, "/a.txt", "");
        assert_eq!((reply.status, reply.text(), reply.field("Connection")), (200, "Hello", None));
        conversation.send("HEAD /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let reply = conversation.reply_to_head();
        assert_eq!((reply.status, reply.field("Content-Length")), (200, Some("10485760")));
        let reply = get(&mut conversation, "/large.bin", "Range: bytes=5000000-6000000\r\n");
        assert_eq!(reply.status, 206);
        assert!(reply.body == content[5_000_000..=6_000_000]);
        let reply = get(&mut conversation, "/large.bin", "Range: bytes=0-9,9999990-\r\n");
        assert!(reply.field("Content-Type").unwrap().starts_with("multipart/byteranges"));
        let reply = get(&mut conversation, "/docs/", "");
        assert!(reply.text().contains("b.txt"), "{}", reply.text());
        let reply = get(&mut conversation, "/docs/?format=tar", "");
        assert!(reply.body.len() > 100_000, "{}", reply.body.len());
        assert_eq!(get(&mut conversation, "/none", "").status, 404);
        let reply = get(&mut conversation, "/large.bin", "");
        assert_eq!(Sha256::digest(&reply.body), Sha256::digest(&content));
        let reply = get(&mut conversation, "/a.txt", "Connection: close\r\n");
        assert_eq!(reply.text(), "Hello");
        conversation.expect_end();
    }
    assert_eq!(server.counters().connections, 2);
}

#[test]
fn requests_may_share_a_record_or_be_spread_over_many() {
    const COUNT: usize = 100;
    let server = server(|_| {});
    for client in clients(&server) {
        // One record, then one for each byte.
        for length in [REQUEST.len() * COUNT, 1] {
            let mut conversation = server.connect_with(&client);
            let requests = REQUEST.repeat(if length == 1 { 3 } else { COUNT });
            for record in requests.as_bytes().chunks(length) {
                conversation.send(record);
            }
            conversation.finish_sending();
            let replies = conversation.replies();
            assert_eq!(replies.len() * REQUEST.len(), requests.len());
            assert!(replies.iter().all(|reply| reply.text() == "Hello"));
        }
    }
}

#[test]
fn records_may_be_divided_into_segments_anywhere() {
    let server = server(|_| {});
    for client in clients(&server) {
        let mut conversation = server.connect_with(&client);
        conversation.shake_hands().unwrap();
        conversation.stream().set_nodelay(true).unwrap();
        let records = [REQUEST, REQUEST].map(|request| conversation.records_of(request)).concat();
        for byte in records {
            conversation.stream().write_all(&[byte]).unwrap();
        }
        assert_eq!((conversation.reply().text(), conversation.reply().text()), ("Hello", "Hello"));
    }
}

#[test]
fn a_request_may_come_together_with_the_end_of_the_handshake() {
    let server = server(|_| {});
    for client in clients(&server) {
        let mut conversation = server.connect_with(&client);
        // It is sent as soon as it can be encrypted.
        conversation.tls().writer().write_all(REQUEST.as_bytes()).unwrap();
        conversation.shake_hands().unwrap();
        assert_eq!(conversation.reply().text(), "Hello");
    }
}

#[test]
fn a_client_that_renews_its_keys_is_served_on() {
    let server = server(|_| {});
    let [_, client] = clients(&server);
    let mut conversation = server.connect_with(&client);
    for _ in 0..100 {
        assert_eq!(conversation.get("/a.txt").text(), "Hello");
        conversation.tls().refresh_traffic_keys().unwrap();
    }
    assert_eq!(conversation.tls().protocol_version(), Some(ProtocolVersion::TLSv1_3));
}

#[test]
fn content_of_requests_is_read_past() {
    let server = server(|_| {});
    for client in clients(&server) {
        let mut conversation = server.connect_with(&client);
        let content = "x".repeat(50_000);
        conversation.send(format!(
            "POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n{content}"
        ));
        assert_eq!(conversation.reply().status, 405);
        assert_eq!(conversation.get("/a.txt").text(), "Hello");
    }
}
