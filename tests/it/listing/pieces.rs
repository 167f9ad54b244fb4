//! Listings are sent in pieces, and all clients that receive the same directory share one reading of it.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::support::conversation::Conversation;
use crate::support::program::ServerProgram;
use crate::support::server::TestServer;

/// Fewer than the links that any file system allows.
const NAMES_PER_FILE: usize = 10_000;

fn entry(directory: &Path, index: usize) -> PathBuf {
    directory.join(format!("number {index:06} of the files whose names are of middling length.txt"))
}

/// Makes a directory with this number of entries: links to one file, which is faster than many files.
fn fill(directory: &Path, count: usize) {
    fs::create_dir(directory).unwrap();
    let mut original = directory.to_owned();
    for index in 0..count {
        let path = entry(directory, index);
        if index.is_multiple_of(NAMES_PER_FILE) {
            fs::write(&path, "x".repeat(index)).unwrap();
            original = path;
        } else {
            fs::hard_link(&original, &path).unwrap();
        }
    }
}

const FORMS: [&str; 3] = ["text/html", "application/json", "text/plain"];

#[test]
fn a_large_listing_is_chunked_and_the_connection_goes_on() {
    let server = TestServer::start();
    fill(&server.root().join("large"), 3000);
    server.file("a.txt", "Hello");
    let mut conversation = server.connect();
    for form in FORMS {
        conversation.send(format!("GET /large/ HTTP/1.1\r\nHost: a\r\nAccept: {form}\r\n\r\n"));
        let reply = conversation.reply();
        assert_eq!(reply.field("Transfer-Encoding"), Some("chunked"), "{form}");
        assert_eq!(reply.field("Content-Length"), None, "{form}");
        assert_eq!(reply.field("Connection"), None, "{form}");
        let names = reply.text().matches("number%20").count();
        assert_eq!(names, 3000, "{form}");
        conversation.send(format!("HEAD /large/ HTTP/1.1\r\nHost: a\r\nAccept: {form}\r\n\r\n"));
        assert_eq!(conversation.reply_to_head().head(), reply.head(), "{form}");
        assert_eq!(conversation.get("/a.txt").text(), "Hello", "{form}");

        // Without chunks, the same.
        let until_close = format!(
            "GET /large/ HTTP/1.0\r\nHost: a\r\nAccept: {form}\r\nConnection: keep-alive\r\n\r\n"
        );
        let replies = server.ask(&until_close);
        assert_eq!(replies.len(), 1, "{form}");
        assert_eq!(replies[0].field("Transfer-Encoding"), None, "{form}");
        assert_eq!(replies[0].field("Connection"), Some("close"), "{form}");
        assert!(replies[0].body == reply.body, "{form}");
        let head =
            server.ask(until_close.replacen("GET", "HEAD", 1).replace("keep-alive", "close"));
        assert_eq!(head[0].head(), replies[0].head(), "{form}");
    }
}

#[test]
fn an_empty_listing_is_complete_in_every_form() {
    let server = TestServer::start();
    let mut conversation = server.connect();
    for form in FORMS {
        conversation.send(format!("GET / HTTP/1.1\r\nHost: a\r\nAccept: {form}\r\n\r\n"));
        let reply = conversation.reply();
        assert_eq!((reply.status, reply.body.is_empty()), (200, form == "text/plain"), "{form}");
    }
}

/// A change shows in the next listing, however soon that comes.
#[test]
fn no_listing_is_older_than_its_request() {
    let server = TestServer::start();
    let mut conversation = server.connect();
    let list = "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n";
    // Some client is always being sent the directory.
    fill(&server.root().join("large"), 20_000);
    let mut slow = Conversation::with_a_small_window(server.address());
    slow.send("GET /large/ HTTP/1.1\r\nHost: a\r\n\r\n");
    slow.stream().read_exact(&mut [0; 100]).unwrap();
    for round in 0..20 {
        server.file(&format!("{round}"), "");
        let reply = conversation.send(list).reply();
        assert_eq!(reply.text().lines().count(), round + 2, "{}", reply.text());
    }
    server.file("large/new", "");
    let reply = conversation.send(list.replace("GET / ", "GET /large/ ")).reply();
    assert_eq!(reply.text().lines().count(), 20_001);
    fs::remove_file(server.root().join("large/new")).unwrap();
    let reply = conversation.send(list.replace("GET / ", "GET /large/ ")).reply();
    assert_eq!(reply.text().lines().count(), 20_000);
}

/// Each reader gets another state of the directory: between them an entry is added, and the times of all
/// others change.
#[test]
fn slow_readers_of_a_large_directory_share_their_memory() {
    const ENTRIES: usize = 40_000;
    const MAX_BYTES: usize = 25 * 1024 * 1024;
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large");
    fill(&large, ENTRIES);
    let server = ServerProgram::start(directory.path(), &["-p", "0"]);
    let address = server.connect_from(1).stream().peer_addr().unwrap();
    let before = server.resident_bytes();
    let mut readers = Vec::new();
    for index in 0..12 {
        for original in (0..ENTRIES).step_by(NAMES_PER_FILE) {
            let modified = UNIX_EPOCH + Duration::from_secs(index as u64);
            let file = File::open(entry(&large, original)).unwrap();
            file.set_modified(modified).unwrap();
        }
        fs::write(large.join(format!("added {index}")), "").unwrap();
        let mut reader = Conversation::with_a_small_window(address);
        let (by, order) = (["name", "size", "date"][index % 3], ["asc", "desc"][index / 3 % 2]);
        reader.send(format!("GET /large/?sort={by}&order={order} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let mut head = [0; 12];
        reader.stream().read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        readers.push(reader);
        let more = server.resident_bytes().saturating_sub(before);
        assert!(more < MAX_BYTES, "{more} bytes for {} readers", readers.len());
    }
    let more = server.most_resident_bytes().saturating_sub(before);
    assert!(more < MAX_BYTES, "{more} bytes at most");
}
