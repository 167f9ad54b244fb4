//! The client against servers with limits: it fetches everything, and learns the limit.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http_concurrent::client::{FetchError, RetryPolicy, Settings, Stop, StopReason};

use crate::support::fetching::{Fetched, fetch_stopping, fetch_with, settings};
use crate::support::holds_in_time;
use crate::support::scripted::{Peer, Scripted, answer, ok};
use crate::support::server::TestServer;

fn patient(concurrency: usize) -> Settings {
    let first_wait = Duration::from_millis(1);
    let retry = RetryPolicy { first_wait, ..RetryPolicy::default() };
    Settings { retry, ..settings(concurrency) }
}

fn fetch_files(server: &TestServer, count: usize, settings: &Settings) -> Fetched {
    let urls: Vec<_> = (0..count).map(|n| format!("http://{}/{n}.txt", server.address())).collect();
    fetch_with(settings, &urls)
}

fn with_files(per_client: usize, count: usize) -> TestServer {
    let server = TestServer::with_limits(per_client, 60);
    for number in 0..count {
        server.file(&format!("{number}.txt"), vec![b'x'; 20_000]);
    }
    server
}

#[test]
fn sixty_four_connections_settle_at_the_twelve_that_a_server_allows() {
    let server = with_files(12, 400);
    let fetched = fetch_files(&server, 400, &patient(64));
    fetched.assert_success();
    let [limit] = &fetched.run.limits[..] else { panic!("{:?}", fetched.run.limits) };
    assert_eq!(limit.connections, 12, "{limit:?}");
    assert!(limit.rejections <= 20, "{limit:?}");
    let rejections: u32 = fetched.run.outcomes.iter().map(|outcome| outcome.rejections).sum();
    assert_eq!(rejections, limit.rejections);
}

#[test]
fn one_connection_is_used_if_the_server_allows_one() {
    let server = with_files(1, 20);
    let fetched = fetch_files(&server, 20, &patient(10));
    fetched.assert_success();
    assert_eq!(fetched.run.limits[0].connections, 1);
}

#[test]
fn two_clients_that_share_a_limit_both_complete() {
    let server = with_files(6, 100);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| fetch_files(&server, 100, &patient(10)).assert_success());
        }
    });
}

#[test]
fn an_advertised_limit_is_respected_before_the_first_rejection() {
    let open = AtomicUsize::new(0);
    let most = std::sync::Arc::new(AtomicUsize::new(0));
    let seen = std::sync::Arc::clone(&most);
    let policy = "RateLimit-Policy: \"per-client\";q=3;qu=\"concurrent-requests\"\r\n";
    let server = Scripted::start(move |peer| {
        while peer.read_request().is_some() {
            let now = open.fetch_add(1, Ordering::SeqCst) + 1;
            // The first requests are sent before the limit is known.
            if peer.connection >= 10 {
                seen.fetch_max(now, Ordering::SeqCst);
            }
            open.fetch_sub(1, Ordering::SeqCst);
            peer.send(answer("200 OK", policy, "x"));
        }
    });
    let urls: Vec<_> = (0..100).map(|number| server.url(&format!("/{number}"))).collect();
    let fetched = fetch_with(&patient(20), &urls);
    fetched.assert_success();
    assert_eq!((fetched.run.limits[0].connections, fetched.run.limits[0].rejections), (3, 0));
    assert!(most.load(Ordering::SeqCst) <= 3 && server.connections() <= 13);
}

#[test]
fn retry_after_holds_all_urls_of_the_host() {
    let times = std::sync::Arc::new(Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&times);
    let server = Scripted::start(move |peer| {
        while peer.read_request().is_some() {
            let mut times = noted.lock().unwrap();
            times.push(Instant::now());
            if times.len() == 1 {
                peer.send(answer("503 Service Unavailable", "Retry-After: 1\r\n", ""));
            } else {
                peer.send(ok("a"));
            }
        }
    });
    let mut settings = patient(1);
    settings.retry.retries = 1;
    let fetched = fetch_with(&settings, &[server.url("/1"), server.url("/2")]);
    fetched.assert_success();
    let times = times.lock().unwrap();
    assert!(times[1] - times[0] >= Duration::from_secs(1), "the host was left alone");
    assert!(fetched.run.outcomes[0].phases.waiting >= Duration::from_millis(900));
    assert!(fetched.run.limits.is_empty(), "503 says nothing about the number of connections");
}

