//! The client's library against servers that follow a script.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use http_concurrent::client::{
    Content, Digest, FetchError, MAX_REDIRECTS, Observer, Outcome, OutputDirectory, Phase, Saving,
    Settings, Silent, Stop, Timeouts, download,
};
use http_concurrent::net::BodyError;

use crate::support::fetching::{Fetched, fetch, fetch_with, names_in, plan_all, settings};
use crate::support::scripted::{Scripted, answer, ok, redirect};

/// Fetches one URL from a server that answers each request with these bytes and then closes.
fn fetch_once(bytes: impl Into<Vec<u8>>) -> Fetched {
    let bytes = bytes.into();
    let server = Scripted::start(move |peer| {
        peer.read_request();
        peer.send(&bytes);
    });
    fetch(1, &[server.url("/file")])
}

#[test]
fn bodies_of_every_framing_are_saved_whole() {
    let large: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let chunked = |content: &[u8], size: usize| {
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in content.chunks(size) {
            answer.extend_from_slice(format!("{:x};x=y\r\n", chunk.len()).as_bytes());
            answer.extend_from_slice(chunk);
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
        answer
    };
    for (name, bytes, content) in [
        ("length", ok(&large), &large[..]),
        ("empty", ok(""), b""),
        ("chunked", chunked(&large, 100_000), &large),
        ("small chunks", chunked(&large[..5000], 7), &large[..5000]),
        ("no chunk", chunked(b"", 1), b""),
        ("close", [b"HTTP/1.1 200 OK\r\n\r\n", &large[..]].concat(), &large),
        ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nHello".to_vec(), b"Hello"),
        ("nothing", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), b""),
        (
            "informational",
            [
                &b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"[..],
                &ok("a"),
            ]
            .concat(),
            b"a",
        ),
        ("identity", answer("200 OK", "Content-Encoding: identity\r\n", "a"), b"a"),
    ] {
        let fetched = fetch_once(bytes);
        fetched.assert_success();
        assert!(fetched.content("file") == content, "{name}");
        assert_eq!(fetched.names(), ["file"], "{name}");
        assert_eq!(fetched.run.bytes(), content.len() as u64, "{name}");
    }
}

#[test]
fn a_body_that_ends_early_is_a_failure() {
    for (bytes, received, declared) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHell", 4, Some(5)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 0, Some(5)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHell", 4, None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n", 5, None),
    ] {
        match fetch_once(bytes).into_failure() {
            FetchError::Body(BodyError::Truncated { received: r, declared: d }) => {
                assert_eq!((r, d), (received, declared), "{bytes:?}");
            }
            other => panic!("{bytes:?}: {other:?}"),
        }
    }
}

#[test]
fn a_reset_within_a_body_is_a_failure_also_where_the_body_ends_with_the_connection() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"] {
        let server = Scripted::start(move |peer| {
            peer.read_request();
            peer.send(head);
            peer.send("Hello");
            peer.reset();
        });
        let error = fetch(1, &[server.url("/file")]).into_failure();
        // Where the reset overtakes the head, that is what breaks.
        assert!(
            matches!(error, FetchError::Body(BodyError::Io(_)) | FetchError::Broken(_)),
            "{error:?}"
        );
    }
}

#[test]
fn what_is_not_the_whole_plain_content_is_refused() {
    type Check = fn(&FetchError) -> bool;
    let cases: [(Vec<u8>, Check); 13] = [
        (
            answer("404 Not Found", "", "no"),
            |e| matches!(e, FetchError::Status { status, .. } if status.code() == 404),
        ),
        (
            answer("500 Oops", "", ""),
            |e| matches!(e, FetchError::Status { status, .. } if status.code() == 500),
        ),
        (
            answer("300 Choices", "Location: /x\r\n", ""),
            |e| matches!(e, FetchError::Status { status, .. } if status.code() == 300),
        ),
        (
            b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec(),
            |e| matches!(e, FetchError::Status { status, .. } if status.code() == 304),
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec(),
            |e| matches!(e, FetchError::Status { status, .. } if status.code() == 101),
        ),
        (answer("206 Partial Content", "Content-Range: bytes 0-0/2\r\n", "a"), |e| {
            matches!(e, FetchError::Partial)
        }),
        (
            answer("200 OK", "Content-Encoding: gzip\r\n", "a"),
            |e| matches!(e, FetchError::Coded(coding) if &**coding == "gzip"),
        ),
        (answer("200 OK", "Content-Length: 7\r\n", "a"), |e| matches!(e, FetchError::Framing(_))),
        (b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), |e| matches!(e, FetchError::Malformed(_))),
        (b"HTTP/2 200\r\n\r\n".to_vec(), |e| matches!(e, FetchError::Malformed(_))),
        (Vec::new(), |e| matches!(e, FetchError::Closed)),
        (b"HTTP/1.1 200 O".to_vec(), |e| matches!(e, FetchError::Closed)),
        (b"HTTP/1.1 102 Processing\r\n\r\n".repeat(200), |e| matches!(e, FetchError::Unending)),
    ];
    for (bytes, is_expected) in cases {
        let error = fetch_once(bytes.clone()).into_failure();
        assert!(is_expected(&error), "{}: {error:?}", bytes.escape_ascii());
    }
}

