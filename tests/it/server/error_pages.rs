//! The operator's pages in place of the built-in error pages.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use http_concurrent::server::{Limits, Listings, PasswordSettings, ServerConfig};
use rustix::process::Signal;

use crate::support::PATIENCE;
use crate::support::conversation::Conversation;
use crate::support::nginx::Nginx;
use crate::support::program::ServerProgram;
use crate::support::server::TestServer;

const STATUSES: [u16; 13] = [400, 403, 404, 405, 408, 412, 414, 416, 417, 431, 501, 503, 505];

fn with_pages(config: &mut ServerConfig, pages: &[&str]) {
    config.site.error_pages = pages.iter().map(|page| page.parse().unwrap()).collect();
}

/// A server with a page for the status 404, which has a length of its own.
fn site() -> TestServer {
    let server = TestServer::with_config(|config| {
        with_pages(config, &["404.html"]);
        config.extra_fields.cache_control = Some("max-age=60".to_owned());
        config.extra_fields.further = vec!["X-Ours: yes".parse().unwrap()];
    });
    server.file("404.html", "<h1>Lost?</h1>");
    server.file("a.txt", "Hello");
    server
}

/// A server with a page for every status.
fn with_all_pages(head_timeout: Duration) -> TestServer {
    let pages = STATUSES.map(|status| format!("pages/{status}.html"));
    let server = TestServer::with_config(|config| {
        with_pages(config, &pages.each_ref().map(String::as_str));
        config.site.listings = Listings::Refused;
        config.timeouts.head = head_timeout;
    });
    for status in STATUSES {
        server.file(&format!("pages/{status}.html"), format!("page {status}"));
    }
    server
}

#[test]
fn a_request_without_a_password_has_its_page() {
    let users = tempfile::NamedTempFile::new().unwrap();
    // The hash of "secret" with the lowest cost.
    let hash = "$2y$04$PrNmZDb9Zc.5dIsZJFdH4ecFRfqbSo34lxeBr89/jHAgftIxLOYc6";
    fs::write(users.path(), format!("alice:{hash}\n")).unwrap();
    let server = TestServer::with_config(|config| {
        with_pages(config, &["401.html", "404.html"]);
        let file = users.path().to_owned();
        config.passwords = Some(PasswordSettings { file, realm: "files".to_owned() });
    });
    server.file("401.html", "page 401");
    server.file("404.html", "page 404");
    let reply = server.get_with("/nothing", "");
    assert_eq!((reply.status, reply.text()), (401, "page 401"));
    assert!(reply.field("WWW-Authenticate").is_some());
    let reply = server.get_with("/nothing", "Authorization: Basic YWxpY2U6c2VjcmV0\r\n");
    assert_eq!((reply.status, reply.text()), (404, "page 404"));
}

#[test]
fn a_request_that_is_incomplete_at_its_deadline_has_its_page() {
    let reply = with_all_pages(Duration::from_millis(200)).answer_in_time("GET / HT");
    assert_eq!((reply.status, reply.text()), (408, "page 408"));
}

#[test]
fn every_error_of_a_request_has_its_page() {
    let server = with_all_pages(PATIENCE);
    server.file("a.txt", "Hello");
    let long = "x".repeat(40_000);
    let get = |target: &str, fields: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
    };
    for (request, status) in [
        (get("/%zz", ""), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (get("/pages/", ""), 403),
        (get("/nothing", ""), 404),
        (get("/a.txt", "").replace("GET", "DELETE"), 405),
        (get("/a.txt", "If-Match: \"other\"\r\n"), 412),
        (get("/a.txt", "Range: bytes=9-\r\n"), 416),
        (get(&format!("/{long}"), ""), 414),
        (get("/", "Expect: more\r\n"), 417),
        (get("/", &format!("X: {long}\r\n")), 431),
        (get("/", "").replace("GET", "BREW"), 501),
        (get("/", "Transfer-Encoding: gzip, chunked\r\n"), 501),
        (get("/", "").replace("/1.1", "/2.0"), 505),
    ] {
        let reply = server.ask(request).remove(0);
        assert_eq!((reply.status, reply.text()), (status, &*format!("page {status}")));
        assert_eq!(reply.field("Content-Type"), Some("text/html; charset=utf-8"), "{status}");
        assert_eq!(reply.field("X-Content-Type-Options"), Some("nosniff"), "{status}");
        // The fields of the error itself.
        let own = match status {
            405 => Some("Allow"),
            416 => Some("Content-Range"),
            _ => None,
        };
        assert!(own.is_none_or(|name| reply.field(name).is_some()), "{status}");
    }
}

