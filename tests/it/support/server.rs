//! The server of this package in the test's process, with a temporary root.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use http_concurrent::server::{
    Counts, Limits, Monitor, Reloaded, Reloader, Server, ServerConfig, Snapshot, Stopper, Timeouts,
};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tempfile::TempDir;

use super::conversation::{Conversation, Reply};
use super::site_certificate::{SiteCertificate, VERSIONS};
use super::{PATIENCE, wait_until};

/// The version of TLS that all servers and their connections use, if this variable of the environment is set.
pub(crate) const ALL_OVER_TLS: &str = "TESTS_OVER_TLS";

/// A running server; stopped when dropped.
pub(crate) struct TestServer {
    root: TempDir,
    address: SocketAddr,
    redirect_address: Option<SocketAddr>,
    monitor: Monitor,
    stopper: Stopper,
    reloader: Reloader,
    thread: Option<JoinHandle<()>>,
    tls: Option<Tls>,
}

/// The certificate of a server, and the client whose connections are made.
struct Tls {
    certificate: SiteCertificate,
    client: Arc<ClientConfig>,
}

impl TestServer {
    /// Serves an empty directory on a port chosen by the system, with the default settings except for
    /// long timeouts: a busy machine may exceed the defaults.
    pub(crate) fn start() -> Self {
        Self::with_config(|_| {})
    }

    pub(crate) fn with_limits(per_client: usize, total: usize) -> Self {
        Self::with_config(|config| config.limits = Limits { per_client, total })
    }

    pub(crate) fn with_config(configure: impl FnOnce(&mut ServerConfig)) -> Self {
        match env::var(ALL_OVER_TLS).as_deref() {
            Ok("1.2") => Self::launch(configure, &[&TLS12]),
            Ok("1.3") => Self::launch(configure, &[&TLS13]),
            _ => Self::launch(configure, &[]),
        }
    }

    /// The same over TLS; so are its connections, with any version.
    pub(crate) fn over_tls(configure: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::launch(configure, &VERSIONS)
    }

