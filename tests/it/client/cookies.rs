//! Cookies that redirects set are sent within the chain to matching hosts, and nowhere else.

use std::num::NonZeroUsize;

use http_concurrent::client::{Downgrade, Settings, Trust};

use crate::support::fetching::{fetch, fetch_with, settings};
use crate::support::ranged::{field, pattern, ranged};
use crate::support::scripted::{Scripted, answer, ok};
use crate::support::tls::TlsServer;

/// A redirect that sets these cookies.
fn setting(cookies: &[&str], location: &str) -> Vec<u8> {
    let set = cookies.iter().flat_map(|cookie| ["Set-Cookie: ", *cookie, "\r\n"]);
    let set: String = set.collect();
    answer("302 Found", &format!("{set}Location: {location}\r\n"), "")
}

/// The path and the cookies of each request.
fn cookies(heads: &[String]) -> Vec<(String, Option<String>)> {
    let of = |head: &String| {
        let path = head.split(' ').nth(1).unwrap().to_owned();
        (path, field(head, "Cookie").map(str::to_owned))
    };
    heads.iter().map(of).collect()
}

fn seen(path: &str, cookies: Option<&str>) -> (String, Option<String>) {
    (path.to_owned(), cookies.map(str::to_owned))
}

#[test]
fn a_cookie_goes_with_the_chain_that_set_it() {
    let server = Scripted::answering(|target| match target {
        "/start" => {
            setting(&["session=1; Path=/; HttpOnly; SameSite=Lax", "b=2; path=/x"], "/x/two")
        }
        "/x/two" => setting(&["session=; Path=/; Max-Age=0", "c=\u{1}"], "three"),
        _ => ok("content"),
    });
    fetch(1, &["/start", "/other"].map(|path| server.url(path))).assert_success();
    let expected = [
        seen("/start", None),
        seen("/x/two", Some("b=2; session=1")),
        seen("/x/three", Some("b=2")),
        seen("/other", None),
    ];
    assert_eq!(cookies(&server.heads()), expected);
}

#[test]
fn a_server_that_redirects_to_itself_until_its_cookie_comes_is_satisfied() {
    let server = Scripted::start(|peer| {
        while let Some(head) = peer.read_head() {
            peer.send(match field(&head, "Cookie") {
                Some("seen=yes") => ranged(&head, "\"v1\"", &pattern(4 << 20)),
                _ => setting(&["seen=yes"], "/file"),
            });
        }
    });
    for connections in [1, 4] {
        let split = NonZeroUsize::new(connections).unwrap();
        let fetched =
            fetch_with(&Settings { split, ..settings(connections) }, &[server.url("/file")]);
        fetched.assert_success();
        assert!(fetched.content("file") == pattern(4 << 20));
    }
}

#[test]
fn no_cookie_goes_to_another_origin() {
    let other = Scripted::answering(|target| match target {
        "/a" => {
            setting(&["theirs=1", "evil=1; Domain=example.com", "all=1; Domain=localhost"], "/b")
        }
        _ => ok("content"),
    });
    let there = other.url("/a");
    let by_name = there.replace("127.0.0.1", "localhost");
    let server = Scripted::answering(move |target| {
        let cookies = ["mine=1; Path=/", "wide=1; Path=/; Domain=127.0.0.1", "dot=1; Domain=0.0.1"];
        setting(&cookies, if target == "/port" { &there } else { &by_name })
    });
    let mut with_cookie = settings(1);
    with_cookie.fields.add("Cookie: user=1").unwrap();
    for (path, second) in [("/port", "theirs=1"), ("/host", "theirs=1; all=1")] {
        let before = other.heads().len();
        fetch_with(&with_cookie, &[server.url(path)]).assert_success();
        let expected = [seen("/a", None), seen("/b", Some(second))];
        assert_eq!(cookies(&other.heads())[before..], expected, "{path}");
    }
    assert!(cookies(&server.heads()).iter().all(|(_, own)| own.as_deref() == Some("user=1")));
}

#[test]
fn the_users_cookies_and_those_of_a_redirect_are_one_field() {
    let server = Scripted::answering(|target| match target {
        "/start" => setting(&["token=new", "more=3"], "/end"),
        _ => ok("content"),
    });
    let mut settings = settings(1);
    settings.fields.add("Cookie: token=old; own=2").unwrap();
    fetch_with(&settings, &[server.url("/start")]).assert_success();
    let expected =
        [seen("/start", Some("token=old; own=2")), seen("/end", Some("own=2; token=new; more=3"))];
    assert_eq!(cookies(&server.heads()), expected);
}

#[test]
fn secure_cookies_are_not_sent_without_tls() {
    let plain = Scripted::answering(|_| ok("content"));
    let there = plain.url("/plain").replace("127.0.0.1", "localhost");
    let secure = TlsServer::answering(&["localhost"], move |target| match target {
        "/start" => setting(&["plain=1", "secure=1; Secure"], "/next"),
        _ => setting(&[], &there),
    });
    let settings = Settings {
        trust: Trust::from_file(&secure.authority()).unwrap(),
        downgrade: Downgrade::Allow,
        ..settings(1)
    };
    fetch_with(&settings, &[secure.url("localhost", "/start")]).assert_success();
    let expected = [seen("/start", None), seen("/next", Some("plain=1; secure=1"))];
    assert_eq!(cookies(&secure.heads()), expected);
    assert_eq!(cookies(&plain.heads()), [seen("/plain", None)]);
}

#[test]
fn a_server_may_set_any_number_of_cookies() {
    let server = Scripted::answering(|target| {
        let step: usize = target[1..].parse().unwrap();
        let set: Vec<_> = (0..500).map(|number| format!("c{step}-{number}=x; Path=/")).collect();
        let set: Vec<_> = set.iter().map(String::as_str).collect();
        if step < 20 { setting(&set, &format!("/{}", step + 1)) } else { ok("content") }
    });
    fetch(1, &[server.url("/0")]).assert_success();
    let last = cookies(&server.heads()).pop().unwrap().1.unwrap();
    assert_eq!(last.split("; ").count(), 50);
    assert!(last.ends_with("c19-499=x"), "{last}");
}
