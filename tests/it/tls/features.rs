//! What the server offers to plain connections, over TLS: proxies, passwords, rates, the status page, waiting.

use std::fs;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use http_concurrent::server::{Limits, MaximumRates, PasswordSettings, StatusAccess};
use rustls::ClientConfig;

use super::site::{REQUEST, clients, server};
use crate::access::passwords::{SECRET, basic};
use crate::support::conversation::Conversation;
use crate::support::server::TestServer;
use crate::support::{PATIENCE, wait_until};

/// Longer than any test lasts.
const LONG: Duration = Duration::from_secs(2 * PATIENCE.as_secs());

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x7f\0\0\x01\x12\x67\0\x50";

/// A connection of this client through a proxy, which sends `header` together with the first bytes of the
/// handshake, or before them.
fn proxied(
    server: &TestServer,
    client: &Arc<ClientConfig>,
    header: &[u8],
    split: usize,
) -> Conversation {
    let mut conversation = server.connect_with(client);
    let hello = [header, &conversation.records_of("")].concat();
    conversation.stream().set_nodelay(true).unwrap();
    conversation.stream().write_all(&hello[..split]).unwrap();
    conversation.stream().write_all(&hello[split..]).unwrap();
    conversation
}

#[test]
fn the_proxy_header_comes_before_the_handshake() {
    let server = server(|config| {
        config.identification.proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.limits = Limits { per_client: 1, total: 60 };
    });
    let v1 = "PROXY TCP4 1.2.3.4 127.0.0.1 4711 80\r\n".as_bytes();
    for client in clients(&server) {
        for header in [v1, V2] {
            let length = header.len();
            for split in [0, 1, length - 1, length, length + 1, length + 6, length + 100] {
                let mut held = proxied(&server, &client, header, split);
                assert_eq!(held.send(REQUEST).reply().text(), "Hello", "split at {split}");
                assert_eq!(server.snapshot().clients[0].client, "1.2.3.4");
                let mut beyond = proxied(&server, &client, header, split);
                let reply = beyond.send(REQUEST).reply();
                assert_eq!(reply.status, 429, "split at {split}");
                assert!(reply.text().contains("1.2.3.4"), "{}", reply.text());
                beyond.expect_end();
                drop(held);
                server.wait_for_connections(0);
            }
        }
    }
    // Without TLS after the header.
    let mut plain = server.connect_raw();
    assert_eq!(plain.send(v1).send(REQUEST).reply().status, 400);
    plain.expect_end();
}

#[test]
fn passwords_are_asked_for_and_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users");
    fs::write(&file, format!("alice:{SECRET}\n")).unwrap();
    let server = server(|config| {
        config.passwords = Some(PasswordSettings { file, realm: "files".to_owned() });
    });
    for client in clients(&server) {
        let mut conversation = server.connect_with(&client);
        assert_eq!(conversation.get("/a.txt").status, 401);
        let field = basic("alice", "secret");
        let request = format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{field}\r\n");
        assert_eq!(conversation.send(request).reply().text(), "Hello");
    }
}

#[test]
fn maximum_rates_hold() {
    const RATE: u64 = 200_000;
    let maximum = MaximumRates { connection: Some(RATE), ..MaximumRates::default() };
    let server = server(|config| config.rates.maximum = maximum);
    server.file("a.bin", vec![7; 200_000]);
    for client in clients(&server) {
        let mut conversation = server.connect_with(&client);
        conversation.shake_hands().unwrap();
        let begun = Instant::now();
        assert_eq!(conversation.get("/a.bin").body.len(), 200_000);
        // The last piece may be sent as soon as it is due.
        assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    }
}

#[test]
fn peers_that_read_too_slowly_are_dropped() {
    let server = server(|config| {
        config.rates.minimum = 1_000_000;
        config.rates.window = Duration::from_millis(1_500);
        config.timeouts.drain = Duration::ZERO;
    });
    server.file("large.bin", vec![7; 30_000_000]);
    for (dropped, client) in clients(&server).into_iter().enumerate() {
        let mut reader =
            Conversation::with_a_small_window(server.address()).over_tls(Arc::clone(&client));
        reader.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
        let begun = Instant::now();
        let mut piece = [0; 2_000];
        // At 40 kB/s the transfer would take minutes.
        while reader.stream().read(&mut piece).is_ok_and(|count| count > 0) {
            assert!(begun.elapsed() < PATIENCE, "it is never dropped");
            thread::sleep(Duration::from_millis(50));
        }
        wait_until("it was dropped", || server.counters().slow_drops == dropped as u64 + 1);
        server.wait_for_connections(0);
    }
}

#[test]
fn peers_that_read_nothing_are_dropped() {
    let server = server(|config| config.timeouts.stall = Duration::from_millis(500));
    server.file("large.bin", vec![7; 30_000_000]);
    let readers = clients(&server).map(|client| {
        let mut reader = server.connect_with(&client);
        reader.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
        reader
    });
    server.wait_for_connections(0);
    drop(readers);
}

fn status() -> StatusAccess {
    StatusAccess { path: "/status".to_owned(), ..StatusAccess::default() }
}

