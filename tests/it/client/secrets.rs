//! No password reaches a message, the log, a report or a file, however a run fails.
//!
//! Each case plants the same password (in a URL, a field, a proxy, a redirect), runs the program with all
//! logs and documents, and searches all output and files for it. The text that a case `shows` proves that the
//! message in question was printed.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use socket2::{Domain, Socket, Type};

use crate::support::client::program;
use crate::support::parts::{notes_path, part_path};
use crate::support::scripted::{Scripted, answer, ok, redirect};
use crate::support::terminal::Terminal;
use crate::support::tls::TlsServer;

/// Plain, and as `Basic` credentials of `alice` and `bob`.
const SECRETS: [&str; 4] = ["pa55word", "55word", "YWxpY2U6cGE1NXdvcmQ", "Ym9iOnBhNTV3b3Jk"];

/// One run of the program.
#[derive(Default)]
struct Case<'c> {
    arguments: &'c [&'c str],
    variables: &'c [(&'c str, &'c str)],
    /// The standard input.
    list: &'c [u8],
    /// A directory made before the run.
    there: &'c str,
    status: i32,
    /// The expected output.
    shows: &'c str,
}

impl Case<'_> {
    /// Runs it in an empty directory; returns the directory and the output.
    fn run(&self) -> (tempfile::TempDir, Output) {
        let directory = tempfile::tempdir().unwrap();
        let input = tempfile::NamedTempFile::new().unwrap();
        fs::write(input.path(), self.list).unwrap();
        fs::create_dir_all(directory.path().join(self.there)).unwrap();
        let output = program()
            .args(self.arguments)
            .args(["--retries", "0", "--json", "run.json"])
            .env("RUST_LOG", "trace")
            .env("no_proxy", "")
            .envs(self.variables.iter().copied())
            .current_dir(directory.path())
            .stdin(input.reopen().unwrap())
            .output()
            .unwrap();
        (directory, output)
    }

    #[track_caller]
    fn check(&self) {
        let (directory, output) = self.run();
        let mut texts = vec![("the output".into(), [&output.stdout[..], &output.stderr].concat())];
        collect(directory.path(), &mut texts);
        let printed = String::from_utf8_lossy(&texts[0].1);
        let what = format!("{:?} {:?}:\n{printed}", self.arguments, self.variables);
        assert_eq!(output.status.code(), Some(self.status), "{what}");
        assert!(printed.contains(self.shows), "{:?} is not in {what}", self.shows);
        for (name, text) in &texts {
            if let Some(secret) = found_in(text) {
                panic!("{secret} is in {name} of {what}\n{}", String::from_utf8_lossy(text));
            }
        }
    }
}

fn found_in(text: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(text);
    SECRETS.into_iter().find(|secret| text.contains(secret))
}

/// The names and contents of all files.
fn collect(directory: &Path, texts: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        texts.push((format!("the name {name}"), name.clone().into_bytes()));
        if path.is_dir() {
            collect(&path, texts);
        } else {
            texts.push((name, fs::read(&path).unwrap()));
        }
    }
}

/// The URL with a user name and the password.
fn with_user(user: &str, url: &str) -> String {
    url.replacen("://", &format!("://{user}:pa55word@"), 1)
}

