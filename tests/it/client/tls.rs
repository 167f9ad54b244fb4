//! The client over TLS, through proxies, and across redirects between hosts and schemes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use http_concurrent::client::{Downgrade, FetchError, Proxies, Settings, Trust};
use http_concurrent::net::BodyError;

use crate::support::fetching::{fetch, fetch_with, settings};
use crate::support::scripted::{Scripted, answer, ok, redirect};
use crate::support::tls::TlsServer;

fn trusting(server: &TlsServer) -> Settings {
    Settings { trust: Trust::from_file(&server.authority()).unwrap(), ..settings(1) }
}

#[test]
fn a_trusted_server_is_used_over_one_kept_connection() {
    let server =
        TlsServer::answering(&["localhost", "127.0.0.1"], |target| ok(target.repeat(9999)));
    let urls = [server.url("localhost", "/1"), server.url("localhost", "/2")];
    let fetched = fetch_with(&trusting(&server), &urls);
    fetched.assert_success();
    assert_eq!(fetched.content("2"), "/2".repeat(9999).as_bytes());
    let phases = fetched.run.outcomes.iter().map(|outcome| outcome.phases);
    let handshakes = phases.filter(|phases| !phases.tls.is_zero()).count();
    assert_eq!((handshakes, server.heads().len()), (1, 2));
    fetch_with(&trusting(&server), &[server.url("127.0.0.1", "/1")]).assert_success();
}

#[test]
fn an_untrusted_certificate_or_one_for_another_name_is_refused_without_a_retry() {
    let server = TlsServer::answering(&["example.org"], |_| ok("secret"));
    let url = [server.url("localhost", "/file")];
    for settings in [settings(1), trusting(&server)] {
        let settings = Settings { retry: Settings::default().retry, ..settings };
        let fetched = fetch_with(&settings, &url);
        assert_eq!(fetched.run.outcomes[0].attempts, 1);
        let error = fetched.into_failure();
        assert!(matches!(error, FetchError::Tls { .. }), "{error:?}");
    }
    let settings = Settings { trust: Trust::any_certificate(), ..settings(1) };
    fetch_with(&settings, &url).assert_success();
    assert_eq!(server.heads().len(), 1, "nothing was asked of a server that was not trusted");
}

#[test]
fn a_server_without_tls_is_a_failure() {
    let server = Scripted::start(|peer| {
        peer.send("220 mail ESMTP\r\n");
        peer.wait_for_close();
    });
    let url = server.url("/file").replace("http:", "https:");
    let error = fetch(1, &[url]).into_failure();
    assert!(matches!(&error, FetchError::Tls { .. }) && !error.is_transient(), "{error:?}");
}

#[test]
fn a_body_cut_off_within_tls_is_not_complete() {
    let server = TlsServer::answering(&["localhost"], |_| {
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nHalf".to_vec()
    });
    let error = fetch_with(&trusting(&server), &[server.url("localhost", "/file")]).into_failure();
    assert!(matches!(error, FetchError::Body(BodyError::Io(_))), "{error:?}");
}

#[test]
fn credentials_and_secret_fields_stay_with_their_host() {
    let other = Scripted::answering(|_| ok("there"));
    let target = other.url("/far");
    let server = Scripted::answering(move |path| match path {
        "/near" => redirect(302, "/nearer"),
        "/nearer" => redirect(302, &target),
        _ => unreachable!(),
    });
    let mut settings = settings(1);
    settings.fields.add("Cookie: c=1").unwrap();
    settings.fields.add("X-Public: yes").unwrap();
    let url = server.url("/near").replace("http://", "http://user:pass@");
    fetch_with(&settings, &[url]).assert_success();
    for head in server.heads() {
        assert!(head.contains("Authorization: Basic dXNlcjpwYXNz\r\n"), "{head}");
        assert!(head.contains("Cookie: c=1\r\n"), "{head}");
    }
    let head = &other.heads()[0];
    assert!(!head.contains("Authorization") && !head.contains("Cookie"), "{head}");
    assert!(head.contains("X-Public: yes\r\n"), "{head}");
}

#[test]
fn a_redirect_from_https_to_http_needs_permission() {
    let plain = Scripted::answering(|_| ok("plain"));
    let target = plain.url("/file");
    let server = TlsServer::answering(&["localhost"], move |_| redirect(302, &target));
    let url = [server.url("localhost", "/start")];
    let error = fetch_with(&trusting(&server), &url).into_failure();
    assert!(matches!(error, FetchError::Downgrade(_)), "{error:?}");
    assert_eq!(plain.connections(), 0);
    let allowing = Settings { downgrade: Downgrade::Allow, ..trusting(&server) };
    fetch_with(&allowing, &url).assert_success();
    // The other direction needs no permission.
    let secure = TlsServer::answering(&["localhost"], |_| ok("secure"));
    let target = secure.url("localhost", "/file");
    let plain = Scripted::answering(move |_| redirect(301, &target));
    fetch_with(&trusting(&secure), &[plain.url("/x")]).assert_success();
}

fn through(proxy: &Scripted) -> Proxies {
    let value = proxy.url("").replace("http://", "http://me:pw@");
    Proxies::from_variables(|name| {
        matches!(name, "http_proxy" | "https_proxy").then(|| value.clone())
    })
}

#[test]
fn a_proxy_is_told_the_whole_url_and_who_asks() {
    let proxy = Scripted::answering(|target| ok(target));
    let settings = Settings { proxies: through(&proxy), ..settings(1) };
    let fetched = fetch_with(&settings, &["http://nowhere.invalid/file?x".to_owned()]);
    fetched.assert_success();
    assert_eq!(fetched.content("file"), b"http://nowhere.invalid/file?x");
    let head = &proxy.heads()[0];
    assert!(head.contains("Host: nowhere.invalid\r\n"), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic bWU6cHc=\r\n"), "{head}");
}

#[test]
fn https_uses_a_tunnel_and_a_refusal_of_the_proxy_is_reported() {
    let server = TlsServer::answering(&["nowhere.invalid"], |_| ok("through"));
    let address = server.address();
    let proxy = Scripted::start(move |peer| {
        peer.read_request();
        peer.send("HTTP/1.1 200 Connection established\r\n\r\n");
        let mut to = TcpStream::connect(address).unwrap();
        let mut from = peer.stream().try_clone().unwrap();
        let mut back = (to.try_clone().unwrap(), peer.stream().try_clone().unwrap());
        thread::spawn(move || copy(&mut back.0, &mut back.1));
        copy(&mut from, &mut to);
    });
    let settings = Settings { proxies: through(&proxy), ..trusting(&server) };
    let url = ["https://nowhere.invalid/file".to_owned()];
    fetch_with(&settings, &url).assert_success();
    let connect = &proxy.heads()[0];
    assert!(connect.starts_with("CONNECT nowhere.invalid:443 HTTP/1.1\r\n"), "{connect}");
    assert!(connect.contains("Proxy-Authorization: Basic bWU6cHc=\r\n"), "{connect}");
    assert!(!server.heads()[0].contains("Proxy-Authorization"), "{:?}", server.heads());

    let refusing = Scripted::answering(|_| answer("407 Proxy Authentication Required", "", ""));
    let settings = Settings { proxies: through(&refusing), ..trusting(&server) };
    let error = fetch_with(&settings, &url).into_failure();
    assert!(matches!(error, FetchError::Tunnel(status) if status.code() == 407), "{error:?}");
}

/// Copies bytes both ways until one side ends.
fn copy(from: &mut TcpStream, to: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
