//! The port for redirects: what it answers, under which limits, and its end.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use http_concurrent::server::{CertificateFiles, Limits, ServerConfig, StatusAccess, TlsSettings};
use rustix::process::Signal;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::access::passwords::SECRET;
use crate::support::certificates::{Identity, leaf, self_signed};
use crate::support::client;
use crate::support::conversation::{Conversation, Reply};
use crate::support::program::{ServerProgram, run_server};
use crate::support::server::TestServer;
use crate::support::{PATIENCE, wait_until};

const HSTS: &str = "Strict-Transport-Security";

const REQUEST: &str = "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server with a certificate and a port for redirects, and its directory.
struct Redirecting {
    server: ServerProgram,
    identity: Identity,
    directory: TempDir,
}

impl Redirecting {
    /// Serves `a.txt` and an error page for 400, with the field that asks for TLS.
    fn start(arguments: &[&str]) -> Self {
        let (identity, directory) = (self_signed(&leaf(&["localhost", "127.0.0.1"])), tempdir());
        let certificate = write(&directory, "site.pem", &identity.0.pem());
        let key = write(&directory, "site.key", &identity.1.serialize_pem());
        let root = directory.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("a.txt"), "Hello").unwrap();
        fs::write(root.join("400.html"), "<title>My page</title>").unwrap();
        let field = format!("{HSTS}: max-age=9");
        let always = [
            ["-p", "0"],
            ["--redirect-http", "0"],
            ["--tls-cert", certificate.to_str().unwrap()],
            ["--tls-key", key.to_str().unwrap()],
            ["--header", &field],
            ["--error-page", "400.html"],
        ];
        let server = ServerProgram::start(&root, &[always.as_flattened(), arguments].concat());
        Self { server, identity, directory }
    }

    fn address(&self, scheme: &str) -> SocketAddr {
        let (_, rest) =
            self.server.announcement.split_once(&format!("{scheme}://127.0.0.1:")).unwrap();
        let port = rest.split_once('/').unwrap().0.parse().unwrap();
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// A connection from 127.0.0.`host` to the port for redirects.
    fn connect(&self, host: u8) -> Conversation {
        connect(self.address("http"), host)
    }
}

