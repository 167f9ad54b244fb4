//! Connections over a limit that wait for a slot.

use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use http_concurrent::server::{Enforcement, Limits, ServerConfig, StatusAccess, Waiting};

use crate::support::conversation::Conversation;
use crate::support::program::ServerProgram;
use crate::support::server::TestServer;
use crate::support::{PATIENCE, wait_until};

const REQUEST: &str = "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Longer than any test lasts.
const LONG: Duration = Duration::from_secs(2 * PATIENCE.as_secs());

/// A server on which connections over a limit wait for `time`.
fn server_for(
    time: Duration,
    limits: (usize, usize),
    configure: impl FnOnce(&mut ServerConfig),
) -> TestServer {
    let server = TestServer::with_config(|config| {
        config.limits = Limits { per_client: limits.0, total: limits.1 };
        config.waiting.time = time;
        configure(config);
    });
    server.file("a.txt", "Hello");
    server
}

fn server(per_client: usize, total: usize) -> TestServer {
    server_for(LONG, (per_client, total), |_| {})
}

fn wait_for_waiting(server: &TestServer, count: usize) {
    wait_until(&format!("{count} connections wait"), || server.snapshot().waiting == count);
}

/// A connection of a client whose request is sent and which waits for a slot.
fn waiting(server: &TestServer, host: u8) -> Conversation {
    waiting_with(server, host, REQUEST)
}

fn waiting_with(server: &TestServer, host: u8, sent: &str) -> Conversation {
    let before = server.snapshot().waiting;
    let mut conversation = server.connect_from(host);
    conversation.send(sent);
    wait_for_waiting(server, before + 1);
    conversation
}

/// A connection that holds a slot.
fn held(server: &TestServer, host: u8) -> Conversation {
    let before = server.snapshot().held;
    let conversation = server.connect_from(host);
    server.wait_for_connections(before + 1);
    conversation
}

/// True once a response has begun, and false while there is none.
fn is_answered(conversation: &Conversation) -> bool {
    let stream = conversation.stream();
    stream.set_nonblocking(true).unwrap();
    let received = stream.peek(&mut [0]).is_ok();
    stream.set_nonblocking(false).unwrap();
    received
}

#[test]
fn a_connection_over_either_limit_gets_the_slot_that_becomes_free() {
    for (per_client, total, host) in [(1, 60, 1), (60, 1, 2)] {
        let server = server(per_client, total);
        let first = held(&server, 1);
        let mut second = waiting(&server, host);
        assert_eq!(server.snapshot().threads, 1, "it waits without a thread");
        drop(first);
        assert_eq!(second.reply().status, 200);
        assert_eq!(server.snapshot().waiting, 0);
        let counters = server.counters();
        assert_eq!((counters.waited_served, counters.waited_rejected), (1, 0));
        assert_eq!((counters.rejected_per_client, counters.rejected_total), (0, 0));
    }
}

#[test]
fn without_a_slot_in_its_time_it_is_rejected_as_if_it_had_not_waited() {
    let time = Duration::from_millis(300);
    for (per_client, total, host, status) in [(1, 60, 1, 429), (60, 1, 2, 503)] {
        let server = server_for(time, (per_client, total), |_| {});
        let _first = held(&server, 1);
        let begun = Instant::now();
        let mut second = server.connect_from(host);
        let reply = second.get("/a.txt");
        assert_eq!(reply.status, status);
        assert!(begun.elapsed() >= time, "after {:?}", begun.elapsed());
        assert!(reply.field("Retry-After").is_some());
        second.expect_end();
        assert_eq!(server.counters().waited_rejected, 1);
        assert_eq!((server.snapshot().held, server.snapshot().waiting), (1, 0));
    }
}

#[test]
fn clients_take_turns_and_within_a_client_the_first_comes_first() {
    let server = server(60, 1);
    let first = held(&server, 9);
    let (beginning, rest) = REQUEST.split_at(9);
    let mut line: Vec<Conversation> =
        [1, 1, 1, 2, 3].into_iter().map(|host| waiting_with(&server, host, beginning)).collect();
    drop(first);
    for index in [0, 3, 4, 1, 2] {
        // Only the one in turn is answered; the response closes its connection, since others wait.
        assert_eq!(line[index].send(rest).reply().status, 200);
    }
    assert_eq!(server.counters().waited_served, 5);
}

