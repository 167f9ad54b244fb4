//! The page that browsers get for a path without a file.

use std::fs;

use http_concurrent::server::{CleanUrls, Listings, ServerConfig};
use serde_json::json;

use crate::support::browser::list_left_by;
use crate::support::nginx::Nginx;
use crate::support::server::TestServer;

/// What Chromium sends when it opens a page.
const OPENING: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,\
    image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n";

fn site(configure: impl FnOnce(&mut ServerConfig)) -> TestServer {
    let server = TestServer::with_config(|config| {
        config.site.fallback = Some("index.html".parse().unwrap());
        config.site.listings = Listings::Refused;
        configure(config);
    });
    for name in ["index.html", "app.js", "about.html", "docs/index.html", "empty/below.txt"] {
        server.file(name, name);
    }
    server
}

#[test]
fn a_browser_that_opens_a_path_without_a_file_gets_the_fallback() {
    let server = site(|_| {});
    for (target, expected) in [
        ("/", Ok("index.html")),
        ("/users/7", Ok("index.html")),
        ("/users/7/", Ok("index.html")),
        ("/users?id=7", Ok("index.html")),
        ("/missing.png", Ok("index.html")),
        ("/app.js/more", Ok("index.html")),
        ("/docs/missing", Ok("index.html")),
        ("/a..b/c.", Ok("index.html")),
        // There is something.
        ("/app.js", Ok("app.js")),
        ("/docs/", Ok("docs/index.html")),
        ("/docs", Err(301)),
        ("/empty/", Err(403)),
        // Names that begin with a dot, and malformed targets.
        ("/.env", Err(404)),
        ("/.git/config", Err(404)),
        ("/users/.hidden/7", Err(404)),
        ("/%2eenv", Err(404)),
        ("/.well-known/change-password", Err(404)),
        ("/%zz", Err(400)),
        ("/../x", Err(400)),
    ] {
        let reply = server.get_with(target, OPENING);
        match expected {
            Ok(content) => assert_eq!((reply.status, reply.text()), (200, content), "{target}"),
            Err(status) => assert_eq!(reply.status, status, "{target}"),
        }
    }
}

#[test]
fn only_clients_that_name_html_get_the_fallback() {
    let server = site(|_| {});
    for (accept, status) in [
        (OPENING, 200),
        ("Accept: text/html\r\n", 200),
        ("Accept: application/json\r\nAccept: text/html;q=0.1\r\n", 200),
        ("", 404),
        ("Accept: */*\r\n", 404),
        ("Accept: text/*\r\n", 404),
        ("Accept: application/json, text/plain, */*\r\n", 404),
        ("Accept: image/avif,image/webp,*/*;q=0.8\r\n", 404),
        ("Accept: text/html;q=0, */*\r\n", 404),
    ] {
        let reply = server.get_with("/users/7", accept);
        assert_eq!(reply.status, status, "{accept}");
        // A cache must not answer one with the other's response.
        let vary = if status == 200 { "Accept, Accept-Encoding" } else { "Accept" };
        assert_eq!(reply.field("Vary"), Some(vary), "{accept}");
    }
    // What is there does not depend on `Accept`.
    assert_eq!(server.get_with("/", OPENING).field("Vary"), Some("Accept-Encoding"));
    let post = format!("POST /users/7 HTTP/1.1\r\nHost: localhost\r\n{OPENING}\r\n");
    assert_eq!(server.ask(post)[0].status, 405);
}