/// Gets a target over TLS, and returns the whole response.
fn get_encrypted(identity: &Identity, address: SocketAddr, target: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(identity.0.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

fn tempdir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// The only response on a connection.
fn last_reply(conversation: &mut Conversation, request: impl AsRef<[u8]>) -> Reply {
    let reply = conversation.send(request).reply();
    assert_eq!(reply.field("Connection"), Some("close"), "{:?}", reply.head());
    assert_eq!(reply.field(HSTS), None, "{:?}", reply.head());
    conversation.expect_end();
    reply
}

#[test]
fn every_request_is_redirected_to_the_port_for_files_and_nothing_else_is_served() {
    let directory = tempdir();
    let users = write(&directory, "users", &format!("alice:{SECRET}\n"));
    let log = directory.path().join("access.log");
    let redirecting = Redirecting::start(&[
        "--auth",
        users.to_str().unwrap(),
        "--status-path",
        "/status",
        "--access-log",
        log.to_str().unwrap(),
    ]);
    let port = redirecting.address("https").port();
    for (request, status, location) in [
        ("GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", 301, "localhost:PORT/a.txt"),
        (
            "GET /status?format=json HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
            301,
            "[::1]:PORT/status?format=json",
        ),
        ("GET /none HTTP/1.0\r\n\r\n", 301, "127.0.0.1:PORT/none"),
        ("POST /a HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\n\r\nabc", 308, "a:PORT/a"),
    ] {
        let reply = last_reply(&mut redirecting.connect(1), request);
        let location = format!("https://{}", location.replace("PORT", &port.to_string()));
        assert_eq!((reply.status, reply.field("Location")), (status, Some(&*location)));
        assert!(reply.text().contains("over https only"), "{}", reply.text());
    }
    let mut head = redirecting.connect(1);
    head.send("HEAD /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(head.reply_to_head().status, 301);
    head.expect_end();
    // The password is asked for over TLS, and nowhere else.
    assert!(
        get_encrypted(&redirecting.identity, redirecting.address("https"), "/a.txt")
            .starts_with("HTTP/1.1 401 ")
    );
    redirecting.server.signal(Signal::TERM);
    assert_eq!(redirecting.server.wait().0.code(), Some(0));
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("\" 301 ").count(), 4, "{log}");
    assert!(log.contains("\"POST /a HTTP/1.1\" 308 "), "{log}");
}

#[test]
fn a_malformed_request_is_refused_without_the_page_of_the_operator() {
    let redirecting = Redirecting::start(&[]);
    for request in [
        "GET /a.txt HTTP/1.1\r\nAccept: text/html\r\n\r\n",
        "GET /../a HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n",
        "\u{16}\u{3}\u{1}",
    ] {
        let mut conversation = redirecting.connect(1);
        if request.starts_with('\u{16}') {
            conversation.send(request).finish_sending();
            assert_eq!(conversation.reply().status, 400, "a handshake has no place here");
            continue;
        }
        let reply = last_reply(&mut conversation, request);
        assert_eq!(reply.status, 400, "{request}");
        assert!(!reply.text().contains("My page"), "{}", reply.text());
    }
}

/// The same within this process.
fn in_process(configure: impl FnOnce(&mut ServerConfig)) -> (TestServer, Identity) {
    let (identity, directory) = (self_signed(&leaf(&["localhost"])), tempdir());
    let certificate = write(&directory, "site.pem", &identity.0.pem());
    let key = write(&directory, "site.key", &identity.1.serialize_pem());
    let server = TestServer::with_config(|config| {
        config.tls = Some(TlsSettings { pairs: vec![CertificateFiles { certificate, key }] });
        config.redirect_port = Some(0);
        config.extra_fields.further = vec![format!("{HSTS}: max-age=9").parse().unwrap()];
        configure(config);
    });
    server.file("a.txt", "Hello");
    (server, identity)
}

fn connect(address: SocketAddr, host: u8) -> Conversation {
    Conversation::between(IpAddr::from([127, 0, 0, host]), address)
}

#[test]
fn a_request_to_use_tls_only_is_sent_over_tls_only() {
    let (server, identity) = in_process(|config| config.limits.per_client = 1);
    let ports = [server.address(), server.redirect_address()];
    let response = get_encrypted(&identity, server.address(), "/a.txt");
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(response.contains("\r\nStrict-Transport-Security: max-age=9\r\n"), "{response}");
    server.wait_for_connections(0);
    // Over plain connections there are the 400 on the port for files, and rejections on both.
    assert_eq!(last_reply(&mut connect(ports[0], 2), REQUEST).status, 400);
    for held in ports {
        server.wait_for_connections(0);
        let _held = connect(held, 3);
        server.wait_for_connections(1);
        for port in ports {
            assert_eq!(last_reply(&mut connect(port, 3), REQUEST).status, 429);
        }
    }
}

#[test]
fn both_ports_share_the_limits_and_the_proxy_header() {
    let (server, _) = in_process(|config| {
        config.limits = Limits { per_client: 1, total: 2 };
        config.identification.proxies = vec!["127.0.0.9/32".parse().unwrap()];
        config.networks.deny = vec!["127.0.0.5/32".parse().unwrap()];
        config.status =
            Some(StatusAccess { path: "/status".to_owned(), ..StatusAccess::default() });
    });
    let (files, redirect) = (server.address(), server.redirect_address());
    assert_eq!(connect(redirect, 5).send(REQUEST).reply().status, 403);
    let of_client = "PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n";
    let proxied = || connect(redirect, 9).send(format!("{of_client}{REQUEST}")).reply().status;
    assert_eq!(proxied(), 301);
    server.wait_for_connections(0);
    let mut held = connect(files, 9);
    held.send(of_client);
    wait_until("the client holds its slot", || server.snapshot().holders == 1);
    assert_eq!(proxied(), 429);
    server.wait_for_connections(1);
    let _other = connect(files, 2);
    server.wait_for_connections(2);
    // No place is reserved for those who may see the status: they do not see it here.
    let request = "GET /status HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(connect(redirect, 3).send(request).reply().status, 503);
}

#[test]
fn a_redirected_client_finds_its_slot_free() {
    let (server, identity) = in_process(|config| {
        config.limits.per_client = 1;
        config.rates.maximum.total = Some(1 << 20);
    });
    for _ in 0..50 {
        let mut redirected = connect(server.redirect_address(), 1);
        let reply = redirected.send(REQUEST).reply();
        assert_eq!(reply.status, 301);
        let response = get_encrypted(&identity, server.address(), "/a.txt");
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        redirected.expect_end();
        server.wait_for_connections(0);
    }
}

/// A download from the port for redirects.
#[test]
fn our_client_follows_to_the_file() {
    let redirecting = Redirecting::start(&["-maxclient", "1"]);
    let output = tempdir();
    let url = format!("http://127.0.0.1:{}/a.txt", redirecting.address("http").port());
    let certificate = redirecting.directory.path().join("site.pem");
    let certificate = certificate.to_str().unwrap();
    let arguments = ["-q", "--retries", "0", "--cacert", certificate, "-o", "out", "-urls", &url];
    let run = client::run(&arguments, output.path());
    assert_eq!(run.status.code(), Some(0), "{}", client::stderr(&run));
    assert_eq!(fs::read(output.path().join("out/a.txt")).unwrap(), b"Hello");
}

#[test]
fn a_connection_waits_for_its_slot_on_the_port_for_redirects_too() {
    let redirecting = Redirecting::start(&["-maxclient", "1", "--wait-for-slot", "1h"]);
    let mut held = redirecting.connect(2);
    held.send("GET /a HTTP/1.1\r\nHo");
    let mut waiting = redirecting.connect(2);
    waiting.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(last_reply(&mut held, "st: a\r\n\r\n").status, 301);
    assert_eq!(last_reply(&mut waiting, "").status, 301);
}

#[test]
fn a_stop_closes_both_ports_and_loses_no_redirect_that_was_asked_for() {
    let redirecting = Redirecting::start(&["-q", "-maxclient", "60", "--drain-timeout", "1h"]);
    let addresses = ["http", "https"].map(|scheme| redirecting.address(scheme));
    redirecting.server.signal(Signal::STOP);
    let mut conversations: Vec<_> = (0..50).map(|_| redirecting.connect(1)).collect();
    for conversation in &mut conversations {
        conversation.send(REQUEST);
    }
    redirecting.server.signal(Signal::TERM);
    redirecting.server.signal(Signal::CONT);
    for conversation in &mut conversations {
        assert_eq!(last_reply(conversation, "").status, 301);
    }
    for address in addresses {
        wait_until("new ones are refused", || TcpStream::connect(address).is_err());
    }
    assert_eq!(redirecting.server.wait().0.code(), Some(0));
}

#[test]
fn a_port_that_cannot_be_used_is_an_error_that_names_the_option() {
    let directory = tempdir();
    let identity = self_signed(&leaf(&["localhost"]));
    let certificate = write(&directory, "site.pem", &identity.0.pem());
    let key = write(&directory, "site.key", &identity.1.serialize_pem());
    let [certificate, key] = [&certificate, &key].map(|path| path.to_str().unwrap());
    let taken = TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let tls = ["--tls-cert", certificate, "--tls-key", key];
    let (status, text) = run_server(&[&tls[..], &["-p", "0", "--redirect-http", &port]].concat());
    assert_eq!(status, 1, "{text}");
    for part in [&port, "in use", "choose another port with --redirect-http"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Serving"), "{text}");
    for (arguments, parts) in [
        (&["-p", "4711", "--redirect-http", "4711"][..], ["--redirect-http", "4711", "--port"]),
        (&["--redirect-http", "x"], ["'x'", "--redirect-http", "1 to 65535"]),
    ] {
        let (status, text) = run_server(&[&tls[..], arguments].concat());
        assert_eq!(status, 2, "{text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
    let (status, text) = run_server(&["--redirect-http", "4711"]);
    assert_eq!(status, 2, "{text}");
    assert!(text.contains("--tls-cert"), "{text}");
}
