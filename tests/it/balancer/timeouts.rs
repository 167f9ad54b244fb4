//! Clients that send or read slowly through HAProxy.

use std::fs::File;
use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::haproxy::HaProxy;
use super::limits::is_silent;
use crate::support::wait_until;

#[test]
#[ignore = "needs haproxy"]
fn a_head_that_never_ends_is_ended_by_its_deadline_and_silence_without_a_word() {
    let cluster = Cluster::start(&[]);
    let haproxy = HaProxy::start(&cluster);
    let mut silent = haproxy.connect_from("127.0.0.3");
    let mut slow = haproxy.connect_from("127.0.0.2");
    slow.send("GET /small HTTP/1.1\r\nX-Slow: ");
    wait_until("it is answered", || {
        // It may have been closed since.
        let _ = slow.try_send("a");
        !is_silent(&slow)
    });
    assert_eq!(slow.reply().status, 408);
    silent.expect_end();
}

/// With a sixth of README's `timeout client`, and ten times the least rate of a reader there.
#[test]
#[ignore = "needs haproxy"]
fn a_client_that_reads_slowly_is_not_cut() {
    const PIECES: u32 = 120;
    let cluster = Cluster::start(&[]);
    let haproxy = HaProxy::changed(&cluster, &[("timeout client 30s", "timeout client 5s")]);
    // More than all buffers on the way.
    File::create(cluster.root().join("huge")).unwrap().set_len(1 << 28).unwrap();
    let mut reader = haproxy.connect_from("127.0.0.2");
    reader.send("GET /huge HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let begun = Instant::now();
    for number in 1..=PIECES {
        reader.incoming().read_exact(&mut [0; 10_000]).unwrap();
        // The speed at which it reads.
        let due = begun + number * Duration::from_millis(100);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let held = (0..cluster.count()).map(|index| cluster.held(index, "127.0.0.2"));
    assert_eq!(held.sum::<usize>(), 1, "an instance goes on sending");
}