/// Responses for every way in which a URL can fail.
fn failing_server() -> Scripted {
    Scripted::start(|peer| {
        while let Some(target) = peer.read_request() {
            let host = peer.stream().local_addr().unwrap();
            let bytes = match &*target {
                "/ok" => ok("content"),
                "/to-ok" => redirect(302, &format!("http://bob:pa55word@{host}/ok")),
                "/loop" => redirect(302, &format!("http://bob:pa55word@{host}/loop")),
                "/to-404" => redirect(302, &format!("//bob:pa55word@{host}/404")),
                "/to-ftp" => redirect(302, "ftp://bob:pa55word@marker/x"),
                "/to-opaque" => redirect(302, "bob:pa55word@marker/x"),
                "/to-single-slash" => redirect(302, "bob:/pa55word@marker/x"),
                "/to-bad-port" => redirect(302, "//bob:pa55word@marker:99999/x"),
                "/to-backslashes" => redirect(302, "\\\\bob:pa55word@marker:99999\\x"),
                "/to-slash" => redirect(302, "http://bob:pa/55word@marker/"),
                "/to-nobody" => redirect(302, "http://bob:pa55word@marker.invalid/x"),
                "/to-two" => {
                    let other = "Location: http://bob:pa55word@other/x\r\n";
                    answer("302 Found", &format!("Location: //bob:pa55word@marker/\r\n{other}"), "")
                }
                "/cookie" => answer(
                    "302 Found",
                    "Location: /404\r\nSet-Cookie: marker=pa55word; Domain=example.org\r\n\
                     Set-Cookie: mine=pa55word\r\n",
                    "",
                ),
                "/cut" => "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\nHalf".into(),
                "/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n".into(),
                "/garbage" => "220 mail ESMTP\r\n\r\n".into(),
                "/closed" => Vec::new(),
                "/coded" => answer("200 OK", "Content-Encoding: compress\r\n", "x"),
                "/later" => answer("503 Service Unavailable", "Retry-After: 9999\r\n", ""),
                status => answer(&format!("{} Status", &status[1..]), "", ""),
            };
            let ends = matches!(&*target, "/cut" | "/chunked" | "/garbage" | "/closed");
            peer.send(bytes);
            if ends {
                return;
            }
        }
    })
}

#[test]
fn no_failure_of_a_fetch_shows_a_password() {
    let server = failing_server();
    for (path, shows) in [
        ("/401", "the server answered 401"),
        ("/403", "the server answered 403"),
        ("/404", "the server answered 404"),
        ("/407", "the server answered 407"),
        ("/429", "the server answered 429"),
        ("/503", "the server answered 503"),
        ("/later", "asks to come back"),
        ("/204", "does not have the file"),
        ("/loop", "more than 20 redirects"),
        ("/to-404", "(redirected to http://127.0.0.1:"),
        ("/to-ftp", "redirects to ftp://marker/x, whose scheme"),
        ("/to-opaque", "redirects to …@marker/x, whose scheme"),
        ("/to-single-slash", "redirects to bob:/…@marker/x, whose scheme"),
        ("/to-bad-port", "\"//…@marker:99999/x\""),
        ("/to-backslashes", "\"\\\\…@marker:99999\\x\""),
        ("/to-slash", "\"http://…@marker/\""),
        ("/to-nobody", "cannot look up the address of marker.invalid"),
        ("/to-two", "to two places: \"//…@marker/\" and \"http://…@other/x\""),
        ("/cookie", "ignoring the cookie marker, which is for another host"),
        ("/cut", "the body ended"),
        ("/chunked", "chunk"),
        ("/garbage", "malformed"),
        ("/closed", "the server closed the connection"),
        ("/coded", "coded with compress"),
    ] {
        let url = with_user("alice", &server.url(path));
        let fields = ["Authorization: Bearer pa55word", "Cookie: a=pa55word"];
        let documents = ["--har", "run.har", "--failed-list", "failed.txt", "--timings"];
        let with = ["-urls", &url, "-H", fields[0], "-H", fields[1]];
        let arguments = [&with[..], &documents].concat();
        Case { arguments: &arguments, status: 1, shows, ..Case::default() }.check();
        let arguments = [&["-urls", &url][..], &documents].concat();
        Case { arguments: &arguments, status: 1, shows, ..Case::default() }.check();
    }
    // The password was there to be leaked.
    let heads = server.heads().concat();
    for sent in
        ["Basic YWxpY2U6cGE1NXdvcmQ=", "Basic Ym9iOnBhNTV3b3Jk", "Bearer pa55word", "a=pa55word"]
    {
        assert!(heads.contains(sent), "{sent}");
    }
}

#[test]
fn reports_of_saved_files_have_no_password() {
    let server = failing_server();
    let urls = ["/ok", "/to-ok"].map(|path| with_user("alice", &server.url(path)));
    let shows = server.url("/ok");
    let arguments = ["-urls", &urls[0], &urls[1], "--har", "run.har", "--keep-paths", "--sha256"];
    Case { arguments: &arguments, shows: &shows, ..Case::default() }.check();
    // A cut file leaves its part and notes, which the next run reads.
    let url = with_user("alice", &server.url("/cut"));
    let arguments = ["-urls", &url, "--har", "run.har"];
    let (directory, _) = Case { arguments: &arguments, ..Case::default() }.run();
    let part = part_path(&directory.path().join("downloads"), "cut");
    let notes = fs::read_to_string(notes_path(&part)).unwrap();
    assert!(notes.contains(&server.url("/cut")) && found_in(notes.as_bytes()).is_none(), "{notes}");
}

