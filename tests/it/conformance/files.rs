//! Served and unserved files: hidden names, links, special files; and files that change while they are sent.

use std::fs::{File, rename, write};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use http_concurrent::net::BodyError;
use http_concurrent::server::{DotFiles, ServerConfig, SymbolicLinks};
use rustix::fs::{CWD, Mode, mkfifoat};

use crate::support::conversation::Conversation;
use crate::support::server::TestServer;

struct Tree {
    server: TestServer,
    _outside: tempfile::TempDir,
    _socket: UnixListener,
}

fn tree(configure: impl FnOnce(&mut ServerConfig)) -> Tree {
    let server = TestServer::with_config(configure);
    let outside = tempfile::tempdir().unwrap();
    write(outside.path().join("secret.txt"), "secret").unwrap();
    for (name, content) in [
        ("a.txt", "a"),
        ("sub/b.txt", "b"),
        (".env", "password"),
        (".git/config", "git"),
        (".well-known/security.txt", "contact"),
        (".well-known/.hidden", "hidden"),
        ("sub/.hidden", "hidden"),
    ] {
        server.file(name, content);
    }
    let root = server.root();
    symlink("a.txt", root.join("inside")).unwrap();
    symlink("../a.txt", root.join("sub/up")).unwrap();
    symlink("sub", root.join("sub-link")).unwrap();
    symlink(outside.path(), root.join("out")).unwrap();
    symlink(outside.path().join("secret.txt"), root.join("out.txt")).unwrap();
    symlink("/etc/passwd", root.join("passwd")).unwrap();
    symlink("nothing", root.join("dangling")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("/dev/zero", root.join("zero")).unwrap();
    mkfifoat(CWD, root.join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    let socket = UnixListener::bind(root.join("socket")).unwrap();
    Tree { server, _outside: outside, _socket: socket }
}

/// The listing of the directory at `target`, a line per entry.
fn listed(server: &TestServer, target: &str) -> String {
    let reply = server.get_with(target, "Accept: text/plain\r\n");
    reply.text().replace('\n', " ").trim_end().to_owned()
}

fn expect(server: &TestServer, cases: &[(&str, u16)]) {
    // One connection for all cases: none blocks its thread.
    let mut conversation = server.connect();
    for (target, status) in cases {
        assert_eq!(conversation.get(target).status, *status, "{target}");
    }
}

#[test]
fn the_defaults_of_what_is_served() {
    let Tree { server, .. } = &tree(|_| {});
    expect(
        server,
        &[
            ("/a.txt", 200),
            ("/sub/b.txt", 200),
            // hidden names, by every spelling, and files beneath them
            ("/.env", 404),
            ("/%2eenv", 404),
            ("/sub/../.env", 404),
            ("/.git", 404),
            ("/.git/", 404),
            ("/.git/config", 404),
            ("/sub/.hidden", 404),
            ("/.well-known", 301), // RFC 8615
            ("/.well-known/", 200),
            ("/.well-known/security.txt", 200),
            ("/.well-known/.hidden", 404),
            // links that stay, links that leave
            ("/inside", 200),
            ("/sub/up", 200),
            ("/sub-link", 301),
            ("/sub-link/b.txt", 200),
            ("/out", 404),
            ("/out/", 404),
            ("/out/secret.txt", 404),
            ("/out.txt", 404),
            ("/passwd", 404),
            ("/dangling", 404),
            ("/loop", 404),
            // neither files nor directories
            ("/fifo", 404),
            ("/fifo/", 404),
            ("/socket", 404),
            ("/zero", 404),
            ("/a.txt/", 404),
            ("/a.txt/b", 404),
        ],
    );
    assert_eq!(listed(server, "/"), ".well-known/ sub/ sub-link/ a.txt inside");
    assert_eq!(listed(server, "/sub/"), "b.txt up");
    assert_eq!(listed(server, "/.well-known/"), "security.txt");
}

#[test]
fn hidden_names_are_served_with_the_option() {
    let Tree { server, .. } = &tree(|config| config.site.dot_files = DotFiles::Shown);
    expect(server, &[("/.env", 200), ("/.git", 301), ("/.git/config", 200), ("/sub/.hidden", 200)]);
    assert_eq!(listed(server, "/"), ".git/ .well-known/ sub/ sub-link/ .env a.txt inside");
}

#[test]
fn links_may_leave_the_root_with_the_option() {
    let Tree { server, .. } = &tree(|config| config.site.symbolic_links = SymbolicLinks::Followed);
    expect(
        server,
        &[
            ("/out", 301),
            ("/out/secret.txt", 200),
            ("/out.txt", 200),
            ("/dangling", 404),
            ("/loop", 404),
            ("/zero", 404),
            ("/fifo", 404),
            ("/../a.txt", 400),
        ],
    );
    assert_eq!(listed(server, "/"), ".well-known/ out/ sub/ sub-link/ a.txt inside out.txt passwd");
}

/// More than the sockets' buffers hold.
const LARGE_BYTES: u64 = 32 << 20;

/// A file larger than the sockets' buffers, and the beginning of its response.
fn begin_large(server: &TestServer, fields: &str) -> (File, Conversation) {
    let file = File::create(server.root().join("large.bin")).unwrap();
    file.set_len(LARGE_BYTES).unwrap();
    let mut conversation = server.connect();
    conversation.send(format!("GET /large.bin HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    conversation.wait_for_response();
    (file, conversation)
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_ends_the_connection() {
    let server = TestServer::start();
    for fields in ["", "Range: bytes=0-30000000\r\n", "Range: bytes=0-9,100-30000000\r\n"] {
        let (file, mut conversation) = begin_large(&server, fields);
        file.set_len(1 << 20).unwrap();
        match conversation.try_reply() {
            Err(BodyError::Truncated { received, declared: Some(declared) }) => {
                assert!(received < declared, "{received} of {declared}");
                conversation.expect_end();
            }
            // Over TLS, an end that is not announced.
            Err(BodyError::Io(error)) if error.kind() == ErrorKind::UnexpectedEof => {}
            other => panic!("{fields:?}: {:?}", other.map(|reply| reply.status)),
        }
    }
    server.wait_for_connections(0);
}

#[test]
fn a_file_that_is_replaced_or_grows_while_it_is_sent_is_sent_as_it_was() {
    let server = TestServer::start();
    let (_file, mut conversation) = begin_large(&server, "");
    server.file("new.bin", "new");
    rename(server.root().join("new.bin"), server.root().join("large.bin")).unwrap();
    let reply = conversation.reply();
    assert_eq!(reply.body.len() as u64, LARGE_BYTES);
    assert!(reply.body.iter().all(|byte| *byte == 0));
    assert_eq!(conversation.get("/large.bin").text(), "new", "and the next one is the new one");

    let (file, mut conversation) = begin_large(&server, "");
    file.set_len(LARGE_BYTES + 1).unwrap();
    assert_eq!(conversation.reply().body.len() as u64, LARGE_BYTES);
    conversation.send("HEAD /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    let length = (LARGE_BYTES + 1).to_string();
    assert_eq!(conversation.reply_to_head().field("Content-Length"), Some(&*length));

    let (_file, mut conversation) = begin_large(&server, "");
    std::fs::remove_file(server.root().join("large.bin")).unwrap();
    assert_eq!(conversation.reply().body.len() as u64, LARGE_BYTES);
    assert_eq!(conversation.get("/large.bin").status, 404);
}

#[test]
fn deep_trees_are_served_and_names_beyond_every_limit_are_not_found() {
    let server = TestServer::start();
    let deep = "deep/".repeat(200);
    server.file(&format!("{deep}end.txt"), "end");
    let mut conversation = server.connect();
    assert_eq!(conversation.get(&format!("/{deep}end.txt")).text(), "end");
    for (name, times) in [("n", 300), ("n", 5000), ("n/", 4000), ("deep/", 1000)] {
        let target = format!("/{}", name.repeat(times));
        assert_eq!(conversation.get(&target).status, 404, "{name:?} {times} times");
    }
}