    /// With a client of these versions of TLS, or without TLS.
    fn launch(
        configure: impl FnOnce(&mut ServerConfig),
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let certificate = (!versions.is_empty()).then(SiteCertificate::new);
        let root = TempDir::new().unwrap();
        let mut config = ServerConfig {
            address: Some(Ipv4Addr::UNSPECIFIED.into()),
            port: 0,
            root: root.path().to_owned(),
            ..ServerConfig::default()
        };
        let Timeouts { head, idle, stall, drain_delay: _, drain: _ } = &mut config.timeouts;
        for timeout in [head, idle, stall] {
            *timeout = 2 * PATIENCE;
        }
        config.rates.minimum = 0;
        config.tls = certificate.as_ref().map(SiteCertificate::settings);
        configure(&mut config);
        let server = Server::start(&config).unwrap();
        let on_loopback =
            |address: SocketAddr| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port());
        let (address, redirect_address) = (server.address(), server.redirect_address());
        let (monitor, stopper) = (server.monitor(), server.stopper());
        let reloader = server.reloader();
        let tls = certificate.map(|certificate| {
            let client = certificate.client(versions);
            Tls { certificate, client }
        });
        let thread = thread::spawn(move || server.run().unwrap());
        Self {
            root,
            address: on_loopback(address),
            redirect_address: redirect_address.map(on_loopback),
            monitor,
            stopper,
            reloader,
            thread: Some(thread),
            tls,
        }
    }

    /// The served directory.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Writes a file beneath the root, and makes its directories.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the port for redirects.
    pub(crate) fn redirect_address(&self) -> SocketAddr {
        self.redirect_address.expect("it was asked for")
    }

    /// A connection from 127.0.0.1.
    pub(crate) fn connect(&self) -> Conversation {
        self.connect_from(1)
    }

    /// A connection from 127.0.0.`host`.
    pub(crate) fn connect_from(&self, host: u8) -> Conversation {
        self.connect_as(Ipv4Addr::new(127, 0, 0, host))
    }

    /// A connection from a loopback address.
    pub(crate) fn connect_as(&self, client: Ipv4Addr) -> Conversation {
        let conversation = Conversation::between(client.into(), self.address);
        match &self.tls {
            Some(tls) => conversation.over_tls(Arc::clone(&tls.client)),
            None => conversation,
        }
    }

    /// The certificate of a server over TLS.
    pub(crate) fn certificate(&self) -> &SiteCertificate {
        &self.tls.as_ref().expect("the server is over TLS").certificate
    }

    /// A connection from 127.0.0.1 without TLS.
    pub(crate) fn connect_raw(&self) -> Conversation {
        Conversation::between(Ipv4Addr::LOCALHOST.into(), self.address)
    }

    /// A connection from 127.0.0.1 to a server over TLS, of this client.
    pub(crate) fn connect_with(&self, client: &Arc<ClientConfig>) -> Conversation {
        Conversation::between(Ipv4Addr::LOCALHOST.into(), self.address).over_tls(Arc::clone(client))
    }

    /// Sends `requests` over a new connection, shuts down writing, and returns the responses. The server
    /// may close before it has read everything.
    pub(crate) fn ask(&self, requests: impl AsRef<[u8]>) -> Vec<Reply> {
        self.ask_as(Ipv4Addr::LOCALHOST, requests)
    }

    /// The same from a loopback address.
    pub(crate) fn ask_as(&self, client: Ipv4Addr, requests: impl AsRef<[u8]>) -> Vec<Reply> {
        let mut conversation = self.connect_as(client);
        let _ = conversation.try_send(requests);
        let _ = conversation.try_finish_sending();
        conversation.replies()
    }

    /// Requests `target` with further fields, each with its line ending.
    pub(crate) fn get_with(&self, target: &str, fields: &str) -> Reply {
        let mut replies =
            self.ask(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"));
        assert_eq!(replies.len(), 1, "{target} {fields:?}");
        replies.remove(0)
    }

    /// The only response to these bytes on a connection that the server's timeout ends. On a busy machine
    /// they may come after the deadline, and the server closes without a response: then they are sent
    /// again.
    pub(crate) fn answer_in_time(&self, bytes: impl AsRef<[u8]>) -> Reply {
        let mut replies = Vec::new();
        wait_until("the bytes come in time", || {
            let mut conversation = self.connect();
            let _ = conversation.try_send(&bytes);
            replies = conversation.replies();
            !replies.is_empty()
        });
        assert_eq!(replies.len(), 1);
        replies.remove(0)
    }

    /// What the server has counted since its start.
    pub(crate) fn counters(&self) -> Counts {
        self.snapshot().counters
    }

    /// Has the server read its passwords and certificates again.
    pub(crate) fn reload(&self) -> Reloaded {
        self.reloader.reload()
    }

    /// Stops the server without waiting for its end.
    pub(crate) fn stop(&self) {
        self.stopper.stop();
    }

    /// The same, without letting requests finish.
    pub(crate) fn stop_at_once(&self) {
        self.stopper.stop_at_once();
    }

    /// True if the server has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What it is doing at this moment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.monitor.snapshot()
    }

    /// Connections in the middle of a request.
    pub(crate) fn active(&self) -> usize {
        self.snapshot().clients.iter().map(|row| row.active).sum()
    }

    /// Connections that wait for a request, their first or their next.
    pub(crate) fn idle(&self) -> usize {
        self.snapshot().clients.iter().map(|row| row.idle).sum()
    }

    pub(crate) fn wait_for_connections(&self, count: usize) {
        wait_until(&format!("{count} connections are counted"), || self.snapshot().held == count);
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stopper.stop_at_once();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the accept loop panicked");
        }
    }
}
