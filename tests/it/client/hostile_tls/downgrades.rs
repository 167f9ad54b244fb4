//! Redirects from https to http.

use super::fetch;
use crate::support::certificates::{leaf, self_signed};
use crate::support::scripted::{Scripted, answer, ok, redirect};
use crate::support::tls::TlsServer;

#[test]
fn no_redirect_leads_from_https_to_http() {
    let plain = Scripted::answering(|_| ok("plain"));
    let identity = self_signed(&leaf(&["localhost"]));
    let target = plain.url("/file");
    for location in [
        target.clone(),
        target.replace("http://", "HTTP://"),
        target.replace("http://", "http://bob:pw@"),
        target.replace("http://", "http:\\\\"),
        target.replace("http://", "http:/"),
    ] {
        let to = location.clone();
        let last = TlsServer::presenting(&identity.0, &identity.1, move |_| {
            let cookie = "Set-Cookie: s=1\r\nSet-Cookie: t=2; Secure\r\n";
            let fields = format!("Location: {to}\r\n{cookie}");
            answer("302 Found", &fields, "")
        });
        let onward = last.url("localhost", "/onward");
        let first =
            TlsServer::presenting(&identity.0, &identity.1, move |_| redirect(307, &onward));
        for start in [&last, &first] {
            let url = start.url("localhost", "/start").replace("://", "://alice:pw@");
            let more = ["-H", "Cookie: c=1", "-H", "Authorization: Bearer t"];
            let fetched = fetch(&url, &[&identity], &more);
            fetched.assert_refused("redirects from https to http://127.0.0.1:", &location);
            assert_eq!(plain.connections(), 0, "{location}: it was asked for something");
        }
    }
    // With permission, but without secrets.
    let to = target.clone();
    let server = TlsServer::presenting(&identity.0, &identity.1, move |_| {
        let fields = format!("Location: {to}\r\nSet-Cookie: s=1\r\n");
        answer("302 Found", &fields, "")
    });
    let url = server.url("localhost", "/start").replace("://", "://alice:pw@");
    let more = ["--allow-downgrade", "-H", "Cookie: c=1", "-H", "Authorization: Bearer t"];
    let fetched = fetch(&url, &[&identity], &more);
    assert_eq!(fetched.output.status.code(), Some(0), "{}", fetched.printed());
    let head = &plain.heads()[0];
    assert!(!head.contains("Cookie") && !head.contains("Authorization"), "{head}");
}

#[test]
fn no_redirect_leads_from_https_to_http_after_one_from_http() {
    let plain = Scripted::answering(|_| ok("plain"));
    let identity = self_signed(&leaf(&["localhost"]));
    let target = plain.url("/file");
    let secure = TlsServer::presenting(&identity.0, &identity.1, move |_| redirect(302, &target));
    let onward = secure.url("localhost", "/x");
    let start = Scripted::answering(move |_| redirect(302, &onward));
    fetch(&start.url("/start"), &[&identity], &[])
        .assert_refused("redirects from https to http://", "http, https, http");
    assert_eq!(plain.connections(), 0);
}
