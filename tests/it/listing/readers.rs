//! Programs that read listings: wget, rclone, httpdirfs, and the rules of Kodi.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::bindfs::unmount;
use crate::support::holds_in_time;
use crate::support::program::ServerProgram;
use crate::support::server::TestServer;
use crate::support::wait_until;

/// Awkward names that these programs can show.
const NAMES: [&str; 24] = [
    "plain.txt",
    "two words.txt",
    " blank in front",
    "12:30 news.txt",
    "javascript:alert(1)",
    "two..dots",
    "-dash",
    "_under (score) [1]",
    "hash#percent%41.txt",
    "c++ and a+b=c.txt",
    "+plus",
    "@scope",
    "(par) [1]",
    "!bang, $cash; *star",
    "=50%",
    "~tilde",
    "a%2Bb",
    "what?.txt",
    "a&b;c=d",
    "it's \"quoted\"",
    "back\\slash",
    "\u{e9}t\u{e9}.txt",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}.txt",
    "\u{202e}txt.exe",
];

/// Makes a file of each name with its name as content, and the same in the directory `two films`.
fn fill(root: &Path) {
    let directory = root.join("two films");
    fs::create_dir_all(&directory).unwrap();
    for name in NAMES {
        fs::write(root.join(name), name).unwrap();
        fs::write(directory.join(name), name).unwrap();
    }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The contents of the saved files, which are their original names. Pages are skipped.
fn saved(directory: &Path) -> Vec<String> {
    let mut contents = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents.extend(saved(&path));
        } else if path.file_name().is_some_and(|name| name != "index.html") {
            contents.push(fs::read_to_string(path).unwrap());
        }
    }
    sorted(contents)
}

fn twice(names: &[&str]) -> Vec<String> {
    sorted([names, names].concat().into_iter().map(str::to_owned).collect())
}

#[test]
#[ignore = "needs wget"]
fn wget_fetches_each_page_and_each_file_once() {
    let (site, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::create_dir_all(site.path().join("top")).unwrap();
    fill(&site.path().join("top"));
    let arguments = ["-p", "0", "--log-format", "json"];
    let (server, log) = ServerProgram::start_with_log_on_stdout(site.path(), &arguments);
    output(
        Command::new("wget")
            .args(["-q", "-r", "-np", "-nH", "--tries=1", "--timeout=20", "-P"])
            .arg(copy.path())
            .arg(format!("http://127.0.0.1:{}/top/", server.port())),
    );
    server.signal(Signal::TERM);
    let log = std::io::read_to_string(log).unwrap();
    let mut counts = BTreeMap::<String, usize>::new();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        *counts.entry(line["target"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts.remove("/robots.txt");
    assert_eq!(counts.len(), 2 + 2 * NAMES.len(), "{counts:?}");
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert_eq!(saved(&copy.path().join("top")), twice(&NAMES));
}

#[test]
#[ignore = "needs rclone"]
fn rclone_lists_and_copies_every_name() {
    let server = TestServer::with_limits(60, 60);
    fill(server.root());
    let copy = TempDir::new().unwrap();
    let rclone = |arguments: &[&str]| {
        let url = format!("http://{}/", server.address());
        let mut command = Command::new("rclone");
        // No configuration is read or written.
        command.args(["--config", "/dev/null", "--http-url", &url, "--retries", "1"]);
        output(command.args(arguments))
    };
    let listed = rclone(&["lsf", ":http:"]);
    let expected = NAMES.map(str::to_owned).into_iter().chain(["two films/".to_owned()]).collect();
    assert_eq!(sorted(listed.lines().map(str::to_owned).collect()), sorted(expected));
    rclone(&["copy", ":http:", copy.path().to_str().unwrap()]);
    assert_eq!(saved(copy.path()), twice(&NAMES));
}

/// A directory where httpdirfs has mounted a server; unmounted when dropped.
struct Mount {
    child: Child,
    at: PathBuf,
    _directory: TempDir,
}

impl Mount {
    fn of(server: &TestServer) -> Self {
        let directory = TempDir::new().unwrap();
        let at = directory.path().join("mount");
        fs::create_dir(&at).unwrap();
        let child = Command::new("httpdirfs")
            .arg("-f")
            .arg(format!("http://{}/", server.address()))
            .arg(&at)
            .env("HOME", directory.path())
            .env("XDG_CONFIG_HOME", directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("httpdirfs is installed");
        let mount = Self { child, at, _directory: directory };
        wait_until("httpdirfs has mounted the server", || {
            fs::read_to_string("/proc/self/mounts").unwrap().contains(&*mount.at.to_string_lossy())
        });
        mount
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at.join(directory)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        sorted(names.filter(|name| name != "..").collect())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Its process ends with the mount, and may have ended already.
        unmount(&self.at);
        holds_in_time(|| !matches!(self.child.try_wait(), Ok(None)));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs httpdirfs"]
fn httpdirfs_mounts_a_listing_as_a_directory() {
    let server = TestServer::start();
    fill(server.root());
    let mount = Mount::of(&server);
    // It drops names that begin with an unencoded punctuation mark.
    let expected = NAMES.iter().filter(|name| !name.starts_with(['-', '_', '~']));
    let expected: Vec<String> = expected.map(|name| (*name).to_owned()).collect();
    let with_directory = [expected.clone(), vec!["two films".to_owned()]].concat();
    assert_eq!(mount.names(""), sorted(with_directory));
    assert_eq!(mount.names("two films"), sorted(expected.clone()));
    for name in &expected {
        for path in [mount.at.join(name), mount.at.join("two films").join(name)] {
            assert_eq!(fs::read_to_string(&path).unwrap(), *name, "{}", path.display());
        }
    }
}

/// The entries that Kodi recognizes (`HTTPDirectory.cpp`): links whose reference, decoded with `+` as a
/// blank, equals the text, or begins with it if the text ends in `..>`.
const KODI: &str = r#"
import html, re, sys, urllib.parse
link = re.compile(r'<a href="([^"]*)"[^>]*>\s*(.*?)\s*</a>(.+?)(?=<a|</tr|$)', re.IGNORECASE)
for href, text, _ in link.findall(sys.stdin.buffer.read().decode()):
    name = html.unescape(text.strip()).removesuffix("/")
    target = urllib.parse.unquote_plus(href.removeprefix("/").split("?")[0].removesuffix("/"))
    if name == target and name != "..":
        print(target + "/" * href.endswith("/"))
"#;

#[test]
#[ignore = "needs python3"]
fn kodi_reads_exactly_the_links_as_entries() {
    let server = TestServer::start();
    fill(server.root());
    for target in ["/", "/two%20films/", "/?sort=size&order=desc"] {
        let page = server.get_with(target, "Accept: text/html\r\n");
        let mut python = Command::new("python3")
            .args(["-c", KODI])
            .env("PYTHONIOENCODING", "utf-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        python.stdin.take().unwrap().write_all(&page.body).unwrap();
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success());
        // Kodi drops blanks around a name.
        let shown = NAMES.iter().filter(|name| !name.starts_with(' ')).copied();
        let directory = (!target.starts_with("/two")).then_some("two films/");
        let expected = sorted(shown.chain(directory).collect());
        let output = String::from_utf8(output.stdout).unwrap();
        assert_eq!(sorted(output.lines().collect()), expected, "{target}");
    }
}
