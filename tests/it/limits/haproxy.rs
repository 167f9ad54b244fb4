//! The server behind a real HAProxy that sends PROXY headers.

use std::fs;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_concurrent::server::{Limits, StatusAccess};
use tempfile::TempDir;

use crate::support::conversation::Conversation;
use crate::support::server::TestServer;
use crate::support::wait_until;

/// A running `HAProxy`; stopped when dropped.
struct HaProxy {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl HaProxy {
    /// Relays connections to `server`; `how` ends its line in the configuration.
    fn start(server: SocketAddr, how: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // HAProxy does not report a port that it chose, so the test picks a free one.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let configuration = format!(
            "defaults\n  mode tcp\n  timeout connect 20s\n  timeout client 20s\n  timeout server 20s\n\
             listen relay\n  bind {address}\n  server files {server} {how}\n"
        );
        let path = directory.path().join("haproxy.cfg");
        fs::write(&path, configuration).unwrap();
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("haproxy is installed");
        wait_until("HAProxy listens", || TcpStream::connect(address).is_ok());
        Self { child, address, _directory: directory }
    }

    fn connect_from(&self, host: u8) -> Conversation {
        Conversation::between(IpAddr::from([127, 0, 0, host]), self.address)
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs haproxy"]
fn clients_behind_haproxy_are_told_apart_in_both_versions() {
    for how in ["send-proxy", "send-proxy-v2"] {
        let server = TestServer::with_config(|config| {
            config.limits = Limits { per_client: 1, total: 60 };
            config.identification.proxies = vec!["127.0.0.1/32".parse().unwrap()];
        });
        server.file("a.txt", "Hello");
        let proxy = HaProxy::start(server.address(), how);
        server.wait_for_connections(0);
        let mut held = proxy.connect_from(2);
        assert_eq!(held.get("/a.txt").text(), "Hello", "{how}");
        let rejected = proxy.connect_from(2).get("/a.txt");
        assert_eq!(rejected.status, 429, "{how}");
        assert!(rejected.text().contains("127.0.0.2"), "{how}: {}", rejected.text());
        assert_eq!(proxy.connect_from(3).get("/a.txt").status, 200, "{how}");
    }
}

#[test]
#[ignore = "needs haproxy"]
fn haproxy_checks_the_health_of_a_server_that_names_its_address() {
    for how in ["send-proxy", "send-proxy-v2"] {
        let server = TestServer::with_config(|config| {
            config.identification.proxies = vec!["127.0.0.1/32".parse().unwrap()];
            config.status = Some(StatusAccess {
                path: "/server-status".to_owned(),
                allow: vec!["127.0.0.1/32".parse().unwrap()],
                ..StatusAccess::default()
            });
            config.timeouts.drain_delay = Duration::from_secs(3600);
        });
        server.file("a.txt", "Hello");
        let how = format!("{how} check inter 50ms\n  option httpchk GET /server-status");
        let proxy = HaProxy::start(server.address(), &how);
        let checks = || server.counters().responses_2xx;
        wait_until("it is healthy", || checks() > 2);
        assert_eq!(proxy.connect_from(2).get("/a.txt").text(), "Hello", "{how}");
        server.stop();
        // HAProxy closes connections while it has no server.
        wait_until("no more clients are sent to it", || {
            let mut conversation = proxy.connect_from(2);
            let _ = conversation.try_send("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
            conversation.stream().read(&mut [0]).map_or(true, |count| count == 0)
        });
        assert!(!server.has_ended());
    }
}
