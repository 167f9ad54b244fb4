//! `--drain-delay`: a server that is stopped says so first, and serves on for a while.

use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use http_concurrent::server::{Limits, ServerConfig};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::conversation::Conversation;
use crate::support::program::ServerProgram;
use crate::support::server::TestServer;
use crate::support::wait_until;

/// The server on a directory with `a.txt`, which lives as long.
fn start(arguments: &[&str]) -> (ServerProgram, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.txt"), "Hello").unwrap();
    let arguments = [&["-p", "0", "--status-path", "/status"], arguments].concat();
    (ServerProgram::start(directory.path(), &arguments), directory)
}

/// Signals the end, and waits until the server is unready.
fn stop(server: &ServerProgram) {
    server.signal(Signal::TERM);
    wait_until("the server is unready", || server.connect_from(1).get("/status").status == 503);
}

fn is_refused(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_err()
}

#[test]
fn health_checks_fail_at_once_and_new_connections_are_served_until_a_second_signal() {
    let (server, _directory) = start(&["--drain-delay", "1h", "--drain-timeout", "1h"]);
    let mut kept = server.connect_from(1);
    assert_eq!(kept.get("/status").status, 200);
    stop(&server);
    for (format, part) in [
        ("html", "<title>stopping, "),
        ("json", "\"stopping\": true"),
        ("prometheus", "http_server_conc_ready 0\n"),
    ] {
        let reply = server.connect_from(1).get(&format!("/status?format={format}"));
        assert_eq!((reply.status, reply.field("Retry-After")), (503, None), "{format}");
        assert!(reply.text().contains(part), "{format}: {}", reply.text());
    }
    let mut head = server.connect_from(1);
    head.send("HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(head.reply_to_head().status, 503);
    // The kept connection was left open: its next response closes it, like those of new ones.
    for conversation in [&mut kept, &mut server.connect_from(2)] {
        let reply = conversation.get("/a.txt");
        assert_eq!((reply.text(), reply.field("Connection")), ("Hello", Some("close")));
        conversation.expect_end();
    }
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("unready: connections are accepted for another 3600s"), "{log}");
    assert!(log.contains("second signal: stopping at once"), "{log}");
}

#[test]
fn a_client_that_may_not_see_the_status_sees_no_health_either() {
    let (server, _directory) = start(&["--drain-delay", "1h", "--proxy-protocol", "127.0.0.9"]);
    let from_elsewhere = || {
        let mut conversation = server.connect_from(9);
        conversation.send("PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n").get("/status").head()
    };
    let before = from_elsewhere();
    assert_eq!(before.0, 404);
    stop(&server);
    let mut after = from_elsewhere();
    after.1.retain(|(name, _)| name != "Connection");
    assert_eq!(before, after);
}

#[test]
fn after_the_delay_new_connections_are_refused_transfers_finish_and_the_status_is_0() {
    let (server, _directory) =
        start(&["-q", "--drain-delay", "300ms", "--drain-timeout", "1h", "--header-timeout", "1h"]);
    let mut asking = server.connect_from(1);
    let mut idle = server.connect_from(1);
    assert_eq!(idle.get("/a.txt").status, 200);
    asking.send("GET /a.txt HTTP/1.1\r\nHo");
    let port = server.port();
    server.signal(Signal::TERM);
    wait_until("new ones are refused", || is_refused(port));
    idle.expect_end();
    assert_eq!(asking.send("st: a\r\n\r\n").reply().text(), "Hello");
    assert_eq!(server.wait().0.code(), Some(0));
}

/// A server with `a.txt` that goes on for long when it is stopped.
fn lasting_server(configure: impl FnOnce(&mut ServerConfig)) -> TestServer {
    let server = TestServer::with_config(|config| {
        config.timeouts.drain_delay = Duration::from_secs(3600);
        configure(config);
    });
    server.file("a.txt", "Hello");
    server
}

/// A connection that holds its slot in the middle of a request.
fn holder(server: &TestServer, host: u8) -> Conversation {
    let mut conversation = server.connect_from(host);
    conversation.send("GET /a.txt HTTP/1.1\r\nHo");
    conversation
}

fn finish(conversation: &mut Conversation) {
    assert_eq!(conversation.send("st: a\r\n\r\n").reply().text(), "Hello");
    conversation.expect_end();
}

#[test]
fn the_limits_hold_during_the_delay() {
    let server = lasting_server(|config| config.limits = Limits { per_client: 1, total: 2 });
    server.stop();
    assert!(server.snapshot().is_stopping);
    let mut held = [holder(&server, 2), holder(&server, 3)];
    server.wait_for_connections(2);
    assert_eq!(server.connect_from(2).get("/a.txt").status, 429);
    assert_eq!(server.connect_from(4).get("/a.txt").status, 503);
    held.iter_mut().for_each(finish);
    server.wait_for_connections(0);
    assert_eq!(server.connect_from(4).get("/a.txt").status, 200);
}

#[test]
fn connections_go_on_waiting_for_a_slot_during_the_delay() {
    let server = lasting_server(|config| {
        config.limits = Limits { per_client: 12, total: 1 };
        config.waiting.time = Duration::from_secs(3600);
    });
    let mut held = holder(&server, 2);
    server.wait_for_connections(1);
    let mut waiting = [server.connect_from(3), server.connect_from(4)];
    wait_until("both wait", || server.snapshot().waiting == 2);
    server.stop();
    let mut late = server.connect_from(5);
    wait_until("another one waits", || server.snapshot().waiting == 3);
    finish(&mut held);
    for conversation in waiting.iter_mut().chain([&mut late]) {
        let reply = conversation.get("/a.txt");
        assert_eq!((reply.text(), reply.field("Connection")), ("Hello", Some("close")));
        conversation.expect_end();
    }
    assert!(!server.has_ended());
}