#[test]
fn the_status_page_is_shown_also_when_the_server_is_full() {
    for time in [Duration::ZERO, LONG] {
        let server = server(|config| {
            config.status = Some(status());
            config.limits = Limits { per_client: 60, total: 1 };
            config.waiting.time = time;
        });
        for client in clients(&server) {
            let held = server.connect_from(9);
            server.wait_for_connections(1);
            let mut conversation = server.connect_with(&client);
            let reply = conversation.get("/status?format=json");
            assert_eq!(reply.status, 200, "waiting for {time:?}");
            let seen: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            assert!(seen.get("connections").is_some(), "{seen}");
            conversation.expect_end();
            drop(held);
            server.wait_for_connections(0);
        }
    }
}

#[test]
fn connections_wait_for_a_slot_and_are_then_served() {
    for has_status in [false, true] {
        let server = server(|config| {
            config.status = has_status.then(status);
            config.limits = Limits { per_client: 60, total: 1 };
            config.waiting.time = LONG;
        });
        for client in clients(&server) {
            for host in [1, 8] {
                let held = server.connect_raw();
                server.wait_for_connections(1);
                let waiting = server.snapshot().waiting;
                let address = server.address();
                let client = Arc::clone(&client);
                let second = thread::spawn(move || {
                    let source = [127, 0, 0, host].into();
                    let mut second = Conversation::between(source, address).over_tls(client);
                    second.send(REQUEST).reply().text().to_owned()
                });
                wait_until("it waits", || server.snapshot().waiting == waiting + 1);
                drop(held);
                assert_eq!(second.join().unwrap(), "Hello", "status page: {has_status}, {host}");
                server.wait_for_connections(0);
            }
        }
    }
}

/// All at the same moment: more than have a thread at a time.
#[test]
fn connections_that_wait_in_vain_are_told_so() {
    const WAITING: usize = 30;
    for has_status in [false, true] {
        let server = server(|config| {
            config.status = has_status.then(status);
            config.limits = Limits { per_client: 1, total: 60 };
            config.lingering = 1000;
            config.waiting.time = Duration::from_millis(500);
        });
        let _held = server.connect_raw();
        server.wait_for_connections(1);
        for client in clients(&server) {
            let connect = |_| {
                let mut waiting = server.connect_with(&client);
                let request = waiting.records_of("");
                waiting.stream().write_all(&request).unwrap();
                waiting
            };
            let waiting: Vec<_> = (0..WAITING).map(connect).collect();
            thread::scope(|scope| {
                for mut waiting in waiting {
                    scope.spawn(move || {
                        assert_eq!(waiting.send(REQUEST).reply().status, 429);
                        waiting.expect_end();
                    });
                }
            });
        }
    }
}

/// Whoever is behind a proxy is known from its header, and does not use up the places of all behind it.
#[test]
fn silent_clients_behind_a_proxy_leave_others_behind_it_their_rejection() {
    let server = server(|config| {
        config.identification.proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.limits = Limits { per_client: 60, total: 1 };
    });
    let _held = server.connect_from(9);
    server.wait_for_connections(1);
    let silent: Vec<_> = (0..20)
        .map(|_| {
            let silent = server.connect_raw();
            silent.stream().write_all(b"PROXY TCP4 1.2.3.4 127.0.0.1 4711 80\r\n").unwrap();
            silent
        })
        .collect();
    for client in clients(&server) {
        let header = b"PROXY TCP4 1.2.3.5 127.0.0.1 4711 80\r\n";
        let mut other = proxied(&server, &client, header, header.len() + 9);
        assert_eq!(other.send(REQUEST).reply().status, 503);
    }
    drop(silent);
}

/// In the reserve a silent connection stays for a moment only.
#[test]
fn silent_connections_keep_nobody_from_the_status() {
    let server = server(|config| {
        config.status = Some(status());
        config.limits = Limits { per_client: 60, total: 1 };
        config.waiting.time = LONG;
    });
    let _held = server.connect_from(9);
    server.wait_for_connections(1);
    let silent: Vec<_> = (0..6).map(|_| server.connect_raw()).collect();
    wait_until("the silent ones wait", || server.snapshot().waiting == silent.len());
    for client in clients(&server) {
        assert_eq!(server.connect_with(&client).get("/status").status, 200);
    }
}

#[test]
fn only_handshakes_that_have_begun_can_fail() {
    let server = server(|config| config.timeouts.head = Duration::from_millis(300));
    let silent = server.connect_raw();
    drop(server.connect_raw());
    server.wait_for_connections(0);
    assert_eq!(server.counters().handshake_failures, 0, "a peer that sends nothing");
    drop(silent);
    for (sent, failures) in [(&b"\x16\x03\x01"[..], 1), (b"\x16\x03\x01\0\x04\x09\0\0\0", 2)] {
        let begun = server.connect_raw();
        begun.stream().write_all(sent).unwrap();
        wait_until("it is counted", || server.counters().handshake_failures == failures);
        server.wait_for_connections(0);
    }
}
