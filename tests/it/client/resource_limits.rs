//! With limited memory or threads the client uses fewer connections, and fetches everything.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::geteuid;

use crate::support::PATIENCE;
use crate::support::client::{program_under, stderr};
use crate::support::scripted::{Scripted, answer};
use crate::support::server::TestServer;

const FILES: usize = 100;

fn server() -> TestServer {
    let server = TestServer::with_limits(400, 500);
    for number in 0..FILES {
        server.file(&format!("{number}.bin"), number.to_string().repeat(5_000));
    }
    server
}

/// Fetches all files of the server with the command, by this name of the server.
fn fetch(mut command: Command, server: &TestServer, host: &str, directory: &Path) -> Output {
    let port = server.address().port();
    let urls: Vec<_> =
        (0..FILES).map(|number| format!("http://{host}:{port}/{number}.bin")).collect();
    fs::write(directory.join("list"), urls.join("\n")).unwrap();
    command.args(["-i", "list", "--output", "out"]).current_dir(directory).output().unwrap()
}

fn assert_whole(directory: &Path) {
    for number in 0..FILES {
        let content = fs::read(directory.join(format!("out/{number}.bin"))).unwrap();
        assert!(content == number.to_string().repeat(5_000).as_bytes(), "{number}");
    }
}

#[test]
fn with_little_address_space_fewer_connections_fetch_everything() {
    let server = server();
    for (kib, arguments) in [
        (300_000_u64, &["-c", "300"][..]),
        (300_000, &["-c", "64", "--compressed"]),
        (150_000, &["-c", "300"]),
        (100_000, &["-c", "64"]),
        (100_000, &["-c", "300", "--split", "4"]),
        (60_000, &["-c", "64"]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = program_under("prlimit", &[&format!("--as={}", kib * 1024)]);
        command.args(arguments);
        let output = fetch(command, &server, "localhost", directory.path());
        assert_eq!(output.status.code(), Some(0), "{kib} {arguments:?} {output:?}");
        let warnings = stderr(&output);
        let told = warnings.matches("connections at a time: the memory is limited").count();
        // 100 of 300 workers have work, for which 300,000 KiB suffice.
        assert_eq!(told, usize::from(kib < 300_000), "{kib} {arguments:?} {warnings}");
        assert_whole(directory.path());
    }
}

/// 9 MiB of zeros in a zstd frame with a window of 8 MiB, the largest that is accepted (RFC 8878 §3.1.1).
fn zstd() -> Vec<u8> {
    const BLOCKS: u32 = 72;
    const RUN_OF_128_KIB: u32 = (128 << 10 << 3) | 1 << 1;
    let mut frame = b"\x28\xb5\x2f\xfd\x00\x68".to_vec();
    for block in 1..=BLOCKS {
        let header = RUN_OF_128_KIB | u32::from(block == BLOCKS);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn with_little_address_space_few_large_windows_are_decoded_at_a_time() {
    let coded = answer("200 OK", "Content-Encoding: zstd\r\n", zstd());
    let server = Scripted::answering(move |_| coded.clone());
    let urls: Vec<_> = (0..40).map(|number| server.url(&format!("/{number}"))).collect();
    let directory = tempfile::tempdir().unwrap();
    // If an allocation fails during a panic, the program hangs.
    let patience = PATIENCE.as_secs().to_string();
    let mut command =
        program_under("timeout", &["--signal=KILL", &patience, "prlimit", "--as=150000000"]);
    command.args(["-c", "40", "-urls"]).args(urls).current_dir(directory.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for number in 0..40 {
        let path = directory.path().join(format!("downloads/{number}"));
        assert_eq!(fs::metadata(path).unwrap().len(), 9 << 20, "{number}");
    }
}

#[test]
fn an_experiment_with_little_address_space_is_warned_of_it_once() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let mut command = program_under("prlimit", &["--as=102400000"]);
    command.args(["-c", "100", "--compare", "--runs", "2"]);
    let output = fetch(command, &server, "127.0.0.1", directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stderr(&output).matches("the memory is limited").count(), 1, "{output:?}");
}

#[test]
fn with_few_threads_the_existing_ones_fetch_everything() {
    // Root has no thread limit, and tasks of another user would count.
    if !geteuid().is_root() {
        return;
    }
    let server = server();
    for (threads, arguments) in [(6_u32, &["-c", "50"][..]), (6, &["-c", "50", "--split", "2"])] {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let mut command = program_under("prlimit", &[&format!("--nproc={threads}")]);
        command.args(arguments).uid(910_000_000 + std::process::id());
        let output = fetch(command, &server, "localhost", directory.path());
        assert_eq!(output.status.code(), Some(0), "{threads} {output:?}");
        let warnings = stderr(&output);
        assert_eq!(warnings.matches("threads could be started").count(), 1, "{warnings}");
        assert_whole(directory.path());
    }
}
