//! nginx as balancer, with the configuration of the README.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use super::cluster::{Cluster, SMALL};
use super::haproxy::free_address;
use super::readme;
use crate::support::conversation::Conversation;
use crate::support::wait_until;

/// A running nginx; killed when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Nginx {
    fn start(cluster: &Cluster) -> Self {
        // nginx does not report ports that it chose, so the test picks free ones.
        let hosts = [cluster.host.into(), Ipv6Addr::LOCALHOST.into()];
        let [ipv4, ipv6] = hosts.map(free_address);
        let mut replacements = cluster.addresses();
        // So that nothing but the configuration's limit ends a silent connection.
        replacements.push(("proxy_timeout 60s;", "proxy_timeout 1h;".to_owned()));
        replacements.push(("listen 80;", format!("listen {ipv4};")));
        replacements.push(("listen [::]:80;", format!("listen {ipv6};")));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nginx.conf");
        fs::write(&path, readme::adapt(&readme::block("nginx.conf"), &replacements)).unwrap();
        let pid = directory.path().join("pid");
        // One process, so that no worker remains when it is killed.
        let child = Command::new("nginx")
            .args(["-e", "stderr", "-g"])
            .arg(format!("daemon off; master_process off; pid {};", pid.display()))
            .arg("-c")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        let nginx = Self { child, address: ipv4, _directory: directory };
        wait_until("nginx listens", || TcpStream::connect(ipv4).is_ok());
        nginx
    }

    fn connect_from(&self, client: &str) -> Conversation {
        let client: IpAddr = client.parse().unwrap();
        Conversation::between(client, self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The instance that holds the connections of a client, all of which must be there.
fn instance_of(cluster: &Cluster, client: &str, held: usize) -> usize {
    cluster.wait_until_all_hold(client, held);
    let holding: Vec<usize> =
        (0..cluster.count()).filter(|&index| cluster.held(index, client) > 0).collect();
    assert_eq!(holding.len(), 1, "{client} is on {holding:?}");
    holding[0]
}

#[test]
#[ignore = "needs nginx with stream"]
fn behind_nginx_a_client_has_the_limit_of_one_instance() {
    let mut cluster = Cluster::start(&["--limit-rate", "64K"]);
    let nginx = Nginx::start(&cluster);
    let transfers = |client: &str| -> Vec<Conversation> {
        let mut begun: Vec<_> = (0..12).map(|_| nginx.connect_from(client)).collect();
        for transfer in &mut begun {
            transfer.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
        }
        begun
    };
    let clients = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
    for client in clients {
        let held = transfers(client);
        instance_of(&cluster, client, 12);
        let refused = nginx.connect_from(client).get("/small");
        assert_eq!(refused.status, 429, "{client}");
        assert!(refused.text().contains(&format!("your address {client}")), "{}", refused.text());
        drop(held);
        cluster.wait_until_all_hold(client, 0);
    }
    let mut kept = nginx.connect_from(clients[0]);
    assert_eq!(kept.get("/small").text(), SMALL);
    let index = instance_of(&cluster, clients[0], 1);
    cluster.end(index, Signal::KILL);
    kept.expect_end();
    assert_eq!(nginx.connect_from(clients[0]).get("/small").text(), SMALL, "from another instance");
}

#[test]
#[ignore = "needs nginx with stream"]
fn behind_nginx_a_client_may_open_a_hundred_connections() {
    let cluster =
        Cluster::start(&["-maxclient", "300", "-maxtotal", "300", "--header-timeout", "1h"]);
    let nginx = Nginx::start(&cluster);
    let _open: Vec<_> = (0..100).map(|_| nginx.connect_from("127.0.0.2")).collect();
    instance_of(&cluster, "127.0.0.2", 100);
    nginx.connect_from("127.0.0.2").expect_end();
    assert_eq!(nginx.connect_from("127.0.0.3").get("/small").text(), SMALL);
}
