//! Handshakes: what is agreed on, and those that fail, stall or never begin.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_concurrent::server::ServerConfig;
use rustls::{AlertDescription, ClientConfig, HandshakeKind, ProtocolVersion};

use super::site::{REQUEST, clients, server};
use crate::support::conversation::Conversation;
use crate::support::server::TestServer;
use crate::support::{PATIENCE, wait_until};

const HEAD: Duration = Duration::from_millis(400);

/// A record of the handshake with a `ClientHello` that is cut short.
const PART_OF_A_HELLO: &[u8] = b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03\x5a\x5a\x5a";

fn short_heads(config: &mut ServerConfig) {
    config.timeouts.head = HEAD;
}

#[test]
fn each_version_is_spoken() {
    let server = server(|_| {});
    let versions = [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3];
    for (client, version) in clients(&server).into_iter().zip(versions) {
        let mut conversation = server.connect_with(&client);
        assert_eq!(conversation.get("/a.txt").text(), "Hello");
        assert_eq!(conversation.tls().protocol_version(), Some(version));
    }
}

#[test]
fn the_second_connection_of_a_client_resumes_its_session() {
    let server = server(|_| {});
    for client in clients(&server) {
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let mut conversation = server.connect_with(&client);
            assert_eq!(conversation.get("/a.txt").text(), "Hello");
            let found = conversation.tls().handshake_kind();
            // A retry for another group is full as well.
            let is_resumed = found == Some(HandshakeKind::Resumed);
            assert_eq!(is_resumed, expected == HandshakeKind::Resumed, "{found:?}");
        }
    }
}

fn with_protocols(server: &TestServer, index: usize, protocols: &[&str]) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&clients(server)[index]);
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

#[test]
fn only_clients_that_speak_http_1_agree_with_the_server() {
    let server = server(|_| {});
    for index in [0, 1] {
        for (offered, agreed) in [
            (&["h2", "http/1.1"][..], Some("http/1.1")),
            (&["http/1.1"], Some("http/1.1")),
            (&["http/1.0"], Some("http/1.0")),
            (&[], None),
        ] {
            let client = with_protocols(&server, index, offered);
            let mut conversation = server.connect_with(&client);
            assert_eq!(conversation.get("/a.txt").text(), "Hello");
            assert_eq!(
                conversation.tls().alpn_protocol(),
                agreed.map(str::as_bytes),
                "{offered:?}"
            );
        }
        let client = with_protocols(&server, index, &["h2"]);
        let error = server.connect_with(&client).shake_hands().unwrap_err();
        assert_alert(&error, AlertDescription::NoApplicationProtocol);
        server.wait_for_connections(0);
    }
}

#[track_caller]
fn assert_alert(error: &io::Error, expected: AlertDescription) {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    assert_eq!(error, Some(&rustls::Error::AlertReceived(expected)));
}

/// What the server sends until the connection ends, in order or not.
fn read_to_end(conversation: &Conversation) -> Vec<u8> {
    let mut received = Vec::new();
    let _ = conversation.stream().read_to_end(&mut received);
    received
}

#[test]
fn a_handshake_that_stalls_ends_at_the_deadline_and_delays_nobody() {
    let server = server(short_heads);
    let client = clients(&server)[1].clone();
    let hello = server.connect_with(&client).records_of("");
    for sent in [&[][..], PART_OF_A_HELLO, &hello[..1], &hello[..hello.len() - 1], &hello] {
        let begun = Instant::now();
        let stalled: Vec<_> = (0..10).map(|_| server.connect_raw()).collect();
        for conversation in &stalled {
            conversation.stream().write_all(sent).unwrap();
        }
        wait_until("another one is served meanwhile, in time", || {
            let mut other = server.connect_with(&client);
            other.try_send(REQUEST).is_ok() && other.reply_unless_closed().is_some()
        });
        for conversation in &stalled {
            let received = read_to_end(conversation);
            let has_answer = received.windows(5).any(|bytes| bytes == b"HTTP/");
            assert!(!has_answer, "{}", received.escape_ascii());
        }
        assert!(begun.elapsed() >= HEAD, "not before its time");
        server.wait_for_connections(0);
    }
}

/// Sends a piece now and then until the server has closed.
fn drip(conversation: &Conversation, pieces: impl IntoIterator<Item = Vec<u8>>) {
    let begun = Instant::now();
    let mut received = [0; 1024];
    conversation.stream().set_nodelay(true).unwrap();
    conversation.stream().set_read_timeout(Some(HEAD / 20)).unwrap();
    for piece in pieces {
        assert!(begun.elapsed() < PATIENCE, "the deadline is put off");
        if conversation.stream().write_all(&piece).is_err() {
            return;
        }
        match conversation.stream().read(&mut received) {
            Ok(0) => return,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return,
            Ok(_) | Err(_) => {}
        }
    }
    panic!("all was taken");
}

