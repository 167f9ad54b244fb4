//! Redirects.

use http_concurrent::client::{FetchError, MAX_REDIRECTS};

use crate::support::fetching::{fetch, fetch_once, fetch_with, settings};
use crate::support::ranged::field;
use crate::support::scripted::{Scripted, answer, ok, redirect};

#[test]
fn redirects_are_followed_relative_and_to_other_servers() {
    let other = Scripted::answering(|target| ok(format!("other {target}")));
    let other_url = other.url("/far?x=y");
    let server = Scripted::answering(move |target| match target {
        "/301" => redirect(301, "/absolute/path"),
        "/dir/302" => redirect(302, "relative"),
        "/dir/303" => redirect(303, "../up?q"),
        "/307" => redirect(307, "?query"),
        "/308" => redirect(308, &other_url),
        "/utf8" => redirect(301, "/ü"),
        target => ok(target),
    });
    for (path, name, content) in [
        ("/301", "301", "/absolute/path".to_owned()),
        ("/dir/302", "302", "/dir/relative".to_owned()),
        ("/dir/303", "303", "/up?q".to_owned()),
        ("/307", "307", "/307?query".to_owned()),
        ("/308", "308", "other /far?x=y".to_owned()),
        ("/utf8", "utf8", "/%C3%BC".to_owned()),
    ] {
        let fetched = fetch(1, &[server.url(path)]);
        fetched.assert_success();
        assert_eq!(fetched.content(name), content.as_bytes(), "{path}");
        assert!(fetched.run.outcomes[0].redirected_to.is_some(), "{path}");
    }
    assert!(other.heads()[0].contains(&format!("Host: {}\r\n", other.address())));
}

#[test]
fn redirects_end() {
    let server = Scripted::answering(|target| {
        let steps: usize = target[1..].parse().unwrap_or(usize::MAX);
        match steps {
            0 => ok("there"),
            usize::MAX => redirect(302, target),
            steps => redirect(302, &format!("/{}", steps - 1)),
        }
    });
    fetch(1, &[server.url(&format!("/{MAX_REDIRECTS}"))]).assert_success();
    for path in [format!("/{}", MAX_REDIRECTS + 1), "/loop".to_owned()] {
        let error = fetch(1, &[server.url(&path)]).into_failure();
        assert!(matches!(error, FetchError::TooManyRedirects), "{error:?}");
    }
}

#[test]
fn a_redirect_to_nowhere_is_a_failure() {
    type Check = fn(&FetchError) -> bool;
    let cases: [(Vec<u8>, Check); 4] = [
        (answer("301 Moved", "", ""), |e| matches!(e, FetchError::MissingLocation(_))),
        (answer("301 Moved", "Location: /a\r\nLocation: /b\r\n", ""), |e| {
            e.to_string() == "301 Moved Permanently to two places: \"/a\" and \"/b\""
        }),
        (redirect(301, "http://[::1"), |e| matches!(e, FetchError::InvalidLocation { .. })),
        (redirect(301, "ftp://host/file"), |e| matches!(e, FetchError::RedirectScheme(_))),
    ];
    for (bytes, is_expected) in cases {
        let error = fetch_once(bytes.clone()).into_failure();
        assert!(is_expected(&error), "{}: {error:?}", bytes.escape_ascii());
    }
}

#[test]
fn no_message_shows_the_password_of_a_location() {
    for locations in [
        &["http://user:secret@a/1", "http://user:secret@a/2"][..],
        &["http://user:secret@a/", "http://a/"],
        &["http://user:secret@[bad"],
        &["ftp://user:secret@a/"],
        &["//user:secret@a:99999/"],
    ] {
        let fields = locations.iter().flat_map(|location| ["Location: ", *location, "\r\n"]);
        let fields: String = fields.collect();
        let error = fetch_once(answer("302 Found", &fields, "")).into_failure();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error} {error:?}");
    }
}

#[test]
fn a_repeated_equal_location_is_one() {
    let server = Scripted::start(|peer| {
        while let Some(head) = peer.read_head() {
            let host = field(&head, "Host").unwrap();
            let fields = match head.split(' ').nth(1).unwrap() {
                "/twice" => "Location: /there\r\nLocation: /there\r\n".to_owned(),
                "/thrice" => "location: /there\r\n".repeat(3),
                "/whole" => format!("Location: /there\r\nLocation: http://{host}/there\r\n"),
                "/fragment" => "Location: /there#a\r\nLocation: /there#b\r\n".to_owned(),
                _ => {
                    peer.send(ok("there"));
                    continue;
                }
            };
            peer.send(answer("302 Found", &fields, ""));
        }
    });
    for name in ["twice", "thrice", "whole", "fragment"] {
        let fetched = fetch(1, &[server.url(&format!("/{name}"))]);
        fetched.assert_success();
        assert_eq!(fetched.content(name), b"there");
    }
}

/// The path and the `Authorization` of each request.
fn authorizations(server: &Scripted) -> Vec<(String, Option<String>)> {
    let of = |head: &String| {
        let path = head.split(' ').nth(1).unwrap().to_owned();
        (path, field(head, "Authorization").map(str::to_owned))
    };
    server.heads().iter().map(of).collect()
}

#[test]
fn the_user_name_of_a_location_is_used_at_the_origin_named_there() {
    // user:one, user:two and user:own in Base64.
    const ONE: &str = "Basic dXNlcjpvbmU=";
    const TWO: &str = "Basic dXNlcjp0d28=";
    const OWN: &str = "Basic dXNlcjpvd24=";
    let other = Scripted::answering(|target| match target {
        "/first" => redirect(302, "/second"),
        _ => ok("content"),
    });
    let other_address = other.address();
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            let here = |user: &str, path: &str| {
                redirect(302, &format!("http://{user}@{}{path}", field(&head, "Host").unwrap()))
            };
            peer.send(match head.split(' ').nth(1).unwrap() {
                "/one" => here("user:one", "/relative"),
                "/relative" => redirect(302, "two"),
                "/two" => here("user:two", "/end"),
                "/away" => redirect(302, &format!("http://user:one@{other_address}/first")),
                _ => ok("content"),
            });
        }
    });
    let seen = |path: &str, authorization: Option<&str>| {
        (path.to_owned(), authorization.map(str::to_owned))
    };
    for (user, own) in [("", None), ("user:own@", Some(OWN))] {
        let before = server.heads().len();
        let url = server.url("/one").replace("//", &format!("//{user}"));
        fetch(1, &[url]).assert_success();
        assert_eq!(
            authorizations(&server)[before..],
            [
                seen("/one", own),
                seen("/relative", Some(ONE)),
                seen("/two", Some(ONE)),
                seen("/end", Some(TWO))
            ]
        );
    }
    // The user's own fields are sent to the first origin only.
    let mut settings = settings(1);
    settings.fields.add("Authorization: Basic mine").unwrap();
    fetch_with(&settings, &[server.url("/one"), server.url("/away")]).assert_success();
    let all = authorizations(&server);
    assert!(all[8..].iter().all(|(_, value)| value.as_deref() == Some("Basic mine")), "{all:?}");
    assert_eq!(authorizations(&other), [seen("/first", Some(ONE)), seen("/second", Some(ONE))]);
}
