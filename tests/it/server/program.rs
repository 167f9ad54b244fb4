//! `http_server_conc` as a program: command line, messages, signals, curl.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::conversation::Conversation;
use crate::support::program::{SERVER, ServerProgram, run_server};
use crate::support::wait_until;

#[test]
fn wrong_usage_is_status_2_and_names_the_value() {
    for (arguments, parts) in [
        (&["-maxclient", "0"][..], &["'0'", "--maxclient", "at least 1"][..]),
        (&["-maxtotal=0"], &["'0'", "--maxtotal", "at least 1"]),
        (&["-p", "70000"], &["'70000'", "1 to 65535"]),
        (&["-p70000"], &["'70000'", "1 to 65535"]),
        (&["--frob"], &["'--frob'"]),
    ] {
        let (status, text) = run_server(arguments);
        assert_eq!(status, 2, "{arguments:?}");
        for part in parts {
            assert!(text.contains(part), "{arguments:?}: {text}");
        }
    }
}

#[test]
fn an_unusable_setting_is_status_1_with_value_and_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (arguments, parts) in [
        (&["--root", "/does/not/exist"][..], &["/does/not/exist", "o such file", "--root"][..]),
        (&["--root", "Cargo.toml"], &["Cargo.toml", "ot a directory", "--root"]),
        (&["-p", &port, "--bind", "127.0.0.1"], &[&port, "in use", "-p"]),
        (&["-p", "0", "--bind", "192.0.2.1"], &["192.0.2.1", "--bind"]),
    ] {
        let (status, text) = run_server(arguments);
        assert_eq!(status, 1, "{arguments:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{arguments:?}: {text}");
        }
    }
}

