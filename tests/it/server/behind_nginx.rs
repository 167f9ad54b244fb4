//! The server behind a real nginx that fetches each file in slices, with a range request for each.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::conversation::Conversation;
use crate::support::ranged::pattern;
use crate::support::server::TestServer;
use crate::support::wait_until;

/// A running nginx; killed when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Nginx {
    /// Fetches everything from `server` in slices of 64 KiB (`ngx_http_slice_module`).
    fn slicing(server: SocketAddr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // nginx does not report a port that it chose, so the test picks a free one.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // One process, so that no worker remains when it is killed.
        let configuration = format!(
            "daemon off; master_process off; error_log stderr crit; pid {dir}/pid;\n\
             events {{ }}\n\
             http {{ access_log off; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b;\n\
             fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;\n\
             server {{ listen {address};\n\
             location / {{ slice 64k; proxy_pass http://{server}; proxy_http_version 1.1;\n\
             proxy_set_header Range $slice_range; }} }} }}\n",
            dir = directory.path().display(),
        );
        let path = directory.path().join("nginx.conf");
        fs::write(&path, configuration).unwrap();
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        wait_until("nginx listens", || TcpStream::connect(address).is_ok());
        Self { child, address, _directory: directory }
    }

    fn connect(&self) -> Conversation {
        Conversation::between(self.address.ip(), self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs nginx"]
fn files_of_every_length_come_through_nginxs_slices() {
    let server = TestServer::start();
    let nginx = Nginx::slicing(server.address());
    for length in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        server.file("file.bin", pattern(length));
        let reply = nginx.connect().get("/file.bin");
        assert_eq!(reply.status, 200, "{length}");
        assert!(reply.body == pattern(length), "{length}: {} came", reply.body.len());
    }
    let mut conversation = nginx.connect();
    let fields = "Host: localhost\r\nRange: bytes=199990-\r\n";
    let reply = conversation.send(format!("GET /file.bin HTTP/1.1\r\n{fields}\r\n")).reply();
    assert_eq!((reply.status, reply.body), (206, pattern(200_000)[199_990..].to_vec()));
}
