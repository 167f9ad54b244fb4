//! Redirects, as the client's library follows them.

use http_concurrent::client::{FetchError, MAX_REDIRECTS};

use crate::support::fetching::{fetch, fetch_once};
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
        assert!(matches!(error, FetchError::Redirects), "{error:?}");
    }
}

#[test]
fn a_redirect_to_nowhere_is_a_failure() {
    type Check = fn(&FetchError) -> bool;
    let cases: [(Vec<u8>, Check); 4] = [
        (answer("301 Moved", "", ""), |e| matches!(e, FetchError::NoLocation(_))),
        (answer("301 Moved", "Location: /a\r\nLocation: /b\r\n", ""), |e| {
            matches!(e, FetchError::NoLocation(_))
        }),
        (redirect(301, "http://[::1"), |e| matches!(e, FetchError::Location { .. })),
        (redirect(301, "ftp://host/file"), |e| matches!(e, FetchError::LocationScheme(_))),
    ];
    for (bytes, is_expected) in cases {
        let error = fetch_once(bytes.clone()).into_failure();
        assert!(is_expected(&error), "{}: {error:?}", bytes.escape_ascii());
    }
}
