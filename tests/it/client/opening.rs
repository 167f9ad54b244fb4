//! How many connections are opening at a time, in a download and in an experiment.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http_concurrent::client::{FetchError, Observer, OutputDirectory, RetryPolicy, Stop, download};
use http_concurrent::lab::DownloadExecutor;
use http_concurrent::lab::experiment::Executor;
use socket2::{Domain, Socket, Type};

use crate::support::fetching::{fetch, plan_all, settings};
use crate::support::holds_in_time;
use crate::support::scripted::{Peer, Scripted, answer, ok};

/// Far longer than it takes to open a connection on loopback.
const QUIET: Duration = Duration::from_millis(200);

/// A server that responds to no request before no further connection has been opened for [`QUIET`], and
/// tells how many there were then.
struct Reluctant {
    server: Scripted,
    opened: Arc<AtomicUsize>,
}

impl Reluctant {
    fn start_on(address: &str) -> Self {
        let opened = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&opened);
        let is_quiet = Arc::new(AtomicBool::new(false));
        let server = Scripted::start_on(address, move |peer| {
            let first_target = peer.read_request();
            if !is_quiet.load(Ordering::SeqCst) {
                counted.fetch_add(1, Ordering::SeqCst);
                wait_for_quiet(&counted);
                is_quiet.store(true, Ordering::SeqCst);
            }
            let mut target = first_target;
            while target.is_some() {
                peer.send(ok("a"));
                target = peer.read_request();
            }
            // The client closes its connections at the end of a run.
            is_quiet.store(false, Ordering::SeqCst);
        });
        Self { server, opened }
    }

    fn urls(&self) -> Vec<String> {
        urls(self.server.address())
    }

    /// The connections that were opened before the first response since the last call.
    fn take_opened(&self) -> usize {
        self.opened.swap(0, Ordering::SeqCst)
    }
}

fn urls(address: SocketAddr) -> Vec<String> {
    (0..40).map(|number| format!("http://{address}/{number}")).collect()
}

/// Counts the attempts that failed.
#[derive(Default)]
struct Failures(AtomicUsize);

impl Observer for Failures {
    fn retrying(&self, _index: usize, _error: &FetchError, _wait: Duration) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn after_connections_were_refused_five_are_opened_before_the_first_response() {
    // Bound and not listening: connections are refused.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let output = OutputDirectory::prepare(directory.path()).unwrap();
    let (jobs, failures) = (plan_all(&urls(address), &output), Failures::default());
    let mut settings = settings(40);
    settings.retry = RetryPolicy { retries: 1000, ..RetryPolicy::default() };
    settings.retry.max_backoff = Duration::from_millis(100);
    thread::scope(|scope| {
        let stop = Stop::default();
        let (jobs, output, settings, failures) = (&jobs, &output, &settings, &failures);
        let fetching = scope.spawn(move || download(jobs, output, settings, &stop, failures));
        let are_refused = holds_in_time(|| failures.0.load(Ordering::SeqCst) >= 40);
        drop(socket);
        let reluctant = Reluctant::start_on(&address.to_string());
        let run = fetching.join().unwrap().unwrap();
        assert!(are_refused && run.failures() == 0);
        assert_eq!(reluctant.take_opened(), 5);
    });
}

fn wait_for_quiet(count: &AtomicUsize) {
    let (mut seen, mut since) = (0, Instant::now());
    while since.elapsed() < QUIET {
        let now = count.load(Ordering::SeqCst);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_download_and_every_run_of_an_experiment_open_ten_connections_before_the_first_response() {
    let reluctant = Reluctant::start_on("127.0.0.1:0");
    fetch(40, &reluctant.urls()).assert_success();
    assert_eq!(reluctant.take_opened(), 10, "in the download");

    let directory = tempfile::tempdir().unwrap();
    let output = OutputDirectory::prepare(directory.path()).unwrap();
    let (jobs, stop) = (plan_all(&reluctant.urls(), &output), Stop::default());
    let mut executor = DownloadExecutor::new(&jobs, &output, settings(40), &stop);
    for run in 0..3 {
        executor.run(40);
        assert_eq!(reluctant.take_opened(), 10, "in run {run}");
    }
}

#[test]
fn all_connections_are_opened_at_once_to_a_host_that_advertises_its_limit() {
    const ALLOWED: usize = 30;
    let policy = format!("RateLimit-Policy: \"x\";q={ALLOWED};qu=\"concurrent-requests\"\r\n");
    let opened = AtomicUsize::new(0);
    let all_came = Arc::new(AtomicBool::new(false));
    let came = Arc::clone(&all_came);
    let respond = move |peer: &mut Peer| {
        let mut target = peer.read_request();
        // The first connection tells the limit, and no other has a response before all came.
        if opened.fetch_add(1, Ordering::SeqCst) > 0 {
            let are_all = holds_in_time(|| opened.load(Ordering::SeqCst) >= ALLOWED);
            came.fetch_or(are_all, Ordering::SeqCst);
        }
        while target.is_some() {
            peer.send(answer("200 OK", &policy, "a"));
            target = peer.read_request();
        }
    };
    let server = Scripted::start(respond);
    let urls: Vec<_> = (0..100).map(|number| server.url(&format!("/{number}"))).collect();
    fetch(50, &urls).assert_success();
    assert!(all_came.load(Ordering::SeqCst));
    assert_eq!(server.connections(), ALLOWED);
}

/// Serves one connection after another from a listen queue of five, and closes each after its response.
fn serve_one_after_another(listener: &TcpListener, is_stopped: &AtomicBool) {
    while let Ok((mut stream, _)) = listener.accept() {
        if is_stopped.load(Ordering::SeqCst) {
            break;
        }
        let mut head = Vec::new();
        let mut piece = [0; 1024];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(length @ 1..) => head.extend_from_slice(&piece[..length]),
                _ => break,
            }
        }
        thread::sleep(Duration::from_micros(500));
        let _ = stream.write_all(&answer("200 OK", "Connection: close\r\n", "a"));
    }
}

/// How many of 140 connections, up to 50 at a time, to a server with a listen queue of five repeated their SYN.
fn repeated_openings() -> usize {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.listen(5).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let is_stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| serve_one_after_another(&listener, &is_stopped));
        let urls: Vec<_> = (0..140).map(|number| format!("http://{address}/{number}")).collect();
        let fetched = fetch(50, &urls);
        is_stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(address);
        fetched.assert_success();
        let connects = fetched.run.outcomes.iter().map(|outcome| outcome.phases.connect);
        connects.filter(|took| *took >= Duration::from_millis(900)).count()
    })
}

/// Without a bound, as many as half of all that may be opened would be lost, at each of a few occasions. While the
/// machine is busy the server is late, and loses connections nevertheless: then it is tried again.
#[test]
fn fifty_connections_do_not_overflow_a_listen_queue_of_five() {
    let mut counts = Vec::new();
    let is_bounded = (0..10).any(|_| {
        counts.push(repeated_openings());
        counts.last().is_some_and(|repeated| *repeated <= 15)
    });
    assert!(is_bounded, "of 140 connections so many repeated their SYN: {counts:?}");
}
