//! Situations whose limit is known, made by real servers: the program must name it. Times are long enough
//! for a busy machine.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::support::client::program;
use crate::support::scripted::{Scripted, answer, ok};

/// The limit that an experiment names, with its result.
struct Found {
    cause: String,
    sentence: String,
    json: Value,
}

/// Compares one connection with `concurrency` in one pair of runs.
fn compare(urls: &[String], concurrency: usize, options: &[&str]) -> Found {
    compare_in(urls, concurrency, options, &[])
}

fn compare_in(
    urls: &[String],
    concurrency: usize,
    options: &[&str],
    environment: &[(&str, String)],
) -> Found {
    let directory = TempDir::new().unwrap();
    let output = program()
        .arg("-urls")
        .args(urls)
        .args(["--compare", "--runs", "1", "--discard", "--json", "-", "-c"])
        .arg(concurrency.to_string())
        .args(options)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |key: &str| json["limit"][key].as_str().unwrap().to_owned();
    Found { cause: text("cause"), sentence: text("sentence"), json }
}

fn paths(count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(|number| format!("/{number}"))
}

/// A server whose answers to these paths take this time.
fn delaying(delay: impl Fn(&str) -> Duration + Send + Sync + 'static) -> Scripted {
    Scripted::answering(move |target| {
        thread::sleep(delay(target));
        ok("content")
    })
}

const DELAY: Duration = Duration::from_millis(100);

#[test]
fn as_many_connections_as_files_leave_nothing_to_gain() {
    let server = delaying(|_| DELAY);
    for (files, concurrency) in [(2, 2), (4, 10)] {
        let urls: Vec<String> = paths(files).map(|path| server.url(&path)).collect();
        let found = compare(&urls, concurrency, &[]);
        assert_eq!(found.cause, "file_count", "{}", found.sentence);
    }
}

#[test]
fn the_next_useful_number_of_connections_is_named() {
    let server = delaying(|_| DELAY);
    let urls: Vec<String> = paths(20).map(|path| server.url(&path)).collect();
    let found = compare(&urls, 12, &[]);
    assert_eq!(found.cause, "connections", "{}", found.sentence);
    // On a busy machine it adds that the run took longer than its best schedule.
    let expected = "13 to 19 would gain little or nothing, and 20 may be faster.";
    assert!(found.sentence.contains(expected), "{}", found.sentence);
}

#[test]
fn the_limit_that_the_user_set_is_named() {
    let server = delaying(|_| DELAY);
    let urls: Vec<String> = paths(12).map(|path| server.url(&path)).collect();
    let found = compare(&urls, 12, &["--max-per-host", "3"]);
    assert_eq!(found.cause, "max_per_host", "{}", found.sentence);
    let expected = "--max-per-host allows 3 connections to one host";
    assert!(found.sentence.starts_with(expected), "{}", found.sentence);
}

#[test]
fn a_long_file_at_the_end_of_the_list_should_come_first() {
    let server = delaying(|target| if target == "/12" { 6 * DELAY } else { DELAY });
    let urls: Vec<String> = paths(12).map(|path| server.url(&path)).collect();
    let found = compare(&urls, 3, &[]);
    assert_eq!(found.cause, "file_order", "{}", found.sentence);
    assert!(found.sentence.contains(&server.url("/12")), "{}", found.sentence);
}

#[test]
fn a_proxy_that_serves_one_request_at_a_time_is_a_candidate() {
    let turn = Mutex::new(());
    let proxy = Scripted::answering(move |_| {
        let _turn = turn.lock().unwrap();
        thread::sleep(DELAY);
        ok("content")
    });
    let urls: Vec<String> = paths(6).map(|path| format!("http://files.invalid{path}")).collect();
    let found = compare_in(&urls, 6, &[], &[("http_proxy", proxy.url("/"))]);
    assert_eq!(found.cause, "proxy_or_server", "{}", found.sentence);
    assert_eq!(found.json["conditions"]["proxies"], serde_json::json!([proxy.url("/")]));
}

#[test]
fn a_limit_of_requests_a_second_is_not_called_one_of_connections() {
    const REQUESTS: usize = 6;
    let recent = Mutex::new(VecDeque::new());
    let server = Scripted::answering(move |_| {
        let mut recent = recent.lock().unwrap();
        let now = Instant::now();
        recent.retain(|at| now - *at < Duration::from_secs(1));
        if recent.len() >= REQUESTS {
            return answer("429 Too Many Requests", "Retry-After: 1\r\n", "");
        }
        recent.push_back(now);
        ok("content")
    });
    let urls: Vec<String> = paths(12).map(|path| server.url(&path)).collect();
    let found = compare(&urls, 6, &[]);
    assert_eq!(found.cause, "request_rate", "{}", found.sentence);
    // Nor elsewhere in the report.
    assert!(found.json["ceiling"].is_null(), "{}", found.json["ceiling"]);
    assert!(found.json["concurrent"]["host_limit"].is_null(), "{}", found.json["concurrent"]);
}

/// A server that takes its connections one after another, from the shortest queue that there is.
struct ShortQueue {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ShortQueue {
    fn start() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let listener: TcpListener = socket.into();
        let (address, stopped) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let thread = {
            let stopped = Arc::clone(&stopped);
            thread::spawn(move || {
                while !stopped.load(Ordering::SeqCst) {
                    let (stream, _) = listener.accept().unwrap();
                    Self::serve(stream);
                }
            })
        };
        Self { address, stopped, thread: Some(thread) }
    }

    /// Answers one request after a moment, and closes.
    fn serve(mut stream: TcpStream) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
            head.extend_from_slice(&byte);
        }
        thread::sleep(Duration::from_millis(5));
        let _ = stream.write_all(&answer("200 OK", "Connection: close\r\n", "content"));
    }
}

impl Drop for ShortQueue {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

#[test]
fn a_short_listen_queue_is_named() {
    let server = ShortQueue::start();
    let urls: Vec<String> =
        paths(6).map(|path| format!("http://{}{path}", server.address)).collect();
    let is_late = |fetch: &Value| fetch["phases"]["connect"].as_f64() >= Some(0.9);
    // On a busy machine the connections may come so slowly that none is lost. Only losses in all runs count.
    for _ in 0..10 {
        let found = compare(&urls, 6, &[]);
        let mut rounds = found.json["rounds"].as_array().unwrap().iter();
        if rounds.all(|round| round[1]["fetches"].as_array().unwrap().iter().any(is_late)) {
            assert_eq!(found.cause, "listen_queue", "{}", found.sentence);
            return;
        }
    }
    panic!("there were runs without a lost connection in each of ten experiments");
}
