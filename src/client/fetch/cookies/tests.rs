//! Which cookies are stored, and which requests they are sent with.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::http::test_fields::with_fields;

/// A moment in 2001.
const NOW: Duration = Duration::from_secs(1_000_000_000);

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn store(jar: &mut CookieJar, from: &str, cookie: &str) {
    with_fields(&[&format!("Set-Cookie: {cookie}")], |fields| {
        jar.store(&url(from), fields, UNIX_EPOCH + NOW);
    });
}

fn sent(jar: &CookieJar, to: &str) -> String {
    let pairs = jar.of(&url(to));
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_cookie_is_sent_to_its_domain_path_and_scheme() {
    const HOME: &str = "http://www.example.com/a/b";
    for (from, cookie, to, is_sent) in [
        (HOME, "c=1", "http://www.example.com/a/x", true),
        (HOME, "c=1", "http://www.example.com/a", true),
        (HOME, "c=1", "http://www.example.com/ab", false),
        (HOME, "c=1", "http://www.example.com/", false),
        (HOME, "c=1; Path=/", "http://www.example.com/", true),
        (HOME, "c=1; Path=/a/", "http://www.example.com/a", false),
        (HOME, "c=1; Path=elsewhere", "http://www.example.com/a/x", true),
        (HOME, "c=1; PATH=/; Domain=", "http://www.example.com/", true),
        // Without `Domain`: the same host and port.
        (HOME, "c=1", "http://example.com/a/b", false),
        (HOME, "c=1", "http://x.www.example.com/a/b", false),
        (HOME, "c=1", "http://www.example.com:8080/a/b", false),
        (HOME, "c=1", "https://www.example.com/a/b", true),
        // With a `Domain` that contains the host.
        (HOME, "c=1; Domain=example.com", "http://example.com/a/b", true),
        (HOME, "c=1; Domain=.EXAMPLE.com", "https://x.example.com:8443/a/b", true),
        (HOME, "c=1; Domain=www.example.com", "http://x.www.example.com/a/b", true),
        (HOME, "c=1; Domain=example.com", "http://badexample.com/a/b", false),
        // With a `Domain` that does not.
        (HOME, "c=1; Domain=x.www.example.com", "http://x.www.example.com/a/b", false),
        (HOME, "c=1; Domain=other.com", "http://other.com/a/b", false),
        (HOME, "c=1; Domain=ample.com", "http://www.example.com/a/b", false),
        (HOME, "c=1; Domain=com", "http://www.example.com/a/b", false),
        (HOME, "c=1; Domain=com", "http://other.com/a/b", false),
        // Addresses and names without a dot are no domains.
        ("http://127.0.0.1:81/", "c=1; Domain=127.0.0.1", "http://127.0.0.1:81/", true),
        ("http://127.0.0.1:81/", "c=1; Domain=127.0.0.1", "http://127.0.0.1:82/", false),
        ("http://127.0.0.1/", "c=1; Domain=0.0.1", "http://127.0.0.1/", false),
        ("http://[::1]/", "c=1", "http://[::1]/", true),
        ("http://localhost/", "c=1; Domain=localhost", "http://localhost/", true),
        ("http://localhost/", "c=1; Domain=localhost", "http://a.localhost/", false),
        // Sent over TLS alone.
        (HOME, "c=1; Secure", "http://www.example.com/a/b", false),
        (HOME, "c=1; Secure", "https://www.example.com/a/b", true),
        ("http://localhost/", "c=1; Secure", "http://localhost/", false),
        ("https://www.example.com/", "c=1", "https://www.example.com/", true),
        ("https://www.example.com/", "c=1", "http://www.example.com/", false),
        // Not cookies.
        (HOME, "no pair", "http://www.example.com/a/b", false),
        (HOME, "=1", "http://www.example.com/a/b", false),
    ] {
        let mut jar = CookieJar::default();
        store(&mut jar, from, cookie);
        assert_eq!(!sent(&jar, to).is_empty(), is_sent, "{from} {cookie} {to}");
    }
}

#[test]
fn a_later_cookie_of_the_same_name_domain_and_path_replaces_or_removes_it() {
    let mut jar = CookieJar::default();
    let home = "http://a.b/x/y";
    for cookie in ["one=1", "two=2", "one=3", "one=4; Path=/", "one=5; Domain=a.b"] {
        store(&mut jar, home, cookie);
    }
    assert_eq!(sent(&jar, home), "one=3; two=2; one=5; one=4", "the longest path first");
    for (cookie, expected) in [
        ("one=; Max-Age=0", "two=2; one=5; one=4"),
        ("one=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "two=2; one=5"),
        ("two=; Max-Age=-1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "one=5"),
        ("two=6; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "one=5; two=6"),
        ("six=; Max-Age=0", "one=5; two=6"),
    ] {
        store(&mut jar, home, cookie);
        assert_eq!(sent(&jar, home), expected, "{cookie}");
    }
}

#[test]
fn the_number_and_the_length_of_cookies_are_limited() {
    let (mut jar, home) = (CookieJar::default(), "http://a.b/");
    for number in 0..1000 {
        store(&mut jar, home, &format!("c{number}=v"));
    }
    let pairs = jar.of(&url(home));
    assert_eq!((pairs.len(), pairs[0].0, pairs[49].0), (MAX_COOKIES, "c950", "c999"));
    for length in [MAX_COOKIE_BYTES - 1, MAX_COOKIE_BYTES] {
        store(&mut jar, home, &format!("l={}", "x".repeat(length)));
        assert_eq!(jar.of(&url(home)).len(), usize::from(length < MAX_COOKIE_BYTES));
    }
}
