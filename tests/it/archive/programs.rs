//! Programs that fetch and unpack archives: curl, GNU tar, bsdtar, wget, and Chromium with the page's button.

use std::fs::{self, File, create_dir_all};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use crate::support::browser::list_left_by;
use crate::support::server::TestServer;
use crate::support::{wait_until, with_patience};

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = run(command);
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success() && stderr.is_empty(), "{command:?}: {status} {stderr}");
    String::from_utf8(stdout).unwrap()
}

/// Files of many lengths, with awkward, long and deep names.
fn fill(root: &Path) {
    let long = "n".repeat(200);
    for name in ["two words", "-rf", "quote\"'\\", "line\nend", "\u{e9}t\u{e9}", &long, "50%"] {
        create_dir_all(root.join("docs").join(name)).unwrap();
        for length in [0, 1, 512, 40_000, 300_000] {
            let path = root.join("docs").join(name).join(format!("{name} {length}"));
            fs::write(&path, "x".repeat(length)).unwrap();
            let modified = UNIX_EPOCH + Duration::from_secs(1_600_000_000 + length as u64);
            File::open(path).unwrap().set_modified(modified).unwrap();
        }
    }
    let deep = root.join("docs").join([&*long; 12].join("/"));
    create_dir_all(&deep).unwrap();
    fs::write(deep.join("deep"), "deep").unwrap();
    create_dir_all(root.join("docs/empty")).unwrap();
}

/// Fetches the archive of `docs` with curl, and unpacks it with `unpack` while it arrives.
fn unpacked_by(unpack: &str, server: &TestServer) -> TempDir {
    let copy = TempDir::new().unwrap();
    let mut curl = with_patience()
        .args(["curl", "-sSf", &format!("http://{}/docs/?format=tar", server.address())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let archive = curl.stdout.take().unwrap();
    let mut tar = Command::new(unpack);
    tar.arg("-xf").arg("-").arg("-C").arg(copy.path()).stdin(archive);
    succeed(&mut tar);
    assert!(curl.wait().unwrap().success());
    copy
}

#[test]
#[ignore = "needs bsdtar, curl and tar"]
fn gnu_tar_and_bsdtar_unpack_what_was_served() {
    let server = TestServer::start();
    fill(server.root());
    for unpack in ["tar", "bsdtar"] {
        let copy = unpacked_by(unpack, &server);
        let docs = copy.path().join("docs");
        succeed(Command::new("diff").arg("-r").arg(server.root().join("docs")).arg(&docs));
        let file = fs::metadata(docs.join("-rf/-rf 512")).unwrap();
        let modified = UNIX_EPOCH + Duration::from_secs(1_600_000_512);
        assert_eq!(file.modified().unwrap(), modified, "{unpack}");
        assert_eq!(file.permissions().mode() & 0o777, 0o644, "{unpack}");
    }
    // A link is a copy of what it leads to.
    symlink("-rf", server.root().join("docs/link")).unwrap();
    let copy = unpacked_by("tar", &server);
    assert!(copy.path().join("docs/link").symlink_metadata().unwrap().is_dir());
}

#[test]
#[ignore = "needs curl and tar"]
fn gnu_tar_reads_a_file_beyond_8_gib() {
    const LENGTH: u64 = (1 << 33) + 1;
    let server = TestServer::start();
    server.file("docs/z", "last");
    File::create(server.root().join("docs/large")).unwrap().set_len(LENGTH).unwrap();
    let url = format!("http://{}/docs/?format=tar", server.address());
    let pipe = format!("curl -sSf {url} | tar -tvf -");
    let listed = succeed(with_patience().args(["bash", "-o", "pipefail", "-c", &pipe]));
    let lines: Vec<_> = listed.lines().collect();
    assert!(lines[1].contains(&LENGTH.to_string()) && lines[2].ends_with("docs/z"), "{listed}");
}

#[test]
#[ignore = "needs curl"]
fn curl_saves_it_under_its_name_and_notices_that_it_was_cut_short() {
    let server =
        TestServer::with_config(|config| config.rates.maximum.connection = Some(1_000_000));
    server.file("docs/a", "a");
    let copy = TempDir::new().unwrap();
    let curl = |target: &str| {
        let mut curl = with_patience();
        curl.args(["curl", "-sSfOJ", &format!("http://{}{target}", server.address())]);
        curl.current_dir(copy.path());
        curl
    };
    succeed(&mut curl("/docs/?format=tar"));
    let listed = succeed(Command::new("tar").arg("-tf").arg(copy.path().join("docs.tar")));
    assert_eq!(listed, "docs/\ndocs/a\n");

    server.file("cut/long", "x".repeat(2_000_000));
    let fetching = curl("/cut/?format=tar").stderr(Stdio::piped()).spawn().unwrap();
    let saved = copy.path().join("cut.tar");
    wait_until("it is being sent", || saved.metadata().is_ok_and(|file| file.len() > 100_000));
    File::options()
        .write(true)
        .open(server.root().join("cut/long"))
        .unwrap()
        .set_len(1_000_000)
        .unwrap();
    let output = fetching.wait_with_output().unwrap();
    // The transfer closed with data outstanding (curl(1), exit codes).
    assert_eq!(output.status.code(), Some(18), "{output:?}");
}

/// Presses the button of the listing in its frame, and fetches what the form asks for: with a download the
/// browser's virtual time would not go on.
const DRIVER: &str = r#"<!DOCTYPE html><meta charset="utf-8"><title>Driver</title>
<iframe id="frame" src="two%20words/?sort=size"></iframe><pre id="seen"></pre>
<script>
frame.onload = () => {
  const page = frame.contentDocument;
  page.addEventListener("submit", async submission => {
    submission.preventDefault();
    const { target: form, submitter } = submission;
    const target = new URL(form.action);
    target.search = new URLSearchParams(new FormData(form, submitter));
    const archive = await fetch(target, { method: form.method });
    const seen = [submitter.textContent, target.pathname + target.search,
      archive.headers.get("content-disposition"), (await archive.arrayBuffer()).byteLength];
    document.getElementById("seen").textContent = JSON.stringify(seen);
  });
  page.querySelector("footer button").click();
};
</script>"#;

#[test]
#[ignore = "needs chromium"]
fn the_button_of_a_listing_fetches_the_archive() {
    let server = TestServer::start();
    server.file("two words/a", "a");
    server.file("driver.html", DRIVER);
    let seen = list_left_by(&format!("http://{}/driver.html", server.address()), &[]);
    let expected = serde_json::json!([
        "Download all as tar",
        "/two%20words/?format=tar",
        "attachment; filename=\"two words.tar\"",
        2560
    ]);
    assert_eq!(serde_json::Value::from(seen), expected);
}

#[test]
#[ignore = "needs w3m"]
fn a_text_browser_shows_the_button() {
    let server = TestServer::start();
    server.file("docs/a", "a");
    let url = format!("http://{}/docs/", server.address());
    let text = succeed(with_patience().args(["w3m", "-dump", &url]));
    assert!(text.contains("Download all as tar"), "{text}");
}