#[test]
fn clients_that_prefer_json_or_text_get_the_built_in_form() {
    let server = site();
    let (page, plain, json) =
        ("text/html; charset=utf-8", "text/plain; charset=utf-8", "application/json");
    for (accept, expected) in [
        ("", page),
        ("Accept: */*\r\n", page),
        ("Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n", page),
        ("Accept: image/png,image/*;q=0.8,*/*;q=0.5\r\n", page),
        ("Accept: image/png\r\n", page),
        ("Accept: text/html;q=0.5, text/plain;q=0.4\r\n", page),
        ("Accept: text/*\r\n", page),
        ("Accept: text/html;q=0.5, text/plain\r\n", plain),
        ("Accept: text/plain\r\n", plain),
        ("Accept: application/json\r\n", json),
        // Axios, and Angular's client.
        ("Accept: application/json, text/plain, */*\r\n", plain),
        ("Accept: application/json, */*\r\n", json),
        ("Accept: application/json, */*;q=0.5\r\n", json),
        ("Accept: text/html;q=0, */*\r\n", plain),
    ] {
        let reply = server.get_with("/nothing", accept);
        assert_eq!((reply.status, reply.field("Content-Type")), (404, Some(expected)), "{accept}");
        assert_eq!(reply.text() == "<h1>Lost?</h1>", expected == page, "{accept}");
        let vary = if expected == page { "Accept, Accept-Encoding" } else { "Accept" };
        assert_eq!(reply.field("Vary"), Some(vary), "{accept}");
    }
}

/// The page is no answer to what was asked for, so preconditions and ranges do not concern it.
#[test]
fn an_error_page_is_always_whole_and_never_not_modified() {
    let server = site();
    let tag = server.get_with("/404.html", "").field("ETag").unwrap().to_owned();
    let expected = server.get_with("/nothing", "");
    for name in ["ETag", "Last-Modified", "Accept-Ranges", "Cache-Control"] {
        assert_eq!(expected.field(name), None, "{name}");
    }
    assert_eq!(expected.field("X-Ours"), Some("yes"));
    for fields in [
        format!("If-None-Match: {tag}\r\n"),
        "If-None-Match: *\r\n".to_owned(),
        "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n".to_owned(),
        "If-Match: \"other\"\r\n".to_owned(),
        "Range: bytes=0-3\r\n".to_owned(),
        "Range: bytes=900-\r\n".to_owned(),
        format!("Range: bytes=0-3\r\nIf-Range: {tag}\r\n"),
    ] {
        let reply = server.get_with("/nothing", &fields);
        assert_eq!(reply.head(), expected.head(), "{fields}");
        assert_eq!(reply.text(), "<h1>Lost?</h1>", "{fields}");
    }
}

#[test]
fn a_head_request_gets_the_head_of_the_page_alone() {
    let server = site();
    let expected = server.get_with("/nothing", "");
    let mut conversation = server.connect();
    let head =
        conversation.send("HEAD /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n").reply_to_head();
    assert_eq!(head.head(), expected.head());
    assert_eq!(conversation.get("/a.txt").text(), "Hello", "no content is in between");
}

#[test]
fn without_its_file_an_error_has_the_built_in_page() {
    let server = TestServer::with_config(|config| {
        with_pages(config, &["404.html", "errors/404.html", "503.html"]);
    });
    let text = |conversation: &mut Conversation| conversation.get("/nothing").text().to_owned();
    let mut conversation = server.connect();
    let built_in = "404 Not Found\nthere is no such file\n";
    assert_eq!(text(&mut conversation), built_in);
    // Of several, the first that is there.
    server.file("errors/404.html", "second");
    assert_eq!(text(&mut conversation), "second");
    server.file("404.html", "first");
    assert_eq!(text(&mut conversation), "first");
    server.file("404.html", "edited");
    assert_eq!(text(&mut conversation), "edited");
    fs::remove_dir_all(server.root().join("errors")).unwrap();
    fs::remove_file(server.root().join("404.html")).unwrap();
    assert_eq!(text(&mut conversation), built_in);
    // What is no file, or leaves the root.
    fs::create_dir(server.root().join("404.html")).unwrap();
    assert_eq!(text(&mut conversation), built_in);
    fs::remove_dir(server.root().join("404.html")).unwrap();
    symlink("/etc/passwd", server.root().join("404.html")).unwrap();
    assert_eq!(text(&mut conversation), built_in);
}