#[test]
fn no_experiment_shows_a_password() {
    let server = failing_server();
    for (path, status, shows) in [
        ("/ok", 0, "The report is in page.html"),
        ("/404", 1, "404"),
        ("/to-ftp", 1, "ftp://marker"),
    ] {
        let url = with_user("alice", &server.url(path));
        let arguments = [
            &["-urls", &url, "--compare", "-c", "2", "--runs", "1"][..],
            &["--report", "page.html", "-H", "Cookie: a=pa55word", "-HX-Token: pa55word"],
        ]
        .concat();
        Case { arguments: &arguments, status, shows, ..Case::default() }.check();
    }
}

#[test]
fn no_connection_that_fails_shows_a_password() {
    let unused = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    unused.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let refusing = unused.local_addr().unwrap().as_socket().unwrap();
    let untrusted = TlsServer::answering(&["localhost"], |_| ok("x"));
    let plain = failing_server();
    let target = with_user("bob", &plain.url("/ok"));
    let trusted = TlsServer::answering(&["localhost"], move |_| redirect(302, &target));
    let authority = trusted.authority().display().to_string();
    for (url, more, shows) in [
        (format!("http://{refusing}/x"), &[][..], "cannot connect to 127.0.0.1"),
        ("http://marker.invalid/x".into(), &[], "cannot look up the address of marker.invalid"),
        (untrusted.url("localhost", "/x"), &["--cacert", &authority], "cannot speak TLS with"),
        (
            trusted.url("localhost", "/x"),
            &["--cacert", &authority],
            "redirects from https to http://127.0.0.1:",
        ),
    ] {
        let url = with_user("alice", &url);
        let arguments = [&["-urls", &url, "--har", "run.har"], more].concat();
        Case { arguments: &arguments, status: 1, shows, ..Case::default() }.check();
    }
    assert_eq!(plain.connections(), 0);
}

#[test]
fn no_proxy_shows_its_password() {
    let proxy = Scripted::answering(|_| answer("407 Proxy Authentication Required", "", ""));
    let good = with_user("alice", &proxy.url(""));
    for (name, value, url, status, shows) in [
        ("http_proxy", &*good, "http://marker.invalid/x", 1, "the server answered 407"),
        ("https_proxy", &*good, "https://marker.invalid/x", 1, "the proxy made no tunnel: 407"),
        ("all_proxy", &*good, "http://marker.invalid/x", 1, "the server answered 407"),
        ("http_proxy", "http://alice:pa55word@p:99999", "http://a/", 2, "invalid port number"),
        ("http_proxy", "alice:pa55word@p:99999", "http://a/", 2, "invalid port number"),
        ("HTTPS_PROXY", "http://alice:pa/55word@p", "https://a/", 2, "invalid port number"),
        ("ALL_PROXY", "socks5://alice:pa55word@p", "http://a/", 2, "the scheme socks5 is not"),
        ("all_proxy", "alice:pa55word@[fe80::1%25marker]", "http://a/", 2, "no interface"),
        ("http_proxy", "alice:pa55word@nobody.invalid", "http://a/", 1, "of nobody.invalid"),
    ] {
        let arguments = ["-urls", url, "--har", "run.har"];
        let variables = [(name, value)];
        Case { arguments: &arguments, variables: &variables, status, shows, ..Case::default() }
            .check();
    }
    assert!(proxy.heads()[0].contains("Proxy-Authorization: Basic YWxpY2U6cGE1NXdvcmQ="));
}

