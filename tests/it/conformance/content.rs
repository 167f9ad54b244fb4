//! Fields about a file: type, precompressed files, and the operator's own; and the forms of errors.

use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use http_concurrent::server::{Precompressed, ServerConfig};

use crate::support::server::TestServer;

/// RFC 9110 §8.3: by the name, else by the content.
#[test]
fn media_types() {
    let server = TestServer::start();
    let mut conversation = server.connect();
    for (name, content, expected) in [
        ("a.txt", &b"x"[..], "text/plain; charset=utf-8"),
        ("a.html", b"x", "text/html; charset=utf-8"),
        ("A.HTM", b"x", "text/html; charset=utf-8"),
        ("a.css", b"x", "text/css; charset=utf-8"),
        ("a.js", b"x", "text/javascript; charset=utf-8"),
        ("a.mjs", b"x", "text/javascript; charset=utf-8"),
        ("a.cjs", b"x", "text/javascript; charset=utf-8"),
        ("a.md", b"x", "text/markdown; charset=utf-8"),
        ("a.csv", b"x", "text/csv; charset=utf-8"),
        ("a.json", b"{}", "application/json"), // RFC 8259 §11: has no charset
        ("a.xml", b"<x/>", "text/xml"),        // RFC 7303 §3.2: declares its own
        ("a.svg", b"<svg/>", "image/svg+xml"),
        ("a.png", b"x", "image/png"),
        ("a.jpg", b"x", "image/jpeg"),
        ("a.webp", b"x", "image/webp"),
        ("a.avif", b"x", "image/avif"),
        ("a.wasm", b"x", "application/wasm"),
        ("a.pdf", b"x", "application/pdf"),
        ("a.mp4", b"x", "video/mp4"),
        ("a.woff2", b"x", "font/woff2"),
        ("a.tar.gz", b"x", "application/gzip"),
        ("a.zip", b"x", "application/zip"),
        ("README", b"plain words\n", "text/plain; charset=utf-8"),
        ("LICENSE.unknown", "caf\u{e9}".as_bytes(), "text/plain; charset=utf-8"),
        ("page", b"<script>alert(1)</script>", "text/plain; charset=utf-8"), // and never HTML
        ("latin1", b"caf\xe9 au lait", "application/octet-stream"),
        ("binary", b"\x7fELF\x02\x01\0", "application/octet-stream"),
        ("empty", b"", "text/plain; charset=utf-8"),
    ] {
        server.file(name, content);
        let reply = conversation.get(&format!("/{name}"));
        assert_eq!((reply.status, &*reply.body), (200, content), "{name}");
        assert_eq!(reply.field("Content-Type"), Some(expected), "{name}");
        assert_eq!(reply.field("X-Content-Type-Options"), Some("nosniff"), "{name}");
    }
}

fn with_twins(configure: impl FnOnce(&mut ServerConfig)) -> TestServer {
    let server = TestServer::with_config(configure);
    for (name, content) in [
        ("app.js", "the script itself"),
        ("app.js.gz", "gzipped....."),
        ("app.js.zst", "zstandard"),
        ("app.js.br", "brotli"),
        ("only.css", "style"),
        ("only.css.gz", "gz"),
        ("plain.txt", "plain"),
        ("photo.png", "picture"),
        ("photo.png.gz", "longer than the picture"),
        ("old.txt", "edited since"),
        ("old.txt.gz", "from before"),
        ("index.html", "index"),
        ("index.html.br", "br"),
    ] {
        server.file(name, content);
    }
    let old = File::open(server.root().join("old.txt.gz")).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    server
}

