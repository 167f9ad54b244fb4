//! Hostile servers and other users: they can neither plant a part, nor replace an existing file, nor cause
//! the removal of a file that is not the client's.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::support::bindfs::Bound;
use crate::support::client::{program, run, stderr};
use crate::support::fetching::{fetch_into, names_in, settings};
use crate::support::parts::{leave_part, notes_path, part_path};
use crate::support::ranged::{pattern, range, ranged};
use crate::support::scripted::{Scripted, answer, ok};

const TAG: &str = "\"v1\"";

/// Answers every target with its content and its suggested name, if any.
fn naming(answers: impl Fn(&str) -> Option<(String, Vec<u8>)> + Send + Sync + 'static) -> Scripted {
    Scripted::answering_heads(move |head| {
        let target = head.split(' ').nth(1).unwrap();
        match answers(target) {
            Some((name, content)) => {
                let fields = format!("Content-Disposition: attachment; filename=\"{name}\"\r\n");
                answer("200 OK", &fields, content)
            }
            None => answer("404 Not Found", "", ""),
        }
    })
}

#[track_caller]
fn run_to(status: i32, arguments: &[&str], directory: &TempDir) {
    let output = run(arguments, directory.path());
    assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
}

/// The part and notes that an attacker would plant for another server's file; complete, according to the
/// notes.
fn forged(url: &str, missing: &str) -> [Vec<u8>; 2] {
    let content = b"#!/bin/sh\necho forged\n".to_vec();
    let (length, inode) = (content.len(), 1);
    let notes = format!(
        r#"{{"url":"{url}","validator":{{"tag":"\"v1\""}},"length":{length},"missing":[{missing}],"part":{{"inode":{inode},"bytes":{length}}}}}"#
    );
    [content, notes.into()]
}

#[test]
fn no_server_can_plant_a_part_of_another_ones_file() {
    let genuine = pattern(1000);
    let copy = genuine.clone();
    let trusted = Scripted::answering_heads(move |head| ranged(head, TAG, &copy));
    let url = trusted.url("/install.sh");
    let directory = tempfile::tempdir().unwrap();
    let part = part_path(Path::new(""), "install.sh");
    let notes = notes_path(&part);
    let names = [&part, &notes].map(|path| path.to_str().unwrap().to_owned());
    let plain = ["install.sh.part", "install.sh.part.json"].map(str::to_owned);
    let contents = forged(&url, "");
    let capital = names.clone().map(|name| name.replace(".part", ".PART"));
    let all: Vec<_> = [names, plain, capital]
        .into_iter()
        .flat_map(|names| names.into_iter().zip(contents.clone()))
        .collect();
    let by_number = Arc::new(all.clone());
    let hostile = naming(move |target| {
        let last = target.rsplit('/').next()?;
        let by_name = || by_number.iter().find(|(name, _)| name.eq_ignore_ascii_case(last));
        let suggested = last.parse::<usize>().ok().and_then(|number| by_number.get(number));
        suggested.or_else(by_name).cloned()
    });
    let suggested: Vec<_> =
        (0..all.len()).map(|number| hostile.url(&format!("/{number}"))).collect();
    let listed: Vec<_> = all.iter().map(|(name, _)| hostile.url(&format!("/{name}"))).collect();
    let run = |options: &[&str], urls: &[String]| {
        let urls: Vec<_> = urls.iter().map(String::as_str).collect();
        run_to(0, &[options, &["-o", ".", "-urls"], &urls].concat(), &directory);
    };
    run(&["--content-disposition"], &suggested);
    run(&[], &listed);
    run(&["--no-clobber"], &listed);
    assert_eq!(hostile.heads().len(), 3 * all.len());
    for (name, _) in all.iter().take(2).chain(&all[4..]) {
        assert!(!directory.path().join(name).exists(), "{name}");
    }
    run(&[], std::slice::from_ref(&url));
    assert!(fs::read(directory.path().join("install.sh")).unwrap() == genuine);
    assert_eq!(trusted.heads().iter().map(|head| range(head)).collect::<Vec<_>>(), [None]);
}

