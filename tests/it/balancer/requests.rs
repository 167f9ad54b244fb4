//! What HAProxy makes of requests: their protocol, and the instances that they go to.

use super::cluster::{Cluster, SMALL};
use super::haproxy::HaProxy;

#[test]
#[ignore = "needs haproxy"]
fn http_2_is_refused_as_its_streams_would_not_be_counted() {
    let cluster = Cluster::start(&[]);
    let haproxy = HaProxy::start(&cluster);
    let mut conversation = haproxy.connect_from("127.0.0.2");
    // The preface and empty SETTINGS (RFC 9113 §3.4).
    conversation.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert_eq!(conversation.reply().status, 400);
}

/// Far more than the health checks meanwhile.
const REQUESTS: u64 = 1_000;

/// The number of instances that have answered the requests.
fn instances_that_answer(cluster: &Cluster, ask: impl FnOnce()) -> usize {
    let served = || (0..cluster.count()).map(|index| cluster.served(index));
    let before: Vec<u64> = served().collect();
    ask();
    served().zip(before).filter(|(now, before)| now - before > REQUESTS / 6).count()
}

#[test]
#[ignore = "needs haproxy"]
fn the_requests_of_a_kept_connection_go_to_one_instance() {
    let cluster = Cluster::start(&["--keep-alive-requests", "5000"]);
    let haproxy = HaProxy::start(&cluster);
    let instances = instances_that_answer(&cluster, || {
        let mut kept = haproxy.connect_from("127.0.0.2");
        for _ in 0..REQUESTS {
            assert_eq!(kept.get("/small").text(), SMALL);
        }
    });
    assert_eq!(instances, 1);
}

#[test]
#[ignore = "needs haproxy"]
fn with_balance_uri_a_file_comes_from_one_instance() {
    let cluster = Cluster::start(&[]);
    let haproxy = HaProxy::changed(
        &cluster,
        &[
            ("balance leastconn", "balance uri\n  hash-type consistent"),
            ("  option prefer-last-server\n", ""),
        ],
    );
    let instances = instances_that_answer(&cluster, || {
        for _ in 0..REQUESTS {
            assert_eq!(haproxy.get_from("127.0.0.2", "/small").text(), SMALL);
        }
    });
    assert_eq!(instances, 1);
}

#[test]
#[ignore = "needs haproxy"]
fn what_a_full_instance_refuses_another_one_serves() {
    let cluster = Cluster::start(&["--header-timeout", "1h", "-maxclient", "70"]);
    // It would fail its health checks as well.
    let haproxy = HaProxy::changed(&cluster, &[("inter 500ms", "inter 1h")]);
    let mut held: Vec<_> = (0..69).map(|_| cluster.connect_to(0, "192.0.2.1")).collect();
    cluster.wait_until_all_hold("192.0.2.1", held.len());
    // Accepted before any that comes later.
    held.push(cluster.connect_to(0, "192.0.2.1"));
    // One after another, so that each instance is asked.
    for number in 0..6 {
        let reply = haproxy.get_from("127.0.0.2", "/small");
        assert_eq!((reply.status, reply.text()), (200, SMALL), "request {number}");
    }
}