#[test]
fn requests_say_what_is_wanted_and_nothing_is_sent_of_the_fragment() {
    let server = Scripted::answering(|_| ok("a"));
    fetch(1, &[server.url("/a%20b?c=d&e=%20#fragment")]).assert_success();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "GET /a%20b?c=d&e=%20 HTTP/1.1\r\nHost: {}\r\nUser-Agent: http_client_concurrent/{version}\r\n\
         Accept: */*\r\nAccept-Encoding: identity\r\n\r\n",
        server.address()
    );
    assert_eq!(server.heads(), [expected]);
}

#[test]
fn a_connection_is_kept_and_used_again() {
    let server = Scripted::answering(|target| match target {
        "/missing" => answer("404 Not Found", "", "a page that is read past"),
        "/chunked" => {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n".to_vec()
        }
        target => ok(target),
    });
    let urls = ["/1", "/chunked", "/missing", "/2"].map(|path| server.url(path));
    let fetched = fetch(1, &urls);
    assert_eq!(fetched.names(), ["1", "2", "chunked"]);
    assert_eq!((fetched.run.failures(), server.connections()), (1, 1));
}

#[test]
fn a_connection_that_is_not_to_be_kept_is_not() {
    for bytes in [
        answer("200 OK", "Connection: close\r\n", "a"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na".to_vec(),
        [ok("a"), ok("unasked")].concat(),
        answer("404 Not Found", "", vec![b'x'; 100_000]),
    ] {
        let server = Scripted::start({
            let bytes = bytes.clone();
            move |peer| {
                if peer.read_request().is_some() {
                    peer.send(&bytes);
                    peer.wait_for_close();
                }
            }
        });
        fetch(1, &[server.url("/1"), server.url("/2")]);
        assert_eq!(server.connections(), 2, "{}", bytes[..60.min(bytes.len())].escape_ascii());
    }
}

#[test]
fn a_kept_connection_that_the_server_closed_is_replaced() {
    for resets in [false, true] {
        let server = Scripted::start(move |peer| {
            peer.read_request();
            peer.send(ok("a"));
            // The next request arrives, and is not answered.
            if resets && peer.connection == 0 {
                peer.read_request();
                peer.reset();
            }
        });
        let urls = ["/1", "/2"].map(|path| server.url(path));
        let fetched = fetch(1, &urls);
        fetched.assert_success();
        assert_eq!((fetched.names(), server.connections()), (vec!["1".into(), "2".into()], 2));
    }
}

#[test]
fn a_kept_connection_that_breaks_within_an_answer_is_a_failure() {
    let server = Scripted::start(|peer| {
        peer.read_request();
        peer.send(ok("a"));
        if peer.read_request().is_some() {
            peer.send("HTTP/1.1 2");
        }
    });
    let mut fetched = fetch(1, &[server.url("/1"), server.url("/2")]);
    assert_eq!((fetched.names(), server.connections()), (vec!["1".to_owned()], 1));
    let outcome = fetched.run.outcomes.remove(1);
    assert!(matches!(outcome.result, Err(FetchError::Closed)), "{outcome:?}");
}

#[test]
fn a_new_connection_that_is_closed_without_an_answer_is_not_tried_again() {
    let server = Scripted::start(|peer| {
        peer.read_request();
    });
    let error = fetch(1, &[server.url("/file")]).into_failure();
    assert!(matches!(error, FetchError::Closed), "{error:?}");
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_sent_before_the_request_was_read_is_heard() {
    let server = Scripted::start(|peer| {
        peer.send(answer("503 Service Unavailable", "Connection: close\r\n", "full"));
        peer.wait_for_close();
    });
    let error = fetch(1, &[server.url("/file")]).into_failure();
    assert!(
        matches!(error, FetchError::Status { status, .. } if status.code() == 503),
        "{error:?}"
    );
}

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

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let silence = Duration::from_millis(100);
    let timeouts = Timeouts { silence, ..Timeouts::default() };
    let settings = Settings { timeouts, ..settings(1) };
    for (bytes, expected) in [
        ("", Phase::Answer),
        ("HTTP/1.1 200 OK\r\nContent-Le", Phase::Answer),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHell", Phase::Body),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHell", Phase::Body),
        ("HTTP/1.1 200 OK\r\n\r\nHell", Phase::Body),
    ] {
        let server = Scripted::start(move |peer| {
            peer.read_request();
            peer.send(bytes);
            peer.wait_for_close();
        });
        let error = fetch_with(&settings, &[server.url("/file")]).into_failure();
        match error {
            FetchError::TimedOut { phase, timeout } => {
                assert_eq!((phase, timeout), (expected, silence), "{bytes:?}");
            }
            other => panic!("{bytes:?}: {other:?}"),
        }
    }
}

