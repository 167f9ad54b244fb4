//! HAProxy that decrypts, and the way from it to the instances encrypted again.

use std::fs;
use std::net::Ipv6Addr;
use std::sync::Arc;

use rustix::process::Signal;

use super::cluster::{Cluster, SMALL};
use super::haproxy::{HaProxy, free_address};
use super::readme;
use crate::support::conversation::Conversation;
use crate::support::site_certificate::{SiteCertificate, VERSIONS};
use crate::support::wait_until;

#[test]
#[ignore = "needs haproxy"]
fn the_limit_holds_over_tls_and_plain_requests_are_redirected() {
    let cluster = Cluster::start(&["--limit-rate", "64K"]);
    let site = SiteCertificate::new();
    let directory = tempfile::tempdir().unwrap();
    let pem = directory.path().join("site.pem");
    let files = [site.certificate(), site.key()].map(|path| fs::read_to_string(path).unwrap());
    fs::write(&pem, files.concat()).unwrap();
    let address = free_address(cluster.host.into());
    let binds = "  bind :80\n  bind :::80 v6only\n";
    let more = format!("{binds}{}", readme::block("after bind"));
    let redirect = readme::block("before default_backend") + "  default_backend instances\n";
    let text = readme::adapt(
        &readme::block("haproxy.cfg"),
        &[(binds, more), ("  default_backend instances\n", redirect)],
    );
    let further = [
        ("bind :443 ", format!("bind {address} ")),
        ("bind :::443 v6only ", format!("bind {} ", free_address(Ipv6Addr::LOCALHOST.into()))),
        ("/etc/haproxy/site.pem", pem.to_str().unwrap().to_owned()),
    ];
    let haproxy = HaProxy::run(&text, &cluster, &further, &[]);
    let mut config = site.client_config(&VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let connect_from = |client: &str| {
        let conversation = Conversation::between(client.parse().unwrap(), address);
        conversation.over_tls(Arc::clone(&config))
    };
    let mut served = connect_from("127.0.0.3");
    assert_eq!(served.get("/small").text(), SMALL);
    assert_eq!(served.tls().alpn_protocol(), Some(&b"http/1.1"[..]));
    let held: Vec<_> = (0..12)
        .map(|_| {
            let mut transfer = connect_from("127.0.0.2");
            transfer.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
            transfer
        })
        .collect();
    cluster.wait_until_all_hold("127.0.0.2", held.len());
    let refused = connect_from("127.0.0.2").get("/small");
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("your address 127.0.0.2 already holds 12"));
    let redirected = haproxy.get_from("127.0.0.3", "/small?a");
    assert_eq!(redirected.status, 301);
    assert_eq!(redirected.field("Location"), Some("https://localhost/small?a"));
}

#[test]
#[ignore = "needs haproxy"]
fn the_instances_are_reached_over_tls_if_their_certificate_is_right() {
    let site = SiteCertificate::new();
    let arguments = site.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut cluster = Cluster::start(&arguments);
    let (servers, over_tls) = ("  server a ", readme::block("servers over TLS"));
    let text = readme::adapt(&readme::block("haproxy.cfg"), &[(servers, over_tls + servers)]);
    let run = |authority: &SiteCertificate, name: &str, cluster: &Cluster| {
        let path = authority.authority().to_str().unwrap().to_owned();
        let further = [("/etc/haproxy/ca.pem", path), ("files.example", name.to_owned())];
        HaProxy::run(&text, cluster, &further, &[])
    };
    let haproxy = run(&site, "localhost", &cluster);
    assert_eq!(haproxy.get_from("127.0.0.2", "/small").text(), SMALL);
    // So the health checks are made over TLS as well.
    cluster.end(1, Signal::KILL);
    wait_until("its end is noticed", || haproxy.log().contains("Server instances/b is DOWN"));
    cluster.restart(1);
    wait_until("it passes its checks", || haproxy.log().contains("Server instances/b is UP"));
    for (authority, name) in [(&SiteCertificate::new(), "localhost"), (&site, "files.example")] {
        let haproxy = run(authority, name, &cluster);
        assert_eq!(haproxy.get_from("127.0.0.2", "/small").status, 503, "{name}");
    }
}
