//! A client that may have little memory or few threads: it uses fewer connections, and loses nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::geteuid;

use crate::support::client::{program_under, stderr};
use crate::support::server::TestServer;

const FILES: usize = 120;

fn server() -> TestServer {
    let server = TestServer::with_limits(400, 500);
    for number in 0..FILES {
        server.file(&format!("{number}.bin"), number.to_string().repeat(5_000));
    }
    server
}

/// Has the command fetch all files of the server by way of this name of its.
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
        // Of 300 workers 120 have something to do, which 300,000 KiB bear, but not with a decoder each.
        let is_enough = kib >= 300_000 && !arguments.contains(&"--compressed");
        assert_eq!(told, usize::from(!is_enough), "{kib} {arguments:?} {warnings}");
        assert_whole(directory.path());
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
fn with_few_threads_those_that_there_are_fetch_everything() {
    // Root has no limit on its threads, and another user's tasks are not this test's to count.
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
