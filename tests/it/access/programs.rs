//! The server as a program that needs passwords, and programs that send them.

use std::fs;
use std::path::Path;
use std::process::Output;

use rustix::process::Signal;

use super::passwords::{SECRET, ask, basic};
use crate::support::program::{ServerProgram, run_server};
use crate::support::{wait_until, with_patience};

/// Arguments for a password file; the port is chosen by the system.
fn arguments(users: &Path) -> Vec<&str> {
    vec!["-p", "0", "--bind", "127.0.0.1", "--root", "root", "--auth", users.to_str().unwrap()]
}

/// A directory with `root/a.txt` and `users`.
fn directory(users: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("root")).unwrap();
    fs::write(directory.path().join("root/a.txt"), "Hello").unwrap();
    fs::write(directory.path().join("users"), users).unwrap();
    directory
}

#[test]
fn a_bad_password_file_is_status_1_with_the_line_and_the_remedy() {
    for (users, parts) in [
        ("alice:$apr1$sX2lbVJG$0d8Dd8hQtS5Y", &["line 1 of", "MD5 ($apr1$)", "htpasswd -nB"][..]),
        ("# a\nalice:hunter2\n", &["line 2 of", "not hashed", "htpasswd -nB"]),
        ("alice\n", &["line 1 of", "no colon", "--auth"]),
        ("\n", &["no users", "--auth"]),
    ] {
        let directory = directory(users);
        let path = directory.path().join("users");
        let (status, text) = run_server(&["-p", "0", "--auth", path.to_str().unwrap()]);
        assert_eq!(status, 1, "{text}");
        for part in [path.to_str().unwrap()].iter().chain(parts) {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
    let (status, text) = run_server(&["-p", "0", "--auth", "/does/not/exist"]);
    assert_eq!(status, 1);
    assert!(text.contains("/does/not/exist") && text.contains("--auth"), "{text}");
}

#[test]
fn a_hangup_reads_the_file_again_and_a_bad_one_is_logged() {
    let directory = directory(&format!("alice:{SECRET}\n"));
    let users = directory.path().join("users");
    let server = ServerProgram::start(directory.path(), &arguments(&users));
    let is_in = |user: &str| ask(&mut server.connect_from(2), &basic(user, "secret")).status == 200;
    assert!(is_in("alice"));
    // Long, so that it shows when it has been read.
    let bad = format!("{}bob:secret\n", "# comment\n".repeat(100_000));
    fs::write(&users, &bad).unwrap();
    let before = server.bytes_read();
    server.signal(Signal::HUP);
    wait_until("the bad file was read", || server.bytes_read() >= before + bad.len() as u64);
    assert!(is_in("alice"));
    fs::write(&users, format!("bob:{SECRET}\n")).unwrap();
    server.signal(Signal::HUP);
    wait_until("the new file is in force", || is_in("bob"));
    assert!(!is_in("alice"));
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    let part =
        "ERROR http_server_conc::signals] the former passwords remain in force: line 100001 of";
    assert!(log.contains(part), "{log}");
    assert!(log.contains("read the password file again: 1 users"), "{log}");
    assert!(log.contains("127.0.0.2: wrong password for an unknown user"), "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn the_log_has_the_user_and_never_a_password() {
    let directory = directory(&format!("alice:{SECRET}\n"));
    let users = directory.path().join("users");
    let log = directory.path().join("log");
    let arguments = [arguments(&users), vec!["-v", "--access-log", log.to_str().unwrap()]].concat();
    let server = ServerProgram::start(directory.path(), &arguments);
    let mut conversation = server.connect_from(1);
    for (field, status) in [
        (basic("alice", "secret"), 200),
        (String::new(), 401),
        (basic("alice", "hunter2"), 401),
        (basic("hunter2", "alice"), 401),
    ] {
        let reply = ask(&mut conversation, &field);
        assert_eq!(reply.status, status);
        if reply.field("Connection").is_some() {
            conversation = server.connect_from(1);
        }
    }
    drop(conversation);
    server.signal(Signal::TERM);
    let (_, text) = server.wait();
    assert!(text.contains("127.0.0.1: wrong password for alice"), "{text}");
    let lines = fs::read_to_string(log).unwrap();
    let users: Vec<_> = lines.lines().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(users, ["alice", "-", "-", "-"]);
    for text in [text, lines] {
        for secret in
            ["hunter2", "secret", basic("alice", "secret").split(' ').nth(2).unwrap().trim()]
        {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn passwords_that_others_may_read_are_warned_of() {
    let directory = directory(&format!("alice:{SECRET}\n"));
    let [outside, inside] = ["users", "root/users"].map(|name| directory.path().join(name));
    fs::copy(&outside, &inside).unwrap();
    for (bind, users, parts) in [
        ("127.0.0.1", &outside, &[][..]),
        ("0.0.0.0", &outside, &["not encrypted"]),
        ("127.0.0.1", &inside, &["within the served directory"]),
    ] {
        let arguments = ["--bind", bind, "-p", "0", "--root", "root", "--auth"];
        let arguments = [&arguments[..], &[users.to_str().unwrap()]].concat();
        let server = ServerProgram::start(directory.path(), &arguments);
        server.signal(Signal::TERM);
        let (_, log) = server.wait();
        for part in parts {
            assert!(log.contains(part), "{bind}: {log}");
        }
        assert_eq!(log.matches("WARN").count(), parts.len(), "{log}");
    }
}

/// Runs a program in the directory; `{url}` is the server's.
fn run(server: &ServerProgram, directory: &Path, words: &[&str]) -> Output {
    let url = format!("127.0.0.1:{}", server.port());
    let words: Vec<String> = words.iter().map(|word| word.replace("{url}", &url)).collect();
    with_patience().args(&words).current_dir(directory).output().expect("timeout(1) is there")
}

fn made_by(words: &[&str]) -> String {
    let output = with_patience().args(words).output().expect("timeout(1) is there");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs htpasswd, openssl, mkpasswd, curl, wget, rclone"]
fn programs_make_the_hashes_and_send_the_passwords() {
    let password = "p\u{e4}ss:w\u{f6}rd \"$";
    let users = [
        made_by(&["htpasswd", "-nbB", "alice", password]),
        format!("bob:{}", made_by(&["openssl", "passwd", "-6", password])),
        format!("carol:{}", made_by(&["mkpasswd", "-m", "sha512crypt", "-R", "2000", password])),
        format!("dave:{}", made_by(&["mkpasswd", "-m", "bcrypt", "-R", "5", password])),
    ]
    .concat();
    let directory = directory(&users);
    let path = directory.path().join("users");
    let server = ServerProgram::start(directory.path(), &arguments(&path));
    let run = |words: &[&str]| run(&server, directory.path(), words);
    for user in ["alice", "bob", "carol", "dave"] {
        let pair = format!("{user}:{password}");
        let output = run(&["curl", "-sS", "-u", &pair, "http://{url}/a.txt"]);
        assert_eq!(output.stdout, b"Hello", "{user}: {output:?}");
        // It asks without the password first.
        let user_option = format!("--user={user}");
        let password_option = format!("--password={password}");
        let options = ["wget", "-q", "-O", "-", &user_option, &password_option];
        let output = run(&[&options[..], &["http://{url}/a.txt"]].concat());
        assert_eq!(output.stdout, b"Hello", "{user}: {output:?}");
    }
    let output = run(&["curl", "-sS", "-u", "alice:wrong", "-w", "%{http_code}", "http://{url}/"]);
    assert!(output.stdout.ends_with(b"401"), "{output:?}");
    let encoded = "p%C3%A4ss%3Aw%C3%B6rd%20%22%24";
    let url = format!("http://alice:{encoded}@{{url}}/");
    let options = ["--config", "/dev/null", "--transfers", "8", "--http-url", &url];
    let output = run(&[&["rclone", "copy", ":http:", "copied"], &options[..]].concat());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read(directory.path().join("copied/a.txt")).unwrap(), b"Hello");
}
