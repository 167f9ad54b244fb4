//! The root is a path: the directory that it names at the moment is served.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, geteuid};

use crate::support::bindfs::Bound;
use crate::support::conversation::{Conversation, Reply};
use crate::support::program::{SERVER, ServerProgram};
use crate::support::{wait_until, with_patience};

/// A directory with a file `a.txt` of this content.
fn make(directory: &Path, content: &str) {
    fs::create_dir(directory).unwrap();
    fs::write(directory.join("a.txt"), content).unwrap();
}

fn get(server: &ServerProgram, target: &str) -> Reply {
    server.connect_from(1).get(target)
}

#[track_caller]
fn wait_for(server: &ServerProgram, target: &str, expected: &str) {
    wait_until(&format!("{target} is {expected:?}"), || {
        let reply = get(server, target);
        reply.status == 200 && reply.text() == expected
    });
}

#[test]
fn a_root_removed_and_recreated_is_served() {
    let tree = tempfile::tempdir().unwrap();
    let public = tree.path().join("public");
    for (root, current) in [("public", tree.path()), (".", &*public)] {
        make(&public, "first");
        let server = ServerProgram::start(current, &["-p", "0", "--root", root]);
        assert_eq!(get(&server, "/a.txt").text(), "first", "{root}");
        for content in ["second", "third"] {
            fs::remove_dir_all(&public).unwrap();
            for target in ["/a.txt", "/", "/b/"] {
                let reply = get(&server, target);
                assert_eq!(
                    (reply.status, reply.field("Retry-After")),
                    (503, Some("1")),
                    "{target}"
                );
            }
            make(&public, content);
            assert_eq!(get(&server, "/a.txt").text(), content, "{root}: nothing was there before");
        }
        server.signal(Signal::TERM);
        let (_, log) = server.wait();
        assert_eq!(log.matches("cannot be served any more").count(), 2, "one for each: {log}");
        assert_eq!(log.matches("is a directory again").count(), 2, "{log}");
        fs::remove_dir_all(&public).unwrap();
    }
}

#[test]
fn a_directory_that_replaces_the_root_is_served() {
    let tree = tempfile::tempdir().unwrap();
    let [public, next, old] = ["public", "next", "old"].map(|name| tree.path().join(name));
    make(&public, "first");
    make(&next, "second");
    fs::write(next.join("new.txt"), "new").unwrap();
    let server = ServerProgram::start(tree.path(), &["-p", "0", "--root", "public"]);
    assert_eq!(get(&server, "/a.txt").text(), "first");
    fs::rename(&public, old).unwrap();
    fs::rename(next, &public).unwrap();
    assert_eq!(get(&server, "/new.txt").text(), "new", "what is missing has it looked for at once");
    wait_for(&server, "/a.txt", "second");
}

#[test]
fn a_switched_link_is_followed_and_transfers_go_on() {
    const LARGE: usize = 20_000_000;
    let tree = tempfile::tempdir().unwrap();
    for release in ["1", "2"] {
        make(&tree.path().join(release), release);
        fs::write(tree.path().join(release).join("large"), release.repeat(LARGE)).unwrap();
    }
    let link = |release: &str| {
        symlink(release, tree.path().join("new")).unwrap();
        fs::rename(tree.path().join("new"), tree.path().join("current")).unwrap();
    };
    link("1");
    let server = ServerProgram::start(tree.path(), &["-p", "0", "--root", "current"]);
    let mut transfer =
        Conversation::with_a_small_window(server.connect_from(1).stream().peer_addr().unwrap());
    transfer.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    transfer.stream().peek(&mut [0]).unwrap();
    link("2");
    wait_for(&server, "/a.txt", "2");
    fs::remove_dir_all(tree.path().join("1")).unwrap();
    assert!(transfer.reply().body == "1".repeat(LARGE).as_bytes());
    // Links within it still cannot leave it.
    fs::write(tree.path().join("secret"), "").unwrap();
    symlink("../secret", tree.path().join("2/out")).unwrap();
    assert_eq!(get(&server, "/out").status, 404);
}