#[test]
fn servers_are_reached_by_ipv6_literals_and_by_name() {
    let six = Scripted::start_on("[::1]:0", |peer| {
        while peer.read_request().is_some() {
            peer.send(ok("six"));
        }
    });
    let fetched = fetch(1, &[six.url("/file")]);
    fetched.assert_success();
    assert_eq!(fetched.content("file"), b"six");
    let host = format!("Host: [::1]:{}\r\n", six.address().port());
    assert!(six.heads()[0].contains(&host), "{:?}", six.heads());

    let four = Scripted::answering(|_| ok("four"));
    let url = format!("http://localhost:{}/file", four.address().port());
    fetch(1, &[url]).assert_success();
}

#[test]
fn a_server_that_is_not_there_is_a_failure_with_its_address() {
    // Bound, but nobody listens: connections are refused for as long as the socket lives.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let nobody = socket.local_addr().unwrap().as_socket().unwrap();
    match fetch(1, &[format!("http://{nobody}/file")]).into_failure() {
        FetchError::Connect { address, .. } => assert_eq!(address, nobody),
        other => panic!("{other:?}"),
    }
    // A label is at most 63 bytes long, so that nobody is asked for this name.
    let error = fetch(1, &[format!("http://{}.invalid/file", "x".repeat(64))]).into_failure();
    assert!(matches!(error, FetchError::Resolve { .. }), "{error:?}");
}

#[test]
fn results_come_in_the_order_of_the_urls_and_a_failure_costs_only_its_own() {
    let server = Scripted::answering(|target| {
        let number: usize = target[1..].parse().unwrap();
        if number.is_multiple_of(5) {
            answer("410 Gone", "", "gone")
        } else {
            ok(target.repeat(number))
        }
    });
    let urls: Vec<_> = (0..40).map(|number| server.url(&format!("/{number}"))).collect();
    let fetched = fetch(8, &urls);
    assert_eq!(fetched.run.workers, 8);
    for (number, outcome) in fetched.run.outcomes.iter().enumerate() {
        assert_eq!(outcome.result.is_err(), number % 5 == 0, "{number}: {outcome:?}");
        if let Ok(saved) = &outcome.result {
            assert_eq!(saved.path.file_name().unwrap(), &*number.to_string());
            assert_eq!(saved.bytes, fetched.content(&number.to_string()).len() as u64);
        }
        assert!(outcome.took <= fetched.run.wall);
    }
    assert_eq!((fetched.run.failures(), fetched.names().len()), (8, 32));
    assert!(server.connections() <= 8, "{}", server.connections());
}

/// Lets an answer go out only when so many requests wait for theirs.
struct Rendezvous {
    waiting: Mutex<usize>,
    arrived: std::sync::Condvar,
}

