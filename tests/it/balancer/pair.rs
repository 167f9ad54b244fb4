//! Two balancers, each of which counts the connections of its clients.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::cluster::Cluster;
use super::haproxy::{HaProxy, free_address};
use super::readme;
use crate::support::conversation::Conversation;
use crate::support::wait_until;

/// Enough that both balancers have some of them.
const CLIENTS: [&str; 4] = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"];

fn two_addresses(cluster: &Cluster) -> [SocketAddr; 2] {
    [free_address(cluster.host.into()), free_address(cluster.host.into())]
}

/// The two balancers of the README, on this machine. Neither takes the other one for dead because it starts later,
/// or because the machine is busy.
fn start_pair(cluster: &Cluster) -> [HaProxy; 2] {
    let lasting = ("check inter 500ms fall 2 rise 1\n", "check inter 500ms fall 1000 rise 1\n");
    let patient = ("timeout connect 2s", "timeout connect 60s");
    start_pair_at(two_addresses(cluster), cluster, &[lasting, patient])
}

/// Each takes connections from both at its address; with further changes to README's text.
fn start_pair_at(
    addresses: [SocketAddr; 2],
    cluster: &Cluster,
    changes: &[(&str, &str)],
) -> [HaProxy; 2] {
    let instead_of_bind = readme::block("instead of bind");
    let text = readme::adapt(
        &readme::block("haproxy.cfg"),
        &[
            ("  bind :80\n  bind :::80 v6only\n", instead_of_bind.as_str()),
            ("tcp-request connection", "tcp-request session"),
            ("setenv TOTAL 60", "setenv TOTAL 30"),
            // The rule about the balancers' addresses remains one of the connection.
            (
                "tcp-request session reject unless { src 192.",
                "tcp-request connection reject unless { src 192.",
            ),
        ],
    );
    let text = readme::adapt(&(text + &readme::block("entry")), changes);
    addresses.map(|own| {
        let [one, two] = addresses.map(|address| address.to_string());
        let further = [
            ("192.0.2.1:8081", one),
            ("192.0.2.2:8081", two),
            ("src 192.0.2.1 192.0.2.2", "src 127.0.0.1".to_owned()),
            ("bind :8081 ", format!("bind {own} ")),
        ];
        HaProxy::run(&text, cluster, &further, &[])
    })
}

#[test]
#[ignore = "needs haproxy"]
fn two_balancers_hold_a_client_to_one_limit() {
    let cluster = Cluster::start(&["--limit-rate", "64K"]);
    let [one, two] = start_pair(&cluster);
    for client in CLIENTS {
        let mut held = one.transfers_from(client, 6, &cluster);
        held.extend(two.begin("/large", client, 6));
        cluster.wait_until_all_hold(client, 12);
        for balancer in [&one, &two] {
            let refused = balancer.get_from(client, "/small");
            assert_eq!(refused.status, 429, "{client}");
            let name = format!("your address {client} already holds 12");
            assert!(refused.text().contains(&name), "{}", refused.text());
        }
        drop(held);
        for balancer in [&one, &two] {
            wait_until("slots are free", || balancer.get_from(client, "/small").status == 200);
        }
        cluster.wait_until_all_hold(client, 0);
    }
}

#[test]
#[ignore = "needs haproxy"]
fn the_other_balancer_counts_the_clients_of_one_that_died() {
    let cluster = Cluster::start(&["--limit-rate", "64K"]);
    let [one, two] = start_pair_at(two_addresses(&cluster), &cluster, &[]);
    let held: Vec<_> =
        CLIENTS.iter().map(|client| one.transfers_from(client, 6, &cluster)).collect();
    drop(one);
    drop(held);
    wait_until("its end is noticed", || two.log().contains("Server balancers/one is DOWN"));
    for client in CLIENTS {
        cluster.wait_until_all_hold(client, 0);
        let _held = two.transfers_from(client, 12, &cluster);
        assert_eq!(two.get_from(client, "/small").status, 429, "{client}");
    }
}

#[test]
#[ignore = "needs haproxy"]
fn an_ipv6_network_is_one_client() {
    let cluster = Cluster::start(&["--limit-rate", "64K"]);
    let [address, other] = two_addresses(&cluster);
    let _balancers = start_pair_at([address, other], &cluster, &[]);
    // As the other balancer relays it.
    let connect_from = |client: &str| {
        let mut conversation = Conversation::between(Ipv4Addr::LOCALHOST.into(), address);
        conversation.send(format!("PROXY TCP6 {client} 2001:db8::80 4711 80\r\n"));
        conversation
    };
    let held: Vec<_> = (1..=12)
        .map(|number| {
            let mut transfer = connect_from(&format!("2001:db8:0:1::{number}"));
            transfer.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
            transfer
        })
        .collect();
    cluster.wait_until_all_hold("2001:db8:0:1::/64", held.len());
    let refused = connect_from("2001:db8:0:1::aaaa").get("/small");
    assert_eq!(refused.status, 429);
    let name = "your network 2001:db8:0:1::/64 already holds 12";
    assert!(refused.text().contains(name), "{}", refused.text());
    assert_eq!(connect_from("2001:db8:0:2::1").get("/small").status, 200);
}

/// The lines of a table about its entries.
fn entries(socket: &Path, table: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(format!("show table {table}\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.lines().filter(|line| line.contains("key=")).collect()
}

#[test]
#[ignore = "needs haproxy"]
fn peers_do_not_send_the_number_of_connections() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&[]);
    let addresses = two_addresses(&cluster);
    let balancers = ["one", "two"].map(|name| {
        let socket = directory.path().join(name);
        let text = format!(
            "global\n  stats socket {}\ndefaults\n  mode tcp\n  timeout client 1h\n  timeout connect 9s\n  \
             timeout server 1h\nfrontend files\n  bind :80\n  bind :::80 v6only\n  \
             tcp-request connection track-sc0 src table balancers/clients\n  default_backend instances\n\
             backend instances\n  server a 127.0.0.1:20001\n  server b 127.0.0.1:20002\n  \
             server c 127.0.0.1:20003\npeers balancers\n  peer one {}\n  peer two {}\n  \
             table clients type ip size 1k store conn_cur,conn_cnt\n",
            socket.display(), addresses[0], addresses[1]
        );
        (HaProxy::run(&text, &cluster, &[], &["-L", name]), socket)
    });
    let [(one, first), (_two, second)] = &balancers;
    let _held = [one.connect_from("127.0.0.7"), one.connect_from("127.0.0.7")];
    wait_until("they are counted", || entries(first, "balancers/clients").contains("conn_cur=2"));
    wait_until("the other one knows of them", || {
        entries(second, "balancers/clients").contains("conn_cnt=2")
    });
    let received = entries(second, "balancers/clients");
    assert!(received.contains("conn_cur=0"), "{received}");
}
