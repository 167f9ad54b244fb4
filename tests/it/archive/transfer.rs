//! An archive as a response: its head, its framing, its bytes in the log and the status, its memory and rate.

use std::fs::{self, File, create_dir_all, hard_link};
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use http_concurrent::http::content_disposition::suggested_name;
use http_concurrent::server::{Listings, MaximumRates};
use rustix::process::Signal;

use crate::support::conversation::Conversation;
use crate::support::program::{SERVER, ServerProgram};
use crate::support::server::TestServer;
use crate::support::wait_until;

/// The paths and lengths of the members.
pub(super) fn members(archive: &[u8]) -> Vec<(String, u64)> {
    let mut archive = tar::Archive::new(archive);
    let members = archive.entries().unwrap().map(|member| {
        let member = member.unwrap();
        (String::from_utf8_lossy(&member.path_bytes()).into_owned(), member.size())
    });
    members.collect()
}

fn site() -> TestServer {
    let server = TestServer::start();
    for (name, length) in [("docs/a", 5), ("docs/long", 3_000_000), ("docs/z/b", 40_000)] {
        server.file(name, "x".repeat(length));
    }
    server
}

#[test]
fn an_archive_is_chunked_and_the_connection_goes_on() {
    let server = site();
    let expected = [
        ("docs/", 0),
        ("docs/z/", 0),
        ("docs/z/b", 40_000),
        ("docs/a", 5),
        ("docs/long", 3_000_000),
    ];
    let expected = expected.map(|(path, length)| (path.to_owned(), length));
    let mut conversation = server.connect();
    let reply = conversation.get("/docs/?format=tar");
    assert_eq!(members(&reply.body), expected);
    for (name, value) in [
        ("Content-Type", Some("application/x-tar")),
        ("Content-Disposition", Some("attachment; filename=\"docs.tar\"")),
        ("Accept-Ranges", Some("none")),
        ("X-Content-Type-Options", Some("nosniff")),
        ("Transfer-Encoding", Some("chunked")),
        ("Content-Length", None),
        ("Vary", None),
        ("Connection", None),
    ] {
        assert_eq!(reply.field(name), value, "{name}");
    }
    conversation.send("HEAD /docs/?format=tar HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(conversation.reply_to_head().head(), reply.head());
    assert_eq!(conversation.get("/docs/a").text(), "xxxxx");

    // Without chunks, the same.
    let request = "GET /docs/?format=tar HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let replies = server.ask(request);
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].field("Transfer-Encoding"), None);
    assert_eq!(replies[0].field("Connection"), Some("close"));
    assert!(replies[0].body == reply.body);
}

#[test]
fn only_a_listed_directory_is_archived() {
    let server = site();
    server.file("index/index.html", "index");
    let refusing = TestServer::with_config(|config| config.site.listings = Listings::Refused);
    refusing.file("docs/a", "a");
    for (server, target, status, field) in [
        (&server, "/docs?format=tar", 301, ("Location", "/docs/?format=tar")),
        (&server, "/docs/?format=zip", 200, ("Content-Type", "text/plain; charset=utf-8")),
        (&server, "/docs/a?format=tar", 200, ("Content-Length", "5")),
        (&server, "/index/?format=tar", 200, ("Content-Length", "5")),
        (&server, "/none/?format=tar", 404, ("Content-Type", "text/plain; charset=utf-8")),
        (&refusing, "/?format=tar", 403, ("Content-Type", "text/plain; charset=utf-8")),
        (&refusing, "/docs/?format=tar", 403, ("Content-Type", "text/plain; charset=utf-8")),
    ] {
        let reply = server.get_with(target, "Accept: text/plain\r\n");
        assert_eq!((reply.status, reply.field(field.0)), (status, Some(field.1)), "{target}");
    }
    let target = "/docs/?format=tar";
    assert_eq!(server.get_with(target, "If-None-Match: *\r\n").status, 304);
    assert_eq!(server.get_with(target, "If-Match: \"a\"\r\n").status, 412);
    assert_eq!(server.get_with(target, "Range: bytes=0-1\r\n").status, 200);
}

#[test]
fn the_suggested_name_is_that_of_the_directory() {
    let server = TestServer::start();
    for (directory, target) in
        [("two words", "two%20words"), ("\u{e9}\u{1f600}", "%C3%A9%F0%9F%98%80"), ("a\"b", "a%22b")]
    {
        server.file(&format!("{directory}/a"), "a");
        let reply = server.get_with(&format!("/{target}/?format=tar"), "");
        let value = reply.field("Content-Disposition").unwrap();
        assert!(value.is_ascii(), "{value}");
        assert_eq!(suggested_name(value.as_bytes()), Some(format!("{directory}.tar")), "{value}");
    }
}