/// RFC 9110 §8.4, §12.5.3, §12.5.5.
#[test]
fn precompressed_files() {
    let server = with_twins(|_| {});
    for (target, accepted, coding, varies) in [
        ("/app.js", Some("gzip"), "gzip", true),
        ("/app.js", Some("GZIP"), "gzip", true),
        ("/app.js", Some("x-gzip"), "gzip", true), // §8.4.1.3
        ("/app.js", Some("br"), "br", true),
        ("/app.js", Some("zstd"), "zstd", true),
        ("/app.js", Some("gzip, deflate, br, zstd"), "br", true), // the shortest
        ("/app.js", Some("gzip, zstd"), "zstd", true),
        ("/app.js", Some("gzip;q=1, br;q=0.9, zstd;q=0.1"), "gzip", true),
        ("/app.js", Some("br;q=0, gzip"), "gzip", true),
        ("/app.js", Some("br;q=0.000, zstd;q=0.001"), "zstd", true),
        ("/app.js", Some("*"), "br", true),
        ("/app.js", Some("*, br;q=0"), "zstd", true),
        ("/app.js", Some("identity, gzip;q=0.5"), "identity", true),
        ("/app.js", Some("*;q=0.5, identity;q=0.1"), "br", true),
        ("/app.js", Some("identity;q=0, gzip"), "gzip", true),
        ("/app.js", Some("identity;q=0, deflate"), "identity", true), // nothing fits: as it is
        ("/app.js", Some("deflate"), "identity", true),
        ("/app.js", Some("gzip;q=0"), "identity", true),
        ("/app.js", Some("gzip;q=2"), "identity", true), // no weight
        ("/app.js", Some(""), "identity", true),
        ("/app.js", None, "identity", true),
        ("/only.css", Some("br, gzip;q=0.1"), "gzip", true),
        ("/only.css", Some("br"), "identity", true),
        ("/plain.txt", Some("gzip, br"), "identity", true), // a precompressed file may appear later
        ("/plain.txt", None, "identity", true),
        ("/old.txt", Some("gzip"), "identity", true), // the precompressed file is older
        ("/photo.png", Some("gzip"), "identity", false), // compressed format
        ("/photo.png", None, "identity", false),
        ("/", Some("br"), "br", true),
        ("/app.js.gz", Some("gzip"), "identity", false), // a file of its own
    ] {
        let field = accepted.map_or(String::new(), |value| format!("Accept-Encoding: {value}\r\n"));
        let reply = server.get_with(target, &field);
        let found = reply.field("Content-Encoding").unwrap_or("identity");
        assert_eq!(found, coding, "{target} for {accepted:?}");
        assert_eq!(reply.field("Vary"), varies.then_some("Accept-Encoding"), "{accepted:?}");
        let name = if target == "/" { "index.html" } else { &target[1..] };
        let suffix = match coding {
            "gzip" => ".gz",
            "br" => ".br",
            "zstd" => ".zst",
            _ => "",
        };
        let content = std::fs::read(server.root().join(format!("{name}{suffix}"))).unwrap();
        assert_eq!(reply.body, content, "{target} for {accepted:?}");
        // The type is that of the original file, coded or not.
        let plain = server.connect().get(target);
        assert_eq!(reply.field("Content-Type"), plain.field("Content-Type"), "{target}");
        assert_eq!(reply.field("ETag") == plain.field("ETag"), coding == "identity", "{target}");
    }
    // A range refers to the coded bytes (§14.2), and their tag decides whether it applies.
    let tag = |fields: &str| server.get_with("/app.js", fields).field("ETag").unwrap().to_owned();
    let coded = tag("Accept-Encoding: gzip\r\n");
    for (tag, status, body) in [(coded, 206, "gz"), (tag(""), 200, "gzipped.....")] {
        let fields = format!("Accept-Encoding: gzip\r\nRange: bytes=0-1\r\nIf-Range: {tag}\r\n");
        let reply = server.get_with("/app.js", &fields);
        assert_eq!((reply.status, reply.text()), (status, body));
        assert_eq!(reply.field("Content-Encoding"), Some("gzip"));
    }
}

/// RFC 9110 §12.5.5, §15.4.5: every response with a file that may have a precompressed one depends on the
/// field, even if the request lacks it.
#[test]
fn responses_that_depend_on_the_coding_have_vary() {
    let server = with_twins(|_| {});
    for coding in ["", "Accept-Encoding: gzip\r\n"] {
        for (fields, status) in
            [("", 200), ("Range: bytes=0-1\r\n", 206), ("If-None-Match: *\r\n", 304)]
        {
            let reply = server.get_with("/app.js", &format!("{coding}{fields}"));
            assert_eq!(reply.status, status);
            assert_eq!(reply.field("Vary"), Some("Accept-Encoding"), "{status} {coding}");
        }
        let mut conversation = server.connect();
        conversation.send(format!("HEAD /app.js HTTP/1.1\r\nHost: a\r\n{coding}\r\n"));
        assert_eq!(conversation.reply_to_head().field("Vary"), Some("Accept-Encoding"));
    }
}

#[test]
fn precompressed_files_may_be_ignored() {
    let server = with_twins(|config| config.site.precompressed = Precompressed::Ignored);
    for fields in ["", "Accept-Encoding: br\r\n"] {
        let reply = server.get_with("/app.js", fields);
        assert_eq!(reply.text(), "the script itself");
        assert_eq!((reply.field("Vary"), reply.field("Content-Encoding")), (None, None));
    }
}

