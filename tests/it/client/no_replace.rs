//! `--no-clobber` and `--skip-existing` on file systems that cannot rename without replacing: no existing
//! file is overwritten, and every file is saved.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::bindfs::Bound;
use crate::support::client::program;
use crate::support::fetching::names_in;
use crate::support::ranged::{pattern, ranged};
use crate::support::scripted::Scripted;

const LARGE: usize = 4 << 20;
/// More than is collected in memory.
const MEDIUM: usize = 100_000;
const SMALL: usize = 30_000;

/// Serves `/a`, small, `/b` and others, medium, `/large`, and `/late`, and makes a file of that name meanwhile.
fn server(output: PathBuf) -> Scripted {
    Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            if head.contains(" /late ") {
                fs::write(output.join("late"), "came between").unwrap();
            }
            let length = match head.split(' ').nth(1) {
                Some("/large") => LARGE,
                Some("/a") => SMALL,
                _ => MEDIUM,
            };
            peer.send(ranged(&head, "\"v1\"", &pattern(length)));
        }
    })
}

/// Fetches with the command into `downloads`, and checks the files.
#[track_caller]
fn saves_all_and_replaces_nothing(directory: &Path, command: impl Fn() -> Command) {
    let output = directory.join("downloads");
    let server = server(output.clone());
    let urls = ["/a", "/b", "/late", "/large"].map(|path| server.url(path));
    let fetch = |option: &str| -> Output {
        let mut command = command();
        command.args([option, "--split", "2", "--retries", "0", "-urls"]).args(&urls);
        command.current_dir(directory).output().unwrap()
    };
    fs::create_dir_all(&output).unwrap();
    fs::write(output.join("b"), "older").unwrap();
    let fetched = fetch("--no-clobber");
    assert_eq!(fetched.status.code(), Some(0), "{fetched:?}");
    let names = ["a", "b", "b.1", "large", "late", "late.1"];
    assert_eq!(names_in(&output), names);
    assert_eq!(fs::read(output.join("b")).unwrap(), b"older");
    assert_eq!(fs::read(output.join("late")).unwrap(), b"came between");
    for (name, length) in [("a", SMALL), ("b.1", MEDIUM), ("late.1", MEDIUM), ("large", LARGE)] {
        assert!(fs::read(output.join(name)).unwrap() == pattern(length), "{name}");
    }

    for name in ["a", "late", "late.1", "large"] {
        fs::remove_file(output.join(name)).unwrap();
    }
    let fetched = fetch("--skip-existing");
    assert_eq!(fetched.status.code(), Some(0), "{fetched:?}");
    assert_eq!(names_in(&output), names);
    assert_eq!(fs::read(output.join("b")).unwrap(), b"older");
    assert_eq!(fs::read(output.join("late")).unwrap(), b"came between");
    assert!(fs::read(output.join("large")).unwrap() == pattern(LARGE));
}

#[test]
fn with_renameat2_nothing_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    saves_all_and_replaces_nothing(directory.path(), program);
}

/// The client under strace, which makes these system calls fail.
fn failing(injections: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2,linkat,renameat,fsync"]);
    for injection in injections {
        command.args(["-e", &format!("inject={injection}")]);
    }
    command.arg(program().get_program());
    for (name, _) in program().get_envs() {
        command.env_remove(name);
    }
    command
}

#[test]
#[ignore = "needs strace"]
fn without_renameat2_a_hard_link_is_used() {
    for error in ["EINVAL", "ENOSYS", "EOPNOTSUPP"] {
        let directory = tempfile::tempdir().unwrap();
        let injection = format!("renameat2:error={error}");
        saves_all_and_replaces_nothing(directory.path(), || failing(&[&injection]));
    }
}

#[test]
#[ignore = "needs strace"]
fn without_hard_links_the_name_is_reserved() {
    for error in ["EPERM", "EACCES", "EXDEV", "EOPNOTSUPP", "ENOSYS", "EMLINK"] {
        let directory = tempfile::tempdir().unwrap();
        let injections = ["renameat2:error=EINVAL", &format!("linkat:error={error}")];
        saves_all_and_replaces_nothing(directory.path(), || failing(&injections));
    }
}

#[test]
#[ignore = "needs strace"]
fn a_reserved_name_that_cannot_be_used_is_free_again() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path().join("downloads"));
    let errors = ["renameat2:error=EINVAL", "linkat:error=EPERM", "renameat:error=EIO"];
    let mut command = failing(&errors);
    command.args(["--no-clobber", "--no-continue", "-urls", &server.url("/a")]);
    let fetched = command.current_dir(directory.path()).output().unwrap();
    assert_eq!(fetched.status.code(), Some(1), "{fetched:?}");
    assert!(String::from_utf8_lossy(&fetched.stderr).contains("cannot write"), "{fetched:?}");
    assert!(names_in(&directory.path().join("downloads")).is_empty());
}

#[test]
#[ignore = "needs strace"]
fn a_directory_that_cannot_be_synced_leaves_no_part_behind() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path().join("downloads"));
    // The first is that of the file, the second that of the directory.
    let mut command = failing(&["fsync:error=EIO:when=2"]);
    command.args(["--fsync", "--retries", "0", "-urls", &server.url("/a")]);
    let fetched = command.current_dir(directory.path()).output().unwrap();
    assert_eq!(fetched.status.code(), Some(1), "{fetched:?}");
    let output = directory.path().join("downloads");
    assert_eq!(names_in(&output), ["a"]);
    assert!(fs::read(output.join("a")).unwrap() == pattern(SMALL));
}

#[test]
#[ignore = "needs bindfs"]
fn a_file_system_in_user_space_is_saved_to() {
    let bound = Bound::mount(&[]);
    saves_all_and_replaces_nothing(&bound.shown(), program);
}

#[test]
#[ignore = "needs bindfs"]
fn a_file_system_in_user_space_without_links_or_with_rights_of_its_own_is_saved_to() {
    for options in
        [&["--perms=0644:a+X"][..], &["--create-for-user=nobody"], &["--hide-hard-links"]]
    {
        let bound = Bound::mount(options);
        saves_all_and_replaces_nothing(&bound.shown(), program);
    }
}
