//! Methods (RFC 9110 §9) and the head of every response (§6.6, §7.1, §10.2).

use crate::support::server::TestServer;

fn site() -> TestServer {
    let server = TestServer::start();
    server.file("a.txt", "Hello");
    server.file("a.txt.gz", "gzipped");
    server.file("empty", "");
    server.file("large.bin", vec![7; 100_000]);
    server.file("directory/b.txt", "b");
    server.file("index/index.html", "index");
    server
}

#[test]
fn methods() {
    let server = site();
    for (method, target, status) in [
        ("GET", "/a.txt", 200),
        ("HEAD", "/a.txt", 200),
        ("OPTIONS", "/a.txt", 204),
        ("OPTIONS", "*", 204),
        ("OPTIONS", "/none", 204),
        ("OPTIONS", "http://localhost", 204),
        ("POST", "/a.txt", 405),
        ("PUT", "/a.txt", 405),
        ("PUT", "/new.txt", 405),
        ("DELETE", "/a.txt", 405),
        ("PATCH", "/a.txt", 405),
        ("TRACE", "/a.txt", 405),
        ("CONNECT", "localhost:80", 405),
        ("PROPFIND", "/", 405),
        ("MKCOL", "/new/", 405),
        ("BREW", "/a.txt", 501),
        ("get", "/a.txt", 501),
        ("GETS", "/a.txt", 501),
        ("DEBUG", "/", 501),
    ] {
        let mut conversation = server.connect();
        conversation.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\nSecret: s3\r\n\r\n"));
        let reply =
            if method == "HEAD" { conversation.reply_to_head() } else { conversation.reply() };
        assert_eq!(reply.status, status, "{method} {target}");
        // §10.2.1: `Allow` with 405 and OPTIONS.
        let allow = matches!(status, 204 | 405).then_some("GET, HEAD, OPTIONS");
        assert_eq!(reply.field("Allow"), allow, "{method} {target}");
        assert_eq!(reply.field("Content-Length").is_none(), status == 204, "{method} {target}");
        assert!(!reply.body.windows(2).any(|bytes| bytes == b"s3"), "nothing is echoed (§9.3.8)");
    }
    assert_eq!(server.connect().get("/a.txt").text(), "Hello", "nobody has changed it");
}

/// §9.3.2: the response of GET without content.
#[test]
fn head_is_exactly_the_head_of_get() {
    let server = site();
    let long = format!("/{}", "a".repeat(9_000));
    let large = format!("Large: {}\r\n", "a".repeat(40_000));
    for (target, fields) in [
        ("/a.txt", ""),
        ("/a.txt", "Accept-Encoding: gzip\r\n"),
        ("/a.txt", "If-None-Match: *\r\n"),
        ("/a.txt", "If-Match: \"other\"\r\n"),
        ("/a.txt", "Accept: text/html\r\n"),
        ("/empty", ""),
        ("/large.bin", ""),
        ("/directory", ""),
        ("/directory/", ""),
        ("/directory/", "Accept: application/json\r\n"),
        ("/directory/?sort=size", "Accept: text/plain\r\n"),
        ("/index/", ""),
        ("/none", ""),
        ("/none", "Accept: text/html\r\n"),
        ("/%zz", ""),
        ("/a.txt", "Connection: close\r\n"),
        ("/a.txt", "Expect: more\r\n"),
        ("/a.txt", "Content-Length: x\r\n"),
        ("/a.txt", "Malformed\r\n"),
        // Refused before the head is complete.
        ("a.txt", ""),
        (&long, ""),
        ("/a.txt", &large),
    ] {
        let mut conversation = server.connect();
        conversation.send(format!("HEAD {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"));
        let head = conversation.reply_to_head();
        assert_eq!(head.head(), server.get_with(target, fields).head(), "{target} {fields:?}");
        if head.field("Connection") == Some("close") {
            conversation.expect_end();
        } else {
            assert_eq!(conversation.get("/a.txt").text(), "Hello", "no content came: {target}");
        }
    }
}

#[test]
fn every_response_has_server_and_date_and_no_field_twice() {
    let server = site();
    for (request, status) in [
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n", 206),
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0,2-2\r\n\r\n", 206),
        ("GET /directory/ HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 204),
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n", 304),
        ("GET /directory HTTP/1.1\r\nHost: a\r\n\r\n", 301),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\nIf-Match: \"x\"\r\n\r\n", 412),
        ("GET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=9-\r\n\r\n", 416),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417),
        ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("GET / HTTP/3.0\r\n\r\n", 505),
    ] {
        let reply = &server.ask(request)[0];
        assert_eq!(reply.status, status, "{request:?}");
        let date = reply.field("Date").unwrap_or_else(|| panic!("no Date: {request:?}"));
        assert!(date.len() == 29 && httpdate::parse_http_date(date).is_ok(), "{date}");
        assert!(reply.field("Server").unwrap().starts_with("http_server_conc/"), "{request:?}");
        let mut names = reply.field_names();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
        // RFC 9110 §8.6, §15.3.5, §15.4.5: a length only where content is possible; a listing is
        // chunked.
        let has_content = !matches!(status, 204 | 304);
        let is_chunked = reply.field("Transfer-Encoding").is_some();
        assert_eq!(is_chunked, request.starts_with("GET /directory/ "), "{request:?}");
        let has_length = reply.field("Content-Length").is_some();
        assert_eq!(has_length, has_content && !is_chunked, "{request:?}");
        assert_eq!(reply.field("Content-Type").is_some(), has_content, "{request:?}");
    }
}