#[test]
fn notes_alone_do_not_make_a_part_complete() {
    let content = pattern(3000);
    for (version, received) in [(TAG, 1), ("\"v2\"", 3000)] {
        let copy = content.clone();
        let server = Scripted::answering_heads(move |head| ranged(head, version, &copy));
        let url = server.url("/file");
        let directory = tempfile::tempdir().unwrap();
        let there = if version == TAG { content.clone() } else { vec![b'x'; 3000] };
        let notes = r#""validator":{"tag":"\"v1\""},"length":3000,"missing":[]"#;
        leave_part(directory.path(), ("file", &url), there, notes);
        let fetched = fetch_into(directory, &settings(1), &[url]);
        fetched.assert_success();
        assert!(fetched.content("file") == content);
        assert_eq!(fetched.run.outcomes[0].received, received);
        assert_eq!(range(&server.heads()[0]), Some((2999, Some(2999))));
        assert_eq!(fetched.names(), ["file"]);
    }
}

#[test]
fn notes_that_cannot_be_true_are_not_used() {
    for notes in [
        r#""length":3000,"missing":[[0,1999],[1000,2999]]"#,
        r#""length":3000,"missing":[[0,2999],[0,2999],[0,2999]]"#,
        r#""length":3000,"missing":[[2000,1000]]"#,
        r#""length":3000,"missing":[[0,18446744073709551615]]"#,
        r#""length":18446744073709551615,"missing":[[0,18446744073709551614]]"#,
        r#""length":2999,"missing":[[0,2]]"#,
        r#""length":2999"#,
        r#""length":-1"#,
    ] {
        let content = pattern(5000);
        let copy = content.clone();
        let server = Scripted::answering_heads(move |head| ranged(head, TAG, &copy));
        let url = server.url("/file");
        let directory = tempfile::tempdir().unwrap();
        let notes = format!(r#""validator":{{"tag":"\"v1\""}},{notes}"#);
        leave_part(directory.path(), ("file", &url), vec![b'x'; 3000], &notes);
        let fetched = fetch_into(directory, &settings(1), &[url]);
        fetched.assert_success();
        assert!(fetched.content("file") == content, "{notes}");
        assert_eq!(range(&server.heads()[0]), None, "{notes}");
        assert_eq!(fetched.names(), ["file"], "{notes}");
    }
}

#[test]
fn notes_about_another_file_are_not_used() {
    let content = pattern(3000);
    let copy = content.clone();
    let server = Scripted::answering_heads(move |head| ranged(head, TAG, &copy));
    let url = server.url("/file");
    let directory = tempfile::tempdir().unwrap();
    let notes = r#""validator":{"tag":"\"v1\""},"length":3000"#;
    leave_part(directory.path(), ("file", &url), "some of another file", notes);
    let part = part_path(directory.path(), "file");
    // The old file keeps its inode while the new one is made.
    let aside = directory.path().join("aside");
    fs::rename(&part, &aside).unwrap();
    fs::write(&part, "another file").unwrap();
    fs::remove_file(aside).unwrap();
    let fetched = fetch_into(directory, &settings(1), &[url]);
    fetched.assert_success();
    assert!(fetched.content("file") == content);
    assert_eq!(range(&server.heads()[0]), None);
}

#[test]
#[ignore = "needs root"]
fn files_of_another_user_are_neither_continued_nor_removed() {
    let content = pattern(3000);
    for (owner_of_part, owner_of_notes) in [(Some(1), None), (None, Some(1)), (Some(1), Some(1))] {
        let copy = content.clone();
        let server = Scripted::answering_heads(move |head| ranged(head, TAG, &copy));
        let url = server.url("/file");
        let directory = tempfile::tempdir().unwrap();
        let notes = r#""validator":{"tag":"\"v1\""},"length":3000"#;
        leave_part(directory.path(), ("file", &url), "forged", notes);
        let part = part_path(directory.path(), "file");
        chown(&part, owner_of_part, None).unwrap();
        chown(notes_path(&part), owner_of_notes, None).unwrap();
        let fetched = fetch_into(directory, &settings(1), &[url]);
        fetched.assert_success();
        assert!(fetched.content("file") == content);
        assert_eq!(range(&server.heads()[0]), None);
        assert_eq!(fetched.names(), ["file", "file.part", "file.part.json"]);
        assert_eq!(fs::read(part).unwrap(), b"forged");
    }
}

#[test]
#[ignore = "needs bindfs and root"]
fn parts_are_continued_on_file_systems_that_change_the_owner() {
    let bound = Bound::mount(&["--force-user=nobody", "-o", "allow_other"]);
    let content = pattern(300_000);
    let copy = content.clone();
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            let whole = ranged(&head, TAG, &copy);
            if range(&head).is_none() {
                peer.send(&whole[..100_000]);
                return;
            }
            peer.send(whole);
        }
    });
    let url = server.url("/file");
    let fetch = || {
        let mut command = program();
        command.args(["--retries", "0", "-o"]).arg(bound.shown()).args(["-urls", &url]);
        command.output().unwrap().status.code()
    };
    assert_eq!(fetch(), Some(1));
    assert_eq!(names_in(&bound.shown()), ["file.part", "file.part.json", "probe"]);
    assert_eq!(fetch(), Some(0));
    assert!(range(&server.heads()[1]).is_some());
    assert!(fs::read(bound.shown().join("file")).unwrap() == content);
    assert_eq!(names_in(&bound.shown()), ["file", "probe"]);
}

