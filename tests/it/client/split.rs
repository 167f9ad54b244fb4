//! One large file over several connections, from servers that allow it and servers that do not.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_concurrent::client::{RetryPolicy, Settings};

use crate::support::fetching::{fetch_into, fetch_with, settings};
use crate::support::holds_in_time;
use crate::support::parts::leave_part;
use crate::support::ranged::{pattern, range, ranged};
use crate::support::scripted::{Peer, Scripted, answer};
use crate::support::server::TestServer;

const TAG: &str = "\"v1\"";
const LENGTH: usize = 8 << 20;

fn splitting(connections: usize) -> Settings {
    let first_wait = Duration::from_millis(1);
    let retry = RetryPolicy { first_wait, ..RetryPolicy::default() };
    Settings { split: NonZeroUsize::new(connections).unwrap(), retry, ..settings(connections) }
}

/// Sends the first response slowly, so that other workers can help.
fn send(peer: &mut Peer, bytes: &[u8]) {
    for piece in bytes.chunks(64 * 1024) {
        peer.send(piece);
        if peer.connection == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn the_phases_of_a_split_file_are_not_counted_twice() {
    let content = pattern(LENGTH);
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            // The time to the first byte of a later piece is not a part of the transfer.
            std::thread::sleep(Duration::from_millis(30));
            let bytes = ranged(&head, TAG, &content);
            send(peer, &bytes);
        }
    });
    let fetched = fetch_with(&splitting(2), &[server.url("/file")]);
    fetched.assert_success();
    let outcome = &fetched.run.outcomes[0];
    let phases = outcome.phases;
    assert!(phases.total() <= phases.queue + outcome.took, "{outcome:?}");
    assert!(phases.first_byte >= Duration::from_millis(30), "{outcome:?}");
    assert!(!phases.transfer.is_zero() && !phases.write.is_zero(), "{outcome:?}");
}

#[test]
fn several_connections_bring_one_file() {
    let content = pattern(LENGTH);
    let copy = content.clone();
    let connections = AtomicUsize::new(0);
    let server = Scripted::start(move |peer| {
        let mut is_first = true;
        while let Some(head) = peer.read_head() {
            let bytes = ranged(&head, TAG, &copy);
            let (begin, rest) = bytes.split_at(bytes.len().min(64 * 1024));
            peer.send(begin);
            // No piece is complete until each of the four connections has one.
            if std::mem::take(&mut is_first) {
                connections.fetch_add(1, Ordering::SeqCst);
                holds_in_time(|| connections.load(Ordering::SeqCst) >= 4);
            }
            peer.send(rest);
        }
    });
    let fetched = fetch_with(&splitting(4), &[server.url("/file")]);
    fetched.assert_success();
    assert!(fetched.content("file") == content);
    assert_eq!(fetched.names(), ["file"]);
    assert!(server.connections() >= 4, "{}", server.connections());
    let received = fetched.run.outcomes[0].received;
    assert!(received >= LENGTH as u64, "{received}");
}

#[test]
fn our_own_server_serves_the_pieces() {
    let server = TestServer::start();
    let content = pattern(LENGTH);
    server.file("large", &content);
    for connections in [2, 8] {
        let url = format!("http://{}/large", server.address());
        let fetched = fetch_with(&splitting(connections), &[url]);
        fetched.assert_success();
        assert!(fetched.content("large") == content);
    }
}

#[test]
fn a_server_that_honours_no_ranges_is_received_in_one_stream() {
    let content = pattern(LENGTH);
    let copy = content.clone();
    let server = Scripted::start(move |peer| {
        while peer.read_head().is_some() {
            let bytes = answer("200 OK", &format!("ETag: {TAG}\r\n"), &copy);
            send(peer, &bytes);
        }
    });
    let fetched = fetch_with(&splitting(4), &[server.url("/file")]);
    fetched.assert_success();
    assert!(fetched.content("file") == content);
}

#[test]
fn a_version_that_changes_in_the_middle_is_fetched_anew() {
    let (old, new) = (pattern(LENGTH), vec![b'n'; LENGTH]);
    let fresh = new.clone();
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            let bytes = if peer.connection == 0 {
                ranged(&head, TAG, &old)
            } else {
                ranged(&head, "\"v2\"", &new)
            };
            if peer.connection == 0 {
                peer.send(&bytes[..LENGTH / 2]);
                return;
            }
            peer.send(bytes);
        }
    });
    let fetched = fetch_with(&splitting(4), &[server.url("/file")]);
    fetched.assert_success();
    assert!(fetched.content("file") == fresh, "no byte of the old version is in it");
}

#[test]
fn pieces_that_fail_are_fetched_by_others_and_a_later_run_continues() {
    let content = pattern(LENGTH);
    let sent = Arc::new(AtomicUsize::new(0));
    let server = |limit: usize| {
        let (copy, sent) = (content.clone(), Arc::clone(&sent));
        Scripted::start_on("127.0.0.1:0", move |peer| {
            while let Some(head) = peer.read_head() {
                let bytes = ranged(&head, TAG, &copy);
                let most = if peer.connection % 3 == 1 { limit } else { bytes.len() };
                let most = most.min(bytes.len());
                sent.fetch_add(most, Ordering::SeqCst);
                send(peer, &bytes[..most]);
                if most < bytes.len() {
                    return;
                }
            }
        })
    };
    let flaky = server(700_000);
    let fetched = fetch_with(&splitting(4), &[flaky.url("/file")]);
    fetched.assert_success();
    assert!(fetched.content("file") == content);
}

#[test]
fn saved_pieces_of_a_split_file_are_not_fetched_again() {
    let content = pattern(LENGTH);
    let copy = content.clone();
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            peer.send(ranged(&head, TAG, &copy));
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let missing = [(1_000_000, 1_999_999), (5_000_000, LENGTH - 1)];
    let mut part = content.clone();
    for (first, last) in missing {
        part[first..=last].fill(0);
    }
    let notes = format!(
        r#""validator":{{"tag":"\"v1\""}},"length":{LENGTH},"missing":[[1000000,1999999],[5000000,{}]]"#,
        LENGTH - 1
    );
    leave_part(directory.path(), ("file", &server.url("/file")), part, &notes);
    // With one connection as well.
    let fetched = fetch_into(directory, &splitting(1), &[server.url("/file")]);
    fetched.assert_success();
    assert!(fetched.content("file") == content);
    assert_eq!(fetched.names(), ["file"]);
    assert_eq!(fetched.run.outcomes[0].received, (1_000_000 + LENGTH - 5_000_000) as u64);
    assert!(server.heads().iter().all(|head| range(head).is_some()));
}

#[test]
fn adjacent_pieces_are_requested_separately() {
    let content = pattern(LENGTH);
    let copy = content.clone();
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            peer.send(ranged(&head, TAG, &copy));
        }
    });
    let directory = tempfile::tempdir().unwrap();
    // The notes of a run whose helper has not received a byte yet.
    let notes = format!(
        r#""validator":{{"tag":"\"v1\""}},"length":{LENGTH},"missing":[[1,{}],[{},{}]]"#,
        LENGTH / 2 - 1,
        LENGTH / 2,
        LENGTH - 1
    );
    leave_part(directory.path(), ("file", &server.url("/file")), &content, &notes);
    let fetched = fetch_into(directory, &splitting(1), &[server.url("/file")]);
    fetched.assert_success();
    assert!(fetched.content("file") == content);
}
