//! Shutdown of the server: in order, and with clients that do not cooperate.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::PATIENCE;
use crate::support::conversation::Conversation;
use crate::support::program::ServerProgram;
use crate::support::server::TestServer;
use crate::support::wait_until;

const LARGE: usize = 20_000_000;
const REQUEST: &str = "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n";
const LARGE_REQUEST: &str = "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n";

/// Connections in the middle of a transfer that exceeds every buffer.
fn begin_transfers(connect: impl Fn(u8) -> Conversation, count: u8) -> Vec<Conversation> {
    let begun = (0..count).map(|number| {
        let mut conversation = connect(number / 10 + 1);
        conversation.send(LARGE_REQUEST);
        conversation.stream().peek(&mut [0]).expect("the answer has begun");
        conversation
    });
    begun.collect()
}

#[test]
fn transfers_finish_idle_ones_are_closed_and_new_ones_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("large.bin"), vec![7; LARGE]).unwrap();
    fs::write(directory.path().join("a.txt"), "Hello").unwrap();
    let server =
        ServerProgram::start(directory.path(), &["-q", "-p", "0", "--drain-timeout", "1h"]);
    let mut fresh = server.connect_from(9);
    let mut idle = server.connect_from(9);
    assert_eq!(idle.get("/a.txt").field("Connection"), None);
    let transfers = begin_transfers(|host| server.connect_from(host), 50);
    server.signal(Signal::TERM);
    idle.expect_end();
    fresh.expect_end();
    let port = server.port();
    wait_until("new ones are refused", || TcpStream::connect(("127.0.0.1", port)).is_err());
    std::thread::scope(|scope| {
        for mut transfer in transfers {
            scope.spawn(move || {
                assert_eq!(transfer.reply().body.len(), LARGE, "the whole file");
                transfer.expect_end();
            });
        }
    });
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_response_during_shutdown_closes_the_connection() {
    let server = TestServer::with_config(|config| {
        config.timeouts.drain = Duration::from_secs(600);
        config.policy.delay = Duration::from_millis(500);
    });
    server.file("a.txt", "Hello");
    let mut conversation = server.connect();
    conversation.send("GET /a.txt HTTP/1.1\r\nHo");
    wait_until("the request is being read", || server.active() == 1);
    server.stop();
    let address = server.address();
    wait_until("it is stopping", || TcpStream::connect(address).is_err());
    conversation.send("st: a\r\n\r\n");
    let reply = conversation.reply();
    assert_eq!((reply.text(), reply.field("Connection")), ("Hello", Some("close")));
    conversation.expect_end();
    wait_until("the server has ended", || server.has_ended());
}

#[test]
fn transfers_that_exceed_the_drain_timeout_are_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("large.bin"), vec![7; LARGE]).unwrap();
    let server = ServerProgram::start(directory.path(), &["-p", "0", "--drain-timeout", "200ms"]);
    let mut transfers = begin_transfers(|host| server.connect_from(host), 3);
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("3 connections did not finish in time"), "{log}");
    for transfer in &mut transfers {
        assert!(transfer.try_reply().is_err(), "it was cut off");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("large.bin"), vec![7; LARGE]).unwrap();
    let server = ServerProgram::start(directory.path(), &["-p", "0", "--drain-timeout", "1h"]);
    let transfers = begin_transfers(|host| server.connect_from(host), 1);
    server.signal(Signal::INT);
    let port = server.port();
    wait_until("it is stopping", || TcpStream::connect(("127.0.0.1", port)).is_err());
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("second signal: stopping at once"), "{log}");
    let mut rest = Vec::new();
    let _ = transfers[0].stream().read_to_end(&mut rest);
    assert!(rest.len() < LARGE, "it was cut off");
}

#[test]
fn connections_opened_during_shutdown_do_not_delay_it() {
    for _ in 0..10 {
        let server = TestServer::with_config(|config| {
            config.timeouts.head = Duration::from_secs(600);
            config.timeouts.drain = Duration::from_secs(600);
        });
        let address = server.address();
        let connecting = std::thread::spawn(move || {
            let begun = Instant::now();
            let mut held = Vec::new();
            while let Ok(stream) = TcpStream::connect(address) {
                held.push(stream);
                assert!(begun.elapsed() < PATIENCE, "it never stops");
            }
            held
        });
        wait_until("some connections are open", || server.snapshot().held > 2);
        server.stop();
        wait_until("the server has ended", || server.has_ended());
        drop(connecting.join().unwrap());
    }
}

/// The head of the first response has promised that the connection is kept.
#[test]
fn a_request_that_comes_over_a_kept_connection_during_a_transfer_is_answered() {
    let server = TestServer::with_config(|config| config.timeouts.drain = 2 * PATIENCE);
    server.file("large.bin", vec![7; LARGE]);
    server.file("a.txt", "Hello");
    let begin = |follows: &str| {
        let mut conversation = server.connect();
        conversation.send([LARGE_REQUEST, follows].concat()).wait_for_response();
        conversation
    };
    // With the first, before the signal, and after it.
    let mut conversations = [begin(REQUEST), begin(""), begin("")];
    // Nothing but the end of a line, which begins no request.
    let mut done = begin("\r\n");
    conversations[1].send(REQUEST);
    server.stop();
    let address = server.address();
    wait_until("it is stopping", || TcpStream::connect(address).is_err());
    conversations[2].send(REQUEST);
    for conversation in &mut conversations {
        let reply = conversation.reply();
        assert_eq!((reply.body.len(), reply.field("Connection")), (LARGE, None));
        let reply = conversation.reply();
        assert_eq!((reply.text(), reply.field("Connection")), ("Hello", Some("close")));
        conversation.expect_end();
    }
    assert_eq!(done.reply().body.len(), LARGE);
    done.expect_end();
    wait_until("the server has ended", || server.has_ended());
}

/// Also if their threads are just about to read them.
#[test]
fn requests_that_have_come_over_kept_connections_are_answered() {
    for _ in 0..20 {
        let server = TestServer::with_config(|config| {
            config.limits.per_client = 60;
            config.timeouts.drain = 2 * PATIENCE;
        });
        server.file("a.txt", "Hello");
        let mut kept: Vec<_> = (0..40).map(|_| server.connect()).collect();
        for conversation in &mut kept {
            assert_eq!(conversation.get("/a.txt").field("Connection"), None);
        }
        for conversation in &mut kept {
            conversation.send(REQUEST);
        }
        server.stop();
        for conversation in &mut kept {
            assert_eq!(conversation.reply().text(), "Hello");
            conversation.expect_end();
        }
    }
}

/// The kernel goes on completing connections while the process does not run, or its loop serves others.
#[test]
fn a_request_that_has_come_before_the_signal_is_answered() {
    const NEW: usize = 50;
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.txt"), "Hello").unwrap();
    let arguments = ["-q", "-p", "0", "-maxclient", "60", "--keep-alive-timeout", "1h"];
    let server = ServerProgram::start(directory.path(), &arguments);
    let mut conversations = vec![server.connect_from(1)];
    assert_eq!(conversations[0].get("/a.txt").field("Connection"), None);
    server.signal(Signal::STOP);
    conversations.extend((0..NEW).map(|_| server.connect_from(1)));
    for conversation in &mut conversations {
        conversation.send("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    for (index, conversation) in conversations.iter_mut().enumerate() {
        assert_eq!(conversation.reply().text(), "Hello", "{index}");
        conversation.expect_end();
    }
    assert_eq!(server.wait().0.code(), Some(0));
}
