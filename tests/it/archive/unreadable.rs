//! Files that cannot be read as they were announced: no client takes such an archive for complete.

use std::fs::{self, File, Permissions, create_dir_all};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::process::{Signal, geteuid};

use crate::support::conversation::Conversation;
use crate::support::nginx::Nginx;
use crate::support::program::{SERVER, ServerProgram};
use crate::support::server::TestServer;
use crate::support::with_patience;

const LONG: u64 = 20_000_000;

#[test]
fn a_file_that_becomes_shorter_ends_the_archive() {
    let tree = tempfile::tempdir().unwrap();
    create_dir_all(tree.path().join("docs")).unwrap();
    let file = File::create(tree.path().join("docs/long")).unwrap();
    fs::write(tree.path().join("docs/z"), "last").unwrap();
    let server = ServerProgram::start(tree.path(), &["-p", "0"]);
    let address = server.connect_from(1).stream().peer_addr().unwrap();
    for version in ["1.1", "1.0"] {
        file.set_len(LONG).unwrap();
        let mut reader = Conversation::with_a_small_window(address);
        reader.send(format!("GET /docs/?format=tar HTTP/{version}\r\nHost: a\r\n\r\n"));
        reader.stream().peek(&mut [0]).unwrap();
        file.set_len(LONG / 2).unwrap();
        assert!(reader.try_reply().is_err(), "HTTP/{version}: it seems complete");
    }
    server.signal(Signal::TERM);
    let (_, log) = server.wait();
    let line = "/docs/long became shorter while it was sent";
    assert_eq!(log.matches(line).count(), 2, "{log}");
}

#[test]
fn a_file_or_directory_that_may_not_be_read_ends_the_archive() {
    let tree = tempfile::tempdir().unwrap();
    fs::set_permissions(tree.path(), Permissions::from_mode(0o755)).unwrap();
    create_dir_all(tree.path().join("file")).unwrap();
    create_dir_all(tree.path().join("directory/closed")).unwrap();
    for name in ["file/a", "file/closed", "directory/z"] {
        fs::write(tree.path().join(name), "a").unwrap();
    }
    for name in ["file/closed", "directory/closed"] {
        fs::set_permissions(tree.path().join(name), Permissions::from_mode(0o000)).unwrap();
    }
    let mut command = Command::new(SERVER);
    command.args(["-p", "0"]);
    if geteuid().is_root() {
        command.uid(65_534);
    }
    let server = ServerProgram::launch(command, tree.path());
    for name in ["file", "directory"] {
        let mut conversation = server.connect_from(1);
        conversation.send(format!("GET /{name}/?format=tar HTTP/1.1\r\nHost: a\r\n\r\n"));
        let mut received = String::new();
        conversation.stream().read_to_string(&mut received).unwrap();
        assert!(received.starts_with("HTTP/1.1 200 OK\r\n"), "{received:?}");
        assert!(!received.ends_with("0\r\n\r\n"), "{received:?}");
    }
    assert_eq!(server.connect_from(1).get("/file/a").status, 200);
    server.signal(Signal::TERM);
    let (_, log) = server.wait();
    for name in ["file", "directory"] {
        let line = format!("/{name}/closed cannot be read: not readable");
        assert_eq!(log.matches(&line).count(), 1, "{log}");
    }
}

/// By default nginx asks in HTTP/1.0 and answers in chunks.
#[test]
#[ignore = "needs nginx"]
fn an_archive_that_is_cut_short_is_so_behind_nginx() {
    let server = TestServer::start();
    let nginx = Nginx::start(&format!("location / {{ proxy_pass http://{}; }}", server.address()));
    server.file("docs/z", "last");
    let file = File::create(server.root().join("docs/long")).unwrap();
    file.set_len(LONG).unwrap();
    let mut reader = nginx.connect();
    let whole = reader.get("/docs/?format=tar").body.len() as u64;
    assert!(whole > LONG, "{whole}");
    // Larger than what nginx buffers.
    file.set_len(1 << 34).unwrap();
    reader.send("GET /docs/?format=tar HTTP/1.1\r\nHost: a\r\n\r\n");
    reader.stream().peek(&mut [0]).unwrap();
    file.set_len(LONG).unwrap();
    assert!(reader.try_reply().is_err(), "it seems complete");
}

/// Each directory can be listed from the one above it, but not opened by its whole path.
#[test]
fn the_log_names_what_is_left_out_because_its_path_is_too_long() {
    let tree = tempfile::tempdir().unwrap();
    let name = "d".repeat(200);
    let mut directory = File::open(tree.path()).unwrap();
    for _ in 0..25 {
        mkdirat(&directory, &name, Mode::RWXU).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        directory = openat(&directory, &name, flags, Mode::empty()).unwrap().into();
    }
    let server = ServerProgram::start(tree.path(), &["-p", "0"]);
    let reply = server.connect_from(1).get("/?format=tar");
    assert_eq!(reply.status, 200);
    let members = tar::Archive::new(&*reply.body).entries().unwrap().count();
    assert_eq!(members, 1 + 4096 / (name.len() + 1), "the root, and all that can be opened");
    server.signal(Signal::TERM);
    let (_, log) = server.wait();
    assert_eq!(log.matches("left out of an archive, as its path is too long").count(), 1, "{log}");
    // Its path is too long for most ways of removing it.
    assert!(with_patience().args(["rm", "-r"]).arg(tree.path()).status().unwrap().success());
}
