//! Exhausted resources: descriptors, threads, disk, and a root that vanishes.

use std::fs;
use std::time::Duration;

use rustix::process::{Signal, geteuid};

use crate::support::conversation::Conversation;
use crate::support::program::ServerProgram;
use crate::support::wait_until;

/// A directory with a small file and one that exceeds every buffer.
fn site() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.txt"), "Hello").unwrap();
    fs::write(directory.path().join("large.bin"), vec![7; 20_000_000]).unwrap();
    directory
}

#[test]
fn sixty_four_descriptors_suffice_for_all_admitted_and_rejected_connections() {
    let directory = site();
    // The transfers last as long as a busy machine needs for the rejections.
    let arguments = ["-p", "0", "-maxtotal", "60", "--min-rate", "0"];
    let server = ServerProgram::start_under("--nofile=64", None, directory.path(), &arguments);
    let (_, total) = server.announcement.split_once("a client, ").unwrap();
    let total: u8 = total.split_once(" in all").unwrap().0.parse().unwrap();
    assert!((12..60).contains(&total), "{}", server.announcement);
    // Each holds a socket and a file.
    let transfers: Vec<Conversation> = (0..total)
        .map(|number| {
            let mut conversation = server.connect_from(number % 4 + 1);
            conversation.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
            conversation.stream().peek(&mut [0]).expect("the answer has begun");
            conversation
        })
        .collect();
    let mut rejected = Vec::new();
    for _ in 0..20 {
        let mut ten: Vec<Conversation> = (0..10).map(|_| server.connect_from(9)).collect();
        for conversation in &mut ten {
            assert_eq!(conversation.get("/a.txt").status, 503);
        }
        let held = server.descriptors();
        assert!(held <= 64, "{held} descriptors");
        rejected.extend(ten);
    }
    drop(rejected);
    for mut transfer in transfers {
        assert_eq!(transfer.reply().body.len(), 20_000_000);
    }
    wait_until("it serves", || server.connect_from(9).get("/a.txt").status == 200);
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains("cannot accept"), "{log}");
}

#[test]
fn without_descriptors_the_server_waits_without_spinning_and_then_continues() {
    let directory = site();
    let arguments = ["-p", "0", "--keep-alive-timeout", "60s"];
    let server = ServerProgram::start(directory.path(), &arguments);
    let mut held = server.connect_from(1);
    assert_eq!(held.get("/a.txt").status, 200);
    let limit = server.limit_descriptors(0);
    // An accept(2) that already waits may have its descriptor.
    let waiting: Vec<Conversation> = (2..=4).map(|host| server.connect_from(host)).collect();
    let before = server.cpu_time();
    std::thread::sleep(Duration::from_secs(2));
    let used = server.cpu_time().saturating_sub(before);
    assert!(used <= Duration::from_millis(200), "{used:?} of two seconds");
    let reply = held.get("/a.txt");
    assert_eq!(reply.status, 503, "it cannot open the file, and says so: {}", reply.text());
    server.limit_descriptors(limit);
    for mut conversation in waiting {
        assert_eq!(conversation.get("/a.txt").status, 200);
    }
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert_eq!(log.matches("cannot accept connections").count(), 1, "told once: {log}");
}

#[test]
fn without_descriptors_the_server_still_stops_on_a_signal() {
    let directory = site();
    let server = ServerProgram::start(directory.path(), &["-p", "0"]);
    server.limit_descriptors(0);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_connection_without_a_thread_receives_503_and_the_others_are_served() {
    // Root has no thread limit, and tasks of another user would count.
    if !geteuid().is_root() {
        return;
    }
    let directory = site();
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(directory.path(), readable).unwrap();
    let user = 900_000_000 + std::process::id();
    let arguments = ["-p", "0", "--header", "X-Extra: here"];
    let server = ServerProgram::start_under("--nproc=10", Some(user), directory.path(), &arguments);
    let (mut answered, mut refused) = (Vec::new(), 0);
    for _ in 0..12 {
        let mut conversation = server.connect_from(1);
        let reply = conversation.get("/a.txt");
        match reply.status {
            200 => answered.push(conversation),
            503 => {
                assert!(reply.text().contains("short of resources"), "{}", reply.text());
                assert_eq!(reply.field("Retry-After"), Some("1"));
                assert_eq!(reply.field("X-Extra"), Some("here"));
                conversation.expect_end();
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(!answered.is_empty() && refused > 0, "{} and {refused}", answered.len());
    assert_eq!(answered[0].get("/a.txt").status, 200, "those who have a thread keep it");
    drop(answered);
    wait_until("it serves again", || server.connect_from(1).get("/a.txt").status == 200);
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert_eq!(log.matches("cannot start threads").count(), 1, "told once: {log}");
}

#[test]
fn a_full_disk_under_the_access_log_stops_neither_serving_nor_the_end() {
    let directory = site();
    let server =
        ServerProgram::start(directory.path(), &["-q", "-p", "0", "--access-log", "/dev/full"]);
    let mut conversation = server.connect_from(1);
    for _ in 0..200 {
        assert_eq!(conversation.get("/a.txt").text(), "Hello");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn without_its_root_the_server_responds_503_and_running_transfers_complete() {
    let directory = site();
    let root = directory.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::rename(directory.path().join("large.bin"), root.join("large.bin")).unwrap();
    let arguments = ["-q", "-p", "0", "--root", root.to_str().unwrap()];
    let server = ServerProgram::start(directory.path(), &arguments);
    let mut transfer = server.connect_from(1);
    transfer.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    transfer.stream().peek(&mut [0]).expect("the answer has begun");
    fs::remove_dir_all(&root).unwrap();
    let mut conversation = server.connect_from(1);
    for target in ["/large.bin", "/a", "/"] {
        assert_eq!(conversation.get(target).status, 503, "{target}");
    }
    assert_eq!(transfer.reply().body.len(), 20_000_000);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0.code(), Some(0));
}