#[test]
fn temporary_failures_are_retried_and_permanent_ones_are_not() {
    for (status, attempts) in [
        ("500 Oops", 3),
        ("502 Bad", 3),
        ("503 Busy", 3),
        ("504 Late", 3),
        ("408 Slow", 3),
        ("429 Many", 3),
    ]
    .into_iter()
    .chain([("404 Gone", 1), ("403 No", 1), ("501 What", 1), ("416 Range", 1)])
    {
        let server = Scripted::answering(move |_| answer(status, "", ""));
        let mut settings = patient(1);
        settings.retry.retries = 2;
        let fetched = fetch_with(&settings, &[server.url("/file")]);
        assert_eq!(fetched.run.outcomes[0].attempts, attempts, "{status}");
        assert_eq!(server.heads().len(), attempts as usize, "{status}");
        let error = fetched.into_failure();
        assert!(matches!(error, FetchError::Status { .. }), "{status}: {error:?}");
    }
}

#[test]
fn a_reset_a_silence_and_a_short_body_are_retried() {
    let server = Scripted::start(|peer| {
        peer.read_request();
        match peer.connection {
            0 => peer.reset(),
            1 => peer.wait_for_close(),
            2 => peer.send(&ok("Hello")[..38]),
            3 => {}
            _ => peer.send(ok("Hello")),
        }
    });
    let mut settings = patient(1);
    settings.timeouts.silence = Duration::from_secs(1);
    let fetched = fetch_with(&settings, &[server.url("/file")]);
    fetched.assert_success();
    assert_eq!((fetched.content("file"), fetched.run.outcomes[0].attempts), (b"Hello".to_vec(), 5));
}

#[test]
fn a_run_ends_at_its_time_limit() {
    let server = Scripted::start(|peer| {
        peer.read_request();
        peer.wait_for_close();
    });
    let mut settings = patient(2);
    settings.timeouts.total = Some(Duration::from_millis(100));
    let urls: Vec<_> = (0..5).map(|number| server.url(&format!("/{number}"))).collect();
    let fetched = fetch_with(&settings, &urls);
    for outcome in &fetched.run.outcomes {
        assert!(matches!(outcome.result, Err(FetchError::Stopped(_))), "{outcome:?}");
    }
}

/// Fetches ten URLs of a host that admits no connection, then twenty of another one, over four connections,
/// until the twenty are done.
#[track_caller]
fn a_host_that_admits_no_connection_delays_no_other(
    settings: &Settings,
    script: impl Fn(&mut Peer) + Send + Sync + 'static,
) {
    let held = Scripted::start(script);
    let quick = Scripted::answering(|_| ok("quick"));
    let urls = |server: &Scripted, count| -> Vec<_> {
        (0..count).map(|number| server.url(&format!("/{}/{number}", server.address()))).collect()
    };
    let urls = [urls(&held, 10), urls(&quick, 20)].concat();
    let stop = Stop::default();
    let fetched = thread::scope(|scope| {
        let directory = tempfile::tempdir().unwrap();
        let fetching = scope.spawn(|| fetch_stopping(directory, settings, &urls, &stop));
        holds_in_time(|| quick.heads().len() == 20);
        stop.stop(StopReason::Interrupted);
        fetching.join().unwrap()
    });
    assert_eq!(quick.heads().len(), 20, "the other host was asked for everything");
    for outcome in &fetched.run.outcomes[..10] {
        assert!(matches!(outcome.result, Err(FetchError::Stopped(_))), "{outcome:?}");
    }
}

#[test]
fn a_host_with_a_long_retry_after_delays_no_other_host() {
    let mut settings = patient(4);
    settings.retry.max_wait = Duration::from_secs(3600);
    a_host_that_admits_no_connection_delays_no_other(&settings, |peer| {
        while peer.read_request().is_some() {
            peer.send(answer("503 Service Unavailable", "Retry-After: 3600\r\n", ""));
        }
    });
}

#[test]
fn a_host_at_its_limit_delays_no_other_host() {
    let settings = Settings { per_host: std::num::NonZeroUsize::new(1), ..patient(4) };
    a_host_that_admits_no_connection_delays_no_other(&settings, |peer| {
        peer.read_request();
        peer.wait_for_close();
    });
}

#[test]
fn urls_that_wait_for_their_next_attempt_delay_no_other_host() {
    let hour = Duration::from_secs(3600);
    let mut settings = patient(4);
    settings.retry =
        RetryPolicy { retries: 9, first_wait: hour, max_backoff: hour, ..settings.retry };
    a_host_that_admits_no_connection_delays_no_other(&settings, |peer| {
        while peer.read_request().is_some() {
            peer.send(answer("500 Internal Server Error", "", ""));
        }
    });
}
