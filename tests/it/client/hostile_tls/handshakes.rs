//! Handshakes that fail, stop or never end.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use super::{fetch, run};
use crate::support::certificates::{leaf, self_signed};
use crate::support::client::{program, stdout};
use crate::support::openssl::OpensslServer;
use crate::support::scripted::{Peer, Scripted, ok};
use crate::support::tls::TlsServer;

/// An unencrypted TLS record.
fn record(kind: u8, version: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind], &version[..], &length, payload].concat()
}

const TLS12: [u8; 2] = [3, 3];

/// A `ServerHello` (RFC 5246 §7.4.1.3) with this version and cipher suite, without session and extensions.
fn server_hello(version: [u8; 2], suite: [u8; 2]) -> Vec<u8> {
    let body = [&version[..], &[7; 32], &[0], &suite, &[0], &[0, 0]].concat();
    record(22, version, &[&[2, 0, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat())
}

/// A server that runs `script` after a `ClientHello`.
fn greeted(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |peer| {
        let mut stream = peer.stream();
        let mut head = [0; 5];
        stream.read_exact(&mut head).unwrap();
        assert_eq!((head[0], head[1]), (22, 3), "it is a handshake");
        let length = u16::from_be_bytes([head[3], head[4]]).into();
        stream.read_exact(&mut vec![0; length]).unwrap();
        script(peer);
    })
}

#[test]
fn a_handshake_that_fails_ends_at_once_and_says_why() {
    const ECDHE: [u8; 2] = [0xcc, 0xa9];
    let alert = |description| record(21, TLS12, &[2, description]);
    let hello = server_hello(TLS12, ECDHE);
    let half = hello[..hello.len() / 2].to_vec();
    for (what, bytes, reason) in [
        ("nothing", vec![], "the connection was closed during the handshake"),
        ("half a ServerHello", half, "the connection was closed during the handshake"),
        ("a ServerHello", hello.clone(), "the connection was closed during the handshake"),
        (
            "HTTP",
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".into(),
            "the server does not speak TLS",
        ),
        (
            "HTML",
            b"<html>You spoke TLS to an HTTP port</html>".into(),
            "the server does not speak TLS",
        ),
        ("mail", b"220 mail ESMTP\r\n".into(), "the server does not speak TLS"),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n".into(), "the server does not speak TLS"),
        ("zeros", vec![0; 100], "the server does not speak TLS"),
        (
            "TLS 1.0",
            server_hello([3, 1], [0xc0, 0x13]),
            "the server speaks neither TLS 1.2 nor 1.3",
        ),
        (
            "TLS 1.1",
            server_hello([3, 2], [0xc0, 0x13]),
            "the server speaks neither TLS 1.2 nor 1.3",
        ),
        ("SSL 3.0", server_hello([3, 0], [0, 0x35]), "the server speaks neither TLS 1.2 nor 1.3"),
        ("protocol_version", alert(70), "the server speaks neither TLS 1.2 nor 1.3"),
        ("handshake_failure", alert(40), "fatal alert: HandshakeFailure"),
        ("unrecognized_name", alert(112), "fatal alert: UnrecognisedName"),
        ("internal_error", alert(80), "fatal alert: InternalError"),
        (
            "close_notify",
            record(21, TLS12, &[1, 0]),
            "the connection was closed during the handshake",
        ),
        ("an unknown alert", alert(200), "fatal alert"),
        // RC4, which clients no longer offer, and an unassigned number.
        ("another cipher", server_hello(TLS12, [0, 5]), "a cipher suite that was not offered"),
        (
            "an unknown cipher",
            server_hello(TLS12, [0xfe, 0xfe]),
            "a cipher suite that was not offered",
        ),
        ("a record that is too long", record(22, TLS12, &vec![2; 0x5000]), "cannot speak TLS with"),
        (
            "a message that is too long",
            record(22, TLS12, &[2, 0xff, 0xff, 0xff, 0]),
            "cannot speak TLS with",
        ),
        (
            "content too early",
            record(23, TLS12, b"HTTP/1.1 200 OK\r\n\r\n"),
            "cannot speak TLS with",
        ),
        ("an empty record", record(22, TLS12, &[]), "cannot speak TLS with"),
        ("another message", record(22, TLS12, &[20, 0, 0, 1, 0]), "cannot speak TLS with"),
    ] {
        let server = greeted(move |peer| {
            peer.send(&bytes);
            let _ = peer.stream().shutdown(Shutdown::Write);
            peer.wait_for_close();
        });
        let url = format!("https://{}/file", server.address());
        let trusted = self_signed(&leaf(&["localhost"]));
        // The client must not wait: waiting would exceed the time limit.
        let fetched = fetch(&url, &[&trusted], &["--connect-timeout", "1h"]);
        fetched.assert_refused(reason, what);
        assert!(
            fetched.printed().contains("cannot speak TLS with 127.0.0.1: "),
            "{}",
            fetched.printed()
        );
    }
}

#[test]
fn a_reset_within_the_handshake_is_reported() {
    let server = greeted(Peer::reset);
    let url = format!("https://{}/file", server.address());
    let trusted = self_signed(&leaf(&["localhost"]));
    fetch(&url, &[&trusted], &[]).assert_refused("Connection reset by peer", "reset");
}

#[test]
fn a_handshake_that_breaks_off_in_its_first_flight_is_a_failure() {
    let identity = self_signed(&leaf(&["localhost"]));
    let real = TlsServer::presenting(&identity.0, &identity.1, |_| ok("Hello"));
    let address = real.address();
    // The first flight is longer than the certificate.
    for length in [50, 200, 500] {
        let server = Scripted::start(move |peer| {
            let mut to = TcpStream::connect(address).unwrap();
            let mut request = [0; 4096];
            let sent = peer.stream().read(&mut request).unwrap();
            to.write_all(&request[..sent]).unwrap();
            let mut flight = vec![0; length];
            to.read_exact(&mut flight).unwrap();
            peer.send(&flight);
        });
        let url = format!("https://localhost:{}/file", server.address().port());
        let fetched = fetch(&url, &[&identity], &[]);
        fetched.assert_refused("cannot speak TLS with localhost: ", "cut");
    }
    assert!(real.heads().is_empty());
}

#[test]
fn a_server_that_requires_a_client_certificate_is_reported_at_once() {
    let identity = self_signed(&leaf(&["localhost"]));
    let provider = Arc::new(ring::default_provider());
    let mut authorities = RootCertStore::empty();
    authorities.add(identity.0.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(authorities.into(), Arc::clone(&provider));
    let key = PrivateKeyDer::try_from(identity.1.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![identity.0.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let server = Scripted::start(move |peer| {
        let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        while connection.complete_io(&mut peer.stream()).is_ok() {}
        peer.wait_for_close();
    });
    let url = format!("https://localhost:{}/file", server.address().port());
    let fetched = fetch(&url, &[&identity], &["--retries", "2"]);
    fetched.assert_refused("the server requires a client certificate", "no certificate");
    assert_eq!(server.connections(), 1, "{}", fetched.printed());
}

#[test]
fn a_handshake_has_a_time_limit_even_if_bytes_keep_arriving() {
    type Script = fn(&mut Peer);
    let silence: Script = Peer::wait_for_close;
    // A large message, sent a byte at a time.
    let drip: Script = |peer| {
        peer.send([22, 3, 3, 0x3f, 0xff, 2, 0, 0xff, 0xff]);
        while peer.stream().write_all(&[0]).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    };
    let changes: Script = |peer| {
        let hello = server_hello(TLS12, [0xcc, 0xa9]);
        for byte in hello.iter().cycle() {
            if peer.stream().write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(200));
        }
    };
    for (what, script) in [("silence", silence), ("a byte at a time", drip), ("slow", changes)] {
        let server = greeted(script);
        let url = format!("https://{}/file", server.address());
        let trusted = self_signed(&leaf(&["localhost"]));
        let fetched = fetch(&url, &[&trusted], &["--connect-timeout", "1s", "--timeout", "1h"]);
        fetched.assert_refused("timed out: no TLS handshake for 1s", what);
    }
}

#[test]
fn a_tunnel_has_a_time_limit_even_if_bytes_keep_arriving() {
    let proxy = Scripted::start(|peer| {
        peer.read_request();
        peer.send("HTTP/1.1 200 Connection established\r\nX: ");
        while peer.stream().write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut command = program();
    command.env("https_proxy", proxy.url("")).args(["--retries", "0"]);
    command.args(["--connect-timeout", "1s", "--timeout", "1h"]);
    let trusted = self_signed(&leaf(&["localhost"]));
    let fetched = run(command, "https://nowhere.invalid/file", &[&trusted]);
    fetched.assert_refused("timed out: no connection for 1s", "a head that never ends");
}

#[test]
#[ignore = "needs openssl"]
fn an_openssl_server_with_an_old_tls_is_reported_as_such() {
    let directory = tempfile::tempdir().unwrap();
    for version in ["-tls1", "-tls1_1"] {
        let options = [version, "-cipher", "ALL:@SECLEVEL=0"];
        let server = OpensslServer::start(directory.path(), &options);
        let authority = directory.path().join("cert.pem");
        let mut command = program();
        command.args(["--retries", "0", "-urls", &server.url("localhost", "/file")]);
        let output = command.arg("--cacert").arg(authority).current_dir(directory.path()).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(
            stdout(&output).contains("the server speaks neither TLS 1.2 nor 1.3"),
            "{output:?}"
        );
    }
}