#[test]
fn a_name_that_a_server_chose_replaces_nothing() {
    let server = naming(|target| {
        let name = if target == "/hidden" { "../.profile" } else { "Makefile" };
        Some((name.into(), target.as_bytes().into()))
    });
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("Makefile"), "all:").unwrap();
    let urls = ["/a", "/b", "/hidden"].map(|path| server.url(path));
    let fetch = |options: &[&str], expected: &[&str]| {
        let urls = urls.each_ref().map(String::as_str);
        let all =
            [&["-o", ".", "-c", "1", "--content-disposition"], options, &["-urls"], &urls].concat();
        run_to(0, &all, &directory);
        assert_eq!(names_in(directory.path()), expected);
        assert_eq!(fs::read(directory.path().join("Makefile")).unwrap(), b"all:");
    };
    fetch(&[], &["Makefile", "Makefile.1", "Makefile.2", "_profile"]);
    assert_eq!(fs::read(directory.path().join("Makefile.2")).unwrap(), b"/b");
    // It does not replace a file of an earlier run either.
    let expected = [
        "Makefile",
        "Makefile.1",
        "Makefile.2",
        "Makefile.3",
        "Makefile.4",
        "_profile",
        "_profile.1",
    ];
    fetch(&[], &expected);
    assert_eq!(fs::read(directory.path().join("Makefile.1")).unwrap(), b"/a");
    fetch(
        &["--skip-existing"],
        &[&expected[..5], &["Makefile.5", "Makefile.6"], &["_profile", "_profile.1", "_profile.2"]]
            .concat(),
    );
}

#[test]
fn files_whose_names_look_like_parts_are_ordinary_files() {
    let server = Scripted::start(|peer| {
        while let Some(head) = peer.read_head() {
            if head.contains("/cut ") {
                return peer.send(&answer("200 OK", "ETag: \"v1\"\r\n", pattern(1000))[..500]);
            }
            peer.send(ok(head.split(' ').nth(1).unwrap()));
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let own = ["own.part", "own.part.json", "own.part.json~", "cut.part", "cut.part.json"];
    for name in own {
        fs::write(directory.path().join(name), "the user's own").unwrap();
    }
    let names = ["w.bin.part.json~", "w.bin", "w.bin.part", "own", "w.bin.part.json"];
    let urls = names.map(|name| server.url(&format!("/{name}")));
    let all = [&["-o", ".", "-urls"], &urls.each_ref().map(String::as_str)[..]].concat();
    run_to(0, &all, &directory);
    for name in names {
        let content = fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(content, format!("/{name}"));
    }
    // Neither a failure nor its continuation uses them.
    for _ in 0..2 {
        run_to(1, &["-o", ".", "--retries", "0", "-urls", &server.url("/cut")], &directory);
    }
    for name in own {
        let content = fs::read(directory.path().join(name)).unwrap();
        assert_eq!(content, b"the user's own", "{name}");
    }
}