#[test]
fn a_client_at_its_limit_does_not_hold_others_up() {
    let server = server(1, 2);
    let (one, two) = (held(&server, 1), held(&server, 2));
    let (of_one, mut of_three) = (waiting(&server, 1), waiting(&server, 3));
    drop(two);
    assert_eq!(of_three.reply().status, 200);
    assert!(!is_answered(&of_one));
    drop((one, of_three));
    let mut of_one = of_one;
    assert_eq!(of_one.reply().status, 200);
}

#[test]
fn beyond_the_bound_the_longest_line_loses_its_last_connection() {
    let server = server_for(LONG, (60, 1), |config| config.waiting.capacity = 3);
    let first = held(&server, 9);
    let mut flood: Vec<Conversation> = (0..3).map(|_| waiting(&server, 1)).collect();
    assert_eq!(server.connect_from(1).get("/a.txt").status, 503, "the newest of its own line");
    let mut other = server.connect_from(2);
    other.send(REQUEST);
    assert_eq!(flood.pop().unwrap().reply().status, 503, "it makes room for the other client");
    assert_eq!(server.snapshot().waiting, 3);
    drop(first);
    assert_eq!(flood[0].reply().status, 200);
    assert_eq!(other.reply().status, 200);
    assert_eq!(flood[1].reply().status, 200);
}

#[test]
fn one_that_has_left_does_not_get_the_slot() {
    let server = server(1, 60);
    let first = held(&server, 1);
    // Without a request, as one that sent it may still read the response.
    for is_reset in [false, true] {
        let gone = server.connect_from(1);
        wait_for_waiting(&server, 1 + usize::from(is_reset));
        if is_reset {
            gone.reset();
        }
    }
    let mut last = waiting(&server, 1);
    drop(first);
    assert_eq!(last.reply().status, 200);
    assert_eq!(server.counters().waited_served, 1, "the others are not served");
    let mut half_closed = waiting_half_closed(&server);
    drop(last);
    assert_eq!(half_closed.reply().status, 200);
    drop(half_closed);
    server.wait_for_connections(0);
}

/// A connection that sends its last request and closes that direction, while another one holds the slot.
fn waiting_half_closed(server: &TestServer) -> Conversation {
    let conversation = waiting(server, 1);
    conversation.stream().shutdown(Shutdown::Write).unwrap();
    conversation
}

#[test]
fn while_another_waits_a_response_closes_its_connection() {
    for (per_client, total, host) in [(1, 60, 1), (60, 1, 2)] {
        let server = server(per_client, total);
        let mut first = held(&server, 1);
        let mut second = waiting(&server, host);
        let reply = first.get("/a.txt");
        assert_eq!((reply.status, reply.field("Connection")), (200, Some("close")));
        first.expect_end();
        assert_eq!(second.reply().status, 200);
    }
    let server = server(1, 60);
    let mut others = held(&server, 2);
    let _first = held(&server, 1);
    let _second = waiting(&server, 1);
    assert_eq!(others.get("/a.txt").field("Connection"), None, "its slot would be of no use");
}

#[test]
fn an_idle_connection_gives_its_slot_to_one_that_waits() {
    let server = server_for(LONG, (2, 60), |config| config.policy.reclaim_idle = true);
    let mut idle = held(&server, 1);
    assert_eq!(idle.get("/a.txt").field("Connection"), None);
    wait_until("it is idle", || server.idle() == 1);
    let _busy = held(&server, 1);
    let mut third = server.connect_from(1);
    assert_eq!(third.get("/a.txt").status, 200);
    idle.expect_end();
}

/// As a browser opens it in advance.
#[test]
fn a_connection_that_sends_nothing_gives_its_slot_to_one_that_waits() {
    for (per_client, total, host) in [(1, 60, 1), (60, 1, 2)] {
        let server = server_for(LONG, (per_client, total), |config| {
            config.policy.reclaim_idle = true;
        });
        let mut silent = held(&server, 1);
        assert_eq!(waiting(&server, host).reply().status, 200);
        silent.expect_end();
    }
}