#[test]
fn an_error_page_is_sent_in_the_coding_that_the_client_prefers() {
    let server = site();
    for (suffix, content) in [("gz", "gzip...."), ("br", "br")] {
        server.file(&format!("404.html.{suffix}"), content);
    }
    for (accept, coding, content) in [
        ("gzip, br", Some("br"), "br"),
        ("gzip", Some("gzip"), "gzip...."),
        ("deflate", None, "<h1>Lost?</h1>"),
    ] {
        let reply = server.get_with("/nothing", &format!("Accept-Encoding: {accept}\r\n"));
        assert_eq!((reply.status, reply.text()), (404, content), "{accept}");
        assert_eq!(reply.field("Content-Encoding"), coding, "{accept}");
        assert_eq!(reply.field("Content-Type"), Some("text/html; charset=utf-8"), "{accept}");
    }
    // One that was compressed before the page was edited is not sent.
    let old = File::open(server.root().join("404.html.br")).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    let reply = server.get_with("/nothing", "Accept-Encoding: br\r\n");
    assert_eq!(reply.text(), "<h1>Lost?</h1>");
}

#[test]
fn a_large_page_is_sent_whole_and_the_connection_kept() {
    let server = site();
    let page = "0123456789abcdef".repeat(64 * 1024);
    server.file("404.html", &page);
    let mut conversation = server.connect();
    for _ in 0..3 {
        let reply = conversation.get("/nothing");
        assert_eq!((reply.status, reply.text() == page), (404, true));
        assert_eq!(conversation.get("/a.txt").text(), "Hello");
    }
}

#[test]
fn what_is_no_error_of_a_request_keeps_its_text() {
    let server = TestServer::with_config(|config| {
        with_pages(config, &["404.html", "503.html"]);
        config.limits = Limits { per_client: 1, total: 1 };
    });
    server.file("404.html", "page");
    server.file("503.html", "page");
    server.file("dir/a.txt", "Hello");
    assert_eq!(server.connect().get("/404.html").status, 200, "it is a file as well");
    server.wait_for_connections(0);
    assert_eq!(server.connect().get("/dir").status, 301);
    server.wait_for_connections(0);
    let _held = server.connect();
    server.wait_for_connections(1);
    let rejection = server.connect_from(2).get("/");
    assert_eq!(rejection.status, 503);
    assert!(rejection.text().contains("all 1 connection"), "{}", rejection.text());
}

#[test]
fn the_operator_is_told_of_a_page_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("404.html"), "page").unwrap();
    let arguments = ["-p", "0", "--error-page", "404.html", "--error-page", "errors/403.html"];
    let server = ServerProgram::start(directory.path(), &arguments);
    assert_eq!(server.connect_from(1).get("/nothing").text(), "page");
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("there is no file errors/403.html to be served"), "{log}");
    assert!(!log.contains("no file 404.html"), "{log}");
}

/// nginx with `error_page` answers with the same statuses and pages, to any `Accept`.
#[test]
#[ignore = "needs nginx"]
fn browsers_get_the_pages_that_nginx_sends() {
    let server = TestServer::with_config(|config| {
        with_pages(config, &["404.html", "errors/403.html", "405.html", "416.html"]);
        config.site.listings = Listings::Refused;
    });
    for name in ["404.html", "errors/403.html", "405.html", "416.html", "a.txt"] {
        server.file(name, name);
    }
    let nginx = Nginx::start(&format!(
        "root {}; error_page 404 /404.html; error_page 403 /errors/403.html;\n\
         error_page 405 /405.html; error_page 416 /416.html;",
        server.root().display()
    ));
    for (method, target, fields, status) in [
        ("GET", "/nothing", "", 404),
        ("GET", "/nothing/", "", 404),
        ("GET", "/a.txt/", "", 404),
        ("GET", "/errors/", "", 403),
        ("POST", "/nothing", "Content-Length: 0\r\n", 405),
        ("GET", "/a.txt", "Range: bytes=99-\r\n", 416),
    ] {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        let (theirs, ours) =
            (nginx.connect().send(&request).reply(), server.connect().send(&request).reply());
        assert_eq!(ours.status, status, "{method} {target}");
        // nginx looks for the file of a POST first.
        if method == "GET" {
            assert_eq!((theirs.status, theirs.text()), (status, ours.text()), "{target}");
        }
    }
}
