//! Clients that guess passwords, and those beside them.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http_concurrent::server::ServerConfig;

use super::passwords::{Guarded, SECRET, ask, basic};
use crate::support::wait_until;

#[test]
fn the_response_to_a_wrong_password_is_delayed_and_counted() {
    let Guarded { server, .. } = &Guarded::start(&format!("alice:{SECRET}"), |_| {});
    for user in ["alice", "eve"] {
        let begun = Instant::now();
        assert_eq!(ask(&mut server.connect_from(2), &basic(user, "wrong")).status, 401);
        assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    }
    // Requests without a password are answered at once, and are no failures.
    let mut conversation = server.connect_from(2);
    assert_eq!(ask(&mut conversation, "").status, 401);
    let snapshot = server.snapshot();
    assert_eq!(snapshot.counters.wrong_passwords, 2);
    let row = snapshot.clients.iter().find(|row| row.client == "127.0.0.2").unwrap();
    assert_eq!((row.wrong_passwords, row.rejections), (2, 0));
    assert_eq!(ask(&mut conversation, &basic("alice", "secret")).status, 200);
}

/// Whether a right password from 127.0.0.`host` is verified while the response to a wrong one from 127.0.0.2 is
/// delayed. On a busy machine the delay may be over too soon: then it is tried again.
fn overtakes(guarded: &Guarded, host: u8, tries: usize) -> bool {
    let server = &guarded.server;
    (0..tries).any(|_| {
        let before = server.counters();
        let (wrong, right) = (basic("alice", "wrong"), basic("alice", "secret"));
        let failures = || server.snapshot().clients.iter().map(|row| row.wrong_passwords).sum();
        let failures_before: u64 = failures();
        let mut guesser = server.connect_from(2);
        // Its verification begins later, and the delay ends a second after that.
        let begun = Instant::now();
        guesser.send(format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{wrong}\r\n"));
        wait_until("it was found to be wrong", || {
            failures() > failures_before || server.counters().requests > before.requests
        });
        assert_eq!(ask(&mut server.connect_from(host), &right).status, 200);
        let is_first = begun.elapsed() < Duration::from_secs(1);
        assert_eq!(guesser.reply().status, 401);
        is_first
    })
}

#[test]
fn after_a_wrong_password_only_its_client_waits_unless_it_is_exempt() {
    let users = format!("alice:{SECRET}");
    let guarded = Guarded::start(&users, |_| {});
    assert!(overtakes(&guarded, 3, 60), "another client");
    assert!(!overtakes(&guarded, 2, 3), "the same client");
    let guarded = Guarded::start(&users, |config| {
        config.identification.exempt = vec!["127.0.0.2/32".parse().unwrap()];
    });
    assert!(overtakes(&guarded, 2, 60), "an exempt client");
}

/// Waits until 127.0.0.2, which has logged in before, receives this status while two clients hold the places of
/// unknown ones, and another unknown one is refused.
fn expect_while_unknown_clients_wait(status: u16, configure: impl FnOnce(&mut ServerConfig)) {
    // Its verification takes long enough for the others to arrive meanwhile.
    let slow = format!("slow:$6$rounds=50000$salt${}", ".".repeat(86));
    let Guarded { server, .. } = &Guarded::start(&format!("alice:{SECRET}\n{slow}"), |config| {
        config.limits.total = 6;
        configure(config);
    });
    let right = basic("alice", "secret");
    assert_eq!(ask(&mut server.connect_from(2), &right).status, 200);
    let slow = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", basic("slow", "wrong"));
    let mut hosts = (10..250).step_by(2);
    // On a busy machine they may arrive too late, or the others.
    wait_until("two that wait fill the places of unknown clients", || {
        server.wait_for_connections(0);
        let host = hosts.next().unwrap();
        let mut guessers = [host, host + 1].map(|host| server.connect_from(host));
        for guesser in &mut guessers {
            guesser.send(&slow);
        }
        wait_until("they are read", || server.active() == 2);
        let unknown = Ipv4Addr::new(127, 0, 1, host);
        let unknown = ask(&mut server.connect_as(unknown), &right);
        let found = ask(&mut server.connect_from(2), &right).status;
        let statuses = guessers.map(|mut guesser| guesser.reply().status);
        let is_full = unknown.status == 503;
        if is_full {
            assert!(unknown.field("Retry-After").is_some(), "{}", unknown.text());
            assert_eq!(statuses, [401; 2]);
        }
        is_full && found == status
    });
}

#[test]
fn clients_that_have_logged_in_before_are_not_held_up_by_those_that_have_not() {
    expect_while_unknown_clients_wait(200, |_| {});
}

#[test]
fn an_exempt_client_has_no_precedence_after_a_right_password() {
    expect_while_unknown_clients_wait(503, |config| {
        config.identification.exempt = vec!["127.0.0.2/32".parse().unwrap()];
    });
}

/// Ends the guessing, also if the test fails: its threads are joined.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn while_many_addresses_guess_a_right_password_gets_in_and_others_keep_their_slots() {
    let Guarded { server, .. } = &Guarded::start(&format!("alice:{SECRET}"), |config| {
        // More than they hold, also where the end of a connection is noticed late.
        config.limits.total = 200;
    });
    let (is_over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let field = basic("alice", "wrong");
    thread::scope(|scope| {
        // They have a connection each, and few of them wait for a verification.
        for host in 100..160 {
            let (field, is_over, refused) = (&field, &is_over, &refused);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let mut guesser = server.connect_as(Ipv4Addr::new(127, 0, 0, host));
                    let status = ask(&mut guesser, field).status;
                    // On a busy machine also 503: it waited too long, or many ended connections are still counted.
                    assert!([401, 429, 503].contains(&status), "{status}");
                    refused.fetch_add(usize::from(status == 429), Ordering::Relaxed);
                }
            });
        }
        let ending = SetOnDrop(&is_over);
        wait_until("they guess", || {
            server.counters().wrong_passwords >= 10 && refused.load(Ordering::Relaxed) >= 100
        });
        let right = basic("alice", "secret");
        let statuses: Vec<u16> =
            (2..12).map(|host| ask(&mut server.connect_from(host), &right).status).collect();
        drop(ending);
        assert_eq!(statuses, [200; 10]);
    });
    assert!(server.counters().unverified_passwords >= 100);
}