#[test]
fn no_more_silent_connections_lose_their_slots_than_others_can_have() {
    let server = server_for(LONG, (1, 4), |config| config.policy.reclaim_idle = true);
    let _silent: Vec<Conversation> = (2..6).map(|host| held(&server, host)).collect();
    let mut line: Vec<Conversation> = (0..3).map(|_| server.connect_from(1)).collect();
    for conversation in &mut line {
        assert_eq!(conversation.send(REQUEST).reply().status, 200);
        conversation.expect_end();
    }
    assert_eq!(server.counters().reclaimed, 1);
}

#[test]
fn an_exempt_client_that_holds_many_connections_gets_the_slots_of_silent_ones() {
    let server = server_for(LONG, (1, 3), |config| {
        config.policy.reclaim_idle = true;
        config.identification.exempt = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let (mut busy, _silent) = (held(&server, 1), held(&server, 2));
    busy.send("GET ");
    let mut other = held(&server, 1);
    other.send("GET ");
    assert_eq!(waiting(&server, 1).reply().status, 200);
}

/// The response is under way, and has promised to keep the connection, when another one begins to wait.
#[test]
fn a_connection_that_becomes_idle_while_another_waits_gives_its_slot_up() {
    let server = server_for(LONG, (1, 60), |config| config.policy.reclaim_idle = true);
    server.file("large.bin", vec![7; 8_000_000]);
    let mut first = Conversation::with_a_small_window(server.address());
    first.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    first.stream().peek(&mut [0]).expect("the response has begun");
    let mut second = waiting(&server, 1);
    let reply = first.reply();
    assert_eq!((reply.body.len(), reply.field("Connection")), (8_000_000, None));
    first.expect_end();
    assert_eq!(second.reply().status, 200);
    assert_eq!(server.counters().reclaimed, 1);
}

/// 127.0.0.9 is a proxy.
#[test]
fn behind_a_proxy_a_connection_waits_for_its_client_once_that_is_known() {
    let server = server_for(LONG, (1, 2), |config| {
        config.identification.proxies = vec!["127.0.0.9/32".parse().unwrap()];
    });
    let header = |source: &str| format!("PROXY TCP4 {source} {source} 4711 80\r\n");
    let connect = |source: &str| {
        let mut conversation = server.connect_from(9);
        // Together, so that the request is received with the header.
        conversation.send(header(source) + REQUEST);
        conversation
    };
    let mut first = connect("192.0.2.1");
    assert_eq!(first.reply().status, 200);
    let mut same = connect("192.0.2.1");
    wait_for_waiting(&server, 1);
    assert_eq!(server.snapshot().held, 1, "its slot of the total is free again");
    let other = held(&server, 9);
    // The total is reached.
    let mut third = connect("192.0.2.3");
    wait_for_waiting(&server, 2);
    let clients: Vec<(String, usize)> = (server.snapshot().clients.into_iter())
        .filter(|row| row.waiting > 0)
        .map(|row| (row.client, row.waiting))
        .collect();
    // Its own line, if the header came with the connection; else the proxy's.
    assert_eq!((clients.len(), &*clients[0].0), (2, "192.0.2.1"), "{clients:?}");
    assert!(["127.0.0.9", "192.0.2.3"].contains(&&*clients[1].0), "{clients:?}");
    drop(other);
    assert_eq!(third.reply().status, 200);
    drop(first);
    assert_eq!(same.reply().status, 200);
}

#[test]
fn this_machine_sees_the_status_at_once_and_waits_for_everything_else() {
    let server = server_for(LONG, (1, 60), |config| {
        config.status = Some(StatusAccess { path: "/status".to_owned(), ..Default::default() });
    });
    let first = held(&server, 1);
    let mut file = server.connect_from(1);
    file.send(REQUEST);
    wait_for_waiting(&server, 1);
    for target in ["/status", "/status?format=json", "http://localhost/status"] {
        let mut conversation = server.connect_from(1);
        assert_eq!(conversation.get(target).status, 200, "{target}");
        // Its place in the reserve is free then.
        conversation.expect_end();
    }
    let page = server.connect_from(1).get("/status").text().to_owned();
    assert!(page.contains("1 more wait for a slot"), "{page}");
    assert!(!is_answered(&file));
    drop(first);
    assert_eq!(file.reply().text(), "Hello");
}

/// The first two are in the reserve, until it is known what they ask for, or they have been silent for a while.
#[test]
fn of_many_connections_at_once_from_this_machine_all_wait() {
    let server = server_for(LONG, (1, 60), |config| {
        config.status = Some(StatusAccess { path: "/status".to_owned(), ..Default::default() });
    });
    let first = held(&server, 1);
    let mut line: Vec<Conversation> = (0..20).map(|_| server.connect_from(1)).collect();
    for (number, conversation) in line.iter_mut().enumerate() {
        if number % 2 == 0 {
            conversation.send(REQUEST);
        }
    }
    wait_for_waiting(&server, 20);
    for conversation in line.iter_mut().skip(1).step_by(2) {
        conversation.send(REQUEST);
    }
    drop(first);
    for conversation in &mut line {
        assert_eq!(conversation.reply().status, 200);
    }
}

/// A server that is stopped, with a request that has begun and others that wait for its slot.
fn stopped(drain: Duration) -> (TestServer, Conversation, [Conversation; 3]) {
    let server = server_for(LONG, (1, 60), |config| config.timeouts.drain = drain);
    let mut first = held(&server, 1);
    let (beginning, _) = REQUEST.split_at(9);
    first.send(beginning);
    wait_until("the request is being read", || server.active() == 1);
    let waiting = [(); 3].map(|()| waiting(&server, 1));
    server.stop();
    (server, first, waiting)
}

#[test]
fn after_a_stop_those_that_wait_get_the_slots_that_become_free() {
    let (server, mut first, mut line) = stopped(LONG);
    let address = server.address();
    wait_until("new ones are refused", || TcpStream::connect(address).is_err());
    assert_eq!(first.send(&REQUEST[9..]).reply().status, 200);
    for conversation in &mut line {
        let reply = conversation.reply();
        assert_eq!((reply.text(), reply.field("Connection")), ("Hello", Some("close")));
        conversation.expect_end();
    }
    wait_until("the server has ended", || server.has_ended());
    assert_eq!(server.counters().waited_rejected, 0);
}

#[test]
fn those_that_still_wait_when_the_drain_is_over_are_rejected() {
    let (server, _first, mut line) = stopped(Duration::from_millis(100));
    for conversation in &mut line {
        assert_eq!(conversation.reply().status, 429);
        conversation.expect_end();
    }
    wait_until("the server has ended", || server.has_ended());
}

#[test]
fn limits_that_are_only_tried_out_let_nobody_wait() {
    let server = server_for(LONG, (1, 60), |config| {
        config.policy.enforcement = Enforcement::DryRun;
    });
    let _first = held(&server, 1);
    assert_eq!(server.connect_from(1).get("/a.txt").status, 200);
}

#[test]
fn by_default_nobody_waits() {
    assert_eq!(Waiting::default().time, Duration::ZERO);
    let server = TestServer::with_limits(1, 60);
    let _first = held(&server, 1);
    assert_eq!(server.connect_from(1).get("/a.txt").status, 429);
}

#[test]
fn the_program_says_how_many_may_wait_and_for_how_long() {
    let root = tempfile::tempdir().unwrap();
    let arguments = ["-p", "0", "-maxclient", "1", "--wait-for-slot", "2s", "--max-waiting", "7"];
    let server = ServerProgram::start(root.path(), &arguments);
    let words = "1 connections a client, 60 in all; up to 7 more wait 2s for a slot)";
    assert!(server.announcement.trim_end().ends_with(words), "{}", server.announcement);
    let arguments = ["-p", "0", "--wait-for-slot", "2s", "--max-waiting", "1000"];
    let server = ServerProgram::start_under("--nofile=128", None, root.path(), &arguments);
    assert!(server.announcement.contains("; up to 26 more wait"), "{}", server.announcement);
}
