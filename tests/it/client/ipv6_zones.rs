//! IPv6 addresses with a zone.

use std::net::TcpListener;

use crate::support::client::{run, stderr};
use crate::support::program::SERVER;
use crate::support::scripted::{Scripted, ok};
use crate::support::with_patience;

#[test]
fn an_unknown_zone_is_reported_and_nothing_is_fetched() {
    let directory = tempfile::tempdir().unwrap();
    for url in ["http://[fe80::1%25no-such-link]/", "http://[fe80::1%no-such-link]/"] {
        let output = run(&["-urls", url], directory.path());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let message = stderr(&output);
        assert!(message.contains("this machine has no interface \"no-such-link\""), "{message}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_zone_selects_the_link_and_is_not_sent_to_the_host() {
    // Without IPv6 there is nothing to connect to.
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let server = Scripted::start_on("[::1]:0", |peer| {
        while peer.read_request().is_some() {
            peer.send(ok("Hello"));
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let port = server.address().port();
    let url = format!("http://[::1%25lo]:{port}/a");
    let output = run(&["-urls", &url, "-o", "out", "--keep-paths"], directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let head = &server.heads()[0];
    assert!(head.contains(&format!("\r\nHost: [::1]:{port}\r\n")), "{head}");
    let host = std::fs::read_dir(directory.path().join("out")).unwrap().next().unwrap().unwrap();
    let name = host.file_name().into_string().unwrap();
    assert!(!name.contains("lo"), "{name}");
}

/// In a network namespace, whose loopback interface is given a link-local address.
#[test]
#[ignore = "needs iproute2 and root"]
fn a_link_local_address_is_reached_on_its_link() {
    const SHOWN: &str = "http://[fe80::2%25lo]:20001/c";
    const SCRIPT: &str = r#"
        set -e
        ip link set lo up
        ip -6 address add fe80::2/64 dev lo nodad
        "$1" -q -p 20001 --bind :: >ready & server=$!
        trap 'kill $server' EXIT
        for _ in $(seq 2000); do [ -s ready ] && break; sleep 0.05; done
        "$2" -q -urls "http://[fe80::2%25lo]:20001/a" "http://[fe80::2%1]:20001/b" -o out
        export no_proxy=fe80::2 http_proxy=socks5://127.0.0.1
        "$2" -q -urls "http://[fe80::2%lo]:20001/c" -o out --retries 0 --json json --har har --failed-list failed
    "#;
    let directory = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::write(directory.path().join(name), name).unwrap();
    }
    let output = with_patience()
        .args(["unshare", "--net", "sh", "-c", SCRIPT, "sh", SERVER])
        .arg(env!("CARGO_BIN_EXE_http_client_concurrent"))
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let read = |name| std::fs::read_to_string(directory.path().join(name)).unwrap();
    assert!(stderr(&output).contains(&format!("{SHOWN}: the server answered 404")), "{output:?}");
    assert!(read("failed").starts_with(SHOWN), "{}", read("failed"));
    for name in ["json", "har"] {
        assert!(read(name).contains(&format!("\"{SHOWN}\"")), "{}", read(name));
    }
    for name in ["a", "b"] {
        let content = std::fs::read(directory.path().join("out").join(name)).unwrap();
        assert_eq!(content, name.as_bytes());
    }
}
