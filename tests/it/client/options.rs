//! The client's options.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::client::{program, stderr, stdout};
use crate::support::parts::{part_bytes, without_hash};
use crate::support::ranged::{pattern, ranged};
use crate::support::scripted::{Scripted, answer, ok};
use crate::support::wait_until;

const HELLO: &str = "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969";

fn server() -> Scripted {
    Scripted::answering(|target| match target {
        "/gone" => answer("404 Not Found", "", ""),
        "/named" => answer(
            "200 OK",
            "Content-Disposition: attachment; filename=\"../plain.txt\"; \
             filename*=UTF-8''na%C3%AFve%2F..%2Ffile.txt\r\n",
            "named",
        ),
        _ => ok("Hello"),
    })
}

/// Runs the client in a directory, and expects this status.
#[track_caller]
fn run(directory: &TempDir, arguments: &[&str], status: i32) -> Output {
    let output = program().args(arguments).current_dir(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
    output
}

fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(without_hash(path.strip_prefix(directory).unwrap().to_str().unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_list_has_urls_names_and_comments_and_a_repeated_url_is_fetched_once() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let list = format!(
        "# a comment\n\n{}\n{}\tsub/renamed.txt\n{}\n",
        server.url("/a"),
        server.url("/b"),
        server.url("/a#fragment")
    );
    fs::write(directory.path().join("list"), &list).unwrap();
    let output = run(&directory, &["-i", "list", "-o", "out"], 0);
    assert!(stderr(&output).contains("1 URL was given more than once"), "{output:?}");
    assert_eq!(files(&directory.path().join("out")), ["a", "sub/renamed.txt"]);
    assert_eq!(server.heads().len(), 2);

    // The same from standard input, after the URLs of the command line.
    let mut child = program()
        .args(["-urls", &server.url("/c"), "-input-file", "-", "-o", "in"])
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(files(&directory.path().join("in")), ["a", "c", "sub/renamed.txt"]);
}

#[test]
fn a_bad_line_is_reported_and_nothing_is_fetched_unless_it_is_to_be_skipped() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let list = format!("{}\nnot a url\n{}\t../x\n", server.url("/a"), server.url("/b"));
    fs::write(directory.path().join("list"), list).unwrap();
    let output = run(&directory, &["-i", "list", "-o", "out"], 2);
    for text in ["line 2: \"not …\"", "line 3: \"../x\"", "--skip-bad-urls"] {
        assert!(stderr(&output).contains(text), "{output:?}");
    }
    assert!(server.connections() == 0 && !directory.path().join("out").exists());
    run(&directory, &["-i", "list", "-o", "out", "--skip-bad-urls"], 1);
    assert_eq!(files(&directory.path().join("out")), ["a"]);
}

#[test]
fn contradicting_options_are_reported_and_nothing_is_fetched() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let url = server.url("/a");
    fs::write(directory.path().join("file"), "").unwrap();
    fs::write(directory.path().join("other.sha256"), format!("{HELLO}  other\n")).unwrap();
    fs::write(directory.path().join("bad.sha256"), "x\n").unwrap();
    for (arguments, expected) in [
        (&["--skip-existing", "--no-clobber"][..], "cannot be used with"),
        (&["--insecure", "--cacert", "file"], "cannot be used with"),
        (&["-H", "No-Colon"], "no colon"),
        (&["-H", "Range: bytes=0-1"], "sets this field itself"),
        (&["-A", "a\nb"], "control character"),
        (&["--cacert", "missing.pem"], "missing.pem"),
        (&["--cacert", "file"], "no certificate"),
        (
            &["--checksum-file", "other.sha256"],
            "other.sha256 has no usable checksum for any file of this run",
        ),
        (&["--checksum-file", "bad.sha256"], "line 1 of bad.sha256"),
        (&["-i", "missing"], "missing"),
        (&["-i", "file"], ""),
        (&["-o", "file"], "not a directory"),
        (&["--split", "0"], "at least 1"),
        (&["--json", "missing/run.json"], "choose another file with --json"),
        (&["--har", "."], "choose another file with --har"),
        (&["--failed-list", "missing/x"], "choose another file with --failed-list"),
        (&["--json", "x", "--har", "./x"], "--json and --har name the same file"),
        (&["-o", "out", "--har", "out/a"], "out/a is the file of http://127.0.0.1"),
        (&["-o", "out", "--failed-list", "out/../out/a"], "another file with --failed-list"),
        (&["--json", "-", "--har", "-"], "--json and --har can write to standard output"),
    ] {
        let arguments = [&["-urls", &url][..], arguments].concat();
        if expected.is_empty() {
            // An empty list in addition to URLs is no error.
            run(&directory, &arguments, 0);
            continue;
        }
        let before = server.connections();
        let output = run(&directory, &arguments, 2);
        assert!(stderr(&output).contains(expected), "{arguments:?}: {output:?}");
        assert_eq!(server.connections(), before, "{arguments:?}");
    }
    run(&directory, &["-i", "file"], 2);
    assert_eq!(fs::read_dir(directory.path().join("out")).unwrap().count(), 0);
    run(&directory, &["-urls", &url, "--har", "a", "--json", "-", "--failed-list", "b"], 0);
    run(&directory, &["-urls", &url, "--har", "/dev/null", "--json", "/dev/null"], 0);
}

