//! The listing of a directory: its forms, its order, its page.

use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};

use http_concurrent::server::Listings;

use crate::support::server::TestServer;

/// Two folders and three files; sizes and dates in different orders.
fn site() -> TestServer {
    let server = TestServer::start();
    for (name, length, second) in [
        ("top/file2.txt", 2048, 1_000_000_000),
        ("top/file10.txt", 14, 1_700_000_000),
        ("top/Readme.md", 1_500_000, 0),
        ("top/b/inside", 1, 0),
        ("top/a/inside", 1, 0),
    ] {
        server.file(name, "x".repeat(length));
        let file = File::open(server.root().join(name)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(second)).unwrap();
    }
    server
}

fn names(server: &TestServer, query: &str) -> String {
    let reply = server.get_with(&format!("/top/{query}"), "Accept: text/plain\r\n");
    assert_eq!(reply.status, 200);
    reply.text().replace('\n', " ").trim_end().to_owned()
}

/// Folders first; names in natural order.
#[test]
fn the_query_sets_the_order() {
    let server = site();
    for (query, expected) in [
        ("", "a/ b/ file2.txt file10.txt Readme.md"),
        ("?sort=name&order=desc", "b/ a/ Readme.md file10.txt file2.txt"),
        ("?sort=size", "a/ b/ file10.txt file2.txt Readme.md"),
        ("?sort=size&order=desc", "a/ b/ Readme.md file2.txt file10.txt"),
        ("?order=desc&sort=date", "file10.txt file2.txt Readme.md"),
        ("?sort=colour", "a/ b/ file2.txt file10.txt Readme.md"),
        ("?%zz&&=;", "a/ b/ file2.txt file10.txt Readme.md"),
    ] {
        assert!(names(&server, query).ends_with(expected), "{query}: {}", names(&server, query));
    }
}

/// RFC 9110 §12.5.1.
#[test]
fn a_listing_has_the_form_that_the_client_prefers() {
    let server = site();
    for (accept, expected) in [
        ("", "text/html; charset=utf-8"),
        ("Accept: */*\r\n", "text/html; charset=utf-8"),
        ("Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n", "text/html; charset=utf-8"),
        ("Accept: application/json\r\n", "application/json"),
        ("Accept: application/json, text/html;q=0.9\r\n", "application/json"),
        ("Accept: application/*\r\n", "application/json"),
        ("Accept: text/plain\r\n", "text/plain; charset=utf-8"),
        ("Accept: text/html;q=0.1, text/plain;q=0.2\r\n", "text/plain; charset=utf-8"),
        ("Accept: image/png\r\n", "text/html; charset=utf-8"),
        ("Accept: text/html;q=0\r\n", "text/html; charset=utf-8"),
    ] {
        let reply = server.get_with("/top/", accept);
        assert_eq!(reply.field("Content-Type"), Some(expected), "{accept:?}");
        assert_eq!(reply.field("Vary"), Some("Accept"), "{accept:?}");
        assert_eq!(reply.field("X-Content-Type-Options"), Some("nosniff"), "{accept:?}");
    }
}

#[test]
fn json_tells_names_types_sizes_and_dates() {
    let server = site();
    let reply = server.get_with("/top/?sort=date&order=desc", "Accept: application/json\r\n");
    let listing: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(listing["path"], "/top/");
    let entries = listing["entries"].as_array().unwrap();
    let entry = |name: &str| entries.iter().find(|entry| entry["name"] == name).unwrap();
    assert_eq!(
        *entry("file2.txt"),
        serde_json::json!({
            "name": "file2.txt", "href": "file2.txt", "type": "file", "size": 2048,
            "modified": "2001-09-09T01:46:40Z",
        })
    );
    assert_eq!((&entry("a")["type"], &entry("a")["href"]), (&"directory".into(), &"a/".into()));
    assert_eq!(entry("a").get("size"), None);
}

#[test]
fn the_page_is_self_contained() {
    let server = site();
    let reply = server.get_with("/top/", "Accept: text/html\r\n");
    let page = reply.text();
    for part in [
        "<!DOCTYPE html>",
        "<html lang=\"en\">",
        "<meta charset=\"utf-8\">",
        "name=\"viewport\"",
        "color-scheme:light dark",
        "<title>Index of /top/</title>",
        "aria-sort=\"ascending\"",
        "<button name=\"sort\" value=\"name\">Name</button>",
        "<button name=\"sort\" value=\"size\">Size</button>",
        "<button name=\"sort\" value=\"date\">Modified</button>",
        "href=\"../\"",
        "href=\"file10.txt\"",
        "1.4\u{a0}MiB",
        "2001-09-09<span>\u{a0}01:46</span>",
        "2 folders, 3 files",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for part in ["<script", "http:", "https:", "src=", "<link", "onclick", "@import", "url("] {
        assert!(!page.contains(part), "{part}: {page}");
    }
    assert!(!server.get_with("/", "").text().contains("href=\"../\""), "nothing is above the root");
}

#[test]
fn listings_may_be_refused() {
    let server = TestServer::with_config(|config| config.site.listings = Listings::Refused);
    server.file("top/a.txt", "a");
    server.file("index/index.html", "index");
    for (target, status) in [
        ("/", 403),
        ("/top/", 403),
        ("/top/?sort=size", 403),
        ("/top", 301),
        ("/top/a.txt", 200),
        ("/index/", 200),
        ("/none/", 404),
    ] {
        assert_eq!(server.connect().get(target).status, status, "{target}");
    }
    let refused = server.get_with("/top/", "Accept: text/html\r\n");
    assert!(!refused.text().contains("a.txt"));
}