#[test]
fn a_byte_of_a_handshake_or_a_record_now_and_then_does_not_extend_the_deadline() {
    let server = server(short_heads);
    for client in clients(&server) {
        let bytes = |bytes: Vec<u8>| bytes.into_iter().map(|byte| vec![byte]);
        let hello = server.connect_with(&client).records_of("");
        drip(&server.connect_raw(), bytes(hello));
        server.wait_for_connections(0);

        // On a busy machine the handshake may come too late.
        let mut conversation = server.connect_with(&client);
        if conversation.shake_hands().is_ok() {
            let record = conversation.records_of(REQUEST.repeat(100));
            drip(&conversation, bytes(record));
        }
        // A whole record for each byte.
        let mut conversation = server.connect_with(&client);
        if conversation.shake_hands().is_ok() {
            let records: Vec<_> = (0..10_000).map(|_| conversation.records_of("G")).collect();
            drip(&conversation, records);
        }
        server.wait_for_connections(0);
    }
}

#[test]
fn a_late_head_is_answered_over_tls() {
    let server = server(short_heads);
    for client in clients(&server) {
        // On a busy machine the handshake may take all of the time: then it is tried again.
        wait_until("the beginning comes in time", || {
            let mut conversation = server.connect_with(&client);
            if conversation.try_send("GET /a.txt HTTP/1.1\r\n").is_err() {
                return false;
            }
            let Some(reply) = conversation.reply_unless_closed() else { return false };
            assert_eq!(reply.status, 408);
            conversation.expect_end();
            true
        });
    }
}

#[test]
fn garbage_ends_the_connection_and_frees_the_slot() {
    let server = server(|_| {});
    let [client, _] = clients(&server);
    let hello = server.connect_with(&client).records_of("");
    let mut flipped = hello.clone();
    // The type of the message, in the record.
    flipped[5] = 0xff;
    for bytes in [
        b"\x16\x03\x01\x00\x05garbage and more of it".to_vec(),
        b"\x16\x03\x01\xff\xff".to_vec(),
        b"\x16\x02\x00\x00\x05hello".to_vec(),
        [b"\x16\x03\x01\x40\x01".to_vec(), vec![0; 0x4001]].concat(),
        flipped,
    ] {
        let conversation = server.connect_raw();
        let _ = conversation.stream().write_all(&bytes);
        // An alert, if anything.
        let received = read_to_end(&conversation);
        assert!(received.first().is_none_or(|first| *first == 21), "{}", received.escape_ascii());
        server.wait_for_connections(0);
    }
}

#[test]
fn garbage_after_a_handshake_ends_the_connection_and_frees_the_slot() {
    let server = server(|_| {});
    for client in clients(&server) {
        for bytes in
            [&b"GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"\x17\x03\x03\x00\x20", &[0; 100]]
        {
            let mut conversation = server.connect_with(&client);
            assert_eq!(conversation.get("/a.txt").text(), "Hello");
            let mut bytes = bytes.to_vec();
            bytes.resize(200, b'x');
            conversation.stream().write_all(&bytes).unwrap();
            let mut rest = Vec::new();
            let error = conversation.incoming().read_to_end(&mut rest).unwrap_err();
            assert_eq!(rest, b"");
            let alerts = [
                AlertDescription::BadRecordMac,
                AlertDescription::DecodeError,
                AlertDescription::DecryptError,
                AlertDescription::ProtocolVersion,
                AlertDescription::RecordOverflow,
                AlertDescription::UnexpectedMessage,
            ];
            let found = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
            let is_alert =
                matches!(found, Some(rustls::Error::AlertReceived(it)) if alerts.contains(it));
            assert!(is_alert, "{error:?}");
            server.wait_for_connections(0);
        }
    }
}

#[test]
fn plain_http_is_answered_with_400_that_says_what_is_wrong() {
    let server = server(|config| config.extra_fields.further = vec!["X-Note: a".parse().unwrap()]);
    for request in
        [REQUEST, "GET / HTTP/1.0\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", "garbage\r\n\r\n"]
    {
        let mut conversation = server.connect_raw();
        let reply = conversation.send(request).reply();
        assert_eq!((reply.status, reply.field("Connection")), (400, Some("close")), "{request:?}");
        assert!(reply.text().contains("https"), "{}", reply.text());
        assert_eq!(reply.field("X-Note"), Some("a"));
        conversation.expect_end();
        server.wait_for_connections(0);
    }
    let mut conversation = server.connect_raw();
    conversation.send("HEAD /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(conversation.reply_to_head().status, 400);
    conversation.expect_end();
}