#[test]
fn existing_files_are_replaced_skipped_or_kept_beside_numbered_ones() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let (url, out) = (server.url("/a.txt"), directory.path().join("downloads"));
    fs::create_dir(&out).unwrap();
    fs::write(out.join("a.txt"), "older").unwrap();
    let output = run(&directory, &["-urls", &url, "--skip-existing"], 0);
    assert!(stdout(&output).contains("(already there)"), "{output:?}");
    assert_eq!(
        (fs::read(out.join("a.txt")).unwrap(), server.connections()),
        (b"older".to_vec(), 0)
    );
    // An existing file counts only if its checksum matches.
    fs::write(directory.path().join("sums"), format!("{HELLO}  a.txt\n")).unwrap();
    let verified = ["-urls", &url, "--skip-existing", "--checksum-file", "sums"];
    let output = run(&directory, &verified, 0);
    assert!(stderr(&output).contains("a.txt has another SHA-256"), "{output:?}");
    assert_eq!(
        (fs::read(out.join("a.txt")).unwrap(), server.connections()),
        (b"Hello".to_vec(), 1)
    );
    let output = run(&directory, &verified, 0);
    assert!(stdout(&output).contains("(already there)") && server.connections() == 1, "{output:?}");
    fs::write(out.join("a.txt"), "older").unwrap();
    run(&directory, &["-urls", &url, "--no-clobber"], 0);
    run(&directory, &["-urls", &url, "--no-clobber"], 0);
    assert_eq!(files(&out), ["a.1.txt", "a.2.txt", "a.txt"]);
    assert_eq!(fs::read(out.join("a.txt")).unwrap(), b"older");
    run(&directory, &["-urls", &url], 0);
    assert_eq!(fs::read(out.join("a.txt")).unwrap(), b"Hello");
}

#[test]
fn a_directory_may_have_any_name() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let out = OsStr::from_bytes(b"caf\xe9\n");
    let mut command = program();
    command.arg("-o").arg(out).args(["--json", "-", "-urls", &server.url("/a")]);
    let output = command.current_dir(&directory).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap();
    assert_eq!(fs::read(directory.path().join(out).join("a")).unwrap(), b"Hello");
}

#[test]
fn paths_are_kept_and_servers_name_files_without_leaving_the_directory() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let urls = [server.url("/x/y/a.txt"), server.url("/x/y"), server.url("/named")];
    let all =
        [&["-o", "kept", "--keep-paths", "-urls"][..], &urls.each_ref().map(|u| &**u)].concat();
    run(&directory, &all, 0);
    let host = server.address().to_string().replace(':', "_");
    let mut expected =
        [format!("{host}/named"), format!("{host}/x/y.1"), format!("{host}/x/y/a.txt")];
    expected.sort();
    assert_eq!(files(&directory.path().join("kept")), expected);

    run(&directory, &["-o", "named", "--content-disposition", "-urls", &urls[2], &urls[0]], 0);
    assert_eq!(files(&directory.path().join("named")), ["a.txt", "file.txt"]);

    // A planted link is replaced, not followed.
    let outside = directory.path().join("outside");
    fs::write(&outside, "untouched").unwrap();
    fs::create_dir(directory.path().join("planted")).unwrap();
    symlink(&outside, directory.path().join("planted/a.txt")).unwrap();
    run(&directory, &["-o", "planted", "-urls", &urls[0]], 0);
    assert_eq!(fs::read(&outside).unwrap(), b"untouched");
    assert!(directory.path().join("planted/a.txt").symlink_metadata().unwrap().is_file());
}

#[test]
fn checksums_are_verified_and_printed() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let (one, two) = (server.url("/one"), server.url("/two"));
    fs::write(
        directory.path().join("sums"),
        format!("{HELLO}  one\n{}  two\n", HELLO.replace('1', "2")),
    )
    .unwrap();
    let output = run(&directory, &["-urls", &one, &two, "--checksum-file", "sums"], 1);
    assert!(stderr(&output).contains("the SHA-256 is 185f8db"), "{output:?}");
    assert_eq!(files(&directory.path().join("downloads")), ["one"]);
    let other = server.url("/other");
    let output = run(&directory, &["-urls", &one, &other, "--checksum-file", "sums"], 0);
    let warning = "1 of 2 files have no checksum in sums, and are not verified";
    assert!(stderr(&output).contains(warning), "{output:?}");
    let output = run(&directory, &["-urls", &one, "--sha256", "--fsync"], 0);
    assert!(stdout(&output).lines().next().unwrap().ends_with(HELLO), "{output:?}");
}

