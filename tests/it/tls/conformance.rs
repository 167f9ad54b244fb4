//! The tests of HTTP once more, over TLS: in a process of their own, in which all servers and connections use it.

use std::env;

use crate::support::server::{ALL_OVER_TLS, TestServer};
use crate::support::with_patience;

#[test]
fn connections_use_the_version_in_the_environment() {
    let server = TestServer::start();
    server.file("a.txt", "Hello");
    let mut conversation = server.connect();
    assert_eq!(conversation.get("/a.txt").text(), "Hello");
    if let Ok(version) = env::var(ALL_OVER_TLS) {
        let spoken = format!("{:?}", conversation.tls().protocol_version().unwrap());
        assert_eq!(spoken, format!("TLSv{}", version.replace('.', "_")));
    }
}

#[test]
fn what_holds_for_http_holds_over_tls() {
    for version in ["1.2", "1.3"] {
        let output = with_patience()
            .arg(env::current_exe().unwrap())
            .args(["conformance::", "--test-threads", "2"])
            .args(["--skip", "what_holds_for_http_holds_over_tls"])
            .env(ALL_OVER_TLS, version)
            .output()
            .expect("timeout(1) is there");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "TLS {version}: {text}");
        for test in
            ["connections_use_the_version_in_the_environment ... ok", "ranges::ranges ... ok"]
        {
            assert!(text.contains(test), "{test}: {text}");
        }
    }
}
