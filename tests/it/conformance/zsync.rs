//! zsync, which requests many ranges at once and has its own parser for multipart responses.

use std::fs;
use std::path::Path;

use crate::support::ranged::pattern;
use crate::support::server::TestServer;
use crate::support::with_patience;

const BLOCK: usize = 2048;

/// Runs a program in `directory`, and expects success.
fn run(directory: &Path, words: &[&str]) -> String {
    let output = with_patience()
        .args(words)
        .current_dir(directory)
        .output()
        .unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    // A program that loops prints the same text very often.
    let said = String::from_utf8_lossy(&said).chars().take(2_000).collect();
    assert!(output.status.success(), "{words:?}: {} {said}", output.status);
    said
}

/// The new version of the file: a byte changed in the middle of every fifth block.
fn older_version(content: &[u8]) -> Vec<u8> {
    let mut older = content.to_vec();
    older.iter_mut().skip(BLOCK / 2).step_by(5 * BLOCK).for_each(|byte| *byte ^= 1);
    older
}

#[test]
#[ignore = "needs zsync"]
fn zsync_completes_an_older_version_by_ranges_alone() {
    let server = TestServer::start();
    // The last block is short; 80 ranges make four requests.
    let content = pattern(400 * BLOCK + 7);
    server.file("image.iso", &content);
    let block = BLOCK.to_string();
    let control = ["zsyncmake", "-b", &block, "-u", "image.iso", "-o", "image.zsync", "image.iso"];
    run(server.root(), &control);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("older.iso"), older_version(&content)).unwrap();
    let url = format!("http://{}/image.zsync", server.address());
    let before = server.counters().bytes_sent;
    run(directory.path(), &["zsync", "-i", "older.iso", "-o", "image.iso", &url]);
    assert!(fs::read(directory.path().join("image.iso")).unwrap() == content);
    let sent = server.counters().bytes_sent - before;
    assert!(sent < content.len() as u64 / 2, "only what is missing was fetched: {sent} bytes");
}