#[test]
fn the_fallback_is_sent_like_any_file() {
    let server = site(|config| config.extra_fields.cache_control = Some("no-cache".to_owned()));
    server.file("index.html.br", "coded");
    let tag = server.get_with("/", "").field("ETag").unwrap().to_owned();
    for (fields, status, content) in [
        ("", 200, "index.html"),
        ("Accept-Encoding: br\r\n", 200, "coded"),
        ("Range: bytes=2-4\r\n", 206, "dex"),
        (&format!("If-None-Match: {tag}\r\n"), 304, ""),
    ] {
        let fields = format!("{OPENING}{fields}");
        let (whole, fallback) =
            (server.get_with("/", &fields), server.get_with("/users/7", &fields));
        assert_eq!((fallback.status, fallback.text()), (status, content), "{fields}");
        let without_vary = |(status, mut fields): (u16, Vec<(String, String)>)| {
            fields.retain(|(name, _)| name != "Vary");
            (status, fields)
        };
        assert_eq!(without_vary(fallback.head()), without_vary(whole.head()), "{fields}");
    }
    let expected = server.get_with("/users/7", OPENING);
    let head = format!("HEAD /users/7 HTTP/1.1\r\nHost: localhost\r\n{OPENING}\r\n");
    assert_eq!(server.connect().send(head).reply_to_head().head(), expected.head());
}

#[test]
fn clean_urls_come_before_the_fallback_and_the_error_page_after_it() {
    let server = site(|config| {
        config.site.clean_urls = CleanUrls::Served;
        config.site.error_pages = vec!["404.html".parse().unwrap()];
    });
    server.file("404.html", "not found");
    for (target, accept, expected) in [
        ("/about", OPENING, (200, "about.html")),
        ("/users", OPENING, (200, "index.html")),
        ("/users", "", (404, "not found")),
        ("/.env", OPENING, (404, "not found")),
    ] {
        let reply = server.get_with(target, accept);
        assert_eq!((reply.status, reply.text()), expected, "{target} {accept}");
    }
    // Between two builds.
    fs::remove_file(server.root().join("index.html")).unwrap();
    assert_eq!(server.get_with("/users", OPENING).text(), "not found");
    server.file("index.html", "rebuilt");
    assert_eq!(server.get_with("/users", OPENING).text(), "rebuilt");
}

/// To browsers that open a page nginx with `try_files $uri $uri/ /index.html` sends the same.
#[test]
#[ignore = "needs nginx"]
fn browsers_get_the_page_that_nginx_sends() {
    let server = site(|_| {});
    let root = server.root().display();
    let nginx =
        Nginx::start(&format!("root {root}; location / {{ try_files $uri $uri/ /index.html; }}"));
    for target in
        ["/", "/users/7", "/users/7/", "/missing.png", "/app.js", "/docs/", "/docs", "/empty/"]
    {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{OPENING}\r\n");
        let (theirs, ours) =
            (nginx.connect().send(&request).reply(), server.connect().send(&request).reply());
        assert_eq!(ours.status, theirs.status, "{target}");
        if ours.status == 200 {
            assert_eq!(ours.text(), theirs.text(), "{target}");
        }
    }
}

/// An application that finds its route in its path. Its parts that are missing fail as such.
#[test]
#[ignore = "needs Chromium"]
fn chromium_opens_a_route_of_an_application() {
    let server = site(|_| {});
    server.file(
        "index.html",
        r#"<!DOCTYPE html><title>app</title><pre id="seen"></pre>
           <script type="module" src="/main.js"></script>"#,
    );
    server.file(
        "main.js",
        r#"const seen = [location.pathname];
           history.pushState({}, "", "/users/8");
           seen.push(location.pathname);
           const statusOf = async (path, accept) =>
               (await fetch(path, accept ? { headers: { accept } } : {})).status;
           seen.push(await statusOf("/api/users/7"));
           seen.push(await statusOf("/api/users/7", "application/json"));
           seen.push(await statusOf("/users/9", "text/html"));
           const outcome = (element, source) => new Promise((resolve) => {
               element.onload = () => resolve("loaded");
               element.onerror = () => resolve("failed");
               element.src = source;
               document.body.append(element);
           });
           seen.push(await outcome(new Image(), "/missing.png"));
           seen.push(await outcome(document.createElement("script"), "/missing.js"));
           seen.push(await import("/missing.mjs").then(() => "loaded", () => "failed"));
           document.querySelector("pre").textContent = JSON.stringify(seen);"#,
    );
    let seen = list_left_by(&format!("http://{}/users/7", server.address()), &[]);
    let expected = json!(["/users/7", "/users/8", 404, 404, 200, "failed", "failed", "failed"]);
    assert_eq!(seen, *expected.as_array().unwrap());
}