#[test]
fn no_url_that_is_refused_shows_its_password() {
    for (url, shows) in [
        ("ftp://alice:pa55word@marker/x", "\"ftp://…@marker/x\": the scheme ftp is not supported"),
        ("FTP://alice:pa55word@marker/x", "\"FTP://…@marker/x\": the scheme ftp is not supported"),
        ("http://alice:pa55word@marker:99999/x", "\"http://…@marker:99999/x\" is not a URL"),
        ("HTTP://alice:pa55word@marker:99999/x", "\"HTTP://…@marker:99999/x\""),
        ("http:\\\\alice:pa55word@marker:99999\\x", "\"http:\\\\\\\\…@marker:99999\\\\x\""),
        ("http:alice:pa55word@marker:99999", "\"http:…@marker:99999\""),
        ("http:///alice:pa55word@marker:99999", "\"http:///…@marker:99999\""),
        ("//alice:pa55word@marker/x", "\"//…@marker/x\" is not a URL"),
        ("alice:pa55word@marker/x", "\"…@marker/x\": it does not begin with a supported scheme"),
        ("ht\ttp://alice:pa55word@marker:99999", "…@marker:99999"),
        ("http://alice:pa55\nword@marker:99999", "http://…@marker:99999"),
        ("http://alice:p@55word@marker:99999/", "\"http://…@marker:99999/\""),
        ("http://alice:p%4055word@marker:99999/", "\"http://…@marker:99999/\""),
        ("http://alice:pa/55word@marker/", "\"http://…@marker/\""),
        ("http://alice:pa?55word@marker/", "\"http://…@marker/\""),
        ("http://alice:pa#55word@marker/", "\"http://…@marker/\""),
        ("http://alice:pa55word@mar ker/", "\"http://…@mar …\""),
        ("http://alice:pa55word@[marker]/", "\"http://…@[marker]/\""),
        ("http://alice:pa55word@[fe80::1%25marker]/", "no interface \"marker\""),
        ("http://alice:pa55word@a/ http://b:pa55word@marker/", "…@marker/\" is more than one URL"),
        ("http://alice:pa55word", "\"http://alice:…\" is not a URL"),
    ] {
        Case { arguments: &["-urls", url], status: 2, shows, ..Case::default() }.check();
        let arguments = ["-urls", "http://127.0.0.1:1/", url, "--skip-bad-urls"];
        Case { arguments: &arguments, status: 1, shows, ..Case::default() }.check();
    }
}

#[test]
fn no_line_of_a_list_shows_its_password() {
    let long = format!("http://alice:pa55word@marker/{}", "x".repeat(70_000));
    let long_password = format!("http://alice:{}@marker/", "pa55word".repeat(9_000));
    for (list, shows) in [
        (&b"http://alice:pa55word@marker:99999/x"[..], "line 1: \"http://…@marker:99999/x\""),
        (b"# first\nftp://alice:pa55word@marker/", "line 2: cannot fetch \"ftp://…@marker/\""),
        (b"http://alice:pa55word@marker/ x", "\"http://…@marker/ …\" has a blank in it"),
        (b"http://alice:pa 55word@marker/x", "\"http://…@marker/x\" has a blank in it"),
        (b"http://a:pa55word@b/ http://c:pa55word@marker/", "\"http://…@b/ http://…@marker/\""),
        (b"http://alice:pa55word@marker/\xff", "\"http://…@marker/\u{fffd}\" is not UTF-8"),
        (b"http://alice:pa55word\xff@marker/", "\"http://…@marker/\" is not UTF-8"),
        (b"http://alice:pa55word@marker/longer\0", "is not text"),
        (long.as_bytes(), "\"http://…@marker/xxx"),
        (long_password.as_bytes(), "\"http://alice:…\" is longer than"),
        (b"http://alice:pa55word@marker/\t../x", "\"../x\" is not a path below"),
        (
            b"http://marker/\t../http://alice:pa55word@host/",
            "\"../http://…@host/\" is not a path below",
        ),
        // Options of a URL in a list of aria2.
        (b"http-passwd=pa55word", "\"http-passwd=…\""),
        (b" header=Authorization: Bearer pa55word", "\"header=…\""),
        (b"Cookie: a=pa55word", "\"Cookie:…\""),
        // A line of a .netrc, and commands of other clients.
        (b"machine marker login alice password pa55word", "\"machine …\""),
        (b"wget --user alice --password pa55word http://marker/", "\"wget …http://marker/\""),
        (b"http://marker/ --http-passwd pa55word", "\"http://marker/ …\""),
    ] {
        Case { arguments: &["-i", "-"], list, status: 2, shows, ..Case::default() }.check();
        let arguments = ["-i", "-", "-urls", "http://127.0.0.1:1/", "--skip-bad-urls"];
        Case { arguments: &arguments, list, status: 1, shows, ..Case::default() }.check();
    }
}

