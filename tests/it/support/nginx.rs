//! A real nginx.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::conversation::Conversation;
use super::wait_until;

/// A running nginx; killed when dropped.
pub(crate) struct Nginx {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Nginx {
    /// Serves HTTP with these directives in its `server` block.
    pub(crate) fn start(directives: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // nginx does not report a port that it chose, so the test picks a free one.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // One process, so that no worker remains when it is killed.
        let configuration = format!(
            "daemon off; master_process off; error_log stderr crit; pid {dir}/pid;\n\
             events {{ }}\n\
             http {{ access_log off; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b;\n\
             fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;\n\
             types {{ text/html html; }} default_type text/plain;\n\
             server {{ listen {address}; {directives} }} }}\n",
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

    pub(crate) fn connect(&self) -> Conversation {
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
