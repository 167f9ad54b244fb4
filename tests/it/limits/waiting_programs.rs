//! Programs that open more connections than the default limits allow one client.
//!
//! With the default options each loses files, which shows that it comes up against the limit. When connections
//! wait for a slot, each must get everything.

use std::fs::{self, File};
use std::path::Path;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::browser::dom_left_by;
use crate::support::program::ServerProgram;
use crate::support::{wait_until, with_patience};

const OPTIONS: [&str; 3] = ["--wait-for-slot", "2s", "--reclaim-idle"];

/// How often a program must get everything.
const ROUNDS: usize = 5;

const FILES: usize = 200;

fn content(number: usize) -> String {
    format!("content {number}\n")
}

/// `1.txt` to `200.txt`.
fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    for number in 1..=FILES {
        fs::write(site.path().join(format!("{number}.txt")), content(number)).unwrap();
    }
    site
}

/// How many of the files a directory holds whole.
fn whole_files(directory: &Path) -> usize {
    let is_whole = |number: &usize| {
        let path = directory.join(format!("{number}.txt"));
        fs::read_to_string(path).is_ok_and(|read| read == content(*number))
    };
    (1..=FILES).filter(is_whole).count()
}

/// Has `fetch`, which gets the server's URL and returns how much it got, get less than `all` with the default
/// options, and all of it when connections wait.
fn gets_everything_when_connections_wait(site: &Path, all: usize, fetch: impl Fn(&str) -> usize) {
    let start = |options: &[&str]| {
        let always = ["-p", "0", "--status-path", "/status"];
        let server = ServerProgram::start(site, &[&always, options].concat());
        let url = format!("http://127.0.0.1:{}", server.port());
        (server, url)
    };
    let (server, url) = start(&[]);
    wait_until("something is missing with the default options", || fetch(&url) < all);
    drop(server);
    let (server, url) = start(&OPTIONS);
    for round in 1..=ROUNDS {
        assert_eq!(fetch(&url), all, "round {round}");
    }
    let status = server.connect_from(1).get("/status?format=json");
    let status: Value = serde_json::from_str(status.text()).unwrap();
    let counters = &status["counters"];
    assert_eq!(counters["rejected"]["client"], 0, "{counters}");
    assert_eq!(status["waiting"], 0);
}

/// Has a program save all files in a new directory, and returns how many it saved whole. `{url}` in a word is the
/// server's URL, `{to}` the directory, and `{list}` a file with the URL of each file.
fn saves(words: &[&str], url: &str) -> usize {
    let directory = TempDir::new().unwrap();
    let (to, list) = (directory.path().join("saved"), directory.path().join("list"));
    fs::create_dir(&to).unwrap();
    let urls: Vec<String> = (1..=FILES).map(|number| format!("{url}/{number}.txt")).collect();
    fs::write(&list, urls.join("\n")).unwrap();
    let paths =
        [("{url}", url), ("{to}", to.to_str().unwrap()), ("{list}", list.to_str().unwrap())];
    let filled_in = |word: &&str| {
        paths.iter().fold((*word).to_owned(), |word, (name, value)| word.replace(name, value))
    };
    let output = with_patience().args(words.iter().map(filled_in)).output();
    output.expect("timeout(1) is there");
    whole_files(&to)
}

#[test]
#[ignore = "needs wget2"]
fn wget2_with_twenty_threads_saves_every_file() {
    let words = ["wget2", "-q", "--max-threads=20", "-P", "{to}", "-i", "{list}"];
    gets_everything_when_connections_wait(site().path(), FILES, |url| saves(&words, url));
}

#[test]
#[ignore = "needs aria2"]
fn aria2_with_sixteen_connections_saves_every_file() {
    let words = ["aria2c", "-q", "--no-conf", "-x16", "-j16", "-d", "{to}", "-i", "{list}"];
    gets_everything_when_connections_wait(site().path(), FILES, |url| saves(&words, url));
}

#[test]
#[ignore = "needs curl"]
fn curl_with_fifty_connections_saves_every_file() {
    let numbered = format!("{{url}}/[1-{FILES}].txt");
    let words = ["curl", "-sSf", "--parallel", "--parallel-max", "50", "--output-dir", "{to}"];
    let words = [&words[..], &["--remote-name-all", &numbered]].concat();
    gets_everything_when_connections_wait(site().path(), FILES, |url| saves(&words, url));
}

/// It takes a file whose `HEAD` is rejected for one that is not there, and deletes its copy.
#[test]
#[ignore = "needs rclone"]
fn rclone_deletes_nothing_from_an_identical_copy() {
    let site = site();
    gets_everything_when_connections_wait(site.path(), FILES, |url| {
        let copy = TempDir::new().unwrap();
        for number in 1..=FILES {
            let name = format!("{number}.txt");
            fs::write(copy.path().join(&name), content(number)).unwrap();
            let modified = fs::metadata(site.path().join(&name)).unwrap().modified().unwrap();
            let file = File::options().write(true).open(copy.path().join(&name)).unwrap();
            file.set_modified(modified).unwrap();
        }
        let output = with_patience()
            .args(["rclone", "sync", "--checkers", "16", "--transfers", "16", "-v"])
            .args(["--config", "/dev/null", "--http-url", url, ":http:"])
            .arg(copy.path())
            .output()
            .expect("timeout(1) is there");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        assert!(!log.contains("Copied"), "{log}");
        whole_files(copy.path())
    });
}

const BROWSERS: usize = 4;
const PICTURES: usize = 40;

/// A picture, and the page that shows all of them and then how many it has.
fn pictures() -> TempDir {
    let site = TempDir::new().unwrap();
    let mut page = "<!DOCTYPE html><title>Pictures</title>".to_owned();
    for number in 1..=PICTURES {
        // As large as a photograph on a page.
        let picture = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><!--{}--></svg>",
            "x".repeat(40_000)
        );
        fs::write(site.path().join(format!("{number}.svg")), picture).unwrap();
        page.extend(["<img src='", &number.to_string(), ".svg' alt=''>"]);
    }
    page += "<pre id=\"seen\"></pre><script>addEventListener('load', () => {
        const seen = [...document.images].filter((image) => image.naturalWidth > 0);
        document.getElementById('seen').textContent = seen.length;
    })</script>";
    fs::write(site.path().join("index.html"), page).unwrap();
    site
}

#[test]
#[ignore = "needs chromium"]
fn four_browsers_behind_one_address_show_every_picture() {
    let seen = |url: &str| {
        let dom = dom_left_by(url, &[]);
        // A browser whose page is rejected shows none.
        let (_, rest) = dom.split_once("<pre id=\"seen\">")?;
        rest.split_once("</pre>")?.0.parse::<usize>().ok()
    };
    gets_everything_when_connections_wait(pictures().path(), BROWSERS * PICTURES, |url| {
        thread::scope(|scope| {
            let browsers: Vec<_> = (0..BROWSERS).map(|_| scope.spawn(|| seen(url))).collect();
            let counts = browsers.into_iter().map(|browser| browser.join().unwrap().unwrap_or(0));
            counts.sum()
        })
    });
}