#[test]
fn no_argument_that_is_refused_shows_a_password() {
    let url = "http://alice:pa55word@marker/x";
    let shown = "http://…@marker/x";
    for (arguments, shows) in [
        (&["-urls", "http://a/", "-H", "Authorization Bearer pa55word"][..], "there is no colon"),
        (&["-urls", "http://a/", "-H", "pa55word"], "there is no colon"),
        (&["-urls", "http://a/", "-H", "Bearer pa55word: x"], "is not a field name"),
        (&["-urls", "http://a/", "-H", ": pa55word"], "is not a field name"),
        (&["-urls", "http://a/", "-H", "Cookie: a=pa55word\n"], "\"Cookie: …\""),
        (&["-urls", "http://a/", "-H", "Authorization: \u{1}pa55word"], "\"Authorization: …\""),
        (&["-urls", "http://a/", "-H", "Proxy-Authorization: pa55word"], "sets this field itself"),
        (&["-urls", "http://a/", "-A", "pa55word\r\nX: y"], "a control character"),
        (&["-urls", "http://a/", "-H", "Cookie:", "a=pa55word"], "unexpected argument '…'"),
        (&["-urls", "http://a/", "-ualice:pa55word"], "unexpected argument '-u…'"),
        (&["-urls", "http://a/", "--user", "alice:pa55word"], "unexpected argument '--user'"),
        (
            &["-urls", "http://a/", "--proxy=http://alice:pa55word@p"],
            "unexpected argument '--proxy'",
        ),
        (&["-c", "5", url], shown),
        (&["-c", url], shown),
        (&["-i", url], shown),
        (&["-i", "alice:pa55word@marker/x"], "…@marker/x: cannot open"),
        (&["-i", "http:alice:pa55word@marker/x"], "http:…@marker/x: cannot open"),
        (&["-urls", "http://a/", "--checksum-file", url], shown),
        (&["-urls", "http://a/", "--cacert", url], shown),
        (&["-urls", "http://a/", "--har", url], shown),
        (&["-urls", "http://a/", "--failed-list", url], shown),
        (&["-urls", "http://a/", "--compare", "--report", url], shown),
    ] {
        Case { arguments, status: 2, shows, ..Case::default() }.check();
    }
}

#[test]
fn no_checksum_and_no_file_that_cannot_be_written_shows_a_password() {
    let server = failing_server();
    let url = with_user("alice", &server.url("/ok"));
    let sum = "0".repeat(64);
    for (list, status, shows) in [
        (format!("{sum}  ok\n"), 1, "the SHA-256 is "),
        (format!("{sum}  ok\n{url}\n{sum} {url} {url}\n"), 1, "which is not a checksum"),
        (format!("{url}\n"), 2, "has no usable checksum for any file of this run"),
        ("password pa55word\n".to_owned(), 2, "which is not a checksum: \"password …\""),
        (format!("{sum}  {url}\n{}  {url}\n", "1".repeat(64)), 2, "checksums for \"http://…@"),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), list).unwrap();
        let path = file.path().to_str().unwrap();
        let arguments = ["-urls", &url, "--checksum-file", path];
        Case { arguments: &arguments, status, shows, ..Case::default() }.check();
    }
    let arguments = ["-urls", &url, "-o", "/dev/null"];
    Case { arguments: &arguments, status: 2, shows: "/dev/null", ..Case::default() }.check();
    let there = "downloads/ok/x";
    let (arguments, shows) = (["-urls", &url], "cannot write downloads/ok");
    Case { arguments: &arguments, there, status: 1, shows, ..Case::default() }.check();
}

#[test]
fn no_progress_bar_shows_a_password() {
    let server = failing_server();
    let urls = ["/ok", "/404", "/to-ftp", "/cut"].map(|path| with_user("alice", &server.url(path)));
    let directory = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open();
    let mut command = program();
    command
        .arg("-urls")
        .args(&urls)
        .args(["-vv", "--retries", "0"])
        .current_dir(directory.path())
        .env("TERM", "xterm")
        .stdout(Stdio::null())
        .stderr(terminal.stdio());
    let status = command.status().unwrap();
    // The command holds the terminal's other side as well.
    drop(command);
    let lines = terminal.last_lines().join("\n");
    assert_eq!(status.code(), Some(1), "{lines}");
    assert!(lines.contains("ftp://marker") && found_in(lines.as_bytes()).is_none(), "{lines}");
}