#[test]
fn too_few_descriptors_to_start_are_reported_as_such() {
    for limit in 6..=9 {
        let script = format!("ulimit -n {limit} && exec {SERVER} -p 0");
        let output = Command::new("timeout").args(["20", "sh", "-c", &script]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{limit}: {text}");
        assert!(text.contains("ulimit -n"), "{limit}: {text}");
    }
}

#[test]
fn help_and_version_go_to_standard_output_with_status_0() {
    for (argument, part) in [("-help", "-maxclient"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let (status, text) = run_server(&[argument]);
        assert_eq!(status, 0);
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn it_announces_root_urls_and_limits_and_ends_on_a_signal() {
    let directory = tempfile::tempdir().unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let arguments = ["-p", "0", "-maxclient", "3", "-maxtotal", "7"];
        let server = ServerProgram::start(directory.path(), &arguments);
        let line = &server.announcement;
        let root = directory.path().canonicalize().unwrap();
        for part in [root.to_str().unwrap(), "http://[::1]:", "3 connections", "7 in all"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(TcpStream::connect(("127.0.0.1", server.port())).is_ok());
        server.signal(signal);
        assert_eq!(server.wait().0.code(), Some(0));
    }
}

#[test]
fn a_total_beyond_the_descriptor_limit_is_lowered_with_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProgram::start(directory.path(), &["-p", "0", "-maxtotal", "10000000000"]);
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    for part in ["WARN", "-maxtotal 10000000000", "descriptors", "ulimit -n"] {
        assert!(log.contains(part), "{part}: {log}");
    }
}

#[test]
fn a_request_is_a_line_of_the_log_unless_it_is_quiet() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.txt"), "Hello").unwrap();
    for (extra, logged) in [("-v", true), ("-q", false)] {
        let server = ServerProgram::start(directory.path(), &["-p", "0", extra]);
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.write_all(b"GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("\r\n\r\nHello"), "{answer}");
        server.signal(Signal::TERM);
        let log = server.wait().1;
        assert_eq!(log.contains("127.0.0.1 \"GET /a.txt\" 200 5"), logged, "{extra}: {log}");
    }
}

#[test]
fn a_dry_run_of_limits_announces_itself_and_rejects_no_client() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.txt"), "Hello").unwrap();
    let arguments = ["-p", "0", "-maxclient", "1", "-maxtotal", "2", "--dry-run-limits"];
    let server = ServerProgram::start(directory.path(), &arguments);
    let mut held: Vec<_> = [1, 1, 1, 2].map(|host| server.connect_from(host)).into();
    let ipv6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    held.extend([(); 2].map(|()| Conversation::between(ipv6, (ipv6, server.port()).into())));
    for conversation in &mut held {
        assert_eq!(conversation.get("/a.txt").status, 200);
    }
    drop(held);
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    for (line, times) in [
        ("127.0.0.1: would be rejected, over the per-client limit of 1", 1),
        ("127.0.0.1: 2 would be rejected in ", 1),
        ("127.0.0.2: would be rejected, over the total limit of 2", 1),
        ("::/64: 2 would be rejected in ", 1),
        (": rejected", 0),
    ] {
        assert_eq!(log.matches(line).count(), times, "{line}: {log}");
    }
}

fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl").args(["-sS", "--max-time", "20"]).args(arguments).output();
    let output = output.expect("curl is installed");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
#[ignore = "needs curl"]
fn curl_gets_the_workloads_byte_for_byte_over_kept_connections() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let server = ServerProgram::start(root, &["-q", "-p", "0"]);
    let directory = tempfile::tempdir().unwrap();
    for folder in ["testfiles1", "testfiles2"] {
        let url = format!("http://localhost:{}/{folder}/file[1-10].txt", server.port());
        let pattern = directory.path().join("file#1.txt");
        let log = curl(&[&url, "-o", pattern.to_str().unwrap(), "-w", "%{num_connects}\n"]);
        assert_eq!(log.lines().collect::<String>(), "1000000000", "one connection for all ten");
        for number in 1..=10 {
            let name = format!("file{number}.txt");
            let (got, expected) = (directory.path().join(&name), root.join(folder).join(&name));
            assert!(std::fs::read(got).unwrap() == std::fs::read(expected).unwrap(), "{name}");
        }
    }
}

#[test]
#[ignore = "needs curl"]
fn curl_shows_the_429_and_the_503() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["-q", "-p", "0", "-maxclient", "12", "-maxtotal", "13"];
    let server = ServerProgram::start(directory.path(), &arguments);
    let port = server.port();
    let _twelve: Vec<TcpStream> =
        (0..12).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let thirteenth = server.connect_from(3);
    let url = format!("http://127.0.0.1:{port}/");
    let shown = curl(&["-v", &url]);
    assert!(shown.contains("< HTTP/1.1 429 Too Many Requests"), "{shown}");
    assert!(shown.contains("your address 127.0.0.1 already holds 12"), "{shown}");
    let shown = curl(&["-v", "--interface", "127.0.0.2", &url]);
    assert!(shown.contains("< HTTP/1.1 503 Service Unavailable"), "{shown}");
    drop(thirteenth);
    let of_another = ["--interface", "127.0.0.2", "-o", "/dev/null", "-w", "%{http_code}", &url];
    wait_until("another client is served", || curl(&of_another) == "200");
}

/// In a network namespace, where IPv6 can be switched off for this test alone.
#[test]
#[ignore = "needs iproute2 and root"]
fn without_ipv6_no_ipv6_url_is_announced() {
    const SCRIPT: &str = "ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 \
        && exec \"$@\"";
    for bind in [&[][..], &["--bind", "::"]] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", SCRIPT, "sh", SERVER, "-p", "0"]).args(bind);
        let server = ServerProgram::launch(command, directory.path());
        let announcement = &server.announcement;
        assert!(announcement.contains("http://127.0.0.1:"), "{bind:?}: {announcement}");
        assert!(!announcement.contains("[::"), "{bind:?}: {announcement}");
        server.signal(Signal::TERM);
        assert_eq!(server.wait().0.code(), Some(0), "{bind:?}");
    }
}
