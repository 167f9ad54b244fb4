//! The server behind nginx's stream module, which sends PROXY headers.
//!
//! Their destination is the address at which nginx was reached, whatever the family of the source that the
//! proxy in front of it named.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use http_concurrent::server::Limits;
use tempfile::TempDir;

use crate::support::conversation::Conversation;
use crate::support::server::TestServer;
use crate::support::wait_until;

const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// A running nginx that relays connections; killed when dropped.
struct NginxStream {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl NginxStream {
    /// Listens on a port of `host` and sends PROXY headers to `server`. With `realip` its own clients are
    /// proxies that send PROXY headers to it.
    fn start(host: &str, realip: &str, server: SocketAddr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // nginx does not report a port that it chose, so the test picks a free one.
        let address = TcpListener::bind((host, 0)).unwrap().local_addr().unwrap();
        let (listen, trusted) = match realip {
            "" => (address.to_string(), String::new()),
            from => (format!("{address} proxy_protocol"), format!("set_real_ip_from {from};")),
        };
        let path = directory.path().join("nginx.conf");
        let configuration = format!(
            "load_module {MODULE};\ndaemon off;\nmaster_process off;\npid {0}/pid;\n\
             error_log stderr;\nevents {{}}\n\
             stream {{ server {{ listen {listen}; {trusted} proxy_pass {server}; proxy_protocol on; }} }}\n",
            directory.path().display()
        );
        fs::write(&path, configuration).unwrap();
        let child = Command::new("nginx")
            .args(["-e", "stderr", "-c"])
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        let nginx = Self { child, address, _directory: directory };
        wait_until("nginx listens", || TcpStream::connect(address).is_ok());
        nginx
    }

    fn connect(&self) -> Conversation {
        Conversation::between(self.address.ip(), self.address)
    }
}

impl Drop for NginxStream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs nginx with stream"]
fn clients_behind_nginx_are_told_apart_whatever_the_families_of_the_two_addresses() {
    for (host, realip, header, client) in [
        ("127.0.0.1", "", "", "127.0.0.1"),
        ("::1", "", "", "::/64"),
        ("127.0.0.1", "127.0.0.1", "TCP6 2001:db8::77 2001:db8::1", "2001:db8::/64"),
        ("127.0.0.1", "127.0.0.1", "TCP6 ::ffff:192.0.2.7 ::1", "192.0.2.7"),
        ("::1", "::1", "TCP4 192.0.2.7 192.0.2.1", "192.0.2.7"),
    ] {
        let server = TestServer::with_config(|config| {
            config.limits = Limits { per_client: 1, total: 60 };
            config.identification.proxies = vec!["127.0.0.1/32".parse().unwrap()];
        });
        server.file("a.txt", "Hello");
        let nginx = NginxStream::start(host, realip, server.address());
        let connect = |header: &str| {
            let mut conversation = nginx.connect();
            if !header.is_empty() {
                conversation.send(format!("PROXY {header} 51512 21007\r\n"));
            }
            conversation
        };
        if realip.is_empty() {
            // The connection that tested whether nginx listens is relayed as well.
            wait_until("the connection is counted", || server.counters().connections == 1);
            server.wait_for_connections(0);
        }
        let mut held = connect(header);
        assert_eq!(held.get("/a.txt").text(), "Hello", "{header}");
        let rejected = connect(header).reply();
        assert_eq!(rejected.status, 429, "{header}");
        assert!(rejected.text().contains(client), "{client}: {}", rejected.text());
        if !header.is_empty() {
            assert_eq!(connect("TCP4 198.51.100.1 ::1").get("/a.txt").status, 200, "{header}");
        }
    }
}
