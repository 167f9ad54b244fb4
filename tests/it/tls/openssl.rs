//! `openssl s_client`: versions, resumption, and what this server does not do.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::site::{REQUEST, server};
use crate::support::server::TestServer;
use crate::support::{wait_until, with_patience};

/// A run of `openssl s_client`, which is sent `input` piece by piece: each once the text that it waits for was
/// printed. It ends when the server closes; without input, when it has connected as often as it was told to.
fn s_client(server: &TestServer, options: &[&str], input: &[(&str, &str)]) -> String {
    let mut child = command(server, options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("timeout(1) is there");
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut printed, mut piece) = (Vec::new(), [0; 4096]);
    for (expected, bytes) in input {
        while !String::from_utf8_lossy(&printed).contains(expected) {
            match stdout.read(&mut piece).unwrap() {
                0 => break,
                count => printed.extend_from_slice(&piece[..count]),
            }
        }
        let _ = stdin.write_all(bytes.as_bytes());
    }
    let stdin = Some(stdin).filter(|_| !input.is_empty());
    stdout.read_to_end(&mut printed).unwrap();
    drop(stdin);
    child.wait().unwrap();
    String::from_utf8_lossy(&printed).into_owned()
}

/// Errors are printed with everything else.
fn command(server: &TestServer, options: &[&str]) -> Command {
    let mut command = with_patience();
    command
        .args(["sh", "-c", "exec openssl s_client \"$@\" 2>&1", "sh", "-connect"])
        .arg(server.address().to_string())
        .args(["-servername", "localhost", "-verify_return_error", "-CAfile"])
        .arg(server.certificate().authority())
        .args(options);
    command
}

fn path(directory: &Path, name: &str) -> String {
    directory.join(name).to_str().unwrap().to_owned()
}

/// A request on whose response the server closes.
const LAST_REQUEST: &str = "GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// What is printed when a handshake is complete, of each version.
const READY: &str = "Verify return code: 0 (ok)";

#[test]
#[ignore = "needs openssl"]
fn versions_from_1_2_on_are_spoken_and_older_ones_refused() {
    let server = server(|_| {});
    for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let printed = s_client(&server, &[option], &[(READY, LAST_REQUEST)]);
        assert!(printed.contains(&format!("New, {version}")), "{printed}");
        assert!(printed.contains("200 OK") && printed.contains("Hello"), "{printed}");
    }
    for option in ["-tls1", "-tls1_1"] {
        let weak = [option, "-cipher", "ALL:@SECLEVEL=0"];
        let printed = s_client(&server, &weak, &[]);
        assert!(printed.contains("SSL alert number"), "{printed}");
        assert!(printed.contains("Cipher is (NONE)"), "{printed}");
    }
    let weak = ["-tls1_2", "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"];
    let printed = s_client(&server, &weak, &[]);
    assert!(printed.contains("alert handshake failure"), "{printed}");
    server.wait_for_connections(0);
}

#[test]
#[ignore = "needs openssl"]
fn sessions_are_resumed_in_both_versions() {
    let server = server(|_| {});
    let directory = tempfile::tempdir().unwrap();
    let session = path(directory.path(), "session");
    for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        s_client(&server, &[option, "-sess_out", &session], &[(READY, LAST_REQUEST)]);
        let printed = s_client(&server, &[option, "-sess_in", &session], &[(READY, LAST_REQUEST)]);
        assert!(printed.contains(&format!("Reused, {version}")), "{printed}");
        assert!(printed.contains("Hello"), "{printed}");
    }
    let printed = s_client(&server, &["-tls1_2", "-reconnect"], &[]);
    assert_eq!(printed.matches("Reused, TLSv1.2").count(), 5, "{printed}");
}

#[test]
#[ignore = "needs openssl"]
fn a_client_that_asks_for_renegotiation_is_refused_and_others_are_served() {
    let server = server(|_| {});
    let printed = s_client(&server, &["-tls1_2"], &[(READY, "R\n"), ("RENEGOTIATING", "")]);
    assert!(printed.contains("RENEGOTIATING"), "{printed}");
    assert!(printed.contains("no renegotiation"), "{printed}");
    server.wait_for_connections(0);
    assert_eq!(server.connect().send(REQUEST).reply().text(), "Hello");
    assert_eq!(server.counters().panics, 0);
}

/// A replayed request could have an effect that was not asked for; this server takes none before the handshake.
#[test]
#[ignore = "needs openssl"]
fn early_data_is_not_accepted_and_the_request_is_sent_again() {
    let server = server(|_| {});
    let directory = tempfile::tempdir().unwrap();
    let (session, early) = (path(directory.path(), "session"), path(directory.path(), "early"));
    fs::write(&early, LAST_REQUEST).unwrap();
    s_client(&server, &["-tls1_3", "-sess_out", &session], &[(READY, LAST_REQUEST)]);
    let options = ["-tls1_3", "-sess_in", &session, "-early_data", &early];
    let printed = s_client(&server, &options, &[(READY, LAST_REQUEST)]);
    assert!(printed.contains("Reused, TLSv1.3"), "{printed}");
    assert!(!printed.contains("Early data was accepted"), "{printed}");
    assert!(printed.contains("Hello"), "{printed}");
    wait_until("both are closed", || server.snapshot().held == 0);
}
