//! The client against other HTTP servers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_concurrent::client::{Compression, FetchError, Retrieval, RetryPolicy, Settings};
use url::Url;

use crate::support::PATIENCE;
use crate::support::fetching::{fetch_into, fetch_with, settings};
use crate::support::parts;
use crate::support::ranged::{field, pattern};
use crate::support::scripted::Scripted;
use crate::support::server::TestServer;

#[path = "../../bench/peers/servers/mod.rs"]
#[expect(dead_code, reason = "the benchmarks use the rest of it")]
mod servers;

use servers::{Server, StartError, apache, nginx};

const LARGE: usize = 8 << 20;

fn root() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    // Some servers run as another user.
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(root.path().join("empty"), "").unwrap();
    fs::write(root.path().join("small"), "Hello, world!\n").unwrap();
    fs::write(root.path().join("medium"), pattern(300_000)).unwrap();
    fs::write(root.path().join("large"), pattern(LARGE)).unwrap();
    // Old enough for its date to be a strong validator.
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for name in ["empty", "small", "medium", "large"] {
        fs::File::options()
            .write(true)
            .open(root.path().join(name))
            .unwrap()
            .set_modified(old)
            .unwrap();
    }
    root
}

/// True if the server honours `Range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ranges {
    Honoured,
    Ignored,
}

fn check(root: &Path, url: impl Fn(&str) -> String, ranges: Ranges) {
    let names = ["empty", "small", "medium", "large"];
    let fetched = fetch_with(&settings(4), &names.map(&url));
    fetched.assert_success();
    for name in names {
        let (copy, original) = (fetched.directory.path().join(name), root.join(name));
        assert!(fs::read(&copy).unwrap() == fs::read(&original).unwrap(), "{name}");
        let seconds = |path: &Path| {
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
        };
        assert_eq!(seconds(&copy), seconds(&original), "{name}");
    }
    let splitting = Settings { split: NonZeroUsize::new(4).unwrap(), ..settings(4) };
    let split = fetch_with(&splitting, &[url("large")]);
    split.assert_success();
    assert!(split.content("large") == pattern(LARGE));

    let directory = tempfile::tempdir().unwrap();
    leave_part(directory.path(), &url("medium"));
    let resumed = fetch_into(directory, &settings(1), &[url("medium")]);
    resumed.assert_success();
    assert!(resumed.content("medium") == pattern(300_000));
    let Retrieval::Fetched { continued_from, .. } =
        resumed.run.outcomes[0].result.as_ref().unwrap().retrieval
    else {
        panic!("it was fetched")
    };
    let expected = if ranges == Ranges::Honoured { 100_000 } else { 0 };
    assert_eq!(continued_from, expected);

    let gone = fetch_with(&settings(1), &[url("gone")]).into_failure();
    assert!(gone.to_string().contains("404"), "{gone}");
}