#[test]
fn a_root_that_is_no_longer_a_directory_is_not_served() {
    let tree = tempfile::tempdir().unwrap();
    let public = tree.path().join("public");
    make(&public, "first");
    let arguments = ["-p", "0", "--root", "public", "--status-path", "/status"];
    let server = ServerProgram::start(tree.path(), &arguments);
    fs::rename(&public, tree.path().join("old")).unwrap();
    fs::write(&public, "a file").unwrap();
    wait_until("the change is noticed", || get(&server, "/a.txt").status == 503);
    let mut conversation = server.connect_from(1);
    conversation.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(conversation.reply_to_head().status, 503);
    assert_eq!(conversation.get("/status").status, 200, "the status needs no root");
    assert_eq!(conversation.send("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n").reply().status, 204);
    fs::remove_file(&public).unwrap();
    fs::rename(tree.path().join("old"), &public).unwrap();
    assert_eq!(conversation.get("/a.txt").text(), "first");
}

/// bindfs may reuse the inode number of a directory that is still open, if the file system behind it does.
#[test]
#[ignore = "needs bindfs"]
fn a_root_recreated_with_its_old_inode_number_is_served() {
    let bound = Bound::mount(&[]);
    let public = bound.shown().join("public");
    make(&public, "0");
    let server = ServerProgram::start(&bound.shown(), &["-p", "0", "--root", "public"]);
    for round in 0..3 {
        let content = round.to_string();
        wait_for(&server, "/a.txt", &content);
        // While the server has the file open, FUSE keeps a hidden one in its place.
        wait_until("it is removed", || fs::remove_dir_all(&public).is_ok());
        make(&public, &(round + 1).to_string());
    }
    wait_for(&server, "/a.txt", "3");
}

/// Starts the server under strace, which lets `openat2` fail with this error, as sandboxes do. The child is
/// the server itself, with strace beside it.
fn in_a_sandbox(error: &str) -> Vec<String> {
    let injection = format!("inject=openat2:error={error}");
    let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=openat2", "-e"];
    [&strace[..], &[&injection, SERVER, "-p", "0"]]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// The output of a server that fails to start.
fn refusal(command: &mut Command) -> String {
    let output = command.env_remove("RUST_LOG").output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

#[test]
#[ignore = "needs strace"]
fn without_openat2_files_are_served_and_nothing_else() {
    for error in ["ENOSYS", "EINVAL"] {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(tree.path().join("secret"), "secret").unwrap();
        fs::write(root.join("a.txt"), "Hello").unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("a.txt", root.join("in")).unwrap();
        let words = in_a_sandbox(error);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        let server = ServerProgram::launch(command, &root);
        for (target, status) in [("/a.txt", 200), ("/in", 200), ("/", 200), ("/out", 404)] {
            assert_eq!(server.connect_from(1).get(target).status, status, "{error} {target}");
        }
        server.signal(Signal::TERM);
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "{error}: {log}");
        assert_eq!(log.matches("openat2 cannot be used: ").count(), 1, "{error}: {log}");
    }
}

#[test]
#[ignore = "needs strace"]
fn with_openat2_denied_the_server_reports_it_and_does_not_start() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().to_str().unwrap();
    for (error, reason) in [("EACCES", "Permission denied"), ("EPERM", "Operation not permitted")] {
        let refused = || {
            let mut command = with_patience();
            command.args(in_a_sandbox(error)).args(["--root", path]);
            if geteuid().is_root() {
                command.uid(65_534);
            }
            refusal(&mut command)
        };
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let text = refused();
        for part in [path, "openat2 is denied", reason, "allow openat2", "system-call filter"] {
            assert!(text.contains(part), "{error}, {part}: {text}");
        }
        assert!(!text.contains("--root"), "the directory is not what is wrong: {text}");
        // It cannot be traversed, which is the error.
        fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
        let text = refused();
        assert!(text.contains("--root") && !text.contains("openat2"), "{error}: {text}");
    }
}

#[test]
fn a_directory_beneath_which_nothing_can_be_opened_is_not_served() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.txt"), "Hello").unwrap();
    // It can be opened and read, but not traversed.
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o444)).unwrap();
    let mut command = with_patience();
    command.args([SERVER, "-p", "0", "--root"]).arg(root.path());
    if geteuid().is_root() {
        command.uid(65_534);
    }
    let text = refusal(&mut command);
    for part in ["cannot serve", root.path().to_str().unwrap(), "ermission denied", "--root"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("openat2"), "the call is not what is wrong: {text}");
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
}
