//! Instances that are stopped, killed and started again under load.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use super::cluster::{Cluster, SMALL};
use super::haproxy::HaProxy;
use crate::support::client;
use crate::support::conversation::Conversation;
use crate::support::wait_until;

/// Clients that ask all the time, half of them over kept connections.
const CLIENTS: [&str; 8] = [
    "127.0.0.2",
    "127.0.0.3",
    "127.0.0.4",
    "127.0.0.5",
    "127.0.0.6",
    "127.0.0.7",
    "127.0.0.8",
    "127.0.0.9",
];

/// What happens while all clients ask; each of their requests must be answered with the file.
fn under_load(haproxy: &HaProxy, meanwhile: impl FnOnce(&AtomicUsize)) {
    let (ended, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for (number, client) in CLIENTS.into_iter().enumerate() {
            let (ended, answered) = (&ended, &answered);
            scope.spawn(move || {
                let mut kept: Option<Conversation> = None;
                while !ended.load(Ordering::Relaxed) {
                    let mut conversation =
                        kept.take().unwrap_or_else(|| haproxy.connect_from(client));
                    let reply = conversation.get("/small");
                    assert_eq!((reply.status, reply.text()), (200, SMALL), "{client}");
                    answered.fetch_add(1, Ordering::Relaxed);
                    let is_last = reply.field("Connection") == Some("close");
                    kept = (number % 2 == 0 && !is_last).then_some(conversation);
                }
            });
        }
        // The load ends as well if this fails.
        let _ends = EndOfLoad(&ended);
        meanwhile(&answered);
    });
}

struct EndOfLoad<'e>(&'e AtomicBool);

impl Drop for EndOfLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Ends and restarts each instance under load.
fn replace_each(signal: Signal, expected: Option<i32>) {
    let mut cluster = Cluster::start(&[]);
    let haproxy = HaProxy::start(&cluster);
    under_load(&haproxy, |answered| {
        for index in 0..cluster.count() {
            let more = answered.load(Ordering::Relaxed) + 100;
            wait_until("there is load", || answered.load(Ordering::Relaxed) >= more);
            assert_eq!(cluster.end(index, signal), expected, "instance {index}");
            let more = answered.load(Ordering::Relaxed) + 100;
            wait_until("the others serve", || answered.load(Ordering::Relaxed) >= more);
            cluster.restart(index);
            wait_until("it is used again", || cluster.served(index) > 100);
        }
    });
}

#[test]
#[ignore = "needs haproxy"]
fn no_request_is_lost_when_instances_are_stopped() {
    replace_each(Signal::TERM, Some(0));
}

#[test]
#[ignore = "needs haproxy"]
fn an_instance_that_is_stopped_gets_no_requests_before_it_refuses_any() {
    let cluster = Cluster::start(&["--drain-delay", "1h"]);
    let haproxy = HaProxy::start(&cluster);
    under_load(&haproxy, |answered| {
        wait_until("it is used", || cluster.served(0) > 100);
        assert_eq!(cluster.health(0).0, 200);
        cluster.signal(0, Signal::TERM);
        wait_until("its health checks fail", || cluster.health(0).0 == 503);
        wait_until("HAProxy notices", || haproxy.log().contains("Server instances/a is DOWN"));
        let answered_since = |count| {
            let more = answered.load(Ordering::Relaxed) + count;
            wait_until("the others serve", || answered.load(Ordering::Relaxed) >= more);
        };
        // What was on its way.
        answered_since(100);
        let served = cluster.served(0);
        answered_since(500);
        assert_eq!(cluster.served(0), served, "it is no longer asked");
    });
}

/// A response of this size is sent at once, so that no connection is cut within one.
#[test]
#[ignore = "needs haproxy"]
fn no_small_request_is_lost_when_instances_are_killed() {
    replace_each(Signal::KILL, None);
}

#[test]
#[ignore = "needs haproxy"]
fn no_small_request_is_lost_when_two_of_three_instances_are_killed() {
    let mut cluster = Cluster::start(&[]);
    let haproxy = HaProxy::start(&cluster);
    under_load(&haproxy, |answered| {
        for index in 0..cluster.count() {
            wait_until("all are used", || (0..cluster.count()).all(|i| cluster.served(i) > 100));
            let other = (index + 1) % cluster.count();
            cluster.signal(other, Signal::KILL);
            cluster.end(index, Signal::KILL);
            cluster.end(other, Signal::KILL);
            let more = answered.load(Ordering::Relaxed) + 100;
            wait_until("the last one serves", || answered.load(Ordering::Relaxed) >= more);
            cluster.restart(index);
            cluster.restart(other);
        }
    });
}

#[test]
#[ignore = "needs haproxy"]
fn a_killed_instance_cuts_its_own_transfers_which_the_client_continues() {
    const FILES: usize = 12;
    let mut cluster = Cluster::start(&["--limit-rate", "1M"]);
    let content = |number: usize| -> Vec<u8> {
        (0..6_000_000_usize).map(|i| (i / 251 + i * (number + 1)).to_le_bytes()[0]).collect()
    };
    let contents: Vec<Vec<u8>> = (0..FILES).map(content).collect();
    for (number, content) in contents.iter().enumerate() {
        fs::write(cluster.root().join(format!("file{number}")), content).unwrap();
    }
    let haproxy = HaProxy::start(&cluster);
    let directory = tempfile::tempdir().unwrap();
    let urls = (0..FILES).map(|number| format!("http://{}/file{number}", haproxy.ipv4));
    let run = client::program()
        .args(["-q", "-c", "12", "-o", "out", "--json", "run.json", "--urls"])
        .args(urls)
        .current_dir(directory.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("all transfers run", || {
        let parts = fs::read_dir(directory.path().join("out")).map_or(0, |entries| {
            entries
                .filter(|entry| {
                    entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "part")
                })
                .count()
        });
        parts == FILES
    });
    let sending = cluster.held(0, "127.0.0.1");
    cluster.end(0, Signal::KILL);
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", client::stderr(&output));
    for (number, content) in contents.iter().enumerate() {
        let saved = fs::read(directory.path().join(format!("out/file{number}"))).unwrap();
        assert!(saved == *content, "file{number} is not what the server has");
    }
    let run: Value =
        serde_json::from_slice(&fs::read(directory.path().join("run.json")).unwrap()).unwrap();
    let fetches = run["fetches"].as_array().unwrap();
    let cut = fetches.iter().filter(|fetch| fetch["attempts"].as_u64().unwrap() > 1).count();
    assert!(cut > 0 && cut <= sending, "{cut} were cut of the {sending} that it was sending");
    assert_eq!(
        run["continued"].as_u64().unwrap(),
        cut as u64,
        "they are continued, not begun anew"
    );
}

#[test]
#[ignore = "needs haproxy"]
fn haproxy_finishes_its_transfers_when_it_is_stopped() {
    let cluster = Cluster::start(&["--limit-rate", "512K"]);
    let haproxy = HaProxy::start(&cluster);
    let mut transfers = haproxy.begin("/medium", "127.0.0.2", 3);
    cluster.wait_until_all_hold("127.0.0.2", 3);
    haproxy.signal(Signal::USR1);
    wait_until("it accepts no more", || std::net::TcpStream::connect(haproxy.ipv4).is_err());
    for transfer in &mut transfers {
        assert_eq!(transfer.reply().body.len(), 1 << 20);
    }
    drop(transfers);
    assert!(haproxy.wait().success());
}