#[test]
fn as_many_urls_are_under_way_as_there_are_workers_and_no_more() {
    static RENDEZVOUS: Rendezvous =
        Rendezvous { waiting: Mutex::new(0), arrived: std::sync::Condvar::new() };
    let server = Scripted::answering(|_| {
        let mut waiting = RENDEZVOUS.waiting.lock().unwrap();
        *waiting += 1;
        RENDEZVOUS.arrived.notify_all();
        let (waiting, result) = RENDEZVOUS
            .arrived
            .wait_timeout_while(waiting, Duration::from_secs(10), |waiting| *waiting < 4)
            .unwrap();
        assert!(!result.timed_out(), "{waiting} of 4 requests came at a time");
        ok("a")
    });
    let urls: Vec<_> = (0..6).map(|number| server.url(&format!("/{number}"))).collect();
    let fetched = fetch(4, &urls);
    fetched.assert_success();
    assert_eq!((fetched.run.workers, server.connections()), (4, 4));
    // No more threads than URLs.
    assert_eq!(fetch(4, &urls[..2]).run.workers, 2);
}

#[test]
fn an_older_file_is_replaced_whole_or_stays_as_it_was() {
    let server = Scripted::answering(|target| match target {
        "/new" => ok("new"),
        _ => answer("404 Not Found", "", ""),
    });
    let directory = tempfile::tempdir().unwrap();
    let output = OutputDirectory::prepare(directory.path()).unwrap();
    for name in ["new", "gone"] {
        fs::write(directory.path().join(name), "an older file").unwrap();
    }
    let jobs = plan_all(&["/new", "/gone"].map(|path| server.url(path)), &output);
    download(&jobs, &output, &settings(2), &Stop::default(), &Silent).unwrap();
    assert_eq!(fs::read(directory.path().join("new")).unwrap(), b"new");
    assert_eq!(fs::read(directory.path().join("gone")).unwrap(), b"an older file");
    assert_eq!(names_in(directory.path()), ["gone", "new"]);
}

#[test]
fn content_that_is_not_wanted_is_received_and_hashed_and_no_file_is_made() {
    let server = Scripted::answering(|target| match target {
        "/file" => ok("Hello"),
        _ => answer("404 Not Found", "", ""),
    });
    let saving =
        Saving { content: Content::Discarded, digest: Digest::Sha256, ..Saving::default() };
    let urls = ["/file", "/gone"].map(|path| server.url(path));
    let fetched = fetch_with(&Settings { saving, ..settings(1) }, &urls);
    let saved = fetched.run.outcomes[0].result.as_ref().unwrap();
    assert_eq!((saved.bytes, fetched.run.bytes()), (5, 5));
    assert!(saved.checksum.unwrap().to_string().starts_with("185f8db3"));
    assert_eq!((fetched.names(), fetched.run.failures()), (Vec::<String>::new(), 1));
}

#[test]
fn an_observer_is_told_of_every_step() {
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);
    impl Notes {
        fn note(&self, note: String) {
            self.0.lock().unwrap().push(note);
        }
    }
    impl Observer for Notes {
        fn started(&self, job: usize) {
            self.note(format!("{job} started"));
        }
        fn began(&self, job: usize, bytes: Option<u64>, already: u64) {
            self.note(format!("{job} of {bytes:?} behind {already}"));
        }
        fn received(&self, job: usize, bytes: usize) {
            self.note(format!("{job} received {bytes}"));
        }
        fn finished(&self, job: usize, outcome: &Outcome) {
            self.note(format!("{job} is there: {}", outcome.result.is_ok()));
        }
    }
    let server = Scripted::answering(|target| match target {
        "/file" => ok("Hello"),
        _ => answer("404 Not Found", "", ""),
    });
    let directory = tempfile::tempdir().unwrap();
    let output = OutputDirectory::prepare(directory.path()).unwrap();
    let jobs = plan_all(&["/file", "/gone"].map(|path| server.url(path)), &output);
    let notes = Notes::default();
    download(&jobs, &output, &settings(1), &Stop::default(), &notes).unwrap();
    assert_eq!(
        *notes.0.lock().unwrap(),
        [
            "0 started",
            "0 of Some(5) behind 0",
            "0 received 5",
            "0 is there: true",
            "1 started",
            "1 is there: false"
        ]
    );
}
