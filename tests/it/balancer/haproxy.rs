//! `HAProxy`, with the configuration of the README.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::cluster::Cluster;
use super::readme;
use crate::support::conversation::{Conversation, Reply};
use crate::support::{wait_for_exit, wait_until};

/// An address with a port that is free at the moment.
pub(super) fn free_address(host: IpAddr) -> SocketAddr {
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}

/// A running `HAProxy`; killed when dropped.
pub(super) struct HaProxy {
    child: Child,
    pub(super) ipv4: SocketAddr,
    pub(super) ipv6: SocketAddr,
    directory: TempDir,
}

impl HaProxy {
    /// `haproxy.cfg` of the README before the cluster.
    pub(super) fn start(cluster: &Cluster) -> Self {
        Self::changed(cluster, &[])
    }

    /// The same with replacements in its text.
    pub(super) fn changed(cluster: &Cluster, replacements: &[(&str, &str)]) -> Self {
        let text = readme::adapt(&readme::block("haproxy.cfg"), replacements);
        Self::run(&text, cluster, &[], &[])
    }

    /// Runs a configuration with the addresses of the cluster, further replacements and arguments.
    pub(super) fn run(
        text: &str,
        cluster: &Cluster,
        further: &[(&str, String)],
        arguments: &[&str],
    ) -> Self {
        let start = || Self::try_run(text, cluster, further, arguments);
        start().or_else(start).or_else(start).expect("HAProxy finds free ports")
    }

    /// `None` if another program has taken a port in the meantime.
    fn try_run(
        text: &str,
        cluster: &Cluster,
        further: &[(&str, String)],
        arguments: &[&str],
    ) -> Option<Self> {
        // HAProxy does not report ports that it chose, so the test picks free ones.
        let hosts = [cluster.host.into(), Ipv6Addr::LOCALHOST.into()];
        let [ipv4, ipv6] = hosts.map(free_address);
        let mut replacements = cluster.addresses();
        replacements.push(("bind :80\n", format!("bind {ipv4}\n")));
        replacements.push(("bind :::80 v6only\n", format!("bind {ipv6}\n")));
        let text = readme::adapt(&readme::adapt(text, &replacements), further);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("haproxy.cfg");
        fs::write(&path, text).unwrap();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let child = Command::new("haproxy")
            // Else two of them could share a port (-dR).
            .args(["-dR", "-db", "-f"])
            .arg(&path)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("haproxy is installed");
        let mut haproxy = Self { child, ipv4, ipv6, directory };
        let mut has_ended = false;
        wait_until("HAProxy listens", || {
            let listens = TcpStream::connect(ipv4).is_ok();
            has_ended = haproxy.child.try_wait().unwrap().is_some();
            listens || has_ended
        });
        assert!(!haproxy.log().contains(" : config : "), "it warns: {}", haproxy.log());
        assert!(!has_ended || haproxy.log().contains("cannot bind"), "{}", haproxy.log());
        (!has_ended).then_some(haproxy)
    }

    /// What it has reported.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// A connection from a loopback address, such as `127.0.0.2` or `::1`.
    pub(super) fn connect_from(&self, client: &str) -> Conversation {
        let client: IpAddr = client.parse().unwrap();
        Conversation::between(client, if client.is_ipv4() { self.ipv4 } else { self.ipv6 })
    }

    /// The answer to a request on a connection of its own.
    pub(super) fn get_from(&self, client: &str, target: &str) -> Reply {
        self.connect_from(client).get(target)
    }

    /// Connections of a client in the middle of `/large`, once the instances hold all of them.
    pub(super) fn transfers_from(
        &self,
        client: &str,
        count: usize,
        cluster: &Cluster,
    ) -> Vec<Conversation> {
        let transfers = self.begin("/large", client, count);
        // HAProxy's threads do not accept connections in the order in which they were opened.
        cluster.wait_until_all_hold(client, count);
        transfers
    }

    /// Requests of a client, each on a connection of its own.
    pub(super) fn begin(&self, target: &str, client: &str, count: usize) -> Vec<Conversation> {
        let begin = |_| {
            let mut conversation = self.connect_from(client);
            conversation.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            conversation
        };
        (0..count).map(begin).collect()
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(super) fn wait(mut self) -> ExitStatus {
        wait_for_exit(&mut self.child)
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        if thread::panicking() {
            let ended = self.child.try_wait();
            println!("HAProxy ({ended:?}) reported:\n{}", self.log());
        }
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
