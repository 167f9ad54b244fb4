//! Proxies that cannot be used, and the URLs that do not need them.

use std::process::Output;

use tempfile::TempDir;

use crate::support::client::{program, stderr, stdout};
use crate::support::scripted::{Scripted, ok, redirect};

fn run(directory: &TempDir, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = program();
    command.envs(variables.iter().copied()).args(arguments).current_dir(directory.path());
    command.output().unwrap()
}

const UNUSABLE: [(&str, &str); 4] = [
    ("socks5://u:secret@127.0.0.1:9", "socks5 is not supported"),
    ("https://127.0.0.1:9", "https is not supported"),
    ("http://127.0.0.1:99999", "malformed: invalid port number"),
    ("://", "malformed"),
];

#[test]
fn an_unusable_proxy_is_an_error_if_a_url_would_use_it() {
    let (server, directory) = (Scripted::answering(|_| ok("Hello")), tempfile::tempdir().unwrap());
    for (proxy, reason) in UNUSABLE {
        for variable in ["http_proxy", "all_proxy", "ALL_PROXY"] {
            let output = run(&directory, &[(variable, proxy)], &["-urls", &server.url("/file")]);
            assert_eq!(output.status.code(), Some(2), "{proxy} {output:?}");
            let message = stderr(&output);
            assert!(message.contains(reason) && message.contains(variable), "{proxy}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
    assert_eq!(server.connections(), 0);
    assert!(!directory.path().join("downloads").exists());
}

#[test]
fn an_unusable_proxy_does_not_affect_other_urls() {
    let server = Scripted::answering(|_| ok("Hello"));
    for (proxy, _) in UNUSABLE {
        for variables in [
            &[("https_proxy", proxy)][..],
            &[("HTTPS_PROXY", proxy)],
            &[("all_proxy", proxy), ("no_proxy", "127.0.0.0/8")],
            &[("http_proxy", proxy), ("no_proxy", "*")],
        ] {
            let directory = tempfile::tempdir().unwrap();
            let output = run(&directory, variables, &["-urls", &server.url("/file")]);
            assert_eq!(output.status.code(), Some(0), "{variables:?} {output:?}");
        }
    }
}

#[test]
fn a_redirect_through_an_unusable_proxy_fails_only_its_url() {
    let server = Scripted::answering(|target| match target {
        "/away" => redirect(302, "http://localhost:9/file"),
        _ => ok("Hello"),
    });
    let directory = tempfile::tempdir().unwrap();
    let variables = [("all_proxy", "socks5://127.0.0.1:9"), ("no_proxy", "127.0.0.1")];
    let urls = [server.url("/away"), server.url("/file")];
    let output = run(&directory, &variables, &["-urls", &urls[0], &urls[1]]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = stdout(&output);
    assert!(report.contains("Downloaded       1 of 2 files"), "{report}");
    assert!(report.contains("the scheme socks5 is not supported"), "{report}");
    assert_eq!(server.heads().len(), 2, "it is not tried again");
}
