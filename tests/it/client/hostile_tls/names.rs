//! Valid certificates for other names.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;

use rcgen::{DnType, SanType};

use super::run;
use crate::support::certificates::{authority, leaf, self_signed, signed};
use crate::support::client::program;
use crate::support::scripted::{Scripted, ok};
use crate::support::tls::TlsServer;

/// A proxy that connects every tunnel to `server`.
fn tunnel_to(server: &TlsServer) -> Scripted {
    let address = server.address();
    Scripted::start(move |peer| {
        peer.read_request();
        peer.send("HTTP/1.1 200 Connection established\r\n\r\n");
        let mut to = TcpStream::connect(address).unwrap();
        let mut from = peer.stream().try_clone().unwrap();
        let mut back = (to.try_clone().unwrap(), peer.stream().try_clone().unwrap());
        thread::spawn(move || pass_on(&mut back.0, &mut back.1));
        pass_on(&mut from, &mut to);
    })
}

fn pass_on(from: &mut TcpStream, to: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn a_certificate_is_valid_for_its_own_names_only() {
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let with_names = |common_name: &str, names: Vec<SanType>| {
        let mut parameters = leaf(&[]);
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        parameters.subject_alt_names = names;
        parameters
    };
    for (common_name, names, host, is_good) in [
        ("x", vec![dns("example.org")], "example.org", true),
        ("x", vec![dns("EXAMPLE.org")], "example.org", true),
        ("x", vec![dns("example.com"), dns("example.org")], "example.org", true),
        ("x", vec![dns("example.com")], "example.org", false),
        ("x", vec![dns("example.org")], "www.example.org", false),
        ("x", vec![dns("www.example.org")], "example.org", false),
        ("x", vec![dns("example.org")], "notexample.org", false),
        ("x", vec![dns("*.example.org")], "www.example.org", true),
        ("x", vec![dns("*.example.org")], "example.org", false),
        ("x", vec![dns("*.example.org")], "a.b.example.org", false),
        ("x", vec![dns("*")], "localhost", false),
        ("x", vec![dns("*.*.org")], "www.example.org", false),
        ("x", vec![dns("w*.example.org")], "www.example.org", false),
        ("x", vec![dns("*w.example.org")], "www.example.org", false),
        // A name in the subject does not count (RFC 9525 §2).
        ("example.org", vec![], "example.org", false),
        ("example.org", vec![dns("example.com")], "example.org", false),
        ("127.0.0.1", vec![], "127.0.0.1", false),
        ("x", vec![dns("127.0.0.1")], "127.0.0.1", false),
        ("x", vec![SanType::IpAddress([127, 0, 0, 1].into())], "127.0.0.1", true),
        ("x", vec![SanType::IpAddress([127, 0, 0, 2].into())], "127.0.0.1", false),
        ("x", vec![SanType::URI("https://example.org".try_into().unwrap())], "example.org", false),
    ] {
        let root = authority(&["root.example"]);
        let of_root = self_signed(&root);
        let what = format!("{common_name} {names:?} for {host}");
        let identity = signed(&with_names(common_name, names), &root, &of_root.1);
        let server = TlsServer::presenting(&identity.0, &identity.1, |_| ok("Hello"));
        let proxy = tunnel_to(&server);
        let mut command = program();
        command.env("https_proxy", proxy.url("")).args(["--retries", "0"]);
        let fetched = run(command, &format!("https://{host}/file"), &[&of_root]);
        if is_good {
            fetched.assert_whole(b"Hello", &what);
        } else {
            fetched.assert_refused("not valid for", &what);
            assert!(server.heads().is_empty(), "{what}: it was asked for something");
        }
    }
}