#[test]
fn a_run_writes_json_an_archive_and_a_list_of_failures() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let urls = [server.url("/a"), server.url("/gone"), server.url("/b?x=1")];
    let arguments = [
        &["-json", "-", "-har", "run.har", "-failed-list", "failed", "-urls"][..],
        &urls.each_ref().map(|url| &**url),
    ]
    .concat();
    let output = run(&directory, &arguments, 1);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&json["version"], &json["urls"], &json["failed"]),
        (&2.into(), &3.into(), &1.into())
    );
    assert_eq!(json["failures"]["status 404"], 1);
    assert_eq!(json["fetches"][1]["status"], 404);
    assert_eq!(json["fetches"][2]["url"], *urls[2]);
    let har = fs::read(directory.path().join("run.har")).unwrap();
    let har: Value = serde_json::from_slice(&har).unwrap();
    assert_eq!(har["log"]["entries"].as_array().unwrap().len(), 3);
    let failed = fs::read_to_string(directory.path().join("failed")).unwrap();
    assert_eq!(failed, format!("{}\tgone\n", urls[1]));
    let output = run(&directory, &["-i", "failed", "--failed-list", "-"], 1);
    assert_eq!(stdout(&output), failed);
}

#[test]
fn an_interrupt_keeps_the_parts_prints_the_report_and_has_status_130() {
    let content = pattern(400_000);
    let copy = content.clone();
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            if head.contains("/slow ") && peer.first_time("/slow") {
                peer.send(&ranged(&head, "\"v1\"", &copy)[..200_000]);
                peer.wait_for_close();
                return;
            }
            peer.send(ranged(&head, "\"v1\"", &copy));
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let (done, slow) = (server.url("/done"), server.url("/slow"));
    let child = program()
        .args(["-urls", &done, &slow, "-c", "2"])
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = directory.path().join("downloads");
    wait_until("one file is saved and the other in progress", || {
        out.join("done").exists() && part_bytes(&out, "slow").is_some_and(|bytes| bytes > 100_000)
    });
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(stdout(&output).contains("Downloaded       1 of 2 files"), "{output:?}");
    assert_eq!(files(&out), ["done", "slow.part", "slow.part.json"]);
    run(&directory, &["-urls", &slow], 0);
    assert!(fs::read(out.join("slow")).unwrap() == content);
    let last = server.heads().pop().unwrap();
    assert!(last.contains("Range: bytes="), "{last}");
}

#[test]
fn a_document_written_to_a_fifo_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let reader = thread::spawn(move || {
        let text = fs::read_to_string(&fifo).unwrap();
        if text.is_empty() {
            // Unblocks a writer that still waits.
            fs::read(&fifo).unwrap();
        }
        text
    });
    run(&directory, &["-q", "--json", "fifo", "-urls", &server().url("/gone")], 1);
    let document: Value = serde_json::from_str(&reader.join().unwrap()).unwrap();
    assert_eq!(document["failed"], 1);
}

#[test]
fn after_a_kill_during_a_hundred_downloads_no_saved_byte_is_fetched_again() {
    const COUNT: usize = 100;
    const LENGTH: usize = 600_000;
    let content = pattern(LENGTH + COUNT);
    let copy = content.clone();
    let is_killed = Arc::new(AtomicBool::new(false));
    let after_kill = Arc::clone(&is_killed);
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            let number: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
            let bytes = ranged(&head, "\"v1\"", &copy[number..number + LENGTH]);
            // Before the kill, files from the sixtieth on are sent by half only.
            if number >= 60 && !after_kill.load(Ordering::SeqCst) {
                peer.send(&bytes[..LENGTH / 2]);
                peer.wait_for_close();
                return;
            }
            peer.send(bytes);
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let list: String = (0..COUNT).map(|n| server.url(&format!("/{n}\n"))).collect();
    fs::write(directory.path().join("list"), list).unwrap();
    let mut child = program()
        .args(["-q", "-i", "list", "-c", "10"])
        .current_dir(directory.path())
        .spawn()
        .unwrap();
    let out = directory.path().join("downloads");
    let bytes_in = |suffix: &str| {
        let entries = fs::read_dir(&out).into_iter().flatten().flatten();
        let sizes = entries
            .filter(|entry| entry.file_name().to_str().unwrap().ends_with(suffix))
            .map(|entry| entry.metadata().map_or(0, |metadata| metadata.size()));
        sizes.sum::<u64>()
    };
    // All ten connections hang in the middle of a file, and all earlier files are saved.
    wait_until("ten files hang", || {
        let complete = (0..60).all(|number| out.join(number.to_string()).exists());
        complete && bytes_in(".part") > 10 * 250_000
    });
    child.kill().unwrap();
    child.wait().unwrap();
    is_killed.store(true, Ordering::SeqCst);
    let parts = bytes_in(".part");
    assert!(parts > 0);
    let output = run(&directory, &["-i", "list", "-c", "10", "--skip-existing", "-json", "-"], 0);
    for number in 0..COUNT {
        let file = fs::read(out.join(number.to_string())).unwrap();
        assert!(file == content[number..number + LENGTH], "{number}");
    }
    assert_eq!(files(&out).len(), COUNT);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let total = (COUNT - 60) * LENGTH;
    assert_eq!(json["received"].as_u64().unwrap(), total as u64 - parts);
}