/// The part and notes of a run killed after 100,000 bytes.
fn leave_part(directory: &Path, url: &str) {
    let parsed = Url::parse(url).unwrap();
    let mut stream = TcpStream::connect(parsed.socket_addrs(|| None).unwrap()[0]).unwrap();
    let path = parsed.path();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let head = String::from_utf8_lossy(&answer[..answer.len() - 300_000]).into_owned();
    let validator = match field(&head, "ETag") {
        Some(tag) => format!(r#"{{"tag":{}}}"#, serde_json::to_string(tag).unwrap()),
        None => format!(r#"{{"date":"{}"}}"#, field(&head, "Last-Modified").unwrap()),
    };
    let notes = format!(r#""validator":{validator},"length":300000"#);
    parts::leave_part(directory, ("medium", url), &pattern(300_000)[..100_000], &notes);
}

/// Retries if another program has taken the port.
fn started(start: impl Fn() -> Result<Server, StartError>) -> Server {
    start().or_else(|_| start()).unwrap()
}

#[test]
fn the_server_of_this_package_works() {
    let root = root();
    let server = TestServer::with_config(|config| config.root = root.path().to_owned());
    let url = |name: &str| format!("http://{}/{name}", server.address());
    check(root.path(), url, Ranges::Honoured);
}

#[test]
#[ignore = "needs nginx"]
fn nginx_works() {
    let root = root();
    let peer = started(|| nginx::start(root.path()));
    check(root.path(), |name| peer.url(name), Ranges::Honoured);
}

#[test]
#[ignore = "needs apache2"]
fn apache_works() {
    let root = root();
    let peer = started(|| apache::start(root.path()));
    check(root.path(), |name| peer.url(name), Ranges::Honoured);
}

/// With the `AddEncoding` of its documentation, Apache calls an archive coded.
#[test]
#[ignore = "needs apache2"]
fn archives_from_apache_are_saved_unchanged_and_coded_content_is_decoded() {
    const CONFIGURATION: &str = "
        AddEncoding x-gzip .gz .tgz
        <Files coded.txt>
            AddEncoding x-gzip .txt
        </Files>
        LoadModule filter_module {modules}/mod_filter.so
        LoadModule deflate_module {modules}/mod_deflate.so
        LoadModule brotli_module {modules}/mod_brotli.so
        <Files deflated.txt>
            SetOutputFilter DEFLATE
        </Files>
        <Files brotli.txt>
            SetOutputFilter BROTLI_COMPRESS
        </Files>";
    let root = root();
    let plain = "Many words, which become fewer. ".repeat(10_000);
    for name in ["plain.txt", "deflated.txt", "brotli.txt"] {
        fs::write(root.path().join(name), &plain).unwrap();
    }
    let gzip = Command::new("gzip").arg("-c").arg(root.path().join("plain.txt")).output().unwrap();
    for name in ["archive.tar.gz", "archive.tgz", "archive.tgz.bak", "coded.txt"] {
        fs::write(root.path().join(name), &gzip.stdout).unwrap();
    }
    // Apache calls this coded as well.
    fs::write(root.path().join("archive.tar.gz.asc"), "a signature").unwrap();
    let peer = started(|| apache::start_with(root.path(), CONFIGURATION));
    let names = [
        "archive.tar.gz",
        "archive.tar.gz.asc",
        "archive.tgz",
        "archive.tgz.bak",
        "coded.txt",
        "deflated.txt",
        "brotli.txt",
    ];
    for compression in [Compression::NotAsked, Compression::Asked] {
        let settings = Settings { compression, ..settings(2) };
        let fetched = fetch_with(&settings, &names.map(|name| peer.url(name)));
        fetched.assert_success();
        for name in names {
            let expected = match name {
                "archive.tar.gz.asc" => b"a signature",
                name if name.starts_with("archive") => &gzip.stdout[..],
                _ => plain.as_bytes(),
            };
            assert!(fetched.content(name) == expected, "{name} {compression:?}");
        }
        let received = |name: &str| {
            let at = names.iter().position(|other| *other == name).unwrap();
            fetched.run.outcomes[at].received
        };
        let is_coded = compression == Compression::Asked;
        for name in ["deflated.txt", "brotli.txt"] {
            assert_eq!(received(name) < plain.len() as u64 / 10, is_coded, "{name}");
        }
    }
}

/// A running server of Python; killed when dropped.
struct Python(Child);

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts Python's server for a directory, on a port that it chooses.
fn start_python(root: &Path) -> (Python, u16) {
    let mut child = Command::new("python3")
        .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"])
        .current_dir(root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut announcement = String::new();
    let stdout = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut announcement).unwrap();
    let python = Python(child);
    // "Serving HTTP on 127.0.0.1 port 40123 (http://127.0.0.1:40123/) ..."
    (python, announcement.split(' ').nth(5).unwrap().parse().unwrap())
}

#[test]
#[ignore = "needs python3"]
fn the_server_of_python_works() {
    let root = root();
    let (_python, port) = start_python(root.path());
    check(root.path(), |name| format!("http://127.0.0.1:{port}/{name}"), Ranges::Ignored);
}

#[test]
#[ignore = "needs python3"]
fn the_server_of_python_behind_a_relay_that_cuts_every_response_fails() {
    let root = root();
    let (_python, port) = start_python(root.path());
    let relay = Scripted::start(move |peer| {
        let Some(head) = peer.read_head() else { return };
        let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
        server.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        server.take(100_000).read_to_end(&mut answer).unwrap();
        peer.send(answer);
    });
    let retry =
        RetryPolicy { retries: 2, first_wait: Duration::from_millis(1), ..RetryPolicy::default() };
    for connections in [1, 4] {
        let mut settings = Settings { retry, ..settings(connections) };
        settings.split = NonZeroUsize::new(connections).unwrap();
        settings.timeouts.total = Some(PATIENCE);
        let before = relay.heads().len();
        let fetched = fetch_with(&settings, &[relay.url("/large")]);
        let error = fetched.run.outcomes[0].result.as_ref().unwrap_err();
        assert!(matches!(error, FetchError::Body(_)), "{error:?}");
        // A split file restarts, and each helper sends one request.
        let most = if connections == 1 { 3 } else { 12 };
        let requests = relay.heads().len() - before;
        assert!(requests <= most, "{requests} requests over {connections} connections");
    }
}
