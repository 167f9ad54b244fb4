//! Other clients of the server: curl, a browser, a text browser. They would notice errors on which both sides
//! of this package agree.

use std::fs::write;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::browser::list_left_by;
use crate::support::server::TestServer;

/// Runs a program, expects success, and returns its standard output.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Runs curl; `{url}` in an argument is replaced by the server's URL without a final slash.
fn curl(server: &TestServer, arguments: &[&str]) -> String {
    let url = format!("http://{}", server.address());
    let arguments = arguments.iter().map(|argument| argument.replace("{url}", &url));
    output(Command::new("curl").args(["-sS", "--max-time", "20"]).args(arguments))
}

fn path(directory: &Path, name: &str) -> String {
    directory.join(name).to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs curl"]
fn curl_fetches_ranges_and_resumes() {
    let server = TestServer::start();
    server.file("ten", "0123456789");
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    server.file("large.bin", &large);
    for (range, expected) in
        [("2-4", "234"), ("7-", "789"), ("-3", "789"), ("8-100", "89"), ("0-0", "0")]
    {
        assert_eq!(curl(&server, &["-r", range, "{url}/ten"]), expected, "{range}");
    }
    let parts = curl(&server, &["-r", "0-1,8-9", "{url}/ten", "-w", "%{http_code}"]);
    assert!(parts.contains("bytes 0-1/10") && parts.ends_with("206"), "{parts}");
    let refused =
        curl(&server, &["-r", "10-", "{url}/ten", "-o", "/dev/null", "-w", "%{http_code}"]);
    assert_eq!(refused, "416");

    let directory = tempfile::tempdir().unwrap();
    let copy = path(directory.path(), "large.bin");
    write(&copy, &large[..5_000_001]).unwrap();
    curl(&server, &["-C", "-", "{url}/large.bin", "-o", &copy]);
    assert!(std::fs::read(copy).unwrap() == large);
}

#[test]
#[ignore = "needs curl"]
fn curl_asks_only_for_what_is_new() {
    let server = TestServer::start();
    server.file("a.txt", "Hello");
    let directory = tempfile::tempdir().unwrap();
    let (tag, copy) = (path(directory.path(), "tag"), path(directory.path(), "a.txt"));
    let by_tag = ["--etag-save", &tag, "--etag-compare", &tag];
    let fetch = |arguments: &[&str]| {
        let status = ["{url}/a.txt", "-R", "-o", &copy, "-w", "%{http_code} %{size_download}"];
        curl(&server, &[arguments, &status].concat())
    };
    assert_eq!(fetch(&by_tag), "200 5");
    assert_eq!(fetch(&by_tag), "304 0");
    assert_eq!(fetch(&["-z", &copy]), "304 0", "-R dated the copy as the file is");
    server.file("a.txt", "Hello!");
    assert_eq!(fetch(&by_tag), "200 6");
    assert_eq!(fetch(&["-z", "1 Jan 2000"]), "200 6");
    let until = ["-H", "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"];
    assert!(fetch(&until).starts_with("412 "));
}

#[test]
#[ignore = "needs curl"]
fn curl_decodes_a_precompressed_file() {
    let server = TestServer::start();
    let text = "the same again and ".repeat(1000);
    server.file("a.txt", &text);
    output(Command::new("gzip").args(["-9", "-k", &path(server.root(), "a.txt")]));
    let directory = tempfile::tempdir().unwrap();
    let copy = path(directory.path(), "a.txt");
    let fetch = |arguments: &[&str]| {
        let rest = ["{url}/a.txt", "-o", &copy, "-w", "%{size_download}"];
        let size: usize = curl(&server, &[arguments, &rest].concat()).parse().unwrap();
        assert!(std::fs::read_to_string(&copy).unwrap() == text);
        size
    };
    assert_eq!(fetch(&[]), text.len());
    assert!(fetch(&["--compressed"]) < 1000);
    let head = curl(&server, &["-I", "--compressed", "{url}/a.txt"]).to_ascii_lowercase();
    for part in ["content-encoding: gzip", "vary: accept-encoding", "content-type: text/plain"] {
        assert!(head.contains(part), "{part}: {head}");
    }
}

#[test]
#[ignore = "needs curl"]
fn curl_decodes_a_drawing_whose_name_says_that_it_is_compressed() {
    let server = TestServer::start();
    let drawing = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    server.file("a.svg", drawing);
    output(Command::new("gzip").args(["-S", "z", &path(server.root(), "a.svg")]));
    assert_eq!(curl(&server, &["--compressed", "{url}/a.svgz"]), drawing);
}

#[test]
#[ignore = "needs curl"]
fn curl_understands_every_other_answer() {
    let server = TestServer::start();
    server.file("dir/a.txt", "Hello");
    server.file("two words #1?.txt", "awkward");
    let status = ["-o", "/dev/null", "-w", "%{http_code} %{num_redirects}"];
    let large = path(server.root(), "upload");
    write(&large, vec![7; 3_000_000]).unwrap();
    for (arguments, expected) in [
        (&["{url}/dir/a.txt"][..], "200 0"),
        (&["-0", "{url}/dir/a.txt"], "200 0"),
        (&["-I", "{url}/dir/a.txt"], "200 0"),
        (&["-X", "OPTIONS", "--request-target", "*", "{url}"], "204 0"),
        (&["-L", "{url}/dir?sort=size", "-H", "Accept: text/plain"], "200 1"),
        (&["--path-as-is", "{url}/dir/../dir/a.txt"], "200 0"),
        (&["--path-as-is", "-H", "Accept:", "{url}/../dir/a.txt"], "400 0"),
        (&["{url}/two%20words%20%231%3f.txt"], "200 0"),
        (&["-H", "Host:", "{url}/"], "400 0"),
        (&["-H", "Host;", "{url}/"], "400 0"),
        (&["-d", "x=y", "{url}/"], "405 0"),
        (&["-d", "x=y", "-H", "Transfer-Encoding: chunked", "{url}/"], "405 0"),
        (&["-T", &large, "{url}/"], "405 0"),
        (&["-T", &large, "-H", "Expect:", "{url}/"], "405 0"),
        (&["-T", &large, "-H", "Expect: 100-continue", "{url}/"], "405 0"),
        (&["-H", "Expect: more", "-d", "x", "{url}/"], "417 0"),
        (&["-x", "{url}", "http://elsewhere.example/dir/a.txt"], "200 0"),
    ] {
        assert_eq!(curl(&server, &[arguments, &status].concat()), expected, "{arguments:?}");
    }
    // A tunnel that is refused.
    let mut command = Command::new("curl");
    let proxy = format!("http://{}", server.address());
    let refused = command.args(["-sS", "--max-time", "20", "-p", "-x", &proxy, &proxy]).output();
    let refused = String::from_utf8(refused.unwrap().stderr).unwrap();
    assert!(refused.contains("405"), "{refused}");
}

/// Drives the listing in a frame: sorts it by its headings, follows every link and returns, and records what
/// it saw. The listing itself has no script.
const DRIVER: &str = r#"<!DOCTYPE html><meta charset="utf-8">
<iframe id="frame" style="width:390px;height:800px"></iframe><pre id="seen"></pre>
<script>
const frame = document.getElementById("frame"), seen = [];
const page = () => frame.contentDocument;
const links = () => [...page().querySelectorAll("tbody a")];
const go = act => new Promise(done => { frame.onload = done; act(); });
const click = link => go(() => link.click());
const order = () => links().map(link => link.textContent);
(async () => {
  await go(() => frame.src = "/awkward");
  seen.push({ path: frame.contentWindow.location.pathname, order: order() });
  seen.push({ width: page().documentElement.scrollWidth });
  for (const column of [1, 1, 2, 0]) {
    await click(page().querySelectorAll("th button")[column]);
    seen.push({ query: frame.contentWindow.location.search, order: order() });
  }
  for (let index = 1; index < links().length; index++) {
    await click(links()[index]);
    seen.push({ text: page().body.textContent });
    await go(() => frame.contentWindow.history.back());
  }
  await click(links()[0]);
  seen.push({ path: frame.contentWindow.location.pathname, parent: links().length });
  document.getElementById("seen").textContent = JSON.stringify(seen);
})();
</script>"#;

const AWKWARD: [&[u8]; 9] = [
    b"two words.txt",
    b"quote\" apostrophe' <tag> &amp;.txt",
    b"hash#question?percent%41.txt",
    b"javascript:alert(1)",
    b"new\nline.txt",
    b"back\\slash.txt",
    "\u{1f600}.txt".as_bytes(),
    b"latin1 \xe9.txt",
    b"a-name-of-many-characters-without-any-space-in-it-that-fits-no-telephone-s-screen-at-all.txt",
];

#[test]
#[ignore = "needs chromium"]
fn a_browser_sorts_a_listing_and_follows_every_link_in_it() {
    let server = TestServer::start();
    server.file("driver.html", DRIVER);
    std::fs::create_dir(server.root().join("awkward")).unwrap();
    for (index, name) in AWKWARD.iter().enumerate() {
        let file = server.root().join("awkward").join(std::ffi::OsStr::from_bytes(name));
        write(file, format!("number {index}{}", " ".repeat(index))).unwrap();
    }
    let seen = list_left_by(&format!("http://{}/driver.html", server.address()), &[]);

    let shown = |index: usize| match index {
        4 => "new\u{240a}line.txt".to_owned(),
        7 => "latin1 \u{fffd}.txt".to_owned(),
        _ => String::from_utf8(AWKWARD[index].to_vec()).unwrap(),
    };
    let by_size: Vec<String> = (0..AWKWARD.len()).map(shown).collect();
    let order = |at: usize| -> Vec<&str> {
        let names = seen[at]["order"].as_array().unwrap();
        assert_eq!(names[0], "../");
        names[1..].iter().map(|name| name.as_str().unwrap()).collect()
    };
    assert_eq!(seen[0]["path"], "/awkward/", "the redirect was followed");
    let by_name = order(0);
    assert_eq!(by_name.len(), AWKWARD.len());
    assert_eq!(seen[1]["width"], 390, "nothing is cut off on a telephone");
    assert_eq!(seen[2]["query"], "?sort=size&order=desc");
    assert!(order(2).iter().eq(by_size.iter().rev()), "{:?}", order(2));
    assert_eq!(seen[3]["query"], "?sort=size&order=asc");
    assert!(order(3).iter().eq(by_size.iter()), "{:?}", order(3));
    assert_eq!(seen[4]["query"], "?sort=date&order=desc");
    assert_eq!(seen[5]["query"], "?sort=name&order=asc");
    assert_eq!(order(5), by_name);
    assert_eq!(seen.len(), 6 + AWKWARD.len() + 1);
    for (name, visit) in by_name.iter().zip(&seen[6..]) {
        let index = by_size.iter().position(|shown| shown == name).unwrap();
        assert_eq!(visit["text"].as_str().unwrap().trim_end(), format!("number {index}"), "{name}");
    }
    let last = seen.last().unwrap();
    assert_eq!((&last["path"], &last["parent"]), (&"/".into(), &2.into()), "and out again");
}

#[test]
#[ignore = "needs w3m"]
fn a_text_browser_shows_a_listing_as_a_table() {
    let server = TestServer::start();
    server.file("docs/two words <b>.txt", "x".repeat(1536));
    server.file("docs/inner/a.txt", "Hello");
    let dump = |target: &str| {
        let url = format!("http://{}{target}", server.address());
        let arguments = ["-no-cookie", "-cols", "100", "-O", "UTF-8", "-dump", &url];
        output(Command::new("w3m").args(arguments)).replace('\u{a0}', " ")
    };
    let page = dump("/docs");
    let line = |part: &str| {
        let mut lines = page.lines().filter(|line| line.contains(part));
        let line = lines.next().unwrap_or_else(|| panic!("{part}: {page}"));
        assert_eq!(lines.next(), None, "{part} is there once: {page}");
        line.to_owned()
    };
    assert!(page.starts_with("Index of / docs/\n"), "{page}");
    let heading = line("Name");
    assert!(heading.contains("Size") && heading.contains("Modified (UTC)"), "{page}");
    let row = line("two words <b>.txt");
    let date = row.trim_end().len() - "2026-11-25 14:29".len();
    assert!(row[..date].contains("1.5 KiB") && row[date..].starts_with("20"), "{page}");
    assert!(line("inner/").contains(&row[date..][..10]), "{page}");
    assert!(line("../").trim() == "../", "{page}");
    assert!(page.contains("1 folder, 1 file, 1.5 KiB"), "{page}");
    assert!(dump("/none").starts_with("404 Not Found"), "{}", dump("/none"));
    assert_eq!(dump("/docs/inner/a.txt").trim(), "Hello");
}