#[test]
fn fields_that_the_operator_adds() {
    let server = TestServer::with_config(|config| {
        config.extra_fields.cache_control = Some("max-age=3600".to_owned());
        config.extra_fields.further =
            vec!["X-Frame-Options: DENY".parse().unwrap(), "A: \u{e4}".parse().unwrap()];
    });
    server.file("a.txt", "Hello");
    server.file("directory/b.txt", "b");
    for (request, status, cached) in [
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n", 200, true),
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n", 206, true),
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n", 304, true),
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=9-\r\n\r\n", 416, false),
        ("GET /directory/ HTTP/1.1\r\nHost: a\r\n\r\n", 200, false),
        ("GET /directory HTTP/1.1\r\nHost: a\r\n\r\n", 301, false),
        ("GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 404, false),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 204, false),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405, false),
        ("GET / HTTP/1.1\r\n\r\n", 400, false),
        ("GET /\r\n\r\n", 400, false),
    ] {
        let reply = &server.ask(request)[0];
        assert_eq!(reply.status, status, "{request:?}");
        assert_eq!(reply.field("X-Frame-Options"), Some("DENY"), "{request:?}");
        assert_eq!(reply.field("A"), Some("\u{e4}"), "{request:?}");
        assert_eq!(reply.field("Cache-Control"), cached.then_some("max-age=3600"), "{request:?}");
    }
}

/// RFC 9110 §12.5.1: a page for a browser, else plain text, without details of the machine.
#[test]
fn errors_have_the_form_that_the_client_prefers() {
    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let server = TestServer::start();
    server.file("a.txt", "Hello");
    let (html, json, plain) =
        ("text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8");
    for (accepted, expected) in [
        (None, plain),
        (Some("*/*"), plain), // curl
        (Some(BROWSER), html),
        (Some("text/html"), html),
        (Some("text/*;q=0.5, text/html"), html),
        (Some("application/json"), json),
        (Some("application/json, text/plain;q=0.9"), json),
        (Some("text/plain, text/html;q=0.9"), plain),
        (Some("image/png"), plain), // nothing fits
        (Some("text/html;q=0"), plain),
        (Some("nonsense"), plain),
    ] {
        let accept = accepted.map_or(String::new(), |value| format!("Accept: {value}\r\n"));
        for (fields, target, status) in [
            ("", "/none", 404),
            ("", "/<script>alert('&')</script>", 404),
            ("", "/%zz", 400),
            ("If-Match: \"x\"\r\n", "/a.txt", 412),
            ("Range: bytes=9-\r\n", "/a.txt", 416),
            ("Content-Length: x\r\n", "/a.txt", 400),
        ] {
            let reply = server.get_with(target, &format!("{accept}{fields}"));
            assert_eq!(reply.status, status, "{accepted:?} {target}");
            assert_eq!(reply.field("Content-Type"), Some(expected), "{accepted:?} {target}");
            assert_eq!(reply.field("Vary"), Some("Accept"), "{accepted:?} {target}");
            assert_eq!(reply.field("X-Content-Type-Options"), Some("nosniff"), "{target}");
            let text = reply.text();
            assert!(text.contains(&status.to_string()), "{text}");
            assert_eq!(text.starts_with("<!DOCTYPE html>"), expected == html, "{text}");
            assert!(!text.contains("<script>"), "{text}");
            let root = Path::new(server.root());
            let name = String::from_utf8_lossy(root.file_name().unwrap().as_bytes()).into_owned();
            assert!(!text.contains(&name), "paths of the machine must not be shown: {text}");
        }
    }
}

/// A charset in `Content-Type` overrides that of the page itself (HTML §13.2.3.2), so that a wrong one makes
/// it unreadable.
#[test]
fn only_text_that_begins_as_utf8_is_announced_as_utf8() {
    let server = TestServer::start();
    let cut = [&vec![b'a'; 4095][..], "\u{fc}ber".as_bytes()].concat();
    for (name, content, expected) in [
        ("utf8.html", "<p>gr\u{fc}n".as_bytes(), "text/html; charset=utf-8"),
        ("ascii.txt", b"plain", "text/plain; charset=utf-8"),
        ("empty.css", b"", "text/css; charset=utf-8"),
        ("cut.txt", &cut, "text/plain; charset=utf-8"),
        ("latin1.html", b"<meta charset=iso-8859-1><p>gr\xfcn", "text/html"),
        ("latin1.js", b"'gr\xfcn'", "text/javascript"),
        ("latin1.md", b"gr\xfcn", "text/markdown"),
        ("utf16.txt", b"\xff\xfeg\0", "text/plain"),
        ("utf16-without-mark.csv", b"g\0r\0", "text/csv"),
        ("latin1.xml", b"<?xml encoding='iso-8859-1'?>gr\xfcn", "text/xml"),
        ("latin1.json", b"'gr\xfcn'", "application/json"),
    ] {
        server.file(name, content);
        let reply = server.connect().get(&format!("/{name}"));
        assert_eq!(reply.field("Content-Type"), Some(expected), "{name}");
        assert!(reply.body == content, "{name}");
    }
    server.file("latin1.html.gz", "compressed");
    let reply = server.get_with("/latin1.html", "Accept-Encoding: gzip\r\n");
    assert_eq!(reply.field("Content-Encoding"), Some("gzip"));
    assert_eq!(reply.field("Content-Type"), Some("text/html"), "that of the plain file");
}
