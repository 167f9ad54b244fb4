//! Small files that the server keeps in memory: the responses are those of a server that keeps none.

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::Duration;

use http_concurrent::server::ServerConfig;

use crate::support::program::ServerProgram;
use crate::support::ranged::pattern;
use crate::support::server::TestServer;

/// Longer than a file must have been unchanged to be kept.
const SETTLED: Duration = Duration::from_millis(2100);

const SIZES: [usize; 6] = [1, 14, 2048, 2049, 40_000, 131_072];

fn write_files(directory: &Path) {
    for size in SIZES {
        fs::write(directory.join(format!("{size}.txt")), pattern(size)).unwrap();
    }
    std::thread::sleep(SETTLED);
}

#[test]
fn responses_from_memory_equal_those_from_files() {
    let tree = tempfile::tempdir().unwrap();
    write_files(tree.path());
    let start = |cache_bytes| {
        TestServer::with_config(|config: &mut ServerConfig| {
            config.root = tree.path().to_owned();
            config.site.cache_bytes = cache_bytes;
        })
    };
    let (keeping, opening) = (start(1024 * 1024), start(0));
    for size in SIZES {
        let target = format!("/{size}.txt");
        let tag = opening.get_with(&target, "").field("ETag").unwrap().to_owned();
        for fields in [
            String::new(),
            "Range: bytes=0-0\r\n".to_owned(),
            format!("Range: bytes={}-\r\n", size / 2),
            format!("Range: bytes={size}-\r\n"),
            format!("If-None-Match: {tag}\r\n"),
            "If-Match: \"other\"\r\n".to_owned(),
            "Accept-Encoding: gzip, br\r\n".to_owned(),
        ] {
            let expected = opening.get_with(&target, &fields);
            for _ in 0..2 {
                let reply = keeping.get_with(&target, &fields);
                assert_eq!(reply.head(), expected.head(), "{target} {fields}");
                assert_eq!(reply.body, expected.body, "{target} {fields}");
            }
        }
        let parts = format!("Range: bytes=0-0,{}-\r\n", size - 1);
        let replies = [&opening, &keeping].map(|server| {
            let reply = server.get_with(&target, &parts);
            let boundary =
                reply.field("Content-Type").and_then(|value| value.split_once("boundary="));
            let boundary = boundary.map_or("none", |(_, boundary)| boundary);
            let text = String::from_utf8_lossy(&reply.body).replace(boundary, "boundary");
            (reply.status, text)
        });
        assert_eq!(replies[0], replies[1], "{target}: two parts");
        let head = format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let heads = [&opening, &keeping].map(|server| server.connect().send(&head).reply_to_head());
        assert_eq!(heads[0].head(), heads[1].head(), "HEAD {target}");
    }
}

#[test]
fn a_file_in_memory_is_read_once_and_never_stale() {
    let tree = tempfile::tempdir().unwrap();
    write_files(tree.path());
    let server = ServerProgram::start(tree.path(), &["-p", "0"]);
    let mut connection = server.connect_from(1);
    let mut get = |size: usize| connection.get(&format!("/{size}.txt"));
    let tags = SIZES.map(|size| get(size).field("ETag").unwrap().to_owned());
    let before = server.bytes_read();
    for size in SIZES {
        assert_eq!(get(size).body, pattern(size));
    }
    assert_eq!(server.bytes_read(), before, "files in memory are not read again");

    for (size, tag) in SIZES.into_iter().zip(&tags) {
        // The same size and modification time, in place.
        let path = tree.path().join(format!("{size}.txt"));
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let changed: Vec<u8> = pattern(size).iter().map(|byte| byte ^ 1).collect();
        fs::write(&path, &changed).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
        for _ in 0..2 {
            let reply = get(size);
            assert_eq!(reply.body, changed, "{size}");
            assert_ne!(reply.field("ETag"), Some(&**tag), "{size}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(get(size).status, 404, "{size}");
        fs::write(&path, pattern(size)).unwrap();
        assert_eq!(get(size).body, pattern(size), "{size}");
    }
}

#[test]
fn without_a_cache_each_response_reads_its_file() {
    let tree = tempfile::tempdir().unwrap();
    write_files(tree.path());
    let server = ServerProgram::start(tree.path(), &["-p", "0", "--cache-size", "0"]);
    let mut connection = server.connect_from(1);
    for size in SIZES {
        connection.get(&format!("/{size}.txt"));
        let before = server.bytes_read();
        assert_eq!(connection.get(&format!("/{size}.txt")).body, pattern(size));
        assert!(server.bytes_read() >= before + size as u64, "{size}");
    }
}