#[test]
fn its_length_is_logged_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "x".repeat(100_000)).unwrap();
    let arguments = ["-p", "0", "--log-format", "json", "--status-path", "/status"];
    let (server, log) = ServerProgram::start_with_log_on_stdout(directory.path(), &arguments);
    let mut conversation = server.connect_from(1);
    let length = conversation.get("/?format=tar").body.len();
    assert_eq!(length, 512 + 512 + 100_352 + 1024);
    let status = conversation.get("/status?format=json");
    let status: serde_json::Value = serde_json::from_slice(&status.body).unwrap();
    assert_eq!(status["counters"]["bytes_sent"], length, "{status}");
    drop(conversation);
    server.signal(Signal::TERM);
    let log = std::io::read_to_string(log).unwrap();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!((&line["target"], &line["bytes"]), (&"/?format=tar".into(), &length.into()));
}

#[test]
fn an_archive_is_sent_at_the_maximum_rates() {
    const RATE: Option<u64> = Some(1_000_000);
    for maximum in [
        MaximumRates { connection: RATE, ..MaximumRates::default() },
        MaximumRates { client: RATE, ..MaximumRates::default() },
        MaximumRates { total: RATE, ..MaximumRates::default() },
    ] {
        let server = TestServer::with_config(|config| config.rates.maximum = maximum);
        for name in ["docs/a", "docs/b"] {
            server.file(name, "x".repeat(100_000));
            server.file(&format!("{name}-short"), "x".repeat(20_000));
        }
        let begun = Instant::now();
        let length = server.connect().get("/docs/?format=tar").body.len();
        assert!(length > 240_000, "{length}");
        assert!(begun.elapsed() > Duration::from_millis(200), "{maximum:?}: {:?}", begun.elapsed());
    }
}

/// Makes a directory with this many names of one file.
fn fill(directory: &Path, count: usize) {
    create_dir_all(directory).unwrap();
    let original = directory.join("0");
    fs::write(&original, "x".repeat(1000)).unwrap();
    for index in 1..count {
        hard_link(&original, directory.join(index.to_string())).unwrap();
    }
}

#[test]
fn archives_of_any_size_take_little_memory() {
    const MAX_BYTES: usize = 24 * 1024 * 1024;
    let tree = tempfile::tempdir().unwrap();
    for index in 0..4 {
        fill(&tree.path().join(format!("many/{index}")), 5000);
    }
    create_dir_all(tree.path().join("large")).unwrap();
    File::create(tree.path().join("large/sparse")).unwrap().set_len(1 << 28).unwrap();
    let server = ServerProgram::start(tree.path(), &["-p", "0"]);
    let address = server.connect_from(1).stream().peer_addr().unwrap();
    let before = server.resident_bytes();
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let mut reader = Conversation::with_a_small_window(address);
            reader.send("GET /?format=tar HTTP/1.1\r\nHost: a\r\n\r\n");
            reader.stream().read_exact(&mut [0; 10_000]).unwrap();
            reader
        })
        .collect();
    let whole = server.connect_from(2).get("/?format=tar").body;
    assert_eq!(members(&whole).len(), 7 + 20_001);
    let more = server.most_resident_bytes().saturating_sub(before);
    assert!(more < MAX_BYTES, "{more} bytes");
    drop(readers);
}

#[test]
fn an_archive_that_is_being_sent_ends_with_the_server() {
    let server =
        TestServer::with_config(|config| config.timeouts.drain = Duration::from_millis(50));
    server.file("docs/long", "x".repeat(20_000_000));
    let mut reader = Conversation::with_a_small_window(server.address());
    reader.send("GET /docs/?format=tar HTTP/1.1\r\nHost: a\r\n\r\n");
    reader.stream().read_exact(&mut [0; 1000]).unwrap();
    server.stop();
    wait_until("the server has ended", || server.has_ended());
}

/// The minimum rate is averaged over 20 s: strace(1) lets the opening of one member take longer.
#[test]
#[ignore = "needs strace"]
fn the_time_that_the_server_takes_to_read_does_not_make_a_client_slow() {
    let tree = tempfile::tempdir().unwrap();
    for name in 0..8 {
        fs::write(tree.path().join(name.to_string()), "x").unwrap();
    }
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=openat2", "-e"]);
    command.args(["inject=openat2:delay_enter=21s:when=4", SERVER, "-p", "0", "--min-rate", "1M"]);
    let server = ServerProgram::launch(command, tree.path());
    let reply = server.connect_from(1).get("/?format=tar");
    assert_eq!(members(&reply.body).len(), 1 + 8);
}
