//! `/about` is the page `about.html`, like any file.

use http_concurrent::server::{CleanUrls, Listings};

use crate::support::nginx::Nginx;
use crate::support::server::TestServer;

fn site() -> TestServer {
    let server = TestServer::with_config(|config| {
        config.site.clean_urls = CleanUrls::Served;
        config.site.listings = Listings::Refused;
        config.extra_fields.cache_control = Some("max-age=60".to_owned());
    });
    for name in [
        "index.html",
        "about.html",
        "guide.html",
        "guide/index.html",
        "guide/setup.html",
        "empty.html",
        "empty/below.txt",
        "both",
        "both.html",
        "v1.2.html",
        "page.html.html",
        "a b.html",
    ] {
        server.file(name, name);
    }
    server.file("about.html.gz", "coded");
    server
}

#[test]
fn a_page_is_the_same_under_both_names() {
    let server = site();
    let page = server.get_with("/about.html", "");
    assert_eq!((page.status, page.text()), (200, "about.html"));
    let tag = page.field("ETag").unwrap();
    for fields in [
        String::new(),
        "Accept-Encoding: gzip\r\n".to_owned(),
        "Range: bytes=2-4\r\n".to_owned(),
        "Range: bytes=0-1,4-5\r\n".to_owned(),
        "Range: bytes=99-\r\n".to_owned(),
        format!("If-None-Match: {tag}\r\n"),
        "If-Match: \"other\"\r\n".to_owned(),
    ] {
        let (whole, clean) =
            (server.get_with("/about.html", &fields), server.get_with("/about", &fields));
        // The boundary of several ranges is random.
        if !fields.contains(',') {
            assert_eq!(clean.head(), whole.head(), "{fields}");
            assert_eq!(clean.body, whole.body, "{fields}");
        }
        assert_eq!((clean.status, clean.body.len()), (whole.status, whole.body.len()), "{fields}");
    }
    let mut conversation = server.connect();
    let head = conversation.send("HEAD /about HTTP/1.1\r\nHost: localhost\r\n\r\n").reply_to_head();
    assert_eq!(head.head(), page.head());
}

#[test]
fn a_directory_without_an_index_file_does_not_hide_the_page_beside_it() {
    let server = site();
    assert_eq!(server.connect().get("/empty").text(), "empty.html");
    assert_eq!(server.connect().get("/empty/").status, 403);
    server.file("empty/index.html", "index");
    assert_eq!(server.connect().get("/empty").field("Location"), Some("/empty/"));
}

#[test]
fn a_page_that_is_added_renamed_or_removed_is_served_as_it_is_now() {
    let server = site();
    assert_eq!(server.connect().get("/new").status, 404);
    server.file("new.html", "page");
    assert_eq!(server.connect().get("/new").text(), "page");
    server.file("new", "file");
    assert_eq!(server.connect().get("/new").text(), "file");
    std::fs::remove_file(server.root().join("new")).unwrap();
    std::fs::remove_file(server.root().join("new.html")).unwrap();
    assert_eq!(server.connect().get("/new").status, 404);
}

/// nginx with `try_files $uri $uri/ $uri.html =404` leads each path to the same page, except beside a directory
/// without an index file, where it sends 403.
#[test]
#[ignore = "needs nginx"]
fn paths_lead_where_those_of_nginx_lead() {
    let server = site();
    let root = server.root().display();
    let nginx = Nginx::start(&format!(
        "root {root}; location / {{ try_files $uri $uri/ $uri.html =404; }}"
    ));
    for target in [
        "/",
        "/about",
        "/about?a=b",
        "/about.html",
        "/about/",
        "/about/more",
        "/guide",
        "/guide/",
        "/guide/setup",
        "/guide/setup/",
        "/empty/",
        "/both",
        "/v1.2",
        "/page.html",
        "/page",
        "/a%20b",
        "/nothing",
        "/nothing/",
    ] {
        let (theirs, ours) = (nginx.connect().get(target), server.connect().get(target));
        assert_eq!(ours.status, theirs.status, "{target}");
        match ours.status {
            200 => assert_eq!(ours.text(), theirs.text(), "{target}"),
            301 => {
                let location = theirs.field("Location").unwrap();
                assert!(
                    location.ends_with(ours.field("Location").unwrap()),
                    "{target}: {location}"
                );
            }
            _ => {}
        }
    }
}
